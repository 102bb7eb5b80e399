"""Range, speed and stabilization: cases worked out from Kubernetes' documentation of ``behavior``."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.control.hpa import rates, stabilize
from harness.control.hpa.history import Change, History, Recommendation, stored
from harness.control.hpa.rates import down_limit, up_limit
from harness.control.hpa.sync import sync
from harness.model.autoscaling import (
    DEFAULT_DOWN,
    DEFAULT_UP,
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


def _percent(value: int, period_s: int = 60) -> ScalingPolicy:
    return ScalingPolicy(kind=PolicyKind.PERCENT, value=value, period_s=period_s)


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


def test_the_first_reconciliation_takes_what_there_is_as_recommended() -> None:
    """So a restarted controller does not scale down at once."""
    outcome = one(an_hpa(1, 10), pods(5), usage([1] * 5))
    assert (outcome.metric_replicas, outcome.replicas) == (1, 5)
    assert _condition(outcome.history, ConditionType.ABLE_TO_SCALE) == (True, "ScaleDownStabilized")


def test_range() -> None:
    assert one(an_hpa(2, 10), pods(1), usage([1])).reason == "Current number of replicas below Spec.MinReplicas"
    assert one(an_hpa(2, 10), pods(12), usage([1] * 12)).replicas == 10
    few = sync(look(an_hpa(3, 10), pods(4), usage([1] * 4), at_s=400), History(recommendations=(Recommendation(0, 1),)))
    assert few.replicas == 3
    assert _condition(few.history, ConditionType.SCALING_LIMITED) == (True, "TooFewReplicas")
    many = one(an_hpa(1, 5), pods(4), usage([900] * 4))
    assert many.replicas == 5
    assert _condition(many.history, ConditionType.SCALING_LIMITED) == (True, "TooManyReplicas")


def test_zero_replicas_switch_it_off() -> None:
    outcome = one(an_hpa(2, 10), pods(0), [], current=0)
    assert (outcome.replicas, outcome.rescale) == (0, False)
    assert _condition(outcome.history, ConditionType.SCALING_ACTIVE) == (False, "ScalingDisabled")


def test_default_behavior_is_four_pods_or_all_again_in_15_s() -> None:
    """7 x 1.5 asks for 11: at most max(7 + 4, 14)."""
    assert run(an_hpa(behavior=Behavior()), [(0, 900), (15, 900)], begin=7) == [14, 28]
    assert run(an_hpa(behavior=Behavior()), [(0, 900), (15, 900)], begin=2) == [6, 12]


def test_a_period_that_is_not_over_holds_what_was_added() -> None:
    """4 pods a minute from 10: 14, then nothing until the minute is over; the reason is the limit."""
    hpa = an_hpa(behavior=_up(_pods_policy(4)))
    assert run(hpa, [(0, 900), (15, 900), (59, 900), (60, 900), (119, 900), (120, 900)], begin=10) == [
        14,
        14,
        14,
        18,
        18,
        22,
    ]


def test_scale_down_by_ten_percent_then_by_four_pods() -> None:
    """Documented example: 80 to 10 with 10 % or 4 pods a minute: 8, 8, 7, ..., and from 40 on 4 each minute."""
    hpa = an_hpa(10, 100, behavior=_down(_pods_policy(4), _percent(10)))
    seen = run(hpa, [(60 * i, 5) for i in range(20)], begin=80)
    assert seen[:8] == [72, 64, 57, 51, 45, 40, 36, 32]
    assert seen[8:] == [28, 24, 20, 16, 12, *[10] * 7]


def test_min_takes_the_slower_policy() -> None:
    both = (_pods_policy(5), _percent(10))
    assert run(an_hpa(10, 100, behavior=_down(*both, select=SelectPolicy.MIN)), [(0, 5)], begin=80) == [75]
    assert run(an_hpa(10, 100, behavior=_down(*both)), [(0, 5)], begin=80) == [72]
    up = (_pods_policy(4), _percent(100))
    assert run(an_hpa(behavior=_up(*up, select=SelectPolicy.MIN)), [(0, 900)], begin=10) == [14]
    assert run(an_hpa(behavior=_up(*up)), [(0, 900)], begin=10) == [20]


def test_disabled_holds_one_direction() -> None:
    down = Behavior(down=msgspec.structs.replace(DEFAULT_DOWN, select=SelectPolicy.DISABLED, stabilization_s=0))
    assert run(an_hpa(behavior=down), [(0, 5), (15, 900)], begin=4) == [4, 8]
    up = Behavior(up=msgspec.structs.replace(DEFAULT_UP, select=SelectPolicy.DISABLED))
    assert run(an_hpa(behavior=up), [(0, 900)], begin=4) == [4]


def test_a_percentage_of_few_replicas_still_lets_one_more_start() -> None:
    assert run(an_hpa(behavior=_up(_percent(10))), [(0, 900)], begin=1) == [2]


def test_what_was_removed_in_the_period_may_come_back() -> None:
    """``periodStartReplicas``: 10 removed 5 a moment ago; 4 pods more than at the period's begin are 14."""
    rules = ScalingRules(policies=(_pods_policy(4),), stabilization_s=0)
    assert up_limit(rules, (), (Change(-S, 5),), 5, 0) == 14
    assert down_limit(rules, (Change(-S, 5),), (), 10, 0) == 1
    assert up_limit(rules, (), (Change(-60 * S, 5),), 5, 0) == 9  # a minute ago is outside


def test_a_period_that_saw_more_than_its_policy_allows_holds_what_there_is() -> None:
    """8 added (or taken) a moment ago under an older policy, 4 a minute allowed: nothing, and not back either."""
    up, down = an_hpa(behavior=_up(_pods_policy(4))), an_hpa(behavior=_down(_pods_policy(4)))
    many = look(up, pods(10), usage([900] * 10))
    assert sync(many, History(ups=(Change(-S, 8),))).replicas == 10
    few = look(down, pods(10), usage([1] * 10), at_s=400)
    kept = History(recommendations=(Recommendation(0, 1),), downs=(Change(399 * S, 8),))
    assert sync(few, kept).replicas == 10


def test_a_stabilization_window_up_takes_the_lowest_recommendation() -> None:
    hpa = an_hpa(behavior=_up(_pods_policy(100), window_s=60))
    assert run(hpa, [(0, 70), (15, 280), (30, 140), (45, 280), (60, 280)], begin=2) == [2, 2, 2, 2, 4]


def test_scale_down_window_of_behavior_overrides_the_controller_s() -> None:
    hpa = an_hpa(1, 10, behavior=_down(_percent(100, 15), window_s=60))
    assert run(hpa, [(0, 70), (30, 5), (60, 5)], begin=8) == [8, 8, 1]


def test_only_changes_that_happened_are_remembered() -> None:
    hpa = an_hpa(2, 10, behavior=Behavior())
    first = sync(look(hpa, pods(2), usage([900, 900])), History())
    assert (first.history.ups, first.history.downs) == ((Change(0, 4),), ())
    again = sync(look(hpa, pods(6), usage([70] * 6), at_s=10), first.history)
    assert again.history.ups == first.history.ups
    much_later = sync(look(hpa, pods(6), usage([900] * 6), at_s=100), again.history)
    assert much_later.history.ups == (Change(100 * S, 4),)
    assert sync(look(an_hpa(2, 10), pods(2), usage([900, 900])), History()).history.ups == ()


def test_a_change_counts_for_the_longer_policy_of_the_other_direction() -> None:
    """``storeScaleEvent`` overwrites one entry that its own direction is done with, and drops none."""
    behavior = Behavior(up=_up(_percent(100, 16)).up, down=_down(_pods_policy(9, 5)).down)
    history = History()
    for at_s, before, after in ((0, 9, 8), (2, 8, 6), (9, 6, 5)):
        history = stored(history, behavior, before, after, at_s * S)
    assert history.downs == (Change(0, 1), Change(9 * S, 1))  # that of 2 s is overwritten, that of 0 s is not
    assert up_limit(behavior.up, (), history.downs, 5, 10 * S) == 14  # 5 and the two that were removed, doubled
    assert up_limit(behavior.up, (), history.downs, 5, 17 * S) == 12


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
    ScalingPolicy,
    kind=st.sampled_from(PolicyKind),
    value=st.integers(1, 200),
    period_s=st.sampled_from([15, 60, 300]),
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


def test_a_change_is_kept_with_those_of_its_direction() -> None:
    behavior = Behavior(up=_up(_pods_policy(4)).up, down=_down(_pods_policy(4)).down)
    before = History(ups=(Change(0, 1),), downs=(Change(0, 2),))
    assert stored(before, behavior, 5, 8, S).ups == (Change(0, 1), Change(S, 3))
    assert stored(before, behavior, 8, 5, S).downs == (Change(0, 2), Change(S, 3))


def test_a_change_is_outdated_beyond_its_longest_policy_and_only_it_is_overwritten() -> None:
    behavior = _up(_pods_policy(4, 60), _pods_policy(9, 15))
    kept = History(ups=(Change(0, 1), Change(30 * S, 2)))
    assert stored(kept, behavior, 5, 8, 60 * S).ups == (*kept.ups, Change(60 * S, 3))
    assert stored(kept, behavior, 5, 8, 61 * S).ups == (Change(61 * S, 3), Change(30 * S, 2))


def test_without_policies_every_earlier_change_is_outdated() -> None:
    assert stored(History(ups=(Change(0, 1),)), _up(), 5, 8, S // 2).ups == (Change(S // 2, 3),)


def test_percentages_of_many_replicas_are_exact() -> None:
    rules = ScalingRules(policies=(_percent(50),), stabilization_s=0)
    assert (up_limit(rules, (), (), 1000, 0), down_limit(rules, (), (), 1000, 0)) == (1500, 500)


def test_of_speed_and_range_the_range_is_named_where_they_are_equal() -> None:
    assert rates.without_behavior(an_hpa(1, 8), 4, 9).reason == "TooManyReplicas"
    behavior = Behavior(up=_up(_pods_policy(4)).up, down=_down(_pods_policy(4)).down)

    def limited(current: int, desired: int) -> tuple[int, str]:
        found = rates.with_behavior(an_hpa(2, 10), behavior, History(), current=current, desired=desired, now_ns=0)
        return found.replicas, found.reason

    assert limited(6, 11) == (10, "TooManyReplicas") and limited(6, 1) == (2, "TooFewReplicas")
    assert limited(5, 11) == (9, "ScaleUpLimit") and limited(7, 1) == (3, "ScaleDownLimit")
    assert limited(6, 10) == (10, "DesiredWithinRange") and limited(6, 2) == (2, "DesiredWithinRange")


def test_what_is_just_allowed_is_within() -> None:
    for current, desired in ((4, 8), (4, 2), (9, 10)):
        assert rates.without_behavior(an_hpa(2, 10), current, desired) == rates.Limited(
            desired, "DesiredWithinRange", "the desired count is within the acceptable range"
        )


def test_a_held_recommendation_says_in_which_direction() -> None:
    both = Behavior(up=_up(_pods_policy(99), window_s=60).up, down=_down(_pods_policy(99), window_s=60).down)
    kept = History(recommendations=(Recommendation(0, 4),))
    for percent, reason in ((140, "ScaleUpStabilized"), (10, "ScaleDownStabilized")):
        outcome = sync(look(an_hpa(behavior=both), pods(4), usage([percent] * 4), at_s=1), kept)
        assert (outcome.replicas, _condition(outcome.history, ConditionType.ABLE_TO_SCALE)) == (4, (True, reason))


def test_the_controller_s_window_counts_in_whole_seconds() -> None:
    kept = History(recommendations=(Recommendation(0, 8),))

    def highest(at_s: float) -> int:
        stable = stabilize.with_behavior(
            kept, Behavior(), current=8, desired=1, window_ns=300 * S + S // 2, now_ns=round(at_s * S)
        )
        return stable.replicas

    assert (highest(299.9), highest(300.2)) == (8, 1)
