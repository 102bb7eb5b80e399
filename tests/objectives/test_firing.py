"""When an alert must fire: the rule by evaluation, and the closed form against it on breaches worked through."""

from __future__ import annotations

import math

from hypothesis import assume, given
from hypothesis import strategies as st

from harness.rules.objectives.firing import AlertState, Spell, spells, states
from tests.objectives.breach import Breach

MINUTES_5 = Breach(planted=0.25, limit=0.03, window_s=60, for_s=300, every_s=15, lasts_s=600)


def test_it_is_pending_and_then_fires_and_resolves_at_once() -> None:
    """Four evaluations held for 30 s: pending twice, firing twice."""
    held = [(0, False), (15, True), (30, True), (45, True), (60, True), (75, False)]
    found = states(((at * 1000, on) for at, on in held), 30_000)
    expected = [
        AlertState.QUIET,
        AlertState.PENDING,
        AlertState.PENDING,
        AlertState.FIRING,
        AlertState.FIRING,
        AlertState.QUIET,
    ]
    assert [state for _, state in found] == expected
    assert spells(found) == [Spell(45_000, 75_000)]


def test_one_evaluation_below_begins_again() -> None:
    """A breach that pauses for one evaluation is not held."""
    held = [(n * 15_000, n != 3) for n in range(6)]
    assert spells(states(held, 45_000)) == []


def test_a_breach_of_errors_fires_after_five_minutes_and_the_crossing() -> None:
    """25 % errors exceed 3 % over a minute after 7.2 s."""
    assert MINUTES_5.crosses_after_s == 60 * 0.03 / 0.25
    assert MINUTES_5.fires_after_s == (307.2, 322.2)
    assert MINUTES_5.must_fire


def test_a_breach_that_is_too_short_or_too_small_does_not() -> None:
    """Four minutes, and the gap between objective and alert."""
    assert not Breach(planted=0.25, limit=0.03, window_s=60, for_s=300, every_s=15, lasts_s=240).may_fire
    assert not Breach(planted=0.02, limit=0.03, window_s=60, for_s=300, every_s=15, lasts_s=6000).may_fire


def test_the_document_s_availability_alert_fires_after_hours_of_outage() -> None:
    """Erratum alert.availability_no_window: 99.5 % of 30 days is 3.6 h, five times the budget of 43.2 minutes; a
    burn rate of 14.4 over an hour is reached after 52 s."""
    month_s = 30 * 86_400.0
    written = Breach(planted=1, limit=0.005, window_s=month_s, for_s=0, every_s=15, lasts_s=86_400)
    burns = Breach(planted=1, limit=0.0144, window_s=3600, for_s=0, every_s=15, lasts_s=86_400)
    assert written.crosses_after_s == 3.6 * 3600
    assert math.isclose(burns.crosses_after_s or 0, 51.84)


@given(
    planted=st.floats(0.01, 1), limit=st.floats(0.005, 0.9), window=st.integers(1, 40), lasts=st.integers(1, 400),
    held=st.integers(0, 100), phase=st.floats(0, 1),
)  # fmt: skip
def test_the_closed_form_is_what_the_evaluations_do(
    planted: float, limit: float, window: int, lasts: int, held: int, phase: float
) -> None:
    """A breach laid out in time and evaluated each second, wherever the evaluations fall."""
    breach = Breach(planted=planted, limit=limit, window_s=window, for_s=held, every_s=1, lasts_s=lasts)
    assume(abs(planted - limit) > 1e-6)

    def share(at_s: float) -> float:
        return planted * max(0.0, min(at_s, lasts) - max(0.0, at_s - window)) / window

    times = [number + phase for number in range(lasts + window + held + 3)]
    fired = spells(states(((round(at * 1e6), share(at) > limit) for at in times), held * 1_000_000))
    if breach.must_fire:
        assert fired
    if fired:
        assert breach.may_fire
        assert breach.fires_after_s is not None
        first, last = breach.fires_after_s
        assert first - 1e-3 <= fired[0].fired_ms / 1e6 <= last + 1e-3
        assert breach.resolves_after_s is not None
        first, last = breach.resolves_after_s
        assert fired[0].resolved_ms is not None
        assert first - 1e-3 <= fired[0].resolved_ms / 1e6 <= last + 1e-3
