"""A sequence judged again: what its runs passed on must still be there, and still say so."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.base.errors import Exit
from harness.cli.stored.compare import compare
from harness.cli.stored.folder import read_stored
from harness.cli.stored.rejudge import Rejudgement, rejudge
from harness.cli.stored.words import judged_words
from harness.evidence.gathered import EVIDENCE
from harness.judge.judged import JUDGED_THEN
from harness.model.judgement import Judgement, Kind
from harness.model.message import message
from harness.model.verdict import Decision, Verdict
from tests.rehearsal.sequence import adopt
from tests.rehearsal.toy import Toy
from tests.stored.conftest import Made, changed, main


def again(folder: Path) -> Rejudgement:
    return rejudge(read_stored(str(folder), folder.parent))


async def sequence(made: Made, *runs: tuple[str, int]) -> tuple[Path, list[Path]]:
    """A run that went on over ``runs``, each of a part and of so many rows, of which one is asked for; their folders."""
    parent = await made()
    return parent, adopt(parent, [(part, await made(rows=rows)) for part, rows in runs])


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
    changed(first, "result.json", run_id="another")
    shutil.rmtree(second)
    shutil.copytree(first, second)
    judged = again(parent)
    assert judged.decision is Decision.HOLD
    assert {part: each.verdict for part, each in of_runs(judged).items()} == dict.fromkeys(
        ("week1", "week2"), Verdict.INCONCLUSIVE
    )


async def test_a_run_that_fails_by_today_s_rules_fails_the_sequence(made: Made) -> None:
    parent, (first, _) = await sequence(made, ("week1", 3), ("week2", 3))
    changed(first, "plan.json", at_least=9)
    judged = again(parent)
    assert judged.decision is Decision.HOLD
    found = of_runs(judged)["week1"]
    assert (found.verdict, found.kind) == (Verdict.FAIL, Kind.CHECK) and "toy.rows: 3 rows came" in found.reason


async def test_a_run_that_rolls_back_by_today_s_rules_rolls_the_sequence_back(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fires(*_: object) -> Sequence[Judgement]:
        """The sequence itself is judged so too, as it is of the same rehearsal: its own limit gates nothing there."""
        told = (message("1 of 3 failed"),)
        return [Judgement(id="toy.limit", kind=Kind.ROLLBACK_LIMIT, verdict=Verdict.FAIL, told=told)]

    parent, _ = await sequence(made, ("week1", 3))
    monkeypatch.setattr(Toy, "judge", fires)
    found = of_runs(again(parent))["week1"]
    assert found.fired and "toy.limit: 1 of 3 failed" in found.reason


async def test_what_the_sequence_did_not_go_on_by_is_not_asked(made: Made) -> None:
    """An attempt before the one that passed, and a run that held: the sequence is held by what it knows of that."""
    parent, (first, _, third) = await sequence(made, ("week1", 0), ("week1", 3), ("week2", 0))
    for each in (first, third):
        (each / EVIDENCE).unlink()
    assert of_runs(again(parent)) == {}


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
