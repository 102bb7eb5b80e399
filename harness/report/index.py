"""A run remembered: its line in the history, and ``reports/index.html`` and ``index.ja.html`` of all runs, drawn from
the history alone. The page is self-contained; its script filters, draws trends and sets runs side by side."""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from harness.base.errors import EvidenceNotWritten
from harness.model.judgement import DECISION, Decision
from harness.model.result import Result
from harness.report.history import HISTORY_JSONL, HistoryLine, line_of, locked, of_folders, read
from harness.report.html import FOLDER, page
from harness.report.language import LANGUAGES, Language, cut, language, write_atomically
from harness.report.published import RESULT_JSON
from harness.report.words import DECISION_SIGN

#: No page is larger: then the oldest runs are left out, and told.
MOST_BYTES = 1_900_000
_ROOM, _DIGEST, _DECISIONS = 160, len("sha256:") + 12, (*Decision, None)  # columns of a reason, of a digest
_FILES = {code: "index.html" if code == "en" else f"index.{code}.html" for code in LANGUAGES}


def remember(folder: Path, result: Result) -> None:
    """Puts the run of ``folder``, also one of a sequence, into the history of its reports folder, and writes the
    index. Raises ``EvidenceNotWritten``."""
    reports = folder.parent.parent if (folder.parent / RESULT_JSON).is_file() else folder.parent
    line = line_of(folder.relative_to(reports).as_posix(), result)
    with locked(reports):
        known = read(reports)
        before = of_folders(reports, ()) if known is None else known
        _keep(reports, [*(each for each in before if each.run != line.run), line])


def recalled(reports: Path) -> list[HistoryLine]:
    """The runs of the folders that are there, the oldest first. Where the history has others, or is torn, it is
    written anew with the index; a folder that cannot be written is only read."""
    before = read(reports)
    lines = of_folders(reports, before or ())
    if lines != before and (lines or before):
        with suppress(EvidenceNotWritten), locked(reports):
            _keep(reports, of_folders(reports, read(reports) or ()))
    return lines


def _keep(reports: Path, lines: Sequence[HistoryLine]) -> None:
    write_atomically(reports / HISTORY_JSONL, msgspec.json.Encoder().encode_lines(lines))
    for code, name in _FILES.items():
        write_atomically(reports / name, render(lines, language(code)).encode())


def _data(lines: Iterable[HistoryLine], say: Language) -> dict[str, Any]:
    """The runs as rows of numbers that stand for texts and limits. The figures stand as the facts of their plan do."""
    texts, limits, rows = defaultdict[str, int](count().__next__), defaultdict[Any, int](count().__next__), []
    facts = defaultdict[str, defaultdict[Any, int]](lambda: defaultdict(count().__next__))
    for line in lines:
        of = {facts[line.plan][each.name, each.unit]: each for each in line.facts}
        known = [of.get(place) for place in range(max(of, default=-1) + 1)]
        reason = "" if line.reason is None else cut(" ".join(say.message(line.reason).split()), _ROOM)
        named = (line.plan, line.environment, say(line.target), line.digest[:_DIGEST], reason)
        rows.append((
            line.run, *(texts[each] for each in named), line.started_utc[:16], _DECISIONS.index(line.decision),
            line.exit_status, [each and _short(each.seen) for each in known],
            limits[tuple(each and _short(each.limit) for each in known)],
        ))  # fmt: skip
    return {"runs": rows, "texts": [*texts], "limits": [*limits], "facts": {plan: [*facts[plan]] for plan in facts}}


def _short(value: float | None) -> float | None:
    """``value`` with four digits."""
    return None if value is None else float(f"{value:.4g}")


def render(lines: Sequence[HistoryLine], say: Language) -> str:
    """The page of the runs, which are given oldest first."""
    script, shown = (FOLDER / "index.js").read_text("utf-8"), [*reversed(lines)]
    context = {
        "script": script, "digest": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "all": len(lines), "good": sum(line.good for line in lines),
        "decisions": [(DECISION_SIGN[each], DECISION[each]) for each in _DECISIONS],
        "others": {code: name for code, name in _FILES.items() if code != say.code},
    }  # fmt: skip
    while True:
        data = msgspec.json.encode(_data(shown, say)).decode().replace("<", "\\u003c")
        made = page("index.html.j2", say, {**context, "data": data, "left_out": len(lines) - len(shown)})
        if len(made.encode()) <= MOST_BYTES or not shown:
            return made
        del shown[len(shown) * 3 // 4 :]
