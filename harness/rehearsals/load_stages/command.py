"""``python -m harness load_stages``: its options, and from them to an exit status."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TypeVar

import msgspec

from harness.base.clock import MachineClock
from harness.base.errors import BadInput
from harness.base.progress import Progress
from harness.model.step import Arrivals
from harness.rehearsal.arguments import first_line, only_words, options_of
from harness.rehearsal.lifecycle import carry_out
from harness.rehearsals.load_stages.types import (
    MOST_PODS,
    CapacityStage,
    InFlightStages,
    LoadStagesPlan,
    UsersStage,
)

S = TypeVar("S", UsersStage, CapacityStage, InFlightStages)

MOST_WORKERS = 8
_KNEE = "knee"
#: What ``--only`` names beside the knee, by how its requests arrive.
_PARTS = {"users": Arrivals.EVEN, "capacity": Arrivals.POISSON, "in_flight": Arrivals.CLOSED}


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The options that the load stages have beside those of every run."""
    command.add_argument("--plan", type=Path, metavar="FILE", help="another plan than scenarios/plans/load_stages.yaml")
    command.add_argument("--pods", metavar="N,N", help="the knee is searched for these numbers of pods, e.g. 2,10")
    parts, told = [*_PARTS, _KNEE], "a part of the plan (repeatable)"
    command.add_argument("--only", action="append", default=[], choices=parts, help=told)
    command.add_argument(
        "--workers", type=int, default=1, help=f"Locust worker processes, 1..{MOST_WORKERS} (default: %(default)s)"
    )
    command.add_argument(
        "--quick", action="store_true", help="windows a tenth as long (at least 4 s): a look, not a judgement"
    )


def plan_of(arguments: argparse.Namespace) -> LoadStagesPlan:
    """The plan with the command line's overrides. Raises ``BadInput``."""
    from harness.rehearsals.load_stages.plan import PLAN, load

    plan = msgspec.structs.replace(load(arguments.plan or PLAN), workers=_workers(arguments))
    if plan.accounts % plan.workers:
        raise BadInput(f"--workers {plan.workers} cannot share the plan's {plan.accounts} accounts evenly")
    if arguments.pods is not None:
        try:
            pods = tuple(dict.fromkeys(int(word) for word in arguments.pods.split(",")))
        except ValueError as error:
            raise BadInput(
                f"--pods {arguments.pods!r} is no list of numbers", remedy="for example --pods 2,4"
            ) from error
        if not pods or not all(1 <= count <= MOST_PODS for count in pods):
            raise BadInput(f"--pods {arguments.pods}: each is within 1..{MOST_PODS}", remedy="for example --pods 2,4")
        plan = msgspec.structs.replace(plan, knee=msgspec.structs.replace(plan.knee, pods=pods))
    if arguments.quick:
        plan = _quick(plan)
    if arguments.only:
        arrivals = tuple(each for name, each in _PARTS.items() if name in arguments.only)
        pods = plan.knee.pods if _KNEE in arguments.only else ()
        plan = msgspec.structs.replace(plan, arrivals=arrivals, knee=msgspec.structs.replace(plan.knee, pods=pods))
    return plan


def _quick(plan: LoadStagesPlan) -> LoadStagesPlan:
    def short(stage: S) -> S:
        return msgspec.structs.replace(stage, window_s=max(4.0, stage.window_s / 10))

    users = msgspec.structs.replace(plan.users, stages=tuple(short(each) for each in plan.users.stages))
    return msgspec.structs.replace(plan, users=users, capacity=short(plan.capacity), in_flight=short(plan.in_flight))


def _workers(arguments: argparse.Namespace) -> int:
    workers: int = arguments.workers
    if not 1 <= workers <= MOST_WORKERS:
        raise BadInput(f"--workers {workers} is not within 1..{MOST_WORKERS}")
    return workers


def own_words(arguments: argparse.Namespace) -> list[str]:
    """The command's own options as they were given, for the line that runs it again."""
    words = ["--plan", str(arguments.plan)] if arguments.plan else []
    words += ["--pods", arguments.pods] if arguments.pods else []
    words += only_words(arguments.only)
    words += ["--workers", str(arguments.workers)] if arguments.workers != 1 else []
    return [*words, *(["--quick"] if arguments.quick else [])]


def run(arguments: argparse.Namespace) -> int:
    """Runs the command. Raises ``BadInput`` for what was typed."""
    clock = MachineClock()
    progress = Progress(clock)
    plan = plan_of(arguments)
    options = options_of(arguments, own=own_words(arguments))
    progress.plain(first_line(options))
    total_s = sum(stage.seconds for stage in plan.stages)
    pods = ", ".join(map(str, plan.knee.pods)) or "no"
    progress.plain(
        f"{len(plan.stages)} stages, {total_s:g} s in all; then the knee of "
        f"{pods} pods; {os.cpu_count()} cores for the stack and the load together"
    )
    return carry_out("load_stages", plan, options, clock, progress, as_json=arguments.json)
