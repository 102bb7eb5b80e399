"""HTTPS through an Ingress: what is asked, in which scene, what came of it, and how a run kept it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from harness.base.planfile import once
from harness.base.units import PerSecond, Seconds
from harness.model.message import Message, message

#: ``Outcome`` in words.
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


class Host(StrEnum):
    """Which name is asked for."""

    ITS = "its"  # the Ingress' own
    OTHER = "other"  # another, in the TLS handshake and in the header
    OTHER_HEADER = "other_header"  # its own in the handshake, another in the header


class Outcome(StrEnum):
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
        return self in (Outcome.ANSWERED, Outcome.CLOSED)

    @property
    def kept_out(self) -> bool:
        """Not even a connection was made."""
        return self in (Outcome.REFUSED, Outcome.TIMED_OUT, Outcome.UNREACHABLE)

    @property
    def word(self) -> Message:
        """For people."""
        return WORDS[self.value]


class IngressAsk(msgspec.Struct, frozen=True, kw_only=True):
    """One request, and what is wanted: an answer of a pod with ``status``, or (0) none of any pod's. ``ask`` is its
    method and path, as in ``GET /v1/walks``."""

    ask: str
    host: Host
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
        named = {Host.ITS: "", Host.OTHER: ", another host", Host.OTHER_HEADER: ", another host's header"}[self.host]
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
    met: Outcome
    status: int = 0
    reached: bool = False
    serial: str = ""
    at_ns: int = 0

    @property
    def told(self) -> Message:
        """In a few words."""
        if self.met is not Outcome.ANSWERED:
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


class Course(msgspec.Struct, frozen=True, kw_only=True):
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
    service_https: Outcome | None = None
    service_http: int = 0
    before: tuple[str, ...] | None = None
    after: tuple[str, ...] | None = None
    service_type: str = ""
    answers: tuple[IngressAnswer, ...] = ()
    without_ca: Outcome | None = None
    plain: dict[Scene, Outcome] = {}
    lists: Lists | None = None
    issued: str = ""
    renewed: str = ""
    renewal: Course | None = None
    update: Course | None = None
    paths_hold: bool | None = None

    def of(self, scene: Scene) -> tuple[IngressAnswer, ...]:
        """The answers in ``scene``."""
        return tuple(each for each in self.answers if each.scene is scene)
