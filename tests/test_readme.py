"""README.md and README.ja.md: the same commands, options, statuses and files in both, and every command named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from nox import registry

import noxfile  # noqa: F401 - it makes the sessions
from harness.base.errors import Exit
from harness.cli.main import ALL

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
