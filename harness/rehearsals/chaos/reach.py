"""How far a fault reaches: whether anything is answered while it lasts, and which operations it makes slower. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.judge.lag import on_time
from harness.judge.ledger import OPERATIONS, WRITING, Calls, Ledger
from harness.judge.planned import lost_words
from harness.judge.window import NS, Window
from harness.model.evidence import Side
from harness.model.message import Message, Told, message
from harness.rehearsals.chaos.measures import span
from harness.rehearsals.chaos.types import Made
from harness.rules.fact import Fact, FactsOf

#: What was sent sooner after the first fault may have been on its way before every part was cut.
SET_IN_S = 1.0
#: Fewer requests of an operation, with the fault or without, tell nothing of it.
LEAST_OF_OPERATION = 5
#: The chance of calling an operation slower that is not.
_LEVEL = 0.05
_MS = 1_000_000

Times = NDArray[np.int64]
Chosen = NDArray[np.bool_]


def of_cut(fact: FactsOf, ledger: Ledger, made: Made, missing_ns: Sequence[int]) -> Fact:
    """What was sent and answered well while the way was cut; each call due then that is not in evidence may have been.
    ``missing_ns`` is when each was due."""
    begun_ns, undone_ns = made.start_ns + round(SET_IN_S * NS), made.undone_ns or made.end_ns
    rows = ledger.calls_due(span(made))
    sent = rows[(rows["sent_ns"] >= begun_ns) & (rows["sent_ns"] < undone_ns)]
    missing = sum(begun_ns <= at_ns < undone_ns for at_ns in missing_ns)
    good = int(np.count_nonzero(sent["ok"] & (sent["done_ns"] < undone_ns)))
    return fact("cut.answered", good, high=good + missing, of=len(sent), besides=lost_words(missing, len(sent)))


def of_both(fact: FactsOf, ledger: Ledger, made: Made) -> Iterator[Fact]:
    """How many of users' reads and of their writes were answered well by the API while the fault lasted."""
    undone_ns = made.undone_ns or made.end_ns
    rows = ledger.requests_due(Window(start_ns=made.start_ns, end_ns=undone_ns), Side.API)
    good = rows[rows["ok"] & (rows["done_ns"] < undone_ns)]
    writes = int(np.count_nonzero(np.isin(good["operation"], WRITING)))
    yield fact("reads.well", len(good) - writes)
    yield fact("writes.well", writes)


def of_reach(
    fact: FactsOf, ledger: Ledger, made: Made, every: Sequence[Made], missing_ns: Sequence[int]
) -> Iterator[Fact]:
    """How many operations of users on the API are slower while the fault lasts than while none of ``every``
    experiment's lasts, by the ranks of latencies at a level of 5 %. Calls due at ``missing_ns`` are not in evidence:
    they may be the quick ones, or the slow."""
    good = ledger.requests["api"] & ledger.requests["ok"]
    rows, timely = ledger.requests[good], on_time(ledger.requests)[good]
    lost_ns = np.array(missing_ns, dtype=np.int64)
    faulty, calm = _faulty(rows["due_ns"], made), _calm(rows["due_ns"], every)
    found = [*_operations(rows[calm], rows[faulty])]
    void: Told = ()
    if len(found) < 2:
        void = (message("of fewer than two operations there were {least} requests", least=str(LEAST_OF_OPERATION)),)
    # What the generator sent late was slow before it was sent; that it was left out makes no pass.
    elif _spreads([*_operations(rows[timely & calm], rows[timely & faulty])]) is not _spreads(found):
        late = str(np.count_nonzero(~timely))
        void = (message("{late} requests were sent late by the load generator", late=late),)
    missing = int(np.count_nonzero(_faulty(lost_ns, made) | _calm(lost_ns, every)))
    void = (*void, *lost_words(missing, int(np.count_nonzero(faulty | calm))))
    slower, told, all_ = sum(each for each, _ in found), tuple(each for _, each in found), str(len(found))
    yield fact("slower", slower, of=int(np.count_nonzero(faulty)), void=void, besides=told, all=all_)
    yield fact("slower.all", len(found))


def _spreads(found: Sequence[tuple[bool, Message]]) -> bool | None:
    """Whether every operation is slower; ``None`` of fewer than two."""
    return all(each for each, _ in found) if len(found) >= 2 else None


def ended_ns(every: Sequence[Made]) -> int:
    """When nothing more of any was waited for; of what is due later nobody knows that it was answered."""
    return max(each.end_ns for each in every)


def _faulty(due_ns: Times, made: Made) -> Chosen:
    return (due_ns >= made.start_ns) & (due_ns < (made.undone_ns or made.end_ns))


def _calm(due_ns: Times, every: Sequence[Made]) -> Chosen:
    """Until the last of ``every`` experiment ended, while none was felt."""
    calm: Chosen = due_ns < ended_ns(every)
    for each in every:
        calm &= (due_ns < each.start_ns) | (due_ns >= (each.steady_ns or each.end_ns))
    return calm


def _operations(calm: Calls, faulty: Calls) -> Iterator[tuple[bool, Message]]:
    """Of each operation with enough requests: whether it is slower, and how much."""
    from scipy.stats import mannwhitneyu  # slow to import

    for operation, number in OPERATIONS.items():
        before, meanwhile = (_latencies_ms(rows[rows["operation"] == number]) for rows in (calm, faulty))
        if min(len(before), len(meanwhile)) < LEAST_OF_OPERATION:
            continue
        slower = bool(mannwhitneyu(meanwhile, before, alternative="greater").pvalue < _LEVEL)
        told = message(
            "{operation}: p50 {meanwhile} ms, without the fault {before} ms",
            operation=str(operation),
            meanwhile=f"{float(np.median(meanwhile)):.0f}",
            before=f"{float(np.median(before)):.0f}",
        )
        yield slower, told


def _latencies_ms(rows: Calls) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    found: np.ndarray[tuple[int], np.dtype[np.float64]] = (rows["done_ns"] - rows["due_ns"]) / _MS
    return found
