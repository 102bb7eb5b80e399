"""``python -m harness run`` and ``rollout``: from their options to an exit status."""

from __future__ import annotations

import argparse

import msgspec

from harness.clock import MachineClock
from harness.lifecycle import run_to_end
from harness.progress import Progress
from harness.rehearsal.arguments import first_line, options_of, scenario_of
from harness.rehearsals.rollout.faults import faults


def run(arguments: argparse.Namespace) -> int:
    """A week, or a scenario of one's own. Raises ``BadInput`` for what was typed."""
    clock = MachineClock()
    progress = Progress(clock)
    scenario = scenario_of(arguments, arguments.scenario)
    plan = msgspec.structs.replace(scenario, faults=faults(arguments.fault, scenario))
    options = options_of(arguments, head=(arguments.scenario,))
    progress.plain(first_line(options))
    from harness.rehearsal.conduct import Conductor  # SciPy and psutil load here, after the first line is out
    from harness.rehearsals.rollout.week import REHEARSAL
    from harness.report.language import language
    from harness.report.published import RESULT_JSON
    from harness.report.terminal import closing_text

    return run_to_end(
        lambda: Conductor(REHEARSAL, plan, options, clock, progress),
        progress,
        lambda result, folder: closing_text(result, folder, language(options.lang)),
        printed=RESULT_JSON if arguments.json else None,
    )
