"""The drill of the alerts (SLO定義): its plan, and what a run of it leaves to be judged."""

from __future__ import annotations

import msgspec

from harness.model.message import gettext_noop
from harness.model.scenario import AudiencePlan, PopulationPlan, ProbePlan
from harness.model.stack import Fault, FaultKind
from harness.rehearsals.alert_drill.theirs.facts import QueriedRules
from harness.rules.objectives.foreign.rules import PrometheusRule
from harness.rules.objectives.sloth import Objective

AVAILABILITY, LATENCY, ERRORS, BUDGET = (
    "AvailabilityBelow99_5Percent",
    "LatencyP95Above600ms",
    "ErrorRateAbove3Percent",
    "ErrorBudgetAbove80Percent",
)
CLAIM = {
    AVAILABILITY: "alert.availability",
    LATENCY: "alert.latency_p95",
    ERRORS: "alert.error_ratio",
    BUDGET: "alert.error_budget",
}
ROUTE_CLAIM = {"slack": "alert.route.slack", "email": "alert.route.email", "pagerduty": "alert.route.pagerduty"}
BUDGET_CLAIM = {
    "availability": "slo.availability.budget",
    "latency": "slo.latency_p95.budget",
    "errors": "slo.error_ratio.budget",
}
CLAIMS = (*CLAIM.values(), *ROUTE_CLAIM.values(), *BUDGET_CLAIM.values())
#: The jobs that Prometheus scrapes: what users and probes saw, told by the harness; the pods' targets and sidecars.
USERS, PROBES, TARGET, SIDECARS = "users", "probes", "tekutoko-api", "cloud-sql-proxy"


class Breach(msgspec.Struct, frozen=True, kw_only=True):
    """A breach: ``fault`` is in place for ``lasts_s`` of the document's time. ``fires`` are the alerts on users'
    requests and on probes that must fire."""

    name: str
    fault: Fault
    lasts_s: float
    fires: tuple[str, ...] = ()


def _trial(
    name: str, kind: FaultKind, lasts_s: float, *fires: str, share: float = 1.0, delay_ms: float = 0.0
) -> Breach:
    fault = Fault(kind=kind, share=share, delay_ms=delay_ms)
    return Breach(name=name, fault=fault, lasts_s=lasts_s, fires=fires)


#: Too short, too small, and what must fire; the outage last, for it is what the long windows cross their limits by.
TRIALS = (
    _trial("errors_too_short", FaultKind.ERRORS, 180.0, share=0.25),
    _trial("errors_below_limit", FaultKind.ERRORS, 600.0, share=0.02),
    _trial("errors", FaultKind.ERRORS, 480.0, ERRORS, share=0.25),
    _trial("latency_too_short", FaultKind.LATENCY, 360.0, delay_ms=900.0),
    _trial("latency_below_limit", FaultKind.LATENCY, 700.0, delay_ms=510.0),
    _trial("latency", FaultKind.DATABASE_SLOW, 800.0, LATENCY, delay_ms=200.0),
    _trial("outage", FaultKind.UNAVAILABLE, 390.0, ERRORS, AVAILABILITY, BUDGET),
)


class AlertDrillPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The course of the drill. Seconds and minutes are the document's, and ``scale`` divides them: of a scaled drill
    the document's 5 and 10 minutes are not shown. Days are never scaled: their history is made, and reaches back.
    ``theirs`` are a team's own rules, asked about the drill's evidence, or, with nothing drilled, about that of the
    stored run in the folder ``of``.
    """

    name: str = "alert_drill"
    title: str = gettext_noop("The four alerts, drilled on a real Prometheus and Alertmanager")
    claims: tuple[str, ...] = CLAIMS
    objectives: tuple[Objective, ...] = ()
    scale: float = 15.0
    trials: tuple[Breach, ...] = TRIALS
    scrape_s: float = 15.0
    evaluate_s: float = 15.0
    before_s: float = 180.0
    between_s: float = 150.0
    overhead_s: float = 3.0  # of a trial, not scaled: until its fault is in place and gone
    after_s: float = 30.0  # not scaled: until what is resolved is delivered
    population: PopulationPlan = PopulationPlan(
        audiences=(AudiencePlan(name="general", users=40, flag_on=40),), pace_s=1.8
    )
    probes: ProbePlan = ProbePlan(rate_per_s=8.0, canary_users=10, timeout_s=8.0)
    request_timeout_s: float = 10.0
    theirs: tuple[PrometheusRule, ...] = ()
    of: str = ""

    def scaled(self, seconds: float) -> float:
        """Of the document's time, in this drill's."""
        return seconds / self.scale

    @property
    def load_s(self) -> float:
        """How long the course takes from the begin of the load to the end of the last trial, about."""
        trials = sum(self.scaled(each.lasts_s + self.between_s) + self.overhead_s for each in self.trials)
        return self.scaled(self.before_s) + trials


PLAN = AlertDrillPlan()


class PlantedBreach(msgspec.Struct, frozen=True, kw_only=True):
    """A trial as it took place (monotonic ns)."""

    trial: str
    begun_ns: int
    ended_ns: int


class Firing(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch in which Prometheus had an alert firing (monotonic ns of its evaluations); ``resolved_ns`` ``None``: it
    still did when it was asked last."""

    alert: str
    objective: str
    job: str
    fired_ns: int
    resolved_ns: int | None
    severity: str = ""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A notification that a receiver got. ``flaw`` is what is wrong with it, as the real service would refuse it."""

    route: str
    alert: str
    objective: str
    job: str
    resolved: bool
    at_ns: int
    flaw: str = ""
    severity: str = ""


class AlertDrillDetails(msgspec.Struct, kw_only=True):
    """The facts of a run. ``leaves_ns`` is when the old outage of the made history leaves the long windows,
    ``history_ns`` where that history ends; ``asked_ns`` when Prometheus was asked for what had fired.
    ``burns`` are Sloth's burn-rate alerts, pages and tickets by their severity; ``waits_s`` how long Alertmanager may
    hold a first and a further notification; ``scraped`` how many of the ``targets`` that Prometheus asked, a pod's
    each, ever answered, and ``sidecars`` how many of their proxies to the database, ``None`` of manifests without one;
    ``places`` by job where Prometheus was told to ask a pod; ``emitted`` by metric and label the values that the target
    had; ``asked`` what a team's own rules do. A run of before has one of both: ``scraped`` without a count of the pods,
    or ``targets`` that Prometheus was told of, answer or none."""

    origin_ns: int = 0
    history_ns: int = 0
    leaves_ns: int = 0
    asked_ns: int = 0
    planted: list[PlantedBreach] = []
    firings: list[Firing] = []
    deliveries: list[Delivery] = []
    burns: list[Firing] = []
    waits_s: tuple[float, float] = (0.0, 0.0)
    targets: int = 0
    scraped: int | None = None
    sidecars: int | None = None
    places: dict[str, str] = {}
    emitted: dict[str, dict[str, tuple[str, ...]]] = {}
    asked: QueriedRules | None = None
