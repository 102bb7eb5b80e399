"""Sentences about what was seen beside the claims: for the errata, and for whoever reads the figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.clock import NS
from harness.judge.resizes import Resize
from harness.model.evidence import EventRow, SampleRow
from harness.rehearsals.scaling.judge_parts import most_endpoints
from harness.rehearsals.scaling.judge_zones import ZoneLoss
from harness.rehearsals.scaling.types import Effect, Part

MIB = 2**20
BEFORE_S, AFTER_S = 60, 120


def of_autoscaling(
    part: Part, rows: Sequence[EventRow], samples: Iterable[SampleRow], load_ns: int, end_ns: int
) -> list[str]:
    """Memory before and after the load, and what a real cluster adds to the times."""
    found = [sample for sample in samples if sample.metric == "memory_bytes" and sample.subject.startswith("pod/")]
    told = []
    before = _mean(found, load_ns - BEFORE_S * NS, load_ns)
    loaded = _mean(found, end_ns - BEFORE_S * NS, end_ns)
    after = _mean(found, end_ns + BEFORE_S * NS, end_ns + AFTER_S * NS)
    if before and loaded and after:
        told.append(
            f"memory a pod: {before / MIB:.0f} MiB before, {loaded / MIB:.0f} MiB in the last minute of load, "
            f"{after / MIB:.0f} MiB a minute and more after it"
        )
        if part.hold:
            told.append(
                "it came down because the process that held it ended; a program's own heap seldom goes back to the "
                "system, and then the autoscaler keeps the pods it has added for memory"
            )
    if most_endpoints(rows, load_ns, end_ns) > part.low:
        told.append("there was room for every pod at once; Autopilot first provisions nodes, which adds minutes")
    return told


def of_effects(effects: Iterable[Effect], resizes: Iterable[Resize]) -> list[str]:
    """What each way to another number of pods came to, without and with the autoscaler, and what that did after it."""
    told: list[tuple[int, str]] = []
    for each in effects:
        hpa = "with the HPA" if each.autoscaler else "without the HPA"
        came = f"{each.pods} pods after {each.after_s:.0f} s" if each.after_s is not None else f"never {each.pods} pods"
        told.append((each.at_ns, f"{hpa}: `{each.command}`: {came}"))
    last_ns = [at_ns for at_ns, _ in told]
    for step in resizes:
        since_ns = max((at_ns for at_ns in last_ns if at_ns <= step.at_ns), default=step.at_ns)
        after_s = (step.at_ns - since_ns) / NS
        told.append((step.at_ns, f"{after_s:.0f} s after that the autoscaler set {step.size}: {step.reason}"))
    return [words for _, words in sorted(told)]


def of_zone(loss: ZoneLoss) -> list[str]:
    """Where every pod was, and what Kubernetes does by itself."""
    told = [f"{pod} was in {zone or 'no zone that is known'}" for pod, zone in sorted(loss.placed.items())]
    told.append(
        "by default a node is called unreachable after 50 s without a word (node-monitor-grace-period), its pods leave "
        "the endpoints then, and are given up 300 s later (DefaultTolerationSeconds) unless they say otherwise"
    )
    return told


def _mean(samples: Iterable[SampleRow], since_ns: int, until_ns: int) -> float | None:
    values = [sample.value for sample in samples if since_ns <= sample.at_ns < until_ns]
    return sum(values) / len(values) if values else None
