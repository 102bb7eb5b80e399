"""The end of a run of chaos: the checkers' word on the whole of it, and the stores healed when that is asked for."""

from __future__ import annotations

import msgspec

from harness.checks.healing import Direction
from harness.clock import Clock
from harness.collect import Collector
from harness.invariants import Invariants
from harness.model.chaos import CheckSummary
from harness.model.evidence import Side
from harness.model.manifests import Manifests
from harness.model.stack import Endpoints
from harness.options import RunOptions
from harness.progress import Progress
from harness.reconcile.heal import heal, healed_summary


async def closing_checks(
    endpoints: Endpoints,
    evidence: Collector,
    clock: Clock,
    progress: Progress,
    *,
    options: RunOptions,
    manifests: Manifests,
    reconcile: Direction | None,
) -> list[CheckSummary]:
    """Once the load has ended and every fault is undone. Raises ``PartDied`` when a store cannot be healed."""
    progress("the load has ended; checking what the stores hold against what was acknowledged")
    invariants = Invariants(
        endpoints,
        evidence,
        clock,
        scenario=options.scenario,
        manifests=manifests,
        target=options.target,
        seed=options.seed,
    )
    found = [*await invariants.results(), invariants.off_in_time()]
    for check in found:
        evidence.event(clock.now_ns(), "check", check.id, check.reason, **msgspec.to_builtins(check))
    checks = [CheckSummary(name=each.id, verdict=each.verdict, detail=each.reason) for each in found]
    if reconcile is not None:
        deleted = evidence.writes.deleted[Side.API]
        healed = await heal(endpoints, reconcile, apply=True, deleted=deleted)
        checks.append(healed_summary(healed, await heal(endpoints, reconcile, apply=True, deleted=deleted)))
    for told in checks:
        progress(f"  {told.name}: {told.verdict}; {told.detail}")
    return checks
