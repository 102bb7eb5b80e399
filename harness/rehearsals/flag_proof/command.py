"""``python -m harness flag_proof``: its options, and from them to an exit status."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

import msgspec

from harness.base.clock import MachineClock
from harness.base.data import ROOT
from harness.base.progress import Progress
from harness.model.stack import Rung
from harness.rehearsal.arguments import first_line
from harness.rehearsal.lifecycle import carry_out
from harness.rehearsal.options import Options
from harness.rehearsals.flag_proof.plan import load
from harness.stack.targets import resolve_command


def add_arguments(command: argparse.ArgumentParser, default_seed: int, target_help: str) -> None:
    """The command's options."""
    command.add_argument("--target", metavar="COMMAND|FILE", help=target_help)
    command.add_argument("--seed", type=int, default=default_seed, help="seed of clients and walks (%(default)s)")
    command.add_argument("--virtual-only", action="store_true", help="only what needs no stack: seconds, not minutes")
    command.add_argument("--json", action="store_true", help="print result.json on standard output")
    command.add_argument("--reports", type=Path, default=ROOT / "reports", help="where reports go (default: reports/)")
    command.add_argument(
        "--manifests", type=Path, default=ROOT / "deploy/kubernetes/overlays/local", help=argparse.SUPPRESS
    )
    command.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command. Raises ``BadInput`` for what was typed."""
    clock = MachineClock()
    progress = Progress(clock)
    target = resolve_command(arguments.target)
    plan = msgspec.structs.replace(load(), virtual_only=arguments.virtual_only)
    words = ["python", "-m", "harness", "flag_proof", "--seed", str(arguments.seed)]
    words += ["--target", arguments.target] if arguments.target is not None else []
    options = Options(
        rung=Rung.LOCAL,  # the only one where it was tried
        target=target,
        seed=arguments.seed,
        reports=arguments.reports.absolute(),
        manifests=arguments.manifests,
        replay=shlex.join([*words, *(["--virtual-only"] if plan.virtual_only else [])]),
        lang=arguments.lang,
    )
    progress.plain(first_line(options))
    return carry_out("flag_proof", plan, options, clock, progress, as_json=arguments.json)
