"""``summary.md``: a run for a CI job's page. The decision first, then how to replay it, then what it rests on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.model.run import Run, WindowSummary
from harness.model.units import Unit
from harness.model.verdict import CriterionResult
from harness.report.files import write_atomically
from harness.report.words import (
    CHECK,
    DECISION,
    DECISION_SIGN,
    KIND,
    RUNG,
    SIDE,
    VERDICT,
    VERDICT_SIGN,
    amount,
    check_figures,
    decision_reason,
    measured,
    metric_word,
    not_judged,
    target_words,
    threshold_words,
    verdict_word,
)

SUMMARY_MD = "summary.md"

_MARKUP = re.compile(r"([\\`*_\[\]|#~])")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def plain(text: str) -> str:
    """``text`` as one line that no Markdown reader takes for markup: messages of the evidence can hold anything."""
    escaped = _MARKUP.sub(r"\\\1", " ".join(text.split()))
    return "".join(_HTML.get(character, character) for character in escaped)


def code(text: str) -> str:
    """``text`` as a block of code, fenced by more backticks than it holds."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}text\n{' '.join(text.split())}\n{fence}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; columns whose head ends in a colon are set right."""
    rule = ["---:" if head.endswith(":") else "---" for head in heads]
    lines = [[head.rstrip(":") for head in heads], rule, *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def bullets(lines: Iterable[str]) -> str:
    """A list of untrusted lines."""
    return "\n".join(f"- {plain(line)}" for line in lines)


def summary(run: Run) -> str:
    """The document."""
    parts = [
        f"## {DECISION_SIGN[run.decision]} {DECISION[run.decision]}: {plain(run.title)}",
        plain(decision_reason(run)),
        code(run.replay),
        bullets(
            [
                f"seed {run.seed}, run {run.run_id}, started {run.started_utc}, exit status {run.exit_status}",
                f"rung {run.rung}: {RUNG[run.rung]}",
                f"target: {target_words(run)}",
                *(f"fault planted: {fault}" for fault in run.faults),
            ]
        ),
    ]
    if run.errors:
        parts += ["### What broke", bullets(run.errors)]
    if run.leaks:
        parts += ["### Left on the machine", bullets(run.leaks)]
    parts += ["### Criteria", _criteria(run)]
    if run.checks:
        parts += ["### The flag", _checks(run)]
    if run.switch_over is not None:
        parts += ["### Switch to Firestore after the roll back", _switch_over(run)]
    if run.windows:
        parts += ["### Windows", _windows(run.windows)]
    parts += ["### Not exercised", _not_exercised(run)]
    if run.errata:
        parts += ["### Errata met", bullets(run.errata)]
    if not run.leaks:
        parts.append("Nothing of the run was left on the machine.")
    return "\n\n".join(parts) + "\n"


def _criteria(run: Run) -> str:
    if not run.criteria:
        return "None was judged."
    heads = ("verdict", "criterion", "kind", "value:", "bound (95 %):", "claim says", "samples:", "why")
    return table(heads, [_criterion(criterion) for criterion in run.criteria])


def _criterion(criterion: CriterionResult) -> tuple[str, ...]:
    return (
        f"{VERDICT_SIGN[criterion.verdict]} **{verdict_word(criterion)}**",
        f"{plain(metric_word(criterion.metric))}<br>{plain(criterion.id)}",
        KIND[criterion.kind],
        plain(measured(criterion, criterion.value)),
        plain(measured(criterion, criterion.bound)),
        plain(threshold_words(criterion)),
        f"{criterion.samples:,}",
        plain(criterion.reason),
    )


def _checks(run: Run) -> str:
    rows = [
        (
            f"{VERDICT_SIGN[check.verdict]} **{VERDICT[check.verdict]}**",
            f"{plain(CHECK.get(check.id, check.id))}<br>{plain(check.id)}",
            plain(check_figures(check)),
            plain(check.reason),
        )
        for check in run.checks
    ]
    return table(("verdict", "check", "seen:", "why"), rows)


def _switch_over(run: Run) -> str:
    switch = run.switch_over
    assert switch is not None
    last = "none of them was seen" if switch.last_s is None else f"the last after {switch.last_s:.1f} s"
    told = f"{switch.switched} of {switch.clients} clients were back on Firestore, {last} (limit {switch.limit_s:g} s)."
    late = f" Late: {', '.join(switch.late_users[:20])}" if switch.late_users else ""
    more = f" and {len(switch.late_users) - 20} more" if len(switch.late_users) > 20 else ""
    return plain(told + late + more)


def _windows(windows: Sequence[WindowSummary]) -> str:
    heads = ("window", "side", "requests:", "req/s:", "p50:", "p95:", "p99:", "4xx:", "5xx:", "errors:", "replicas:")
    return table(heads, [_window(window) for window in windows])


def _window(window: WindowSummary) -> tuple[str, ...]:
    replicas = "–" if window.replicas_min is None else f"{window.replicas_min}–{window.replicas_max}"
    return (
        plain(window.name),
        plain(SIDE.get(window.side, window.side)),
        f"{window.requests:,}",
        f"{window.requests_per_s:.2f}",
        *(
            amount(value, Unit.MILLISECONDS)
            for value in (window.latency_p50_ms, window.latency_p95_ms, window.latency_p99_ms)
        ),
        *(amount(value, Unit.RATIO) for value in (window.ratio_4xx, window.ratio_5xx, window.error_ratio)),
        replicas,
    )


def _not_exercised(run: Run) -> str:
    lines = [f"{what}: {why}" for what, why in not_judged(run)]
    return bullets(lines) if lines else "Every criterion of the scenario was exercised."


def write_summary(folder: Path, run: Run) -> Path:
    """Writes ``summary.md`` into ``folder``. Raises ``EvidenceNotWritten``."""
    return write_atomically(folder / SUMMARY_MD, summary(run).encode())
