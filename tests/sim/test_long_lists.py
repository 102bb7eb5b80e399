"""Users with 25 walks, one of 1,200 points: page 2 and a long track are asked for, and a target that fails there is held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import msgspec
import pytest

from harness.base.http1 import Answer
from harness.base.ticks import NS
from harness.load.population.schedule import accounts, requests_due, slots, user_schedule
from harness.load.population.walk import Status, WalkUpdate
from harness.model.evidence import Operation, RequestRow, Side
from harness.model.judgement import Decision, Verdict
from harness.run.scenarios.load import load
from harness.stack.sim.service import Lie
from harness.stack.sim.world import PlantedFaults
from tests.sim.week import week

pytestmark = pytest.mark.sim
_SHORT = load(str(Path(__file__).with_name("lies.yaml")))
PLAN = msgspec.structs.replace(_SHORT, population=msgspec.structs.replace(_SHORT.population, long_lists=0.5))
SEED = 5
READS = "reads.acknowledged"


def test_a_long_list_is_written_before_the_run_which_goes_on_as_without_it() -> None:
    plan, users = PLAN.population, accounts(PLAN.population, SEED)
    placed = slots(plan, users, SEED)
    long = [user for user, slot in placed.items() if slot.earlier]
    assert len(long) == 20
    for user in long[:3]:
        planned = list(islice(user_schedule(user, placed[user], plan, SEED, 10**18), 84))
        earlier, later = planned[:44], planned[44:]
        assert all(each.due_offset_ns < 0 and each.operation is Operation.PUT_WALK for each in earlier)
        points = Counter({each.walk_id: 0 for each in earlier})
        for each in earlier:
            assert isinstance(each.body, WalkUpdate) and len(each.body.locations) <= 60
            assert each.body.start_time.timestamp() * NS < 10**18
            points[each.walk_id] += len(each.body.locations)
        assert len(points) == 25 and sorted(points.values())[-1] == 1200
        assert isinstance(earlier[-1].body, WalkUpdate) and earlier[-1].body.status is Status.COMPLETED
        assert sum(each.page == 2 for each in later if each.operation is Operation.LIST_WALKS) == 4, "in two cycles"
        asked = [each.walk_id for each in later if each.operation is Operation.GET_WALK]
        assert 1 <= sum(points[walk_id] == 1200 for walk_id in asked) <= 2
    without = requests_due(msgspec.structs.replace(plan, long_lists=0.0), SEED, 0, 99 * NS)
    with_long = requests_due(plan, SEED, 0, 99 * NS)
    assert [(due.due_ns, due.user, due.operation) for due in with_long] == [
        (due.due_ns, due.user, due.operation) for due in without
    ]


def one_page_alone() -> Lie:
    """What stands on the second page is not there."""

    def lie(method: str, path: str, _user: str, answer: Answer) -> Answer:
        if "page=2" not in path:
            return answer
        listed = msgspec.json.decode(answer.body)
        return msgspec.structs.replace(answer, body=msgspec.json.encode(listed | {"walks": []}))

    return lie


def first_page_again() -> Lie:
    """A target that knows no pages."""
    first: dict[str, Answer] = {}

    def lie(method: str, path: str, user: str, answer: Answer) -> Answer:
        if "page=1" in path:
            first[user] = answer
        return first.get(user, answer) if "page=2" in path else answer

    return lie


def a_thousand_points() -> Lie:
    """What is behind the thousandth location is cut off."""

    def lie(method: str, path: str, _user: str, answer: Answer) -> Answer:
        if method != "GET" or answer.status != 200 or b'"locations"' not in answer.body:
            return answer
        walk = msgspec.json.decode(answer.body)
        return msgspec.structs.replace(answer, body=msgspec.json.encode(walk | {"locations": walk["locations"][:1000]}))

    return lie


def test_an_honest_target_advances(tmp_path: Path) -> None:
    seen = week(tmp_path, PLAN, seed=SEED)
    assert seen.run.decision is Decision.ADVANCE, seen.why
    earlier = [row for row in seen.rows if isinstance(row, RequestRow) and row.due_ns < seen.window.start_ns]
    assert len(earlier) == 20 * 44
    assert all(row.side is Side.API and row.acknowledged and row.done_ns < seen.window.start_ns for row in earlier)


BY_NIGHT = [pytest.param(each, marks=pytest.mark.nightly) for each in (one_page_alone, a_thousand_points)]


@pytest.mark.parametrize("lie", [first_page_again, *BY_NIGHT], ids=lambda lie: lie.__name__)
def test_a_target_that_fails_at_long_lists_or_tracks_is_held(lie: Callable[[], Lie], tmp_path: Path) -> None:
    seen = week(tmp_path, PLAN, seed=SEED, planted=PlantedFaults(lie=lie()))
    assert seen.run.decision is Decision.HOLD, seen.why
    assert seen.told[READS].verdict is Verdict.FAIL
