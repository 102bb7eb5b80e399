"""The READMEs and the manual: the same headings, commands, options, statuses and files in both languages, and every command
named. Each line that they tell people to type is one that the command line takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from nox import registry

import noxfile  # noqa: F401 - it makes the sessions
from harness.base.errors import Exit
from harness.cli.main import ALL, parse
from harness.model.stack import AUTO
from harness.run.command import flags
from harness.run.registry import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
FILES = ("README.md", "README.ja.md")
MANUAL = sorted(path.relative_to(ROOT / "docs" / "ja").as_posix() for path in (ROOT / "docs" / "ja").rglob("*.md"))
#: Made in both languages, of the catalogue: its sentences mark names as each language does (tests/manual).
MADE = {"docs/claims.md"}
#: Each page beside the same in Japanese.
PAIRS = [FILES, *((f"docs/{name}", f"docs/ja/{name}") for name in MANUAL if f"docs/{name}" not in MADE)]
#: Pages that both languages share, or that are for whoever writes files and reads English keys.
OF_ONE_LANGUAGE = {
    "docs/judging.md", "docs/plans.md", "docs/reference.md", "docs/scenarios.md", "docs/words.md", "docs/samples/README.md",
    "docs/samples/signoff/errata.md", "docs/samples/signoff_go/errata.md", "docs/samples/signoff/errata.en.md", "docs/samples/signoff_go/errata.en.md",
}  # fmt: skip
#: Sessions for whoever works on the rehearsal, in CONTRIBUTING.md.
FOR_WORKERS = {"bench", "coverage", "fast", "lint", "lock", "manual", "mutants", "oracle", "shape", "site"}
MOST_LINES = 120


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def commands(page: str) -> set[str]:
    return set(re.findall(r"(?:nox|noxfile\.py) -s (\w+)|python3? -m (harness[\w.]* ?[a-z_]*)", page))


def literal(page: str) -> set[str]:
    """What stands between back quotes on one line, but for comments of ours."""
    return set(re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", page, flags=re.S)))


def blocks(page: str) -> list[list[str]]:
    """The lines of each block, without comments."""
    found = re.findall(r"```\w*\n(.*?)```", page, re.S)
    return [[line.split("#")[0].rstrip() for line in block.splitlines()] for block in found]


def headings(page: str) -> list[int]:
    """The level of each heading, in order."""
    return [len(marks) for marks in re.findall(r"^(#+) ", re.sub(r"```.*?```", "", page, flags=re.S), re.M)]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0])
def test_both_languages_have_the_same_headings_commands_options_and_files(pair: tuple[str, str]) -> None:
    english, japanese = map(text, pair)
    assert headings(english) == headings(japanese)
    assert commands(english) == commands(japanese)
    assert set(re.findall(r"--[a-z][\w-]*", english)) == set(re.findall(r"--[a-z][\w-]*", japanese))
    assert literal(english) == literal(japanese)
    assert blocks(english) == blocks(japanese)
    assert english.count("\n| ") == japanese.count("\n| ")
    assert english.count("](") == japanese.count("](")


def test_a_page_is_of_both_languages_or_named_as_of_one() -> None:
    english = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "docs").rglob("*.md")
        if not {"ja", "contract"} & set(path.relative_to(ROOT / "docs").parts)
    }
    assert english == {pair[0] for pair in PAIRS[1:]} | OF_ONE_LANGUAGE | MADE


@pytest.mark.parametrize("name", FILES)
def test_a_readme_is_short_and_names_every_command(name: str) -> None:
    readme = text(name)
    assert len(readme.splitlines()) <= MOST_LINES
    assert readme.count("![") == 2
    for verb in {name.partition(" ")[0] for name in ALL}:
        assert re.search(rf"(nox -s|python3 -m harness|noxfile\.py -s) {verb}\b", readme), verb
    for session in set(registry.get()) - FOR_WORKERS:
        assert re.search(rf"\b{session}\b", readme), session


@pytest.mark.parametrize("folder", ["docs", "docs/ja"])
def test_every_exit_status_has_its_row_and_every_rehearsal_its_page(folder: str) -> None:
    statuses = text(f"{folder}/exit-statuses.md")
    for status in Exit:
        assert f"| {int(status)} |" in statuses, status
    pages = "\n".join(path.read_text() for path in (ROOT / folder / "rehearsals").glob("*.md"))
    for entry in COMMANDS:
        assert re.search(rf"(nox -s|python3 -m harness) {entry.name}\b", pages), entry.name


@pytest.mark.parametrize("folder", ["docs", "docs/ja"])
def test_every_option_stands_in_the_manual(folder: str) -> None:
    pages = "\n".join(path.read_text() for path in (ROOT / folder).rglob("*.md"))
    missing = {(name, flag) for name, entry in ALL.items() for flag in flags(entry.load()) if flag not in pages}
    assert missing == set()


@pytest.mark.parametrize("folder", ["docs", "docs/ja"])
def test_whatever_begins_in_another_environment_than_auto_is_named(folder: str) -> None:
    page = text(f"{folder}/environments.md").partition("\n| ")[0]
    defaults = {name: getattr(entry.load(), "on", None) for name, entry in ALL.items()}
    assert "stack up" in {name for name, on in defaults.items() if on == AUTO}
    assert {name for name, on in defaults.items() if on not in (None, AUTO)} == literal(page) & set(ALL)


#: A line in a block or between back quotes: a session with what goes through it, or the harness itself.
TYPED = re.compile(r"(?:nox|python3 noxfile\.py) -s (\w+)(?: -- (.+))?|(?:python3? -m harness|tekutoko-rehearsal) (.+)")


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


@pytest.mark.parametrize(
    "name", [*FILES, *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]
)
def test_every_line_to_type_is_taken(name: str) -> None:
    for words in typed(text(name)):
        if words[0] in {each.partition(" ")[0] for each in ALL}:
            assert parse(words).name in " ".join(words), words
        else:
            assert words[0] in registry.get() or words in (["list"], ["--version"]), words


def test_lines_to_type_are_found() -> None:
    page = "Type `nox -s rollout -- --on sim` or\n```\nnox -s rollout_week3 -- --seed 7   # a week\npython3 -m harness list\n```"
    assert typed(page) == [["run", "rollout_week3", "--seed", "7"], ["list"], ["rollout", "--on", "sim"]]
    assert len(typed(text("README.md"))) > 25
    assert len(typed(text("docs/rehearsals/chaos.md"))) > 8
