"""The rule beside what a controller remembers: planted courses that agree, and such as forget or wait too little."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from harness.base.clock import NS
from harness.control.hpa.history import History
from harness.control.hpa.proposal import Readings
from harness.control.hpa.sync import Look, Scale, sync
from harness.model.autoscaling import Behavior, PolicyKind, ScalingPolicy, ScalingRules, SelectPolicy
from harness.model.evidence import EventRow, SampleRow
from harness.rehearsals.scaling.judge_rule import SEEN_LATE_S, Course, decisions
from harness.rehearsals.scaling.types import Controlled, Decision
from tests.scaling.test_rule import CONTROLLED, MEMORY, pod, resize, usage
from tests.session.examples import examples

#: Memory of each pod in MiB since a time in s, however many there are; 512 MiB are the target of 80 % of 640 MiB.
Held = list[tuple[float, float]]
FOUR_A_MINUTE = (ScalingPolicy(kind=PolicyKind.PODS, value=4, period_s=60),)


def with_behavior(*, window_s: int = 0) -> Controlled:
    """An HPA that adds 4 pods a minute, with that window up and none down."""
    hpa = CONTROLLED.hpa
    up = ScalingRules(policies=FOUR_A_MINUTE, stabilization_s=window_s)
    everything = (ScalingPolicy(kind=PolicyKind.PERCENT, value=100, period_s=15),)
    behavior = Behavior(up=up, down=ScalingRules(policies=everything, stabilization_s=0))
    return msgspec.structs.replace(CONTROLLED, hpa=msgspec.structs.replace(hpa, max_replicas=20, behavior=behavior))


def course_of(sizes: list[tuple[float, int]], held: Held, until_s: float) -> tuple[list[EventRow], list[SampleRow]]:
    """Pods as the ``sizes`` since a time ask for, a resize told of each but the first, all using what is ``held``."""
    rows, samples, there = [], [], 0
    for at_s, size in sizes:
        if at_s > sizes[0][0]:
            rows.append(resize(at_s, size, MEMORY))
        names = [f"p{number}" for number in range(min(size, there), max(size, there))]
        rows += [pod(at_s, name, "Pending" if size > there else "Terminating") for name in names]
        rows += [pod(at_s + 2, name, "Ready" if size > there else "Gone") for name in names]
        there = size
    for at_s in range(round(sizes[0][0]) + 4, round(until_s), 5):
        now = [size for since_s, size in sizes if since_s + 2 <= at_s][-1]
        mib = [mib for since_s, mib in held if since_s <= at_s][-1]
        samples += [row for number in range(now) for row in usage(at_s, f"p{number}", 0.01, mib)]
    return sorted(rows, key=lambda row: row.at_ns), samples


def judged(
    controlled: Controlled,
    sizes: list[tuple[float, int]],
    held: Held,
    *,
    since_s: float = 0,
    more: Sequence[EventRow] = (),
) -> list[Decision]:
    rows, samples = course_of(sizes, held, sizes[-1][0] + 5)
    rows = sorted([*rows, *more], key=lambda row: row.at_ns)
    low = [size for at_s, size in sizes if at_s <= since_s][-1]
    return decisions(rows, samples, controlled, low, round(since_s * NS))


def agrees(decision: Decision) -> bool:
    return decision.size in decision.allowed


#: 570 MiB of 640 are 1.11 of the target: one pod more for each nine; 2000 MiB are 3.9 of it.
ONE_THEN_MANY = [(0.0, 570.0), (110.0, 2000.0)]


@pytest.mark.parametrize(
    ("at_s", "size", "right"),
    [
        (130, 6, True),  # one was added 25 s ago: 4 a minute leave three
        (130, 7, False),  # as if the controller had forgotten it
        (162, 6, True),  # 57.5 s ago, when each may have been seen 3 s late: either
        (162, 7, True),
        (170, 7, True),  # 65 s ago: it counts no more
        (170, 6, False),
    ],
)
def test_what_was_added_within_a_policy_s_period_counts(at_s: float, size: int, right: bool) -> None:
    first, second = judged(with_behavior(), [(0, 2), (104.5, 3), (at_s, size)], ONE_THEN_MANY)
    assert agrees(first), first
    assert agrees(second) is right, second


def test_what_was_taken_within_a_policy_s_period_may_come_back() -> None:
    """8 to 2 half a minute ago: the period began with 8, so that 8 + 4 are allowed; without that only 6 were."""
    held = [(0.0, 512.0), (90.0, 60.0), (110.0, 5000.0)]
    down, up = judged(with_behavior(), [(0, 8), (100, 2), (130, 12)], held)
    assert agrees(down) and agrees(up), (down, up)
    assert not agrees(judged(with_behavior(), [(0, 8), (100, 2), (130, 6)], held)[1])


def hpa_told(at_s: float, change: str) -> EventRow:
    hpa = CONTROLLED.hpa
    said = f"{change}: wants 2 of 2 replicas; no metrics yet"
    return EventRow(at_ns=round(at_s * NS), kind="component", subject=f"hpa/{hpa.name}", message=said)


def test_decisions_of_before_count_while_it_is_the_same_autoscaler() -> None:
    """The first decision is of the part before, which ended at 120 s; the pods tell that it added one."""
    sizes = [(0.0, 2), (104.5, 3), (130.0, 6)]
    (kept,) = judged(with_behavior(), sizes, ONE_THEN_MANY, since_s=120, more=[hpa_told(1, "ADDED")])
    assert kept.allowed == (6,)
    anew = [hpa_told(1, "ADDED"), hpa_told(110, "DELETED"), hpa_told(112, "ADDED")]
    (forgotten,) = judged(with_behavior(), sizes, ONE_THEN_MANY, since_s=120, more=anew)
    assert forgotten.allowed == (7,)


@pytest.mark.parametrize(
    ("at_s", "right"),
    [
        (140, False),  # the metrics asked for two as late as 20 s ago, within the window
        (205, True),  # every recommendation of the last minute and more asked for four
    ],
)
def test_a_window_up_follows_the_least_that_was_asked_for(at_s: float, right: bool) -> None:
    held = [(0.0, 512.0), (120.0, 1000.0)]
    (only,) = judged(with_behavior(window_s=60), [(0, 2), (at_s, 4)], held)
    assert agrees(only) is right, only
    assert agrees(judged(with_behavior(), [(0, 2), (at_s, 4)], held)[0])


def test_a_window_up_may_follow_less_than_is_asked_for_now() -> None:
    held = [(0.0, 512.0), (120.0, 750.0), (180.0, 1500.0)]  # two, then three, then six
    assert agrees(judged(with_behavior(window_s=60), [(0, 2), (200, 3)], held)[0])
    assert not agrees(judged(with_behavior(window_s=60), [(0, 2), (200, 6)], held)[0])
    assert not agrees(judged(with_behavior(), [(0, 2), (200, 3)], held)[0])


def test_without_behavior_the_most_that_was_asked_for_holds_on_the_way_up_too() -> None:
    """Two pods ask for eight; four is as far as one sync goes. Their successors ask for five: it is eight still."""
    held = [(0.0, 512.0), (100.0, 2000.0), (131.0, 600.0)]
    first, second = judged(CONTROLLED, [(0, 2), (130, 4), (160, 8)], held)
    assert agrees(first) and agrees(second), (first, second)
    assert not agrees(judged(CONTROLLED, [(0, 2), (130, 4), (160, 5)], held)[1])


HELD = st.lists(st.sampled_from([40.0, 300.0, 512.0, 560.0, 620.0, 900.0, 2000.0]), min_size=1, max_size=8)
POLICY = st.builds(
    ScalingPolicy, kind=st.sampled_from(PolicyKind), value=st.integers(1, 100), period_s=st.sampled_from([15, 60, 90])
)
RULES = st.builds(
    ScalingRules,
    policies=st.lists(POLICY, min_size=1, max_size=2).map(tuple),
    select=st.sampled_from([SelectPolicy.MAX, SelectPolicy.MIN]),
    stabilization_s=st.sampled_from([0, 30, 120]),
)
ONE_EACH_SYNC = ScalingRules(
    policies=(ScalingPolicy(kind=PolicyKind.PODS, value=1, period_s=15),), select=SelectPolicy.MAX, stabilization_s=0
)


@settings(max_examples=examples(60), deadline=None)
@example(  # a change 12 s ago as it was seen is one of 15 s ago when it was seen as late as any: it counts no more
    behavior=Behavior(up=ONE_EACH_SYNC, down=ONE_EACH_SYNC),
    held=[40.0, 40.0, 620.0],
    late_s=[0] * 13 + [SEEN_LATE_S] + [0] * 46,
)
@given(st.none() | st.builds(Behavior, up=RULES, down=RULES), HELD, st.lists(st.integers(0, 3), min_size=60))
def test_whatever_a_controller_does_by_the_rule_agrees(
    behavior: Behavior | None, held: list[float], late_s: list[int]
) -> None:
    """``sync`` each 15 s over memory that changes each 75 s; each decision is seen up to 3 s late."""
    four = with_behavior().hpa
    hpa = msgspec.structs.replace(four, behavior=behavior)
    ruled = msgspec.structs.replace(CONTROLLED, hpa=hpa)
    memory = [(75.0 * number, mib) for number, mib in enumerate(held)]
    sizes, seen, history = [(0.0, 2)], [(0.0, 2)], History()
    for at_s in range(15, 75 * len(held), 15):
        course, current = Course(*course_of(sizes, memory, at_s), ruled), sizes[-1][1]
        of = course._scaled(at_s * NS)
        readings = Readings(pods=[*map(course._usage_of, course._there(at_s * NS, of))])
        look = Look(hpa=hpa, scale=Scale(current, len(of)), pods=of, readings=readings, now_ns=at_s * NS)
        outcome = sync(look, history)
        history = outcome.history
        if outcome.rescale:
            sizes.append((float(at_s), outcome.replicas))
            seen.append((float(at_s + late_s[at_s // 15]), outcome.replicas))
    for decision in judged(ruled, seen, memory):
        assert agrees(decision), (decision, seen)


def by_hand(current: int, mib: float) -> int:
    """What Kubernetes documents for one metric: usage over target, no change within a tenth, rounded up, 2 to 20."""
    ratio = math.floor(100 * mib / 640) / 80
    return current if 0.9 <= ratio <= 1.1 else max(2, min(20, math.ceil(ratio * current)))


@settings(max_examples=examples(40), deadline=None)
@example(held=[900.0, 300.0], aside=-1)  # of four pods two are left, and two of so little memory are two: three it was
@given(HELD, st.sampled_from([-1, 1]))
def test_the_rule_allows_what_is_worked_out_by_hand_and_nothing_beside_it(held: list[float], aside: int) -> None:
    """Nothing limits or stabilises: each 75 s the memory changes, and 30 s later there is one decision."""
    whole = ScalingRules(
        policies=(ScalingPolicy(kind=PolicyKind.PERCENT, value=2000, period_s=15),),
        select=SelectPolicy.MAX,
        stabilization_s=0,
    )
    down = ScalingRules(policies=(ScalingPolicy(kind=PolicyKind.PERCENT, value=100, period_s=15),), stabilization_s=0)
    limits = with_behavior().hpa
    hpa = msgspec.structs.replace(limits, behavior=Behavior(up=whole, down=down))
    ruled = msgspec.structs.replace(CONTROLLED, hpa=hpa)
    memory = [(75.0 * number, mib) for number, mib in enumerate([512.0, *held])]
    sizes = [(0.0, 2)]
    for since_s, mib in memory[1:]:
        wanted = by_hand(sizes[-1][1], mib)
        if wanted != sizes[-1][1]:
            sizes.append((since_s + 30, wanted))
    assume(len(sizes) > 1)
    found = judged(ruled, sizes, memory)
    assert [decision.size for decision in found] == [size for _, size in sizes[1:]]
    assert all(map(agrees, found)), found
    wrong = [*sizes[:-1], (sizes[-1][0], sizes[-1][1] + aside)]
    assume(wrong[-1][1] not in (0, sizes[-2][1]))
    assert not agrees(judged(ruled, wrong, memory)[-1])
