"""A phone's memory: nothing that no side has confirmed is ever left out of what is sent next."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from harness.load.phone import WalkMemory
from harness.load.population.schedule import PlannedRequest, Slot, user_schedule
from harness.load.population.walk import WalkUpdate, moment
from harness.model.evidence import Operation, Side
from harness.model.scenario import AudiencePlan, PopulationPlan

PLAN = PopulationPlan(audiences=(AudiencePlan(name="all", users=1, flag_on=1),), pace_s=10.0)


def planned(count: int, position: int = 0) -> list[PlannedRequest]:
    schedule = user_schedule("u1", Slot(place=0, position=position), PLAN, 1, 0)
    return list(itertools.islice(schedule, count))


def sequence(sent: PlannedRequest) -> list[int]:
    assert isinstance(sent.body, WalkUpdate)
    return [point.sequence_number for point in sent.body.locations]


def test_without_a_failure_what_is_sent_is_what_was_planned() -> None:
    memory = WalkMemory()
    for each in planned(60):
        memory.remember(each, moment(0))
        assert memory.to_send(each, Side.API) is each
        assert memory.left_behind(each) is None
        memory.confirm(each, Side.API)


def test_a_failed_put_goes_again_with_the_next() -> None:
    first, second, *_ = (each for each in planned(5) if isinstance(each.body, WalkUpdate))
    memory = WalkMemory()
    memory.remember(first, moment(0))
    memory.remember(second, moment(0))
    assert sequence(memory.to_send(second, Side.API)) == sequence(first) + sequence(second)


def test_a_side_that_has_not_seen_the_walk_is_told_all_of_it() -> None:
    first, second, *_ = (each for each in planned(5) if isinstance(each.body, WalkUpdate))
    memory = WalkMemory()
    memory.remember(first, moment(0))
    memory.confirm(first, Side.FIRESTORE)
    memory.remember(second, moment(0))
    assert sequence(memory.to_send(second, Side.API)) == sequence(first) + sequence(second)
    whole = memory.whole(second.walk_id)
    assert whole is not None
    assert [point.sequence_number for point in whole.locations] == sequence(first) + sequence(second)


@given(st.lists(st.tuples(st.sampled_from(Side), st.booleans()), min_size=25, max_size=60), st.integers(0, 19))
def test_whatever_fails_and_flips_all_arrives_in_the_end(course: list[tuple[Side, bool]], position: int) -> None:
    """Both sides merge what they are told, as the API does and as a whole Firestore document is."""
    memory = WalkMemory()
    held: dict[Side, dict[str, set[int]]] = {side: {} for side in Side}
    recorded: dict[str, set[int]] = {}
    plan = planned(len(course) + 25, position)
    for each, (side, arrives) in zip(plan, [*course, *[(Side.API, True)] * 25], strict=True):
        memory.remember(each, moment(0))
        if isinstance(each.body, WalkUpdate):
            recorded.setdefault(each.walk_id, set()).update(sequence(each))
        if each.operation is Operation.DELETE_WALK:
            recorded.pop(each.walk_id, None)
        for sent in (each, memory.left_behind(each)):
            if sent is None or not arrives or not isinstance(sent.body, WalkUpdate):
                continue
            told = memory.to_send(sent, side)
            whole = memory.whole(sent.walk_id)
            assert whole is not None
            arrived = set(sequence(told)) if side is Side.API else {point.sequence_number for point in whole.locations}
            held[side].setdefault(sent.walk_id, set()).update(arrived)
            memory.confirm(sent, side)
    for walk_id, numbers in recorded.items():
        assert any(held[side].get(walk_id, set()) >= numbers for side in Side), walk_id
