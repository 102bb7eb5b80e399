"""``python -m harness network``: its options, and from them to an exit status."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from pathlib import Path

import msgspec

from harness.clock import MachineClock
from harness.lifecycle import run_to_end
from harness.options import RunOptions
from harness.progress import Progress
from harness.rungs import overlay

COMPONENT = "-networkpolicy"  # of the overlay that has it
WITH_INGRESS = "-ingress"  # of the one that has both


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Its options beside those of every run."""
    command.add_argument("--plan", type=Path, metavar="FILE", help="another plan than scenarios/plans/network.yaml")
    told = "bring a real Ingress controller (Contour, built once a machine) and ask through it by HTTPS, too"
    command.add_argument("--ingress", action="store_true", help=told)


def run(arguments: argparse.Namespace, options_of: Callable[[argparse.Namespace], RunOptions]) -> int:
    """Runs the command. Raises ``BadInput`` for what was typed."""
    from harness.rehearsals.network.plan import PLAN, load

    clock = MachineClock()
    progress = Progress(clock)
    plan = load(arguments.plan or PLAN)
    options = options_of(arguments)
    if arguments.manifests is None and not options.target.manifests:
        own = overlay(options.rung)
        with_it = own.with_name(own.name + (WITH_INGRESS if arguments.ingress else COMPONENT))
        options = msgspec.structs.replace(options, manifests=with_it if with_it.exists() else own)
    words = ["python", "-m", "harness", "network", "--on", str(options.rung), "--seed", str(options.seed)]
    words += ["--plan", str(arguments.plan)] if arguments.plan else []
    words += ["--ingress"] if arguments.ingress else []
    replay = shlex.join([*words, *options.changed])
    progress.plain(
        f"seed {options.seed}, environment {options.rung} ({options.rung_reason}), target {options.target.name}; "
        f"replay: {replay}"
    )
    from harness.rehearsals.network.flow import NetworkRun  # SciPy and psutil load here
    from harness.rehearsals.network.report import NETWORK_JSON, text

    return run_to_end(
        lambda: NetworkRun(plan, options, clock, progress, replay=replay, with_ingress=arguments.ingress),
        progress,
        text,
        printed=NETWORK_JSON if arguments.json else None,
    )
