"""A rollout's ``report.html``, ``summary.md`` and ``junit.xml``: where each week stands, and a link to its own report.

``junit.xml`` is green if and only if the rollout's decision is ``advance`` and it ended in 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
from junitparser import Error, Failure, JUnitXml, Skipped, TestSuite

from harness.model.claim import Claim
from harness.model.evidence import Side
from harness.model.rollout_run import Rollout, WeekRun
from harness.model.units import Unit
from harness.model.verdict import CriterionResult, Decision
from harness.report import words
from harness.report.files import write_atomically
from harness.report.html import REPORT_HTML, _environment
from harness.report.junit import JUNIT_XML, _case, _text
from harness.report.rollout_json import write_rollout_json
from harness.report.summary import SUMMARY_MD, bullets, code, plain, table

#: A week's place in the rollout when it has no decision.
UNDER_WAY, BROKEN, NOT_ENTERED = "under way", "No decision", "not entered"


class CriterionLine(msgspec.Struct, frozen=True, kw_only=True):
    """A criterion as a row of its week."""

    sign: str
    verdict: str
    css: str
    rule: str
    kind: str
    value: str
    bound: str
    samples: str
    reason: str
    quotation: str  # the document's words, "" when the register does not know the claim


class WeekView(msgspec.Struct, frozen=True, kw_only=True):
    """A week as the pages show it; ``run`` is None while it has not been entered."""

    number: int
    word: str
    sign: str
    css: str
    run: WeekRun | None
    lines: tuple[CriterionLine, ...] = ()
    figures: tuple[tuple[str, str], ...] = ()


def first_line(rollout: Rollout) -> str:
    """The first line of everything: seed, rung, replay."""
    return f"seed {rollout.seed} · rung {rollout.rung} · {' '.join(rollout.replay.split())}"


def week_views(rollout: Rollout, claims: Mapping[str, Claim]) -> list[WeekView]:
    """Every attempt in order, then the weeks asked for that were never entered."""
    views = [_entered(week, claims) for week in rollout.weeks]
    begun = rollout.latest()
    return views + [
        WeekView(number=week, word=NOT_ENTERED, sign="–", css="not_exercised", run=None)
        for week in rollout.weeks_asked
        if week not in begun
    ]


def _entered(week: WeekRun, claims: Mapping[str, Claim]) -> WeekView:
    css = {Decision.ADVANCE: "pass", Decision.HOLD: "inconclusive", Decision.ROLL_BACK: "fail", None: "not_exercised"}
    return WeekView(
        number=week.week,
        word=words.DECISION[week.decision],
        sign=words.DECISION_SIGN[week.decision],
        css=css[week.decision],
        run=week,
        lines=tuple(_line(criterion, claims) for criterion in week.criteria),
        figures=tuple(_figures(week)),
    )


def _line(criterion: CriterionResult, claims: Mapping[str, Claim]) -> CriterionLine:
    claim = claims.get(criterion.claim)
    return CriterionLine(
        sign=words.VERDICT_SIGN[criterion.verdict],
        verdict=words.verdict_word(criterion),
        css=str(criterion.verdict),
        rule=f"{words.metric_word(criterion.metric)} {words.threshold_words(criterion)}",
        kind=words.KIND[criterion.kind],
        value=words.measured(criterion, criterion.value),
        bound=words.measured(criterion, criterion.bound),
        samples=f"{criterion.samples:,}",
        reason=criterion.reason,
        quotation=claim.quotation if claim is not None else "",
    )


def _figures(week: WeekRun) -> list[tuple[str, str]]:
    """The API's side of the window, in few words."""
    found = [window for window in week.windows if window.side == Side.API]
    if not found:
        return []
    api = found[0]
    figures = [
        ("requests", f"{api.requests:,}"),
        ("requests/s", f"{api.requests_per_s:.2f}"),
        ("p50", words.amount(api.latency_p50_ms, Unit.MILLISECONDS)),
        ("p95", words.amount(api.latency_p95_ms, Unit.MILLISECONDS)),
        ("p99", words.amount(api.latency_p99_ms, Unit.MILLISECONDS)),
        ("errors", words.amount(api.error_ratio, Unit.RATIO)),
        ("bad seconds", "–" if api.bad_seconds is None else str(api.bad_seconds)),
    ]
    if week.switch_over is not None:
        last = "–" if week.switch_over.last_s is None else f"{week.switch_over.last_s:.1f} s"
        figures.append(("back on Firestore", f"{week.switch_over.switched} of {week.switch_over.clients}, last {last}"))
    return figures


def target_words(rollout: Rollout) -> str:
    """The target, and that the bundled one is not the Go backend."""
    bundled = " (bundled as a reference; not the Go backend)" if rollout.target_bundled else ""
    return f"{rollout.target}{bundled}"


def verdict_words(rollout: Rollout) -> tuple[str, str]:
    """The rollout's own sign and word."""
    if rollout.exit_status is None:
        return "…", UNDER_WAY
    return words.DECISION_SIGN[rollout.decision], words.DECISION[rollout.decision]


def problems(rollout: Rollout) -> list[str]:
    """What broke or was left, the weeks' and the rollout's own."""
    told = list(rollout.errors)
    for week in rollout.weeks:
        told += [f"week {week.week}: {error}" for error in week.errors]
        told += [f"week {week.week}: left on the machine: {leak}" for leak in week.leaks]
    return told


def summary(rollout: Rollout, claims: Mapping[str, Claim]) -> str:
    """``summary.md``."""
    sign, word = verdict_words(rollout)
    exit_words = "under way" if rollout.exit_status is None else f"exit status {rollout.exit_status}"
    facts = [
        f"seed {rollout.seed}, rollout {rollout.rollout_id}, started {rollout.started_utc}, {exit_words}",
        f"rung {rollout.rung}: {words.RUNG[rollout.rung]}",
        f"target: {target_words(rollout)}",
    ]
    parts = [
        f"## {sign} {word}: rollout, weeks {_range(rollout.weeks_asked)}",
        plain(rollout.stopped),
        code(rollout.replay),
        bullets(facts),
    ]
    if problems(rollout):
        parts += ["### What broke", bullets(problems(rollout))]
    heads = ("week", "decision", "took:", "criteria", "report")
    parts += ["### Weeks", table(heads, [_row(view) for view in week_views(rollout, claims)])]
    return "\n\n".join(parts) + "\n"


def _range(weeks: tuple[int, ...]) -> str:
    return f"{weeks[0]}" if len(weeks) == 1 else f"{weeks[0]} to {weeks[-1]}"


def _row(view: WeekView) -> tuple[str, ...]:
    if view.run is None:
        return (str(view.number), f"{view.sign} {view.word}", "–", "–", "–")
    again = f" (attempt {view.run.attempt})" if view.run.attempt > 1 else ""
    told = "<br>".join(plain(f"{c.sign} {c.rule}: {c.value} (n={c.samples}) {c.verdict}") for c in view.lines)
    link = f"[report]({view.run.folder}/{REPORT_HTML})" if view.run.folder else "–"
    decision = f"{view.sign} **{view.word}**"
    return (f"{view.number}{again}", decision, f"{view.run.seconds:.0f} s", told or "–", link)


def junit(rollout: Rollout) -> bytes:
    """``junit.xml``: one case a week of the latest attempts, and one for the rollout itself."""
    name = f"rollout on {rollout.rung}"
    suite = TestSuite(_text(name))
    suite.timestamp = rollout.started_utc
    facts = {"replay": rollout.replay, "seed": str(rollout.seed), "first_line": first_line(rollout)}
    for key, value in facts.items():
        suite.add_property(key, _text(value))
    latest = rollout.latest()
    for number in rollout.weeks_asked:
        suite.add_testcase(_case(name, f"week{number}", _outcome(latest.get(number))))
    good = rollout.decision is Decision.ADVANCE and rollout.exit_status == 0
    suite.add_testcase(_case(name, "rollout", None if good else Failure(_text(rollout.stopped), "stopped")))
    document = JUnitXml()
    document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]  # half typed upstream
    content: bytes = document.tostring()  # type: ignore[no-untyped-call]  # half typed upstream
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + content + b"\n"


def _outcome(week: WeekRun | None) -> Failure | Error | Skipped | None:
    if week is None:
        return Skipped("not entered: the week before did not advance", "not_entered")
    if week.advanced:
        return None
    if week.decision is None or week.leaks:
        return Error(_text("; ".join((*week.errors, *week.leaks)) or "the run did not finish"), "broken")
    return Failure(_text(f"exit status {week.exit_status}"), str(week.decision))


def html(rollout: Rollout, claims: Mapping[str, Claim]) -> str:
    """``report.html``: self-contained but for the links to the weeks' own reports beside it."""
    sign, word = verdict_words(rollout)
    return (
        _environment()
        .get_template("rollout.html.j2")
        .render(
            rollout=rollout,
            first_line=first_line(rollout),
            sign=sign,
            word=word,
            css=str(rollout.decision or "none"),
            weeks=week_views(rollout, claims),
            problems=problems(rollout),
            target=target_words(rollout),
            rung=words.RUNG[rollout.rung],
            asked=_range(rollout.weeks_asked),
            report_html=REPORT_HTML,
        )
    )


def write_rollout_reports(folder: Path, rollout: Rollout, claims: Mapping[str, Claim]) -> list[Path]:
    """Writes ``rollout.json`` first, then the pages, into ``folder``, which exists. Raises ``EvidenceNotWritten``."""
    return [
        write_rollout_json(folder, rollout),
        write_atomically(folder / JUNIT_XML, junit(rollout)),
        write_atomically(folder / SUMMARY_MD, summary(rollout, claims).encode()),
        write_atomically(folder / REPORT_HTML, html(rollout, claims).encode()),
    ]
