"""The checks of a whole run under load, as its evidence keeps them: each counts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from harness.checks.invariants import CHECKS, CLAIM, OFF
from harness.judge.judged import CHECK_EVENT, of_event, result
from harness.model.evidence import EventRow
from harness.model.judgement import Judgement
from harness.model.message import message
from harness.model.verdict import Verdict


def of_whole_run(events: Iterable[EventRow], *, loaded: bool) -> list[Judgement]:
    """The word of every check. ``loaded``: there was load, so that every check has something to say; one whose word is
    not there is inconclusive. Raises ``BadInput`` for another harness' event.
    """
    found = [_counting(of_event(row)) for row in events if row.kind == CHECK_EVENT]
    return [*found, *(unsaid(found, (*CHECKS, OFF)) if loaded else ())]


def unsaid(found: Sequence[Judgement], checks: Iterable[str]) -> Iterator[Judgement]:
    """Those of ``checks`` that nothing in ``found`` is: what no word is left of was not shown to be well."""
    told = (message("the run left no word of it"),)
    known = {each.id for each in found}
    for check in checks:
        if check not in known:
            yield result(check, CLAIM[check], Verdict.INCONCLUSIVE, None, 0, told)


def _counting(check: Judgement) -> Judgement:
    """Whatever was looked at counts."""
    return check if check.verdict is Verdict.NOT_EXERCISED else msgspec.structs.replace(check, gates=True)
