"""The load plan of a rehearsal of steps, and what a step of it left, made by hand."""

from __future__ import annotations

import msgspec

from harness.base import planfile
from harness.model.message import message
from harness.model.stack import Rung
from harness.model.step import Arrivals, Step
from harness.model.verdict import Verdict
from harness.rehearsals.load_stages.types import LoadStagesPlan, StepFigures, StepResult
from harness.stack.manifests import load as load_manifests
from harness.stack.rungs import overlay

PLAN = planfile.bundled("load_stages", LoadStagesPlan)


MANIFESTS = load_manifests(overlay(Rung.LOCAL))


FIGURES = StepFigures(
    offered_per_s=10, answered_per_s=10, requests=600, failed=0, statuses={"200": 600}, latency_p50_ms=5,
    latency_p95_ms=20, latency_p99_ms=30, latency_p95_lower_ms=18, latency_p95_upper_ms=22, error_upper=0.005,
    lag_p99_ms=1, generator_cpu_cores=0.1, machine_cpu_ratio=0.5, pods_cpu_cores=0.2, pods_memory_bytes=1e8,
    database_connections=16, database_limit=100,
)  # fmt: skip


def users(count: int, verdict: Verdict = Verdict.PASS, **changed: float) -> StepResult:
    step = Step(name=f"users_{count}", arrivals=Arrivals.EVEN, rate_per_s=count / 50, users=count, seconds=60)
    figures = msgspec.structs.replace(FIGURES, **changed)
    return StepResult(step=step, pods=2, figures=figures, verdict=verdict, told=(message("why"),), start_ns=0)


def flight(count: int, verdict: Verdict, figures: StepFigures = FIGURES) -> StepResult:
    step = Step(name=f"in_flight_{count}", arrivals=Arrivals.CLOSED, in_flight=count, users=1000, seconds=15)
    return StepResult(step=step, pods=2, figures=figures, verdict=verdict, told=(message("why"),), start_ns=0)
