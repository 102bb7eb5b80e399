"""A scenario: a named plan as data, read from YAML strictly: unknown keys and wrong units are refused by place."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from harness.base.units import Unit
from harness.model.judgement import Kind
from harness.model.stack import Fault


class Metric(StrEnum):
    """What a criterion is about. The definitions are those of docs/judging.md#metrics."""

    ERROR_RATIO = "error_ratio"
    AVAILABILITY = "availability"
    LATENCY_P95 = "latency_p95"
    REQUEST_RATE = "request_rate"
    CONCURRENT_USERS = "concurrent_users"


METRIC_UNIT = {
    Metric.ERROR_RATIO: Unit.RATIO,
    Metric.AVAILABILITY: Unit.RATIO,
    Metric.LATENCY_P95: Unit.MILLISECONDS,
    Metric.REQUEST_RATE: Unit.PER_SECOND,
    Metric.CONCURRENT_USERS: Unit.USERS,
}


class Comparison(StrEnum):
    """What the claim says: ``availability > 99.5%``; for a rollback limit, when it fires: ``availability < 99%``."""

    ABOVE = ">"
    BELOW = "<"
    AT_LEAST = ">="


class Criterion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A criterion with its numbers resolved: ``threshold`` in ``METRIC_UNIT[metric]``.

    ``smallest_sample`` 0 means the judge's own: what the bound needs for a success criterion, ceil(3 / limit) for a
    rollback limit. ``needs`` names capabilities of the rung.
    """

    id: str
    claim: str
    kind: Kind
    metric: Metric
    comparison: Comparison
    threshold: float
    smallest_sample: int = 0
    needs: tuple[str, ...] = ()

    @property
    def unit(self) -> Unit:
        """The unit of value, bound and threshold."""
        return METRIC_UNIT[self.metric]


class AudiencePlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``users`` of an audience exist, of whom the first ``flag_on`` have the flag on."""

    name: str
    users: int
    flag_on: int


class PopulationPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The app's users, each on an even, staggered schedule of one request every ``pace_s``."""

    audiences: tuple[AudiencePlan, ...]
    pace_s: float = 50.0
    fetch_interval_s: float = 60.0

    @property
    def users(self) -> int:
        """All users."""
        return sum(audience.users for audience in self.audiences)

    @property
    def flag_on(self) -> int:
        """Users whose flag is on."""
        return sum(audience.flag_on for audience in self.audiences)


class ProbePlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The probe stream: GET and PUT in turn over the canary users, each on a new connection."""

    rate_per_s: float = 10.0
    canary_users: int = 8
    timeout_s: float = 2.0


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run: admit the population, hold the flag for ``window_s``, with ``faults`` in it, judge ``criteria``."""

    name: str
    title: str
    claims: tuple[str, ...]
    population: PopulationPlan
    criteria: tuple[Criterion, ...]
    window_s: float
    probes: ProbePlan = ProbePlan()
    request_timeout_s: float = 10.0
    switch_over_limit_s: float = 300.0  # ロールバック手順 2: within 5 minutes every client is back on Firebase
    good_answer_every_s: float = 120.0
    blackout_s: float = 5.0  # this long without one good probe fires every availability limit at once
    faults: tuple[Fault, ...] = ()
    offered_rate_per_s: float = 3.3  # the rate criterion is judged only while at least this much is offered
