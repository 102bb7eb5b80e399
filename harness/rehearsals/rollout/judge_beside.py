"""What a week shows beside its criteria: users without the flag stay on Firestore, and logs and metrics are in one
place. Pure. None of it gates the week, for the document names no limit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from harness.judge.ledger import OPERATIONS, Ledger
from harness.judge.window import Window
from harness.model.evidence import WRITES, EventRow, SampleRow, Side
from harness.model.judgement import Judgement, Kind
from harness.model.message import Message, message
from harness.model.scenario import Scenario
from harness.model.stack import PodState
from harness.model.verdict import Verdict

#: The document's own error ratio (SLO定義).
_MOST_FAILED = 0.01
_METRICS = ("cpu_cores", "memory_bytes")
_WRITES = [OPERATIONS[operation] for operation in WRITES]


def without_the_flag(plan: Scenario, ledger: Ledger, window: Window) -> Iterator[Judgement]:
    """Of a week in which some users have the flag off: whether Firestore serves them throughout, and is written."""
    if plan.population.users == plan.population.flag_on:
        return
    rows = ledger.requests_due(window, Side.FIRESTORE)
    good = rows[rows["ok"]]
    told = message(
        "{good} of {all} requests of users without the flag were answered well by Firestore",
        good=f"{len(good):,}",
        all=f"{len(rows):,}",
    )
    failed = len(rows) - len(good)
    verdict = Verdict.INCONCLUSIVE if not len(rows) else _kept(failed <= _MOST_FAILED * len(rows))
    yield _judgement("migration.stepwise", verdict, told, samples=len(rows))
    writes = int(np.count_nonzero(np.isin(good["operation"], _WRITES)))
    if writes:
        told = message("{count} writes of users without the flag went to Firestore", count=f"{writes:,}")
        erratum = "migration.firestore_is_written"
        yield _judgement("migration.firestore_read_only", Verdict.ERRATUM_SHOWN, told, samples=writes, erratum=erratum)


def in_one_place(events: Sequence[EventRow], samples: Sequence[SampleRow], logged: Collection[str]) -> Judgement:
    """Whether of every pod that became ready the run's folder has a log, and the evidence CPU and memory. ``logged``
    are the pods with a log that is not empty."""
    claim = "strategy.versus.observability"
    ready = {row.subject for row in events if row.kind == "pod" and row.data.get("state") == PodState.READY}
    measured = [{row.subject for row in samples if row.metric == metric} for metric in _METRICS]
    lacking = [pod for pod in sorted(ready) if pod not in logged or any(f"pod/{pod}" not in of for of in measured)]
    counts = {"some": str(len(ready) - len(lacking)), "all": str(len(ready))}
    told = [message("of {some} of {all} pods log and metrics are in one place", **counts)]
    if lacking:
        told.append(message("not of: {names}", names=", ".join(lacking)))
    return _judgement(claim, _kept(bool(ready) and not lacking), *told, samples=len(ready))


def _kept(kept: bool) -> Verdict:
    return Verdict.PASS if kept else Verdict.FAIL


def _judgement(claim: str, verdict: Verdict, *told: Message, samples: int, erratum: str = "") -> Judgement:
    return Judgement(
        id=claim, claim=claim, kind=Kind.CHECK, gates=False, verdict=verdict, told=told, samples=samples,
        erratum=erratum,
    )  # fmt: skip
