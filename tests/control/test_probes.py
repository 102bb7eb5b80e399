"""The kubelet's probe rules."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.control import probes
from harness.evidence.store import read_rows
from harness.model.evidence import EventRow
from harness.model.manifests import Probe
from harness.model.stack import PodState
from tests.corpus.today import folder

S = 1_000_000_000
READINESS = Probe(path="/ready", port=8080, initial_delay_s=5, period_s=10, failure_threshold=3)


def _run(probe: Probe, results: list[bool], *, passing: bool) -> list[bool]:
    state = probes.start(probe, 0, passing=passing)
    seen = []
    for ok in results:
        state = probes.observe(probe, state, ok=ok, at_ns=probes.next_due_ns(probe, state))
        seen.append(state.passing)
    return seen


def test_readiness_starts_not_passing_and_passes_on_the_first_success() -> None:
    assert not probes.start(READINESS, 0, passing=False).passing
    assert _run(READINESS, [False, True], passing=False) == [False, True]


def test_failures_in_a_row_take_it_away_and_a_success_between_starts_the_count_again() -> None:
    results = [True, False, False, True, False, False, False, True]
    assert _run(READINESS, results, passing=False) == [True, True, True, True, True, True, False, True]


def test_success_threshold() -> None:
    probe = Probe(path="/", port=1, success_threshold=2, failure_threshold=1)
    assert _run(probe, [True, False, True, True], passing=False) == [False, False, False, True]


def test_due_times_lie_on_a_grid_however_late_the_results_come() -> None:
    state = probes.start(READINESS, 100 * S, passing=False)
    assert probes.next_due_ns(READINESS, state) == 110 * S
    state = probes.observe(READINESS, state, ok=True, at_ns=110 * S + 900_000_000)
    assert probes.next_due_ns(READINESS, state) == 120 * S
    state = probes.observe(READINESS, state, ok=False, at_ns=132 * S)  # a tick was lost
    assert probes.next_due_ns(READINESS, state) == 140 * S


@pytest.mark.parametrize(
    ("delay_s", "period_s", "first_s", "triggered_s"),
    [(0, 10, 10, 0), (5, 10, 10, 10), (10, 30, 30, 30), (10, 10, 10, 10), (11, 10, 20, 20), (20, 5, 20, 20)],
)
def test_the_first_probe_comes_with_a_tick_and_a_triggered_one_at_once(
    delay_s: float, period_s: float, first_s: int, triggered_s: int
) -> None:
    """The trigger as the container runs waits for the initial delay, and so for a tick."""
    probe = Probe(path="/", port=1, initial_delay_s=delay_s, period_s=period_s)
    state = probes.start(probe, 100 * S, passing=False)
    assert probes.next_due_ns(probe, state) == (100 + first_s) * S
    assert probes.triggered_ns(probe, state, at_ns=100 * S) == (100 + triggered_s) * S
    assert (probes.ready_after_s(probe, probe), probes.ready_after_s(None, probe)) == (first_s, triggered_s)
    assert probes.triggered_ns(probe, state, at_ns=137 * S) == 137 * S  # as its startup probe passes


def test_a_real_kubelet_s_pods_become_ready_when_the_rule_has_it() -> None:
    """Of the stored run on kind: seconds from Running to Ready. The watch, the status' own second and the container's
    start beside its worker's add less than half a period."""
    ready_s, ran_ns = [], dict[str, int]()
    for row in read_rows(folder("scaling_commands_kind") / "evidence.sqlite"):
        if not isinstance(row, EventRow) or row.kind != "pod":
            continue
        if row.data["state"] == PodState.RUNNING:
            ran_ns.setdefault(row.subject, row.at_ns)
        elif row.data["state"] == PodState.READY and row.subject in ran_ns:
            ready_s.append((row.at_ns - ran_ns.pop(row.subject)) / S)
    due_s = probes.ready_after_s(None, READINESS)
    assert len(ready_s) > 20
    assert all(due_s <= each + 0.5 and each < due_s + READINESS.period_s / 2 for each in ready_s)


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=40), st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_a_change_needs_its_whole_streak(results: list[bool], successes: int, failures: int, first: bool) -> None:
    probe = Probe(path="/", port=1, success_threshold=successes, failure_threshold=failures)
    before = first
    for i, after in enumerate(_run(probe, results, passing=first)):
        need = successes if results[i] else failures
        tail = results[max(0, i + 1 - need) : i + 1]
        whole = len(tail) == need and set(tail) == {results[i]}
        assert after == (results[i] if whole else before)
        before = after


@settings(deadline=None)
@given(st.floats(0, 60), st.floats(0.1, 60), st.lists(st.integers(0, 100 * S), max_size=10))
def test_the_next_probe_is_always_later(delay_s: float, period_s: float, waits_ns: list[int]) -> None:
    probe = Probe(path="/", port=1, initial_delay_s=delay_s, period_s=period_s)
    state = probes.start(probe, 7, passing=True)
    at_ns = 0
    for wait_ns in waits_ns:
        due_ns = probes.next_due_ns(probe, state)
        assert due_ns > at_ns
        at_ns = due_ns + wait_ns
        state = probes.observe(probe, state, ok=True, at_ns=at_ns)


def test_a_lost_tick_changes_nothing_but_when_the_next_is_due() -> None:
    state = probes.start(READINESS, 0, passing=False)
    lost = probes.skip(state, at_ns=10 * S)
    assert (lost.passing, lost.streak, lost.last_ok) == (state.passing, 0, None)
    assert probes.next_due_ns(READINESS, lost) == 20 * S
