"""Rehearsal of the pods' network: who may reach whom as data, and what a run saw of it.

HTTPS through an Ingress: what is asked, in which scene, what came of it, and how a run kept it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from harness.base.planfile import once
from harness.base.units import PerSecond, Ratio, Seconds
from harness.model.message import Message, message
from harness.model.scenario import Arrivals, Step

#: ``FrontOutcome`` in words.
WORDS = {
    "answered": message("answered"),
    "closed": message("closed"),
    "silent": message("silent"),
    "refused": message("refused"),
    "timed_out": message("timed out"),
    "unreachable": message("unreachable"),
    "untrusted": message("untrusted"),
}


#: That few users can offer.
LowRate = Annotated[PerSecond, msgspec.Meta(gt=0, le=50, description="above 0, at most 50/s")]


class Scene(StrEnum):
    """How things stand when somebody asks; each follows the one before, all under the NetworkPolicies."""

    KEPT_OUT = "kept_out"  # the controller's pod has not the label that the policy lets in
    OPEN = "open"  # it has; plain HTTP is not forbidden yet, and the Service has its own way in still
    AS_WRITTEN = "as_written"  # the component as it is


class IngressHost(StrEnum):
    """Which name is asked for."""

    ITS = "its"  # the Ingress' own
    OTHER = "other"  # another, in the TLS handshake and in the header
    OTHER_HEADER = "other_header"  # its own in the handshake, another in the header


class FrontOutcome(StrEnum):
    """What came of asking, of a pod by plain HTTP or by HTTPS from outside. ``closed``: the other side ended a
    connection without a word; ``untrusted``: its certificate was refused."""

    ANSWERED = "answered"
    UNTRUSTED = "untrusted"
    CLOSED = "closed"
    SILENT = "silent"  # a connection was made, nothing came back
    REFUSED = "refused"
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"

    @property
    def works(self) -> bool:
        """Words went there and came back."""
        return self in (FrontOutcome.ANSWERED, FrontOutcome.CLOSED)

    @property
    def kept_out(self) -> bool:
        """Not even a connection was made."""
        return self in (FrontOutcome.REFUSED, FrontOutcome.TIMED_OUT, FrontOutcome.UNREACHABLE)

    @property
    def word(self) -> Message:
        """For people."""
        return WORDS[self.value]


class IngressAsk(msgspec.Struct, frozen=True, kw_only=True):
    """One request, and what is wanted: an answer of a pod with ``status``, or (0) none of any pod's. ``ask`` is its
    method and path, as in ``GET /v1/walks``."""

    ask: str
    host: IngressHost
    token: bool
    status: int
    why: str

    def __post_init__(self) -> None:
        """Raises ``ValueError`` where ``ask`` is no method and path."""
        if len(self.ask.split()) != 2:
            raise ValueError(f"{self.ask!r} is no method and path")

    @property
    def method(self) -> str:
        """GET, POST and so on."""
        return self.ask.split()[0]

    @property
    def path(self) -> str:
        """With the slash that it begins with."""
        return self.ask.split()[1]

    @property
    def name(self) -> str:
        """As reports name it."""
        named = {
            IngressHost.ITS: "",
            IngressHost.OTHER: ", another host",
            IngressHost.OTHER_HEADER: ", another host's header",
        }[self.host]
        return f"{self.method} {self.path}{named}{'' if self.token else ', no token'}"


class IngressPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds: ``follows_within_s`` bounds the wait until the controller acts on a change.

    ``renewal_s`` is how long new connections come at ``rate_per_s`` while the certificate is renewed, or pods are
    replaced.
    """

    asks: tuple[IngressAsk, ...]
    follows_within_s: Seconds
    renewal_s: Seconds
    rate_per_s: LowRate

    def __post_init__(self) -> None:
        """Raises ``ValueError`` where nothing could fail: it wants asks that a pod answers and asks that none may,
        each once."""
        once(ask.name for ask in self.asks)
        if {bool(ask.status) for ask in self.asks} != {True, False}:
            raise ValueError("an Ingress is asked for what a pod answers, and for what none may")


class IngressAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one request. ``reached``: a pod answered, the controller says; ``at_ns`` when it was due.

    ``serial`` of the certificate that was verified, as hex digits in upper case.
    """

    ask: str
    scene: Scene
    met: FrontOutcome
    status: int = 0
    reached: bool = False
    serial: str = ""
    at_ns: int = 0

    @property
    def told(self) -> Message:
        """In a few words."""
        if self.met is not FrontOutcome.ANSWERED:
            return self.met.word
        status = str(self.status)
        if self.reached:
            return message("{status} of a pod", status=status)
        return message("{status} of the controller", status=status)


class Lists(msgspec.Struct, frozen=True, kw_only=True):
    """The same user's list of walks asked both ways: digests of the documents, and how many walks are in it."""

    service: str
    ingress: str
    walks: int


class IngressCourse(msgspec.Struct, frozen=True, kw_only=True):
    """Requests on new connections while something changed at ``changed_ns``; ``done_ns`` when that was complete."""

    changed_ns: int
    done_ns: int | None
    answers: tuple[IngressAnswer, ...]


class IngressEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that was seen of the Ingress. By scene: the answers, and what plain HTTP met inside the cluster.

    ``service_https`` is what HTTPS met at the Service before there was an Ingress, ``service_http`` the status of the
    same request with its token in the clear. ``wanted`` are the component's Ingresses by name, ``before`` and ``after``
    those in the namespace; ``service_type`` is the Service's under the component. ``without_ca`` is what a client met
    that trusts the machine's authorities. ``issued`` and ``renewed`` are serials. ``paths_hold``: every path
    of the plan between pods is as wanted still.
    """

    wanted: tuple[str, ...]
    service_https: FrontOutcome | None = None
    service_http: int = 0
    before: tuple[str, ...] | None = None
    after: tuple[str, ...] | None = None
    service_type: str = ""
    answers: tuple[IngressAnswer, ...] = ()
    without_ca: FrontOutcome | None = None
    plain: dict[Scene, FrontOutcome] = {}
    lists: Lists | None = None
    issued: str = ""
    renewed: str = ""
    renewal: IngressCourse | None = None
    update: IngressCourse | None = None
    paths_hold: bool | None = None

    def of(self, scene: Scene) -> tuple[IngressAnswer, ...]:
        """The answers in ``scene``."""
        return tuple(each for each in self.answers if each.scene is scene)


ACCOUNTS = 20  # a user's share of 10/s is 30 a minute, below the rate limit


class NetworkClient(StrEnum):
    """Who asks, each a real pod."""

    EDGE = "edge"  # in the target's namespace, with the label that the policy lets in
    STRANGER = "stranger"  # in the same namespace, without the label
    FOREIGN = "foreign"  # in another namespace, with the label: a podSelector alone means the policy's own namespace
    TARGET = "target"  # each of the target's pods


class NetworkPlace(StrEnum):
    """Where is asked. ``pod``, ``pod_unlisted`` and ``other_pod`` are each of the target's pods."""

    POD = "pod"  # its port of the API
    POD_UNLISTED = "pod_unlisted"  # another port of it, where a listener waits
    OTHER_POD = "other_pod"  # asked by the target's pods: the others' port of the API
    SERVICE = "service"  # the Service's cluster IP
    POSTGRES = "postgres"
    AUTH = "auth"
    FIRESTORE = "firestore"
    STORAGE = "storage"
    REMOTE_CONFIG = "remote_config"  # the phones' affair: no pod needs it
    DNS_UDP = "dns_udp"
    DNS_TCP = "dns_tcp"
    DNS_METRICS = "dns_metrics"  # a listed address, an unlisted port
    API_SERVER = "api_server"
    STRANGER = "stranger"
    FOREIGN = "foreign"


class NetworkPath(msgspec.Struct, frozen=True, kw_only=True, rename={"client": "from", "place": "to"}):
    """From a client to a place, and whether the policy lets it; ``why`` says for whom."""

    client: NetworkClient
    place: NetworkPlace
    allowed: bool
    why: str

    @property
    def name(self) -> str:
        """As reports name it."""
        return f"{self.client} → {self.place}"


class NetworkPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The plan. Times in seconds; ``enforced_within_s`` bounds the wait for a policy to act, ``hold_s`` is how long
    users load the service under it before the pods are replaced. ``with_ingress``: a controller is brought, and asked
    through by HTTPS."""

    name: str
    title: str
    paths: tuple[NetworkPath, ...]
    enforced_within_s: Seconds
    hold_s: Seconds
    rate_per_s: LowRate
    most_failed: Ratio  # of the users' requests under the policy, 0..1
    ingress: IngressPlan
    with_ingress: bool = False

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for a plan that could not fail: it has both kinds of paths, each once, and only places
        that a client can ask."""
        once(path.name for path in self.paths)
        if {path.allowed for path in self.paths} != {True, False}:
            raise ValueError("a plan has allowed paths and refused ones")
        for path in self.paths:
            if path.place is NetworkPlace.OTHER_POD and path.client is not NetworkClient.TARGET:
                raise ValueError(f"{path.name}: only the target's pods have others of their kind")
            if path.place.value == path.client.value:
                raise ValueError(f"{path.name}: a pod that asks itself asks no network")


def step_of(plan: NetworkPlan) -> Step:
    """The users' load while the policies come into force."""
    return Step(
        name="policies", arrivals=Arrivals.EVEN, seconds=plan.hold_s, users=ACCOUNTS, rate_per_s=plan.rate_per_s
    )


class PathAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One client asked one address. ``pod`` is the pod that asked, ``address`` host:port."""

    client: NetworkClient
    place: NetworkPlace
    pod: str
    address: str
    outcome: FrontOutcome


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """Every path asked once, from ``start_ns`` on; ``after_s`` is the time since the policies were applied."""

    name: str
    attempts: tuple[PathAttempt, ...]
    start_ns: int = 0
    after_s: float = 0.0


class NetworkDetails(msgspec.Struct, kw_only=True):
    """What a run saw. Times are monotonic ns, ``None`` for what was not come to.

    ``rounds`` and ``listed`` (the namespace's NetworkPolicies) are by the rounds' names; ``policies`` are those that
    were applied, ``replicas`` the pods wanted. ``loaded_ns`` is when users loaded the service, from and until;
    ``trouble`` why new pods did not become ready, in the stack's words; ``node_port`` what a pod without the label got
    at a node. ``fronted_ns`` is when the Ingress was begun with; ``brings_ingress``: the environment can.
    """

    policies: tuple[str, ...] = ()
    replicas: int = 0
    brings_ingress: bool | None = None
    rounds: dict[str, Round] = {}
    listed: dict[str, tuple[str, ...]] = {}
    applied_ns: int | None = None
    replaced_ns: int | None = None
    fronted_ns: int | None = None
    loaded_ns: tuple[int, int] = (0, 0)
    trouble: str = ""
    node_port: FrontOutcome | None = None
    ingress: IngressEvidence | None = None
