"""``python -m harness deploy_rehearsal``: its options, and from them to an exit status."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from harness.base.clock import MachineClock
from harness.base.progress import Progress
from harness.rehearsal.lifecycle import carry_out
from harness.rehearsals.deploy.types import DeployPlan

_PACE = "15s"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Its options beside those of every run; 500 users at one request in 15 s unless ``--pace`` says otherwise."""
    command.add_argument("--plan", type=Path, metavar="FILE", help="another plan than scenarios/plans/deploy.yaml")
    command.add_argument("--only", action="append", default=[], metavar="NAME", help="a part of the plan (repeatable)")


def plan_of(arguments: argparse.Namespace) -> DeployPlan:
    """The plan with the command line's choice of parts, in the plan's order, and its users. Raises ``BadInput``."""
    from harness.rehearsal.arguments import chosen, scenario_of
    from harness.rehearsals.deploy.plan import PLAN, load

    plan = load(arguments.plan or PLAN, scenario=scenario_of(arguments))
    return msgspec.structs.replace(plan, parts=chosen(plan.parts, arguments.only))


def run(arguments: argparse.Namespace) -> int:
    """Runs the command. Raises ``BadInput`` for what was typed."""
    from harness.rehearsal.arguments import first_line, options_of, parts_line, parts_words

    arguments.pace = arguments.pace or _PACE
    plan = plan_of(arguments)
    options = options_of(arguments, own=parts_words(arguments))
    clock = MachineClock()
    progress = Progress(clock)
    progress.plain(first_line(options))
    progress.plain(parts_line(plan.parts))
    return carry_out("deploy_rehearsal", plan, options, clock, progress, as_json=arguments.json)
