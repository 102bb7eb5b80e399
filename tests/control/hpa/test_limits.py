"""Range, speed and stabilization: cases worked out from Kubernetes' documentation of ``behavior``."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.control.hpa.history import History, Recommendation
from harness.control.hpa.sync import stabilized_with_behavior, sync
from harness.model.autoscaling import (
    Behavior,
    ConditionType,
    Hpa,
    PolicyKind,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
)
from tests.control.hpa.cases import S, an_hpa, look, one, pods, run, usage
from tests.session.examples import examples


def _pods_policy(value: int, period_s: int = 60) -> ScalingPolicy:
    return ScalingPolicy(kind=PolicyKind.PODS, value=value, period_s=period_s)


def _down(*policies: ScalingPolicy, select: SelectPolicy = SelectPolicy.MAX, window_s: int = 0) -> Behavior:
    return Behavior(down=ScalingRules(policies=policies, select=select, stabilization_s=window_s))


def _up(*policies: ScalingPolicy, select: SelectPolicy = SelectPolicy.MAX, window_s: int = 0) -> Behavior:
    return Behavior(up=ScalingRules(policies=policies, select=select, stabilization_s=window_s))


def _condition(outcome_history: History, type_: ConditionType) -> tuple[bool, str]:
    found = {each.type: each for each in outcome_history.conditions}[type_]
    return found.ok, found.reason


def test_without_behavior_it_at_most_doubles_or_reaches_four() -> None:
    assert run(an_hpa(), [(0, 900), (15, 900), (30, 900)], begin=1) == [4, 8, 16]
    outcome = one(an_hpa(), pods(3), usage([900] * 3))
    assert outcome.replicas == 6
    assert _condition(outcome.history, ConditionType.SCALING_LIMITED) == (True, "ScaleUpLimit")


def test_the_document_s_hpa_from_two_to_ten_and_back() -> None:
    """min 2, max 10, no behavior: 2, 4, 8, 10; down only 5 minutes after the last high recommendation, at once."""
    hpa = an_hpa(2, 10)
    up = [(15 * i, 300) for i in range(4)]
    down = [(15 * i, 5) for i in range(4, 26)]
    seen = run(hpa, up + down, begin=2)
    assert seen[:4] == [4, 8, 10, 10]
    last_high_s = 45
    first_low = next(at_s for (at_s, _), replicas in zip(up + down, seen, strict=True) if replicas == 2)
    assert first_low == last_high_s + 315
    assert set(seen[4:]) == {10, 2}


def test_a_recommendation_on_the_window_s_edge_still_stands_without_behavior() -> None:
    hpa = an_hpa(1, 10)
    kept = History(recommendations=(Recommendation(0, 8),))
    low = [look(hpa, pods(8), usage([1] * 8), at_s=at_s) for at_s in (300, 300.001)]
    assert [sync(each, kept).replicas for each in low] == [8, 1]


def test_with_behavior_the_edge_is_outside() -> None:
    hpa = an_hpa(1, 10, behavior=Behavior())
    kept = History(recommendations=(Recommendation(0, 8),))
    low = [look(hpa, pods(8), usage([1] * 8), at_s=at_s) for at_s in (299.999, 300)]
    assert [sync(each, kept).replicas for each in low] == [8, 1]


def test_zero_replicas_switch_it_off() -> None:
    outcome = one(an_hpa(2, 10), pods(0), [], current=0)
    assert (outcome.replicas, outcome.rescale) == (0, False)
    assert _condition(outcome.history, ConditionType.SCALING_ACTIVE) == (False, "ScalingDisabled")


def test_default_behavior_is_four_pods_or_all_again_in_15_s() -> None:
    """7 x 1.5 asks for 11: at most max(7 + 4, 14)."""
    assert run(an_hpa(behavior=Behavior()), [(0, 900), (15, 900)], begin=7) == [14, 28]
    assert run(an_hpa(behavior=Behavior()), [(0, 900), (15, 900)], begin=2) == [6, 12]


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    hpa = an_hpa(2, 10)
    first = sync(look(hpa, pods(2), usage([70, 70])), History())
    second = sync(look(hpa, pods(2), usage([70, 70]), at_s=15), first.history)
    failed = sync(look(hpa, pods(2), [], at_s=30), second.history)
    since = {each.type: each.since_ns for each in failed.history.conditions}
    assert since == {
        ConditionType.ABLE_TO_SCALE: 0,
        ConditionType.SCALING_ACTIVE: 30 * S,
        ConditionType.SCALING_LIMITED: 0,
    }


def test_the_event_of_a_change() -> None:
    outcome = one(an_hpa(2, 10), pods(2), usage([140, 140]))
    assert outcome.events[-1].reason == "SuccessfulRescale"
    reason = "cpu resource utilization (percentage of request) above target"
    assert outcome.events[-1].message == f"New size: 4; reason: {reason}"


POLICY = st.builds(
    ScalingPolicy, kind=st.sampled_from(PolicyKind), value=st.integers(1, 200), period_s=st.sampled_from([15, 60, 300])
)
RULES = st.builds(
    ScalingRules,
    policies=st.lists(POLICY, min_size=1, max_size=3).map(tuple),
    select=st.sampled_from(SelectPolicy),
    stabilization_s=st.sampled_from([0, 30, 300]),
)
HPA = st.builds(
    lambda low, more, behavior: an_hpa(low, low + more, behavior=behavior),
    st.integers(1, 5),
    st.integers(0, 20),
    st.none() | st.builds(Behavior, up=RULES, down=RULES),
)
STEPS = st.lists(st.tuples(st.integers(1, 90), st.integers(0, 400)), min_size=1, max_size=12)


@settings(max_examples=examples(200), deadline=None)
@given(HPA, STEPS, st.integers(1, 25))
def test_range_and_reason_hold_whatever_happens(hpa: Hpa, steps: list[tuple[int, int]], begin: int) -> None:
    replicas, history, at_s = begin, History(), 0.0
    for wait_s, percent in steps:
        at_s += wait_s
        outcome = sync(look(hpa, pods(replicas), usage([percent] * replicas), at_s=at_s), history)
        assert hpa.min_replicas <= outcome.replicas <= hpa.max_replicas
        assert outcome.rescale == (outcome.replicas != replicas)
        assert (outcome.history.last_scale_ns == round(at_s * S)) == outcome.rescale
        if outcome.metric_replicas is not None and hpa.min_replicas <= replicas <= hpa.max_replicas:
            up, down = outcome.replicas > replicas, outcome.replicas < replicas
            recent = max(each.replicas for each in outcome.history.recommendations)
            assert not up or recent > replicas
            assert not down or outcome.metric_replicas < replicas
        replicas, history = outcome.replicas, outcome.history


@pytest.mark.parametrize("percent", [10, 50, 100])
def test_a_steady_load_settles(percent: int) -> None:
    """Total load fixed: the replicas reach a count from which nothing changes, within 15 minutes."""
    replicas, history, total = 3, History(), 3 * percent * 2
    hpa = an_hpa(1, 40)
    for step in range(80):
        used = usage([total // replicas] * replicas)
        outcome = sync(look(hpa, pods(replicas), used, at_s=15 * step), history)
        replicas, history = outcome.replicas, outcome.history
        if step > 60:
            assert not outcome.rescale


def test_a_held_recommendation_says_in_which_direction() -> None:
    both = Behavior(up=_up(_pods_policy(99), window_s=60).up, down=_down(_pods_policy(99), window_s=60).down)
    kept = History(recommendations=(Recommendation(0, 4),))
    for percent, reason in ((140, "ScaleUpStabilized"), (10, "ScaleDownStabilized")):
        outcome = sync(look(an_hpa(behavior=both), pods(4), usage([percent] * 4), at_s=1), kept)
        assert (outcome.replicas, _condition(outcome.history, ConditionType.ABLE_TO_SCALE)) == (4, (True, reason))


def test_the_controller_s_window_counts_in_whole_seconds() -> None:
    kept = History(recommendations=(Recommendation(0, 8),))

    def highest(at_s: float) -> int:
        stable = stabilized_with_behavior(
            kept, Behavior(), current=8, desired=1, window_ns=300 * S + S // 2, now_ns=round(at_s * S)
        )
        return stable.replicas

    assert (highest(299.9), highest(300.2)) == (8, 1)
