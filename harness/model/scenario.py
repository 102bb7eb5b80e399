"""A scenario: a named plan as data. Quantities have their unit, their range and an example here, once: a file is read
by these types (``scenarios.load``, ``harness.base.planfile``), and refused by line and key.
"""

from __future__ import annotations

from enum import StrEnum
from math import inf
from typing import Annotated

import msgspec

from harness.base.units import PerSecond, Seconds, Unit
from harness.model.claim import OwnClaim
from harness.model.evidence import Operation
from harness.model.judgement import Kind
from harness.model.stack import Capability, Fault

MAX_USERS = 100_000
MAX_S = 30 * 86_400.0  # the longest window the document names
#: Of all users of a population together; what one machine sends and still measures.
MOST_REQUESTS_PER_S = 200.0
MOST_STEPS = 100

#: A length of time that passes, and one that may be none.
Span = Annotated[Seconds, msgspec.Meta(gt=0, le=MAX_S, description="above 0, at most 30d")]
Pause = Annotated[Seconds, msgspec.Meta(ge=0, le=MAX_S, description="at most 30d")]
Rate = Annotated[PerSecond, msgspec.Meta(gt=0, description="above 0")]
Users = Annotated[int, msgspec.Meta(ge=0, le=MAX_USERS, examples=[350])]
AudienceName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z][a-z0-9_]{0,31}$(?!\n)",
        description="a name of a-z, 0-9 and _, at most 32",
        examples=["general"],
    ),
]


class Metric(StrEnum):
    """What a criterion is about. The definitions are those of docs/judging.md#metrics."""

    ERROR_RATIO = "error_ratio"
    AVAILABILITY = "availability"
    LATENCY_P50 = "latency_p50"
    LATENCY_P95 = "latency_p95"
    LATENCY_P99 = "latency_p99"
    REQUEST_RATE = "request_rate"
    CONCURRENT_USERS = "concurrent_users"


METRIC_UNIT = {
    Metric.ERROR_RATIO: Unit.RATIO,
    Metric.AVAILABILITY: Unit.RATIO,
    Metric.LATENCY_P50: Unit.MILLISECONDS,
    Metric.LATENCY_P95: Unit.MILLISECONDS,
    Metric.LATENCY_P99: Unit.MILLISECONDS,
    Metric.REQUEST_RATE: Unit.PER_SECOND,
    Metric.CONCURRENT_USERS: Unit.USERS,
}


#: The quantile of each latency.
QUANTILE = {Metric.LATENCY_P50: 0.5, Metric.LATENCY_P95: 0.95, Metric.LATENCY_P99: 0.99}

#: What can be judged of the requests of one operation, or one step, alone; the others are about probes, or about users.
BY_OPERATION = frozenset({Metric.ERROR_RATIO, *QUANTILE})


class Comparison(StrEnum):
    """What the claim says: ``availability > 99.5%``; for a rollback limit, when it fires: ``availability < 99%``."""

    ABOVE = ">"
    BELOW = "<"
    AT_LEAST = ">="


class Criterion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A criterion with its numbers resolved: ``threshold`` in ``METRIC_UNIT[metric]``.

    ``operation``: it is about the requests of that operation alone (``BY_OPERATION``); ``None``: about all. ``step_s``:
    and about those alone that are due in the step of the load that begins then; ``None``: in the whole window.
    ``claim`` is a claim of the register or of the team's own (``Scenario.own_claims``), "" where it is about none.
    ``smallest_sample`` 0 means the judge's own: what the bound needs for a success criterion, ceil(3 / limit) for a
    rollback limit. ``needs`` names capabilities of the rung.
    """

    id: str
    claim: str = ""
    kind: Kind
    metric: Metric
    comparison: Comparison
    threshold: float
    operation: Operation | None = None
    step_s: float | None = None
    smallest_sample: int = 0
    needs: tuple[Capability, ...] = ()

    @property
    def unit(self) -> Unit:
        """The unit of value, bound and threshold."""
        return METRIC_UNIT[self.metric]


class AudiencePlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``users`` of an audience exist, of whom the first ``flag_on`` have the flag on."""

    name: AudienceName
    users: Users
    flag_on: Users


class LoadStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From ``at_s`` after the load's begin on, every user sends one request every ``pace_s``."""

    at_s: Pause
    pace_s: Span


Steps = Annotated[tuple[LoadStep, ...], msgspec.Meta(max_length=MOST_STEPS, examples=["[{at: 60s, pace: 25s}]"])]


class PopulationPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The app's users, each on an even, staggered schedule of one request every ``pace_s``; ``steps`` change it while
    the load lasts, the last of them to its end.
    """

    audiences: tuple[AudiencePlan, ...]
    pace_s: Span = 50.0
    fetch_interval_s: Pause = 60.0
    steps: Steps = ()

    @property
    def stretches(self) -> tuple[LoadStep, ...]:
        """The paces in their order: the first from the begin on, then those of the steps."""
        return (LoadStep(at_s=0.0, pace_s=self.pace_s), *self.steps)

    def stretch(self, at_s: float) -> tuple[float, float]:
        """When the stretch that begins at ``at_s`` begins and ends, in seconds; the last has no end."""
        return at_s, min((step.at_s for step in self.steps if step.at_s > at_s), default=inf)

    def requests_in(self, seconds: float) -> float:
        """How many requests each user is to make in the first ``seconds`` of the load."""
        ends = [*(step.at_s for step in self.steps), seconds]
        lengths = [max(0.0, min(end, seconds) - each.at_s) for each, end in zip(self.stretches, ends, strict=True)]
        return sum(length / each.pace_s for length, each in zip(lengths, self.stretches, strict=True))

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

    rate_per_s: Rate = 10.0
    canary_users: Annotated[int, msgspec.Meta(ge=1, le=MAX_USERS, examples=[8])] = 8
    timeout_s: Span = 2.0


class Conditions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What criteria are judged under: the claims that a run is about, its users, its window, its probes."""

    title: Annotated[str, msgspec.Meta(examples=['"Week 3: half of the users on the API"'])]
    claims: Annotated[tuple[str, ...], msgspec.Meta(examples=["[rollout.week3.success.availability]"])] = ()
    population: PopulationPlan
    window_s: Span
    probes: ProbePlan = ProbePlan()
    request_timeout_s: Span = 10.0
    switch_over_limit_s: Span = 300.0  # ロールバック手順 2: within 5 minutes every client is back on Firebase
    good_answer_every_s: Span = 120.0
    blackout_s: Span = 5.0  # this long without one good probe fires every availability limit at once
    offered_rate_per_s: Rate = 3.3  # the rate criterion is judged only while at least this much is offered


class Scenario(Conditions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run: admit the population, hold the flag for ``window_s``, with ``faults`` in it, judge ``criteria``.

    ``own_claims`` are those of a team's own document that the run is about.
    """

    name: str
    criteria: tuple[Criterion, ...]
    faults: tuple[Fault, ...] = ()
    own_claims: tuple[OwnClaim, ...] = ()
