"""``python -m harness chaos`` and ``chaos_nightly``: their options, and from them to an exit status."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from harness.chaos.draw import draw
from harness.checks.healing import Direction
from harness.clock import MachineClock
from harness.lifecycle import run_to_end
from harness.model import units
from harness.model.chaos import Experiment
from harness.model.errors import BadInput
from harness.options import RunOptions
from harness.progress import Progress

FAILING_SEEDS = "chaos-failing-seeds.json"
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
    command.add_argument("--count", type=int, default=50, help="how many experiments to draw (default: %(default)s)")
    command.add_argument("--budget", default="90min", help="begin no experiment after this time (default: %(default)s)")


def add_reconcile_argument(command: argparse.ArgumentParser) -> None:
    """Heals the stores after the checks, in a stated direction."""
    command.add_argument(
        "--reconcile", choices=[str(each) for each in Direction], help="heal the stores after the checks"
    )


def run_chaos(arguments: argparse.Namespace, options_of: OptionsOf) -> int:
    """All experiments in their order, or those named. Raises ``BadInput`` for what was typed."""
    from chaos import catalogue

    if arguments.list:
        for name in catalogue.names():
            sys.stdout.write(f"{name:<24} {catalogue.load(name).title}\n")
        return 0
    drawn = tuple(catalogue.load(name) for name in arguments.only or catalogue.usual())
    loses = [each.name for each in drawn if each.expects.failover and not each.expects.failover.synchronous]
    if loses and len(drawn) > 1:
        what = f"{loses[0]} has to lose acknowledged writes: beside others it would hide what they lose"
        raise BadInput(what, remedy="run it alone, with one --only")
    words = [word for name in arguments.only for word in ("--only", name)]
    return _run(arguments, options_of(arguments), drawn, ["chaos", *words])


def run_nightly(arguments: argparse.Namespace, options_of: OptionsOf) -> int:
    """A drawn schedule within a budget of time; a failing seed is kept. Raises ``BadInput``."""
    from chaos import catalogue

    if not 1 <= arguments.count <= _MOST_DRAWN:
        raise BadInput(f"--count {arguments.count} is not within 1..{_MOST_DRAWN}")
    try:
        budget_s = units.seconds(arguments.budget)
    except ValueError as error:
        raise BadInput(f"--budget: {error}", remedy="for example --budget 90min") from error
    options = options_of(arguments)
    drawn = tuple(catalogue.load(name) for name in draw(catalogue.usual(), arguments.count, options.seed))
    words = ["--count", str(arguments.count), "--budget", arguments.budget]
    status = _run(arguments, options, drawn, ["chaos_nightly", *words], budget_s)
    if status not in {0, 130}:
        _keep_seed(options.reports / FAILING_SEEDS, options.seed, arguments.count)
    return status


def _keep_seed(path: Path, seed: int, count: int) -> None:
    """Adds the seed to those kept, once."""
    kept = json.loads(path.read_text()) if path.exists() else []
    entry = {"seed": seed, "count": count}
    if entry not in kept:
        path.write_text(json.dumps([*kept, entry], indent=2) + "\n")
    sys.stderr.write(f"the seed is kept in {path}\n")


def _run(
    arguments: argparse.Namespace,
    options: RunOptions,
    drawn: tuple[Experiment, ...],
    words: list[str],
    budget_s: float | None = None,
) -> int:
    clock = MachineClock()
    progress = Progress(clock)
    if arguments.reconcile:
        words = [*words, "--reconcile", arguments.reconcile]
    command, *others = words
    line = ["python", "-m", "harness", command, "--on", str(options.rung), "--seed", str(options.seed)]
    replay = shlex.join([*line, *others, *options.changed])
    progress.plain(f"seed {options.seed}, rung {options.rung}, target {options.target.name}; replay: {replay}")
    progress.plain(f"{len(drawn)} experiments: {', '.join(experiment.name for experiment in drawn)}")
    from harness.chaos.flow import ChaosRun  # SciPy and psutil load here
    from harness.chaos.report import CHAOS_JSON, text

    heal = Direction(arguments.reconcile) if arguments.reconcile else None
    return run_to_end(
        lambda: ChaosRun(drawn, options, clock, progress, replay=replay, budget_s=budget_s, reconcile=heal),
        progress,
        text,
        printed=CHAOS_JSON if arguments.json else None,
    )
