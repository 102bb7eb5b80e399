"""``python -m harness chaos`` and ``chaos_nightly``: their options, and from them to an exit status."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable

import msgspec

from chaos import catalogue
from harness.checks.healing import Direction
from harness.clock import MachineClock
from harness.lifecycle import run_to_end
from harness.model import units
from harness.model.errors import BadInput
from harness.options import RunOptions, only_words
from harness.progress import Progress
from harness.rehearsals.chaos.draw import draw
from harness.rehearsals.chaos.night import NAME, Night, Planned
from harness.rehearsals.chaos.types import Experiment

_MOST_DRAWN = 500

OptionsOf = Callable[[argparse.Namespace], RunOptions]


def add_chaos_arguments(command: argparse.ArgumentParser) -> None:
    """The options of ``chaos`` beside those of every run."""
    command.add_argument("--only", action="append", default=[], metavar="NAME|FILE", help="an experiment (repeatable)")
    add_reconcile_argument(command)
    command.add_argument("--list", action="store_true", help="name the bundled experiments and end")


def add_nightly_arguments(command: argparse.ArgumentParser) -> None:
    """The options of ``chaos_nightly`` beside those of every run."""
    add_reconcile_argument(command)
    command.add_argument("--count", type=int, default=50, help="how many schedules to draw (default: %(default)s)")
    command.add_argument("--length", type=int, default=2, help="experiments in each (default: %(default)s)")
    command.add_argument("--budget", default="90min", help="begin no schedule after this time (default: %(default)s)")
    command.add_argument("--least", type=int, default=1, help="fewer made within it hold (default: %(default)s)")


def add_reconcile_argument(command: argparse.ArgumentParser) -> None:
    """Heals the stores after the checks, in a stated direction."""
    command.add_argument(
        "--reconcile", choices=[str(each) for each in Direction], help="heal the stores after the checks"
    )


def run_chaos(arguments: argparse.Namespace, options_of: OptionsOf) -> int:
    """All experiments in their order, or those named. Raises ``BadInput`` for what was typed."""
    if arguments.list:
        for name in catalogue.names():
            sys.stdout.write(f"{name:<24} {catalogue.load(name).title}\n")
        return 0
    drawn = tuple(catalogue.load(name) for name in arguments.only or catalogue.usual())
    loses = [each.name for each in drawn if each.expects.failover and not each.expects.failover.synchronous]
    if loses and len(drawn) > 1:
        what = f"{loses[0]} has to lose acknowledged writes: beside others it would hide what they lose"
        raise BadInput(what, remedy="run it alone, with one --only")
    return _run(arguments, options_of(arguments), drawn, ["chaos", *only_words(arguments.only)])


def run_nightly(arguments: argparse.Namespace, options_of: OptionsOf) -> int:
    """Many drawn schedules within a budget of time, each seed its own; failing seeds are kept. Raises ``BadInput``."""
    for name, value, most in (
        ("--count", arguments.count, _MOST_DRAWN),
        ("--length", arguments.length, _MOST_DRAWN),
        ("--least", arguments.least, arguments.count),
    ):
        if not 1 <= value <= most:
            raise BadInput(f"{name} {value} is not within 1..{most}")
    budget_s = _budget_s(arguments.budget)
    options = options_of(arguments)
    plan = tuple(_planned(arguments, options, options.seed + number) for number in range(arguments.count))
    words = ["--count", str(arguments.count), "--length", str(arguments.length), "--budget", arguments.budget]
    words += ["--least", str(arguments.least)]
    replay = _replay(arguments, options, NAME, *words)
    clock = MachineClock()
    progress = Progress(clock)
    _first_lines(progress, options, replay)
    progress.plain(f"{len(plan)} schedules of {arguments.length} experiments, seeds {options.seed} and on")
    from harness.rehearsals.chaos.flow import ChaosRun  # SciPy and psutil load here
    from harness.rehearsals.chaos.night_report import NIGHT_JSON, text

    heal = Direction(arguments.reconcile) if arguments.reconcile else None

    def make(planned: Planned) -> ChaosRun:
        drawn = tuple(catalogue.load(name) for name in planned.drawn)
        return ChaosRun(drawn, planned.options, clock, progress, replay=planned.replay, reconcile=heal)

    return run_to_end(
        lambda: Night(plan, options, make, clock, progress, replay=replay, budget_s=budget_s, least=arguments.least),
        progress,
        text,
        printed=NIGHT_JSON if arguments.json else None,
    )


def _budget_s(given: str) -> float:
    try:
        budget_s = units.seconds(given)
    except ValueError as error:
        raise BadInput(f"--budget: {error}", remedy="for example --budget 90min") from error
    if not budget_s:
        raise BadInput("--budget is 0: no schedule would be begun", remedy="for example --budget 90min")
    return budget_s


def _planned(arguments: argparse.Namespace, options: RunOptions, seed: int) -> Planned:
    """The schedule of ``seed``; its replay makes it alone."""
    one = msgspec.structs.replace(options, seed=seed)
    replay = _replay(arguments, one, NAME, "--count", "1", "--length", str(arguments.length))
    return Planned(drawn=draw(catalogue.usual(), arguments.length, seed), options=one, replay=replay)


def _run(arguments: argparse.Namespace, options: RunOptions, drawn: tuple[Experiment, ...], words: list[str]) -> int:
    clock = MachineClock()
    progress = Progress(clock)
    replay = _replay(arguments, options, *words)
    _first_lines(progress, options, replay)
    progress.plain(f"{len(drawn)} experiments: {', '.join(experiment.name for experiment in drawn)}")
    from harness.rehearsals.chaos.flow import ChaosRun  # SciPy and psutil load here
    from harness.rehearsals.chaos.report import CHAOS_JSON, text

    heal = Direction(arguments.reconcile) if arguments.reconcile else None
    return run_to_end(
        lambda: ChaosRun(drawn, options, clock, progress, replay=replay, reconcile=heal),
        progress,
        text,
        printed=CHAOS_JSON if arguments.json else None,
    )


def _replay(arguments: argparse.Namespace, options: RunOptions, command: str, *words: str) -> str:
    healing = ["--reconcile", arguments.reconcile] if arguments.reconcile else []
    line = ["python", "-m", "harness", command, "--on", str(options.rung), "--seed", str(options.seed)]
    return shlex.join([*line, *words, *healing, *options.changed])


def _first_lines(progress: Progress, options: RunOptions, replay: str) -> None:
    progress.plain(f"seed {options.seed}, environment {options.rung}, target {options.target.name}; replay: {replay}")
