"""What ``run.json`` says of a run's plan, what it did not exercise, and the closing words on the terminal."""

from __future__ import annotations

import asyncio
from typing import Any

from harness.model.errors import Interrupted, RehearsalError
from harness.model.manifests import Manifests
from harness.model.message import Message, message
from harness.model.run import Run
from harness.model.scenario import Scenario
from harness.model.stack import Capability
from harness.model.units import show
from harness.options import RunOptions


def plan_facts(options: RunOptions, manifests: Manifests) -> dict[str, Any]:
    """The fields of ``Run`` that follow from the plan alone."""
    return {
        "scenario": options.scenario.name,
        "title": options.scenario.title,
        "claims": options.scenario.claims,
        "rung": options.rung,
        "target": options.target.name,
        "target_bundled": options.target.bundled,
        "seed": options.seed,
        "replay": options.replay,
        "faults": tuple(f"{plan}, {plan.after_s:g} s into the window" for plan in options.faults),
        "rung_changes": tuple(f"{p.name}: {p.reason}" for p in manifests.patches if "overlays/" in p.layer),
        "errata": tuple(sorted({p.erratum for p in manifests.patches if p.erratum})),
    }


def not_exercised(scenario: Scenario, capabilities: frozenset[Capability]) -> dict[str, Message]:
    """The criteria whose needs the rung lacks, each with the reason."""
    reasons = {}
    for criterion in scenario.criteria:
        lacking = sorted(set(criterion.needs) - {str(capability) for capability in capabilities})
        if lacking:
            reasons[criterion.id] = message("the rung lacks {capabilities}", capabilities=", ".join(lacking))
    return reasons


def first_failure(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """Of what failed at once, what a person should be told: an error with a remedy before any other."""
    flat: list[BaseException] = []
    stack: list[BaseException] = [failures]
    while stack:
        error = stack.pop()
        if isinstance(error, BaseExceptionGroup):
            stack.extend(error.exceptions)
        else:
            flat.append(error)
    for kind in (RehearsalError, Exception, asyncio.CancelledError):
        for error in flat:
            if isinstance(error, kind):
                return error
    return flat[0] if flat else Interrupted("the run was interrupted")


def conclusion(run: Run, folder: str) -> str:
    """The closing lines: the decision, each criterion, what broke, where the report lies."""
    lines = [f"decision: {run.decision or 'none: the run did not finish'}"]
    for result in run.criteria:
        value = "no data" if result.value is None else show(result.value, result.unit)
        limit = f"{result.comparison} {show(result.threshold, result.unit)}"
        lines.append(f"  {result.verdict:<13} {result.kind:<8} {result.metric} {limit}: {value}; {result.reason}")
    lines += [f"  {check.verdict:<13} check    {check.id}: {check.reason}" for check in run.checks]
    if run.switch_over is not None:
        last = "" if run.switch_over.last_s is None else f", the last after {run.switch_over.last_s:.1f} s"
        lines.append(
            f"  rolled back: {run.switch_over.switched} of {run.switch_over.clients} clients on Firestore{last}"
        )
    lines += [f"  LEAK {leak}" for leak in run.leaks]
    lines += [f"error: {error}" for error in run.errors]
    timings = ", ".join(f"{name} {value:.1f} s" for name, value in run.timings.items())
    lines += [f"timings: {timings}", f"report: {folder}/report.html (exit status {run.exit_status})"]
    return "\n".join(lines)
