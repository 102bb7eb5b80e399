"""The fields of Kubernetes' objects that the rungs read, as types. Other fields pass unread and stay in ``documents``.

Field names and defaults: Kubernetes API reference, core/v1, apps/v1, autoscaling/v2, policy/v1.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

import msgspec

from harness.base.plantypes import bare_type, keys_of
from harness.base.yamltext import Path_

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


class Lifecycle(K8s):
    pre_stop: LifecycleHandler | None = None


class ContainerSpec(K8s):
    name: str
    image: str
    restart_policy: str = ""
    lifecycle: Lifecycle | None = None
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


class Selector(K8s):
    match_labels: dict[str, str] = {}
    match_expressions: list[dict[str, Any]] = []


class DeploymentSpec(K8s):
    selector: Selector
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


class MetricSpec(K8s):
    type: str
    resource: MetricSource | None = None
    container_resource: MetricSource | None = None
    pods: MetricSource | None = None
    object: MetricSource | None = None
    external: MetricSource | None = None


class ScalingPolicy(K8s):
    type: str
    value: int
    period_seconds: int


class ScalingRules(K8s):
    policies: list[ScalingPolicy] | None = None
    select_policy: str | None = None
    stabilization_window_seconds: int | None = None
    tolerance: str | int | float | None = None


class Behavior(K8s):
    scale_up: ScalingRules | None = None
    scale_down: ScalingRules | None = None


class HpaSpec(K8s):
    scale_target_ref: ScaleTarget
    max_replicas: int
    min_replicas: int = 1
    metrics: list[MetricSpec] = []
    behavior: Behavior | None = None
    #: Of autoscaling/v1, which the API server converts to a metric of the CPU.
    target_cpu: int | None = msgspec.field(default=None, name="targetCPUUtilizationPercentage")


class PdbSpec(K8s):
    selector: Selector | None = None
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


class Data(K8s):
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
    Strategy: (), RollingUpdateSpec: (), HpaSpec: (), Behavior: (), ScalingRules: (), PdbSpec: (),
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
