"""What answers of either side show is what the app wrote, to the fingerprint; what cannot be read shows no content."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from google.api_core.datetime_helpers import DatetimeWithNanoseconds

from harness.load.answers import classify
from harness.load.phone import of_documents
from harness.load.population.content import created, fingerprint, updated
from harness.load.population.firestore_document import document
from harness.load.population.firestore_document import location as location_map
from harness.load.population.schedule import PlannedRequest
from harness.load.population.walk import NewWalk, WalkUpdate, moment
from harness.model.evidence import Operation, Outcome
from harness.model.shown import NOT_IN_ORDER, Shown, ShownWalk, parse
from tests.checks.sending import ANCHOR, USERS, planned

USER = USERS[0].user
PUTS = [each for each in planned(USER, 40) if isinstance(each.body, WalkUpdate)]
ENDED = next(each for each in PUTS if isinstance(each.body, WalkUpdate) and each.body.end_time is not None)
CREATE = next(each for each in planned(USER, 40) if isinstance(each.body, NewWalk))
NOW = moment(ANCHOR)


def content(each: PlannedRequest) -> str:
    return fingerprint(updated(each.body) if isinstance(each.body, WalkUpdate) else created(as_new(each)))


def as_new(each: PlannedRequest) -> NewWalk:
    assert isinstance(each.body, NewWalk)
    return each.body


def as_api(each: PlannedRequest, **changes: Any) -> dict[str, Any]:
    """As the contract says it: nulls for what is not there."""
    empty: dict[str, Any] = dict.fromkeys(
        ("start_time", "end_time", "paused_at", "polyline_data", "thumbnail_image_url")
    )
    empty |= {"description": "", "status": "not_started", "total_distance": 0, "total_steps": 0}
    empty |= {"total_paused_duration": 0, "created_at": "2025-10-20T00:00:00Z", "updated_at": "2025-10-20T00:00:00.5Z"}
    said = {name: value for name, value in msgspec.to_builtins(each.body).items() if name != "locations"}
    return {**empty, **said, "id": each.walk_id.upper(), "user_id": USER, **changes}


def shown(operation: Operation, body: Any, *, marked: bool = False) -> Shown | None:
    answered = classify(
        operation,
        201 if operation is Operation.CREATE_WALK else 200,
        json.dumps(body).encode(),
        user=USER,
        walk_id=body.get("id", ""),
        missing_expected=False,
        whole=marked,
    )
    assert answered.outcome is Outcome.OK
    found = parse(answered.shown)
    if found is None or marked:
        return found
    bare = tuple(msgspec.structs.replace(each, version="", created=None) for each in found.walks)
    return msgspec.structs.replace(found, walks=bare)


@pytest.mark.parametrize("each", [*PUTS[:3], ENDED, CREATE])
def test_what_was_written_is_known_again(each: PlannedRequest) -> None:
    right = ShownWalk(each.walk_id, content(each))
    operation = Operation.CREATE_WALK if each is CREATE else Operation.PUT_WALK
    assert shown(operation, as_api(each)) == Shown((right,))
    page = {"walks": [as_api(each), as_api(PUTS[0])], "total_count": 7, "page": 1, "limit": 20}
    assert shown(Operation.LIST_WALKS, page) == Shown((right, ShownWalk(PUTS[0].walk_id, content(PUTS[0]))), 7)


def test_times_are_the_same_in_any_zone_and_precision() -> None:
    body = ENDED.body
    assert isinstance(body, WalkUpdate) and body.end_time is not None
    other = body.end_time.strftime("%Y-%m-%dT%H:%M:%S.%f000+00:00")
    assert shown(Operation.PUT_WALK, as_api(ENDED, end_time=other)) == Shown(
        (ShownWalk(ENDED.walk_id, content(ENDED)),)
    )


def test_each_field_that_the_app_writes_counts() -> None:
    changed: dict[str, Any] = {"title": "x", "status": "paused", "total_distance": 1.5, "total_steps": 1}
    changed |= {"polyline_data": None, "thumbnail_image_url": "x", "start_time": None, "end_time": None}
    changed |= {"description": "x"}
    fingerprints = {content(ENDED)}
    for name, value in changed.items():
        seen = shown(Operation.PUT_WALK, as_api(ENDED, **{name: value}))
        assert seen is not None
        fingerprints.add(seen.walks[0].content)
    assert len(fingerprints) == len(changed) + 1


@pytest.mark.parametrize(
    ("numbers", "counted"),
    [([], 0), ([0], 1), ([0, 1, 2], 3), ([1, 2], NOT_IN_ORDER), ([0, 2], NOT_IN_ORDER), ([2, 1, 0], NOT_IN_ORDER)],
)
def test_locations_are_counted(numbers: list[int], counted: int) -> None:
    located = as_api(PUTS[0], locations=[{"sequence_number": number} for number in numbers])
    assert shown(Operation.GET_WALK, located) == Shown((ShownWalk(PUTS[0].walk_id, content(PUTS[0]), counted),))


def test_locations_without_a_number_are_not_in_order() -> None:
    seen = shown(Operation.GET_WALK, as_api(PUTS[0], locations=[{"latitude": 1}]))
    assert seen is not None and seen.walks[0].locations == NOT_IN_ORDER


def test_a_version_is_kept_when_it_is_asked_for() -> None:
    seen = shown(Operation.PUT_WALK, as_api(PUTS[0]), marked=True)
    assert seen is not None and seen.walks[0].version == "2025-10-20T00:00:00.5Z"


@pytest.mark.parametrize("strange", [{"start_time": "yesterday"}, {"total_steps": "many"}, {"polyline_data": 5}])
def test_a_content_that_cannot_be_read_spoils_no_other(strange: dict[str, Any]) -> None:
    """The answer counts as before: what the judge of reads then says is that nobody wrote it."""
    assert shown(Operation.PUT_WALK, as_api(PUTS[0], **strange)) == Shown((ShownWalk(PUTS[0].walk_id, ""),))
    page = {"walks": [as_api(PUTS[0], **strange), as_api(ENDED)], "total_count": 2, "page": 1, "limit": 20}
    right = ShownWalk(ENDED.walk_id, content(ENDED))
    assert shown(Operation.LIST_WALKS, page) == Shown((ShownWalk(PUTS[0].walk_id, ""), right), 2)


@pytest.mark.parametrize(
    "extreme",
    [
        {"total_steps": 2**70},
        {"total_distance": 1e308},
        {"total_distance": 10**400},
        {"start_time": "0001-01-01T00:00:00+14:00"},
        {"end_time": "9999-12-31T23:59:59.999999-12:00"},
        {"title": "\ud800"},
    ],
)
def test_no_value_is_too_strange_for_a_row(extreme: dict[str, Any]) -> None:
    """Whatever an answer holds, it counts one way or another, and nothing is raised."""
    for operation in (Operation.PUT_WALK, Operation.LIST_WALKS):
        walk = as_api(PUTS[0], **extreme)
        body = (
            {"walks": [walk], "total_count": 1, "page": 1, "limit": 20} if operation is Operation.LIST_WALKS else walk
        )
        raw = json.dumps(body).encode()
        answered = classify(operation, 200, raw, user=USER, walk_id=walk["id"], missing_expected=False)
        seen = parse(answered.shown)
        assert (answered.outcome is Outcome.OK) == (seen is not None)
        assert seen is None or seen.walks[0].content != content(PUTS[0])


class Snapshot:
    """As the official client gives one: times are of its own class, ``get`` copies."""

    def __init__(self, each: PlannedRequest) -> None:
        assert each.body is not None
        points = [location_map(point) for point in getattr(each.body, "locations", ())]
        fields = document(each.walk_id, USER, each.body, points, created_at=NOW, updated_at=NOW)
        self.id = each.walk_id.upper()
        self._fields = {name: _own(value) for name, value in fields.items()}

    def get(self, name: str) -> Any:
        return deepcopy(self._fields[name])


def _own(value: Any) -> Any:
    if not isinstance(value, datetime):
        return value
    at = value.astimezone(UTC)
    own: Any = DatetimeWithNanoseconds
    return own(*at.timetuple()[:6], at.microsecond, tzinfo=UTC)


def test_documents_of_the_app_show_the_same() -> None:
    chosen = [*PUTS[:3], ENDED, CREATE]
    right = tuple(ShownWalk(each.walk_id, content(each)) for each in chosen)
    assert parse(of_documents(map(Snapshot, chosen))) == Shown(right)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("total_steps", "many"),
        ("end_time", _own(datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))),  # a float rounds it to year 10000
    ],
)
def test_a_document_that_cannot_be_read_shows_no_content(name: str, value: object) -> None:
    strange = Snapshot(ENDED)
    strange._fields[name] = value
    assert parse(of_documents([strange])) == Shown((ShownWalk(ENDED.walk_id, ""),))


def test_what_a_row_kept_is_read_again_or_not_at_all() -> None:
    assert parse("") is None
    assert parse('{"an": "object"}') is None
    assert parse("[[[") is None
