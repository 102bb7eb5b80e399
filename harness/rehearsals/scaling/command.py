"""``python -m harness scaling`` and ``zone_loss``: their options, and from them to an exit status."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from harness.base.clock import MachineClock
from harness.base.progress import Progress
from harness.rehearsal.arguments import chosen, first_line, options_of, parts_line, parts_words
from harness.rehearsal.lifecycle import carry_out
from harness.rehearsals.scaling.types import ScalingPlan


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Its options beside those of every run."""
    command.add_argument("--plan", type=Path, metavar="FILE", help="another plan than scenarios/plans/scaling.yaml")
    command.add_argument("--only", action="append", default=[], metavar="NAME", help="a part of the plan (repeatable)")


def plan_of(arguments: argparse.Namespace) -> ScalingPlan:
    """The plan with the command line's choice of parts, in the plan's order. Raises ``BadInput``."""
    from harness.rehearsals.scaling.plan import PLAN, ZONE_LOSS, load

    bundled = ZONE_LOSS if arguments.command == ZONE_LOSS.stem else PLAN
    plan = load(arguments.plan or bundled)
    return msgspec.structs.replace(plan, parts=chosen(plan.parts, arguments.only))


def run(arguments: argparse.Namespace) -> int:
    """Runs the command. Raises ``BadInput`` for what was typed."""
    clock = MachineClock()
    progress = Progress(clock)
    plan = plan_of(arguments)
    options = options_of(arguments, own=parts_words(arguments))
    progress.plain(first_line(options))
    progress.plain(parts_line(plan.parts))
    return carry_out("scaling", plan, options, clock, progress, as_json=arguments.json)
