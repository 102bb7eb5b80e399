"""``python -m harness flag_proof``: its options, and from them to an exit status."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.clock import MachineClock
from harness.lifecycle import run_to_end
from harness.progress import Progress
from harness.targets import ROOT, resolve_command


def add_arguments(command: argparse.ArgumentParser, default_seed: int, target_help: str) -> None:
    """The command's options."""
    command.add_argument("--target", metavar="COMMAND|FILE", help=target_help)
    command.add_argument("--seed", type=int, default=default_seed, help="seed of clients and walks (%(default)s)")
    command.add_argument("--virtual-only", action="store_true", help="only what needs no stack: seconds, not minutes")
    command.add_argument("--json", action="store_true", help="print flag_proof.json on standard output")
    command.add_argument("--reports", type=Path, default=ROOT / "reports", help="where reports go (default: reports/)")
    command.add_argument(
        "--manifests", type=Path, default=ROOT / "deploy/kubernetes/overlays/local", help=argparse.SUPPRESS
    )
    command.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command. Raises ``BadInput`` for what was typed."""
    clock = MachineClock()
    progress = Progress(clock)
    from harness.rehearsals.flag_proof import plan as flag_plan
    from harness.rehearsals.flag_proof.flow import Options, Proof  # psutil and asyncpg load here
    from harness.rehearsals.flag_proof.report import text

    options = Options(
        plan=flag_plan.load(),
        target=resolve_command(arguments.target),
        target_text=arguments.target,
        seed=arguments.seed,
        reports=arguments.reports.absolute(),
        manifests=arguments.manifests,
        virtual_only=arguments.virtual_only,
        lang=arguments.lang,
    )
    rung = "virtual" if options.virtual_only else "local"
    progress.plain(f"seed {options.seed}, environment {rung}, target {options.target.name}; replay: {options.replay}")

    return run_to_end(
        lambda: Proof(options, clock, progress),
        progress,
        text,
        printed="flag_proof.json" if arguments.json else None,
    )
