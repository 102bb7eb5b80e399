"""A drill that went as it must, made up: its rows on a course of its own, and what fired and came as it had to."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from harness.base.clock import NS
from harness.evidence.store import Gathered
from harness.model.judgement import Judgement
from harness.rehearsals.alert_drill.expected import due
from harness.rehearsals.alert_drill.rehearsal import REHEARSAL
from harness.rehearsals.alert_drill.types import (
    ERRORS,
    PLAN,
    SIDECARS,
    TARGET,
    AlertDrillDetails,
    AlertDrillPlan,
    Breach,
    Delivery,
    Firing,
    PlantedBreach,
)
from harness.rehearsals.alert_drill.watching import alerts
from harness.rules.objectives.files import defined
from harness.run.rehearsal import RunRecord
from tests.alert_drill.stub import StubRun
from tests.rehearsal.made import facts

PLANNED: AlertDrillPlan = msgspec.structs.replace(PLAN, objectives=defined(), scale=30.0, overhead_s=0.0, after_s=10.0)
_ORIGIN_NS = 1_000 * NS
_TICK_NS = NS // 10


class _Made(StubRun):
    """Its users, on moments that nobody waits for."""

    def rows(self, details: AlertDrillDetails) -> Gathered:
        """The whole course; the trials into ``details``."""
        plan, at_ns = self.plan, _ORIGIN_NS
        course: list[tuple[float, Breach | None]] = [
            (plan.before_s, None),
            *(each for t in plan.trials for each in ((t.lasts_s, t), (plan.between_s, None))),
        ]
        made = [0, 0]
        rates = (plan.population.users / plan.population.pace_s, plan.probes.rate_per_s)
        for seconds, trial in [*course, (plan.scale * 3 * plan.after_s, None)]:
            begun_ns = at_ns
            self.stack.fault = None if trial is None else trial.fault
            while at_ns - begun_ns < plan.scaled(seconds) * NS:
                at_ns += _TICK_NS
                wanted = [int(rate * (at_ns - _ORIGIN_NS) / NS) for rate in rates]
                self.evidence.see(self._request(n, at_ns) for n in range(made[0], wanted[0]))
                self.evidence.see(self._probe(n, at_ns) for n in range(made[1], wanted[1]))
                made = wanted
            if trial is not None:
                details.planted.append(PlantedBreach(trial=trial.name, begun_ns=begun_ns, ended_ns=at_ns))
        details.asked_ns = at_ns
        return self.evidence


@cache
def _drilled(void: str) -> tuple[AlertDrillDetails, Gathered]:
    details = AlertDrillDetails(
        origin_ns=_ORIGIN_NS, history_ns=_ORIGIN_NS - 3 * NS, waits_s=(1.0, 2.0), targets=2, scraped=2, sidecars=2,
        places={TARGET: "127.0.0.1:20003/metrics", SIDECARS: "127.0.0.1:20004/metrics"},
        emitted={"http_requests_total": {"route": ("/v1/walks",), "status": ("200",)}},
    )  # fmt: skip
    details.leaves_ns = _ORIGIN_NS + round((PLANNED.load_s + PLANNED.after_s) * NS)
    evidence = _Made(without(void), Path("made")).rows(details)
    for each in due(PLANNED, alerts(PLANNED.objectives, PLANNED.scale), details, evidence):
        into = details.burns if each.severity else details.firings
        for spell in each.spells:
            times = [None if ms is None else _ORIGIN_NS + ms * 1_000_000 for ms in (spell.fired_ms, spell.resolved_ms)]
            assert times[0] is not None
            named = {"alert": each.alert, "objective": each.objective, "job": each.job, "severity": each.severity}
            into.append(Firing(**named, fired_ns=times[0], resolved_ns=times[1]))
            for route in each.routes:
                for resolved, at_ns in enumerate(times):
                    if at_ns is not None:
                        details.deliveries.append(
                            Delivery(**named, route=route, resolved=bool(resolved), at_ns=at_ns + NS)
                        )
    return details, evidence


def without(void: str) -> AlertDrillPlan:
    """The plan, of which one breach does nothing."""
    trials = tuple(
        msgspec.structs.replace(each, fault=msgspec.structs.replace(each.fault, share=0.0, delay_ms=0.0))
        if each.name == void
        else each
        for each in PLANNED.trials
    )
    return msgspec.structs.replace(PLANNED, trials=trials)


def drilled(void: str = "") -> tuple[AlertDrillDetails, Gathered]:
    """The details, to be changed at will, and the evidence; of a drill in which the breach ``void`` did nothing."""
    details, evidence = _drilled(void)
    return msgspec.convert(msgspec.to_builtins(details), AlertDrillDetails), evidence


def judged(plan: AlertDrillPlan, details: AlertDrillDetails, evidence: Gathered) -> list[Judgement]:
    """What the rules say of a run."""
    return [*REHEARSAL.by_rules(plan, RunRecord(facts(), details, evidence))]


__all__ = ["ERRORS", "PLANNED", "TARGET", "drilled", "judged"]
