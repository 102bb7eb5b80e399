"""``python -m harness scaling``: its options, and from them to an exit status."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from harness.clock import MachineClock
from harness.lifecycle import run_to_end
from harness.options import RunOptions, announced, chosen, replay_of_parts
from harness.progress import Progress
from harness.rehearsals.scaling.types import ScalingPlan
from harness.report.language import Language


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Its options beside those of every run."""
    command.add_argument("--plan", type=Path, metavar="FILE", help="another plan than scenarios/plans/scaling.yaml")
    command.add_argument(
        "--compare", metavar="RUN", help="put a run of scaling in another environment beside this one in the report"
    )
    command.add_argument("--only", action="append", default=[], metavar="NAME", help="a part of the plan (repeatable)")


def plan_of(arguments: argparse.Namespace) -> ScalingPlan:
    """The plan with the command line's choice of parts, in the plan's order. Raises ``BadInput``."""
    from harness.rehearsals.scaling.plan import PLAN, ZONE_LOSS, load

    bundled = ZONE_LOSS if arguments.command == ZONE_LOSS.stem else PLAN
    plan = load(arguments.plan or bundled)
    return msgspec.structs.replace(plan, parts=chosen(plan.parts, arguments.only))


def run(arguments: argparse.Namespace, options_of: Callable[[argparse.Namespace], RunOptions]) -> int:
    """Runs the command. Raises ``BadInput`` for what was typed."""
    clock = MachineClock()
    progress = Progress(clock)
    plan = plan_of(arguments)
    options = options_of(arguments)
    compared = ["--compare", arguments.compare] if arguments.compare else []
    replay = replay_of_parts(str(arguments.command), options, plan=arguments.plan, only=arguments.only, more=compared)
    progress.plain(announced(options, replay, plan.parts))
    from harness.rehearsals.scaling.compare import read  # SciPy and psutil load here
    from harness.rehearsals.scaling.flow import ScalingRun
    from harness.rehearsals.scaling.report import SCALING_JSON, text

    other = read(arguments.compare, options.reports) if arguments.compare else None
    return run_to_end(
        lambda: ScalingRun(plan, options, clock, progress, replay=replay, compared=other),
        progress,
        text,
        printed=SCALING_JSON if arguments.json else None,
    )


def compare_command(a: str, b: str, reports: Path, say: Language, *, as_json: bool) -> int | None:
    """``compare`` of two runs of scaling: prints it, and writes ``compared.html`` beside the second's report.

    ``None`` when neither is a run of scaling. Raises ``BadInput``, ``EvidenceNotWritten``.
    """
    from harness.rehearsals.scaling.compare import compare, folder_of, read
    from harness.rehearsals.scaling.report import Beside, compared_text, html
    from harness.report.files import write_atomically
    from scenarios import claims

    folder = folder_of(b, reports)
    if folder is None and folder_of(a, reports) is None:
        return None
    one, other = read(a, reports), read(b, reports)
    found = compare(one, other)
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")
    else:
        sys.stdout.write(compared_text(found))
    assert folder is not None  # read has found it
    path = folder / "compared.html"
    write_atomically(path, html(other, claims.REGISTER, say, Beside(report=one, comparison=found)).encode())
    sys.stderr.write(f"written: {path}\n")
    return found.exit_status
