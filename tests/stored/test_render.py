"""``report``: a stored run's pages made anew from result.json alone, in any language."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from harness.base.errors import BadInput, Exit
from harness.cli.stored.render import render
from harness.model.judgement import Decision
from harness.model.result import Child
from harness.report.language import language
from harness.report.outline import UNDER_WAY
from harness.report.published import RESULT
from tests.report import results
from tests.stored.conftest import Made, main


async def test_the_pages_come_out_as_they_were_and_in_another_language(made: Made) -> None:
    folder = await made()
    before = (folder / "report.html").read_bytes(), (folder / "summary.md").read_bytes()
    for name in ("report.html", "summary.md", "plan.json", "evidence.sqlite"):
        (folder / name).unlink()
    written = render(str(folder), folder.parent, language("en"))
    assert [path.name for path in written] == ["summary.md", "report.html"]
    assert (folder / "summary.md").read_bytes() == before[1]
    assert len(before[0]) > 1000
    render(str(folder), folder.parent, language("ja"))
    assert '<html lang="ja">' in (folder / "report.html").read_text()
    assert "すべて合格" in (folder / "summary.md").read_text()


def test_the_runs_of_a_sequence_are_made_anew_with_it(tmp_path: Path) -> None:
    child = Child(part="week1", run_id="r1", folder="r1", decision=Decision.ADVANCE, exit_status=0)
    gone = Child(part="week2", run_id="r2", folder="r2", decision=None, exit_status=30)
    (tmp_path / "r1").mkdir()
    RESULT.write(tmp_path / "r1", results.advanced())
    RESULT.write(tmp_path, results.command(Decision.HOLD, children=(child, gone)))
    written = render(str(tmp_path), tmp_path, language("ja"))
    assert [path.relative_to(tmp_path).as_posix() for path in written] == [
        "r1/summary.md", "r1/report.html", "summary.md", "report.html",
    ]  # fmt: skip


@pytest.mark.parametrize("folder", ["../elsewhere", "..", ".", "elsewhere/../../elsewhere", "linked"])
def test_no_page_is_written_outside_the_run(folder: str, tmp_path: Path) -> None:
    sequence, elsewhere = tmp_path / "sequence", tmp_path / "elsewhere"
    for each in (sequence, sequence / "elsewhere", elsewhere):
        each.mkdir()
    (sequence / "linked").symlink_to(elsewhere)
    RESULT.write(elsewhere, results.advanced())
    child = Child(part="week1", run_id="r1", folder=folder, decision=Decision.ADVANCE, exit_status=0)
    RESULT.write(sequence, results.command(Decision.HOLD, children=(child,)))
    with pytest.raises(BadInput) if folder != "linked" else contextlib.nullcontext():
        render(str(sequence), tmp_path, language("en"))
    assert [path.name for path in elsewhere.iterdir()] == ["result.json"]


@pytest.mark.parametrize("code", ["en", "ja"])
def test_of_a_killed_run_the_pages_say_neither_that_it_goes_on_nor_what_it_left(code: str, tmp_path: Path) -> None:
    say = language(code)
    RESULT.write(tmp_path, results.result(None, exit_status=None))
    for page in render(str(tmp_path), tmp_path, say):
        told = page.read_text()
        assert say("Nothing of the run was left on the machine.") not in told
        assert say(UNDER_WAY) in told
        assert ("killed" if code == "en" else "強制終了") in say(UNDER_WAY)


def test_a_folder_without_a_result_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"holds no result\.json"):
        render(str(tmp_path), tmp_path, language("en"))


async def test_the_command_names_what_it_wrote(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    folder = await made()
    command = ["report", folder.name, "--reports", str(folder.parent), "--lang", "ja"]
    assert await asyncio.to_thread(main, command) == Exit.OK
    assert capsys.readouterr().out.splitlines() == [str(folder / "summary.md"), str(folder / "report.html")]
