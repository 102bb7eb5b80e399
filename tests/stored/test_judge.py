"""``judge``: a stored run of any rehearsal judged again, to the same or to what differs, and errors for people."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base.errors import BadInput, Exit
from harness.cli.stored.compare import Rejudgement, compare, rejudge
from harness.cli.stored.folder import locate, read_stored
from harness.cli.stored.words import compared_words, judged_words
from harness.evidence.store import EVIDENCE
from harness.model.judgement import Decision, Judgement, Verdict
from harness.model.message import message
from harness.model.stack import EnvironmentKind
from harness.report import words
from harness.report.language import language
from harness.run.rehearsal import RunRecord
from tests.rehearsal.empty import Empty, conductor
from tests.rehearsal.stand_in import StandIn, StandInPlan
from tests.stored.conftest import Made, changed, main


def again(folder: Path) -> Rejudgement:
    return rejudge(read_stored(str(folder), folder.parent))


async def test_the_same_run_is_judged_to_the_same(made: Made) -> None:
    folder = await made()
    judged = again(folder)
    assert (judged.same, judged.decision, judged.exit_status) == (True, Decision.ADVANCE, Exit.OK)
    assert [(pair.id, pair.differs) for pair in judged.judgements] == [("stand_in.rows", ())]
    assert judged.rows["event"] > 3
    told = judged_words(judged)
    assert "the same as stored" in told and "stand_in.rows: 3 rows came" in told
    assert "decision stored: all passed" in told


async def test_a_run_that_held_is_judged_to_hold(made: Made) -> None:
    judged = again(await made(rows=1, at_least=2))
    assert (judged.same, judged.decision, judged.exit_status) == (True, Decision.HOLD, Exit.HOLD)


async def test_a_stored_verdict_that_is_another_today_is_told(made: Made) -> None:
    folder = await made()
    document = json.loads((folder / "result.json").read_text())
    document["judgements"][0] |= {"verdict": "fail", "value": 0.5}
    document["decision"] = "hold"
    (folder / "result.json").write_text(json.dumps(document))
    judged = again(folder)
    assert not judged.same
    assert judged.judgements[0].differs == ("verdict", "value")
    assert (judged.stored_decision, judged.decision) == (Decision.HOLD, Decision.ADVANCE)
    told = judged_words(judged)
    assert "NOT the same as stored" in told and "stand_in.rows differs: verdict, value" in told and "DIFFERS" in told


async def test_a_plan_that_asks_for_more_fails_what_was_seen(made: Made) -> None:
    folder = await made()
    changed(folder, "plan.json", at_least=99)
    judged = again(folder)
    assert judged.judgements[0].now is not None
    assert judged.judgements[0].now.verdict is Verdict.FAIL
    assert (judged.same, judged.exit_status) == (False, Exit.HOLD)


async def test_a_judgement_that_is_new_or_gone_is_told(made: Made) -> None:
    folder = await made()
    document = json.loads((folder / "result.json").read_text())
    document["judgements"][0]["id"] = "stand_in.older"
    (folder / "result.json").write_text(json.dumps(document))
    differs = {pair.id: pair.differs for pair in again(folder).judgements}
    assert differs == {"stand_in.older": ("not judged now",), "stand_in.rows": ("not judged then",)}


@pytest.mark.parametrize(
    "where", ["", "WHERE seq = 2", "WHERE kind = 'component'", "WHERE seq = (SELECT MAX(seq) FROM events)"]
)
async def test_rows_that_were_lost_since_hold(made: Made, where: str) -> None:
    folder = await made()
    with sqlite3.connect(folder / EVIDENCE) as connection:
        connection.execute(f"DELETE FROM events {where}")
    connection.close()
    judged = again(folder)
    (lost,) = (pair.now for pair in judged.judgements if pair.stored is None)
    assert lost is not None and lost.holds and "of evidence, and" in lost.reason
    assert (judged.same, judged.decision, judged.exit_status) == (False, Decision.HOLD, Exit.HOLD)


async def test_evidence_that_is_not_there_holds(made: Made) -> None:
    folder = await made()
    (folder / EVIDENCE).unlink()
    judged = again(folder)
    assert (judged.decision, judged.exit_status) == (Decision.HOLD, Exit.HOLD)
    assert "evidence.sqlite is not there" in judged_words(judged)


async def test_a_row_that_was_doubled_since_holds(made: Made) -> None:
    folder = await made()
    with sqlite3.connect(folder / EVIDENCE) as connection:
        of = "at_ns, kind, subject, message, data"
        connection.execute(f"INSERT INTO events (seq, {of}) SELECT 999, {of} FROM events WHERE seq = 2")
    connection.close()
    assert again(folder).decision is Decision.HOLD


async def test_details_that_do_not_say_what_they_must_hold(made: Made) -> None:
    """A default in their place is nothing that was seen."""
    folder = await made()
    changed(folder, "result.json", details={})
    changed(folder, "plan.json", at_least=0)  # which promises nothing
    judged = again(folder)
    assert (judged.decision, judged.exit_status) == (Decision.HOLD, Exit.HOLD)
    assert "the run's details do not say rows" in judged_words(judged)


async def test_what_had_been_judged_and_cannot_be_any_more_holds(made: Made) -> None:
    folder = await made()
    document = json.loads((folder / "result.json").read_text())
    more = {**document["judgements"][0], "id": "stand_in.check", "claim": "stand_in.check", "kind": "check"}
    changed(folder, "result.json", judgements=[*document["judgements"], more])
    judged = again(folder)
    assert (judged.same, judged.decision, judged.exit_status) == (False, Decision.HOLD, Exit.HOLD)
    assert "the run had judged it, and nothing does now: stand_in.check" in judged_words(judged)
    stored = read_stored(str(folder), folder.parent)
    assert compare(stored, stored).b.judged is Decision.HOLD


@pytest.mark.parametrize(("verdict", "gates", "holds"), [("not_exercised", False, True), ("not_exercised", True, True),
                                                        ("pass", False, False), ("pass", True, False)])  # fmt: skip
async def test_what_gated_and_is_not_exercised_any_more_holds(
    verdict: str, gates: bool, holds: bool, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it rested on may be lost: else a fail would become nothing."""
    folder = await made()
    document = json.loads((folder / "result.json").read_text())
    more = {
        **document["judgements"][0],
        "id": "stand_in.more",
        "claim": "stand_in.more",
        "verdict": "fail",
        "also": ["stand_in.rows"],
    }
    changed(folder, "result.json", judgements=[*document["judgements"], more])
    judge, told = StandIn.judge, (message("as it is now"),)

    def again_with_it(self: StandIn, plan: StandInPlan, seen: RunRecord[Any]) -> Iterable[Judgement]:
        yield from judge(self, plan, seen)
        also = ("stand_in.rows",)  # which another judgement has, too: its own word is its own
        yield Judgement(
            id="stand_in.more", claim="stand_in.more", also=also, verdict=Verdict(verdict), told=told, gates=gates
        )

    monkeypatch.setattr(StandIn, "judge", again_with_it)
    judged = again(folder)
    assert judged.decision is (Decision.HOLD if holds else Decision.ADVANCE)
    gone = "the run had judged it, and nothing does now: stand_in.more" in judged_words(judged)
    assert gone is (holds and not gates)


async def test_a_run_that_broke_decides_nothing(made: Made) -> None:
    judged = again(await made(rows=3, at_least=9, dies=True))
    assert (judged.decision, judged.evidence_says, judged.exit_status) == (None, Decision.HOLD, Exit.RUN_BROKEN)
    assert "the run broke: part died" in judged_words(judged)
    assert "its evidence alone would say: not all passed" in judged_words(judged)


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"rows": 3}, Exit.OK),
        ({"rows": 1, "at_least": 2}, Exit.HOLD),
        ({"left": ("a port",)}, Exit.LEAK),
        ({"rows": 1, "at_least": 2, "left": ("a port",)}, Exit.LEAK),
        ({"dies": True, "at_least": 9}, Exit.RUN_BROKEN),
        ({"dies": True, "at_least": 9, "left": ("a port",)}, Exit.LEAK),
    ],
)
async def test_what_befell_a_run_and_what_it_left_is_its_exit_status_again(
    made: Made, how: dict[str, Any], status: Exit
) -> None:
    folder = await made(**how)
    assert json.loads((folder / "result.json").read_text())["exit_status"] == status
    assert again(folder).exit_status == status


async def test_a_killed_run_is_judged_from_what_it_left(tmp_path: Path) -> None:
    stack = Empty(rows=2)
    run = conductor(tmp_path, stack, plan=StandInPlan(at_least=99))
    task = asyncio.ensure_future(run.run())
    await stack.is_up.wait()
    await asyncio.sleep(0.1)
    killed = tmp_path / "killed"
    shutil.copytree(run.folder, killed)
    run.interrupt()
    await task
    judged = again(killed)
    assert (judged.stored_decision, judged.decision, judged.same) == (None, None, False)
    assert [(pair.id, str(pair.now.verdict)) for pair in judged.judgements if pair.now] == [
        ("stand_in.rows", "inconclusive")
    ]
    assert "was killed before it could report" in judged_words(judged)
    stored = read_stored(str(killed), tmp_path)
    assert stored.killed and stored.result.facts.capabilities == ("autoscaling", "eviction")


async def test_what_a_killed_run_left_may_not_be_judged(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = await made()
    changed(folder, "result.json", exit_status=None, decision=None)

    def lacking(*_: Any) -> Any:
        raise KeyError("window")

    monkeypatch.setattr(StandIn, "judge", lacking)
    with pytest.raises(BadInput, match="killed before it could report, and what it left cannot be judged") as caught:
        again(folder)
    assert caught.value.remedy
    changed(folder, "result.json", exit_status=0, decision="advance")
    with pytest.raises(KeyError):  # a mistake of ours in a whole run
        again(folder)


async def test_a_run_is_found_by_its_folder_a_file_of_it_its_id_and_latest(made: Made) -> None:
    folder = await made()
    reports = folder.parent
    for text in (str(folder), str(folder / "result.json"), str(folder / "plan.json"), folder.name, "latest"):
        assert locate(text, reports) == folder


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("result.json", None, "the folder holds no result"),
        ("result.json", '{"schema_version": 99}', "reads up to"),
        ("result.json", "{", "does not say what it must"),
        ("plan.json", None, "plan.json does not say what it must"),
        ("plan.json", '{"at_least": "many"}', "at_least"),
        ("evidence.sqlite", "nonsense", "evidence"),
        ("machine.json", "[]", "machine.json does not say what it must"),
    ],
)
async def test_what_is_missing_or_broken_is_named_with_a_remedy(
    name: str, content: str | None, said: str, made: Made
) -> None:
    folder = await made()
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content)
    with pytest.raises(BadInput, match=said) as caught:
        again(folder)
    assert str(folder) in caught.value.where
    assert caught.value.remedy
    assert caught.value.exit is Exit.USAGE


@pytest.mark.parametrize("name", ["result.json", "plan.json", "machine.json"])
@pytest.mark.parametrize("content", [b'{"schema_version": 1, "a": "\xff"}', b'{"a":' + b"[" * 200_000])
async def test_what_nobody_can_decode_is_named_and_no_traceback(name: str, content: bytes, made: Made) -> None:
    """Broken UTF-8, and nesting that goes deeper than the interpreter."""
    folder = await made()
    (folder / name).write_bytes(content)
    with pytest.raises(BadInput, match="does not say what it must") as caught:
        again(folder)
    assert str(folder) in caught.value.where


async def test_a_folder_of_another_harness_or_of_no_run_is_told(made: Made, tmp_path: Path) -> None:
    folder = await made()
    changed(folder, "result.json", rehearsal="zone_opera")
    with pytest.raises(BadInput, match="of the rehearsal 'zone_opera', which this harness does not have"):
        again(folder)
    changed(folder, "result.json", rehearsal="stand_in", details={"rows": "three"})
    with pytest.raises(BadInput, match="details: Expected"):
        again(folder)
    changed(folder, "result.json", details={"rows": 3}, run_id="another")
    with pytest.raises(BadInput, match="is of the run another, the evidence beside it of"):
        again(folder)
    older = tmp_path / "older"
    older.mkdir()
    (older / "run.json").write_text("{}")
    with pytest.raises(BadInput, match=r"the folder holds no result\.json: .* an older version made") as caught:
        again(older)
    assert "run the rehearsal again" in str(caught.value.remedy)
    (older / "result.json").write_text('{"schema_version": 1, "verdict": "pass"}')
    with pytest.raises(BadInput, match="does not say what it must") as caught:
        again(older)
    assert str(caught.value.remedy).startswith("an older version made the file")
    with pytest.raises(BadInput, match="there is no run 'nowhere'"):
        locate("nowhere", tmp_path)


async def test_the_command_prints_writes_and_ends_with_the_status(
    made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = await made(rows=1, at_least=2)
    status = await asyncio.to_thread(main, ["judge", str(folder), "--json", "--write"])
    assert status == Exit.HOLD
    printed = capsys.readouterr().out
    document = msgspec.json.decode(printed, type=Rejudgement)
    assert document.same
    assert (folder / "judged-1.json").read_text() == printed
    assert await asyncio.to_thread(main, ["judge", str(folder), "--write", "--lang", "ja"]) == Exit.HOLD
    assert "保存時と同じ" in capsys.readouterr().out or language("ja")("the same as stored") != "the same as stored"
    assert (folder / "judged-2.json").exists()


@pytest.mark.parametrize("code", ["en", "ja"])
async def test_of_a_simulated_run_both_commands_say_that_it_was(made: Made, code: str) -> None:
    folder, say = await made(), language(code)
    simulated = say(words.RUNG[EnvironmentKind.SIM])
    assert simulated not in judged_words(again(folder), say)
    document = json.loads((folder / "result.json").read_text())
    changed(folder, "result.json", facts={**document["facts"], "rung": "sim"})
    judged = again(folder)
    assert judged.rung is EnvironmentKind.SIM
    assert simulated in judged_words(judged, say)
    run = read_stored(str(folder), folder.parent)
    compared = compare(run, run)
    assert (compared.a.rung, compared.b.rung) == (EnvironmentKind.SIM, EnvironmentKind.SIM)
    assert compared_words(compared, say).count(simulated) == 2
