"""An option that is accepted changes what is run: every pair of options, parts and environments that a command takes.

What is run is the plan, and what the environment's stack is made of; the replay, in which an option stands whether it is
read or not, is none of it. What can change nothing is to be refused.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

import harness.run.scenarios.load
from harness.base import planfile
from harness.base.data import ROOT
from harness.base.errors import BadInput, Exit, RehearsalError
from harness.cli.main import ALL, main
from harness.model.stack import EnvironmentKind, OwnCluster
from harness.rehearsals.chaos import catalogue
from harness.rehearsals.conformance.openapi.plan import OpenApiPlan
from harness.rehearsals.deploy import plan as deploy
from harness.rehearsals.dr_restore.command import DrRestore
from harness.run.command import Command, Duration
from harness.run.options import Options
from harness.run.own_cluster import OnCluster
from harness.run.registry import COMMANDS, rehearsal
from harness.stack.environments.choice import stack_for
from harness.stack.protocol import StackNeeds
from tests.cli.test_commands import options, values

Given = dict[str, Any]
#: What a command cannot do without here, or is given so that nothing else is refused for it.
NEEDED: Given = {"scenario": "rollout_week3", "task": "daily"}
#: How a run is told; what is no run yet, or one that was begun before: they are held by tests of their own.
ASIDE = {"json", "junit", "verbose", "quiet", "no_defaults", "list", "detach", "resume", *NEEDED}
STACKS = ("harness.stack.local.LocalStack", "harness.stack.kind.stack.KindStack", "harness.stack.kube.stack.KubeStack")
#: What a text, or a file by its name, holds: the same at each combination, and never changed.
READERS = {
    "harness.rehearsals.chaos.catalogue.load": cache(catalogue.load),
    "harness.base.planfile.parse": cache(planfile.parse),
    "harness.run.scenarios.load.parse": cache(harness.run.scenarios.load.parse),
    "harness.rehearsals.deploy.plan.load": cache(deploy.load),
    "harness.rehearsals.conformance.openapi.plan.OpenApiPlan": cache(OpenApiPlan),
}
RULES = ROOT / "deploy" / "monitoring" / "prometheus" / "rules"
SAMPLE = ROOT / "docs" / "samples" / "rollout_week3"


@pytest.fixture(autouse=True)
def nothing_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cluster, no stack: whichever would be made says what of."""

    def look(context: str, kubeconfig: str, *, registry: str = "") -> OwnCluster:
        return OwnCluster(context=context, server="https://127.0.0.1:1", kubeconfig=kubeconfig, registry=registry)

    for name in STACKS:
        monkeypatch.setattr(name, lambda **made: made)
    monkeypatch.setattr("harness.stack.environments.choice.cluster_images", lambda *asked, **_: repr(asked[:2]))
    monkeypatch.setattr("harness.stack.environments.choice.provide", lambda rung: None)
    monkeypatch.setattr("harness.stack.kube.access.look", look)
    for reader, reads in READERS.items():  # files, at each of thousands of combinations
        monkeypatch.setattr(reader, reads)
    monkeypatch.setattr("harness.rehearsals.operations.seen.standing.must_be_of", lambda _target: None)


def files(tmp_path: Path, name: str) -> Given:
    """Values of options that take a file or a program."""
    found: Given = {
        "target": f"{sys.executable} -V", "manifests": tmp_path / "mine", "repository": tmp_path, "of": str(SAMPLE),
        "alerts": RULES, "openapi": ROOT / "api" / "openapi.json",
        "kubeconfig": str(tmp_path / "config"), "context": "other", "workers": 2,
        "fault": ("errors=12%",), "size": "1GiB", "sizes": "64MiB,128MiB,256MiB,512MiB",
    }  # fmt: skip
    for option, bundled in (("plan", name.removesuffix("_rehearsal")), ("prices", "prices")):
        plan = ROOT / "scenarios" / "plans" / f"{bundled}.yaml"
        if plan.is_file():  # another of the same form
            text = (
                plan.read_text("utf-8")
                .replace('\ntitle: "', '\ntitle: "Another: ', 1)
                .replace("2026-11-27", "2026-11-26")
            )
            found[option] = tmp_path / f"{option}.yaml"
            found[option].write_text(text, "utf-8")
    return found


def parts(command: type[Command], base: Given) -> list[tuple[str, ...]]:
    """What ``--only`` may choose, each by itself."""
    if "only" not in options(command):
        return []
    with pytest.raises(BadInput) as caught:
        of(command, base, {"only": ("none-such",)})
    names = caught.value.remedy.removeprefix("there are: ").split(", ")
    return [(name,) for name in names[:6]]


def made(command: type[Command], *given: Given) -> Any:
    every: Given = {}
    for each in given:
        every |= each
    return command(**every)


def of(command: type[Command], *given: Given) -> Any:
    """What would be run, without the words that were typed. Raises ``BadInput``."""
    typed = made(command, *given)
    if command.name == "stack up":
        asked: Options = typed.placed(0, typed.lang, typed.manifests)
        if asked.rung is EnvironmentKind.SIM:
            raise BadInput("a stack is none that is simulated")
        return stack_of(asked)
    plan, asked = typed.planned(), typed.resolved()
    found = rehearsal(typed.rehearsal or typed.name)
    if asked.rung is EnvironmentKind.SIM and found.unable(plan, ()):
        raise BadInput("the environment lacks what it needs")
    return untyped(msgspec.to_builtins(plan, enc_hook=str)), stack_of(asked)


def stack_of(asked: Options) -> Any:
    """What every run reads of its options, and what the environment's stack does."""
    load = (asked.load_from_cluster, asked.workers)
    read = (asked.rung, asked.seed, asked.reports, asked.manifests, asked.target, asked.lang, load)
    if asked.rung is EnvironmentKind.SIM or (
        asked.rung is EnvironmentKind.KUBE and asked.own_cluster is None
    ):  # or one that is looked at
        return read
    nothing: Any = None
    needs = StackNeeds(manifests=nothing)
    return read, repr(stack_for(asked, needs, run_id="", folder=Path(), clock=nothing, progress=print))


def untyped(plan: Any) -> Any:
    """Without the words that a plan keeps for a replay or a resume."""
    if isinstance(plan, dict):
        return {name: untyped(each) for name, each in plan.items() if name not in {"words", "replay"}}
    return [untyped(each) for each in plan] if isinstance(plan, list | tuple) else plan


def bases(command: type[Command]) -> Iterator[Given]:
    """Each environment that the command takes, with what it needs there."""
    needed = {name: word for name, word in NEEDED.items() if name in options(command)}
    rungs = next((f.metadata["argparse"]["choices"] for f in dataclasses.fields(command) if f.name == "on"), [""])
    for rung in rungs:
        if rung == "auto":
            continue
        own = {"context": "mine", "yes_use_this_cluster": True} if rung == EnvironmentKind.KUBE else {}
        yield {**needed, **({"on": rung} if rung else {}), **own}
    for name, value in {"context": "mine", "alerts": RULES}.items():  # what others go with
        if name in options(command) and (name != "context" or rungs == [""]):
            yield {**needed, **({} if rungs == [""] else {"on": EnvironmentKind.LOCAL.value}), name: value}


def others(command: type[Command], given: Given) -> Iterator[tuple[str, list[Any]]]:
    """The options beside those that are given, with values that are not their defaults."""
    for field in dataclasses.fields(command):
        if field.name in ASIDE or field.name in given or field.metadata["argparse"]["help"] == "==SUPPRESS==":
            continue
        if field.default is False:
            yield field.name, [True]
        elif field.name != "only":
            may = [value for value in values(field) if value != field.default]
            yield field.name, [(value,) for value in may] if field.default == () else may


@dataclass
class Walk:
    """One command: ``without`` are the options that changed nothing where they were accepted, ``reading`` those that
    changed something somewhere, of ``every``."""

    command: type[Command]
    files: Given
    without: list[tuple[Given, str]] = dataclasses.field(default_factory=list)
    reading: set[str] = dataclasses.field(default_factory=set)
    every: set[str] = dataclasses.field(default_factory=set)

    def tried(self, option: str, may: list[Any]) -> list[Any]:
        return [self.files[option]] if option in self.files else may[:3]

    def accepted(self, base: Given) -> Any | None:
        try:
            return of(self.command, base)
        except RehearsalError:  # what is refused, or cannot be had there
            return None

    def beside(self, base: Given) -> None:
        """Every other option beside ``base``: refused, or another run."""
        if (before := self.accepted(base)) is None:
            return
        for option, may in others(self.command, base):
            self.every.add(option)
            found = [self.accepted(base | {option: value}) for value in self.tried(option, may)]
            if any(after not in (None, before) for after in found):
                self.reading.add(option)
            elif any(after is not None for after in found):
                self.without.append((base, option))


COMMANDS_OF_RUNS = [*(each.name for each in COMMANDS), "stack up"]


@pytest.mark.parametrize("name", COMMANDS_OF_RUNS)
def test_what_is_accepted_changes_what_is_run(name: str, tmp_path: Path) -> None:
    """In each environment, and beside each part of the plan that may be chosen alone."""
    command = ALL[name].load()
    walk = Walk(command, files(tmp_path, name))
    every = list(bases(command))
    first = next((base for base in every if base.get("on") == EnvironmentKind.LOCAL), every[0])
    for base in (*({**first, "only": only} for only in parts(command, first)), *every):
        walk.beside(base)
        walk.reading |= {*base}  # without which it is refused
        if walk.accepted(base) is None and base.get("on") == EnvironmentKind.KUBE:  # which the rehearsal cannot have
            walk.reading |= {field.name for field in dataclasses.fields(OnCluster)}
    assert not walk.without, walk.without[:5]
    assert walk.reading >= walk.every, "an option that is refused wherever it was tried shows nothing"


@pytest.mark.nightly
@pytest.mark.parametrize("name", COMMANDS_OF_RUNS)
def test_each_pair_of_options_changes_what_is_run(name: str, tmp_path: Path) -> None:
    """Beside each other option, in each environment."""
    command = ALL[name].load()
    walk = Walk(command, files(tmp_path, name))
    for base in bases(command):
        for option, may in list(others(command, base)):
            for value in walk.tried(option, may)[:1]:
                walk.beside(base | {option: value})
    assert not walk.without, walk.without[:5]


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["load_stages", "--only", "users", "--pods", "2,4"], "--pods is for knee alone"),
        (["load_stages", "--only", "knee", "--quick"], "--quick is for users, capacity, in_flight alone"),
        (["scaling", "--on", "kind", "--signals-at-once"], "--signals-at-once is of --on local"),
        (["run", "rollout_week3", "--on", "local", "--yes-use-this-cluster"], "belongs to --on kube"),
        (["stack", "down", "--on", "kube", "--force"], "--force is for the kept cluster"),
        (["chaos", "--list", "--seed", "7"], "--list runs nothing: --seed"),
        (["migrate", "--dry-run", "--settle", "3s"], "--dry-run compares nothing: --settle"),
        (["operations", "daily", "--namespace", "mine"], "--namespace: of --context alone"),
        (["alert_drill", "--alerts", str(RULES), "--of", str(SAMPLE), "--scale", "2"], "--of drills nothing"),
        *(
            (["dr_restore", "--only", only, *option], f"{option[0]} is for {part} alone")
            for only in ("disasters", "schedule")
            for part, option in (
                ("stack", ("--on", "kind")), ("points", ("--points", "5")), ("sizes", ("--size", "1GiB")),
                ("sizes", ("--sizes", "64MiB,128MiB,256MiB,512MiB")), ("stall", ("--stall", "90min")),
            )
        ),
    ],
)  # fmt: skip
def test_an_option_that_nothing_reads_there_is_refused(
    typed: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(typed) == Exit.USAGE
    said = capsys.readouterr().err
    assert says in said and "to do: " in said


def test_what_is_listed_takes_no_default_of_a_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TEKUTOKO_OPTION_SEED", "5")
    assert main(["chaos", "--list"]) == Exit.OK and "pod_kill" in capsys.readouterr().out


def test_what_is_listed_speaks_the_language_that_is_the_default(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["chaos", "--list", "--lang", "ja"]) == Exit.OK
    japanese = capsys.readouterr().out
    monkeypatch.setenv("TEKUTOKO_OPTION_LANG", "ja")
    assert main(["chaos", "--list"]) == Exit.OK
    assert capsys.readouterr().out == japanese


def test_each_part_of_a_recovery_takes_its_own_option() -> None:
    for part, option in (
        ("points", {"points": 5}),
        ("sizes", {"size": "1GiB"}),
        ("stall", {"stall": Duration("90min")}),
    ):
        assert made(DrRestore, {"only": (part,)}, option).planned() != made(DrRestore, {"only": (part,)}).planned()
