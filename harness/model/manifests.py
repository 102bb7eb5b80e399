"""The manifests as every rung reads them: typed, never retyped. ``harness.stack.manifests`` loads them."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

import msgspec

from harness.model.autoscaling import Hpa
from harness.model.message import Message, message

# The words of voluntary disruption: a PodDisruptionBudget, its status, the answer to an eviction.

#: Of manifests without a budget, or with one that asks for no pod.
UNGUARDED = message("no PodDisruptionBudget of the manifests keeps a pod ready")


class UnhealthyPodEviction(StrEnum):
    """``unhealthyPodEvictionPolicy``: whether a running pod that is not ready may always be evicted."""

    IF_HEALTHY_BUDGET = "IfHealthyBudget"
    ALWAYS_ALLOW = "AlwaysAllow"


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """A PodDisruptionBudget: exactly one of the two, a number of pods or a percentage as text (``"25%"``)."""

    name: str
    min_available: int | str | None = None
    max_unavailable: int | str | None = None
    unhealthy: UnhealthyPodEviction = UnhealthyPodEviction.IF_HEALTHY_BUDGET


class BudgetStatus(msgspec.Struct, frozen=True, kw_only=True):
    """``status`` of a PodDisruptionBudget. ``disrupted`` holds evicted pods not yet seen terminating, and since when.

    ``observed`` is false while the controller has not seen the budget as it is.
    """

    current_healthy: int
    desired_healthy: int
    expected_pods: int
    disruptions_allowed: int
    disrupted: dict[str, int] = {}
    observed: bool = True


class Eviction(msgspec.Struct, frozen=True, kw_only=True):
    """The API server's answer: ``code`` 201, 429 (the budget forbids it), 403 or 500; ``message`` is Kubernetes' own.

    ``status`` is the budget's after an eviction that it paid for; ``None`` when it is as before.
    """

    code: int
    message: str = ""
    status: BudgetStatus | None = None

    @property
    def granted(self) -> bool:
        """Whether the pod is deleted."""
        return self.code == 201


class DrainEnd(msgspec.Struct, frozen=True, kw_only=True):
    """A drain that ended: the pods it evicted, how often the budget refused meanwhile, seconds until all were gone."""

    evicted: tuple[str, ...]
    refusals: int
    took_s: float


#: ``PROJECT:REGION:INSTANCE`` as Cloud SQL Proxy takes it; the project may lie in a domain, a query may follow.
INSTANCE_NAMED = re.compile(r"((?:[A-Za-z][\w.-]*:)?[A-Za-z][\w-]*:[A-Za-z][\w-]*:[A-Za-z][\w-]*)(\?\S*)?")
#: Container Registry, but for the images of Google's own that lie there.
OLD_REGISTRY = re.compile(r"\b(?:\w+\.)?gcr\.io/(?!cloud-sql-connectors/|cloudsql-docker/|distroless/)")


#: The label of whatever runs in the run's namespace and is no part of the target.
PART = "tekutoko-rehearsal.part"


_OF_SECRETS = ("data", "stringData")
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP probe. Defaults are Kubernetes' own (core/v1 Probe)."""

    path: str
    port: int
    initial_delay_s: float = 0
    period_s: float = 10
    timeout_s: float = 1
    success_threshold: int = 1
    failure_threshold: int = 3


class EnvVar(msgspec.Struct, frozen=True, kw_only=True):
    """A container's environment variable with its source resolved, except what only the rung knows.

    ``source`` is ``value``, ``configmap:<name>/<key>``, ``secret:<name>/<key>`` or ``field:<path>``; ``value`` is ""
    for a secret (its template holds no real value) and for a field.
    """

    name: str
    value: str
    source: str


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """A container of the pod; ``cpu_m`` millicores, memory in bytes; ``None`` where the manifest is silent."""

    name: str
    image: str
    args: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()
    port: int | None = None
    request_cpu_m: int | None = None
    request_memory_bytes: int | None = None
    limit_cpu_m: int | None = None
    limit_memory_bytes: int | None = None
    liveness: Probe | None = None
    readiness: Probe | None = None
    startup: Probe | None = None  # the others begin when it has passed
    pre_stop_s: float = 0  # ``lifecycle.preStop.sleep``: waited before SIGTERM, within the grace period
    native_sidecar: bool = False  # an init container with ``restartPolicy: Always``: ends after the others
    proxy: bool = False  # it leads to the database
    accepts_s: float = 0  # a proxy's: after SIGTERM it goes on as before for so long
    drain_s: float = 0  # a proxy's: it then waits so long at most for the end of its connections
    secrets: dict[str, str] = {}  # what its variables of Secrets are, for a rung that has no API server to ask


class PodTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """The Deployment's pod template. ``digest`` changes exactly when a rolling replacement is due.

    Native sidecars stand behind the ordinary containers.
    """

    digest: str
    containers: tuple[Container, ...]
    termination_grace_s: float = 30

    @property
    def proxy(self) -> Container | None:
        """The container that leads to the database; ``None`` without one."""
        return next((each for each in self.containers if each.proxy), None)

    @property
    def proxy_stops_at_once(self) -> bool:
        """Whether a pod that ends stops its proxy together with the target, or before it: the proxy is an ordinary
        container, and has ended, with all that it waits for, when the target's preStop has."""
        proxies = [each for each in self.containers if each.proxy and not each.native_sidecar]
        target_s = self.containers[0].pre_stop_s
        return any(each.pre_stop_s + each.accepts_s + each.drain_s <= target_s for each in proxies)


class RollingUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """``strategy.rollingUpdate``: an integer, or a percentage as text (``"25%"``, Kubernetes' default)."""

    max_surge: int | str = "25%"
    max_unavailable: int | str = "25%"


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """What the Deployment asks for."""

    name: str
    replicas: int
    template: PodTemplate
    strategy: RollingUpdate = RollingUpdate()
    min_ready_s: float = 0
    progress_deadline_s: float = 600

    @property
    def unasked_s(self) -> float:
        """The seconds that pass by the manifests alone before all pods count as available, where one after another is
        replaced: no probe of the target is due yet, or it has not been ready for long enough."""
        target = self.template.containers[0]
        probes = [each for each in (target.startup, target.readiness) if each is not None]
        return self.replicas * (self.min_ready_s + sum(each.initial_delay_s + each.period_s for each in probes))


class PatchNote(msgspec.Struct, frozen=True, kw_only=True):
    """A named patch that was applied: why, and the erratum of the document it mends ("" when none)."""

    name: str
    layer: str  # "base", "overlays/mine", "rung/kind", ...
    reason: str
    erratum: str = ""
    nothing_changed: bool = False  # its target selects nothing, which kustomize passes over
    forced: bool = False  # by the rung, and not by who wrote the manifests


class ManifestWarning(msgspec.Struct, frozen=True, kw_only=True):
    """A risk that a folder carries as it is; ``line`` is 0 where only the file is known."""

    told: Message
    file: str = ""
    line: int = 0


class RepositoryErratum(msgspec.Struct, frozen=True, kw_only=True):
    """An erratum of the document held against a folder: ``state`` is one of ``STATES``, ``told`` says what was read.

    ``file`` and ``line`` are of the folder; "" where nothing of it says so.
    """

    id: str
    state: str
    told: Message
    file: str = ""
    line: int = 0


STILL_THERE, FIXED_HERE, NOT_READABLE = "still_there", "fixed_here", "not_readable"
STATES = (STILL_THERE, FIXED_HERE, NOT_READABLE)


def keys_alone(secret: dict[str, Any]) -> dict[str, Any]:
    """Without its values; nor those that kubectl keeps in an annotation of what it has applied."""
    metadata = secret.get("metadata") or {}
    annotations = {name: value for name, value in (metadata.get("annotations") or {}).items() if name != _APPLIED}
    data = {part: dict.fromkeys(secret[part] or {}, "") for part in _OF_SECRETS if part in secret}
    return {**secret, **data, "metadata": {**metadata, "annotations": annotations}}


class Manifests(msgspec.Struct, frozen=True, kw_only=True):
    """A rendered folder: the raw documents by ``Kind/name``, and what the rungs read from them.

    ``service`` is the name of the Service that leads to the target.
    """

    folder: str
    documents: dict[str, dict[str, Any]]
    deployment: Deployment
    service: str
    service_port: int
    service_target_port: int
    config: dict[str, str]  # the ConfigMap's data
    secret_keys: tuple[str, ...]
    hpa: Hpa | None
    pdb: Budget | None
    patches: tuple[PatchNote, ...] = ()
    written: tuple[str, ...] = ()  # ``Kind/name`` of what the folder has, before a rung left out or stood in
    read_keys: tuple[str, ...] = ()  # of ConfigMaps and Secrets, that a container's variable names as it is written
    beside: tuple[str, ...] = ()  # images that run beside the target, which are to be at hand
    warnings: tuple[ManifestWarning, ...] = ()  # of the folder as it was written
    errata: tuple[RepositoryErratum, ...] = ()

    @property
    def without_values(self) -> Manifests:
        """As a run's folder keeps them, which is handed on: of Secrets the keys alone."""
        documents = {
            name: keys_alone(each) if each.get("kind") == "Secret" else each for name, each in self.documents.items()
        }
        containers = tuple(
            msgspec.structs.replace(each, secrets=dict.fromkeys(each.secrets, ""))
            for each in self.deployment.template.containers
        )
        template = msgspec.structs.replace(self.deployment.template, containers=containers)
        deployment = msgspec.structs.replace(self.deployment, template=template)
        return msgspec.structs.replace(self, documents=documents, deployment=deployment)

    @property
    def sidecar(self) -> str:
        """The name of the container that leads to the database; "" without one."""
        proxy = self.deployment.template.proxy
        return "" if proxy is None else proxy.name
