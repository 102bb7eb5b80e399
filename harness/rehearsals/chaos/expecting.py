"""What the failures of a series of kills are computed from: the steady state just before it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from harness.evidence.gathered import Gathered
from harness.judge.window import NS
from harness.model.evidence import EventRow
from harness.model.manifests import Manifests
from harness.model.scenario import Scenario
from harness.model.stack import PodState
from harness.rehearsals.chaos.kill_series import Detection, KillSeries
from harness.rehearsals.chaos.types import Repeated

#: The steady state looked at: the last good answers before the series. What the trials broke is none of it.
_LOOKED_AT = 200


def expect(
    repeated: Repeated, evidence: Gathered, manifests: Manifests, scenario: Scenario, detection: Detection
) -> KillSeries:
    """The offered rates, from the latency of probes and the readiness of pods as seen so far, and from
    the detection as tried (``harness/rehearsals/chaos/trial.py``).
    """
    probes = evidence.ledger.probes
    rows = probes[probes["ok"]][-_LOOKED_AT:]
    latency_s = float(np.mean(rows["done_ns"] - rows["sent_ns"])) / NS if len(rows) else 0.0
    population = scenario.population
    return KillSeries(
        times=repeated.times,
        every_s=repeated.every_s,
        replicas=manifests.deployment.replicas,
        user_rate_per_s=population.flag_on / population.pace_s,
        probe_rate_per_s=scenario.probes.rate_per_s,
        latency_s=latency_s,
        detection=detection,
        ready_after_s=ready_after_s(evidence.events),
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
