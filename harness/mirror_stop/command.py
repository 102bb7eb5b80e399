"""``python -m harness mirror_stop``: its options, its words, its exit status."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from harness.clock import MachineClock
from harness.lifecycle import run_to_end
from harness.mirror_stop.result import MirrorStopResult, Step
from harness.model import units
from harness.model.errors import BadInput
from harness.progress import Progress
from harness.targets import ROOT
from scenarios.mirror_stop import PLAN

_SHORTEST_S, _LONGEST_S = 5.0, 600.0


def add_arguments(command: argparse.ArgumentParser, default_seed: int) -> None:
    """The command's options."""
    command.add_argument("--seed", type=int, default=default_seed, help="seed of walks (default: %(default)s)")
    command.add_argument("--step", metavar="30s", help=f"time under load at each share (default: {PLAN.step_s:g}s)")
    command.add_argument("--json", action="store_true", help="print mirror_stop.json on standard output")
    command.add_argument("--reports", type=Path, default=ROOT / "reports", help="where reports go (default: reports/)")
    command.add_argument(
        "--manifests", type=Path, default=ROOT / "deploy/kubernetes/overlays/local", help=argparse.SUPPRESS
    )
    command.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command. Raises ``BadInput`` for what was typed."""
    clock = MachineClock()
    progress = Progress(clock)
    plan, changed = PLAN, tuple[str, ...]()
    if arguments.step is not None:
        plan, changed = msgspec.structs.replace(PLAN, step_s=_step_s(arguments.step)), ("--step", arguments.step)
    from harness.mirror_stop.flow import MirrorStop, Options  # psutil and asyncpg load here

    options = Options(
        plan=plan,
        seed=arguments.seed,
        reports=arguments.reports.absolute(),
        manifests=arguments.manifests,
        changed=changed,
        lang=arguments.lang,
    )
    progress.plain(f"seed {options.seed}, rung local, bundled walk API; replay: {options.replay}")

    return run_to_end(
        lambda: MirrorStop(options, clock, progress),
        progress,
        text,
        printed="mirror_stop.json" if arguments.json else None,
    )


def _step_s(given: str) -> float:
    try:
        step_s = units.seconds(given)
    except ValueError as error:
        raise BadInput(str(error), where="--step", remedy="for example --step 30s") from error
    if not _SHORTEST_S <= step_s <= _LONGEST_S:
        raise BadInput(f"--step {given} is not within {_SHORTEST_S:g}s..{_LONGEST_S:g}s", where="--step")
    return step_s


def text(result: MirrorStopResult, folder: str) -> str:
    """For a terminal: each claim's verdict, then what each user would lose after the last step."""
    lines = []
    for each in result.judgements:
        lines.append(f"{each.verdict:<13} {each.id} ({each.claim}): {each.reason}")
        if each.erratum:
            lines.append(f"              erratum {each.erratum}")
    for step in result.steps:
        lines += _losses(step)
    lines += [f"LEAK {leak}" for leak in result.leaks]
    lines += [f"error: {error}" for error in result.errors]
    timings = ", ".join(f"{name} {value:.1f} s" for name, value in result.timings.items())
    lines += [f"timings: {timings}", f"report: {folder}/report.html (exit status {result.exit_status})"]
    return "\n".join(lines)


def _losses(step: Step) -> list[str]:
    if not step.losses:
        return []
    told = ", ".join(f"{each.user} {each.walks} ({each.locations})" for each in step.losses)
    return [f"a flag-off after {step.share_percent} % would lose, walks (locations) by user: {told}"]
