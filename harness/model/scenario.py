"""A scenario: a named plan as data. Quantities have their unit, their range and an example here, once: a file is read
by these types (``harness.run.scenarios.load``, ``harness.base.planfile``), and refused by line and key.
"""

from __future__ import annotations

from enum import StrEnum
from math import inf
from typing import Annotated

import msgspec

from harness.base.message import message
from harness.base.planfile import RuleError
from harness.base.units import PerSecond, Ratio, Seconds, Unit
from harness.model.claim import OwnClaim
from harness.model.evidence import Operation
from harness.model.judgement import Kind
from harness.model.stack import Capability, Fault

# A step of load: how many requests arrive, how, for how long.

#: The step that offers what the document says the pods carry, under the manifests' own limits.
CAPACITY = "capacity"
#: What the load of a plan's part is spread over: enough that nobody sends the 100 requests a minute that are allowed.
ACCOUNTS = 1000


class Arrivals(StrEnum):
    """How requests arrive.

    ``even`` and ``poisson`` are open loops: a request is due whatever became of those before it. ``closed`` keeps a
    number of requests in flight, each sent when the one before it was answered (``ab -c N``).
    """

    EVEN = "even"
    POISSON = "poisson"
    CLOSED = "closed"


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One load for a time. ``users`` is how many accounts it is spread over; ``rate_per_s`` counts for open loops,
    ``in_flight`` for closed ones. A kept connection stays with the pod it began on: with ``new_connections`` each
    request opens its own, with ``reopen`` each user opens its own anew before the step: new pods get their share."""

    name: str
    arrivals: Arrivals
    seconds: float
    users: int
    rate_per_s: float = 0.0
    in_flight: int = 0
    photos_per_s: float = 0.0  # uploaded to Storage meanwhile, ``photo_bytes`` each
    photo_bytes: int = 0
    new_connections: bool = False
    reopen: bool = False

    @property
    def of_search(self) -> bool:
        """Whether it is one of the search for the knee."""
        return self.arrivals is Arrivals.POISSON and self.name != CAPACITY


MAX_S = 30 * 86_400.0  # the longest time the document names

#: How much load there may be, of every command and every file (docs/judging.md#limits-of-the-load): what one machine
#: sends and still measures. All users of a population together send at most ``MOST_REQUESTS_PER_S``, a step of
#: requests that arrive by themselves has at most ``MOST_RATE_PER_S``.
MOST_USERS = 2_000
MOST_WORKERS = 8  # processes that share them
FASTEST_PACE_S, SLOWEST_PACE_S = 0.1, 86_400.0
MOST_REQUESTS_PER_S, MOST_RATE_PER_S, MOST_PROBES_PER_S = 200.0, 2_000.0, 100.0
#: How long a load may last, and how long a window of it.
MOST_DURATION_S, MOST_WINDOW_S = 7200.0, 3000.0
MOST_STEP_S = 600.0
LEAST_CANARIES = 8
#: Requests a minute of one user: the API's limit (docs/contract/walk-api.md#rate-limit), and what a canary user probes
#: at most (docs/judging.md#metrics).
RATE_LIMIT_PER_MIN, MOST_CANARY_RATE_PER_MINUTE = 100, 75.0
MOST_STEPS = 100

SWITCH_OVER_LIMIT_S = 300.0  # ロールバック手順 2: within 5 minutes every client is back on Firebase
GOOD_ANSWER_EVERY_S = 120.0
PROBE_TIMEOUT_S, REQUEST_TIMEOUT_S = 2.0, 10.0
BLACKOUT_S = 5.0  # this long without one good probe fires every availability limit at once

#: A length of time that passes, and one that may be none.
Span = Annotated[Seconds, msgspec.Meta(gt=0, le=MAX_S, description="above 0, at most 30d")]
Pause = Annotated[Seconds, msgspec.Meta(ge=0, le=MAX_S, description="at most 30d")]
Rate = Annotated[PerSecond, msgspec.Meta(gt=0, le=MOST_RATE_PER_S, description="above 0, at most 2000/s")]
Timeout = Annotated[Seconds, msgspec.Meta(ge=0.05, le=60, description="50ms to 60s")]
StepSpan = Annotated[Seconds, msgspec.Meta(gt=0, le=MOST_STEP_S, description="above 0, at most 10min")]
Share = Annotated[Ratio, msgspec.Meta(ge=0, le=1, description="0% to 100%", examples=["10%"])]
Users = Annotated[int, msgspec.Meta(ge=0, le=MOST_USERS, examples=[350])]
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


class Sample(StrEnum):
    """Whose requests a criterion asks about: the app's users, or the availability probes. They are never pooled."""

    USERS = "users"
    PROBES = "probes"


def usual_sample(metric: Metric) -> Sample:
    """Whom a metric asks where the criterion does not say it: the probes for an availability, else the users."""
    return Sample.PROBES if metric is Metric.AVAILABILITY else Sample.USERS


#: The metrics of which a ratio of failed calls is judged.
RATIOS = frozenset({Metric.AVAILABILITY, Metric.ERROR_RATIO})


class By(StrEnum):
    """How a success criterion on a ratio is judged: by its 95 % bound, or by the measured value (docs/judging.md)."""

    BOUND = "bound"
    VALUE = "value"


class Criterion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A criterion with its numbers resolved: ``threshold`` in ``METRIC_UNIT[metric]``.

    ``operation``: it is about the requests of that operation alone (``BY_OPERATION``); ``None``: about all. ``step_s``:
    and about those alone that are due in the step of the load that begins then; ``None``: in the whole window.
    ``claim`` is a claim of the register or of the team's own (``Scenario.own_claims``), "" where it is about none.
    ``smallest_sample`` 0 means the judge's own: what the bound needs for a success criterion, ceil(3 / limit) for a
    rollback limit. ``needs`` names capabilities of the rung.

    ``sample`` is ``None`` for the metric's usual one (``asks``). ``limit_from`` names the criterion of the scenario or
    the claim from which a criterion without a claim takes its limit. Up to ``crowded_limit_ms`` a broken latency limit
    is inconclusive where other processes crowd the machine (``harness.rules.machine_share``).
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
    sample: Sample | None = None
    by: By = By.BOUND
    limit_from: str = ""
    crowded_limit_ms: float | None = None

    @property
    def unit(self) -> Unit:
        """The unit of value, bound and threshold."""
        return METRIC_UNIT[self.metric]

    @property
    def asks(self) -> Sample:
        """Whose requests are judged: those of the metric's usual sample, unless ``sample`` says it."""
        return self.sample or usual_sample(self.metric)


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
    the load lasts, the last of them to its end. The share ``read_again`` of them makes each read that follows a PUT
    within a second of it. ``lifelike``: names in no order, titles in Japanese with emoji, times of every UTC offset, a
    tenth of them by a clock that is hours off. The share ``long_lists`` of each side has 25 walks of before the run,
    one of 1,200 points, for which it asks, as for the second page of its list.
    """

    audiences: tuple[AudiencePlan, ...]
    pace_s: Span = 50.0
    fetch_interval_s: Pause = 60.0
    read_again: Share = 0.0
    long_lists: Share = 0.0
    lifelike: bool = False
    steps: Steps = ()

    def __post_init__(self) -> None:
        """Raises ``RuleError`` for more load than there may be."""
        if self.users > MOST_USERS:
            what = message("{users} users in all, more than {most}", users=str(self.users), most=str(MOST_USERS))
            raise RuleError(what, "audiences", remedy="make the audiences smaller: one machine plays no more")
        for number, stretch in enumerate(self.stretches):
            at = ("steps", number - 1, "pace_s") if number else ("pace_s",)
            if not FASTEST_PACE_S <= stretch.pace_s <= SLOWEST_PACE_S:
                given = {"pace": f"{stretch.pace_s:g}", "fastest": f"{FASTEST_PACE_S:g}"}
                slowest = f"{SLOWEST_PACE_S / 3600:g}"
                what = message("a pace of {pace} s is not within {fastest} s..{slowest} h", **given, slowest=slowest)
                raise RuleError(what, *at, remedy="for example one request of a user in 50s")
            if self.users / stretch.pace_s > MOST_REQUESTS_PER_S:
                what = message(
                    "{users} users at one request in {pace} s send {rate}/s, more than {most}/s, which is what one "
                    "machine sends and still measures",
                    users=str(self.users),
                    pace=f"{stretch.pace_s:g}",
                    rate=f"{self.users / stretch.pace_s:g}",
                    most=f"{MOST_REQUESTS_PER_S:g}",
                )
                fastest = f"{self.users / MOST_REQUESTS_PER_S:g}"
                raise RuleError(what, *at, remedy=message("a pace of {pace} s or more, or fewer users", pace=fastest))

    @property
    def stretches(self) -> tuple[LoadStep, ...]:
        """The paces in their order: the first from the begin on, then those of the steps."""
        return (LoadStep(at_s=0.0, pace_s=self.pace_s), *self.steps)

    @property
    def longest_silence_s(self) -> float:
        """How long a user makes no request, at most, at the first pace: who reads again is silent for two."""
        return self.pace_s * (2 if self.read_again else 1)

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
    """The probe stream: GET and PUT in turn over the canary users, each on a new connection. ``lifelike``: they have
    names and titles as lifelike users have."""

    rate_per_s: Rate = 10.0
    canary_users: Annotated[int, msgspec.Meta(ge=LEAST_CANARIES, le=MOST_USERS, examples=[8])] = 8
    timeout_s: Timeout = PROBE_TIMEOUT_S
    lifelike: bool = False

    def __post_init__(self) -> None:
        """Raises ``RuleError`` for more probes than there may be."""
        if not 0 < self.rate_per_s <= MOST_PROBES_PER_S:
            rates = {"rate": f"{self.rate_per_s:g}", "most": f"{MOST_PROBES_PER_S:g}"}
            what = message("{rate} probes a second are not above 0 and at most {most}", **rates)
            raise RuleError(what, "rate_per_s", remedy="the document's own are 10/s")
        each = 60 * self.rate_per_s / max(1, self.canary_users)
        if self.canary_users < LEAST_CANARIES or each > MOST_CANARY_RATE_PER_MINUTE:
            what = message(
                "each of {users} canary users would probe {rate} times a minute; at most {most} of at least {least}, "
                "for the API answers 429 from {limit} on",
                users=str(self.canary_users),
                rate=f"{each:.0f}",
                most=f"{MOST_CANARY_RATE_PER_MINUTE:g}",
                least=str(LEAST_CANARIES),
                limit=str(RATE_LIMIT_PER_MIN),
            )
            raise RuleError(what, "canary_users", remedy="more canary users, or fewer probes")


class Conditions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What criteria are judged under: the claims that a run is about, its users, its window, its probes."""

    title: Annotated[str, msgspec.Meta(examples=['"Week 3: half of the users on the API"'])]
    claims: Annotated[tuple[str, ...], msgspec.Meta(examples=["[rollout.week3.success.availability]"])] = ()
    population: PopulationPlan
    window_s: Annotated[Seconds, msgspec.Meta(gt=0, le=MOST_WINDOW_S, description="above 0, at most 50min")]
    probes: ProbePlan = ProbePlan()
    request_timeout_s: Timeout = REQUEST_TIMEOUT_S
    switch_over_limit_s: Span = SWITCH_OVER_LIMIT_S
    good_answer_every_s: Span = GOOD_ANSWER_EVERY_S
    blackout_s: Span = BLACKOUT_S
    offered_rate_per_s: Rate = 3.3  # the rate criterion is judged only while at least this much is offered


class Scenario(Conditions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run: admit the population, hold the flag for ``window_s``, with ``faults`` in it, judge ``criteria``.

    ``own_claims`` are those of a team's own document that the run is about. ``smaller`` are the keys of its file, each
    with its value, by which it is smaller or faster than the document's weeks.
    """

    name: str
    criteria: tuple[Criterion, ...]
    faults: tuple[Fault, ...] = ()
    own_claims: tuple[OwnClaim, ...] = ()
    smaller: tuple[str, ...] = ()
