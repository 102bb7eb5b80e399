"""A sequence judged again: what its runs passed on must still be there, and still say so."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base.errors import Exit
from harness.cli.stored.compare import Rejudgement, compare, rejudge
from harness.cli.stored.folder import read_stored
from harness.cli.stored.words import judged_words
from harness.evidence.store import EVIDENCE
from harness.model.judgement import Decision, Judgement, Kind, Verdict
from harness.model.message import message
from harness.rehearsals.chaos.types import EndedSchedule, NightDetails
from harness.rehearsals.rollout.sequence import RolloutDetails, WeekAttempt
from harness.rules.judged import JUDGED_THEN
from harness.run.rehearsal import RunRecord
from tests.rehearsal.sequence import adopt
from tests.rehearsal.stand_in import StandIn, StandInDetails, StandInPlan
from tests.stored.conftest import Made, changed, main


class SeriesDetails(StandInDetails, kw_only=True):
    """Of a sequence, and of the runs in it, which are sequences of none."""

    went_on: tuple[tuple[str, str], ...] = ()


@pytest.fixture(autouse=True)
def series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StandIn, "details", SeriesDetails)


def again(folder: Path) -> Rejudgement:
    return rejudge(read_stored(str(folder), folder.parent))


async def sequence(made: Made, *runs: tuple[str, int]) -> tuple[Path, list[Path]]:
    """A run that went on by ``runs``, each of a part and of so many rows, of which one is asked for; their folders."""
    parent = await made()
    folders = [adopt(parent, f"run{number}", await made(rows=rows)) for number, (_, rows) in enumerate(runs)]
    passed = [(part, folder.name) for (part, rows), folder in zip(runs, folders, strict=True) if rows]
    changed(parent, "result.json", details={"rows": 3, "went_on": passed})
    return parent, folders


def of_runs(judged: Rejudgement) -> dict[str, Judgement]:
    """What is said of its runs, by their part."""
    return {pair.part: pair.now for pair in judged.judgements if pair.id == JUDGED_THEN and pair.now is not None}


async def test_a_sequence_whose_runs_say_what_they_said_is_the_same(made: Made) -> None:
    parent, _ = await sequence(made, ("week1", 3), ("week2", 2))
    judged = again(parent)
    assert (judged.same, judged.decision, judged.exit_status) == (True, Decision.ADVANCE, Exit.OK)
    assert of_runs(judged) == {}


def _without_evidence(folder: Path) -> None:
    (folder / EVIDENCE).unlink()


def _garbled(folder: Path) -> None:
    content = (folder / EVIDENCE).read_bytes()
    (folder / EVIDENCE).write_bytes(b"\xff" * len(content))


def _without_plan(folder: Path) -> None:
    (folder / "plan.json").write_text("{")


def _not_to_its_end(folder: Path) -> None:
    changed(folder, "result.json", exit_status=None)


@pytest.mark.parametrize(
    ("lose", "why"),
    [
        (shutil.rmtree, "cannot be judged again: there is no run"),
        (_without_evidence, "by its own evidence it does not now"),
        (_garbled, "cannot be judged again"),
        (_without_plan, "cannot be judged again: plan.json does not say what it must"),
        (_not_to_its_end, "its folder's result is not the one that passed"),
    ],
)
async def test_evidence_of_a_run_that_is_lost_or_broken_holds_the_sequence(made: Made, lose: Any, why: str) -> None:
    parent, (_, second) = await sequence(made, ("week1", 3), ("week2", 3))
    lose(second)
    judged = again(parent)
    assert (judged.same, judged.decision, judged.exit_status) == (False, Decision.HOLD, Exit.HOLD)
    ((part, found),) = of_runs(judged).items()
    assert (part, found.verdict, found.gates) == ("week2", Verdict.INCONCLUSIVE, True)
    assert why in found.reason
    assert why in judged_words(judged) and "NOT the same as stored" in judged_words(judged)


async def test_another_run_in_the_place_of_one_holds_the_sequence(made: Made) -> None:
    parent, (first, second) = await sequence(made, ("week1", 3), ("week2", 3))
    shutil.rmtree(second)
    shutil.copytree(first, second)
    judged = again(parent)
    assert judged.decision is Decision.HOLD
    ((part, found),) = of_runs(judged).items()
    assert part == "week2" and found.reason == "it passed, and its folder's result is not the one that passed"


async def test_a_sequence_that_does_not_know_its_runs_any_more_holds(made: Made) -> None:
    parent, _ = await sequence(made, ("week1", 3))
    changed(parent, "result.json", details={"rows": 3})
    judged = again(parent)
    assert judged.decision is Decision.HOLD
    assert "the run's details do not say went_on" in judged_words(judged)


async def test_a_run_that_cannot_be_judged_by_whatever_error_holds_the_sequence(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent, _ = await sequence(made, ("week1", 3))
    judge = StandIn.judge

    def breaks(self: StandIn, plan: StandInPlan, seen: RunRecord[Any]) -> Iterable[Judgement]:
        if not seen.details.went_on:
            raise KeyError("rows")
        return judge(self, plan, seen)

    monkeypatch.setattr(StandIn, "judge", breaks)
    assert "cannot be judged again: KeyError('rows')" in of_runs(again(parent))["week1"].reason


async def test_a_run_that_fails_by_today_s_rules_fails_the_sequence(made: Made) -> None:
    parent, (first, _) = await sequence(made, ("week1", 3), ("week2", 3))
    changed(first, "plan.json", at_least=9)
    judged = again(parent)
    assert judged.decision is Decision.HOLD
    found = of_runs(judged)["week1"]
    assert (found.verdict, found.kind) == (Verdict.FAIL, Kind.CHECK) and "stand_in.rows: 3 rows came" in found.reason


async def test_a_run_that_does_nothing_by_today_s_rules_holds_the_sequence(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent, _ = await sequence(made, ("week1", 3))
    monkeypatch.setattr(StandIn, "claims", lambda *_: [])
    judge = StandIn.judge
    monkeypatch.setattr(
        StandIn, "judge", lambda self, plan, seen: judge(self, plan, seen) if seen.details.went_on else []
    )
    changed(parent / "run0", "result.json", judgements=[])  # nor had it been judged by anything that gates
    assert of_runs(again(parent))["week1"].reason.endswith("does not now; nothing was exercised")


async def test_a_run_that_rolls_back_by_today_s_rules_rolls_the_sequence_back(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent, _ = await sequence(made, ("week1", 3))
    judge = StandIn.judge

    def fires(self: StandIn, plan: StandInPlan, seen: RunRecord[Any]) -> Iterable[Judgement]:
        yield from judge(self, plan, seen)
        if not seen.details.went_on:  # of the run alone
            told = (message("1 of 3 failed"),)
            yield Judgement(id="stand_in.limit", kind=Kind.ROLLBACK_LIMIT, verdict=Verdict.FAIL, told=told)

    monkeypatch.setattr(StandIn, "judge", fires)
    judged = again(parent)
    assert (judged.decision, judged.exit_status) == (Decision.ROLL_BACK, Exit.ROLLED_BACK)
    found = of_runs(judged)["week1"]
    assert found.fired and "stand_in.limit: 1 of 3 failed" in found.reason


async def test_what_the_sequence_did_not_go_on_by_is_not_asked(made: Made) -> None:
    """An attempt that held, before the one that passed or last of all: the sequence is held by what it knows of it."""
    parent, (first, _, third) = await sequence(made, ("week1", 0), ("week1", 3), ("week2", 0))
    for each in (first, third):
        (each / EVIDENCE).unlink()
    assert of_runs(again(parent)) == {}


def test_a_rollout_went_on_by_the_attempts_that_advanced_and_a_night_by_what_passed() -> None:
    held = WeekAttempt(
        week=1, attempt=1, started_utc="", seconds=1.0, run_id="a", decision=Decision.HOLD, exit_status=10
    )
    passed = msgspec.structs.replace(held, attempt=2, run_id="b", decision=Decision.ADVANCE, exit_status=0)
    left = msgspec.structs.replace(passed, week=2, run_id="c", exit_status=int(Exit.LEAK))
    assert RolloutDetails(attempts=(held, passed, left)).went_on == (("week1", "b"),)
    ended = EndedSchedule(
        seed=7, drawn=(), folder="x", replay="", seconds=1.0, exit_status=0, exercised=1, calls=1, failed=0
    )
    failed = msgspec.structs.replace(ended, seed=8, folder="y", exit_status=10)
    assert NightDetails(ended=[ended, failed]).went_on == (("seed 7", "x"),)


async def test_a_comparison_says_it_too(made: Made) -> None:
    (one, _), (other, (lost,)) = await sequence(made, ("week1", 3)), await sequence(made, ("week1", 3))
    (lost / EVIDENCE).unlink()
    found = compare(read_stored(str(one), one.parent), read_stored(str(other), other.parent))
    assert (found.a.judged, found.b.judged) == (Decision.ADVANCE, Decision.HOLD)


async def test_the_command_ends_in_what_its_runs_say(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    parent, (child,) = await sequence(made, ("week1", 3))
    (child / EVIDENCE).unlink()
    assert main(["judge", str(parent)]) == Exit.HOLD
    assert "week1: judged_then" in capsys.readouterr().out
