"""``init``, names with hyphens, and what a job of GitHub is told of a run that failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base.data import ROOT
from harness.cli import init
from harness.cli.main import main, parse
from harness.model.judgement import Decision, Verdict
from harness.model.message import raw_text
from harness.report import github
from harness.report.language import ENGLISH
from tests.report.results import judgement, result


def test_init_writes_what_is_missing_and_explains_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "decisions.yaml").write_text("decisions: [] # ours\n")
    assert main(["init", "--into", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    for name, told in init.FILES.items():
        assert f"{name}" in said and told in said
        ours = name == "decisions.yaml"
        assert ((tmp_path / name).read_bytes() == (ROOT / "examples" / "starter" / name).read_bytes()) is not ours
    assert said.count("stays as it is") == 1
    assert main(["check", str(tmp_path / "rehearsal" / "week.yaml")]) == 0
    for words in init.NEXT:
        if "--target" not in words:
            parse(words.split())


@pytest.mark.parametrize("into", ["no/such", "file"])
def test_init_wants_a_folder(into: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["init", "--into", str(tmp_path / into)]) == 2
    assert "is no folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        (["load-stages"], "load_stages"),
        (["run", "rollout-week3", "--on", "sim"], "run"),
        (["run", "rollout_week3", "--on", "sim"], "run"),
        (["zone-loss"], "zone_loss"),
    ],
)
def test_names_take_hyphens_or_underscores(typed: list[str], name: str) -> None:
    command = parse(typed)
    assert command.name == name
    if name == "run":
        assert command.planned().name == "rollout_week3"  # type: ignore[attr-defined]


def test_what_failed_is_an_annotation_that_no_text_of_a_target_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    nasty = "50 %\n::set-output name=x::y\r##[error]z\x1b[31m"
    held = [judgement(Verdict.INCONCLUSIVE), judgement(Verdict.FAIL, id="a.c", told=(raw_text(nasty),))]
    lines = github.annotated(result(Decision.HOLD, *held, judgement(Verdict.PASS, id="a.d")), ENGLISH, "a,b.yaml")
    assert [line.split(" ")[0] for line in lines] == ["::error", "::warning"]
    assert all("\n" not in line and "\r" not in line and "\x1b" not in line for line in lines)
    assert "::set-output" not in lines[0] and "##[" not in lines[0] and "50 %25%0A" in lines[0]
    assert lines[0].startswith("::error file=a%2Cb.yaml,title=")


def test_no_more_is_annotated_than_github_shows() -> None:
    many = [judgement(Verdict.FAIL, id=f"a.{number}") for number in range(30)]
    assert len(github.annotated(result(Decision.HOLD, *many), ENGLISH)) == github.MOST


def test_the_file_is_the_first_that_the_command_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "week.yaml").touch()
    assert github.at("tekutoko-rehearsal run week.yaml --target other.yaml") == "week.yaml"
    assert github.at("tekutoko-rehearsal run rollout_week3 --target ../week.yaml") == ""
