"""The checks of a whole run under load, as its evidence keeps them: each counts. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from harness.checks.invariants import CHECKS, CLAIM, OFF
from harness.model.evidence import EventRow
from harness.model.judgement import Judgement, Kind, Verdict, expected_of
from harness.rules.judged import CHECK_EVENT, of_event

#: What is asked of every run under load.
EXPECTED = expected_of(((check, CLAIM[check]) for check in (*CHECKS, OFF)), kind=Kind.CHECK)


def of_whole_run(events: Iterable[EventRow]) -> list[Judgement]:
    """The word of every check. Raises ``BadInput`` for another harness' event."""
    return [_counting(of_event(row)) for row in events if row.kind == CHECK_EVENT]


def _counting(check: Judgement) -> Judgement:
    """Whatever was looked at counts."""
    return check if check.verdict is Verdict.NOT_EXERCISED else msgspec.structs.replace(check, gates=True)
