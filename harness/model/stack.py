"""What a stack is asked for and what it answers, on any rung."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum
from fractions import Fraction
from typing import Any

import msgspec

from harness.base.errors import PartDied
from harness.base.units import Milliseconds, Ratio
from harness.model.message import Message, gettext_noop, message


class EnvironmentKind(StrEnum):
    """How real the stack is; ``sim`` is not: memory and virtual time."""

    SIM = "sim"
    LOCAL = "local"
    KIND = "kind"
    KUBE = "kube"
    REAL = "real"  # nothing is brought up: a team's own telemetry is read


CLUSTERS = (
    EnvironmentKind.KIND,
    EnvironmentKind.KUBE,
)  # where manifests are applied to a cluster; elsewhere processes are made after them
AUTO = "auto"
RUNGS = (
    AUTO,
    *(each.value for each in EnvironmentKind if each not in (EnvironmentKind.SIM, EnvironmentKind.REAL)),
)  # what --on takes where there is a stack


class Capability(StrEnum):
    """What a rung can do. A criterion that needs a capability the rung lacks is ``not exercised``."""

    REAL_PROCESSES = "real_processes"
    REAL_POSTGRESQL = "real_postgresql"
    REAL_KUBERNETES = "real_kubernetes"
    CPU_LIMITS = "cpu_limits"  # CPU and memory limits enforced, unscaled
    AUTOSCALING = "autoscaling"
    EVICTION = "eviction"
    ZONES = "zones"
    POD_SIGNALS = "pod_signals"  # a pod's processes can be killed or stopped, as a crash or a hang
    NODES = "nodes"  # the nodes are the run's: to drain by name, to install a driver on, to reach from beside
    #: A pod is out of the Service before its containers are signalled; on a real cluster the two race.
    ENDPOINTS_BEFORE_SIGNALS = "endpoints_before_signals"
    DATABASE_INSTANCES = "database_instances"  # pods can be led to another PostgreSQL (``Database.register``)
    VERSIONS = "versions"  # next versions of the target can be built and brought where pods start (``Stack.build``)
    DOCUMENT_TEMPO = "document_tempo"  # controllers' periods as Kubernetes has them (tempo 1)
    EXTERNAL_METRICS = "external_metrics"  # an adapter can serve them to the autoscaler (``WithExternalMetrics``)


def lacks(needs: Iterable[Capability], capabilities: Collection[str]) -> tuple[str, ...]:
    """What of ``needs`` an environment with these ``capabilities`` has not, in order."""
    return tuple(sorted({*needs} - {*capabilities}))


class FaultKind(StrEnum):
    """Faults in front of the pods, on them, on their database sidecars, and on what they depend on.

    ``unavailable`` in full refuses connections, as kube-proxy does for a Service without endpoints, and kept ones end;
    a share of it resets the connections of that share of requests.
    """

    ERRORS = "errors"
    LATENCY = "latency"
    UNAVAILABLE = "unavailable"
    POD_CRASH = "pod_crash"  # the target's process killed; the kubelet restarts it
    POD_CRASH_LOOP = "pod_crash_loop"  # killed again each time it is ready
    POD_KILL = "pod_kill"  # deleted with grace 0
    POD_DELETE = "pod_delete"  # deleted with its grace period
    POD_HANG = "pod_hang"  # the target stopped: accepts, never answers
    POD_CPU = "pod_cpu"  # a busy loop a core in the target's control group; of the pod ``subject``, or the first
    POD_MEMORY = "pod_memory"  # ``share`` of the target's memory limit held beside it, likewise
    ZONE_LOSS = "zone_loss"  # every pod of zone ``subject``
    SIDECAR_KILL = "sidecar_kill"
    SIDECAR_HANG = "sidecar_hang"
    SIDECAR_DELAY = "sidecar_delay"  # of one pod, ``delay_ms`` each way
    DATABASE_RESTART = "database_restart"
    DATABASE_FAILOVER = "database_failover"  # the primary killed, the standby that follows it promoted, pods led to it
    DATABASE_SLOW = "database_slow"  # every sidecar delays by ``delay_ms`` each way
    DATABASE_LOCKED = "database_locked"  # the application's tables are locked for ``delay_ms``, again and again
    DATABASE_CUT = "database_cut"  # every sidecar cuts its connections and refuses others
    PART_HANG = "part_hang"  # ``subject`` of ``PARTS``: accepts, never answers
    PART_SLOW = "part_slow"  # ``subject``: stopped and continued in turn


#: In words.
FAULT = {
    FaultKind.ERRORS: gettext_noop("errors"),
    FaultKind.LATENCY: gettext_noop("latency"),
    FaultKind.UNAVAILABLE: gettext_noop("unavailable"),
    FaultKind.POD_CRASH: gettext_noop("a pod crashed"),
    FaultKind.POD_CRASH_LOOP: gettext_noop("pod crash loop"),
    FaultKind.POD_KILL: gettext_noop("pod kill"),
    FaultKind.POD_DELETE: gettext_noop("pod delete"),
    FaultKind.POD_HANG: gettext_noop("pod hang"),
    FaultKind.POD_CPU: gettext_noop("pod cpu"),
    FaultKind.POD_MEMORY: gettext_noop("pod memory"),
    FaultKind.ZONE_LOSS: gettext_noop("zone loss"),
    FaultKind.SIDECAR_KILL: gettext_noop("sidecar kill"),
    FaultKind.SIDECAR_HANG: gettext_noop("sidecar hang"),
    FaultKind.SIDECAR_DELAY: gettext_noop("sidecar delay"),
    FaultKind.DATABASE_RESTART: gettext_noop("database restart"),
    FaultKind.DATABASE_FAILOVER: gettext_noop("database failover"),
    FaultKind.DATABASE_SLOW: gettext_noop("database slow"),
    FaultKind.DATABASE_LOCKED: gettext_noop("database locked"),
    FaultKind.DATABASE_CUT: gettext_noop("database cut"),
    FaultKind.PART_HANG: gettext_noop("part hang"),
    FaultKind.PART_SLOW: gettext_noop("part slow"),
}
#: Faults in front of the pods: they need the fault proxy.
PROXY_FAULTS = frozenset({FaultKind.ERRORS, FaultKind.LATENCY, FaultKind.UNAVAILABLE})
#: Faults that take a delay.
DELAYS = frozenset({FaultKind.LATENCY, FaultKind.SIDECAR_DELAY, FaultKind.DATABASE_SLOW, FaultKind.DATABASE_LOCKED})
#: The parts that ``part_hang`` and ``part_slow`` know.
PARTS = ("auth", "firestore", "remote_config", "storage")
#: The environment variable of the load's pods that says where the run's own Service and parts answer, by name.
LOAD_TO = "TEKUTOKO_REHEARSAL_LOAD_TO"


#: The smallest share of requests that a fault hits.
FINEST_SHARE = 1e-6


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A deterministic fault.

    ``share`` is the ratio of requests hit (12 % is 3 of each 25, users' and probes' alike);
    ``delay_ms`` belongs to ``DELAYS``, ``subject`` to the kinds that say so. ``after_s`` counts from the start of the
    measuring window; ``for_s`` is how long it lasts, 0: until the window ends.
    """

    kind: FaultKind
    share: float = 1.0
    delay_ms: float = 0.0
    after_s: float = 0.0
    for_s: float = 0.0
    subject: str = ""

    @property
    def ratio(self) -> Fraction:
        """The share as people wrote it: 12 % is 0.12 is 3/25, not the double's 3602879701896397/30023997515803309."""
        return Fraction(self.share).limit_denominator(round(1 / FINEST_SHARE))

    @property
    def refuses(self) -> bool:
        """Whether every new connection is refused while it lasts."""
        return self.kind is FaultKind.UNAVAILABLE and self.share >= 1

    @property
    def told(self) -> Message:
        """As a person reads it, without the time."""
        about = [self.subject] if self.subject else []
        about += [f"{self.delay_ms:g} ms"] if self.kind in DELAYS else []
        what = Message(text=FAULT[self.kind])
        if about:
            what = message("{fault} {about}", fault=what, about=" ".join(about))
        if self.kind in PROXY_FAULTS:
            return message("{fault} on {share} % of requests", fault=what, share=f"{self.share * 100:g}")
        return what

    def __str__(self) -> str:
        """The same in English."""
        return str(self.told)


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A TCP address; ``host`` is a loopback address, but for pods that make load."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


PROJECT_ID = "demo-tekutoko"  # "demo-" never reaches a real Firebase service
DATABASE_NAME = DATABASE_USER = "tekutoko"
COLLECTION = "walks"  # of Firestore (docs/contract/firestore.md)


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    """Where the stack's parts answer, as seen from the harness."""

    service: Address
    auth: Address
    firestore: Address
    remote_config: Address
    database: Address
    storage: Address | None = None
    project_id: str = PROJECT_ID
    database_name: str = DATABASE_NAME
    database_user: str = DATABASE_USER
    database_password: str = ""

    @property
    def storage_bucket(self) -> str:
        """The project's default bucket, as Firebase names it."""
        return f"{self.project_id}.appspot.com"

    @property
    def login(self) -> dict[str, Any]:
        """What asyncpg's ``connect`` takes, as the application's own user."""
        return {
            "host": self.database.host,
            "port": self.database.port,
            "user": self.database_user,
            "password": self.database_password,
            "database": self.database_name,
        }

    def database_failed(self, error: Exception) -> PartDied:
        """The error of a PostgreSQL that did not do what it was asked, ``error`` being what its client raised."""
        failed = message("PostgreSQL failed: {error}", error=repr(error))
        return PartDied(failed, where=str(self.database), remedy="read postgres.log")


class DatabaseAccess(msgspec.Struct, frozen=True, kw_only=True):
    """A PostgreSQL instance with its superuser; ``database`` is the application's.

    ``server`` is its version and whose build it is, for people; "" where the rung's image says it.
    """

    address: Address
    superuser: str
    password: str
    database: str
    server: str = ""

    @property
    def login(self) -> dict[str, Any]:
        """What asyncpg's ``connect`` takes, as the superuser."""
        return {
            "host": self.address.host,
            "port": self.address.port,
            "user": self.superuser,
            "password": self.password,
            "database": self.database,
            "ssl": False,
        }


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The API under test: a command that keeps the environment contract (docs/contract/environment.md).

    ``command`` runs in ``folder`` with ``environment`` added. ``migrations`` is a command run once before the pods,
    empty when the target migrates by itself or needs none; it runs in ``migrations_folder``, or in ``folder``.
    ``bundled`` is true for the reference walk API alone. ``image`` is a container image in place of a command; then
    ``command`` replaces the image's own unless it is empty. ``dockerfile`` is built in ``context`` for such an image.
    ``program`` are the files and folders that make up the program, empty where the command or image says it.

    The rest is what a target file says of its manifests and contract (``harness.stack.target``): ``variables`` are
    names by ``Meaning`` beside the contract's own, ``secrets`` values by name and key of those that are made elsewhere
    ("" is to be generated), ``keep`` what else of the manifests is to run, ``keeps`` how many decimals its answers have
    of a track's "degrees", "times_s" and other "numbers", ``file`` the target file itself.
    """

    name: str
    command: tuple[str, ...]
    image: str = ""
    folder: str = "."
    environment: dict[str, str] = {}
    migrations: tuple[str, ...] = ()
    migrations_folder: str = ""
    bundled: bool = False
    dockerfile: str = ""
    context: str = ""
    program: tuple[str, ...] = ()
    file: str = ""
    manifests: str = ""
    deployment: str = ""  # "NAME" or "NAME/CONTAINER"
    variables: dict[str, tuple[str, ...]] = {}
    url_form: str = ""
    metrics_path: str = "/metrics"
    secrets: dict[str, dict[str, str]] = {}
    keep: tuple[str, ...] = ()
    openapi: str = ""
    keeps: dict[str, int] = {}

    @property
    def own_image(self) -> bool:
        """Whether pods run an image of the target's own, so that its other commands are in it too."""
        return bool(self.image or self.dockerfile)


class OwnCluster(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's own cluster, for the rung ``kube``.

    ``kubeconfig`` is one file or several joined as in ``KUBECONFIG``; ``server`` is the API server's address, for
    people. ``registry`` stands before the names of our images, "" where the nodes have them already.
    """

    context: str
    kubeconfig: str
    server: str
    registry: str = ""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A next version of the target: the same program, and what its image puts in front of it.

    ``error_share`` (0..1) of the requests to ``/v1`` is answered 500, each waits ``delay_ms`` first; with
    ``never_ready`` every other path is answered 500, the probes' among them.
    """

    name: str
    never_ready: bool = False
    error_share: Ratio = 0.0
    delay_ms: Milliseconds = 0.0

    @property
    def wrapped(self) -> bool:
        """Whether anything stands in front of the target."""
        return self.never_ready or self.error_share > 0 or self.delay_ms > 0


class PodState(StrEnum):
    """A pod's phase as the timeline shows it."""

    PENDING = "Pending"
    RUNNING = "Running"
    READY = "Ready"
    TERMINATING = "Terminating"
    BACK_OFF = "CrashLoopBackOff"
    GONE = "Gone"


#: A pod that was never told to be in another has not run, as far as anybody knows, and need not have a log.
NEVER_RAN = frozenset({PodState.PENDING, PodState.TERMINATING, PodState.GONE})
