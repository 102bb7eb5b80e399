"""Small documents of the commands that have a page beside the runs'."""

from __future__ import annotations

from typing import Any

from harness.model.stack import Rung
from harness.model.step import Arrivals, Step
from harness.model.verdict import Verdict
from harness.rehearsals.chaos.types import ChaosReport, CheckSummary, ExperimentResult, FailoverSeen
from harness.rehearsals.conformance.checks import ALL, NOT_COVERED
from harness.rehearsals.conformance.grade import Finding, Grade
from harness.rehearsals.conformance.result import CheckResult, Extra, Report, TargetFacts
from harness.rehearsals.conformance.result import Outcome as CheckOutcome
from harness.rehearsals.flag_proof.judging import judged
from harness.rehearsals.flag_proof.types import FlagProof
from harness.rehearsals.load_stages.types import ClaimResult, Knee, LoadReport, StepFigures, StepResult
from harness.rehearsals.mirror_stop.result import KilledPod, MirrorStopResult, UserLoss
from harness.rehearsals.mirror_stop.result import Step as MirrorStep
from harness.rehearsals.mirror_stop.steps import judge, judge_killed

_HEAD: dict[str, Any] = {
    "schema_version": 1,
    "run_id": "20261001T000000Z-s7-2a",
    "rung": Rung.LOCAL,
    "target": "walk-api",
    "target_bundled": True,
    "seed": 7,
    "started_utc": "2026-10-01T00:00:00.000Z",
}


def load_report() -> LoadReport:
    """Two numbers of pods, searched at three rates each; one claim passes, one fails."""
    return LoadReport(
        **_HEAD,
        scenario="load_stages",
        title="Load stages: 10, 50, 100, 500 at once, and the knee",
        replay="python -m harness load_stages --on local --seed 7",
        exit_status=10,
        p95_limit_ms=500,
        error_limit=0.01,
        steps=tuple(_step(pods, rate) for pods in (2, 4) for rate in (20.0, 40.0, 80.0)),
        knees=(
            Knee(pods=2, rate_per_s=40, broken_per_s=80, verdict=Verdict.PASS, reason="p95 812 ms at 80.0/s"),
            Knee(pods=4, rate_per_s=None, broken_per_s=80, verdict=Verdict.INCONCLUSIVE, reason="the generator lagged"),
        ),
        claims=(
            ClaimResult(claim="load.stage1.users", verdict=Verdict.PASS, value="0.20/s", reason="10 users at once"),
            ClaimResult(
                claim="load.stage4.users", verdict=Verdict.FAIL, value="p95 812 ms", reason="500 users at once"
            ),
        ),
        timings={"stack up": 9.1},
        errata=("remote-config-fetch-interval",),
    )


def _step(pods: int, rate: float) -> StepResult:
    p95 = 30 * (rate / 10) ** 1.6 / pods
    verdict = Verdict.PASS if p95 < 300 else Verdict.FAIL
    figures = StepFigures(
        offered_per_s=rate,
        answered_per_s=rate * 0.99,
        requests=int(rate * 20),
        failed=0,
        statuses={"200": int(rate * 20)},
        latency_p50_ms=p95 / 3,
        latency_p95_ms=p95,
        latency_p99_ms=p95 * 2,
        latency_p95_lower_ms=p95 * 0.9,
        latency_p95_upper_ms=p95 * 1.1,
        error_upper=0.007,
        lag_p99_ms=1.0,
        generator_cpu_cores=0.3,
        machine_cpu_ratio=0.5,
        pods_cpu_cores=0.6,
        pods_memory_bytes=2e8,
        database_connections=16,
        histogram="",
    )
    step = Step(name=f"knee {rate:g}/s", arrivals=Arrivals.POISSON, seconds=20, users=100, rate_per_s=rate)
    return StepResult(step=step, pods=pods, figures=figures, verdict=verdict, reason="", start_ns=0)


def chaos_report() -> ChaosReport:
    """Three experiments, one of them not exercised, one a failover, and a check."""
    return ChaosReport(
        **_HEAD,
        replay="python -m harness chaos --on local --seed 7",
        exit_status=0,
        drawn=(),
        experiments=(
            ExperimentResult(
                number=1,
                name="pod_kill",
                title="One pod is killed with grace 0",
                verdict=Verdict.PASS,
                reason="3 of 250 failed, at most 12 expected; steady 6.1 s after the undo",
                calls=250,
                failed=3,
                outage_s=1.2,
                recovered_s=6.1,
                journal="journals/01-pod_kill.json",
            ),
            ExperimentResult(
                number=2,
                name="zone_loss",
                title="All pods of a zone are gone",
                verdict=Verdict.NOT_EXERCISED,
                reason="the environment has no zones",
            ),
            ExperimentResult(
                number=3,
                name="database_failover",
                title="PostgreSQL fails over to a standby",
                verdict=Verdict.PASS,
                reason="users' writes failed for 3.2 s",
                failover=FailoverSeen(
                    synchronous=True, detect_s=3.0, promote_s=0.11, lead_s=0.02, outage_s=3.2, failed_writes=42
                ),
            ),
        ),
        checks=(CheckSummary(name="writes", verdict=Verdict.PASS, detail="120 acknowledged writes, all there"),),
        timings={"stack up": 9.1},
    )


def flag_proof() -> FlagProof:
    """A case that passes, one that shows an erratum, and one whose times are scaled."""
    head = {name: value for name, value in _HEAD.items() if name != "rung"}
    given: dict[str, Any] = {"clients": 3, "bound": 110.0}
    claim = "rollout.rollback.step2"
    late = "rollout.rollback.twelve_hours"
    return FlagProof(
        **head,
        rung="local",
        title="The flag: from the publish to every client's first request on the new side",
        replay="python -m harness flag_proof --seed 7",
        proved=True,
        exit_status=0,
        cases=(
            judged("virtual.60s.open.on_to_off", claim, [1, 2, 60], mode="virtual", limit=300.0, **given),
            judged("virtual.12h.open.on_to_off", claim, [1, 2, 99], mode="virtual", limit=30.0, late=late, **given),
            judged("real.60s.on_to_off", claim, [1, 2, 3], mode="real", limit=None, **given),
        ),
        timings={"virtual": 1.5},
    )


def mirror_stop() -> MirrorStopResult:
    """A killed pod, a step that loses nothing and one that does."""
    pod = KilledPod(pod="pod-1", acknowledged=9, in_postgresql=9, queued=9, under_way=4, lost=7, lost_by_others=0)
    whole = MirrorStep(
        share_percent=100, walks=40, written=40, mirrored=40, missing=0, stale=0, come_back=0, different=0,
        lost_locations=0, losses=(), examples=(),
    )  # fmt: skip
    half = MirrorStep(
        share_percent=50, walks=60, written=40, mirrored=20, missing=12, stale=8, come_back=1, different=0,
        lost_locations=77, losses=(UserLoss(user="g001", walks=20, locations=77),), examples=("missing walk 1 of g001",),
    )  # fmt: skip
    head = {name: value for name, value in _HEAD.items() if name != "target_bundled"}
    return MirrorStopResult(
        **head,
        replay="python -m harness mirror_stop --seed 7",
        killed_pod=pod,
        steps=(whole, half),
        judgements=(judge_killed(pod), *judge(whole), *judge(half)),
        exit_status=10,
        timings={"stack_up": 9.1},
        leaks=(),
        errors=(),
    )


def conformance() -> Report:
    """Every check: the first deviates, the second was not exercised, the third got advice, all others passed."""
    changed: dict[int, dict[str, Any]] = {
        0: {
            "outcome": CheckOutcome.DEVIATION,
            "expected": "status 200",
            "got": "status 500, body <b>oops</b>",
            "grade": Grade.CONTRACT,
            "finding": Finding.STATUS,
            "curl": "curl -i -H 'Authorization: Bearer " + "x" * 100 + '\' "$API/health"',
            "request_file": "requests/operations.health.http",
        },
        1: {"outcome": CheckOutcome.NOT_EXERCISED, "reason": "it needs /health to work"},
        2: {
            "outcome": CheckOutcome.ADVICE,
            "expected": "whole seconds",
            "got": "created_at '2025-10-20T00:00:00.125Z' in a walk of POST",
            "grade": Grade.ADVICE,
            "finding": Finding.BODY,
        },
    }
    results = (
        {
            "id": check.id,
            "sentence": check.sentence,
            "outcome": CheckOutcome.PASSED,
            "source": check.source,
            **changed.get(number, {}),
        }
        for number, check in enumerate(ALL)
    )
    head = {name: value for name, value in _HEAD.items() if name not in {"target", "target_bundled"}}
    return Report(
        **head,
        replay="python -m harness conformance --seed 7",
        target=TargetFacts(
            name="go-api", bundled=False, command=("./api",), folder="backend", environment=(), migrations=()
        ),
        conforms=False,
        exit_status=10,
        checks=tuple(CheckResult(**result) for result in results),
        not_covered=NOT_COVERED,
        extras=(
            Extra(name="X-Pod-Name", offered=False, without="the evidence does not tell which pod answered a request"),
        ),
        timings={"stack_up": 9.1},
    )
