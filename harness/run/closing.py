"""The end of a run under load: the checkers' word on the whole of it, and the stores healed where that is asked for.

What they say is evidence, as events of kind "check": ``harness.checks.whole_run`` reads it back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from harness.base.clock import Anchor, unix_ns
from harness.base.errors import RehearsalError
from harness.checks.invariants import Invariants
from harness.checks.mirror_losses import judged, logged, losses
from harness.evidence.store import Collector
from harness.migration.heal import twice, unreconciled
from harness.model.direction import Direction
from harness.model.evidence import SampleRow, Side
from harness.model.judgement import Judgement, Kind, Verdict
from harness.model.manifests import Manifests
from harness.model.message import message, of_error
from harness.model.scenario import Scenario
from harness.model.stack import NEVER_RAN, Endpoints
from harness.rules.judged import event
from harness.run.context import RunContext

LOGGED = "dual_write.failures_logged"
_EXAMPLES = 5


async def check_whole_run(
    on: RunContext[Any],
    scenario: Scenario,
    manifests: Manifests,
    *,
    sent_ns: int,
    reconcile: Direction | None = None,
    sides: Collection[Side] = (Side.API,),
) -> None:
    """Once the load has ended and every fault is undone. A store that does not answer is told as inconclusive.

    ``manifests`` are those that are applied; the folder's ``logs`` hold ``<pod>.log`` of each pod. ``reconcile`` heals
    the stores after the checks. ``sent_ns`` and ``sides`` as ``Invariants`` takes them.
    """
    on.phase("checks", message("the load has ended; checking what the stores hold against what was acknowledged"))
    endpoints, evidence, clock, options = on.stack.endpoints(), on.evidence, on.clock, on.options
    await measure_stores(on)
    invariants = Invariants(
        on.stores, evidence, clock,
        scenario=scenario, manifests=manifests, seed=options.seed, sides=sides, sent_ns=sent_ns,
    )  # fmt: skip
    found = [*await invariants.results(), invariants.off_in_time()]
    if invariants.lost_by_firestore is not None:
        found.append(_logged(invariants.lost_by_firestore, clock.anchor, evidence, on.folder / "logs"))
    if reconcile is not None:
        found.append(await _healed(endpoints, reconcile, evidence))
    evidence.add([event(clock.now_ns(), check) for check in found])
    on.mark("checked")


async def measure_stores(on: RunContext[Any]) -> None:
    """How much the stores hold, as samples. One that does not answer is told by the checks."""
    try:
        volume = await on.stores.volume()
    except RehearsalError:
        return
    at_ns = on.clock.now_ns()
    on.evidence.add(SampleRow(at_ns=at_ns, metric=name, subject=of, value=held) for (name, of), held in volume.items())


def _logged(lost: Mapping[str, int], anchor: Anchor, evidence: Collector, logs: Path) -> Judgement:
    pods = [row for row in evidence.events if row.kind == "pod" and row.data.get("state") not in NEVER_RAN]
    files = [logs / f"{pod}.log" for pod in sorted({row.subject for row in pods})]
    lines = (line for file in files if file.exists() for line in file.read_bytes().splitlines())
    found = losses({walk: unix_ns(anchor, at_ns) for walk, at_ns in lost.items()}, logged(lines))
    verdict, told = judged(found)
    gone = [file.stem for file in files if not file.exists() or not file.stat().st_size]  # it said nothing at all
    if verdict is Verdict.FAIL and gone:  # what is named in no log may be named in one that is not there
        verdict, told = Verdict.INCONCLUSIVE, (*told, message("no log of {pods}", pods=", ".join(gone)))
    examples, gates = found.unlogged[:_EXAMPLES], verdict is not Verdict.NOT_EXERCISED
    return Judgement(id=LOGGED, kind=Kind.CHECK, verdict=verdict, told=told, examples=examples, gates=gates)


async def _healed(endpoints: Endpoints, direction: Direction, evidence: Collector) -> Judgement:
    try:
        return (await twice(endpoints, direction, evidence.writes))[1]
    except RehearsalError as error:
        return unreconciled(of_error(error))
