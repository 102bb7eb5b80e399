"""``python -m harness dr_restore`` whole: a lost data folder alone and under load on the real stack; and its refusals."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.base.data import PLANS
from harness.base.errors import Exit
from harness.model.judgement import errata_of
from harness.model.message import english
from harness.model.result import Result
from harness.rehearsals.dr_restore.on_stack import CONTENT, COUNT, LOCATIONS
from harness.rehearsals.dr_restore.rehearsal import REHEARSAL
from harness.rehearsals.dr_restore.types import RecoveryPlan
from harness.report.published import RESULT
from tests.main_job import left_of
from tests.rehearsal.again import judged_again

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "harness", "dr_restore", *arguments]


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=400, check=False, env=dict(os.environ)
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--only", "floods"), "'floods' is none"),
        (("--points", "1000"), "points is 1000"),
        (("--size", "1GB"), "is no size"),
        (("--sizes", "8MiB,16MiB"), "at least four"),
        (("--stall", "90"), "no unit of time"),
        (("nowhere.yaml",), "nowhere.yaml"),
    ],
)
def test_wrong_usage_is_told_before_anything_starts(arguments: tuple[str, ...], told: str) -> None:
    done = ran(*arguments)
    assert (done.returncode, told in done.stderr) == (Exit.USAGE, True), done.stderr


def result_in(reports: Path) -> Result:
    return RESULT.read(reports / "latest" / "result.json")


@pytest.mark.slow
@pytest.mark.stack
@pytest.mark.nightly  # per push: procedure and correction with stores that answer as told, disasters on real PostgreSQL
@pytest.mark.timeout(420)
def test_the_documents_procedure_fails_as_written_and_works_as_corrected(tmp_path: Path) -> None:
    plan = tmp_path / "dr_restore.yaml"
    text = (PLANS / "dr_restore.yaml").read_text()
    for old, new in (
        ("written_limit: 25s", "written_limit: 12s"),
        ("before: 10s", "before: 5s"),
        ("after: 32s", "after: 5s"),
    ):
        assert old in text
        text = text.replace(old, new)
    plan.write_text(text)
    done = ran("--plan", str(plan), "--only", "stack", "--reports", str(tmp_path / "reports"))
    result = result_in(tmp_path / "reports")
    # So short a load cannot carry what is promised of the traffic (below): it must hold.
    assert done.returncode == result.exit_status == Exit.HOLD, done.stderr
    assert result.facts.leaks == result.facts.errors == ()
    assert left_of(result.run_id) == set()
    verdicts = {each.id: (each.verdict, each.reason) for each in result.judgements}
    steps = ("procedure.as_corrected", "procedure.restart")
    assert verdicts["procedure.as_written"][0] == "erratum_shown", verdicts
    assert verdicts["procedure.own_address"][0] == "not_exercised"
    for name in ("restore.verified", "rto.measured", "rpo.streaming", *steps):
        assert verdicts[name][0] == "pass", verdicts
    for name in ("traffic.after", "traffic.users"):
        assert verdicts[name][0] == "inconclusive", "50 of them cannot carry 99 %"
    seen = {name: english(told) for name, told in errata_of(result.judgements).items()}
    assert "ConfigMap/app-config db_host: localhost, as before" in seen["dr.configmap_changes_nothing"]
    details = judged_again(REHEARSAL, RecoveryPlan, (tmp_path / "reports" / "latest").resolve())
    (case,) = details.cases
    assert [check.name for check in case.checks][1:] == [CONTENT, COUNT, LOCATIONS]
    assert case.rto_s["detect"] >= 5  # five seconds without a good probe
    assert case.loss.recovered > 50
    assert (tmp_path / "reports" / "latest" / "evidence.sqlite").stat().st_size > 10_000


def test_parts_may_be_named_one_by_one_and_none_is_dropped(tmp_path: Path) -> None:
    words = command("--only", "schedule", "--only", "nothing", "--reports", str(tmp_path))
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == Exit.USAGE and "'nothing' is none" in done.stderr
    words = command("--only", "nothing", "--only", "schedule", "--reports", str(tmp_path))
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == Exit.USAGE  # the last one alone would be taken in silence


def begun(part: str, reports: Path) -> subprocess.Popen[str]:
    words = command("--only", part, "--reports", str(reports))
    return subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def interrupted(process: subprocess.Popen[str], reports: Path) -> None:
    """Ctrl-C now: it ends as interrupted, reports, and leaves nothing."""
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == Exit.INTERRUPTED
    result = result_in(reports)
    assert result.facts.leaks == () and result.decision is None
    assert left_of(result.run_id) == set()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_interrupted_between_two_disasters_it_leaves_nothing_and_reports(tmp_path: Path) -> None:
    process = begun("disasters", tmp_path)
    assert process.stderr is not None
    assert any(", RPO " in line for line in process.stderr), "no disaster ended"
    interrupted(process, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.stack
@pytest.mark.nightly  # per push Ctrl-C ends a whole run on the stack (test_main_job) and a rehearsal of recovery (above)
def test_interrupted_amid_the_restart_it_leaves_nothing_and_reports(tmp_path: Path) -> None:
    process = begun("stack", tmp_path)
    assert process.stderr is not None
    assert any("the procedure as written" in line and "replay" not in line for line in process.stderr)
    until = time.monotonic() + 60
    while not applied(tmp_path):
        assert process.poll() is None and time.monotonic() < until, "the procedure never came to its restart"
        time.sleep(0.1)
    interrupted(process, tmp_path)


def applied(reports: Path) -> bool:
    """Whether the evidence says that the written change is applied: what follows is the restart."""
    (path,) = reports.glob("*/evidence.sqlite")
    with contextlib.closing(sqlite3.connect(path)) as evidence:
        rows = evidence.execute("SELECT 1 FROM events WHERE subject = 'as written' AND message LIKE 'applied:%'")
        return rows.fetchone() is not None
