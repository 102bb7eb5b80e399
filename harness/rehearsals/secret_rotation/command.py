"""``python -m harness secret_rotation``: its options, and from them to an exit status."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from harness.base.clock import MachineClock
from harness.base.progress import Progress
from harness.model.stack import Rung
from harness.rehearsal.arguments import chosen, first_line, options_of, parts_line, parts_words
from harness.rehearsal.lifecycle import carry_out
from harness.rehearsals.secret_rotation.types import RotationPlan
from harness.stack.rungs import overlay

COMPONENT = "-secret-manager"  # the overlay's suffix


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Its options beside those of every run."""
    command.add_argument(
        "--plan", type=Path, metavar="FILE", help="another plan than scenarios/plans/secret_rotation.yaml"
    )
    command.add_argument("--only", action="append", default=[], metavar="NAME", help="a part of the plan (repeatable)")


def plan_of(arguments: argparse.Namespace) -> RotationPlan:
    """The plan with the command line's choice of parts, in the plan's order. Raises ``BadInput``."""
    from harness.rehearsals.secret_rotation.plan import PLAN, load

    plan = load(arguments.plan or PLAN)
    return msgspec.structs.replace(plan, parts=chosen(plan.parts, arguments.only))


def run(arguments: argparse.Namespace) -> int:
    """Runs the command. Raises ``BadInput`` for what was typed."""
    clock = MachineClock()
    progress = Progress(clock)
    plan = plan_of(arguments)
    options = options_of(arguments, own=parts_words(arguments))
    if options.rung is Rung.KIND and arguments.manifests is None and not options.target.manifests:
        folder = overlay(options.rung)
        options = msgspec.structs.replace(options, manifests=folder.with_name(folder.name + COMPONENT))
    progress.plain(first_line(options))
    progress.plain(parts_line(plan.parts))
    return carry_out("secret_rotation", plan, options, clock, progress, as_json=arguments.json)
