"""The load plan of a rehearsal of steps, and what a step of it left, made by hand."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.base import planfile
from harness.model.judgement import Verdict
from harness.model.message import message
from harness.model.scenario import Arrivals, Step
from harness.model.stack import EnvironmentKind
from harness.rehearsals.load_stages.facts_steps import why_mute
from harness.rehearsals.load_stages.rehearsal import REHEARSAL
from harness.rehearsals.load_stages.types import LoadStagesPlan, StepFigures, StepResult
from harness.stack.environments.choice import overlay
from harness.stack.manifests import load as load_manifests

PLAN = planfile.bundled("load_stages", LoadStagesPlan)
RULES = REHEARSAL.rules


MANIFESTS = load_manifests(overlay(EnvironmentKind.LOCAL))


FIGURES = StepFigures(
    offered_per_s=10, answered_per_s=10, requests=600, failed=0, statuses={"200": 600}, latency_p50_ms=5,
    latency_p95_ms=20, latency_p99_ms=30, latency_p95_lower_ms=18, latency_p95_upper_ms=22, lag_p99_ms=1,
    generator_cpu_cores=0.1, machine_cpu_ratio=0.5, pods_cpu_cores=0.2, pods_memory_bytes=1e8,
    database_connections=16, database_limit=100, requests_by_pod={"a": 300, "b": 300},
)  # fmt: skip
#: What a step of two pods keeps not, may not keep, and says nothing by.
SLOW: dict[str, Any] = {"latency_p95_ms": 650, "latency_p95_lower_ms": 600, "latency_p95_upper_ms": 700}
NEAR: dict[str, Any] = {"latency_p95_upper_ms": 600}
MUTE: dict[str, Any] = {"lag_p99_ms": 60}
LIMITED: dict[str, Any] = {"statuses": {"200": 500, "429": 100}}


def result(step: Step, pods: int = 2, verdict: Verdict = Verdict.PASS, **changed: Any) -> StepResult:
    """The step with figures ``changed``; ``verdict`` is for what looks at no figure."""
    figures = msgspec.structs.replace(FIGURES, **changed)
    return StepResult(
        step=step, pods=pods, figures=figures, verdict=verdict, told=(message("why"),), start_ns=0,
        mute=why_mute(figures, pods),
    )  # fmt: skip


def users(count: int, **changed: Any) -> StepResult:
    step = Step(name=f"users_{count}", arrivals=Arrivals.EVEN, rate_per_s=count / 50, users=count, seconds=60)
    return result(step, **changed)


def flight(count: int, **changed: Any) -> StepResult:
    return result(
        Step(name=f"in_flight_{count}", arrivals=Arrivals.CLOSED, in_flight=count, users=1000, seconds=15), **changed
    )


def capacity(**changed: Any) -> StepResult:
    return result(Step(name="capacity", arrivals=Arrivals.POISSON, rate_per_s=20, users=1000, seconds=60), **changed)


def tried(rate: float, verdict: Verdict = Verdict.PASS, pods: int = 2, number: int = 1, **changed: Any) -> StepResult:
    """A step of the search for the knee."""
    step = Step(name=f"knee_{pods}_{number}", arrivals=Arrivals.POISSON, rate_per_s=rate, users=1000, seconds=8)
    return result(step, pods, verdict, **changed)
