"""The real run that was rolled back, on the real local stack: judged again, set against itself, read in Japanese."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.cli import main
from harness.model.errors import Exit
from tests.main_job import closing_connect
from tests.real_runs import ROLLED_BACK, RealRun

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.timeout(420),
    pytest.mark.xdist_group(ROLLED_BACK),
]


def test_a_real_run_judged_again_gives_the_very_same(
    rolled_back_run: RealRun, capsys: pytest.CaptureFixture[str]
) -> None:
    job = rolled_back_run.job
    assert rolled_back_run.status == Exit.ROLLED_BACK, job.text
    assert main(["judge", "latest", "--reports", str(job.reports), "--json"]) == Exit.ROLLED_BACK
    again = json.loads(capsys.readouterr().out)
    assert [pair["now"] for pair in again["criteria"]] == job.document()["criteria"]
    assert "request_rate" in {c["metric"] for c in job.document()["criteria"]}, "it hangs on the moment of judging"
    assert again["same"] is True
    with closing_connect(job.folder / "evidence.sqlite") as evidence:
        (data,) = evidence.execute("SELECT data FROM events WHERE kind = 'decision'").fetchone()
    assert json.loads(data)["judged_ns"] > 0


def test_a_real_run_against_itself_is_no_worse(rolled_back_run: RealRun, capsys: pytest.CaptureFixture[str]) -> None:
    job = rolled_back_run.job
    assert main(["compare", "latest", str(job.folder), "--reports", str(job.reports)]) == Exit.OK
    assert "B is no worse" in capsys.readouterr().out


def test_its_page_is_written_anew_in_japanese(rolled_back_run: RealRun, tmp_path: Path) -> None:
    folder = shutil.copytree(rolled_back_run.job.folder, tmp_path / rolled_back_run.job.folder.name)
    english = (folder / "report.html").read_text()
    assert main(["report", str(folder), "--reports", str(tmp_path), "--lang", "ja"]) == Exit.OK
    page = (folder / "report.html").read_text()
    assert '<html lang="en"' in english and '<html lang="ja"' in page
    assert page.count("<tr") == english.count("<tr"), "every row is there in either language"
    assert (folder / "run.json").read_bytes() == (rolled_back_run.job.folder / "run.json").read_bytes()
