"""``python -m harness mirror_stop``: its options, its words, its exit status."""

from __future__ import annotations

import argparse

import msgspec

from harness.base import units
from harness.base.clock import MachineClock
from harness.base.errors import BadInput
from harness.base.progress import Progress
from harness.rehearsal.arguments import add_local_arguments, first_line, local_options
from harness.rehearsal.lifecycle import carry_out
from harness.rehearsals.mirror_stop.plan import PLAN
from harness.stack.targets import bundled

_SHORTEST_S, _LONGEST_S = 5.0, 600.0


def add_arguments(command: argparse.ArgumentParser, default_seed: int) -> None:
    """The command's options."""
    command.add_argument("--seed", type=int, default=default_seed, help="seed of walks (default: %(default)s)")
    command.add_argument("--step", metavar="30s", help=f"time under load at each share (default: {PLAN.step_s:g}s)")
    add_local_arguments(command)
    command.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command. Raises ``BadInput`` for what was typed."""
    clock = MachineClock()
    progress = Progress(clock)
    plan, typed = PLAN, tuple[str, ...]()
    if arguments.step is not None:
        plan, typed = msgspec.structs.replace(PLAN, step_s=_step_s(arguments.step)), ("--step", arguments.step)
    options = local_options(arguments, bundled(), *typed)  # what stops the dual write is the target's own setting
    progress.plain(first_line(options))
    return carry_out("mirror_stop", plan, options, clock, progress, as_json=arguments.json)


def _step_s(given: str) -> float:
    try:
        step_s = units.seconds(given)
    except ValueError as error:
        raise BadInput(str(error), where="--step", remedy="for example --step 30s") from error
    if not _SHORTEST_S <= step_s <= _LONGEST_S:
        raise BadInput(f"--step {given} is not within {_SHORTEST_S:g}s..{_LONGEST_S:g}s", where="--step")
    return step_s
