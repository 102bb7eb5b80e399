"""Which files a later run is given: those that hold tests of its groups, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.session import files, push
from tests.session.files import Held
from tests.session.record import Record


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "reports" / "files.json"
    seen = [
        ("tests/test_a.py", Held("fast")),
        ("tests/test_a.py", Held("process")),
        ("tests/test_b.py", Held("stack")),
        ("tests/test_c.py", Held("process", alone=True)),
        ("tests/test_c.py", Held("process", alone=True)),
    ]
    files.write(path, seen)
    return path


def test_a_file_is_given_to_whoever_runs_a_test_of_it(written: Path) -> None:
    assert files.holding(written, {"fast", "document"}, None) == ["tests/test_a.py"]
    assert files.holding(written, {"process", "stack"}, alone=False) == ["tests/test_a.py", "tests/test_b.py"]
    assert files.holding(written, {"process", "stack"}, alone=True) == ["tests/test_c.py"]
    assert files.holding(written, {"process"}, None) == ["tests/test_a.py", "tests/test_c.py"]
    assert files.holding(written, {"kind"}, None) == []


def test_what_was_never_collected_is_not_known(tmp_path: Path) -> None:
    assert files.holding(tmp_path / "none.json", {"fast"}, None) is None


def test_a_run_of_some_files_says_nothing_of_the_others(written: Path) -> None:
    files.write(written, [("tests/test_b.py", Held("kind")), ("tests/test_d.py", Held("stack"))])
    assert files.holding(written, {"stack"}, None) == ["tests/test_d.py"]
    assert files.holding(written, {"process"}, alone=True) == ["tests/test_c.py"]


def test_a_run_is_given_its_files_and_one_without_any_starts_nothing(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []

    def run(command: list[str], **_: object) -> int:
        started.append(command)
        return 1

    monkeypatch.setattr(push, "FOLDER", written.parent)
    written.replace(push.PUSH.files)
    monkeypatch.setattr("tests.session.push.waited_for", run)
    nothing = (push.NOTHING_CHOSEN, Record(wall_s=0.0, tests=[]))
    assert push.pytest(push.PUSH, "x", frozenset({"oracle"}), alone=True) == nothing
    assert push.pytest(push.NIGHT, "x", frozenset(), alone=False) == nothing  # beside the cluster apart
    assert started == []
    assert push.pytest(push.PUSH, "x", frozenset({"process"}), "-n", "2", alone=False)[0] == 1
    (command,) = started
    assert command[-5:] == ["--alone", "without", "-n", "2", "tests/test_a.py"]
    push.pytest(push.NIGHT, "x", frozenset({"process"}))
    assert started[-1][-2:] == ["--groups", "process"], "a night is told nothing by a push: all tests are collected"
    assert "--nightly" in started[-1] and "--nightly" not in command


@pytest.mark.parametrize(("words", "told"), [([], "nox -s tests --"), (["--night"], "nox -s nightly --")])
def test_words_that_a_session_does_not_take_are_told_in_its_name(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        push.main([*words, "tests/foreign"])
    assert capsys.readouterr().err.startswith(f"usage: {told} ")


def test_a_part_of_which_the_night_has_no_test_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        push.main(["--night", "--part", "oracle"])
    assert capsys.readouterr().err.endswith("--part oracle: nothing would be run: the night has no test of it\n")
