"""Every command: its options are read, what it does not read is refused, and its replay is the same run."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import inspect
import json
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as drawn_from
from hypothesis import strategies as st

from harness.base.data import ROOT
from harness.base.errors import BadInput, Exit, RehearsalError, StackNotStarted
from harness.cli.main import ALL, main, parse
from harness.model.stack import OwnCluster
from harness.run import command as declared
from harness.run.arguments import AsJson, Spoken, TargetOnLocal
from harness.run.command import Command, Duration, flags, replay, words
from harness.run.registry import COMMANDS, Entry

NAMES = sorted(ALL)
#: Words of which each option takes those that it can read.
TYPED = ("1", "7", "30", "2000", "45s", "2min", "plans/a b.yaml", "errors=12%@5s", "-x --y", "image:a", "ja", "", *(
    "local", "kind", "kube", "auto", "cluster", "users", "knee", "postgresql_to_firestore", "Asia/Tokyo",
    "daily", "zsh", "log", "2026-12-02T10:00:00+09:00", "sha256:0a", "2/4",
))  # fmt: skip


@cache
def values(field: dataclasses.Field[Any]) -> tuple[Any, ...]:
    """What the option may hold beside its default."""
    said = field.metadata["argparse"]
    found: list[Any] = []
    for text in TYPED:
        try:
            value = said["type"](text)
        except argparse.ArgumentTypeError:
            continue
        if value in said.get("choices", [value]) and not (field.metadata["positional"] and text[:1] in {"-", ""}):
            found.append(value)
    return tuple(found)


def required(field: dataclasses.Field[Any]) -> bool:
    """Whether the command cannot do without it."""
    said = field.metadata["argparse"]
    return bool(said.get("required", field.metadata["positional"] and said.get("nargs", "+") == "+"))


def least(command: type[Command]) -> list[str]:
    """The words that the command cannot do without."""
    needed = [field for field in dataclasses.fields(command) if required(field)]
    texts = {field.name: str(values(field)[0]) for field in needed}
    return [
        word for f in needed for word in ([] if f.metadata["positional"] else [declared.flag(f.name)]) + [texts[f.name]]
    ]


def begun(entry: Entry) -> list[str]:
    """The words by which a rehearsal begins on this machine, whatever the environment can show of it."""
    command = entry.load()
    needed = ["rollout_week3"] if entry.name == "run" else least(command)
    on = ["--on", "local"] if "on" in options(command) else []
    return [entry.name, *needed, *on, *(["--own-stack"] if "own_stack" in options(command) else [])]


def options(command: type[Command]) -> set[str]:
    """Their names."""
    return {field.name for field in dataclasses.fields(command)}


def any_of(command: type[Command]) -> st.SearchStrategy[Command]:
    """The command with any of its options given."""
    made: dict[str, st.SearchStrategy[Any]] = {}
    for field in dataclasses.fields(command):
        if field.default is False:
            made[field.name] = st.booleans()
        elif field.default == ():
            least = 1 if field.metadata["argparse"].get("nargs") == "+" else 0
            made[field.name] = st.lists(st.sampled_from(values(field)), min_size=least, max_size=3).map(tuple)
        else:
            given = st.sampled_from(values(field))
            made[field.name] = given if required(field) else st.just(field.default) | given
    return st.builds(command, **made)


@pytest.mark.parametrize("name", NAMES)
def test_a_replay_is_the_same_command(name: str) -> None:
    command = ALL[name].load()

    @drawn_from(any_of(command))
    def same(typed: Command) -> None:
        aside: dict[str, Any] = {f.name: f.default for f in dataclasses.fields(command) if not f.metadata["replayed"]}
        line = shlex.split(replay(typed))
        assert line[:3] == ["python3", "-m", "harness"]
        assert parse(line[3:]) == dataclasses.replace(typed, **aside)
        assert declared.parse(command, words(typed, all_=True)) == typed

    same()


@pytest.mark.parametrize("name", NAMES)
def test_the_registry_and_the_class_say_the_same_and_the_example_is_one(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = ALL[name]
    command = entry.load()
    assert command.name == name
    assert (inspect.getdoc(command) or "").startswith(entry.told) and entry.told.endswith(".")
    assert isinstance(parse([*name.split(), *shlex.split(command.example)]), command)
    assert main([*name.split(), "--help"]) == Exit.OK
    told = " ".join(capsys.readouterr().out.split())
    assert f"example: python3 -m harness {name} {command.example}" in told
    assert all(each in told for each in flags(command))


#: What was taken and ignored, and printed in the replay, before each command declared what it reads.
IGNORED = [
    *((name, flag) for name in ("load_stages", "scaling", "zone_loss", "network", "secret_rotation")
      for flag in ("--window", "--pace", "--fetch-interval", "--fault")),
    *((name, flag) for name in ("chaos", "chaos_nightly", "rolling_update", "deploy_rehearsal") for flag in ("--window", "--fault")),
    *(("stack up", flag) for flag in ("--seed", "--window", "--pace", "--fetch-interval", "--fault", "--lang")),
]  # fmt: skip


#: What its command reads by now.
READ_SINCE = {("stack up", "--lang")}


def test_the_pairs_are_those_that_were_found() -> None:
    assert len(IGNORED) == 34 and set(IGNORED) >= READ_SINCE
    for name, flag in READ_SINCE:
        assert flag in flags(ALL[name].load())


@pytest.mark.parametrize(("name", "flag"), [pair for pair in IGNORED if pair not in READ_SINCE])
def test_what_a_command_does_not_read_is_refused_and_who_takes_it_is_said(name: str, flag: str) -> None:
    with pytest.raises(BadInput, match="unrecognized arguments: " + flag) as caught:
        parse([*name.split(), flag, "9s"])
    assert "is an option of: run, rollout" in caught.value.remedy


class Read:
    """Notes which options of a command are read by anything but the replay."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, command: type[Command]) -> None:
        self.names: set[str] = set()
        known, aside = options(command), (declared.__file__, dataclasses.__file__)

        def noted(typed: Command, name: str) -> Any:
            if name in known and sys._getframe(1).f_code.co_filename not in aside:
                self.names.add(name)
            return object.__getattribute__(typed, name)

        monkeypatch.setattr(command, "__getattribute__", noted, raising=False)


def variants(command: type[Command], tmp_path: Path) -> Iterator[Command]:
    """Runs that together come past every option."""
    asked: dict[str, Any] = {"scenario": "rollout_week3", "task": "daily"}
    needed = {name: word for name, word in asked.items() if name in options(command)}
    aside: dict[str, Any] = {"reports": tmp_path} if "reports" in options(command) else {}
    on: dict[str, Any] = {"on": "local"} if "on" in options(command) else {}
    on |= {"detach": True} if "detach" in options(command) else {}
    yield command(**needed, **aside, **on)
    if "context" in options(command):
        on |= {"on": "kube"} if on else {}
        yield command(**needed, **aside, **on, context="mine")  # type: ignore[call-arg]


@pytest.mark.parametrize("name", [*(each.name for each in COMMANDS), "stack up"])
def test_every_option_of_a_rehearsal_is_read(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ALL[name].load()

    def nothing(*_: object, **__: object) -> int:
        return 0

    def not_begun(*_: object) -> None:
        raise StackNotStarted("a test begins none")

    def look(*_: object, **__: object) -> OwnCluster:
        return OwnCluster(context="mine", server="https://127.0.0.1:1", kubeconfig="")

    monkeypatch.setattr("harness.run.arguments.run_to_end", nothing)
    monkeypatch.setattr("harness.run.resuming.run_to_end", nothing)
    monkeypatch.setattr("harness.cli.stack_command._start_detached", not_begun)
    monkeypatch.setattr("harness.stack.kube.access.look", look)
    every = list(variants(command, tmp_path))
    read = Read(monkeypatch, command)
    for typed in every:
        try:
            assert typed.run() == 0
        except RehearsalError:
            # `operations` looks at a stack that is up: there is none
            assert name in {"stack up", "operations"} or typed.on == "kube"  # type: ignore[attr-defined]
    assert read.names == options(command) - {"no_defaults"}  # which the reader of defaults reads


def test_the_first_line_of_each_rehearsal_says_what_its_run_is_made_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in ("harness.run.arguments", "harness.run.resuming"):
        monkeypatch.setattr(f"{module}.run_to_end", lambda *_, **__: 0)
    for words_ in map(begun, COMMANDS):
        assert main([*words_, "--reports", str(tmp_path)]) == 0
        first, second, *_ = capsys.readouterr().err.splitlines()
        assert " · local" in first and first.endswith(" · seed 1") and second.startswith("replay: python3"), words_


def reads(command: type[Command]) -> set[str]:
    """What ``run`` of a class reads of itself, and each of its methods that it comes past."""
    found, waiting = set[str](), ["run"]
    while waiting:
        member = inspect.getattr_static(command, waiting.pop(), None)
        method = member.fget if isinstance(member, property) else member
        if inspect.isfunction(method):
            tree = ast.parse(textwrap.dedent(inspect.getsource(method)))
            of_self = (n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name))
            new = {each.attr for each in of_self if each.value.id == "self"} - found  # type: ignore[attr-defined]
            found |= new
            waiting += new
    return found


@pytest.mark.parametrize("name", sorted(set(ALL) - {each.name for each in COMMANDS} - {"stack up"}))
def test_every_option_of_a_tool_is_read(name: str) -> None:
    command = ALL[name].load()
    assert options(command) - {"no_defaults"} <= reads(command)


def test_an_option_of_a_tool_that_is_only_named_beside_its_run_is_not_read() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Planted(Spoken, AsJson):
        """A tool that ignores an option."""

        ignored: bool = declared.option("nothing", default=False)

        def unread(self) -> tuple[str, ...]:
            return ("ignored",) if self.ignored else ()

        def run(self) -> int:
            return self._told(self.json)

        def _told(self, as_json: bool) -> int:
            return int(as_json and self.lang == "ja")

    assert options(Planted) - reads(Planted) == {"ignored", "no_defaults"}


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["run", "rollout_week3", "--windw", "9s"], "did you mean '--window'?"),
        (["network", "--ingres"], "did you mean '--ingress'?"),
        (["judge", "latest", "--direction=x"], "--direction is an option of: reconcile"),
        (["doctor", "--quickly"], "--help shows what it takes"),
        (["roolout"], "did you mean 'rollout'?"),
        (["stack", "upp"], "did you mean 'stack up'?"),
        (["stack"], "did you mean 'stack up'?"),
        ([], "a command is required"),
        (["scaling", "--on", "moon"], "'moon'"),
        (["load_stages", "--workers", "9"], "not within 1..8"),
        (["chaos", "--reconcile", "up"], "firestore_to_postgresql"),
        (["mirror_stop", "--step", "1s"], "not within 5s..600s"),
        (["reconcile"], "--direction"),
    ],
)
def test_what_is_mistyped_is_told_with_what_is_near(
    typed: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(typed) == Exit.USAGE
    said = capsys.readouterr().err
    assert says in said and "where: python3 -m harness" in said and "to do: " in said


@pytest.mark.parametrize("typed", [["list"], ["list", "--help"], ["--help"]])
def test_the_list_has_every_command_once_under_its_group(typed: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(typed) == Exit.OK
    lines = capsys.readouterr().out.splitlines()
    for name, entry in ALL.items():
        assert sum(line.startswith(f"  {name} ") for line in lines) == 1
        assert f"{entry.group}:" in lines
    assert max(map(len, lines)) <= 80


def test_the_list_is_there_as_json_and_takes_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == Exit.OK
    found = json.loads(capsys.readouterr().out)
    assert [(each["name"], each["group"], each["told"]) for each in found] == [
        (entry.name, entry.group, entry.told) for entry in ALL.values()
    ]
    assert main(["list", "--seed", "3"]) == Exit.USAGE
    assert "list takes --json and nothing else, not --seed 3" in capsys.readouterr().err


def test_the_version_is_the_project_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == Exit.OK
    assert f'version = "{capsys.readouterr().out.split()[-1]}"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.process
def test_the_sessions_names_need_nothing_but_the_standard_library() -> None:
    line = "from harness.cli.main import ALL; print(*(each.told for each in ALL.values()), sep='\\n')"
    bare = [sys.executable, "-S", "-c", line]
    done = subprocess.run(bare, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == [each.told for each in ALL.values()]


def test_a_duration_keeps_what_was_typed() -> None:
    assert (str(Duration("1.50min")), Duration("1.50min").seconds) == ("1.50min", 90)
    with pytest.raises(ValueError, match="no unit"):
        Duration("90")


@dataclass(frozen=True, kw_only=True)
class Several(Command):
    """Takes files."""

    name = "several"
    example = "a b"
    files: tuple[str, ...] = declared.option("files", positional=True, nargs="+")

    def run(self) -> int:
        return len(self.files)


def test_a_command_takes_several_words_and_says_them_again() -> None:
    typed = declared.parse(Several, ["a", "b c"])
    assert typed.files == ("a", "b c") and replay(typed) == "python3 -m harness several a 'b c'"


def test_a_help_offers_an_image_only_where_one_is_taken() -> None:
    by_command = [made for entry in ALL.values() if issubclass(made := entry.load(), TargetOnLocal)]
    assert {made.name for made in by_command} >= {"conformance", "flag_proof", "migration_drill"}
    for made in by_command:
        assert "image:" not in declared.parser(made).format_help(), made.name
        with pytest.raises(BadInput, match="cannot run the image walk-api"):
            declared.parse(made, ["--target", "image:walk-api"]).asked()
    assert "image:NAME on a cluster" in " ".join(declared.parser(ALL["security"].load()).format_help().split())


def test_a_help_names_every_value_that_an_option_is_chosen_from() -> None:
    missing = []
    for made in (entry.load() for entry in ALL.values()):
        said = set(re.findall(r"\w+", declared.parser(made).format_help()))
        fields = {field.name: field.metadata["argparse"].get("choices", ()) for field in dataclasses.fields(made)}
        missing += [(made.name, name, left) for name, of in fields.items() if (left := {*map(str, of)} - said)]
    assert missing == []


#: What a help is not to load: it takes longer than all the rest together.
HEAVY = ("numpy", "scipy", "psutil", "rich", "kubernetes", "jinja2", "asyncpg", "fastapi", "harness.stack.manifests")


@pytest.mark.process
def test_no_help_loads_what_only_a_run_needs() -> None:
    script = f"""
import sys
from harness.cli.main import ALL
from harness.run.command import parser
for entry in ALL.values():
    parser(entry.load()).format_help()
    loaded = [name for name in {HEAVY} if name in sys.modules]
    assert not loaded, (entry.name, loaded)
"""
    bare = [sys.executable, "-c", script]
    done = subprocess.run(bare, cwd=ROOT, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
