"""The rule in virtual time: its bounds hold for any client, are nearly reached, and the plan comes out as expected."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.model.errors import BadInput
from harness.rehearsals.flag_proof import plan as flag_plan
from harness.rehearsals.flag_proof.judging import judged, virtual_case, virtual_cases
from harness.rehearsals.flag_proof.types import Direction, FetchCase, Kind, Outcome
from harness.rehearsals.flag_proof.virtual import LEAD_S, VirtualClient, bound_s, switch_s

PLAN = msgspec.structs.replace(flag_plan.load(), clients=60)


@st.composite
def clients(draw: st.DrawFn) -> tuple[VirtualClient, float]:
    pace_s = draw(st.floats(2, 120))
    interval_s = draw(st.sampled_from([0.0, 5.0, 60.0, 300.0, 3600.0]))
    session_s = draw(st.sampled_from([0.0, 0.0, 180.0, 3600.0]))
    offline_s = 0.0 if session_s else draw(st.sampled_from([0.0, 30.0, 120.0, 900.0]))
    published_s = draw(st.floats(1000, 8000))
    client = VirtualClient(
        interval_s=interval_s,
        pace_s=pace_s,
        phase_s=draw(st.floats(0, 1)) * pace_s,
        session_s=session_s,
        offline_from_s=published_s - draw(st.floats(0, 1)) * offline_s,
        offline_s=offline_s,
    )
    return client, published_s


@settings(deadline=None)
@given(clients(), st.sampled_from(Direction))
def test_no_client_exceeds_its_bound(drawn: tuple[VirtualClient, float], direction: Direction) -> None:
    client, published_s = drawn
    bound = bound_s(
        interval_s=client.interval_s, pace_s=client.pace_s, session_s=client.session_s, offline_s=client.offline_s
    )
    assert 0 <= switch_s(client, published_s, direction) <= bound + 1e-6


@settings(deadline=None)
@given(clients())
def test_both_directions_take_the_same(drawn: tuple[VirtualClient, float]) -> None:
    assert switch_s(*drawn, Direction.ON_TO_OFF) == switch_s(*drawn, Direction.OFF_TO_ON)


@settings(deadline=None)
@given(clients())
def test_a_client_without_network_switches_after_it(drawn: tuple[VirtualClient, float]) -> None:
    client, published_s = drawn
    took_s = switch_s(client, published_s, Direction.ON_TO_OFF)
    assume(client.offline(published_s))
    assert published_s + took_s >= client.offline_from_s + client.offline_s


def test_the_bound_is_nearly_reached() -> None:
    """Fetched an instant before the publish; the interval passes an instant after a request."""
    client = VirtualClient(interval_s=60, pace_s=50, phase_s=10)
    # Requests at 10, 60 (fetched at 59), 110 (not yet due), 160.
    assert switch_s(client, 59.001, Direction.ON_TO_OFF) == pytest.approx(100.999)
    assert bound_s(interval_s=60, pace_s=50) == 110
    assert bound_s(interval_s=0, pace_s=50) == 50 + LEAD_S


def test_twelve_hours_are_late_by_the_named_erratum_and_everything_is_as_the_plan_says() -> None:
    cases = virtual_cases(PLAN, seed=1)
    assert len(cases) == 4 * 4 * 2
    assert {case.outcome for case in cases} == {Outcome.PASSED, Outcome.ERRATUM_SHOWN}
    twelve = [case for case in cases if ".12h." in case.id]
    assert len(twelve) == 8
    for case in twelve:
        assert case.outcome is Outcome.ERRATUM_SHOWN
        assert case.erratum == "rollout.rollback.twelve_hours"
        assert case.last_s is not None
        assert 36_000 < case.last_s <= (case.bound_s or 0)
    assert all(case.outcome is Outcome.PASSED for case in cases if ".60s.open" in case.id)
    assert cases == virtual_cases(PLAN, seed=1)


def test_an_erratum_that_does_not_show_and_a_lateness_that_nobody_expected_are_against_the_proof() -> None:
    kind = Kind(name="open")
    quick = FetchCase(fetch_interval_s=60, late="rollout.rollback.twelve_hours")
    slow = FetchCase(fetch_interval_s=43_200)
    assert virtual_case(PLAN, quick, kind, Direction.ON_TO_OFF, 1).outcome is Outcome.MISSED
    assert virtual_case(PLAN, slow, kind, Direction.ON_TO_OFF, 1).outcome is Outcome.FAILED


def test_a_client_that_never_switched_and_one_beyond_the_bound_fail_whatever_was_expected() -> None:
    for took_s, clients_ in (([1.0, 2.0], 3), ([1.0, 99.0], 2), ([], 1)):
        case = judged("x", "x", took_s, mode="real", clients=clients_, bound=50, limit=None, late="some.erratum")
        assert case.outcome is Outcome.FAILED
        assert "the rule's bound is 50.0 s" in case.reason


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("limit: 5min", "limit: 5"),
        ("late: rollout.rollback.twelve_hours}   #", "late: no.such.erratum}   #"),
        ("clients: 500", "clients: 0"),
        ("scale: 25", "scale: 1000"),
        ("pace: 50s", "pace: 50s\ntypo: 1"),
    ],
)
def test_a_bad_plan_is_refused(old: str, new: str, tmp_path: object) -> None:
    from pathlib import Path

    text = flag_plan.PATH.read_text()
    assert old in text
    path = Path(str(tmp_path)) / "plan.yaml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(BadInput):
        flag_plan.load(path)
