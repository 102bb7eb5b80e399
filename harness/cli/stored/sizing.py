"""The size of a backend for so many users, from the knees of a stored run of load_stages. Pure.

Each figure is an interval, from the best that the run did not refute to what it proved to be enough.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
import numpy as np

from harness.base.errors import BadInput
from harness.base.units import Bytes, Ratio, Seconds, Unit
from harness.control.erlang import fewest, most
from harness.control.hpa.grouping import Settings
from harness.model.evidence import Side
from harness.model.judgement import Verdict
from harness.model.message import Message, message, quantity
from harness.model.scenario import Arrivals
from harness.rehearsals.cost.month import bill
from harness.rehearsals.cost.month.bill import GIB, MachineSize
from harness.rehearsals.cost.month.prices import Prices
from harness.rehearsals.cost.month.tables import CostTables
from harness.rehearsals.load_stages.facts import uses
from harness.rehearsals.load_stages.facts_steps import window_of
from harness.rehearsals.load_stages.rehearsal import REHEARSAL
from harness.rehearsals.load_stages.types import LoadStagesDetails, LoadStagesPlan
from harness.rules.figures import latencies_ms
from harness.rules.pod_resources import asked
from harness.run.rehearsal import RunRecord

Count = Annotated[int, msgspec.Meta(ge=1, examples=[500])]
_SIGMAS, _POOL = 1.96, "connections.a_pod"  # of a mean, at 95 %; the fact of the pool as it was seen


class Tier(msgspec.Struct, frozen=True, kw_only=True):
    """A size of the database as Cloud SQL calls it, and the connections that it takes by default."""

    name: str
    vcpus: Count
    memory_bytes: Bytes
    connections: Count


class SizePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is sized for: so many ``users``, each with a request in ``pace_s``, of which the share ``waiting`` may wait.
    ``reserved`` connections of a database are not the target's; ``tiers_from`` says where the tiers' limits were read.
    """

    users: Annotated[tuple[Count, ...], msgspec.Meta(min_length=1)]
    pace_s: Seconds
    waiting: Ratio
    reserved: Count
    tiers_from: str
    tiers: Annotated[tuple[Tier, ...], msgspec.Meta(min_length=1)]


class SizeFigure(msgspec.Struct, frozen=True):
    """The truth lies from ``low`` to ``high``, infinite where nothing bounds it. ``name`` is for programs, ``source``
    the fact, rule or file that it comes from; ``text`` stands in the place of a number."""

    name: str
    told: Message
    low: float
    high: float
    source: Message
    unit: Unit = Unit.NONE
    text: str = ""

    @property
    def shown(self) -> Message | str:
        """The interval in words."""
        low, high = (quantity(end, self.unit) for end in (self.low, self.high))
        if self.text or self.low == self.high:
            return self.text or low
        if math.isinf(self.high):
            return message("at least {low}", low=low)
        return message("{low} to {high}", low=low, high=high) if self.low else message("at most {high}", high=high)


class SizeFor(msgspec.Struct, frozen=True, kw_only=True):
    """What so many users take, and which of the limits of today they meet, the first first."""

    users: int
    rate_per_s: float
    figures: tuple[SizeFigure, ...]
    ends: tuple[Message, ...]


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """What the run measured of its target; the users at which each limit of today ends; and what users take."""

    measured: tuple[SizeFigure, ...]
    limits: tuple[SizeFigure, ...]
    sizes: tuple[SizeFor, ...]


class Sizing:
    """The answer of one run of ``stages``. Raises ``BadInput`` where it kept no rate, or nothing scales its pods."""

    def __init__(
        self, plan: SizePlan, tables: CostTables, prices: Prices, stages: LoadStagesPlan,
        seen: RunRecord[LoadStagesDetails],
    ) -> None:  # fmt: skip
        steps, knees = REHEARSAL.found(stages, seen)
        self.plan, self.tables, self.prices, self.seen = plan, tables, prices, seen
        searched = [each for each in knees if not each.photos_per_s]
        self.knees = [each for each in searched if each.rate_per_s]
        self.pods = ", ".join(str(each.pods) if each.rate_per_s else f"{each.pods} (–)" for each in searched)
        self.kept = [
            each for each in steps if each.verdict is Verdict.PASS and each.mute is None
            and each.step.arrivals is not Arrivals.CLOSED and not each.step.photos_per_s
        ]  # fmt: skip
        sized = seen.details.sized
        if sized is None or sized.hpa is None or not self.kept:
            told = message("the run kept no rate within its limits, or its manifests have no autoscaler")
            raise BadInput(told, remedy="run load_stages again, or name another run")
        self.sized, self.hpa, self.surge, self.limit_s = sized, sized.hpa, sized.surge, stages.p95_limit_ms / 1000
        found = [each for each in REHEARSAL.measured(stages, seen) if each.case == "manifest.hpa.max"]
        facts = {each.name: each.seen or 0.0 for each in found}
        pool = facts.get(_POOL, 0.0)
        self.filled = facts.get("in_flight.a_pod", 0.0) > pool  # else it may be larger than was seen
        told, most_seen = message("connections of a pod, seen"), pool if self.filled else math.inf
        self.pool = SizeFigure("seen", told, pool, most_seen, message("the fact {fact}", fact=_POOL))
        self.carries, self.takes = self._carries(), self._takes()
        least = tables.quantities.database_memory_gib * GIB
        self.tiers = [each for each in plan.tiers if each.memory_bytes >= least] or [plan.tiers[-1]]

    def answer(self) -> Size:
        """The whole of it."""
        limits = sorted(self._limits(), key=lambda each: (each.low, each.high))
        sizes = tuple(self._size(each, limits) for each in self.plan.users)
        return Size(measured=(self.carries, self.takes, self.pool, self._target()), limits=tuple(limits), sizes=sizes)

    def _carries(self) -> SizeFigure:
        """The least of all numbers of pods. With less CPU than the manifests' a pod carries no more than with theirs,
        and no less than its share."""
        factor, known = min(1.0, self.seen.details.knee_cpu_factor), [each for each in self.knees if each.known]
        low = min(((each.rate_per_s or 0.0) / each.pods for each in self.knees),
                  default=max(each.step.rate_per_s / each.pods for each in self.kept))  # fmt: skip
        high = min((each.broken_per_s / each.pods for each in known if each.broken_per_s), default=math.inf) / factor
        source = message("no knee was found: the rates that were kept")
        if known:
            words = {"pods": self.pods, "share": quantity(factor, Unit.RATIO)}
            source = message("the knees of {pods} pods, with {share} of the manifests' CPU", **words)
        return SizeFigure("carries", message("requests that a pod carries"), low, high, source, Unit.PER_SECOND)

    def _takes(self) -> SizeFigure:
        """A connection is held no longer than its request takes: the mean of the lightest step, where fewest wait."""
        light = min(self.kept, key=lambda each: each.step.rate_per_s / each.pods)
        window = window_of(light.start_ns, light.step.seconds)
        took = latencies_ms(self.seen.evidence.ledger.requests_due(window, Side.API)) / 1000
        high = float(np.mean(took) + _SIGMAS * np.std(took) / math.sqrt(len(took)))
        source = message("the mean of a whole request in step {step}, at 95 %", step=light.step.name)
        return SizeFigure("takes", message("a connection is held"), 0.0, high, source, Unit.SECONDS)

    def _target(self) -> SizeFigure:
        """The highest target by which the HPA adds pods before any knee: Kubernetes tolerates a tenth more."""
        found, each_asks = list[int](), asked(self.sized.searched)
        for knee in self.knees:
            at = [each for each in self.kept if (each.pods, each.step.rate_per_s) == (knee.pods, knee.rate_per_s)]
            used = [use for each in at[-1:] for use in uses(self.hpa, each.figures, each.pods, each_asks)]
            found += [math.floor(use.used / (1 + Settings().tolerance)) for use in used if use.metric == "cpu"]
        now = next((str(each.average_utilization) for each in self.hpa.metrics if each.name == "cpu"), "–")
        known, low = found and all(each.known for each in self.knees), min(found, default=0)
        told = message("highest target of the HPA for CPU, % (now {now})", now=now)
        source = message("what pods used at the knees, less a tenth (tolerance)")
        return SizeFigure("hpa_target", told, low, low if known else math.inf, source)

    def _size(self, users: int, limits: Sequence[SizeFigure]) -> SizeFor:
        """From what the rate that broke leaves possible to what the rate that was kept makes sure."""
        rate, share = users / self.plan.pace_s, quantity(self.plan.waiting, Unit.RATIO)
        good, sure = self._taken(rate, self.carries.high, 0.0), self._taken(rate, self.carries.low, self.takes.high)
        longer = message("Erlang C: {share} wait longer than {limit}; the HPA's least is {least}", share=share,
                         limit=quantity(self.limit_s, Unit.SECONDS), least=str(self.hpa.min_replicas))  # fmt: skip
        surge, reserved = str(self.surge), str(self.plan.reserved)
        need = message("pool x (pods + {surge} of surge) + {reserved}", surge=surge, reserved=reserved)
        tier = message("by its memory {count}: {source}", count=str(sure[3].connections), source=self.plan.tiers_from)
        priced = message("prices of {region}, {day}; logs and storage as {users} users'", region=self.prices.region,
                         day=self.prices.as_of, users=str(self.tables.supposed.users))  # fmt: skip
        waits = message("Erlang C: {share} wait for a connection, a pod away", share=share)
        costs = self._cost(users, good[0], good[3]), self._cost(users, sure[0], sure[3])
        figures = (
            SizeFigure("pods", message("pods"), good[0], sure[0], longer),
            SizeFigure("pool", message("pool of a pod"), good[1], sure[1], waits),
            SizeFigure("max_connections", message("max_connections"), good[2], sure[2], need),
            SizeFigure("tier", message("tier of the database"), 0.0, 0.0, tier, text=sure[3].name),
            SizeFigure("cost", message("cost a month"), *costs, priced, Unit.DOLLARS),
        )
        return SizeFor(users=users, rate_per_s=rate, figures=figures, ends=tuple(_ends(users, limits)))

    def _taken(self, rate: float, carries: float, takes_s: float) -> tuple[int, int, int, Tier]:
        pods = max(self.hpa.min_replicas, fewest(rate, carries, self.limit_s, self.plan.waiting))
        at_one = min(carries, rate / max(1, pods - 1))
        pool = fewest(at_one, 1 / takes_s, 0.0, self.plan.waiting) if takes_s else 1
        needed = pool * (pods + self.surge) + self.plan.reserved
        return pods, pool, needed, next((each for each in self.tiers if each.connections >= needed), self.tiers[-1])

    def _cost(self, users: int, pods: int, tier: Tier) -> float:
        cores, memory = (sum(getattr(each, name) or 0 for each in self.sized.containers)
                         for name in ("request_cpu_m", "request_memory_bytes"))  # fmt: skip
        usage = bill.corrected(self.tables, self.prices, MachineSize(cores=cores / 1000, gib=memory / GIB), pods=pods)
        more = {name: getattr(usage, name) * users / self.tables.supposed.users
                for name in ("storage_gb", "download_gb", "log_gib")}  # fmt: skip
        size = MachineSize(cores=tier.vcpus, gib=tier.memory_bytes / GIB)
        return bill.bill(msgspec.structs.replace(usage, database=size, **more), self.prices, self.tables.hours).total

    def _limits(self) -> Iterator[SizeFigure]:
        """The users at which each limit of today ends, and beyond whom nothing was seen of the database."""
        pods, tier, pool, share = self.hpa.max_replicas, self.tiers[0], math.ceil(self.pool.low), self.plan.waiting

        def limit(name: str, told: Message, low: float, high: float, source: Message) -> SizeFigure:
            low, high = (end if math.isinf(end) else math.floor(end * self.plan.pace_s) for end in (low, high))
            return SizeFigure(name, told, low, high, source, Unit.USERS)

        def carried(count: int) -> Sequence[float]:
            return [most(count, each, self.limit_s, share) for each in (self.carries.low, self.carries.high)]

        by_pods, held = message("Erlang C by what each of them carries"), message("Erlang C by how long it is held")
        low, high = carried(pods)
        yield limit("hpa_max", message("the HPA's most pods, {pods}", pods=str(pods)), low, high, by_pods)
        if pool:
            fit = max(0, (tier.connections - self.plan.reserved) // pool - self.surge)
            told = message("the {count} connections of {tier}", count=str(tier.connections), tier=tier.name)
            low, high = carried(fit)
            source = message("{pods} pods with the pool that was seen", pods=str(fit))
            yield limit("connections", told, low if self.filled else 0.0, high, source)
            waits = pods * most(pool, 1 / self.takes.high, 0.0, share)
            yield limit("pool", message("a pool of {pool}", pool=str(pool)), waits, math.inf, held)
        seen, kept = max(each.step.rate_per_s for each in self.kept), message("the highest rate that was kept")
        yield limit("seen", message("what was seen of the database"), seen, math.inf, kept)


def _ends(users: int, limits: Sequence[SizeFigure]) -> Iterator[Message]:
    met = [each for each in limits if each.low < users]
    for each in met or limits[:1]:
        words: dict[str, str | Message] = {"limit": each.told, "at": each.shown}
        ends, may = message("{limit} ends: {at}", **words), message("{limit} may end: {at}", **words)
        none = message("no limit ends; the first would be {limit}: {at}", **words)
        yield none if not met else ends if each.high < users else may
