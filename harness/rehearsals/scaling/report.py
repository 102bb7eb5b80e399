"""``scaling.json``, ``report.html``, ``junit.xml``, ``summary.md``, and the lines on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from junitparser import TestCase

from harness.model.claim import Claim
from harness.model.message import marked
from harness.model.verdict import Verdict
from harness.rehearsals.scaling.chart import chart
from harness.rehearsals.scaling.types import Comparison, PartResult, ReachedSize, ScalingFinding, ScalingReport
from harness.report import words
from harness.report.course import KIND
from harness.report.files import write_atomically
from harness.report.frame import by_status, closing_lines, head
from harness.report.junit_parts import judged_case, run_cases, suite_document
from harness.report.language import ENGLISH, Language
from harness.report.page import errata_views
from harness.report.summary import bullets, changes_section, errata_section, opening, plain, table
from harness.report.templates import page
from harness.report.verdict_rows import counted, verdict_row

SCALING_JSON = "scaling.json"
SUITE = "scaling"
_NEVER = marked("never")


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """Another run, and how this one compares with it."""

    report: ScalingReport
    comparison: Comparison


def write_report(
    folder: Path,
    report: ScalingReport,
    register: Mapping[str, Claim],
    say: Language = ENGLISH,
    beside: Beside | None = None,
    *,
    suite: str = SUITE,
) -> None:
    """Writes all into ``folder``, the JSON as ``<suite>.json``; ``beside`` puts another run beside this one.

    Raises ``EvidenceNotWritten``.
    """
    write_atomically(folder / f"{suite}.json", msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    write_atomically(folder / "junit.xml", junit(report, suite))
    write_atomically(folder / "summary.md", summary(report, say, beside).encode())
    write_atomically(folder / "report.html", html(report, register, say, beside, suite).encode())


def text(report: ScalingReport, folder: str) -> str:
    """The closing lines for a terminal."""
    lines = []
    for part in report.parts:
        lines.append(f"{part.name}: {part.title}")
        lines += [f"  {words.VERDICT[each.verdict]:<13} {each.claim}: {each.reason}" for each in part.findings]
        lines += [f"  observed: {line}" for line in part.observed]
    return "\n".join([*lines, *closing_lines(report, folder)])


def compared_text(found: Comparison) -> str:
    """The comparison for a terminal and for ``summary.md``'s readers."""
    lines = [f"A: {found.a.run_id} on {found.a.rung}", f"B: {found.b.run_id} on {found.b.rung}"]
    lines += [f"  different conditions: {each}" for each in found.unlike]
    for part in found.parts:
        lines.append(f"{part.name}: {part.title}")
        lines += [
            "  {:<4} {:>2} pods: A {}, B {}; decided: A {}, B {}".format(*row) for row in _rows(part.sizes, ENGLISH)
        ]
        lines += [
            f"  {each.claim}: A {each.a} ({each.a_value or '-'}), B {each.b} ({each.b_value or '-'})"
            for each in part.claims
        ]
    return "\n".join([*lines, ""])


def summary(report: ScalingReport, say: Language = ENGLISH, beside: Beside | None = None) -> str:
    """``summary.md``."""
    ending = by_status(report, say, counted(_verdicts(report), say))
    factor = _factor(report, say)
    parts = opening(report, say, say(report.title), ending, bundled=report.target_bundled, more=[factor])
    rows = [
        (part.name, say(words.VERDICT[each.verdict]), each.claim, plain(each.value), plain(each.reason))
        for part in report.parts
        for each in part.findings
    ]
    heads = (say("part"), say("verdict"), say("claim"), say("measured"), say("why"))
    parts += [f"### {say('Claims')}", table(heads, rows)]
    observed = [plain(f"{part.name}: {line}") for part in report.parts for line in part.observed]
    parts += [f"### {say('Observed')}", bullets(observed)] if observed else []
    if beside is not None:
        parts += [f"### {say('Compared with another run')}"]
        parts += [table(_heads(beside.comparison, say), _rows(part.sizes, say)) for part in beside.comparison.parts]
    parts += errata_section(report.errata_seen, say)
    parts += changes_section(report, say)
    return "\n\n".join(parts) + "\n"


def junit(report: ScalingReport, suite: str = SUITE) -> bytes:
    """One test case a claim of a part, one for what broke, one for leaks."""
    cases = [_case(part, each, suite) for part in report.parts for each in part.findings]
    cases += run_cases(suite, report)
    properties = {"replay": report.replay, "seed": str(report.seed), "rung": str(report.rung)}
    return suite_document(suite, cases, started_utc=report.started_utc, properties=properties)


def html(
    report: ScalingReport,
    register: Mapping[str, Claim],
    say: Language = ENGLISH,
    beside: Beside | None = None,
    suite: str = SUITE,
) -> str:
    """``report.html``: self-contained, without script."""
    context: dict[str, Any] = {
        "report": report,
        "head": head(
            report,
            say,
            title=say(report.title),
            ending=by_status(report, say, counted(_verdicts(report), say)),
            bundled=report.target_bundled,
            broke=report.errors,
            leaks=report.leaks,
        ),
        "factor": _factor(report, say),
        "parts_of": [_part(part, say) for part in report.parts],
        "errata": errata_views(report.errata_seen, register, say),
        "beside": beside and _beside(beside, report, say),
        "suite": suite,
        "timeline": [
            (f"{each.at_s:.0f} s", say(KIND.get(each.kind, each.kind)), each.subject,
             say.told(each.told, say(each.message)))
            for each in report.timeline
        ],
    }  # fmt: skip
    return page("scaling.html.j2", say, context)


def _part(part: PartResult, say: Language) -> dict[str, Any]:
    return {
        "title": say(part.title),
        "rows": [
            verdict_row(each.verdict, say, subject=each.claim, value=each.value, reason=each.reason)
            for each in part.findings
        ],
        "observed": part.observed,
        "chart": chart([(part.name, part)]),
    }


def _beside(beside: Beside, report: ScalingReport, say: Language) -> dict[str, Any]:
    found = beside.comparison
    of = {part.name: part for part in report.parts}
    other = {part.name: part for part in beside.report.parts}
    names = (f"A {found.a.rung}", f"B {found.b.rung}")
    parts = [
        {
            "title": say(part.title),
            "chart": chart([(names[0], other[part.name]), (names[1], of[part.name])]),
            "rows": _rows(part.sizes, say),
            "claims": [
                (each.claim, say(words.VERDICT[each.a]), each.a_value, say(words.VERDICT[each.b]), each.b_value)
                for each in part.claims
            ],
        }
        for part in found.parts
    ]
    return {"a": found.a, "b": found.b, "unlike": found.unlike, "heads": _heads(found, say), "parts": parts}


def _heads(found: Comparison, say: Language) -> tuple[str, ...]:
    a, b = f"A {found.a.rung}", f"B {found.b.rung}"
    decided = say("decided")
    return (say("way"), f"{say('pods')}:", f"{a}:", f"{b}:", f"{a}, {decided}:", f"{b}, {decided}:")


def _rows(sizes: tuple[ReachedSize, ...], say: Language) -> list[tuple[str, ...]]:
    up, down = say("up"), say("down")
    return [
        (
            down if each.down else up,
            str(each.pods),
            *(_seconds(value, say) for value in (each.a_s, each.b_s, each.decided_a_s, each.decided_b_s)),
        )
        for each in sizes
    ]


def _seconds(value: float | None, say: Language) -> str:
    return say(_NEVER) if value is None else f"{value:.0f} s"


def _factor(report: ScalingReport, say: Language) -> str:
    return say("CPU requests and limits were multiplied by {factor}", factor=f"{report.cpu_factor:.2f}")


def _verdicts(report: ScalingReport) -> list[Verdict]:
    return [each.verdict for part in report.parts for each in part.findings]


def _case(part: PartResult, finding: ScalingFinding, suite: str) -> TestCase:
    told = f"{finding.value}; {finding.reason}"
    seconds = (part.end_ns - part.start_ns) / 1e9 / max(1, len(part.findings))
    return judged_case(f"{suite}.{part.name}", finding.claim, finding.verdict, told, seconds)
