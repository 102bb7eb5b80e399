"""``summary.md``: a run for a CI job's page. The decision first, then how to replay it, then what it rests on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.model.run import Run, SwitchOver, WindowSummary
from harness.model.units import Unit
from harness.model.verdict import CriterionResult, ErratumSeen
from harness.report.files import write_atomically
from harness.report.frame import Ending, Facts, Finished, manifest_changes, run_facts
from harness.report.language import ENGLISH, Language
from harness.report.page import replicas, side_word
from harness.report.words import (
    DECISION,
    DECISION_SIGN,
    KIND,
    RUNG,
    VERDICT,
    VERDICT_SIGN,
    chance_words,
    check_figures,
    check_word,
    decision_reason,
    late_words,
    measured,
    metric_word,
    not_judged,
    phase_word,
    reason_words,
    switch_words,
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


def opening(
    report: Finished, say: Language, title: str, ending: Ending, *, bundled: bool, more: Sequence[str] = ()
) -> list[str]:
    """How a command's ``summary.md`` begins: the end, its facts and ``more``, what broke, what was left."""
    parts = [
        f"## {ending.sign} {ending.word}: {plain(title)}",
        ending.reason,
        code(report.replay),
        bullets([*run_facts(report, report.run_id, report.exit_status, say, bundled=bundled), *more]),
    ]
    if report.errors:
        parts += [_head(say("What broke")), bullets(report.errors)]
    if report.leaks:
        parts += [_head(say("Left on the machine")), bullets(report.leaks)]
    return parts


def summary(run: Run, say: Language = ENGLISH) -> str:
    """The document."""
    parts = [
        f"## {DECISION_SIGN[run.decision]} {say(DECISION[run.decision])}: {plain(say(run.title))}",
        plain(decision_reason(run, say)),
        code(run.replay),
        bullets(_facts(run, say)),
    ]
    if run.errors:
        parts += [_head(say("What broke")), bullets(run.errors)]
    if run.leaks:
        parts += [_head(say("Left on the machine")), bullets(run.leaks)]
    parts += [_head(say("Criteria")), _criteria(run, say)]
    if run.checks:
        parts += [_head(say("Checks")), _checks(run, say)]
    if run.switch_over is not None:
        parts += [_head(say("Switch to Firestore after the roll back")), _switch_over(run.switch_over, say)]
    if run.windows:
        parts += [_head(say("Windows")), _windows(run.windows, say)]
    parts += [_head(say("Not exercised")), _not_exercised(run, say)]
    parts += errata_section(run.errata_seen, say)
    parts += changes_section(run, say)
    if not run.leaks:
        parts.append(say("Nothing of the run was left on the machine."))
    return "\n\n".join(parts) + "\n"


def errata_section(seen: Sequence[ErratumSeen], say: Language) -> list[str]:
    """The errata with what was seen of each; [] of none. The page has what the register says of them."""
    lines = [f"{each.id}: {say.told(each.told, each.seen)}" for each in seen]
    return [_head(say("Errata seen")), bullets(lines)] if lines else []


def changes_section(facts: Facts, say: Language) -> list[str]:
    """What the rehearsal changes in the document's manifests on every rung; [] where the document does not say."""
    changes = manifest_changes(facts, say)
    return [_head(say("What the rehearsal changes in the document's manifests")), bullets(changes)] if changes else []


def _head(text: str) -> str:
    return f"### {text}"


def _facts(run: Run, say: Language) -> list[str]:
    return [
        say(
            "seed {seed}, run {run}, started {started}, exit status {status}",
            seed=str(run.seed),
            run=run.run_id,
            started=say.moment(run.started_utc),
            status=str(run.exit_status),
        ),
        say("environment {rung}: {words}", rung=str(run.rung), words=say(RUNG[run.rung])),
        say("target: {target}", target=target_words(run.target, say, bundled=run.target_bundled)),
        *([say("variable ENVIRONMENT: {name}", name=run.environment)] if run.environment else []),
        *([_missing(run.missing_manifests, say)] if run.missing_manifests else []),
        *(say("fault injected: {fault}", fault=fault) for fault in run.faults),
    ]


def _missing(kinds: Sequence[str], say: Language) -> str:
    return f"{say('Manifests that Phase 2 requires and that are missing')}: {', '.join(kinds)}"


def _criteria(run: Run, say: Language) -> str:
    if not run.criteria:
        return say("No criterion was judged.")
    heads = (
        say("Verdict"),
        say("Criterion"),
        say("Kind"),
        f"{say('Measured')}:",
        f"{say('Bound (95 %)')}:",
        say("The document says"),
        f"{say('Samples')}:",
        say("Why"),
    )
    return table(heads, [_criterion(run, criterion, say) for criterion in run.criteria])


def _criterion(run: Run, criterion: CriterionResult, say: Language) -> tuple[str, ...]:
    return (
        f"{VERDICT_SIGN[criterion.verdict]} **{verdict_word(criterion, say)}**",
        f"{plain(metric_word(criterion.metric, say))}<br>{plain(criterion.id)}",
        say(KIND[criterion.kind]),
        plain(measured(criterion, criterion.value, say)),
        plain(measured(criterion, criterion.bound, say)),
        plain(threshold_words(criterion, say)),
        f"{criterion.samples:,}",
        plain(" ".join(filter(None, (reason_words(criterion, say), chance_words(run, criterion, say))))),
    )


def _checks(run: Run, say: Language) -> str:
    rows = [
        (
            f"{VERDICT_SIGN[check.verdict]} **{say(VERDICT[check.verdict])}**",
            f"{plain(check_word(check, say))}<br>{plain(check.id)}",
            plain(check_figures(check, say)),
            plain(reason_words(check, say)),
        )
        for check in run.checks
    ]
    return table((say("Verdict"), say("Check"), f"{say('Measured')}:", say("Why")), rows)


def _switch_over(switch: SwitchOver, say: Language) -> str:
    told = [switch_words(switch, say), late_words(switch, say)]
    return plain(" ".join(filter(None, told)))


def _windows(windows: Sequence[WindowSummary], say: Language) -> str:
    figures = (say("requests"), say("requests/s"), "p50", "p95", "p99", "4xx", "5xx", say("errors"), say("replicas"))
    heads = (say("window"), say("side"), *(f"{figure}:" for figure in figures))
    return table(heads, [_window(window, say) for window in windows])


def _window(window: WindowSummary, say: Language) -> tuple[str, ...]:
    return (
        plain(phase_word(window.name, say)),
        plain(side_word(window, say)),
        f"{window.requests:,}",
        f"{window.requests_per_s:.2f}",
        *(
            say.amount(value, Unit.MILLISECONDS)
            for value in (window.latency_p50_ms, window.latency_p95_ms, window.latency_p99_ms)
        ),
        *(say.amount(value, Unit.RATIO) for value in (window.ratio_4xx, window.ratio_5xx, window.error_ratio)),
        replicas(window, say),
    )


def _not_exercised(run: Run, say: Language) -> str:
    lines = [f"{what}: {why}" for what, why in not_judged(run, say)]
    return bullets(lines) if lines else say("Every criterion and claim of the scenario was exercised.")


def write_summary(folder: Path, run: Run, say: Language = ENGLISH) -> Path:
    """Writes ``summary.md`` into ``folder``. Raises ``EvidenceNotWritten``."""
    return write_atomically(folder / SUMMARY_MD, summary(run, say).encode())
