"""README.md and README.ja.md: the same commands, options, statuses and files in both, and every command named. Each
line that they and ``docs/`` tell people to type is one that the command line takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from nox import registry

import noxfile  # noqa: F401 - it makes the sessions
from harness.base.errors import Exit
from harness.cli.main import ALL, parse

ROOT = Path(__file__).resolve().parents[1]
FILES = ("README.md", "README.ja.md")
#: Sessions for whoever works on the rehearsal, in CONTRIBUTING.md.
FOR_WORKERS = {"bench", "coverage", "fast", "lint", "lock", "mutants", "oracle", "shape"}


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def commands(readme: str) -> set[str]:
    return set(re.findall(r"(?:nox|noxfile\.py) -s (\w+)|python -m (harness[\w.]* ?[a-z_]*)", readme))


def literal(readme: str) -> set[str]:
    """What stands between back quotes on one line, but for comments of ours."""
    return set(re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", readme, flags=re.S)))


def test_both_name_the_same_commands_options_and_files() -> None:
    english, japanese = (text(name) for name in FILES)
    assert commands(english) == commands(japanese)
    assert set(re.findall(r"--[a-z][\w-]*", english)) == set(re.findall(r"--[a-z][\w-]*", japanese))
    assert literal(english) == literal(japanese)
    assert english.count("\n## ") == japanese.count("\n## ")
    for block_en, block_ja in zip(
        *(re.findall(r"```\n(.*?)```", each, re.S) for each in (english, japanese)), strict=True
    ):
        assert [line.split("#")[0].rstrip() for line in block_en.splitlines()] == [
            line.split("#")[0].rstrip() for line in block_ja.splitlines()
        ]


@pytest.mark.parametrize("name", FILES)
def test_every_command_and_exit_status_is_named(name: str) -> None:
    readme = text(name)
    for verb in {name.partition(" ")[0] for name in ALL}:
        assert re.search(rf"(nox -s|python -m harness|noxfile\.py -s) {verb}\b", readme), verb
    for session in set(registry.get()) - FOR_WORKERS:
        assert re.search(rf"\b{session}\b", readme), session
    for status in Exit:
        assert f"| {int(status)} |" in readme, status


#: A line in a block or between back quotes: a session with what goes through it, or the harness itself.
TYPED = re.compile(r"(?:nox|python3 noxfile\.py) -s (\w+)(?: -- (.+))?|python -m harness (.+)")


def typed(page: str) -> list[list[str]]:
    """What the page's lines type behind ``python -m harness``, and the sessions that are none of its commands."""
    blocks = re.findall(r"```\w*\n(.*?)```", page, flags=re.S)
    lines = [line.split(" #")[0].strip() for block in blocks for line in block.splitlines()]
    found = []
    for match in filter(None, map(TYPED.fullmatch, [*lines, *literal(page)])):
        session, through, words = match.groups()
        if words is not None:
            found.append(shlex.split(words))
        elif session.startswith("rollout_week"):
            found.append(["run", session, *shlex.split(through or "")])
        else:
            found.append([session, *shlex.split(through or "")])
    return found


@pytest.mark.parametrize("name", [*FILES, *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))])
def test_every_line_to_type_is_taken(name: str) -> None:
    for words in typed(text(name)):
        if words[0] in {each.partition(" ")[0] for each in ALL}:
            assert parse(words).name in " ".join(words), words
        else:
            assert words[0] in registry.get() or words == ["list"], words


def test_lines_to_type_are_found() -> None:
    page = "Type `nox -s rollout -- --on sim` or\n```\nnox -s rollout_week3 -- --seed 7   # a week\npython -m harness list\n```"
    assert typed(page) == [["run", "rollout_week3", "--seed", "7"], ["list"], ["rollout", "--on", "sim"]]
    assert len(typed(text("README.md"))) > 50
