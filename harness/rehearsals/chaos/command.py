"""``python -m harness chaos`` and ``chaos_nightly``: their options, and from them to an exit status."""

from __future__ import annotations

import argparse
import sys

from chaos import catalogue
from harness.base import units
from harness.base.clock import MachineClock
from harness.base.errors import BadInput
from harness.base.progress import Progress
from harness.checks.healing import Direction
from harness.rehearsal.lifecycle import carry_out
from harness.rehearsals.chaos.draw import draw
from harness.rehearsals.chaos.types import ChaosPlan, NightPlan, PlannedExperiment, Schedule

_MOST_DRAWN = 500


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


def chaos_plan(arguments: argparse.Namespace) -> ChaosPlan:
    """The experiments that are named, else all in their order. Raises ``BadInput``."""
    from harness.rehearsal.arguments import scenario_of
    from harness.rehearsals.chaos.steady import steady_criteria

    drawn = tuple(catalogue.load(name) for name in arguments.only or catalogue.usual())
    loses = [each.name for each in drawn if each.expects.failover and not each.expects.failover.synchronous]
    if loses and len(drawn) > 1:
        what = f"{loses[0]} has to lose acknowledged writes: beside others it would hide what they lose"
        raise BadInput(what, remedy="run it alone, with one --only")
    scenario = scenario_of(arguments)
    return ChaosPlan(
        experiments=tuple(PlannedExperiment(experiment=each) for each in drawn),
        scenario=scenario,
        criteria=steady_criteria(scenario),
        reconcile=_direction(arguments),
    )


def run_chaos(arguments: argparse.Namespace) -> int:
    """All experiments in their order, or those named. Raises ``BadInput`` for what was typed."""
    if arguments.list:
        for name in catalogue.names():
            sys.stdout.write(f"{name:<24} {catalogue.load(name).title}\n")
        return 0
    from harness.rehearsal.arguments import first_line, only_words, options_of

    plan = chaos_plan(arguments)
    options = options_of(arguments, own=[*only_words(arguments.only), *_healing(arguments)])
    clock = MachineClock()
    progress = Progress(clock)
    progress.plain(first_line(options))
    names = ", ".join(each.experiment.name for each in plan.experiments)
    progress.plain(f"{len(plan.experiments)} experiments: {names}")
    return carry_out("chaos", plan, options, clock, progress, as_json=arguments.json)


def night_plan(arguments: argparse.Namespace) -> NightPlan:
    """The schedules: the one of number n has the seed plus n, and a replay that makes it alone. Raises ``BadInput``."""
    from harness.rehearsal.arguments import options_of, scenario_of
    from harness.rehearsals.chaos.steady import steady_criteria

    for name, value, most in (
        ("--count", arguments.count, _MOST_DRAWN),
        ("--length", arguments.length, _MOST_DRAWN),
        ("--least", arguments.least, arguments.count),
    ):
        if not 1 <= value <= most:
            raise BadInput(f"{name} {value} is not within 1..{most}")
    budget_s, scenario = _budget_s(arguments.budget), scenario_of(arguments)
    alone = ["--count", "1", "--length", str(arguments.length), *_healing(arguments)]

    def schedule(seed: int) -> Schedule:
        one = argparse.Namespace(**{**vars(arguments), "seed": seed})
        drawn = draw(catalogue.usual(), arguments.length, seed)
        return Schedule(seed=seed, drawn=drawn, replay=options_of(one, own=alone).replay)

    return NightPlan(
        schedules=tuple(schedule(arguments.seed + number) for number in range(arguments.count)),
        length=arguments.length,
        budget_s=budget_s,
        least=arguments.least,
        scenario=scenario,
        criteria=steady_criteria(scenario),
        reconcile=_direction(arguments),
    )


def run_nightly(arguments: argparse.Namespace) -> int:
    """Many drawn schedules within a budget of time, each seed its own; failing seeds are kept. Raises ``BadInput``."""
    from harness.rehearsal.arguments import first_line, options_of

    plan = night_plan(arguments)
    words = ["--count", str(arguments.count), "--length", str(arguments.length), "--budget", arguments.budget]
    options = options_of(arguments, own=[*words, "--least", str(arguments.least), *_healing(arguments)])
    clock = MachineClock()
    progress = Progress(clock)
    progress.plain(first_line(options))
    progress.plain(f"{len(plan.schedules)} schedules of {plan.length} experiments, seeds {options.seed} and on")
    return carry_out("chaos_nightly", plan, options, clock, progress, as_json=arguments.json)


def _budget_s(given: str) -> float:
    try:
        budget_s = units.seconds(given)
    except ValueError as error:
        raise BadInput(f"--budget: {error}", remedy="for example --budget 90min") from error
    if not budget_s:
        raise BadInput("--budget is 0: no schedule would be begun", remedy="for example --budget 90min")
    return budget_s


def _direction(arguments: argparse.Namespace) -> Direction | None:
    return Direction(arguments.reconcile) if arguments.reconcile else None


def _healing(arguments: argparse.Namespace) -> list[str]:
    return ["--reconcile", arguments.reconcile] if arguments.reconcile else []
