"""The facts of the toy. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from harness.base.message import gettext_noop
from harness.model.evidence import ProbeRow
from harness.rules.rule import Fact, FactsOf
from tests.rehearsal.toy.plan import ToyDetails

#: Each fact, in a sentence.
PHRASES = {
    "probes.failed": gettext_noop("{seen} of {of} probes had no good answer"),
    "pods.answering": gettext_noop("pods that gave good answers: {seen}"),
    "slowest_ms": gettext_noop("the slowest of {of} good answers took {seen}"),
}


def facts(details: ToyDetails, probes: Sequence[ProbeRow]) -> Iterator[Fact]:
    """Of the probes that were due. One that is not in evidence may have failed, or been the slowest of all."""
    if details.window is None:
        return
    fact, window = FactsOf(PHRASES), details.window
    asked = [each for each in probes if window.start_ns <= each.due_ns < window.end_ns]
    good = [each for each in asked if each.good]
    missing, failed = max(0, details.due - len(asked)), len(asked) - len(good)
    unknown = math.inf if missing else None
    yield fact("probes.failed", failed, high=failed + missing, of=len(asked))
    yield fact("pods.answering", len({each.pod for each in good if each.pod}), high=unknown)
    slowest = max((each.done_ns - each.due_ns for each in good), default=None)
    yield fact("slowest_ms", None if slowest is None else slowest / 1e6, high=unknown, of=len(good))
