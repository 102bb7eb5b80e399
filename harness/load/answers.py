"""How an HTTP answer counts, and what it shows (docs/judging.md#metrics; docs/contract/walk-api.md). Pure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from google.api_core.exceptions import GoogleAPICallError, RetryError
from google.api_core.retry import Retry, if_exception_type
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

from harness.base.errors import NOT_JSON
from harness.load.http1 import NoAnswer
from harness.load.population.accounts import EXCERPT_BYTES, NOBODY, Population
from harness.load.population.content import Content, Whole, fingerprint
from harness.load.population.firestore_document import document, document_id, location
from harness.load.population.schedule import PlannedRequest
from harness.load.population.track import AnsweredPoint, track
from harness.load.population.walk import PAGE_WALKS, Location
from harness.load.protocol import TimedOut
from harness.load.rest import runtime
from harness.load.result import CallResult
from harness.model.evidence import WRITES, Operation, Outcome, Wire
from harness.model.shown import NOT_IN_ORDER, Shown, ShownWalk, Track, text
from harness.model.stack import COLLECTION, Address

# A planned request made to Firestore, as the old app does it (flag off), with the official client under gevent.
# The client's own retries are off: a request is sent once, and what comes back is recorded.
# What Firestore's answer shows, for the row of its request (``harness.model.shown``). Never raises for what came.


def of_documents(snapshots: Iterable[Any]) -> str:
    """Of the official client's snapshots. Locations are not counted: the app writes a document whole."""
    return text(Shown(tuple(_document(each) for each in snapshots)))


def _document(snapshot: Any) -> ShownWalk:
    fields = {}
    for name in Content.__struct_fields__:
        try:
            fields[name] = snapshot.get(name)  # not the whole: copying all locations costs more than all else
        except KeyError:  # the app leaves out what is nil
            continue
    try:
        plain = {name: _plain(value) for name, value in fields.items()}
        return ShownWalk(str(snapshot.id).lower(), fingerprint(msgspec.convert(plain, Content)))
    except (msgspec.ValidationError, ValueError, OverflowError):
        return ShownWalk(str(snapshot.id).lower(), "")


def _plain(value: Any) -> Any:
    """Firestore's own class of time is none that msgspec takes."""
    return datetime.fromtimestamp(value.timestamp(), tz=UTC) if isinstance(value, datetime) else value


_NOT_FOUND, _UNKNOWN = 5, 2
_SLACK_S = 0.5  # over the client's own deadline, should that not hold
_OUTCOME = {
    4: Outcome.TIMEOUT,  # DEADLINE_EXCEEDED
    8: Outcome.RATE_LIMITED,  # RESOURCE_EXHAUSTED
    2: Outcome.SERVER_ERROR,  # UNKNOWN
    12: Outcome.SERVER_ERROR,  # UNIMPLEMENTED
    13: Outcome.SERVER_ERROR,  # INTERNAL
    15: Outcome.SERVER_ERROR,  # DATA_LOSS
}


#: Each call once. ``None`` says the same, but a stream that breaks then asks it what to do, and fails.
NO_RETRY = Retry(predicate=if_exception_type())


class PhoneWalk(msgspec.Struct, frozen=True, kw_only=True):
    """What the phone holds of a walk: all of it, whichever side has seen it."""

    began: datetime
    locations: Sequence[Location]


def connect(address: Address, project_id: str) -> firestore.Client:
    """A client of the emulator; gevent must have been set up for gRPC before."""
    os.environ["FIRESTORE_EMULATOR_HOST"] = str(address)  # the client's only way to be told of an emulator
    return firestore.Client(project=project_id, credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]


class FirestoreSide:
    """Firestore for one user; the client's channel is shared by all."""

    def __init__(self, client: firestore.Client, timeout_s: float) -> None:
        self._walks = client.collection(COLLECTION)
        self._timeout_s = timeout_s

    def execute(
        self, planned: PlannedRequest, walk: PhoneWalk | None, now: datetime, *, missing_expected: bool
    ) -> CallResult:
        """Never raises for what Firestore does. ``status`` is the gRPC code."""
        try:
            with runtime().timeout(self._timeout_s + _SLACK_S, TimedOut()):
                found = self._call(planned, walk, now)
        except TimedOut:
            return self._failed(planned, 0, Outcome.TIMEOUT)
        except RetryError:
            return self._failed(planned, 4, Outcome.TIMEOUT)
        except GoogleAPICallError as error:
            code = _code(error)
            return self._failed(planned, code, _outcome(code, str(error)))
        if found is None:
            outcome = Outcome.OK if missing_expected else Outcome.UNEXPECTED_4XX
            return self._failed(planned, _NOT_FOUND, outcome)
        acknowledged = planned.operation in WRITES
        return CallResult(status=0, outcome=Outcome.OK, acknowledged=acknowledged, walk_id=planned.walk_id, shown=found)

    def _call(self, planned: PlannedRequest, walk: PhoneWalk | None, now: datetime) -> str | None:
        """What is shown, "" by a write; ``None`` when what was asked for is not there."""
        options: dict[str, Any] = {"retry": NO_RETRY, "timeout": self._timeout_s}
        if planned.operation is Operation.LIST_WALKS:
            mine = self._walks.where(filter=FieldFilter("user_id", "==", planned.user))
            newest = mine.order_by("created_at", direction=firestore.Query.DESCENDING).limit(PAGE_WALKS)
            return of_documents(newest.stream(**options))
        reference = self._walks.document(document_id(planned.walk_id))
        if planned.operation is Operation.GET_WALK:
            held = reference.get(**options)
            return of_documents([held]) if held.exists else None
        if planned.operation is Operation.DELETE_WALK:
            reference.delete(**options)
            return ""
        assert planned.body is not None
        points = [location(point) for point in walk.locations] if walk else []
        began = walk.began if walk else now
        content = document(planned.walk_id, planned.user, planned.body, points, created_at=began, updated_at=now)
        reference.set(content, **options)
        return ""

    def _failed(self, planned: PlannedRequest, status: int, outcome: Outcome) -> CallResult:
        return CallResult(status=status, outcome=outcome, acknowledged=False, walk_id=planned.walk_id)


def _code(error: GoogleAPICallError) -> int:
    code = error.grpc_status_code
    return int(code.value[0]) if code is not None else _UNKNOWN


def _outcome(code: int, message: str) -> Outcome:
    if code == 14:  # UNAVAILABLE: gRPC does not tell a refused connection from a broken one but in its words
        return Outcome.REFUSED if "onnection refused" in message else Outcome.BROKEN
    return _OUTCOME.get(code, Outcome.UNEXPECTED_4XX)


SUCCESS = {
    Operation.LIST_WALKS: 200,
    Operation.CREATE_WALK: 201,
    Operation.GET_WALK: 200,
    Operation.PUT_WALK: 200,
    Operation.DELETE_WALK: 204,
}
_MAY_BE_MISSING = frozenset({Operation.GET_WALK, Operation.DELETE_WALK})


_Time = Annotated[datetime, msgspec.Meta(tz=True)]
_Status = Literal["not_started", "in_progress", "paused", "completed"]


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """``shown`` is what a good answer shows of walks, for its row; "" where it shows none.

    Of an answer that is bad it is the beginning of what is wrong, of one that tells of another user where it does.
    """

    outcome: Outcome
    shown: str = ""
    wire: Wire = Wire.CLEAN


class _Named(msgspec.Struct, frozen=True, kw_only=True):
    """What every walk must have; one with no more that can be read shows no content."""

    id: str
    user_id: str
    title: str
    status: _Status
    created_at: Any = None
    updated_at: Any = None


class _Walk(Content, frozen=True, kw_only=True):
    id: str
    user_id: str
    status: _Status
    start_time: _Time | None = None
    end_time: _Time | None = None
    created_at: Any = None
    updated_at: str = ""


class _Number(msgspec.Struct, frozen=True):
    sequence_number: Whole


class _WalkWithLocations(_Walk, frozen=True, kw_only=True):
    locations: msgspec.Raw


class _NamedWithLocations(_Named, frozen=True, kw_only=True):
    locations: msgspec.Raw


class _Counted(msgspec.Struct, kw_only=True):
    total_count: Whole
    page: Whole
    limit: Whole


class _Page(_Counted, kw_only=True):
    walks: list[_Walk]


class _RawPage(_Counted, kw_only=True):
    walks: list[msgspec.Raw]


_page, _raw_page = msgspec.json.Decoder(_Page), msgspec.json.Decoder(_RawPage)
_points, _numbers = msgspec.json.Decoder(list[AnsweredPoint]), msgspec.json.Decoder(list[_Number])
_list = msgspec.json.Decoder(list[msgspec.Raw])
_walk, _walk_with_locations = msgspec.json.Decoder(_Walk), msgspec.json.Decoder(_WalkWithLocations)
_named, _named_with_locations = msgspec.json.Decoder(_Named), msgspec.json.Decoder(_NamedWithLocations)


def classify(
    operation: Operation,
    status: int,
    body: bytes,
    *,
    user: str,
    walk_id: str,
    missing_expected: bool,
    whole: bool = True,
    head: bytes = b"",
    behind: bytes = b"",
    population: Population = NOBODY,
) -> Answered:
    """What a whole answer came to. ``missing_expected``: this side never acknowledged the walk, so 404 is right.

    Whose data it tells matters more than what else is wrong with it, be it in a header, or behind the answer. Unless
    ``whole``, no more is read of locations than their numbers: the rest costs as much as all else of an answer.
    """
    if status == SUCCESS[operation]:
        shown = _as_promised(operation, body, user, walk_id, whole=whole)
        good = shown is not None
    else:
        shown, good = "", status == 404 and missing_expected and operation in _MAY_BE_MISSING
    found = Answered(outcome=Outcome.OK, shown=shown or "") if good else _bad(status, body)
    if behind:
        outcome = Outcome.BAD_ANSWER if good else found.outcome
        found = Answered(outcome=outcome, shown=beginning(behind), wire=Wire.BEHIND)
    return _of_another(found, population, user, body, head, behind)


def unanswered(ended: NoAnswer, population: Population, user: str) -> Answered:
    """What an exchange without a whole answer came to, by what was seen of one."""
    return _of_another(Answered(outcome=ended.outcome, wire=ended.wire), population, user, ended.seen)


def _of_another(found: Answered, population: Population, user: str, *texts: bytes) -> Answered:
    for came in texts:
        if told := population.of_another(came, user):
            return Answered(outcome=Outcome.FOREIGN_ANSWER, shown=beginning(told), wire=found.wire)
    return found


def _bad(status: int, body: bytes) -> Answered:
    if status == 429:
        return Answered(outcome=Outcome.RATE_LIMITED)
    if status >= 500:
        return Answered(outcome=Outcome.SERVER_ERROR)
    if status >= 400:
        return Answered(outcome=Outcome.UNEXPECTED_4XX)
    return Answered(outcome=Outcome.BAD_ANSWER, shown=beginning(body))


def created_id(body: bytes) -> str:
    """The id in a 201 answer that ``classify`` found good."""
    return _named.decode(body).id.lower()


def beginning(body: bytes) -> str:
    """Of a body, for people."""
    return body[:EXCERPT_BYTES].decode(errors="replace")


def _as_promised(operation: Operation, body: bytes, user: str, walk_id: str, *, whole: bool) -> str | None:
    """What it shows; ``None`` when it is not the contract's."""
    if operation is Operation.DELETE_WALK:
        return None if body else ""
    try:
        body.decode()  # JSON is UTF-8, in the fields too that are not read here
        if operation is Operation.LIST_WALKS:
            page, walks = _listed(body)
            good = len(walks) <= min(page.limit, PAGE_WALKS) and all(walk.user_id == user for walk in walks)
            shown = Shown(tuple(_shown(walk, whole=whole) for walk in walks), int(page.total_count))
        else:
            walk = _single(body, located=operation is Operation.GET_WALK)
            same = operation is Operation.CREATE_WALK or walk.id.lower() == walk_id.lower()
            good, shown = same and walk.user_id == user, Shown((_shown(walk, whole=whole),))
    except NOT_JSON:
        return None
    return text(shown) if good else None


def _listed(body: bytes) -> tuple[_Counted, Sequence[_Walk | _Named]]:
    """Raises ``msgspec.DecodeError`` when it is not the contract's."""
    try:
        page = _page.decode(body)
    except msgspec.ValidationError:  # perhaps of one walk's content only
        raw = _raw_page.decode(body)
        return raw, [_single(bytes(each), located=False) for each in raw.walks]
    return page, page.walks


def _single(body: bytes, *, located: bool) -> _Walk | _Named:
    """Raises ``msgspec.DecodeError`` when not even its name, owner and status are the contract's."""
    whole: msgspec.json.Decoder[Any] = _walk_with_locations if located else _walk
    named: msgspec.json.Decoder[Any] = _named_with_locations if located else _named
    try:
        found: _Walk | _Named = whole.decode(body)
    except msgspec.ValidationError:
        found = named.decode(body)
    return found


def _shown(walk: _Walk | _Named, *, whole: bool) -> ShownWalk:
    """Raises ``msgspec.DecodeError`` for locations that are no list."""
    raw: msgspec.Raw | None = getattr(walk, "locations", None)
    locations, seen = (None, None) if raw is None else _located(raw, whole=whole)
    created, updated = (each if isinstance(each, str) else "" for each in (walk.created_at, walk.updated_at))
    content, count = ("", None) if isinstance(walk, _Named) else (fingerprint(walk), locations)
    return ShownWalk(walk.id.lower(), content, count, updated, created if whole else None, seen)


def _located(locations: msgspec.Raw, *, whole: bool) -> tuple[int, Track | None]:
    """How many there are, if they are in order, and the digests of those that can be read. Raises
    ``msgspec.DecodeError`` for no list."""
    decoder: msgspec.json.Decoder[Any] = _points if whole else _numbers
    try:
        points = decoder.decode(locations)
    except msgspec.ValidationError:
        _list.decode(locations)
        return NOT_IN_ORDER, None
    in_order = [each.sequence_number for each in points] == [*range(len(points))]
    return len(points) if in_order else NOT_IN_ORDER, track(points) if whole else None
