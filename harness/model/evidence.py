"""The rows of a run's evidence. Append-only; integer nanoseconds on one monotonic clock.

Every process that observes writes a spool of these rows (``harness.evidence.spool``); the harness alone reads the
spools and writes ``evidence.sqlite``. ``*_ns`` is ``CLOCK_MONOTONIC``, which all processes of a machine share; the
run's ``Anchor`` ties it to UTC.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from harness.base.ticks import NS
from harness.model.message import Message, Told, english, raw_text


class Side(StrEnum):
    """Where a request went: flag on, the API; flag off, Firestore as the old app."""

    API = "api"
    FIRESTORE = "firestore"


class Operation(StrEnum):
    """What a request did. Names are the contract's calls."""

    LIST_WALKS = "list_walks"
    CREATE_WALK = "create_walk"
    GET_WALK = "get_walk"
    PUT_WALK = "put_walk"
    DELETE_WALK = "delete_walk"


WRITES = frozenset({Operation.CREATE_WALK, Operation.PUT_WALK, Operation.DELETE_WALK})


class Outcome(StrEnum):
    """How a request ended. Only ``OK`` is a good answer; a 4xx that was expected is ``OK`` too."""

    OK = "ok"
    UNEXPECTED_4XX = "unexpected_4xx"
    RATE_LIMITED = "rate_limited"  # 429
    SERVER_ERROR = "server_error"  # 5xx
    TIMEOUT = "timeout"
    REFUSED = "refused"
    BROKEN = "broken"  # the connection ended before the whole answer
    BAD_ANSWER = "bad_answer"  # another status, body or length than the contract's, or with bytes behind it
    FOREIGN_ANSWER = "foreign_answer"  # whatever came, whole or not, it tells of another user


class Wire(StrEnum):
    """What was wrong with how an answer came, beside its outcome."""

    CLEAN = ""
    CLOSED = "closed"  # the connection ended before the first byte
    CUT = "cut"  # it ended amid the answer
    GARBLED = "garbled"  # no HTTP/1.1
    TOO_LONG = "too_long"  # more bytes than a client reads
    BEHIND = "behind"  # bytes behind it, or behind the one before it on the same connection


class RequestRow(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="request"):
    """One request of one user. Latency counts from ``due_ns`` to ``done_ns``; ``sent_ns - due_ns`` is the lag."""

    operation_id: str  # unique in the run: "u0017-00003"
    user: str
    audience: str
    side: Side
    operation: Operation
    due_ns: int
    sent_ns: int
    done_ns: int
    status: int  # HTTP status (gRPC code on Firestore's side); 0 when there was none
    outcome: Outcome
    acknowledged: bool  # a write that the server confirmed
    payload_digest: str  # of the content written, "" for reads
    flag: bool
    walk_id: str = ""
    pod: str = ""
    retried: bool = False  # sent twice, because a kept idle connection ended at once (``harness.load.connection``)
    shown: str = ""  # of walks, by a good answer: ``harness.model.shown``; of a wrong one, an excerpt
    wire: Wire = Wire.CLEAN


class ProbeRow(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="probe"):
    """One availability probe: an authenticated GET or PUT on a new connection through the service."""

    probe_id: int
    user: str
    method: str
    due_ns: int
    sent_ns: int
    done_ns: int
    status: int
    outcome: Outcome
    pod: str = ""
    shown: str = ""  # of its walk, by a good answer: ``harness.model.shown``; of a wrong one, an excerpt
    wire: Wire = Wire.CLEAN

    @property
    def good(self) -> bool:
        """Answered in time as the contract says."""
        return self.outcome is Outcome.OK


class FlagRow(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="flag"):
    """A client's fetch of Remote Config: the value it now holds, and whether the fetch succeeded."""

    at_ns: int
    user: str
    value: bool
    template_version: int
    fetched: bool


class SessionRow(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="session"):
    """A user's session began (``live``) or ended."""

    at_ns: int
    user: str
    audience: str
    live: bool


class SampleRow(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="sample"):
    """A metric of a part at a time: ``cpu_cores``, ``memory_bytes``, ``replicas``, ``ready_replicas``, ..."""

    at_ns: int
    metric: str
    subject: str
    value: float


#: Counters of the machine as samples of ``MACHINE``, in seconds since it began: in which at least one task waited for a
#: processor (pressure stall information, "some"); that its host gave to others; that anything used. The last two are
#: summed over processors.
MACHINE = "machine"
WAITED, STOLEN, BUSY = "machine_waited_s", "machine_stolen_s", "machine_busy_s"


class EventRow(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="event"):
    """Something happened: a pod's state, a fault, a published flag, a phase, a decision, a log pointer."""

    at_ns: int
    kind: str  # "phase", "pod", "fault", "flag", "decision", "component", "measurement_error", "log"
    subject: str
    message: str
    data: dict[str, Any] = {}  # "told" of it, where kept: the message's parts, for the reports' languages


#: The kind of an event that says what kept something from being measured: neither pass nor fail.
MEASUREMENT_ERROR = "measurement_error"


def happened(at_ns: int, kind: str, subject: str, said: str | Message | Told, data: dict[str, Any]) -> EventRow:
    """An event. What is ``said`` as messages stands in English in the row, and as messages in its data ("told")."""
    if isinstance(said, str):
        return EventRow(at_ns=at_ns, kind=kind, subject=subject, message=said, data=data)
    told = (said,) if isinstance(said, Message) else said
    kept = {**data, "told": msgspec.to_builtins(told)}
    return EventRow(at_ns=at_ns, kind=kind, subject=subject, message=english(told), data=kept)


def told_of(row: EventRow) -> Told:
    """What an event said, as messages. The titles of plans and experiments stand in the catalogue as they are."""
    try:
        told = msgspec.convert(row.data.get("told") or (), Told)
    except msgspec.ValidationError:
        told = ()
    return told or (raw_text(row.message),)


Row = RequestRow | ProbeRow | FlagRow | SessionRow | SampleRow | EventRow


# What a schedule holds: every request and probe that is due in a stretch of a run, whatever came of it.


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """The stretch of a run that is judged. Half-open: ``start_ns <= t < end_ns`` on the run's monotonic clock."""

    start_ns: int
    end_ns: int

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.end_ns - self.start_ns) / NS


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """One planned call. ``id`` is that of its row: a request's operation id, ``probe_call`` of a probe's number.

    ``operation`` is what a request is to do; ``None`` where the schedule does not say it, and of a probe.
    """

    id: str
    user: str
    due_ns: int
    operation: Operation | None = None


class DueList(msgspec.Struct, frozen=True, kw_only=True):
    """The requests to the API and the probes, each in the order in which they are due."""

    requests: tuple[Due, ...]
    probes: tuple[Due, ...]


#: Where nobody knows what is due.
NOTHING_DUE = DueList(requests=(), probes=())


def probe_call(number: int) -> str:
    """The id of a probe among calls; no operation id looks like it."""
    return f"probe {number}"
