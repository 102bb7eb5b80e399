"""``python -m harness deploy_rehearsal``: its options, and from them to an exit status."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import msgspec

from harness.clock import MachineClock
from harness.lifecycle import run_to_end
from harness.model.units import seconds
from harness.options import RunOptions, announced, chosen, replay_of_parts
from harness.progress import Progress
from harness.rehearsals.deploy.types import DeployPlan

NAME = "deploy_rehearsal"
_PACE = "15s"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Its options beside those of every run; 500 users at one request in 15 s unless ``--pace`` says otherwise."""
    command.add_argument("--plan", type=Path, metavar="FILE", help="another plan than scenarios/plans/deploy.yaml")
    command.add_argument("--only", action="append", default=[], metavar="NAME", help="a part of the plan (repeatable)")


def plan_of(arguments: argparse.Namespace) -> DeployPlan:
    """The plan with the command line's choice of parts, in the plan's order. Raises ``BadInput``."""
    from harness.rehearsals.deploy.plan import PLAN, load

    plan = load(arguments.plan or PLAN)
    return msgspec.structs.replace(plan, parts=chosen(plan.parts, arguments.only))


def run(arguments: argparse.Namespace, options_of: Callable[[argparse.Namespace], RunOptions]) -> int:
    """Runs the command. Raises ``BadInput`` for what was typed."""
    arguments.pace = arguments.pace or _PACE
    seconds(arguments.pace)
    clock = MachineClock()
    progress = Progress(clock)
    plan = plan_of(arguments)
    options = options_of(arguments)
    replay = replay_of_parts(NAME, options, plan=arguments.plan, only=arguments.only)
    progress.plain(announced(options, replay, plan.parts))
    from harness.rehearsals.deploy.flow import DeployRun  # SciPy and psutil load here
    from harness.rehearsals.deploy.report import DEPLOY_JSON, text

    return run_to_end(
        lambda: DeployRun(plan, options, clock, progress, replay=replay),
        progress,
        text,
        printed=DEPLOY_JSON if arguments.json else None,
    )
