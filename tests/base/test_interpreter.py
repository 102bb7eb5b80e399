"""Which Python an environment is made of: a clearly faster build of the same version, tried once, else the one started."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.base import bootstrap, interpreter
from harness.base.home import ENVIRONMENT_VARIABLE
from harness.base.interpreter import COMPLETE, KEPT, Python, chosen, kept, started

OWN = Python("/own/python3", ("CPython", "3.11.7", "x86_64", "/own"))
DEBIAN = Python("/usr/bin/python3.11", ("CPython", "3.11.2", "x86_64", "/usr"))
NEWER = Python("/usr/bin/python3.13", ("CPython", "3.13.1", "x86_64", "/newer"))

Machine = Callable[..., list[str]]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Sets up a machine on which ``OWN`` was started; gives the list of what is tried on it from then on."""
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "no-environment"))
    monkeypatch.setattr(interpreter, "started", lambda: OWN)
    monkeypatch.setattr(interpreter, "_stamp", lambda program: [len(program), 0])

    def set_up(*on_path: Python, **loop_s: float) -> list[str]:
        tried: list[str] = []

        def of(program: str) -> interpreter._Tried | None:
            tried.append(program)
            python = next(each for each in (OWN, *on_path) if each.program == program)
            found = loop_s.get(python.facts[-1].strip("/"))
            return None if found is None else interpreter._Tried(python, found)

        monkeypatch.setattr(interpreter, "_on_path", lambda: [each.program for each in on_path])
        monkeypatch.setattr(interpreter, "_try", of)
        return tried

    return set_up


def silent(_line: str) -> None:
    """Nothing."""


def test_a_clearly_faster_build_is_taken_and_told_once(machine: Machine) -> None:
    said: list[str] = []
    tried = machine(DEBIAN, own=0.15, usr=0.1)
    assert chosen(said.append) == DEBIAN
    assert said == ["/usr/bin/python3.11 does a loop 1.5 times as fast as /own/python3: it is used from now on"]
    assert tried.count(OWN.program) == tried.count(DEBIAN.program) == interpreter.ROUNDS
    tried.clear()
    assert chosen(said.append) == kept() == DEBIAN
    assert (tried, len(said)) == ([], 1)


@pytest.mark.parametrize(
    ("others", "loop_s"),
    [
        pytest.param([DEBIAN], {"own": 0.12, "usr": 0.1}, id="hardly faster"),
        pytest.param([DEBIAN], {"own": 0.1, "usr": 0.2}, id="slower"),
        pytest.param([DEBIAN], {"own": 0.2}, id="lacks a module, or hangs"),
        pytest.param([DEBIAN], {"usr": 0.1}, id="the one that was started does not answer"),
        pytest.param([NEWER], {"own": 0.2, "newer": 0.1}, id="another version"),
        pytest.param([], {"own": 0.2}, id="alone"),
    ],
)
def test_else_it_is_the_one_that_was_started(machine: Machine, others: list[Python], loop_s: dict[str, float]) -> None:
    said: list[str] = []
    machine(*others, **loop_s)
    assert chosen(said.append) == OWN
    assert said == []


def test_the_shortest_of_the_tries_counts(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program ran beside the first tries of the build that was started, which is as fast as the other."""
    loops = iter([0.3, 0.1, 0.3, 0.1, 0.1, 0.1])
    machine(DEBIAN)
    builds = {each.program: each for each in (OWN, DEBIAN)}
    monkeypatch.setattr(interpreter, "_try", lambda program: interpreter._Tried(builds[program], next(loops)))
    assert chosen(silent) == OWN
    assert next(loops, None) is None


@pytest.mark.parametrize("text", ['["cut off', "[]", "null", '{"CPython/3.11.7/x86_64//own": []}', "\x00"])
def test_what_was_kept_and_cannot_be_read_is_tried_again(machine: Machine, tmp_path: Path, text: str) -> None:
    machine(DEBIAN, own=0.2, usr=0.1)
    (tmp_path / KEPT).write_text(text)
    assert (kept(), chosen(silent), kept()) == (None, DEBIAN, DEBIAN)
    found = json.loads((tmp_path / KEPT).read_text())
    assert [each["times_as_fast"] for each in found.values()] == [2.0]


def test_what_was_kept_is_tried_again_when_another_build_is_in_its_place(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(DEBIAN, own=0.2, usr=0.1)
    assert chosen(silent) == DEBIAN
    upgraded = DEBIAN._replace(facts=("CPython", "3.11.9", "x86_64", "/usr"))
    tried = machine(upgraded, own=0.2, usr=0.1)
    assert (chosen(silent), tried) == (DEBIAN, [])
    monkeypatch.setattr(interpreter, "_stamp", lambda program: [len(program), 1])
    assert chosen(silent) == upgraded
    assert tried


def test_two_at_once_try_one_after_the_other_and_choose_the_same(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = machine(DEBIAN, own=0.2, usr=0.1)
    quick, found = interpreter._fastest, list[Python]()

    def slow(of: Python, others: list[str]) -> tuple[Python, float]:
        time.sleep(0.05)
        return quick(of, others)

    monkeypatch.setattr(interpreter, "_fastest", slow)
    both = [threading.Thread(target=lambda: found.append(chosen(silent))) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert found == [DEBIAN, DEBIAN]
    assert tried.count(OWN.program) == interpreter.ROUNDS


def test_in_an_environment_of_ours_it_is_what_that_was_made_of(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = machine(DEBIAN, own=0.2, usr=0.1)
    (tmp_path / "environment").mkdir()
    (tmp_path / "environment" / f"{COMPLETE}run").touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "environment"))
    assert (chosen(silent), tried) == (OWN, [])


def test_a_folder_that_cannot_be_written_hinders_nothing(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(DEBIAN, own=0.2, usr=0.1)
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / ("x" * 300)))  # a longer name than a folder may have
    assert chosen(silent) == DEBIAN


def program(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


def test_path_names_each_build_once_and_none_by_a_relative_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    minor = f"python3.{sys.version_info.minor}"
    one = program(tmp_path / "one", minor, "exit 1")
    (tmp_path / "one" / "python3").symlink_to(one)
    other = program(tmp_path / "other", "python3", "exit 1")
    program(tmp_path / "relative", "python3", "exit 1")
    program(tmp_path / "one", "python3.99", "exit 1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"relative:{one.parent}:{other.parent}")
    found = [each for each in interpreter._on_path() if each.startswith((str(tmp_path), "relative"))]
    assert {Path(each).resolve() for each in found} == {one, other}
    assert len(found) == 2


def test_root_runs_none_that_another_user_could_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of_another = Path(program(tmp_path / "theirs", "python3", "exit 1"))
    of_another.parent.chmod(0o777)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert interpreter._trusted(of_another), "an ordinary user runs what PATH names"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert not interpreter._trusted(of_another)
    assert not interpreter._trusted(tmp_path / "none")
    assert interpreter._trusted(Path("/bin/sh").resolve())


@pytest.mark.process
def test_a_real_build_says_of_itself_what_the_harness_says_of_it() -> None:
    tried = interpreter._try(started().program)
    assert tried is not None
    assert tried.python.facts == started().facts
    assert 0 < tried.loop_s < interpreter.TRY_LIMIT_S


@pytest.mark.process
@pytest.mark.parametrize(
    "program", ["exit 3", "echo no JSON", "echo 5", "echo []", 'echo \'{"python": "/x"}\'', "kill $$"]
)
def test_what_is_no_python_is_passed_over(tmp_path: Path, program: str) -> None:
    file = tmp_path / "python3"
    file.write_text(f"#!/bin/sh\n{program}\n")
    file.chmod(0o755)
    assert interpreter._try(str(file)) is None
    assert interpreter._try(str(tmp_path / "none")) is None


@pytest.mark.process
def test_a_build_that_hangs_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "python3"
    file.write_text("#!/bin/sh\nsleep 60\necho never\n")
    file.chmod(0o755)
    monkeypatch.setattr(interpreter, "TRY_LIMIT_S", 0.2)
    begun = time.monotonic()
    assert interpreter._try(str(file)) is None
    assert time.monotonic() - begun < 30, "what it started is ended, too"


def test_the_environment_is_that_of_the_chosen_build(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(DEBIAN, own=0.2, usr=0.1)
    monkeypatch.setattr(bootstrap, "_install", lambda *_: None)
    made: list[list[str]] = []

    def make(command: list[str], _what: str) -> None:
        made.append(command)
        Path(command[-1]).mkdir()

    monkeypatch.setattr(bootstrap, "_run", make)
    of_own = bootstrap.environment_folder(OWN)
    assert bootstrap.environment_folder() == of_own, "nothing is chosen yet"
    python = bootstrap.ensure("dev", silent)
    assert python.parent.parent == bootstrap.environment_folder() == bootstrap.environment_folder(DEBIAN) != of_own
    assert made == [[DEBIAN.program, "-I", "-m", "venv", str(python.parent.parent)]]
