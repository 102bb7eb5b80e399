"""The ``Stack`` protocol: the running system under rehearsal, on any rung."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from harness.model.command import Ran
from harness.model.entry import IngressEntry
from harness.model.evidence import EventRow, SampleRow
from harness.model.flag import Template
from harness.model.manifests import DrainEnd, Eviction, Manifests
from harness.model.secrets import Credentials, SecretSeen, Synced, VolumeTrial
from harness.model.stack import Address, Capability, DatabaseAccess, Endpoints, EnvironmentKind, Fault, Version
from harness.stack.process.processes import Process

Undo = Callable[[], Awaitable[None]]
#: How a standby names itself to its primary (``application_name``).
STANDBY = "rehearsal_standby"


class Database(Protocol):
    """The stack's PostgreSQL as its operator sees it, and the instances that the pods' sidecars know by name."""

    def access(self) -> DatabaseAccess:
        """The instance that the stack was brought up with."""
        ...

    async def register(self, instance: str, address: Address) -> None:
        """Makes ``instance`` known: a pod started from now on whose sidecar names it in its last argument is led to
        ``address``. Names that nobody registered lead to the instance of ``access``, as the manifests' placeholder.
        Raises ``NotCapable`` when pods cannot reach it.
        """
        ...

    async def lose(self) -> None:
        """The disaster: the server killed and its data folder gone. There is no undo."""
        ...

    def standby(self) -> DatabaseAccess | None:
        """The standby that follows the instance of ``access``, where one does."""
        ...

    async def start_standby(self) -> DatabaseAccess:
        """Makes one by ``pg_basebackup -R``; returns when it answers reads. Its ``application_name`` is ``STANDBY``.

        Raises ``BadInput`` when one is there already, ``StackNotStarted`` when it does not come up.
        """
        ...

    async def end_standby(self) -> None:
        """Stops it, its data gone; nothing without one."""
        ...

    async def kill(self) -> int:
        """SIGKILL of the server of ``access``, as when its zone is lost; nobody starts it again.

        When it was dead at the latest, in ns of the run's clock.
        """
        ...

    async def take_over(self) -> None:
        """The standby becomes the instance of ``access``, and the sidecars of all pods are led to it without a restart,
        as Cloud SQL keeps an instance's address. Promoting it is the caller's. Raises ``BadInput`` without a standby.
        """
        ...


class Stack(Protocol):
    """Brought up once, driven, brought down once. Every method is safe to cancel; ``down`` is safe at any moment.

    Raises ``StackNotStarted`` from ``up`` and ``PartDied`` from ``watch`` when a part ends unplanned.
    """

    rung: EnvironmentKind
    capabilities: frozenset[Capability]
    cpu_factor: float  # of CPU requests and limits, so that the pods fit the machine; 1 where they are the manifests'

    async def up(self) -> None:
        """Starts every part and returns when the Deployment's replicas are ready and the service answers."""
        ...

    async def apply(self, manifests: Manifests) -> None:
        """Makes the running target follow ``manifests`` (a rolling replacement when the pod template changed)."""
        ...

    async def scale(self, replicas: int) -> None:
        """Sets the Deployment's replicas; returns when as many are ready and no more run."""
        ...

    async def inject(self, fault: Fault) -> Undo:
        """Starts ``fault``; the returned undo ends it and may be called twice."""
        ...

    def endpoints(self) -> Endpoints:
        """Where the parts answer. Valid after ``up``."""
        ...

    def watch(self) -> AsyncIterator[EventRow | SampleRow]:
        """Events and samples as they happen, until ``down``.

        What a stack tells of ``down`` itself is no evidence, and nobody reads it. It says nothing of the target: a tear
        down is quicker than any manifest asks (``local`` gives pods 2.5 s of their grace, a cluster's namespace goes
        whole), so that a pod killed there, or a mirror write that it logs as lost, is the harness' own doing. The load
        has ended by then, the stores were compared after the mirror had had its time, the pods' logs were read for what
        they had lost, and every decision stands; a row behind that could only make a judgement of the stored run
        another than the one that was acted on.
        """
        ...

    async def set_flag(self, template: Template) -> int:
        """Publishes a Remote Config template; returns its version."""
        ...

    async def restart(self) -> None:
        """Replaces all pods by the strategy, as ``kubectl rollout restart``; returns when the new ones are ready and
        the old ones gone. Raises ``StackNotStarted`` when they do not become ready.
        """
        ...

    async def build(self, *versions: Version) -> tuple[str, ...]:
        """Makes the images of ``versions`` and brings them where pods start; their names.

        Raises ``NotCapable`` when the target cannot be wrapped, ``StackNotStarted`` when an image cannot be made.
        """
        ...

    async def set_image(self, image: str) -> Ran:
        """As ``kubectl set image`` of the target's container: returns once that is said, before any pod follows.

        Raises ``BadInput`` for an image that ``build`` has not named. ``apply`` sets the manifests' own again.
        """
        ...

    async def rollout_status(self, *, limit_s: float) -> Ran:
        """As ``kubectl rollout status --timeout``: status 0 when the newest template is out, else 1."""
        ...

    async def rollout_undo(self) -> Ran:
        """As ``kubectl rollout undo``: returns once that is said. Status 1 when there is no revision before."""
        ...

    async def evict(self, pod: str) -> Eviction:
        """Asks for the eviction of ``pod``, as the API's eviction subresource; returns with the answer.

        Granted, its termination has begun. Raises ``BadInput`` when there is no such pod, ``NotCapable`` on a rung
        without ``Capability.EVICTION``.
        """
        ...

    async def drain(self, node: str = "", *, limit_s: float = 300.0) -> DrainEnd:
        """Evicts all pods of ``node`` under the PodDisruptionBudget, as ``kubectl drain``; returns when they are gone.

        "" is every pod of a rung that has one node. Raises ``BadInput`` for an unknown node, ``StackNotStarted`` when
        it does not end within ``limit_s``, ``NotCapable`` on a rung without ``Capability.EVICTION``.
        """
        ...

    def database(self) -> Database:
        """The stack's PostgreSQL, for the rehearsal of a disaster. Valid after ``up``."""
        ...

    async def down(self) -> None:
        """Stops every part and removes the run's state. Idempotent."""
        ...

    def leaks(self) -> list[str]:
        """What is left of the run after ``down``: processes, ports, shared memory, folders; [] when nothing is."""
        ...


@runtime_checkable
class ByKubectl(Protocol):
    """What a stack with ``Capability.REAL_KUBERNETES`` has besides: kubectl itself, for what a person would type."""

    async def kubectl(self, *arguments: str, limit_s: float = 60.0, folder: Path | None = None) -> Ran:
        """Runs kubectl in the run's namespace, with a copy of ``folder`` at hand under its own name.

        What kubectl says and its status are the answer, a failure too; a command that goes on is ended after
        ``limit_s`` with status -1.
        """
        ...


@runtime_checkable
class WithOutside(ByKubectl, Protocol):
    """What it has where the parts that stand outside the cluster are the run's own, too."""

    def outside(self) -> dict[str, str]:
        """Where pods reach what stands outside the cluster, ``host:port`` by part. Valid after ``up``."""
        ...


class LoadPod(msgspec.Struct, frozen=True):
    """A pod that waits for a load process, and the kubeconfig by which it is reached."""

    kubeconfig: str
    context: str
    namespace: str
    name: str
    port: int


@runtime_checkable
class WithLoadPods(Protocol):
    """What a stack has besides whose cluster can make the load on its own Service."""

    async def start_load(self, workers: int) -> tuple[LoadPod, ...]:
        """Makes an Indexed Job of so many pods in the run's namespace; they, by index, once they run. They stay until
        their work is done, or ``down``. Raises ``StackNotStarted``."""
        ...


class SecretsPlan(msgspec.Struct, frozen=True, kw_only=True):
    """That a stack takes its database credentials from a secret store, whose driver looks for new versions every
    ``poll_s``. ``first`` makes the database's first role with the password given, before any pod is there."""

    poll_s: float
    first: Callable[[DatabaseAccess, str], Awaitable[Credentials]]


@dataclass(frozen=True, kw_only=True)
class StackNeeds:
    """What is asked of a stack besides its rung: that it has these ``manifests``. ``peak_pods`` are to fit a cluster's
    CPU at once; ``fault_proxy``: faults are put between the service and its pods; ``use_kept``: a cluster that was
    kept running may be used; ``every_program``: a PostgreSQL with its programs for backups and standbys;
    ``secrets``: of rungs that are ``WithSecretStore``. A rung leaves what is not for it.
    """

    manifests: Manifests
    peak_pods: int | None = None
    fault_proxy: bool = False
    use_kept: bool = True
    every_program: bool = False
    secrets: SecretsPlan | None = None


class SecretStore(Protocol):
    """The secret that the pods' database credentials are versions of, and what becomes of a version."""

    def new_password(self) -> str:
        """Another secret."""
        ...

    async def publish(self, credentials: Credentials) -> str:
        """Adds a version; its name. Raises ``StackNotStarted``."""
        ...

    async def synced(self) -> Synced | None:
        """The Kubernetes Secret as it is now; ``None`` when there is none."""
        ...

    async def versions(self) -> dict[str, str]:
        """By pod: the version of the secret in its mounted files, as the driver tells it."""
        ...

    async def seen(self, pods: Sequence[str]) -> tuple[SecretSeen, ...]:
        """What the target's container of each pod has; "" where it cannot be asked."""
        ...

    async def trial(self, name: str, manifests: Manifests, watch_s: float) -> VolumeTrial:
        """One pod of ``manifests`` apart from the target, watched for ``watch_s``, then removed."""
        ...


@runtime_checkable
class WithSecretStore(Protocol):
    """What a stack brought up with a ``SecretsPlan`` has besides."""

    def secret_store(self) -> SecretStore:
        """Valid after ``up``."""
        ...

    def first_credentials(self) -> Credentials:
        """What ``SecretsPlan.first`` made: the first version of the secret. Valid after ``up``."""
        ...


@runtime_checkable
class WithIngress(Protocol):
    """What a stack has besides that can bring up a real Ingress controller beside the target."""

    async def start_ingress(self, ingress_class: str, pod_labels: Mapping[str, str]) -> IngressEntry:
        """Makes the controller for Ingresses of ``ingress_class``, or changes its class and its pod's labels; returns
        once it is ready, with where it answers. It stays until ``down``. Raises ``StackNotStarted``.
        """
        ...

    async def put_certificate(self, name: str, chain: bytes, key: bytes) -> None:
        """The Secret ``name`` that an Ingress names: a certificate chain and its key, both PEM."""
        ...


@runtime_checkable
class WithExternalMetrics(Protocol):
    """What a stack with ``Capability.EXTERNAL_METRICS`` has besides."""

    async def start_external_metrics(self) -> None:
        """Brings up what scrapes the target's pods and serves the rules of ``deploy/monitoring`` to the autoscaler.
        It stays until ``stop_external_metrics`` or ``down``. Raises ``StackNotStarted``."""
        ...

    async def stop_external_metrics(self) -> None:
        """Takes it away. An autoscaler that still asks for its metrics takes no pod away any more."""
        ...


class ProcessBeside(Protocol):
    """The target's program once more, as no pod: nothing probes, restarts or routes to it."""

    process: Process
    address: Address

    def last_lines(self) -> str:
        """The end of its log, for people."""
        ...

    async def stop(self) -> None:
        """Kills it if it still runs; idempotent."""
        ...


@runtime_checkable
class WithBeside(Protocol):
    """What a stack has besides whose pods are processes of this machine."""

    def start_beside(self, name: str, database_port: int) -> ProcessBeside:
        """Runs the target's program once more, with its database on that port of loopback. The caller stops it."""
        ...
