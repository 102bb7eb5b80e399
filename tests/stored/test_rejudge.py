"""``judge RUN``: the same rows give the same verdicts; what is missing or broken is named."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.agreement import result
from harness.cli import main
from harness.model.errors import Exit
from harness.model.evidence import Anchor, EventRow, RequestRow, Row
from harness.model.run import Run
from harness.model.verdict import CheckResult, Decision, Verdict
from harness.stored.folder import StoredRun, read_stored
from harness.stored.observe import Observed, observe
from harness.stored.rejudge import Rejudgement, observed, rejudge
from harness.stored.words import judged_words
from harness.walk_results import CLAIM, READS
from tests.checks import sending
from tests.checks import test_reads as answers
from tests.stored.folders import killed, plan, stored

Week = tuple[Run, list[Row]]


def judged(folder: Path) -> tuple[StoredRun, Rejudgement]:
    run = read_stored(str(folder), folder.parent)
    return run, rejudge(run, observed(run))


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    status = main(["judge", *words, "--json"])
    return status, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", ["good", "bad"])
def test_the_same_rows_give_the_very_same_results(name: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(name)
    run, found = judged(folder)
    assert run.run is not None
    assert tuple(pair.now for pair in found.criteria) == run.run.criteria
    assert len(found.criteria) == 8
    assert found.same
    assert found.decision is run.run.decision
    assert found.exit_status == run.run.exit_status


def test_a_changed_stored_verdict_is_said_plainly(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(good, tmp_path / "run")
    document = json.loads((folder / "run.json").read_text())
    document["criteria"][1] |= {"verdict": "inconclusive", "bound": 0.9}
    document["decision"] = "hold"
    (folder / "run.json").write_text(json.dumps(document))
    assert main(["judge", str(folder)]) == Exit.OK  # as the judgement of now says
    told = capsys.readouterr().out
    assert "success.availability differs: verdict, bound" in told
    assert "NOT the same as stored" in told
    assert told.count("DIFFERS") == 1


def test_rows_that_came_after_the_decision_do_not_count(bad: Path, rolled_back: Week, tmp_path: Path) -> None:
    run, rows = rolled_back
    decided = next(number for number, row in enumerate(rows) if isinstance(row, EventRow) and row.kind == "decision")
    folder = stored(tmp_path / "run", run, rows[: decided + 1])
    assert judged(folder)[1].criteria == judged(bad)[1].criteria
    earlier = stored(tmp_path / "earlier", run, [*rows[: decided - 400], *rows[decided : decided + 1]])
    assert not judged(earlier)[1].same


def test_todays_scenario_thresholds_are_those_of_the_plan_as_used(good: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(good, tmp_path / "run")
    stricter = json.loads((folder / "scenario.json").read_text())
    stricter["criteria"][1]["threshold"] = 0.9999
    (folder / "scenario.json").write_text(json.dumps(stricter))
    found = judged(folder)[1]
    assert found.decision is Decision.HOLD
    assert not found.same


def test_nothing_is_written_unless_asked_for(good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shutil.copytree(good, tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert main(["judge", str(folder)]) == Exit.OK
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    for _ in range(2):
        assert main(["judge", str(folder / "run.json"), "--write"]) == Exit.OK
    capsys.readouterr()
    assert {path.name for path in folder.iterdir()} - {path.name for path in before} == {
        "judged-1.json",
        "judged-2.json",
    }
    kept = msgspec.json.decode((folder / "judged-2.json").read_bytes(), type=Rejudgement)
    assert kept == judged(folder)[1]


def test_a_run_is_found_by_latest_and_by_its_id(good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reports = tmp_path / "reports"
    shutil.copytree(good, reports / "r1")
    (reports / "latest").symlink_to("r1")
    for name in ("latest", "r1"):
        status, document = printed(capsys, name, "--reports", str(reports))
        assert status == Exit.OK
        assert document["same"] is True


def test_a_run_that_broke_decides_nothing(healthy: Week, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, rows = healthy
    broken = msgspec.structs.replace(run, decision=None, exit_status=31, errors=("pod 1 died\n  where: here",))
    folder = stored(tmp_path / "run", broken, rows)
    status, document = printed(capsys, str(folder))
    assert status == Exit.HOLD  # though the evidence alone would advance
    assert document["decision"] is None
    assert document["evidence_says"] == "advance"
    assert document["broke"] == "the run broke: pod 1 died"
    assert "the run had decided to advance before it broke" in document["notes"]


def test_a_killed_run_is_judged_from_its_journal(
    rolled_back: Week, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, rows = rolled_back
    folder = killed(tmp_path / "run", run, rows)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    status, document = printed(capsys, str(folder))
    assert status == Exit.ROLLED_BACK
    assert "there is no run.json" in document["broke"]
    assert [pair["now"] for pair in document["criteria"]] == json.loads(msgspec.json.encode(run.criteria))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_run_killed_in_its_window_is_judged_as_of_its_last_answer(healthy: Week, tmp_path: Path) -> None:
    run, rows = healthy
    part = rows[: len(rows) * 2 // 3]
    found = judged(killed(tmp_path / "run", run, part))[1]
    assert found.decision is None
    assert found.exit_status == Exit.HOLD
    assert any("of the window to go" in (pair.now.reason if pair.now else "") for pair in found.criteria)
    assert "no decision is in evidence" in found.notes[0]


def test_a_run_whose_window_never_began(healthy: Week, tmp_path: Path) -> None:
    run, rows = healthy
    early = msgspec.structs.replace(run, decision=None, criteria=(), windows=(), errors=("no node",))
    folder = stored(tmp_path / "run", early, rows[:5])
    found = judged(folder)[1]
    assert found.window_s is None
    assert found.exit_status == Exit.HOLD
    assert {pair.now.verdict for pair in found.criteria if pair.now} == {"inconclusive"}


def spoil_evidence(folder: Path) -> None:
    path = folder / "evidence.sqlite"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def lose_evidence(folder: Path) -> None:
    (folder / "evidence.sqlite").unlink()


def newer_evidence(folder: Path) -> None:
    with sqlite3.connect(folder / "evidence.sqlite") as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'store_version'")
    connection.close()


def newer_run(folder: Path) -> None:
    path = folder / "run.json"
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 99'))


def another_run(folder: Path) -> None:
    path = folder / "run.json"
    path.write_text(path.read_text().replace("-2a", "-2b"))


def no_plan(folder: Path) -> None:
    (folder / "scenario.json").unlink()


def newer_plan(folder: Path) -> None:
    path = folder / "scenario.json"
    path.write_text(path.read_text().replace('"name"', '"novel": 1, "name"', 1))


def no_run(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_file():
            path.unlink()


def no_window(folder: Path) -> None:
    with sqlite3.connect(folder / "evidence.sqlite") as connection:
        connection.execute("UPDATE events SET data = '{}' WHERE subject = 'window'")
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_evidence, "malformed"),
        (lose_evidence, "there is no evidence file"),
        (newer_evidence, "version 99"),
        (newer_run, "schema version 99"),
        (another_run, "run.json is of the run"),
        (no_plan, "the run's plan is not there"),
        (newer_plan, "scenario.json does not say what it must"),
        (no_run, "the folder holds no run"),
        (no_window, "does not say when the window was"),
        (shutil.rmtree, "there is no run"),
    ],
)
def test_bad_input_is_named_with_a_remedy(
    spoil: Any, said: str, good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(good, tmp_path / "run")
    spoil(folder)
    assert main(["judge", str(folder)]) == Exit.USAGE
    told = capsys.readouterr().err
    assert said in told
    assert "where: " in told
    assert "to do: " in told
    assert "Traceback" not in told


def test_what_the_rung_could_not_do_stays_not_exercised(healthy: Week, tmp_path: Path) -> None:
    run, rows = healthy
    scenario = plan()
    needy = msgspec.structs.replace(scenario.criteria[0], needs=("autoscaling",))
    scenario = msgspec.structs.replace(scenario, criteria=(needy, *scenario.criteria[1:]))
    found = judged(stored(tmp_path / "run", run, rows, scenario))[1]
    assert found.criteria[0].now is not None
    assert found.criteria[0].now.verdict == "not_exercised"
    assert found.criteria[0].now.reason == "the environment lacks autoscaling"


def told(verdict: Verdict) -> EventRow:
    check = result(READS, CLAIM[READS], verdict, 0, 7, ())
    return EventRow(at_ns=10**15, kind="check", subject=READS, message="", data=msgspec.to_builtins(check))


def phones(rows: list[RequestRow], verdict: Verdict, **drawn: object) -> Observed:
    """A week of one phone, whose run told that ``verdict`` of what its answers showed."""
    window = {"start_ns": 0, "end_ns": 10**11, **drawn}
    begins = EventRow(at_ns=0, kind="phase", subject="window", message="", data=window)
    scenario = msgspec.structs.replace(plan(), population=sending.PLAN)
    anchor = Anchor(monotonic_ns=0, unix_ns=sending.ANCHOR)
    return observe([begins, *rows, told(verdict)], scenario, {}, anchor)


DRAWN = {"seed": sending.SEED, "bucket": sending.BUCKET}
OLD = answers.old(answers.LISTS[-1], 2)


@pytest.mark.parametrize(
    ("rows", "stored_as", "drawn", "now"),
    [
        (answers.ROWS, Verdict.PASS, DRAWN, Verdict.PASS),
        (OLD, Verdict.PASS, DRAWN, Verdict.FAIL),
        (answers.ROWS, Verdict.FAIL, DRAWN, Verdict.PASS),
        (answers.ROWS[1:], Verdict.PASS, DRAWN, Verdict.INCONCLUSIVE),  # a row is lost
        (OLD, Verdict.PASS, {"seed": sending.SEED}, Verdict.PASS),  # of an older harness: as it was told
    ],
)
def test_what_answers_showed_is_judged_again_from_the_rows(
    rows: list[RequestRow], stored_as: Verdict, drawn: dict[str, object], now: Verdict
) -> None:
    found = {check.id: check.verdict for check in phones(rows, stored_as, **drawn).checks}
    assert found[READS] is now


def test_a_check_that_is_judged_otherwise_is_said_and_is_not_the_same(healthy: Week, tmp_path: Path) -> None:
    run, rows = healthy
    kept = msgspec.convert(told(Verdict.PASS).data, CheckResult)
    held = read_stored(str(stored(tmp_path / "run", msgspec.structs.replace(run, checks=(kept,)), rows)), tmp_path)
    now = msgspec.convert(told(Verdict.FAIL).data, CheckResult)
    for check, differs in ((kept, ()), (now, (READS,))):
        seen = observed(held)
        found = rejudge(held, dataclasses.replace(seen, checks=(check,)))
        assert (found.checks_differ, found.same) == (differs, not differs)
        assert ("(DIFFERS)" in judged_words(found)) is bool(differs)
