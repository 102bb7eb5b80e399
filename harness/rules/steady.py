"""The steady state: what has to hold before a fault, and again after it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from harness.base.ticks import NS
from harness.model.evidence import Due, DueList, Side, Window
from harness.model.message import Message, message
from harness.model.scenario import QUANTILE, Criterion, Sample
from harness.rules.figures import clears, figure
from harness.rules.ledger import Calls, Ledger
from harness.rules.planned import planned_in

#: The steady state: so long without a failed request or probe, every pod of the Deployment ready, the criteria kept.
STEADY_S = 5.0
#: Fewer answers than these have no p95 but their slowest.
LEAST_FOR_P95 = 20

#: The probes that the plan has in a window.
ProbesDue = Callable[[Window], Sequence[Due]]


def not_steady(
    ledger: Ledger,
    now_ns: int,
    *,
    due: ProbesDue,
    wanted: int | None,
    settle_s: float,
    criteria: Sequence[Criterion] = (),
) -> Message | None:
    """Why the steady state does not hold; ``None`` when it does. A probe that is ``due`` and not in evidence breaks it.

    Looks at what was due in the ``STEADY_S`` before ``now_ns - settle_s``, by when its answers are in. ``wanted`` is
    the Deployment's replicas; ``None`` when the rung does not tell. ``criteria`` are the scenario's, each by its value:
    five seconds carry no bound. No failure at all is more than any of its shares asks for.
    """
    end_ns, last = now_ns - round(settle_s * NS), f"{STEADY_S:g}"
    window = Window(start_ns=end_ns - round(STEADY_S * NS), end_ns=end_ns)
    probes, requests = ledger.probe_rows_due(window), ledger.requests_due(window, Side.API)
    planned = planned_in(ledger, DueList(requests=(), probes=tuple(due(window))), window)[1]
    if planned.missing or not planned.count:
        counts = {"there": str(planned.count - planned.missing), "all": str(planned.count)}
        return message("only {there} of {all} probes are in evidence", **counts)
    failed = _failed(probes) + _failed(requests)
    if failed:
        return message("{failed} failed in the last {seconds} s", failed=str(failed), seconds=last)
    ready = [value for _, _, value in ledger.samples["ready_replicas"][-1:]]
    if wanted is not None and ready and round(ready[0]) < wanted:
        return message("{ready} of {wanted} pods are ready", ready=f"{ready[0]:.0f}", wanted=str(wanted))
    for criterion in criteria:
        rows = probes if criterion.asks is Sample.PROBES else requests
        if len(rows) < LEAST_FOR_P95 and criterion.metric in QUANTILE:
            continue
        measured = figure(criterion, rows)
        if measured is not None and not clears(criterion.comparison, measured.value, criterion.threshold):
            return message(
                "{figure} in the last {seconds} s ({claim})",
                figure=measured.words,
                seconds=last,
                claim=criterion.claim or criterion.id,
            )
    return None


def _failed(rows: Calls) -> int:
    return int(np.count_nonzero(~rows["ok"]))
