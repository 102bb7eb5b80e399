"""How an HTTP answer counts, and what it shows (docs/judging.md#metrics; docs/contract/walk-api.md). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from harness.base.errors import NOT_JSON
from harness.load.http1 import NoAnswer
from harness.load.population.content import Content, Whole, fingerprint
from harness.load.population.schedule import EXCERPT_BYTES, NOBODY, Population
from harness.load.population.track import AnsweredPoint, track
from harness.load.population.walk import PAGE_WALKS
from harness.model.evidence import Operation, Outcome, Wire
from harness.model.shown import NOT_IN_ORDER, Shown, ShownWalk, Track, text

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
