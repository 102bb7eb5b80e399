"""``python -m harness rolling_update``: pods replaced under load, with the manifests as they are and with ``graceful``.

The first half measures what the document's manifests do; the second has to lose nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import sys
from collections.abc import Callable

import msgspec

from harness.clock import MachineClock
from harness.model.errors import BadInput, Exit, more_severe
from harness.model.units import seconds
from harness.model.verdict import Verdict
from harness.options import RunOptions
from harness.progress import Progress
from harness.rehearsals.chaos.types import ChaosReport, Experiment
from harness.report.frame import nothing_line
from harness.rungs import overlay
from harness.terminal import ending_signals

EXPERIMENT = "rolling_update"
GRACEFUL = "-graceful"
#: What the failures of the first half show.
ERRATUM = "deploy.downtime_without_prestop"
#: So many requests and probes without a failure are wanted of the component.
LEAST_CALLS = 3000
_PACE = "10s"
_TIMES = 2

OptionsOf = Callable[[argparse.Namespace], RunOptions]


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Its options beside those of every run; 500 users at one request in 10 s unless ``--pace`` says otherwise."""
    command.add_argument("--least", type=int, default=LEAST_CALLS, help="requests and probes wanted (default: 3000)")
    command.add_argument("--times", type=int, default=_TIMES, help="how often the pods are replaced twice (default: 2)")


def halves(times: int, least: int) -> tuple[tuple[str, tuple[Experiment, ...]], ...]:
    """What is run: the overlay's suffix, and the experiments with what is expected of them."""
    from chaos import catalogue

    experiment = catalogue.load(EXPERIMENT)
    least_each = -(-least // times)
    why = "measured as it is"
    measured = msgspec.structs.replace(experiment.expects, most_failed=1.0, why=why, erratum=ERRATUM)
    strict = msgspec.structs.replace(experiment.expects, most_failed=0.0, least_calls=least_each)
    return tuple(
        (suffix, (msgspec.structs.replace(experiment, expects=expects),) * times)
        for suffix, expects in (("", measured), (GRACEFUL, strict))
    )


def run(arguments: argparse.Namespace, options_of: OptionsOf) -> int:
    """Both halves, one after the other, each on a stack of its own. Raises ``BadInput`` for what was typed."""
    arguments.pace = arguments.pace or _PACE
    seconds(arguments.pace)
    clock = MachineClock()
    progress = Progress(clock)
    if arguments.manifests is not None:
        remedy = "add the component graceful to your folder, and run `chaos --only rolling_update --manifests DIR`"
        raise BadInput("rolling_update compares the bundled overlays, with the component and without", remedy=remedy)
    options = options_of(arguments)
    words = ["python", "-m", "harness", EXPERIMENT, "--on", str(options.rung), "--seed", str(options.seed)]
    replay = shlex.join([*words, *options.changed])
    progress.plain(f"seed {options.seed}, environment {options.rung}, target {options.target.name}; replay: {replay}")
    from harness.rehearsals.chaos.flow import ChaosRun  # SciPy and psutil load here

    folder = overlay(options.rung)

    async def rehearse() -> dict[str, ChaosReport]:
        reports: dict[str, ChaosReport] = {}
        for suffix, drawn in halves(arguments.times, arguments.least):
            manifests = folder.with_name(folder.name + suffix)
            progress(f"manifests: {manifests.name}")
            half = ChaosRun(
                drawn,
                msgspec.structs.replace(options, manifests=manifests),
                clock,
                progress,
                replay=replay,
                use_kept=True,  # only pods go
            )
            for number in ending_signals():
                asyncio.get_running_loop().add_signal_handler(number, half.interrupt)
            reports[manifests.name] = report = await half.run()
            if report.errors or report.leaks:
                break
        return reports

    reports = asyncio.run(rehearse())
    progress.plain("")
    progress.plain(text(reports))
    if arguments.json:
        sys.stdout.write(json.dumps({name: msgspec.to_builtins(report) for name, report in reports.items()}) + "\n")
    return more_severe(*(Exit(report.exit_status) for report in reports.values()))


def text(reports: dict[str, ChaosReport]) -> str:
    """Both halves side by side."""
    lines = []
    for name, report in reports.items():
        calls = sum(result.calls for result in report.experiments)
        failed = sum(result.failed for result in report.experiments)
        verdicts = ", ".join(result.verdict for result in report.experiments) or "nothing was run"
        lines.append(f"  {name:<16} {failed} of {calls} requests and probes failed: {verdicts}")
        lines += [f"    {result.reason}" for result in report.experiments]
        broken = [check for check in report.checks if check.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE)]
        lines += [f"    {check.name}: {check.verdict}: {check.detail}" for check in broken]
        lines += [f"LEAK {leak}" for leak in report.leaks] + [f"error: {error}" for error in report.errors]
        lines += nothing_line(report)
    return "\n".join(lines)
