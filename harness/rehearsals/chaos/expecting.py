"""What a series of kills should break, from the steady state just before it; and the experiment held against that."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np

from harness.collect import Collector
from harness.judge.window import NS
from harness.model.evidence import EventRow
from harness.model.manifests import Manifests
from harness.model.message import Told, english, message
from harness.model.scenario import Scenario
from harness.model.stack import PodState
from harness.model.verdict import Verdict
from harness.rehearsals.chaos.judge import Judged
from harness.rehearsals.chaos.judge_kill_series import Detection, Expected, KillSeries, expected
from harness.rehearsals.chaos.types import Repeated

#: The steady state looked at: the last answers before the series.
_LOOKED_AT = 200


def expect(
    repeated: Repeated, evidence: Collector, manifests: Manifests, scenario: Scenario, detection: Detection
) -> Expected:
    """Computed from the offered rates, from the latency of probes and the readiness of pods as seen so far, and from
    the detection as tried (``harness/chaos/trial.py``).
    """
    rows = evidence.ledger.probes[-_LOOKED_AT:]
    latency_s = float(np.mean(rows["done_ns"] - rows["sent_ns"])) / NS if len(rows) else 0.0
    population = scenario.population
    return expected(
        KillSeries(
            times=repeated.times,
            every_s=repeated.every_s,
            replicas=manifests.deployment.replicas,
            user_rate_per_s=population.flag_on / population.pace_s,
            probe_rate_per_s=scenario.probes.rate_per_s,
            latency_s=latency_s,
            detection=detection,
            ready_after_s=ready_after_s(evidence.events),
        )
    )


def ready_after_s(events: Iterable[EventRow]) -> float:
    """The longest that a pod has taken so far from being made to being ready; 0 when none was seen to."""
    made: dict[str, int] = {}
    took_ns = [0]
    for event in events:
        if event.kind == "pod":
            since_ns = made.setdefault(event.subject, event.at_ns)
            if event.data.get("state") == PodState.READY and since_ns >= 0:
                took_ns.append(event.at_ns - since_ns)
                made[event.subject] = -1  # its first time counts
    return max(took_ns) / NS


def judged_against(computed: Expected, judged: Judged, *, made: int, times: int) -> Judged:
    """A verdict that stands otherwise falls when the failures are fewer than a quarter, or more than computed.

    With fewer kills ``made`` than the ``times`` that were computed with, nothing was held against anything.
    """
    told: Told = (
        message("{failed} failed of {computed}", failed=str(judged.failed), computed=computed.told),
        message("allowed: {least} to {most}", least=str(computed.least), most=str(computed.most)),
    )
    within = computed.least <= judged.failed <= computed.most
    verdict = Verdict.FAIL if judged.verdict.good and not within else judged.verdict
    if made != times:
        verdict, told = (
            Verdict.INCONCLUSIVE,
            (message("{made} of {times} were made", made=str(made), times=str(times)),),
        )
    reason = f"{judged.reason}; {english(told)}"
    return msgspec.structs.replace(judged, verdict=verdict, reason=reason, told=(*judged.told, *told))
