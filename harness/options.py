"""What a run is asked for, resolved: the scenario with its overrides, the rung, the target, seed, faults."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from harness.model import units
from harness.model.errors import BadInput
from harness.model.scenario import Scenario
from harness.model.stack import GATE_FAULTS, Fault, FaultKind, OwnCluster, Rung, Target

#: The faults that a week's run takes; the others belong to the experiments of ``chaos/``.
PLAIN_FAULTS = GATE_FAULTS | {FaultKind.POD_CRASH}
FAULT_FORMS = "errors=12%, latency=600ms, latency=600ms:10%, unavailable=100%, each with @30s to begin later"


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a run needs to begin. ``changed`` are the command line's overrides, as typed, for the replay."""

    scenario: Scenario
    scenario_name: str
    rung: Rung
    rung_reason: str = ""
    target: Target
    seed: int
    reports: Path
    manifests: Path
    faults: tuple[Fault, ...] = ()
    service_port: int | None = None
    changed: tuple[str, ...] = ()
    own_cluster: OwnCluster | None = None  # of the rung kube
    signals_at_once: bool = False  # local: a leaving pod is signalled while the Service still leads to it
    lang: str = "en"  # of the reports and the closing words; run.json is the same in any

    @property
    def replay(self) -> str:
        """The command that replays this run."""
        words = ["python", "-m", "harness", "run", self.scenario_name, "--on", str(self.rung)]
        return shlex.join([*words, "--seed", str(self.seed), *self.changed])


class Named(Protocol):
    """A part of a plan."""

    @property
    def name(self) -> str:
        """What ``--only`` calls it."""
        ...


P = TypeVar("P", bound=Named)


def chosen(parts: Sequence[P], only: Sequence[str]) -> tuple[P, ...]:
    """The parts that ``--only`` names, in their own order; all when it names none. Raises ``BadInput``."""
    names = [part.name for part in parts]
    unknown = sorted(set(only) - set(names))
    if unknown:
        raise BadInput(f"--only {unknown[0]}: no such part", remedy=f"the parts are: {', '.join(names)}")
    return tuple(part for part in parts if not only or part.name in only)


def only_words(names: Iterable[str]) -> list[str]:
    """``--only`` as it was given, for a command line that runs the same again."""
    return [word for name in names for word in ("--only", name)]


def replay_of_parts(
    command: str, options: RunOptions, *, plan: Path | None, only: Sequence[str] = (), more: Sequence[str] = ()
) -> str:
    """The command line that runs parts of a plan again; ``plan`` is what the bundled one was replaced by."""
    words = ["python", "-m", "harness", command, "--on", str(options.rung), "--seed", str(options.seed)]
    words += ["--plan", str(plan)] if plan else []
    words += only_words(only)
    return shlex.join([*words, *more, *options.changed])


def announced(options: RunOptions, replay: str, parts: Sequence[Named]) -> str:
    """The first lines of a command that runs parts of a plan."""
    return (
        f"seed {options.seed}, environment {options.rung} ({options.rung_reason}), target {options.target.name}; "
        f"replay: {replay}\n{len(parts)} parts: {', '.join(part.name for part in parts)}"
    )


def faults(texts: Iterable[str], scenario: Scenario) -> tuple[Fault, ...]:
    """Every ``--fault``; ``BadInput`` also for one that would begin after the scenario's window: it would never be."""
    planned = {text: fault(text) for text in texts}
    for text, plan in planned.items():
        if plan.after_s >= scenario.window_s:
            raise BadInput(
                f"--fault {text!r}: it begins {plan.after_s:g} s into a window of {scenario.window_s:g} s",
                where=f"scenario {scenario.name}",
                remedy="let it begin earlier, or make the window longer with --window",
            )
    return tuple(fault(text) for text in texts)


def fault(text: str) -> Fault:
    """A ``--fault`` of the command line; ``BadInput`` names the text and the forms."""
    try:
        head, _, after = text.partition("@")
        name, sign, amount = head.partition("=")
        kind = FaultKind(name)
        if kind not in PLAIN_FAULTS:
            raise BadInput(f"--fault {text!r}: {name} is an experiment", remedy="run it with `python -m harness chaos`")
        after_s = units.seconds(after) if after else 0.0
        if kind is FaultKind.LATENCY:
            delay, _, share = amount.partition(":")
            delay_ms = units.quantity(delay, units.Unit.MILLISECONDS)
            return Fault(kind=kind, delay_ms=delay_ms, share=units.ratio(share) if share else 1.0, after_s=after_s)
        if not sign:
            return Fault(kind=kind, after_s=after_s)
        return Fault(kind=kind, share=units.ratio(amount), after_s=after_s)
    except ValueError as error:
        raise BadInput(f"--fault {text!r}: {error}", remedy=f"the forms are: {FAULT_FORMS}") from error
