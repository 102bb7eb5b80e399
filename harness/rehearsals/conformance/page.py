"""``report.html`` of a conformance run: every deviation with the request that shows it, then what passed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.model.manifests import ManifestWarning, RepositoryErratum
from harness.model.message import marked
from harness.rehearsals.conformance.grade import DOCUMENT, FINDINGS, GRADES, Source, SourceKind
from harness.rehearsals.conformance.result import CheckResult, Outcome, Report
from harness.report.frame import Ending, by_status, head
from harness.report.language import ENGLISH, Language
from harness.report.page import files
from harness.report.templates import page

_TOKEN = re.compile(r"(Bearer [A-Za-z0-9_-]{12})[A-Za-z0-9_.-]{30,}")

CONFORMS, DOES_NOT = marked("Conforms"), marked("Does not conform")
NOT_SHOWN = marked("Not shown to conform")
OUTCOME = {
    Outcome.PASSED: marked("{count} passed"),
    Outcome.DEVIATION: marked("{count} deviations"),
    Outcome.ADVICE: marked("{count} advice"),
    Outcome.NOT_EXERCISED: marked("{count} not exercised"),
    Outcome.MEASUREMENT_ERROR: marked("{count} errors of the measurement"),
}
_CSS = {
    Outcome.PASSED: "pass",
    Outcome.DEVIATION: "fail",
    Outcome.ADVICE: "inconclusive",
    Outcome.NOT_EXERCISED: "not_exercised",
    Outcome.MEASUREMENT_ERROR: "inconclusive",
}
_SIGN = {
    Outcome.PASSED: "✓",
    Outcome.DEVIATION: "✗",
    Outcome.ADVICE: "!",
    Outcome.NOT_EXERCISED: "–",
    Outcome.MEASUREMENT_ERROR: "~",
}


class _Facts(msgspec.Struct, frozen=True, kw_only=True):
    """The report's facts as the frame wants them: the target by its name."""

    rung: str
    target: str
    seed: int
    replay: str
    started_utc: str
    environment: str
    manifest_changes: tuple[str, ...]
    manifest_warnings: tuple[ManifestWarning, ...]
    repository_errata: tuple[RepositoryErratum, ...]


def shortened(curl: str) -> str:
    """A curl line whose token and body fit a screen; ``conformance.json`` holds it whole."""
    curl = _TOKEN.sub(r"\1...", curl)
    return curl if len(curl) <= 600 else f"{curl[:400]} ... {curl[-150:]}"


def ending(report: Report, say: Language) -> Ending:
    """How it ended: a word, and how many checks of each outcome."""
    counts = say.listed(
        say(OUTCOME[outcome], count=report.count(outcome)) for outcome in Outcome if report.count(outcome)
    )
    not_passed = DOES_NOT if report.count(Outcome.DEVIATION) else NOT_SHOWN
    return by_status(report, say, counts or say("no check ran"), passed=CONFORMS, not_passed=not_passed)


def by_grade(checks: Sequence[CheckResult]) -> list[CheckResult]:
    """The deviations and the advice, what breaks the contract first."""
    order = {grade: place for place, grade in enumerate(GRADES)}
    found = [check for check in checks if check.outcome in (Outcome.DEVIATION, Outcome.ADVICE)]
    return sorted(found, key=lambda check: order[check.grade] if check.grade else 0)


def source_text(source: Source | None, say: Language) -> str:
    """Whose sentence it is, in the page's language."""
    if source is None:
        return ""
    return say(DOCUMENT, section=source.place) if source.kind is SourceKind.DOCUMENT else source.place


def html(folder: Path, report: Report, say: Language = ENGLISH) -> str:
    """The page: self-contained, without script; its links lead into ``folder``."""
    of = {outcome: [check for check in report.checks if check.outcome is outcome] for outcome in Outcome}
    facts = _Facts(
        rung=report.rung,
        target=report.target.name,
        seed=report.seed,
        replay=report.replay,
        started_utc=report.started_utc,
        environment=report.environment,
        manifest_changes=report.manifest_changes,
        manifest_warnings=report.manifest_warnings,
        repository_errata=report.repository_errata,
    )
    context: dict[str, Any] = {
        "report": report,
        "head": head(
            facts,
            say,
            title=say("Conformance of {target} to the contract", target=report.target.name),
            ending=ending(report, say),
            bundled=report.target.bundled,
            broke=report.errors,
            leaks=report.leaks,
        ),
        "deviations": [check for check in by_grade(report.checks) if check.outcome is Outcome.DEVIATION],
        "advice": of[Outcome.ADVICE],
        "grades": GRADES,
        "findings": FINDINGS,
        "source": lambda check: source_text(check.source, say),
        "broken": of[Outcome.MEASUREMENT_ERROR],
        "left_out": of[Outcome.NOT_EXERCISED],
        "passed": of[Outcome.PASSED],
        "css": _CSS,
        "signs": _SIGN,
        "shortened": shortened,
        "lacking": [extra for extra in report.extras if not extra.offered],
        "files": [file for file in files(folder) if not file.name.startswith("requests/")],
    }
    return page("conformance.html.j2", say, context)
