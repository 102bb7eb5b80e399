"""How far a fault reaches: whether anything is answered while it lasts, and which operations it makes slower. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.judge.lag import on_time
from harness.judge.ledger import OPERATIONS, WRITING, Calls, Ledger
from harness.judge.planned import lacking_words
from harness.judge.window import NS, Window
from harness.model.evidence import Side
from harness.model.judgement import Judgement, Kind
from harness.model.message import Message, Told, message
from harness.model.verdict import Verdict
from harness.rehearsals.chaos.types import Made

#: What was sent sooner after the first fault may have been on its way before every part was cut.
SET_IN_S = 1.0
#: Fewer requests of an operation, with the fault or without, tell nothing of it.
LEAST_OF_OPERATION = 5
#: The chance of calling an operation slower that is not.
_LEVEL = 0.05
_MS = 1_000_000

Times = NDArray[np.int64]
Chosen = NDArray[np.bool_]


def cut_off(rows: Calls, made: Made, missing_ns: Sequence[int]) -> tuple[Verdict, Message]:
    """Whether none of ``rows`` was sent and answered well while the fault lasted: then what it cuts is the only way.

    Calls that were due at ``missing_ns`` are not in evidence: one of them may just have been.
    """
    begun_ns, undone_ns = made.start_ns + round(SET_IN_S * NS), made.undone_ns or made.end_ns
    sent = rows[(rows["sent_ns"] >= begun_ns) & (rows["sent_ns"] < undone_ns)]
    missing = sum(begun_ns <= at_ns < undone_ns for at_ns in missing_ns)
    good = int(np.count_nonzero(sent["ok"] & (sent["done_ns"] < undone_ns)))
    counts = {"good": str(good), "all": str(len(sent))}
    if not len(sent):
        return Verdict.INCONCLUSIVE, message("nothing was sent while it lasted")
    if good:
        return Verdict.FAIL, message(
            "{good} of {all} were answered well while it lasted: there is another way", **counts
        )
    if missing:
        return Verdict.INCONCLUSIVE, lacking_words(missing, len(sent) + missing)
    return Verdict.PASS, message("none of {all} was answered well while it lasted: there is no other way", **counts)


def read_and_written(ledger: Ledger, made: Made) -> tuple[Verdict, Message]:
    """Whether users' reads and their writes were both answered well by the API while the fault lasted: what is said of
    either without one of them was not seen.
    """
    undone_ns = made.undone_ns or made.end_ns
    rows = ledger.requests_due(Window(start_ns=made.start_ns, end_ns=undone_ns), Side.API)
    good = rows[rows["ok"] & (rows["done_ns"] < undone_ns)]
    writes = int(np.count_nonzero(np.isin(good["operation"], WRITING)))
    counts = {"reads": str(len(good) - writes), "writes": str(writes)}
    told = message("answered well while it lasted: {reads} reads, {writes} writes", **counts)
    return (Verdict.PASS if 0 < writes < len(good) else Verdict.INCONCLUSIVE), told


def spread(claim: str, ledger: Ledger, made: Made, every: Sequence[Made], missing_ns: Sequence[int]) -> Judgement:
    """Whether every operation of users on the API is slower while the fault lasts than while none of ``every``
    experiment's lasts, by the ranks of latencies at a level of 5 %. The id is the claim's. Nothing is known where calls
    due in one time or the other (``missing_ns``) are not in evidence: they may be the quick ones, or the slow.
    """
    good = ledger.requests["api"] & ledger.requests["ok"]
    rows, timely = ledger.requests[good], on_time(ledger.requests)[good]
    lost_ns = np.array(missing_ns, dtype=np.int64)
    faulty, calm = rows[_faulty(rows["due_ns"], made)], rows[_calm(rows["due_ns"], every)]
    verdict, told = _reached([each for each in _operations(calm, faulty) if each is not None])
    # What the generator sent late was slow before it was sent; that it was left out makes no pass.
    in_time = [rows[timely & chosen] for chosen in (_calm(rows["due_ns"], every), _faulty(rows["due_ns"], made))]
    if not timely.all() and _reached([each for each in _operations(*in_time) if each is not None])[0] is not verdict:
        late = message("{late} requests were sent late by the load generator", late=str(np.count_nonzero(~timely)))
        verdict, told = Verdict.INCONCLUSIVE, (*told, late)
    missing = int(np.count_nonzero(_faulty(lost_ns, made) | _calm(lost_ns, every)))
    if missing:
        verdict, told = Verdict.INCONCLUSIVE, (*told, lacking_words(missing, len(faulty) + len(calm) + missing))
    return Judgement(
        id=claim, claim=claim, kind=Kind.CHECK, gates=False, verdict=verdict, told=told, samples=len(faulty)
    )


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


def _operations(calm: Calls, faulty: Calls) -> Iterator[tuple[bool, Message] | None]:
    """Of each operation with enough requests: whether it is slower, and how much."""
    from scipy.stats import mannwhitneyu  # slow to import

    for operation, number in OPERATIONS.items():
        before, meanwhile = (_latencies_ms(rows[rows["operation"] == number]) for rows in (calm, faulty))
        if min(len(before), len(meanwhile)) < LEAST_OF_OPERATION:
            yield None
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


def _reached(found: Sequence[tuple[bool, Message]]) -> tuple[Verdict, Told]:
    told = tuple(each for _, each in found)
    if len(found) < 2:
        few = message("of fewer than two operations there were {least} requests", least=str(LEAST_OF_OPERATION))
        return Verdict.INCONCLUSIVE, (few, *told)
    slower = sum(each for each, _ in found)
    counts = {"some": str(slower), "all": str(len(found))}
    said = message("{some} of {all} operations are slower while it lasts", **counts)
    return (Verdict.PASS if slower == len(found) else Verdict.FAIL), (said, *told)
