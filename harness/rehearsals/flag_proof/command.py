"""``python -m harness flag_proof``: its options, and from them to an exit status."""

from __future__ import annotations

import argparse

import msgspec

from harness.base.clock import MachineClock
from harness.base.progress import Progress
from harness.rehearsal.arguments import add_local_arguments, first_line, local_options
from harness.rehearsal.lifecycle import carry_out
from harness.rehearsals.flag_proof.plan import load
from harness.stack.targets import resolve_command


def add_arguments(command: argparse.ArgumentParser, default_seed: int, target_help: str) -> None:
    """The command's options."""
    command.add_argument("--target", metavar="COMMAND|FILE", help=target_help)
    command.add_argument("--seed", type=int, default=default_seed, help="seed of clients and walks (%(default)s)")
    command.add_argument("--virtual-only", action="store_true", help="only what needs no stack: seconds, not minutes")
    add_local_arguments(command)
    command.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command. Raises ``BadInput`` for what was typed."""
    clock = MachineClock()
    progress = Progress(clock)
    target = resolve_command(arguments.target)
    plan = msgspec.structs.replace(load(), virtual_only=arguments.virtual_only)
    words = ["--target", arguments.target] if arguments.target is not None else []
    options = local_options(arguments, target, *words, *(["--virtual-only"] if plan.virtual_only else []))
    progress.plain(first_line(options))
    return carry_out("flag_proof", plan, options, clock, progress, as_json=arguments.json)
