"""What the page of a migration drill shows besides its judgements. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.judge.difference import Single
from harness.model.message import Message, message
from harness.model.section import Section, table_of
from harness.rehearsal.rehearsal import Figure
from harness.rehearsals.migration_drill.types import Attempt, DrillDetails


def sections(details: DrillDetails) -> Iterator[Section]:
    """The migrator's processes, and what became of the documents out of the ordinary."""
    if details.attempts:
        yield table_of(
            message("The migrator's processes"),
            details.attempts,
            (message("ended by"), _ended),
            (message("seconds"), lambda each: f"{each.seconds:.1f}"),
            (message("walks in PostgreSQL"), lambda each: f"{each.walks:,}"),
            numbers=(1, 2),
        )
    if details.odd:
        yield table_of(
            message("Documents out of the ordinary"),
            details.odd,
            (message("document"), lambda each: Message(text=each.name)),
            (message("must be"), lambda each: message("refused") if each.refused else message("moved")),
            (message("became"), lambda each: each.became),
        )


def _ended(attempt: Attempt) -> Message:
    if attempt.killed:
        return message("SIGKILL")
    return message("status {status}", status=str(attempt.status))


def figures(details: DrillDetails) -> Iterator[Figure]:
    """How long the migrator took in all, and how many walks agree."""
    took_s = sum(each.seconds for each in details.attempts) if details.attempts else None
    equal = None if details.compared is None else details.compared.equal
    yield Figure("seconds of the migrator", "s", "worse", Single(took_s))
    yield Figure("walks equal", "walks", "better", Single(equal), gates=True)
