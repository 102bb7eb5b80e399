"""``python -m harness scaling``: its options, and from them to an exit status."""

from __future__ import annotations

import argparse
import asyncio
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from harness.clock import MachineClock
from harness.model.scaling import ScalingPlan
from harness.options import RunOptions, chosen
from harness.progress import Progress


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Its options beside those of every run."""
    command.add_argument("--plan", type=Path, metavar="FILE", help="another plan than scenarios/plans/scaling.yaml")
    command.add_argument("--only", action="append", default=[], metavar="NAME", help="a part of the plan (repeatable)")


def plan_of(arguments: argparse.Namespace) -> ScalingPlan:
    """The plan with the command line's choice of parts, in the plan's order. Raises ``BadInput``."""
    from scenarios.scaling import PLAN, load

    plan = load(arguments.plan or PLAN)
    return msgspec.structs.replace(plan, parts=chosen(plan.parts, arguments.only))


def run(arguments: argparse.Namespace, options_of: Callable[[argparse.Namespace], RunOptions]) -> int:
    """Runs the command. Raises ``BadInput`` for what was typed."""
    clock = MachineClock()
    progress = Progress(clock)
    plan = plan_of(arguments)
    options = options_of(arguments)
    words = ["python", "-m", "harness", "scaling", "--on", str(options.rung), "--seed", str(options.seed)]
    words += ["--plan", str(arguments.plan)] if arguments.plan else []
    words += [word for name in arguments.only for word in ("--only", name)]
    replay = shlex.join([*words, *options.changed])
    progress.plain(
        f"seed {options.seed}, rung {options.rung} ({options.rung_reason}), target {options.target.name}; "
        f"replay: {replay}"
    )
    progress.plain(f"{len(plan.parts)} parts: {', '.join(part.name for part in plan.parts)}")
    from harness.scaling.flow import ScalingRun  # SciPy and psutil load here
    from harness.scaling.report import SCALING_JSON, text

    async def rehearse() -> int:
        scaling = ScalingRun(plan, options, clock, progress, replay=replay)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, scaling.interrupt)
        report = await scaling.run()
        progress.plain("")
        progress.plain(text(report, str(scaling.folder)))
        if arguments.json:
            sys.stdout.write((scaling.folder / SCALING_JSON).read_text())
        return report.exit_status

    return asyncio.run(rehearse())
