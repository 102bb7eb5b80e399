"""Small runs for the reports' tests."""

from __future__ import annotations

from typing import Any

from harness.model.rollout_run import ROLLOUT_SCHEMA_VERSION, Rollout, WeekRun
from harness.model.run import SCHEMA_VERSION, Run
from harness.model.stack import Rung
from harness.model.units import Unit
from harness.model.verdict import CriterionKind, CriterionResult, Decision, Verdict
from tests.report.synthetic import ANCHOR

PLAIN = Run(
    schema_version=SCHEMA_VERSION,
    run_id="r1",
    scenario="rollout_week3",
    title="Week 3",
    rung=Rung.LOCAL,
    target="walk-api",
    target_bundled=True,
    seed=7,
    replay="python -m harness run rollout_week3 --seed 7",
    started_utc="2026-10-01T00:00:00.000Z",
    anchor=ANCHOR,
    decision=None,
    exit_status=31,
    criteria=(),
    windows=(),
    timings={},
    leaks=(),
)


def result(verdict: Verdict, kind: CriterionKind = CriterionKind.SUCCESS, **changes: Any) -> CriterionResult:
    fields: dict[str, Any] = {
        "id": f"{kind}.{verdict}",
        "claim": "rollout.week3.success.availability",
        "kind": kind,
        "metric": "availability",
        "comparison": ">",
        "threshold": 0.995,
        "unit": Unit.RATIO,
        "verdict": verdict,
        "value": 0.9,
        "bound": 0.8,
        "samples": 1200,
        "reason": "the reason given",
    }
    return CriterionResult(**{**fields, **changes})


def decided(decision: Decision | None, *criteria: CriterionResult, **changes: Any) -> Run:
    fields = {name: getattr(PLAIN, name) for name in PLAIN.__struct_fields__}
    return Run(**{**fields, "decision": decision, "criteria": criteria, **changes})


#: What evidence can hold at its worst: markup, quotes, control characters, a table's bar.
NASTY = "<script>alert(1)</script><img src=x onerror=alert(2)>\" ' | `x` {{ 7*7 }} \x00\x1b[31m ]]> &amp; http://evil.example/x"


def rollout_of(*runs: Run) -> Rollout:
    """A rollout of these runs as its first weeks, ended by the last."""
    weeks = tuple(
        WeekRun(
            week=number,
            attempt=1,
            scenario=run.scenario,
            title=run.title,
            run_id=run.run_id,
            folder=None,
            started_utc=run.started_utc,
            seconds=131.2,
            decision=run.decision,
            exit_status=run.exit_status,
            criteria=run.criteria,
            windows=run.windows,
            switch_over=run.switch_over,
            checks=run.checks,
            claims=run.claims,
            errata=run.errata,
        )
        for number, run in enumerate(runs, 1)
    )
    last = runs[-1]
    return Rollout(
        schema_version=ROLLOUT_SCHEMA_VERSION,
        rollout_id="20261001T000000Z-rollout-s7-2a",
        rung=last.rung,
        target=last.target,
        target_bundled=True,
        seed=last.seed,
        replay=f"python -m harness rollout --on local --seed {last.seed}",
        options=(),
        started_utc=last.started_utc,
        weeks_asked=(1, 2, 3, 4),
        weeks=weeks,
        decision=last.decision,
        exit_status=last.exit_status,
        stopped=f"week {len(runs)} did not advance",
    )
