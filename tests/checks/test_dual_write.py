"""The comparison of walks and documents: an agreeing pair, and every planted disagreement found, and only it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import cast

import pytest

from harness.base.clock import NS
from harness.base.virtual import VirtualClock
from harness.checks.agreement import reconciled_result
from harness.checks.dual_write import DocumentFlaw, StoreComparison, StoredWalk, by_user, compare, expected
from harness.checks.reconciled import reconciled
from harness.checks.stores import DocumentsRead, dual_write
from harness.model.judgement import Verdict
from harness.rules.writes import Writes
from harness.stack.firebase.documents import Fields, Value
from tests.checks.stored import NOON, WALK, documents, point, walk


def first(document: Fields) -> Fields:
    location: Fields = document["location_data"].value[0].value
    return location


def test_the_expected_document_is_the_apps() -> None:
    held = expected(
        StoredWalk(id=WALK, columns=walk().columns, locations=[point(0, speed=None, course=None, altitude=None)])
    )
    assert held["id"] == Value("string", WALK.upper())
    assert held["total_steps"] == Value("integer", 180)
    assert "end_time" not in held and "paused_at" not in held and "thumbnail_image_url" not in held
    assert first(held) == {
        "latitude": Value("double", 35.5),
        "longitude": Value("double", 139.5),
        "timestamp": Value("timestamp", NOON),
        "speed": Value("double", -1.0),
        "course": Value("double", -1.0),
        "horizontalAccuracy": Value("double", 5.0),
        "verticalAccuracy": Value("double", 3.0),
    }


def test_what_agrees_has_no_finding() -> None:
    one, other = walk(), walk(WALK.replace("0b", "0c"), points=0)
    compared = compare([one, other], documents(one, other))
    assert (compared.compared, compared.findings) == (2, ())


def test_a_walk_without_a_document_is_missing_with_its_locations() -> None:
    [finding] = compare([walk()], {}).findings
    assert (finding.flaw, finding.user, finding.locations) == (DocumentFlaw.MISSING, "u1", 3)


def test_a_document_under_the_lower_case_id_is_missing() -> None:
    held = documents(walk())
    [finding] = compare([walk()], {WALK: held[WALK.upper()]}).findings
    assert finding.flaw is DocumentFlaw.MISSING


def test_a_document_of_a_deleted_walk_is_extra() -> None:
    held = documents(walk())
    [finding] = compare([], held, {WALK: "u1"}).findings
    assert (finding.flaw, finding.user) == (DocumentFlaw.EXTRA, "u1")
    assert compare([], {}, {WALK: "u1"}).findings == ()
    assert compare([walk()], held, {WALK: "u1"}).findings == ()  # deleted, and written again


def test_a_document_of_an_earlier_write_is_stale_with_what_it_lacks() -> None:
    earlier = walk(points=1, updated_at=NOON)
    [finding] = compare([walk()], documents(earlier)).findings
    assert (finding.flaw, finding.locations) == (DocumentFlaw.STALE, 2)


def _snake(document: Fields) -> None:
    first(document)["horizontal_accuracy"] = first(document).pop("horizontalAccuracy")


def _reverse(document: Fields) -> None:
    document["location_data"].value.reverse()


def _put(name: str, value: Value) -> Callable[[Fields], None]:
    return lambda document: document.update({name: value})


@pytest.mark.parametrize(
    ("plant", "field"),
    [
        (_put("id", Value("string", WALK)), "id"),
        (_put("total_distance", Value("integer", 120)), "total_distance"),
        (_put("total_steps", Value("double", 180.0)), "total_steps"),
        (_put("start_time", Value("string", NOON.isoformat())), "start_time"),
        (_put("end_time", Value("null", None)), "end_time"),
        (_put("title", Value("string", "another")), "title"),
        (_put("userId", Value("string", "u1")), "userId"),
        (_put("location_data", Value("array", [])), "location_data"),
        (_put("updated_at", Value("timestamp", NOON + timedelta(hours=1))), "updated_at"),
        (lambda document: document.pop("location_data"), "location_data"),
        (lambda document: document.pop("polyline_data"), "polyline_data"),
        (lambda document: first(document).update(speed=Value("null", None)), "location_data[0].speed"),
        (_snake, "location_data[0].horizontalAccuracy"),
        (_reverse, "location_data[0].timestamp"),
    ],
)
def test_a_planted_difference_is_found_and_named(plant: Callable[[Fields], None], field: str) -> None:
    one, other = walk(), walk(WALK.replace("0b", "0c"))
    held = documents(one, other)
    plant(held[WALK.upper()])
    [finding] = compare([one, other], held).findings
    assert (finding.flaw, finding.walk_id, finding.field) == (DocumentFlaw.DIFFERENT, WALK, field)
    assert field in str(finding)


def test_the_loss_is_told_by_user() -> None:
    ids = [WALK.replace("0b", f"{number:02x}") for number in range(4)]
    walks = [walk(ids[0], "u2"), walk(ids[1], "u1"), walk(ids[2], "u2", points=5), walk(ids[3], "u3")]
    compared = compare(walks, documents(walks[3], walk(ids[1], "u1", points=1, updated_at=NOON)))
    assert by_user(compared.findings) == {"u1": (1, 2), "u2": (2, 8)}
    assert compared.compared == 4
    assert {flaw: compared.count(flaw) for flaw in DocumentFlaw if compared.count(flaw)} == {
        DocumentFlaw.MISSING: 2,
        DocumentFlaw.STALE: 1,
    }


def test_while_writes_go_on_a_newer_document_agrees() -> None:
    later = walk(points=4, updated_at=NOON + timedelta(hours=1))
    assert compare([walk()], documents(later)).count(DocumentFlaw.DIFFERENT) == 1
    assert compare([walk()], documents(later), moving=True).findings == ()
    assert compare([later], documents(walk()), moving=True).count(DocumentFlaw.STALE) == 1


@pytest.mark.parametrize(
    ("lag_s", "verdict"), [(0.0, Verdict.PASS), (9.0, Verdict.PASS), (20.0, Verdict.INCONCLUSIVE), (1e6, Verdict.FAIL)]
)
def test_how_late_a_mirror_may_be_no_contract_says(lag_s: float, verdict: Verdict) -> None:
    """Of 40 walks, one written each second before the load's end, all but the first may still be to come."""
    clock = VirtualClock()
    walks = [walk(f"{WALK[:-4]}{number:04x}", points=0) for number in range(40)]
    due_s = {each.id.upper(): lag_s - (40 - number) for number, each in enumerate(walks)} | {walks[0].id.upper(): 0.0}

    class Late:
        async def get_many(self, names: Sequence[str]) -> dict[str, Fields]:
            now_s = (clock.now_ns() - begun_ns) / NS
            return {name: held for name, held in documents(*walks).items() if name in names and due_s[name] <= now_s}

    async def looked_at() -> StoreComparison:
        late = cast(DocumentsRead, Late())
        return await dual_write(walks, late, Writes(), clock, held=await late.get_many([*due_s]))

    begun_ns = clock.now_ns()
    compared = clock.run(looked_at())
    found = reconciled_result(reconciled(compared, {}, ()), compared)
    assert (found.verdict, found.holds) == (verdict, verdict is not Verdict.PASS), found.reason
