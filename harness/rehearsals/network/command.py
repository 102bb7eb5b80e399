"""``python -m harness network``: its options, and from them to an exit status."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from harness.base.clock import MachineClock
from harness.base.progress import Progress
from harness.rehearsal.lifecycle import carry_out
from harness.stack.rungs import overlay

COMPONENT = "-networkpolicy"  # of the overlay that has it
WITH_INGRESS = "-ingress"  # of the one that has both


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Its options beside those of every run."""
    command.add_argument("--plan", type=Path, metavar="FILE", help="another plan than scenarios/plans/network.yaml")
    told = "bring a real Ingress controller (Contour, built once a machine) and ask through it by HTTPS, too"
    command.add_argument("--ingress", action="store_true", help=told)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command. Raises ``BadInput`` for what was typed."""
    from harness.rehearsal.arguments import first_line, options_of
    from harness.rehearsals.network.plan import PLAN, load

    clock = MachineClock()
    progress = Progress(clock)
    plan = load(arguments.plan or PLAN)
    plan = msgspec.structs.replace(plan, with_ingress=arguments.ingress or plan.with_ingress)
    own = ["--plan", str(arguments.plan)] if arguments.plan else []
    options = options_of(arguments, own=[*own, *(["--ingress"] if arguments.ingress else [])])
    if arguments.manifests is None and not options.target.manifests:
        plain = overlay(options.rung)
        with_it = plain.with_name(plain.name + (WITH_INGRESS if plan.with_ingress else COMPONENT))
        options = msgspec.structs.replace(options, manifests=with_it if with_it.exists() else plain)
    progress.plain(first_line(options))
    from harness.rehearsals.network.flow import check_manifests

    check_manifests(plan, options)
    return carry_out("network", plan, options, clock, progress, as_json=arguments.json)
