"""``report.html``: one self-contained file that opens offline, on a phone and in print. No script, no outside address.

Every word of ours goes through ``say`` (``harness.report.language``). What the evidence says stays as it was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from harness.model.claim import Claim
from harness.model.result import Result
from harness.report import judged, told, words
from harness.report.chart import draw_chart, draw_timeline
from harness.report.ending import ending
from harness.report.files import write_atomically
from harness.report.language import ENGLISH, Language
from harness.report.templates import page

REPORT_HTML = "report.html"


class FileView(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the run's folder; ``href`` is relative and quoted."""

    name: str
    href: str
    size: str


def files(folder: Path) -> list[FileView]:
    """The run's own files and logs, by name: what the report stands on. Links are relative to the report."""
    found = {path for path in (*folder.glob("*"), *folder.glob("logs/**/*"), *folder.glob("*/*")) if _is_file(path)}
    shown = [path for path in found if not path.name.startswith(".") and path != folder / REPORT_HTML]
    return [
        FileView(
            name=(relative := path.relative_to(folder).as_posix()),
            href=f"./{quote(relative)}",
            size=_size(path.stat().st_size),
        )
        for path in sorted(shown, key=lambda path: (len(path.parents), path.as_posix()))
    ]


def _is_file(path: Path) -> bool:
    """Whether it is a file that can be looked at."""
    try:
        return path.is_file()
    except OSError:
        return False


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1024:,.0f} KiB" if size_bytes >= 1024 else f"{size_bytes} B"


def context(folder: Path, result: Result, claims: Mapping[str, Claim], say: Language) -> dict[str, Any]:
    """Everything that the template names."""
    has, lacks = told.capabilities(result.facts, say)
    return {
        "result": result,
        "title": say.message(result.title),
        "ending": ending(result, say),
        "first_line": words.first_line(result.facts.seed, result.facts.rung, result.facts.replay),
        "rung_words": say(words.RUNG[result.facts.rung]),
        "target": told.target(result.facts, say),
        "started": say.moment(result.facts.started_utc),
        "facts": list(told.facts(result, say)),
        "groups": judged.groups(result, say),
        "children": told.children(result.children, say),
        "not_exercised": judged.not_exercised(result, say),
        "errata": judged.errata(result, claims, say),
        "claims": judged.claims_judged(result, claims, say),
        "capabilities": has,
        "lacking": lacks,
        "rung_changes": [words.change_words(change, say) for change in result.facts.rung_changes],
        "about_manifests": told.about_manifests(result.facts, say),
        "stand_ins": told.stand_ins(result.facts, say),
        "files": files(folder),
        "report_html": REPORT_HTML,
        "signs": {str(verdict): sign for verdict, sign in words.VERDICT_SIGN.items()},
        "verdicts": {str(verdict): say(word) for verdict, word in words.VERDICT.items()},
        "draw_chart": lambda chart: draw_chart(chart, say),
        "draw_timeline": lambda timeline: draw_timeline(timeline, say),
    }


def render(folder: Path, result: Result, claims: Mapping[str, Claim], say: Language = ENGLISH) -> str:
    """The page of ``result``, whose files lie in ``folder``."""
    return page("result.html.j2", say, context(folder, result, claims, say))


def write_html(folder: Path, result: Result, claims: Mapping[str, Claim], say: Language = ENGLISH) -> Path:
    """Writes ``report.html`` into ``folder``. Raises ``EvidenceNotWritten``."""
    return write_atomically(folder / REPORT_HTML, render(folder, result, claims, say).encode())
