"""The fields of Kubernetes' objects that the rungs read, as types. Other fields pass unread and stay in ``documents``.

Field names and defaults: Kubernetes API reference, core/v1, apps/v1, autoscaling/v2, policy/v1.

Reads a HorizontalPodAutoscaler and a PodDisruptionBudget, with the API server's defaults and refusals.
Which pods a label selector picks: all that it says has to hold (apimachinery, ``LabelSelectorAsSelector``).
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from harness.base.errors import BadInput
from harness.base.message import said_by
from harness.base.plantypes import bare_type, keys_of
from harness.base.yamltext import Path_
from harness.model.autoscaling import (
    DEFAULT_DOWN,
    DEFAULT_UP,
    Behavior,
    Hpa,
    MetricKind,
    MetricSpec,
    PolicyKind,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
)
from harness.model.manifests import Budget, UnhealthyPodEviction
from harness.model.message import message
from harness.stack.manifests import quantity

MAX_PERIOD_S = 1800
MAX_WINDOW_S = 3600

E = TypeVar("E", bound=StrEnum)


def hpa(name: str, given: HpaSpec, where: str) -> Hpa:
    """The autoscaler ``given``. Raises ``BadInput`` naming the key. ``where`` is the place of its"""
    if not 0 < given.min_replicas <= given.max_replicas:
        least, most = str(given.min_replicas), str(given.max_replicas)
        what = message("minReplicas {least}, maxReplicas {most}", least=least, most=most)
        raise BadInput(what, where=where, remedy="0 < minReplicas <= maxReplicas")
    metrics = tuple(_metric(each, f"{where}.metrics[{index}]") for index, each in enumerate(given.metrics))
    if given.target_cpu is not None and not metrics:
        metrics = (MetricSpec(kind=MetricKind.RESOURCE, name="cpu", average_utilization=given.target_cpu),)
        _target(metrics[0], f"{where}.targetCPUUtilizationPercentage")
    found = Hpa(
        name=name,
        min_replicas=given.min_replicas,
        max_replicas=given.max_replicas,
        behavior=_behavior(given.behavior, f"{where}.behavior"),
    )
    return msgspec.structs.replace(found, metrics=metrics) if metrics else found


def budget(name: str, given: PdbSpec, where: str) -> Budget:
    """The budget ``given``; raises ``BadInput``."""
    if given.min_available is not None and given.max_unavailable is not None:
        raise BadInput("a PDB has either minAvailable or maxUnavailable", where=where, remedy="give one of the two")
    for key, value in (("minAvailable", given.min_available), ("maxUnavailable", given.max_unavailable)):
        good = value is None or (value >= 0 if isinstance(value, int) else re.fullmatch(r"[0-9]{1,2}%|100%", value))
        if not good:
            what = message("{key} is {value}", key=key, value=repr(value))
            raise BadInput(what, where=where, remedy="write a number or a percentage, e.g. 1 or '50%'")
    policy = given.unhealthy_pod_eviction_policy
    return Budget(
        name=name,
        min_available=given.min_available,
        max_unavailable=given.max_unavailable,
        unhealthy=_one_of(UnhealthyPodEviction, policy, f"{where}.unhealthyPodEvictionPolicy"),
    )


def _metric(given: MetricSpecYaml, where: str) -> MetricSpec:
    kind = _one_of(MetricKind, given.type, f"{where}.type")
    key = kind.value[0].lower() + kind.value[1:]
    attribute = "container_resource" if kind is MetricKind.CONTAINER_RESOURCE else key
    source: MetricSource | None = getattr(given, attribute)
    if source is None:
        what = message("a metric of type {kind} without {key}", kind=kind.value, key=key)
        raise BadInput(what, where=where, remedy=message("add {key}", key=key))
    target = source.target
    found = MetricSpec(
        kind=kind,
        name=source.metric.name if source.metric is not None else source.name,
        container=source.container,
        average_utilization=target.average_utilization,
        average_value_m=_milli(target.average_value, f"{where}.{key}.target.averageValue"),
        value_m=_milli(target.value, f"{where}.{key}.target.value"),
    )
    _target(found, f"{where}.{key}.target")
    return found


def _target(metric: MetricSpec, where: str) -> None:
    """One target, above 0, that the kind of metric can have."""
    resource = metric.kind in (MetricKind.RESOURCE, MetricKind.CONTAINER_RESOURCE)
    allowed = {
        "averageUtilization": metric.average_utilization if resource else None,
        "averageValue": metric.average_value_m,
        "value": metric.value_m if metric.kind in (MetricKind.OBJECT, MetricKind.EXTERNAL) else None,
    }
    given = [
        value for value in (metric.average_utilization, metric.average_value_m, metric.value_m) if value is not None
    ]
    if len(given) != 1 or given != [value for value in allowed.values() if value is not None] or given[0] <= 0:
        remedy = (
            "give one of averageUtilization or averageValue, above 0"
            if resource
            else "give one of averageValue or value, above 0"
        )
        raise BadInput(message("the target of {metric} fits no metric", metric=metric.name), where=where, remedy=remedy)


def _behavior(given: BehaviorYaml | None, where: str) -> Behavior | None:
    if given is None:
        return None
    return Behavior(
        up=_rules(given.scale_up, DEFAULT_UP, f"{where}.scaleUp"),
        down=_rules(given.scale_down, DEFAULT_DOWN, f"{where}.scaleDown"),
    )


def _rules(given: ScalingRulesYaml | None, default: ScalingRules, where: str) -> ScalingRules:
    if given is None:
        return default
    window_s = given.stabilization_window_seconds
    if window_s is not None and not 0 <= window_s <= MAX_WINDOW_S:
        what = message("{key} is {value}", key="stabilizationWindowSeconds", value=str(window_s))
        raise BadInput(what, where=where, remedy=message("it must be 0 to {most}", most=str(MAX_WINDOW_S)))
    policies = default.policies
    if given.policies is not None:
        policies = tuple(_policy(each, f"{where}.policies[{index}]") for index, each in enumerate(given.policies))
    if not policies:
        raise BadInput("no policies", where=where, remedy="list one, or leave policies out for the defaults")
    tolerance = _milli(given.tolerance, f"{where}.tolerance")
    return ScalingRules(
        policies=policies,
        select=_one_of(SelectPolicy, given.select_policy or default.select.value, f"{where}.selectPolicy"),
        stabilization_s=default.stabilization_s if window_s is None else window_s,
        tolerance=None if tolerance is None else tolerance / 1000,
    )


def _policy(given: ScalingPolicyYaml, where: str) -> ScalingPolicy:
    kind = _one_of(PolicyKind, given.type, f"{where}.type")
    if given.value <= 0 or not 0 < given.period_seconds <= MAX_PERIOD_S:
        what = message(
            "value {value}, periodSeconds {period}", value=str(given.value), period=str(given.period_seconds)
        )
        remedy = message("value above 0, periodSeconds 1 to {most}", most=str(MAX_PERIOD_S))
        raise BadInput(what, where=where, remedy=remedy)
    return ScalingPolicy(kind=kind, value=given.value, period_s=given.period_seconds)


def _milli(value: str | float | None, where: str) -> int | None:
    if value is None:
        return None
    try:
        return quantity.millicores(value)
    except ValueError as error:
        raise BadInput(said_by(error), where=where, remedy="e.g. '500m' or '100Mi'") from error


def _one_of(words: type[E], value: str, where: str) -> E:
    try:
        return words(value)
    except ValueError as error:
        known = ", ".join(word.value for word in words)
        raise BadInput(
            message("{value} is not known", value=repr(value)),
            where=where,
            remedy=message("one of {values}", values=known),
        ) from error


def picks(selector: Mapping[str, Any] | None, labels: Mapping[str, Any]) -> bool:
    """Whether ``selector``, as a manifest writes it, picks pods with ``labels``: an empty one all, none at all none."""
    if selector is None:
        return False
    pairs, rules = selector.get("matchLabels") or {}, selector.get("matchExpressions") or []
    return all(labels.get(key) == value for key, value in pairs.items()) and all(_holds(each, labels) for each in rules)


def _holds(rule: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    key, values = str(rule.get("key")), rule.get("values") or []
    match rule.get("operator"):
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return key not in labels or labels[key] not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False


Port = int | str


class K8s(msgspec.Struct, kw_only=True, rename="camel"):
    """A piece of a manifest."""


class HttpGet(K8s):
    port: Port
    path: str = "/"


class ProbeSpec(K8s):
    http_get: HttpGet | None = None
    exec: dict[str, Any] | None = None
    tcp_socket: dict[str, Any] | None = None
    grpc: dict[str, Any] | None = None
    initial_delay_seconds: int = 0
    period_seconds: int = 10
    timeout_seconds: int = 1
    success_threshold: int = 1
    failure_threshold: int = 3


class KeyRef(K8s):
    name: str
    key: str
    optional: bool = False


class FieldRef(K8s):
    field_path: str


class ResourceFieldRef(K8s):
    resource: str


class ValueFrom(K8s):
    config_map_key_ref: KeyRef | None = None
    secret_key_ref: KeyRef | None = None
    field_ref: FieldRef | None = None
    resource_field_ref: ResourceFieldRef | None = None


class EnvSpec(K8s):
    name: str
    value: str | None = None
    value_from: ValueFrom | None = None


class NameRef(K8s):
    name: str
    optional: bool = False


class EnvFrom(K8s):
    config_map_ref: NameRef | None = None
    secret_ref: NameRef | None = None
    prefix: str = ""


class ContainerPort(K8s):
    container_port: int
    name: str = ""


class Resources(K8s, forbid_unknown_fields=True):
    """All that Kubernetes has here: amounts that stand a level too high (``resources: {cpu: 1}``) limit nothing."""

    claims: list[dict[str, Any]] = []
    requests: dict[str, str | int | float] = {}
    limits: dict[str, str | int | float] = {}


class VolumeMount(K8s):
    name: str
    mount_path: str


class SleepAction(K8s):
    seconds: int


class LifecycleHandler(K8s):
    sleep: SleepAction | None = None
    exec: dict[str, Any] | None = None
    http_get: dict[str, Any] | None = None


class LifecycleYaml(K8s):
    pre_stop: LifecycleHandler | None = None


class ContainerSpec(K8s):
    name: str
    image: str
    restart_policy: str = ""
    lifecycle: LifecycleYaml | None = None
    command: list[str] = []
    args: list[str] = []
    env: list[EnvSpec] = []
    env_from: list[EnvFrom] = []
    ports: list[ContainerPort] = []
    resources: Resources = msgspec.field(default_factory=Resources)
    liveness_probe: ProbeSpec | None = None
    readiness_probe: ProbeSpec | None = None
    startup_probe: ProbeSpec | None = None
    volume_mounts: list[VolumeMount] = []


class SecretVolume(K8s):
    secret_name: str
    optional: bool = False


class Volume(K8s):
    name: str
    config_map: NameRef | None = None
    secret: SecretVolume | None = None


class PodSpec(K8s):
    containers: list[ContainerSpec]
    init_containers: list[ContainerSpec] = []
    volumes: list[Volume] = []
    service_account_name: str = "default"
    termination_grace_period_seconds: int = 30


class Metadata(K8s):
    name: str = ""
    labels: dict[str, str] = {}


class TemplateSpec(K8s):
    spec: PodSpec
    metadata: Metadata = msgspec.field(default_factory=Metadata)


class RollingUpdateSpec(K8s):
    max_surge: int | str = "25%"
    max_unavailable: int | str = "25%"


class Strategy(K8s):
    type: str = "RollingUpdate"
    rolling_update: RollingUpdateSpec | None = None


class SelectorYaml(K8s):
    match_labels: dict[str, str] = {}
    match_expressions: list[dict[str, Any]] = []


class DeploymentSpec(K8s):
    selector: SelectorYaml
    template: TemplateSpec
    replicas: int = 1
    strategy: Strategy = msgspec.field(default_factory=Strategy)
    min_ready_seconds: int = 0
    progress_deadline_seconds: int = 600


class JobSpec(K8s):
    template: TemplateSpec


class ServicePort(K8s):
    port: int
    target_port: Port | None = None
    protocol: str = "TCP"


class ServiceSpec(K8s):
    ports: list[ServicePort] = []  # none of an ExternalName
    selector: dict[str, str] = {}


class ScaleTarget(K8s):
    kind: str
    name: str


class MetricTarget(K8s):
    type: str = ""
    average_utilization: int | None = None
    average_value: str | int | float | None = None
    value: str | int | float | None = None


class MetricIdentifier(K8s):
    name: str


class MetricSource(K8s):
    target: MetricTarget
    name: str = ""
    container: str = ""
    metric: MetricIdentifier | None = None


class MetricSpecYaml(K8s):
    type: str
    resource: MetricSource | None = None
    container_resource: MetricSource | None = None
    pods: MetricSource | None = None
    object: MetricSource | None = None
    external: MetricSource | None = None


class ScalingPolicyYaml(K8s):
    type: str
    value: int
    period_seconds: int


class ScalingRulesYaml(K8s):
    policies: list[ScalingPolicyYaml] | None = None
    select_policy: str | None = None
    stabilization_window_seconds: int | None = None
    tolerance: str | int | float | None = None


class BehaviorYaml(K8s):
    scale_up: ScalingRulesYaml | None = None
    scale_down: ScalingRulesYaml | None = None


class HpaSpec(K8s):
    scale_target_ref: ScaleTarget
    max_replicas: int
    min_replicas: int = 1
    metrics: list[MetricSpecYaml] = []
    behavior: BehaviorYaml | None = None
    #: Of autoscaling/v1, which the API server converts to a metric of the CPU.
    target_cpu: int | None = msgspec.field(default=None, name="targetCPUUtilizationPercentage")


class PdbSpec(K8s):
    selector: SelectorYaml | None = None
    min_available: int | str | None = None
    max_unavailable: int | str | None = None
    unhealthy_pod_eviction_policy: str = "IfHealthyBudget"


class ObjectKey(K8s):
    key: str


class SecretObject(K8s):
    secret_name: str
    data: list[ObjectKey] = []


class ProviderClassSpec(K8s):
    """``secrets-store.csi.x-k8s.io/v1``: what is synced into Secrets."""

    secret_objects: list[SecretObject] = []


class DataYaml(K8s):
    data: dict[str, str] = {}
    string_data: dict[str, str] = {}


#: Of the forms that are told by a misspelt key: what Kubernetes 1.27 to 1.37 has in each besides what is read.
_UNREAD: dict[type[K8s], tuple[str, ...]] = {
    ContainerSpec: (
        "imagePullPolicy", "resizePolicy", "restartPolicyRules", "securityContext", "stdin", "stdinOnce",
        "terminationMessagePath", "terminationMessagePolicy", "tty", "volumeDevices", "workingDir",
    ),
    ProbeSpec: ("terminationGracePeriodSeconds",),
    PodSpec: (
        "activeDeadlineSeconds", "affinity", "automountServiceAccountToken", "dnsConfig", "dnsPolicy",
        "enableServiceLinks", "ephemeralContainers", "evictionResponders", "hostAliases", "hostIPC", "hostNetwork",
        "hostPID", "hostUsers", "hostname", "hostnameOverride", "imagePullSecrets", "nodeName", "nodeSelector", "os",
        "overhead", "preemptionPolicy", "priority", "priorityClassName", "readinessGates", "resourceClaims",
        "resources", "restartPolicy", "runtimeClassName", "schedulerName", "schedulingGates", "schedulingGroup",
        "securityContext", "serviceAccount", "setHostnameAsFQDN", "shareProcessNamespace", "subdomain", "tolerations",
        "topologySpreadConstraints", "workloadRef",
    ),
    DeploymentSpec: ("paused", "revisionHistoryLimit"),
    Strategy: (), RollingUpdateSpec: (), HpaSpec: (), BehaviorYaml: (), ScalingRulesYaml: (), PdbSpec: (),
}  # fmt: skip


def unknown(data: Any, form: Any, path: Path_ = ()) -> Iterator[tuple[Path_, tuple[str, ...]]]:
    """The keys of ``data``, read as ``form``, that Kubernetes does not have there, each with those that it has."""
    form = bare_type(form)[0]
    if typing.get_origin(form) is list and isinstance(data, list):
        for number, each in enumerate(data):
            yield from unknown(each, typing.get_args(form)[0], (*path, number))
    elif isinstance(data, dict) and isinstance(form, type) and issubclass(form, K8s):
        fields = keys_of(form)
        for key, value in data.items():
            if key in fields:
                yield from unknown(value, fields[key].type, (*path, key))
            elif form in _UNREAD and key not in _UNREAD[form]:
                yield (*path, key), (*fields, *_UNREAD[form])
