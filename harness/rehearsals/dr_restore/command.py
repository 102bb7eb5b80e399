"""``python -m harness dr_restore``: its options, and from them to an exit status."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

import msgspec

from harness.base import units
from harness.base.clock import MachineClock
from harness.base.data import REPORTS
from harness.base.errors import BadInput
from harness.base.progress import Progress
from harness.model.stack import Rung
from harness.rehearsal.arguments import first_line
from harness.rehearsal.lifecycle import carry_out
from harness.rehearsal.options import Options
from harness.rehearsals.dr_restore.plan import load
from harness.rehearsals.dr_restore.types import PARTS, RecoveryPlan
from harness.stack.rungs import folder_of, for_rung
from harness.stack.targets import TARGET_HELP, resolve

_PARTS = ", ".join(PARTS)


def add_arguments(command: argparse.ArgumentParser, default_seed: int) -> None:
    """The command's options."""
    command.add_argument(
        "plan", nargs="?", type=Path, help="a plan of your own (default: scenarios/plans/dr_restore.yaml)"
    )
    only = f"only these parts of {_PARTS} (repeatable)"
    command.add_argument("--only", action="append", default=[], metavar="PART,...", help=only)
    rungs = [rung.value for rung in (Rung.LOCAL, Rung.KIND)]
    command.add_argument(
        "--on", choices=rungs, default=Rung.LOCAL.value, help="the stack's environment (default: local)"
    )
    command.add_argument("--target", metavar="COMMAND|FILE", help=TARGET_HELP)
    command.add_argument("--seed", type=int, default=default_seed, help="seed of the restore points (default: 1)")
    command.add_argument("--points", type=int, metavar="N", help="random restore points (nightly: 50)")
    command.add_argument("--size", metavar="SIZE", help="one more size, e.g. 1GiB: ours against the bare work there")
    command.add_argument("--sizes", metavar="SIZE,...", help="the measured sizes, at least four, e.g. 64MiB,128MiB,...")
    command.add_argument("--stall", metavar="TIME", help="how long the archiver stalls, in moved time, e.g. 90min")
    command.add_argument("--json", action="store_true", help="print result.json on standard output")
    command.add_argument("--reports", type=Path, default=REPORTS, help="where reports go (default: reports/)")
    command.add_argument("--manifests", type=Path, help=argparse.SUPPRESS)
    command.set_defaults(handler=run)


def overridden(plan: RecoveryPlan, arguments: argparse.Namespace) -> tuple[RecoveryPlan, tuple[str, ...]]:
    """The plan with the command line's changes, and those as typed. Raises ``BadInput``."""
    changed: list[str] = [str(arguments.plan)] if arguments.plan is not None else []
    changed += ["--only", ",".join(arguments.only)] if arguments.only else []
    for option in ("target", "points", "size", "sizes", "stall"):
        if (text := getattr(arguments, option)) is not None:
            changed += [f"--{option}", str(text)]
    try:
        chosen = plan.sizes.sizes_bytes
        if arguments.sizes is not None:
            chosen = tuple(units.size_bytes(text) for text in arguments.sizes.split(","))
        if arguments.size is not None:
            chosen = (*chosen, units.size_bytes(arguments.size))
        stall_s = plan.stall.stall_s if arguments.stall is None else units.seconds(arguments.stall)
        values: dict[str, Any] = {
            "points": plan.points if arguments.points is None else arguments.points,
            "sizes": msgspec.structs.replace(plan.sizes, sizes_bytes=tuple(sorted(set(chosen)))),
            "stall": msgspec.structs.replace(plan.stall, stall_s=stall_s),
        }
        return msgspec.structs.replace(plan, **values), tuple(changed)
    except ValueError as error:
        raise BadInput(str(error), where="--points, --size, --sizes, --stall") from error


def run(arguments: argparse.Namespace) -> int:
    """Runs the command. Raises ``BadInput`` for what was typed."""
    clock = MachineClock()
    progress = Progress(clock)
    plan, changed = overridden(load(arguments.plan) if arguments.plan is not None else load(), arguments)
    asked = tuple(part.strip() for parts in arguments.only for part in parts.split(",")) or PARTS
    if unknown := [part for part in asked if part not in PARTS]:
        raise BadInput(f"unknown part {unknown[0]!r}", where="--only", remedy=f"the parts are {_PARTS}")
    plan = msgspec.structs.replace(plan, parts=tuple(part for part in PARTS if part in asked))
    rung = Rung(arguments.on)
    target = for_rung(resolve(arguments.target), rung)
    words = ["python", "-m", "harness", "dr_restore", "--on", str(rung), "--seed", str(arguments.seed)]
    options = Options(
        rung=rung,
        target=target,
        seed=arguments.seed,
        reports=arguments.reports.absolute(),
        manifests=folder_of(arguments.manifests, target, rung),
        replay=shlex.join([*words, *changed]),
        lang=arguments.lang,
    )
    progress.plain(first_line(options))
    return carry_out("dr_restore", plan, options, clock, progress, as_json=arguments.json)
