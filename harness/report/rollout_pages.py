"""A rollout's ``report.html`` and ``summary.md``: where each week stands, and a link to its own report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.model.claim import Claim
from harness.model.rollout_run import Rollout
from harness.report import words
from harness.report.files import write_atomically
from harness.report.frame import Ending, head
from harness.report.html import REPORT_HTML
from harness.report.junit import JUNIT_XML
from harness.report.language import ENGLISH, Language
from harness.report.page import errata
from harness.report.published import ROLLOUT, ROLLOUT_JSON
from harness.report.rollout_junit import junit
from harness.report.rollout_view import (
    UNDER_WAY,
    WeekView,
    not_exercised,
    problems,
    range_words,
    stopped_words,
    verdict_words,
    week_views,
)
from harness.report.summary import SUMMARY_MD, bullets, code, plain, table
from harness.report.templates import page


def summary(rollout: Rollout, claims: Mapping[str, Claim], say: Language = ENGLISH) -> str:
    """``summary.md``."""
    sign, word = verdict_words(rollout, say)
    broke = problems(rollout, say)
    heads = (say("Week"), say("Decision"), f"{say('Took')}:", say("Criteria"), say("Report"))
    weeks = say("Rollout, weeks {weeks}", weeks=range_words(rollout.weeks_asked, say))
    parts = [
        f"## {sign} {word}: {weeks}",
        plain(stopped_words(rollout, say)),
        code(rollout.replay),
        bullets(_facts(rollout, say)),
        *([f"### {say('What broke')}", bullets(broke)] if broke else []),
        f"### {say('Weeks')}",
        table(heads, [_row(view, say) for view in week_views(rollout, claims, say)]),
    ]
    return "\n\n".join(parts) + "\n"


def _facts(rollout: Rollout, say: Language) -> list[str]:
    status = say(UNDER_WAY)
    if rollout.exit_status is not None:
        status = say("exit status {status}", status=str(rollout.exit_status))
    return [
        say(
            "seed {seed}, rollout {rollout}, started {started}, {status}",
            seed=str(rollout.seed),
            rollout=rollout.rollout_id,
            started=say.moment(rollout.started_utc),
            status=status,
        ),
        say("environment {rung}: {words}", rung=str(rollout.rung), words=say(words.RUNG[rollout.rung])),
        say("target: {target}", target=words.target_words(rollout.target, say, bundled=rollout.target_bundled)),
    ]


def _row(view: WeekView, say: Language) -> tuple[str, ...]:
    if view.run is None:
        return (str(view.number), f"{view.sign} {view.word}", "–", "–", "–")
    number = f"{view.number} ({view.again})" if view.again else str(view.number)
    told = "<br>".join(plain(f"{c.sign} {c.rule}: {c.value} (n={c.samples}) {c.verdict}") for c in view.lines)
    link = f"[{say('report')}]({view.run.folder}/{REPORT_HTML})" if view.run.folder else "–"
    return (number, f"{view.sign} **{view.word}**", f"{view.run.seconds:.0f} s", told or "–", link)


def html(rollout: Rollout, claims: Mapping[str, Claim], say: Language = ENGLISH) -> str:
    """``report.html``: self-contained but for the links to the weeks' own reports beside it."""
    sign, word = verdict_words(rollout, say)
    title = say("Rollout, weeks {weeks}", weeks=range_words(rollout.weeks_asked, say))
    ending = Ending(sign=sign, word=word, css=str(rollout.decision or "none"), reason=stopped_words(rollout, say))
    context = {
        "rollout": rollout,
        "head": head(
            rollout,
            say,
            title=title,
            ending=ending,
            bundled=rollout.target_bundled,
            broke=problems(rollout, say),
        ),
        "weeks": week_views(rollout, claims, say),
        "not_exercised": not_exercised(rollout, say),
        "errata": errata(rollout.weeks, claims, say),
        "report_html": REPORT_HTML,
        "files": [ROLLOUT_JSON, JUNIT_XML, SUMMARY_MD],
    }
    return page("rollout.html.j2", say, context)


def write_rollout_reports(
    folder: Path, rollout: Rollout, claims: Mapping[str, Claim], say: Language = ENGLISH
) -> list[Path]:
    """Writes ``rollout.json`` first, then the pages, into ``folder``, which exists. Raises ``EvidenceNotWritten``."""
    return [
        ROLLOUT.write(folder, rollout),
        write_atomically(folder / JUNIT_XML, junit(rollout)),
        write_atomically(folder / SUMMARY_MD, summary(rollout, claims, say).encode()),
        write_atomically(folder / REPORT_HTML, html(rollout, claims, say).encode()),
    ]
