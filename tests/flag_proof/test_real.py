"""The proof on the real local stack, and the planted losses that its own looking must find."""

from __future__ import annotations

import itertools
from pathlib import Path

import msgspec
import pytest

from harness.base import planfile
from harness.base.clock import NS, MachineClock
from harness.base.data import ROOT
from harness.base.errors import Exit
from harness.base.progress import Progress
from harness.checks.walk_continuity import continuity
from harness.cli.main import main
from harness.load.population.schedule import PlannedRequest, accounts, slots, user_schedule
from harness.load.population.walk import WalkUpdate
from harness.load.users import UsersPlan
from harness.model.evidence import Operation, Outcome, RequestRow, Side
from harness.model.judgement import Decision, Verdict
from harness.model.result import Result
from harness.model.scenario import AudiencePlan, PopulationPlan, ProbePlan
from harness.model.stack import EnvironmentKind
from harness.rehearsals.flag_proof.real import course, recorded_walks, switches
from harness.rehearsals.flag_proof.rehearsal import REHEARSAL
from harness.rehearsals.flag_proof.types import FetchCase, FlagPlan
from harness.run.options import Options
from harness.run.runner import Runner
from harness.stack.target.targets import resolve
from tests.main_job import left_of
from tests.rehearsal.again import judged_again

CLOCK = MachineClock()
UNIX_NS = CLOCK.anchor.unix_ns


def users_plan(users: int = 2) -> UsersPlan:
    population = PopulationPlan(audiences=(AudiencePlan(name="all", users=users, flag_on=users),), pace_s=2.0)
    return UsersPlan(population=population, probes=ProbePlan(), request_timeout_s=10.0, seed=1)


def schedule(plan: UsersPlan, count: int) -> dict[str, list[PlannedRequest]]:
    users = accounts(plan.population, plan.seed)
    placed = slots(plan.population, users, plan.seed)
    return {
        a.user: list(
            itertools.islice(user_schedule(a.user, placed[a.user], plan.population, plan.seed, UNIX_NS), count)
        )
        for a in users
    }


def row(planned: PlannedRequest, side: Side = Side.API, *, acknowledged: bool = True) -> RequestRow:
    return RequestRow(
        operation_id=planned.operation_id,
        user=planned.user,
        audience="all",
        side=side,
        operation=planned.operation,
        due_ns=planned.due_offset_ns,
        sent_ns=planned.due_offset_ns,
        done_ns=planned.due_offset_ns + 1,
        status=200,
        outcome=Outcome.OK,
        acknowledged=acknowledged and planned.operation is Operation.PUT_WALK,
        payload_digest="",
        flag=side is Side.API,
        walk_id=planned.walk_id,
    )


def test_what_the_phones_recorded_is_rebuilt_and_a_walk_that_never_arrived_is_missed() -> None:
    plan = users_plan()
    planned = schedule(plan, 45)
    recorded = recorded_walks(plan, [row(each) for mine in planned.values() for each in mine], UNIX_NS)
    puts = [p for mine in planned.values() for p in mine if isinstance(p.body, WalkUpdate)]
    deleted = {p.walk_id for mine in planned.values() for p in mine if p.operation is Operation.DELETE_WALK}
    assert set(recorded) == {p.walk_id for p in puts} - deleted
    for walk_id, points in recorded.items():
        assert len(points) == sum(
            len(p.body.locations) for p in puts if p.walk_id == walk_id and isinstance(p.body, WalkUpdate)
        )
    lost = dict(recorded)
    walk_id = next(iter(lost))
    del lost[walk_id]
    assert continuity(recorded, lost).walks_missing == (walk_id,)


def test_a_put_that_nobody_confirmed_counts_once_its_walk_is_over() -> None:
    plan = users_plan(1)
    (mine,) = schedule(plan, 60).values()
    puts = [each for each in mine if isinstance(each.body, WalkUpdate)]
    old = puts[0].walk_id
    unconfirmed = [row(each, acknowledged=each.walk_id != old) for each in mine]
    assert old in recorded_walks(plan, unconfirmed, UNIX_NS)
    first = [each for each in mine if each.number <= puts[1].number]
    open_ = recorded_walks(plan, [row(each, acknowledged=each is not puts[1]) for each in first], UNIX_NS)
    assert isinstance(puts[0].body, WalkUpdate)
    assert len(open_[puts[0].walk_id]) == len(puts[0].body.locations)
    begun = [each for each in mine if each.number <= puts[0].number]
    assert recorded_walks(plan, [row(each, acknowledged=False) for each in begun], UNIX_NS) == {}, "none need be there"
    assert set(recorded_walks(plan, [row(each) for each in begun], UNIX_NS)) == {old}


def test_switches_count_from_the_first_request_after_which_none_goes_back() -> None:
    (mine,) = schedule(users_plan(1), 6).values()
    sides = [Side.FIRESTORE, Side.API, Side.FIRESTORE, Side.FIRESTORE, Side.API, Side.API]
    rows = [row(each, side) for each, side in zip(mine, sides, strict=True)]
    assert switches(rows, 0, Side.API) == {"u0001": mine[4].due_offset_ns / NS}
    assert switches(rows[:4], 0, Side.API) == {}  # it went back: it has not switched


def test_the_course_leaves_room_for_the_bound_after_each_publish() -> None:
    plan = planfile.bundled("flag_proof", FlagPlan)
    for case in plan.cases:
        found = course(plan, case)
        assert found.on_s - found.offline_s / 2 > 0
        assert found.off_s - found.offline_s / 2 > found.on_s + found.bound_s
        assert found.end_s > found.off_s + found.bound_s


@pytest.mark.process  # asks whether the machine has control groups, by a process
def test_virtual_only_by_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flag_proof", "--virtual-only", "--reports", str(tmp_path), "--json"]) == Exit.OK
    result = msgspec.json.decode(capsys.readouterr().out.encode(), type=Result)
    assert result.decision is Decision.ADVANCE
    assert {each.part for each in result.judgements} == {"virtual"}
    (folder,) = tmp_path.glob("2*")
    assert {path.name for path in folder.iterdir()} >= {"result.json", "junit.xml", "report.html", "summary.md"}
    judged_again(REHEARSAL, FlagPlan, folder)


@pytest.mark.stack
@pytest.mark.slow
@pytest.mark.nightly  # every interval is proved in virtual time per push, by the same command (above)
async def test_the_proof_on_the_real_stack(tmp_path: Path) -> None:
    whole = planfile.bundled("flag_proof", FlagPlan)
    plan = msgspec.structs.replace(
        whole,
        clients=20,
        cases=(FetchCase(fetch_interval_s=60, real=True),),
        real=msgspec.structs.replace(whole.real, clients=12, offline=3),
    )
    options = Options(
        rung=EnvironmentKind.LOCAL,
        target=resolve(None),
        seed=1,
        reports=tmp_path,
        manifests=ROOT / "deploy/kubernetes/overlays/local",
        replay="again",
    )
    result = await Runner(REHEARSAL, plan, options, CLOCK, Progress(CLOCK)).run()
    told = [f"{each.id}: {each.verdict}: {each.reason}" for each in result.judgements]
    assert result.exit_status == Exit.OK, told
    assert result.facts.leaks == result.facts.errors == ()
    assert left_of(result.run_id) == set()
    verdicts = {each.id: each.verdict for each in result.judgements if each.part == "real"}
    assert {id_ for id_, verdict in verdicts.items() if verdict is Verdict.ERRATUM_SHOWN} == {
        "continuity.moved_without_a_copy",
        "continuity.flipped_on_in_mid_walk.new_locations_only",
    }
    assert {id_ for id_ in verdicts if id_.startswith("real.")} == {
        *(f"real.60s.{kind}.{way}" for kind in ("open", "offline") for way in ("off_to_on", "on_to_off")),
        "real.60s.walks",
    }
    judged_again(REHEARSAL, FlagPlan, tmp_path / result.run_id)
