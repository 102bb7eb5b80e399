"""The rule in virtual time: its bounds hold for any client, are nearly reached, and the plan comes out as expected."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.base import planfile
from harness.base.clock import Anchor
from harness.base.data import PLANS
from harness.base.errors import BadInput
from harness.base.planfile import RuleError
from harness.checks.walk_continuity import WalkContinuity
from harness.model.judgement import Decision, Judgement, Verdict
from harness.model.message import message
from harness.model.result import RunInfo
from harness.model.stack import EnvironmentKind
from harness.rehearsals.flag_proof.rehearsal import REHEARSAL
from harness.rehearsals.flag_proof.types import (
    AGAIN,
    COPIED,
    MOVED,
    NEW_ONLY,
    REAL,
    ROLLED_BACK,
    STORIES,
    VIRTUAL,
    ClientKind,
    FetchCase,
    FlagPlan,
    FlagProofDetails,
    FlipDirection,
    Story,
    Switch,
    WalksHeld,
)
from harness.rehearsals.flag_proof.virtual import LEAD_S, VirtualClient, bound_s, switch_s, virtual_case, virtual_cases
from harness.rules.judged import combine
from harness.run import result as conclude
from tests.register import ERRATA, REGISTER
from tests.rehearsal.made import seen

PLAN = msgspec.structs.replace(planfile.bundled("flag_proof", FlagPlan), clients=60)


@cache
def cases_of_the_plan() -> tuple[Switch, ...]:
    return tuple(virtual_cases(PLAN, seed=1))


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
@given(clients(), st.sampled_from(FlipDirection))
def test_no_client_exceeds_its_bound(drawn: tuple[VirtualClient, float], direction: FlipDirection) -> None:
    client, published_s = drawn
    bound = bound_s(
        interval_s=client.interval_s, pace_s=client.pace_s, session_s=client.session_s, offline_s=client.offline_s
    )
    assert 0 <= switch_s(client, published_s, direction) <= bound + 1e-6


@settings(deadline=None)
@given(clients())
def test_both_directions_take_the_same(drawn: tuple[VirtualClient, float]) -> None:
    assert switch_s(*drawn, FlipDirection.ON_TO_OFF) == switch_s(*drawn, FlipDirection.OFF_TO_ON)


@settings(deadline=None)
@given(clients())
def test_a_client_without_network_switches_after_it(drawn: tuple[VirtualClient, float]) -> None:
    client, published_s = drawn
    took_s = switch_s(client, published_s, FlipDirection.ON_TO_OFF)
    assume(client.offline(published_s))
    assert published_s + took_s >= client.offline_from_s + client.offline_s


def test_the_bound_is_nearly_reached() -> None:
    """Fetched an instant before the publish; the interval passes an instant after a request."""
    client = VirtualClient(interval_s=60, pace_s=50, phase_s=10)
    # Requests at 10, 60 (fetched at 59), 110 (not yet due), 160.
    assert switch_s(client, 59.001, FlipDirection.ON_TO_OFF) == pytest.approx(100.999)
    assert bound_s(interval_s=60, pace_s=50) == 110
    assert bound_s(interval_s=0, pace_s=50) == 50 + LEAD_S


FACTS = RunInfo(
    rung=EnvironmentKind.LOCAL, target="t", target_bundled=True, seed=1, replay="again", started_utc="2026-01-05T00:00:00.000Z",
    anchor=Anchor(monotonic_ns=0, unix_ns=0),
)  # fmt: skip


def judged(details: FlagProofDetails, plan: FlagPlan = PLAN) -> dict[str, Judgement]:
    """By the whole way of a run; what it left nothing of aside."""
    found = conclude.judged(REHEARSAL, plan, seen(details))
    return {each.id: each for each in found if "left nothing to judge" not in each.reason}


def verdict(switch: Switch) -> Judgement:
    """Of a switch of as many clients as the plan has."""
    return judged(FlagProofDetails(switches=[switch]), msgspec.structs.replace(PLAN, clients=switch.clients))[switch.id]


def told(story: Story) -> Judgement:
    return judged(FlagProofDetails(stories=[story]))[f"continuity.{story.name}"]


def held(walks: WalksHeld) -> Judgement:
    return judged(FlagProofDetails(walks=[walks]))[walks.id]


def test_twelve_hours_are_late_by_the_named_erratum_and_everything_is_as_the_plan_says() -> None:
    cases = cases_of_the_plan()
    found = {case.id: verdict(case) for case in cases}
    assert len(found) == 4 * 4 * 2
    assert {each.verdict for each in found.values()} == {Verdict.PASS, Verdict.ERRATUM_SHOWN}
    twelve = [case for case in cases if ".12h." in case.id]
    assert len(twelve) == 8
    for case in twelve:
        judged_ = found[case.id]
        assert (judged_.verdict, judged_.erratum) == (Verdict.ERRATUM_SHOWN, "rollout.rollback.twelve_hours")
        assert judged_.value is not None and 36_000 < judged_.value <= case.bound_s
    assert all(each.verdict is Verdict.PASS for id_, each in found.items() if ".60s.open" in id_)
    assert cases == tuple(virtual_cases(PLAN, seed=1))


def test_sessions_and_a_gap_at_once_have_no_bound() -> None:
    with pytest.raises(RuleError, match="and not both"):
        ClientKind(name="both", session_s=180.0, offline_s=120.0)


@pytest.mark.parametrize(
    ("changes", "interval_s", "why"),
    [({"pace_s": 5.0, "scale": 100.0}, 60.0, "pace"), ({"scale": 5.0}, 43_200.0, "a load lasts at most 7200 s")],
)
def test_a_case_that_no_load_can_run_is_refused_before_any_stack(
    changes: dict[str, float], interval_s: float, why: str
) -> None:
    real = msgspec.structs.replace(PLAN.real, scale=changes["scale"])
    case = FetchCase(fetch_interval_s=interval_s, real=True)
    plan = msgspec.structs.replace(PLAN, real=real, pace_s=changes.get("pace_s", PLAN.pace_s), cases=(case,))
    with pytest.raises(BadInput, match=why):
        REHEARSAL.stack_spec(plan, cast(Any, None), cast(Any, None))
    whole = REHEARSAL.stack_spec(PLAN, cast(Any, None), cast(Any, None))
    assert whole is not None


def test_an_erratum_that_does_not_show_and_a_lateness_that_nobody_expected_are_against_the_proof() -> None:
    kind = ClientKind(name="open")
    quick = FetchCase(fetch_interval_s=60, late="rollout.rollback.twelve_hours")
    slow = FetchCase(fetch_interval_s=43_200)
    missed = verdict(virtual_case(PLAN, quick, kind, FlipDirection.ON_TO_OFF, 1))
    assert (missed.verdict, missed.erratum) == (Verdict.FAIL, "")
    assert verdict(virtual_case(PLAN, slow, kind, FlipDirection.ON_TO_OFF, 1)).verdict is Verdict.FAIL


def switch(last_s: float | None, *, switched: int = 2, virtual: bool = True, late: str = "") -> Switch:
    """Of two clients, whose rule's bound is 400 s."""
    mode, limit_s = (VIRTUAL, 300.0) if virtual else (REAL, None)
    return Switch(
        id=f"{mode}.60s.open.off_to_on", mode=mode, clients=2, switched=switched, last_s=last_s, bound_s=400,
        limit_s=limit_s, late=late,
    )  # fmt: skip


LATE = "rollout.rollback.twelve_hours"


@pytest.mark.parametrize(
    ("of", "found"),
    [
        (switch(400, virtual=False), Verdict.PASS),
        (switch(400.1, virtual=False), Verdict.FAIL),
        (switch(2, switched=1, virtual=False), Verdict.FAIL),
        (switch(None, switched=0, virtual=False), Verdict.FAIL),
        (switch(300), Verdict.PASS),
        (switch(300.1), Verdict.FAIL),
        (switch(2, switched=1), Verdict.FAIL),
        (switch(None, switched=0), Verdict.FAIL),
        (switch(300.1, late=LATE), Verdict.ERRATUM_SHOWN),
        (switch(400, late=LATE), Verdict.ERRATUM_SHOWN),
        (switch(300, late=LATE), Verdict.FAIL),  # it was to be seen
        (switch(400.1, late=LATE), Verdict.FAIL),  # beyond the rule's bound: the rule is wrong
        (switch(350, switched=1, late=LATE), Verdict.FAIL),
        (switch(None, switched=0, late=LATE), Verdict.FAIL),
    ],
)
def test_a_switch_just_in_time_is_in_time(of: Switch, found: Verdict) -> None:
    judgement = verdict(of)
    assert (judgement.verdict, judgement.erratum) == (found, LATE if found is Verdict.ERRATUM_SHOWN else "")


WHOLE = WalkContinuity(walks=3, locations=9, walks_missing=(), locations_missing=(), locations_changed=())
LOSSY = msgspec.structs.replace(WHOLE, locations_missing=("a#1",))
EARLIER = msgspec.structs.replace(WHOLE, walks=1, locations_missing=("a#0", "a#1"))
EMPTY = msgspec.structs.replace(WHOLE, walks_missing=("a", "b", "c"))
NOTHING = msgspec.structs.replace(WHOLE, walks=0, locations=0)
PARTLY = msgspec.structs.replace(WHOLE, walks_missing=("a",))


@pytest.mark.parametrize(
    ("name", "found", "verdict"),
    [
        (MOVED, EMPTY, Verdict.ERRATUM_SHOWN),
        (MOVED, PARTLY, Verdict.FAIL),
        (MOVED, WHOLE, Verdict.FAIL),
        (COPIED, WHOLE, Verdict.PASS),
        (COPIED, LOSSY, Verdict.FAIL),
        (COPIED, NOTHING, Verdict.FAIL),
        (ROLLED_BACK, WHOLE, Verdict.PASS),
        (ROLLED_BACK, PARTLY, Verdict.FAIL),
        (NEW_ONLY, EARLIER, Verdict.ERRATUM_SHOWN),
        (NEW_ONLY, WHOLE, Verdict.FAIL),
        # what the API acknowledged is lost, or all of it: that is no side that replaced what the other had
        (NEW_ONLY, LOSSY, Verdict.FAIL),
        (NEW_ONLY, msgspec.structs.replace(EARLIER, locations_missing=("a#5", "a#6", "a#7", "a#8")), Verdict.FAIL),
        (NEW_ONLY, msgspec.structs.replace(EARLIER, locations=2), Verdict.FAIL),
        (NEW_ONLY, msgspec.structs.replace(EARLIER, locations_changed=("a#3 (speed)",)), Verdict.FAIL),
        (NEW_ONLY, msgspec.structs.replace(EARLIER, locations_missing=("a#0", "a#2")), Verdict.FAIL),
        (NEW_ONLY, EMPTY, Verdict.FAIL),
        (AGAIN, WHOLE, Verdict.PASS),
        (AGAIN, LOSSY, Verdict.FAIL),
    ],
)
def test_a_story_ends_as_the_register_says_or_is_against_the_proof(
    name: str, found: WalkContinuity, verdict: Verdict
) -> None:
    judgement = told(Story(name=name, found=found))
    shown = {MOVED: "dual_write.one_way", NEW_ONLY: "flag.side_flips_in_mid_walk"}
    assert judgement.verdict is verdict
    assert judgement.erratum == (shown[name] if verdict is Verdict.ERRATUM_SHOWN else "")
    adapted = ("api.adapter", "api.identical") if name in {COPIED, ROLLED_BACK} else ()
    assert judgement.claims == (STORIES[name], *adapted), "what was read on both sides went by the adapter"
    assert judgement.key == ("real", f"continuity.{name}")
    assert verdict is Verdict.FAIL or judgement.samples == found.walks


@pytest.mark.parametrize("name", STORIES)
def test_a_story_that_the_target_ended_failed(name: str) -> None:
    judgement = told(Story(name=name, wrong=(message("status 500"),)))
    assert judgement.verdict is Verdict.FAIL and "status 500" in judgement.reason


def test_walks_of_real_phones_are_whole_and_some_were_on_the_api() -> None:
    good = WalksHeld(id="real.60s.walks", clients=PLAN.real.clients, found=WHOLE, both=2)
    found = held(good)
    assert (found.verdict, found.key, found.claims, found.samples) == (
        Verdict.PASS, ("real", "real.60s.walks"), ("flag.factory",), 20,
    )  # fmt: skip
    assert held(msgspec.structs.replace(good, both=0)).verdict is Verdict.FAIL
    assert held(msgspec.structs.replace(good, found=LOSSY)).verdict is Verdict.FAIL
    assert held(msgspec.structs.replace(good, found=NOTHING)).verdict is Verdict.FAIL
    assert held(msgspec.structs.replace(good, found=None, wrong=(message("status 500"),))).verdict is Verdict.FAIL


def test_every_claim_and_erratum_is_in_the_register_and_each_promised_one_is_judged() -> None:
    details = FlagProofDetails(
        switches=[*cases_of_the_plan()],
        stories=[Story(name=name, found=WHOLE) for name in STORIES],
        walks=[WalksHeld(id="real.60s.walks", clients=20, found=WHOLE, both=1)],
    )
    found = [*judged(details).values()]
    promised = {each.claim for each in REHEARSAL.expected(PLAN, seen(details).facts)}
    assert promised == {claim for each in found for claim in (each.claim,)} <= set(REGISTER)
    assert {each.erratum for each in found} - {""} <= set(ERRATA)
    assert combine(found) is Decision.HOLD
    alone = REHEARSAL.expected(msgspec.structs.replace(PLAN, virtual_only=True), seen(details).facts)
    assert {each.part for each in alone} == {"virtual"}


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

    text = (PLANS / "flag_proof.yaml").read_text()
    assert old in text
    path = Path(str(tmp_path)) / "plan.yaml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(BadInput):
        planfile.load(path, FlagPlan)
