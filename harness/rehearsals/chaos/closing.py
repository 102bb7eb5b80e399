"""The end of a run of chaos: the checkers' word on the whole of it, and the stores healed when that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from harness.agreement import DUAL_WRITE, PHOTOS
from harness.checks.healing import Direction
from harness.checks.mirror_losses import judged, logged, losses
from harness.clock import Clock, unix_ns
from harness.collect import Collector
from harness.invariants import Invariants
from harness.model.errors import RehearsalError
from harness.model.evidence import Anchor, Side
from harness.model.manifests import Manifests
from harness.model.message import english
from harness.model.stack import Endpoints
from harness.model.verdict import CheckResult, Verdict
from harness.options import RunOptions
from harness.progress import Progress
from harness.reconcile.heal import heal, healed_summary
from harness.rehearsals.chaos.judge_failover import as_counterexample
from harness.rehearsals.chaos.types import CheckSummary
from harness.walk_results import ACKNOWLEDGED, ONCE, READS

LOGGED = "dual_write.failures_logged"
_EXAMPLES = 5
#: Their stores differ once PostgreSQL has lost what Firestore and Storage have, and answers lack what was lost.
_SEE_THE_LOSS = (ONCE, READS, DUAL_WRITE, PHOTOS)


async def closing_checks(
    endpoints: Endpoints,
    evidence: Collector,
    clock: Clock,
    progress: Progress,
    *,
    options: RunOptions,
    manifests: Manifests,
    logs: Path,
    reconcile: Direction | None,
    loses: bool = False,
) -> list[CheckSummary]:
    """Once the load has ended and every fault is undone. A store that does not answer is told as inconclusive.

    ``logs`` is the folder with ``<pod>.log`` of each pod.

    With ``loses`` the run is the counterexample that has to lose acknowledged writes.
    """
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
    checks = [CheckSummary(name=each.id, verdict=_counted(each), detail=each.reason, told=each.told) for each in found]
    if invariants.lost_by_firestore is not None:
        checks.append(_logged(invariants.lost_by_firestore, clock.anchor, evidence, logs))
    if loses:
        checks = as_counterexample(checks, ACKNOWLEDGED, _SEE_THE_LOSS)
    if reconcile is not None:
        checks.append(await _healed(endpoints, reconcile, evidence))
    for told in checks:
        progress(f"  {told.name}: {told.verdict}; {told.detail}")
    return checks


def _counted(check: CheckResult) -> Verdict:
    """A check that holds also where it was not exercised lets no run pass unseen: its word is inconclusive."""
    return Verdict.INCONCLUSIVE if check.holds and check.verdict is Verdict.NOT_EXERCISED else check.verdict


def _logged(lost: Mapping[str, int], anchor: Anchor, evidence: Collector, logs: Path) -> CheckSummary:
    files = [logs / f"{pod}.log" for pod in sorted({row.subject for row in evidence.events if row.kind == "pod"})]
    lines = (line for file in files if file.exists() for line in file.read_bytes().splitlines())
    found = losses({walk: unix_ns(anchor, at_ns) for walk, at_ns in lost.items()}, logged(lines))
    verdict, told = judged(found)
    return CheckSummary(
        name=LOGGED, verdict=verdict, detail=english(told), examples=found.unlogged[:_EXAMPLES], told=told
    )


async def _healed(endpoints: Endpoints, direction: Direction, evidence: Collector) -> CheckSummary:
    deleted, own = evidence.writes.deleted[Side.API], evidence.writes.direct
    try:
        healed = await heal(endpoints, direction, apply=True, deleted=deleted, own=own)
        left = await heal(endpoints, direction, apply=True, deleted=deleted, own=own)
    except RehearsalError as error:
        return CheckSummary(name="reconcile", verdict=Verdict.INCONCLUSIVE, detail=error.what)
    return healed_summary(healed, left)
