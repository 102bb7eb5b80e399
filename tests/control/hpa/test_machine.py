"""The HPA through any sequence of load, blindness, hands and restarts: speed, stabilization and rest hold throughout.

What is held against it is a plain log of what it was asked and what it did, read from the rules of Kubernetes'
documentation ("Horizontal Pod Autoscaling", scaling policies and stabilization window), not from the code under test.
"""

from __future__ import annotations

import math

from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from harness.control.hpa.grouping import Settings
from harness.control.hpa.history import History
from harness.control.hpa.sync import ScaleOutcome, sync
from harness.model.autoscaling import Behavior, Hpa, PodUsage, PolicyKind, ScalingPolicy, ScalingRules, SelectPolicy
from tests.control.hpa.cases import S, an_hpa, look, pods, usage
from tests.session.examples import examples

TARGET_PERCENT = 70  # cases.cpu()
REST_S = 300  # the longest window drawn, and the controller's own

POLICY = st.builds(
    ScalingPolicy,
    kind=st.sampled_from(PolicyKind),
    value=st.sampled_from([1, 2, 3, 4, 8, 25, 50, 100, 200]),
    period_s=st.sampled_from([15, 60, 300]),
)
RULES = st.builds(
    ScalingRules,
    policies=st.lists(POLICY, min_size=1, max_size=3).map(tuple),
    select=st.sampled_from([SelectPolicy.MAX, SelectPolicy.MIN, SelectPolicy.MAX, SelectPolicy.DISABLED]),
    stabilization_s=st.sampled_from([0, 30, 60, 300]),
)
HPA = st.builds(
    lambda low, more, behavior: an_hpa(low, low + more, behavior=behavior),
    st.integers(1, 4),
    st.sampled_from([4, 12, 40]),
    st.none() | st.builds(Behavior, up=RULES, down=RULES) | st.builds(Behavior, up=RULES, down=RULES),
)
WAITS_S = st.sampled_from([1, 14, 15, 16, 20, 30, 60, 61, 299, 300])
PERCENTS = st.sampled_from([0, 20, 50, TARGET_PERCENT, 100, 140, 300, 400])
Log = list[tuple[int, int]]  # when in s, and by how many or how many


class Autoscaler(RuleBasedStateMachine):
    """One HPA and its target, whose pods follow at once."""

    @initialize(hpa=HPA, begin=st.integers(1, 25))
    def begins(self, hpa: Hpa, begin: int) -> None:
        self.hpa = hpa
        self.replicas = begin
        self.at_s = 0
        self.controller_restarts()

    @rule()
    def controller_restarts(self) -> None:
        """It forgets everything, as in Kubernetes: no promise reaches across."""
        self.history = History()
        self.asked: Log = []
        self.changes: Log = []

    @rule(steps=st.lists(st.tuples(WAITS_S, PERCENTS), min_size=2, max_size=8))
    def the_load_changes(self, steps: list[tuple[int, int]]) -> None:
        """All pods alike, in percent of what they request."""
        for wait_s, percent in steps:
            self.at_s += wait_s
            self._reconcile(usage([percent] * self.replicas))

    @rule(wait_s=WAITS_S, percents=st.lists(PERCENTS, min_size=1, max_size=4), missing=st.integers(0, 2))
    def pods_differ(self, wait_s: int, percents: list[int], missing: int) -> None:
        """And some are not measured."""
        self.at_s += wait_s
        self._reconcile(usage([percents[pod % len(percents)] for pod in range(self.replicas)][missing:]))

    @rule(wait_s=WAITS_S)
    def sees_no_metrics(self, wait_s: int) -> None:
        """In range, what cannot be measured is left as it is."""
        self.at_s += wait_s
        before = self.replicas
        outcome = self._reconcile([])
        if self._in_range(before):
            assert not outcome.rescale

    @rule(data=st.data())
    def is_scaled_by_hand(self, data: st.DataObject) -> None:
        """Outside the range too; the HPA does not count it as a change of its own."""
        self.replicas = data.draw(st.integers(1, self.hpa.max_replicas + 3))

    @rule()
    def rests(self) -> None:
        """Load exactly at the target: after the windows nothing changes any more, however often it looks."""
        for _ in range(REST_S // 30 + 1):
            self.at_s += 30
            self._reconcile(usage([TARGET_PERCENT] * self.replicas))
        settled = self.replicas
        for _ in range(3):
            self.at_s += 15
            assert not self._reconcile(usage([TARGET_PERCENT] * self.replicas)).rescale
        assert self.replicas == settled

    def _reconcile(self, used: list[PodUsage]) -> ScaleOutcome:
        before = self.replicas
        seen = look(self.hpa, pods(before), used, at_s=self.at_s)
        first = not self.asked and not self.history.recommendations
        outcome = sync(seen, self.history)
        note(f"{self.at_s} s: {before} -> {outcome.replicas}, asked {outcome.metric_replicas}")
        if first:
            self.asked.append((self.at_s, before))
        assert self.hpa.min_replicas <= outcome.replicas <= self.hpa.max_replicas
        if outcome.metric_replicas is not None:
            self.asked.append((self.at_s, outcome.metric_replicas))
            self._stabilized(before, outcome.replicas)
            self._not_too_fast(before, outcome.replicas)
        if not outcome.rescale:
            again = sync(seen, outcome.history)
            assert (again.replicas, again.rescale) == (before, False)
        else:
            self.changes.append((self.at_s, outcome.replicas - before))
        self.replicas, self.history = outcome.replicas, outcome.history
        return outcome

    def _stabilized(self, before: int, after: int) -> None:
        """Down to no less than the most, up to no more than the least, that was asked for within the window."""
        behavior = self.hpa.behavior
        if behavior is None:
            window_s = Settings().downscale_stabilization_ns // S
            highest = max(asked for at_s, asked in self.asked if at_s >= self.at_s - window_s)
            assert after >= before or after >= highest
            return
        downs = self._asked_within(behavior.down.stabilization_s)
        ups = self._asked_within(behavior.up.stabilization_s)
        assert after >= before or after >= max(downs)
        assert after <= before or after <= min(ups)

    def _asked_within(self, window_s: int | None) -> list[int]:
        assert window_s is not None
        return [asked for at_s, asked in self.asked if at_s > self.at_s - window_s] or [self.asked[-1][1]]

    def _not_too_fast(self, before: int, after: int) -> None:
        """The HPA's own changes within a period of a policy, this one too, are no more than that policy allows; with
        several the one of them that ``selectPolicy`` names decides.
        """
        if not self._in_range(before):
            return  # the range is restored at once
        behavior = self.hpa.behavior
        if behavior is None:
            assert after <= max(2 * before, 4)
        elif after > before:
            assert after <= self._most(behavior.up, before)
        elif after < before:
            assert after >= self._least(behavior.down, before)

    def _most(self, rules: ScalingRules, before: int) -> int:
        if rules.select is SelectPolicy.DISABLED:
            return before
        limits = [
            begin + policy.value if policy.kind is PolicyKind.PODS else math.ceil(begin * (1 + policy.value / 100))
            for policy in rules.policies
            for begin in [self._at_begin(policy.period_s, before)]
        ]
        return max(before, min(limits) if rules.select is SelectPolicy.MIN else max(limits))

    def _least(self, rules: ScalingRules, before: int) -> int:
        if rules.select is SelectPolicy.DISABLED:
            return before
        limits = [
            begin - policy.value if policy.kind is PolicyKind.PODS else int(begin * (1 - policy.value / 100))
            for policy in rules.policies
            for begin in [self._at_begin(policy.period_s, before)]
        ]
        return min(before, max(limits) if rules.select is SelectPolicy.MIN else min(limits))

    def _at_begin(self, period_s: int, before: int) -> int:
        return before - sum(by for at_s, by in self.changes if at_s > self.at_s - period_s)

    def _in_range(self, replicas: int) -> bool:
        return self.hpa.min_replicas <= replicas <= self.hpa.max_replicas


TestAutoscaler = Autoscaler.TestCase
TestAutoscaler.settings = settings(max_examples=examples(100), stateful_step_count=20, deadline=None)
