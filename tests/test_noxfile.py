"""How a nox session of a command ends: in the words of its exit status, and never in 0 when it was not."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import pytest
from nox import registry
from nox.command import CommandFailed

import noxfile
from harness.base import bootstrap
from harness.base.errors import MEANING, Exit
from harness.base.home import ENVIRONMENT_VARIABLE
from harness.cli.main import ALL
from harness.run.registry import Entry
from tests.session.kept import aside


class Ended(Exception):
    """The session ended with these words."""


class Session:
    """A session whose command ends in ``status``; what nox gives one, as far as it is used."""

    def __init__(self, status: int) -> None:
        self.status = status

    def log(self, line: str) -> None:
        """Nothing: bootstrap speaks here."""

    def run(self, *_command: str, **_options: object) -> None:
        if self.status:
            raise CommandFailed(f"Returned code {self.status}")

    def error(self, words: str) -> NoReturn:
        raise Ended(words)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bootstrap, "ensure", lambda _level, _log: tmp_path / "python")


def ended(status: int, *arguments: str) -> str:
    session: Any = Session(status)
    with pytest.raises(Ended) as told:
        noxfile.run(session, *arguments)
    return str(told.value)


def test_a_session_that_held_says_so_and_what_its_status_means() -> None:
    told = ended(10, "-m", "harness", "run", "rollout_week3")
    assert told.startswith("hold: ") and "too few samples" in told
    assert told.endswith("(exit status 10; to end in it: python3 -m harness run rollout_week3)")


@pytest.mark.parametrize("status", [each for each in Exit if each])
def test_each_status_has_words_of_its_own(status: Exit) -> None:
    assert ended(status, "-m", "harness", "scaling").startswith(MEANING[status])
    assert len(set(MEANING.values())) == len(Exit) == len(MEANING)


@pytest.mark.parametrize(
    ("status", "arguments"), [(1, ("-m", "pytest")), (10, ("-m", "pytest")), (1, ("-m", "harness"))]
)
def test_what_is_no_status_of_the_harness_ends_as_nox_ends_it(status: int, arguments: tuple[str, ...]) -> None:
    session: Any = Session(status)
    with pytest.raises(CommandFailed):
        noxfile.run(session, *arguments)


def test_a_session_that_passed_says_nothing() -> None:
    session: Any = Session(0)
    noxfile.run(session, "-m", "harness", "run", "rollout_week3")


def test_only_the_tests_keep_things_aside_and_bytecode_only_where_none_is_kept_beside_the_sources(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path))
    monkeypatch.delenv("MYPY_CACHE_DIR", raising=False)
    monkeypatch.setenv("HYPOTHESIS_STORAGE_DIRECTORY", "elsewhere")  # whoever says where is heard
    types = {"MYPY_CACHE_DIR": str(tmp_path / "mypy")}
    for words in (("-m", "pytest", "-q"), ("-m", "tests.session.push")):
        assert aside(words, compiles=False) == types | {
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(tmp_path / "bytecode"),
        }
        assert aside(words, compiles=True) == types
    for words in (("-m", "tests.mutants"), ("-m", "harness", "chaos")):
        assert aside(words, compiles=False) == {}


class Asked:
    """A session that keeps what it is to run."""

    posargs = ("--seed", "7")

    def __init__(self) -> None:
        self.commands: list[tuple[str, ...]] = []

    def log(self, line: str) -> None:
        """Nothing: bootstrap speaks here."""

    def run(self, _python: str, *words: str, **_options: object) -> None:
        self.commands.append(words)


OF_ONE_WORD = [entry for entry in ALL.values() if " " not in entry.name]


@pytest.mark.parametrize("entry", OF_ONE_WORD, ids=lambda entry: entry.name)
def test_every_command_is_a_session_with_its_line(entry: Entry) -> None:
    names = [f"rollout_week{week}" for week in range(1, 5)] if entry.name == "run" else [entry.name]
    for name in names:
        made, session = registry.get()[name], Asked()
        made.func(session)
        (words,) = session.commands
        head = ("-m", "harness", *(("run", name) if entry.name == "run" else (name,)))
        assert words == (*head, "--seed", "7")
        assert entry.name == "run" or made.__doc__ == entry.told
