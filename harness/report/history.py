"""``reports/history.jsonl``: a line for each run of a reports folder, by which runs are listed and set beside each
other without a run's own document. A file that is torn or not there is made again of the folders that are there."""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import msgspec

from harness.base.errors import NOT_JSON, BadInput, Exit
from harness.base.message import as_message
from harness.base.units import Unit
from harness.model.judgement import Decision
from harness.model.message import Message, first_line, message
from harness.model.result import Result
from harness.model.stack import EnvironmentKind
from harness.report.language import not_written
from harness.report.latest import results
from harness.report.outline import NOTHING_SAID, nothing_exercised
from harness.report.published import RESULT

HISTORY_JSONL, MOST_FACTS = "history.jsonl", 300  # facts of a line: those that have a limit come first


class HistoryFact(msgspec.Struct, frozen=True, array_like=True):
    """A figure of a run, named as ``compare`` names it; ``limit`` is what it was held to, ``None`` without a limit."""

    name: str
    seen: float
    limit: float | None = None
    unit: Unit = Unit.NONE


class HistoryLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The run in the folder ``run`` below the reports folder. ``digest`` is that of the target's program, ``decision``
    is ``None`` where the run broke, ``exit_status`` where it never reported, ``reason`` where it ended well."""

    run: str
    rehearsal: str
    plan: str
    environment: EnvironmentKind
    target: str
    digest: str = ""
    started_utc: str
    decision: Decision | None
    exit_status: int | None
    reason: Message | None = None
    facts: tuple[HistoryFact, ...] = ()

    @property
    def good(self) -> bool:
        """Whether it ended well."""
        return self.exit_status == Exit.OK


def line_of(run: str, result: Result) -> HistoryLine:
    """The line of the run in the folder ``run`` below the reports folder. Pure."""
    began, of = result.facts.started_utc, result.facts
    with suppress(ValueError):  # its id has real time in a simulated run, too
        began = datetime.strptime(result.run_id[:16], "%Y%m%dT%H%M%S%z").isoformat()
    facts = [
        HistoryFact(": ".join(filter(None, (each.part, each.case, each.name))), each.seen, each.limit, each.unit)
        for each in sorted(result.measured, key=lambda fact: fact.limit is None)
        if each.seen is not None
    ]
    return HistoryLine(
        run=run, rehearsal=result.rehearsal, plan=result.plan, environment=of.rung, target=of.target,
        digest=of.target_digest, started_utc=began, decision=result.decision,
        exit_status=result.exit_status, reason=first_reason(result), facts=tuple(facts[:MOST_FACTS]),
    )  # fmt: skip


def first_reason(result: Result) -> Message | None:
    """Why the run did not end well: its first error, what it left, a limit that fired, or what holds it first."""
    if result.exit_status is None:
        return message("it has not reported: it is under way, or was killed")
    if errors := result.facts.errors_told or result.facts.errors:
        return as_message(first_line(errors[0]))
    if result.facts.leaks:
        return message("left on the machine: {what}", what=result.facts.leaks[0])
    for each in sorted((one for one in result.judgements if one.holds), key=lambda one: not one.fired):
        return message("{what}: {why}", what=each.asked[0] if each.asked else each.id, why=each.told[0])
    return as_message(NOTHING_SAID) if nothing_exercised(result) else None


@contextmanager
def locked(reports: Path) -> Iterator[None]:
    """Keep every other process from the history within the block. Raises ``EvidenceNotWritten``."""
    path = reports / ".history.lock"
    try:
        with path.open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise not_written(path, error) from error


def read(reports: Path) -> list[HistoryLine] | None:
    """The lines; ``None`` where the file is not there, or torn."""
    try:
        return msgspec.json.Decoder(HistoryLine).decode_lines((reports / HISTORY_JSONL).read_bytes())
    except (OSError, *NOT_JSON):
        return None


def of_folders(reports: Path, known: Iterable[HistoryLine]) -> list[HistoryLine]:
    """A line for each run that is there, the oldest first: the ``known`` one, or one that its result gives."""
    lines, found = {line.run: line for line in known if line.exit_status is not None}, list[HistoryLine]()
    for path in results(reports):
        run = path.parent.relative_to(reports).as_posix()
        with suppress(BadInput):  # a folder whose result cannot be read
            found.append(lines.get(run) or line_of(run, RESULT.read(path)))
    return sorted(found, key=lambda line: (line.started_utc, line.run))
