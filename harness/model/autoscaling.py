"""The words of horizontal pod autoscaling: what an HPA asks for, what it reads, what it did. Amounts are milli-units.

A milli-unit is a thousandth of the resource's own unit, as in Kubernetes' ``MilliValue``: 500 for ``500m`` of CPU, and
bytes x 1000 for memory. Times are nanoseconds of one clock.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class MetricKind(StrEnum):
    """``spec.metrics[].type``."""

    RESOURCE = "Resource"
    CONTAINER_RESOURCE = "ContainerResource"
    PODS = "Pods"
    OBJECT = "Object"
    EXTERNAL = "External"


class MetricSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One of ``spec.metrics``. Exactly one of the three targets is set; ``container`` is of ``ContainerResource``."""

    kind: MetricKind
    name: str
    container: str = ""
    average_utilization: int | None = None  # percent of the requests
    average_value_m: int | None = None
    value_m: int | None = None


class SelectPolicy(StrEnum):
    """Which policy of a direction counts."""

    MAX = "Max"
    MIN = "Min"
    DISABLED = "Disabled"


class PolicyKind(StrEnum):
    """What a policy's value counts."""

    PODS = "Pods"
    PERCENT = "Percent"


class ScalingPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """At most ``value`` pods or percent within ``period_s``."""

    kind: PolicyKind
    value: int
    period_s: int


class ScalingRules(msgspec.Struct, frozen=True, kw_only=True):
    """``behavior.scaleUp`` or ``scaleDown``. ``stabilization_s`` ``None`` takes the controller's own window."""

    policies: tuple[ScalingPolicy, ...]
    select: SelectPolicy = SelectPolicy.MAX
    stabilization_s: int | None = None
    tolerance: float | None = None


#: autoscaling/v2 ``SetDefaults_HorizontalPodAutoscaler``: they stand for whatever a given ``behavior`` leaves out.
DEFAULT_UP = ScalingRules(
    policies=(
        ScalingPolicy(kind=PolicyKind.PODS, value=4, period_s=15),
        ScalingPolicy(kind=PolicyKind.PERCENT, value=100, period_s=15),
    ),
    stabilization_s=0,
)
DEFAULT_DOWN = ScalingRules(policies=(ScalingPolicy(kind=PolicyKind.PERCENT, value=100, period_s=15),))


class Behavior(msgspec.Struct, frozen=True, kw_only=True):
    """``spec.behavior`` with its defaults filled in."""

    up: ScalingRules = DEFAULT_UP
    down: ScalingRules = DEFAULT_DOWN


class Hpa(msgspec.Struct, frozen=True, kw_only=True):
    """A HorizontalPodAutoscaler. Without ``behavior`` the controller's older rules hold, which differ a little."""

    name: str
    max_replicas: int
    min_replicas: int = 1
    metrics: tuple[MetricSpec, ...] = (MetricSpec(kind=MetricKind.RESOURCE, name="cpu", average_utilization=80),)
    behavior: Behavior | None = None


class PodPhase(StrEnum):
    """``status.phase``."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


class ContainerRequests(msgspec.Struct, frozen=True, kw_only=True):
    """A container that runs as long as its pod: a regular one, or an init container with ``restartPolicy: Always``."""

    name: str
    requests_m: dict[str, int] = {}


class ScaledPod(msgspec.Struct, frozen=True, kw_only=True):
    """A pod of the scale target's selector. ``ready`` is the Ready condition, ``None`` for Unknown.

    ``ready_changed_ns`` is the condition's last transition, ``None`` without a condition. ``pod_requests_m`` are
    requests of the pod's own level (``spec.resources``), which stand for its containers' when there are any.
    """

    name: str
    containers: tuple[ContainerRequests, ...]
    phase: PodPhase = PodPhase.RUNNING
    terminating: bool = False
    started_ns: int | None = None
    ready: bool | None = False
    ready_changed_ns: int | None = None
    pod_requests_m: dict[str, int] | None = None


class PodUsage(msgspec.Struct, frozen=True, kw_only=True):
    """One item of metrics.k8s.io: what each container used over ``window_ns`` until ``at_ns``."""

    name: str
    at_ns: int
    window_ns: int
    containers_m: dict[str, dict[str, int]]


class ConditionType(StrEnum):
    """``status.conditions[].type``."""

    ABLE_TO_SCALE = "AbleToScale"
    SCALING_ACTIVE = "ScalingActive"
    SCALING_LIMITED = "ScalingLimited"


class HpaCondition(msgspec.Struct, frozen=True, kw_only=True):
    """One of ``status.conditions``; ``since_ns`` is when ``ok`` last changed."""

    type: ConditionType
    ok: bool
    reason: str
    message: str
    since_ns: int


class ScalingEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What the controller tells of itself (core/v1 Event)."""

    warning: bool
    reason: str
    message: str
