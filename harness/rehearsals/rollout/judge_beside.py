"""What a week shows beside its criteria: users without the flag stay on Firestore, and logs and metrics are in one
place. Pure. None of it gates the week, for the document names no limit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import msgspec
import numpy as np

from harness.checks.stepwise import served, written
from harness.evidence.gathered import Gathered
from harness.judge.ledger import WRITING, Ledger
from harness.judge.window import Window
from harness.load.population.due import stayers_due
from harness.model.evidence import EventRow, SampleRow
from harness.model.judgement import Judgement, Kind
from harness.model.message import Told, message
from harness.model.scenario import Scenario
from harness.model.stack import PodState
from harness.model.verdict import Verdict

IN_ONE_PLACE = "strategy.versus.observability"
_METRICS = ("cpu_cores", "memory_bytes")


def without_the_flag(plan: Scenario, ledger: Ledger, window: Window, seed: int) -> Iterator[Judgement]:
    """Of a week in which some users have the flag off: whether Firestore serves them throughout, and is written. Their
    schedule began with ``window``; ``ledger`` is of all the evidence: what was under way when a roll back cut the
    window counts by its end."""
    if plan.population.users == plan.population.flag_on:
        return
    rows = ledger.requests_due(window, None)
    api, writes = rows["api"], rows["ok"] & np.isin(rows["operation"], WRITING)
    stayed = rows[~api]
    due = stayers_due(plan.population, plan.population, seed, window.start_ns, window)
    found = (
        served(len(stayed), int(np.count_nonzero(~stayed["ok"])), sum(each.id not in ledger.calls for each in due)),
        written(int(np.count_nonzero(writes & ~api)), int(np.count_nonzero(writes & api))),
    )
    yield from (msgspec.structs.replace(each, kind=Kind.CHECK, gates=False) for each in found)


def in_one_place(events: Sequence[EventRow], samples: Sequence[SampleRow], logged: Collection[str]) -> Judgement:
    """Whether of every pod that became ready the run's folder has a log, and the evidence CPU and memory. ``logged``
    are the pods whose log has records. A metric that was never above 0 was not measured."""
    claim = IN_ONE_PLACE
    ready, verdict, told = _recorded(events, samples, logged)
    return Judgement(id=claim, claim=claim, kind=Kind.CHECK, gates=False, verdict=verdict, told=told, samples=ready)


def saved(evidence: Gathered, logged: Collection[str] | None) -> tuple[Verdict, Told]:
    """Whether a run that was rolled back has kept what its cause is looked for in: log and metrics of every pod that
    became ready. ``logged`` as of ``in_one_place``, ``None`` where no log was looked for."""
    rows, samples = f"{len(evidence.rows):,}", f"{len(evidence.samples):,}"
    told = message("{rows} rows of evidence, {samples} of them metrics, are kept", rows=rows, samples=samples)
    if logged is None:
        verdict = Verdict.NOT_EXERCISED if evidence.samples else Verdict.INCONCLUSIVE
        return verdict, (message("no pod's log was looked for"), told)
    _, verdict, of_pods = _recorded(evidence.events, evidence.samples, logged)
    return verdict, (told, *of_pods)


def _recorded(
    events: Sequence[EventRow], samples: Sequence[SampleRow], logged: Collection[str]
) -> tuple[int, Verdict, Told]:
    """How many pods became ready, and whether of each there is a log, and CPU and memory."""
    ready = {row.subject for row in events if row.kind == "pod" and row.data.get("state") == PodState.READY}
    measured = [{row.subject for row in samples if row.metric == metric and row.value > 0} for metric in _METRICS]
    unlogged = [pod for pod in sorted(ready) if pod not in logged]
    lacking = [pod for pod in sorted(ready) if pod not in logged or any(f"pod/{pod}" not in of for of in measured)]
    counts = {"some": str(len(ready) - len(lacking)), "all": str(len(ready))}
    told = [message("of {some} of {all} pods log and metrics are in one place", **counts)]
    if lacking:
        told.append(message("not of: {names}", names=", ".join(lacking)))
    # A pod's log is its own; that it was not sampled may be the sampler's: metrics of a new pod come later.
    verdict = Verdict.FAIL if unlogged else Verdict.PASS if ready and not lacking else Verdict.INCONCLUSIVE
    return len(ready), verdict, tuple(told)
