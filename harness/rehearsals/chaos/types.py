"""Experiments of chaos: what is expected of each, what a run of them is made of, and what it saw."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from harness.base.errors import Exit
from harness.base.units import Ratio
from harness.model.direction import Direction
from harness.model.message import Message, Told
from harness.model.scenario import Criterion, Scenario, Span
from harness.model.stack import Capability, FaultKind
from harness.rehearsals.chaos.kill_series import KillSeries
from harness.rules.register import ClaimId, ErratumId


class Repeated(msgspec.Struct, frozen=True, kw_only=True):
    """A pod killed ``times`` times, once every ``every_s``: the failures are computed beforehand, and held to it."""

    every_s: Span
    times: Annotated[int, msgspec.Meta(ge=1)]


class Failover(msgspec.Struct, frozen=True, kw_only=True):
    """PostgreSQL fails over to a standby: users' writes fail for at most ``most_outage_s``.

    With ``synchronous`` commits wait for the standby and no acknowledged write is lost. Without, it is the
    counterexample: the checker of acknowledged writes has to find that some are lost.
    """

    synchronous: bool
    most_outage_s: Span


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """What the target has to keep: the extension ``tekutoko`` of an experiment of Chaos Toolkit.

    From the first fault until the steady state is back, at most ``most_failed`` (0..1) of users' requests and probes
    may fail (0: none), and the steady state is back within ``recover_within_s`` of the undo. With ``unharmed`` requests
    are as fast as without the fault. ``needs`` are capabilities of the environment. ``why`` says where the numbers
    come from. Fewer than ``least_calls`` cannot tell. One with ``only_named`` takes minutes: it is run when it is
    named, and never drawn. One that ``breaks_nodes`` runs on a cluster of its own, never on one that other runs share.
    ``erratum`` is the one of the document that failures within the allowance show. With ``answers_none`` no request is
    answered well while the fault lasts: what it cuts is the only way. ``spreads`` is the claim that what it disturbs
    spreads to every operation, which is judged beside and gates nothing.
    """

    most_failed: Ratio
    recover_within_s: Span
    why: str
    least_calls: int = 1
    unharmed: bool = False
    needs: tuple[Capability, ...] = ()
    claims: tuple[ClaimId, ...] = ()
    repeated: Repeated | None = None
    failover: Failover | None = None
    only_named: bool = False
    breaks_nodes: bool = False
    answers_none: bool = False
    spreads: ClaimId = ""
    erratum: ErratumId = ""


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """``document`` is Chaos Toolkit's own form; ``faults`` are those that its actions inject."""

    name: str
    title: str
    expects: Expectation
    document: dict[str, Any]
    faults: tuple[FaultKind, ...] = ()


class PlannedExperiment(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment of a run. ``part`` is the part of the run that it is in; "" makes it one of its own. ``graceful``:
    under the manifests with the component graceful, which stand beside the run's."""

    experiment: Experiment
    part: str = ""
    graceful: bool = False


class ChaosPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The experiments in their order, under the users and probes of ``scenario``.

    ``criteria`` are kept while the state is steady. ``reconcile`` heals the stores at the end.
    """

    name: str = "chaos"
    experiments: tuple[PlannedExperiment, ...]
    scenario: Scenario
    criteria: tuple[Criterion, ...]
    reconcile: Direction | None = None

    def part_of(self, number: int) -> str:
        """The part of the experiment ``number`` (from 1)."""
        return self.experiments[number - 1].part or str(number)

    @property
    def names(self) -> list[str]:
        """The judgements' ids, in the order of the experiments: the experiment's name, and its number in its part where
        that has several of the name."""
        keys = [(self.part_of(number), each.experiment.name) for number, each in enumerate(self.experiments, 1)]
        return [
            f"{key[1]}.{keys[:place].count(key) + 1}" if keys.count(key) > 1 else key[1]
            for place, key in enumerate(keys)
        ]


class FailoverSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A failover as it went, in seconds: from the kill until it was detected, from there until the standby took
    writes, from there until the pods were led to it; and, for users, from the first write that failed to the first
    good one. ``failed_writes`` counts those in between; ``still_s`` is from the first to the last of those that failed
    after that good one, ``None`` of none. From the last good write before it to the first one after are ``most_s``;
    ``missing`` calls were due then and are not in evidence, nor those that were due behind it, ``lost_s`` after
    the first that failed.
    """

    synchronous: bool
    detect_s: float
    promote_s: float
    lead_s: float
    outage_s: float | None
    failed_writes: int
    still_s: float | None = None
    most_s: float | None = None
    missing: int = 0
    lost_s: tuple[float, ...] = ()


class MadeExperiment(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment that was made, as it went: monotonic ns, ``None`` for what did not come.

    ``begun_ns`` is when it was begun with, ``start_ns`` when its first fault was; ``steady_before`` is Chaos Toolkit's
    first look; ``undone_ns`` is the end of the method, ``steady_ns`` when the steady state was back, ``end_ns`` when
    nothing more was waited for, ``answered_ns`` when the answers until then were in. ``journal`` is Chaos Toolkit's, a
    file of the run's folder, ``status`` and ``deviated`` its words; ``broken`` what an action said that could not be
    made. Of a series of kills: ``series`` is what its failures are computed from, ``repeated`` how many were made,
    ``tried`` the detection in seconds, () where there was no steady state to try it from. ``server`` is the
    database's, of a failover.
    """

    number: int
    begun_ns: int
    start_ns: int
    end_ns: int
    answered_ns: int = 0
    steady_before: bool = False
    undone_ns: int | None = None
    steady_ns: int | None = None
    journal: str = ""
    status: str = ""
    deviated: bool | None = None
    broken: str = ""
    series: KillSeries | None = None
    repeated: int = 0
    tried: tuple[float, ...] | None = None
    server: str = ""


class ChaosDetails(msgspec.Struct, kw_only=True):
    """What a run saw: when the load began (monotonic ns), and the experiments that were made, in their order."""

    origin_ns: int | None = None
    made: list[MadeExperiment] = []


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule of a night: what its seed draws. ``replay`` is the command line that makes it alone."""

    seed: int
    drawn: tuple[str, ...]
    replay: str


class NightPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Schedules in their order, none begun once ``budget_s`` seconds have passed; with fewer than ``least`` of them
    that did anything it is no night. Each is run as ``chaos`` with ``scenario``, ``criteria`` and ``reconcile``.
    ``shard`` says which part of a night this is, such as "2/4"; "" is the whole.
    """

    name: str = "chaos_nightly"
    schedules: tuple[Schedule, ...]
    length: int
    budget_s: float
    least: Annotated[int, msgspec.Meta(ge=1)]
    scenario: Scenario
    criteria: tuple[Criterion, ...]
    reconcile: Direction | None = None
    shard: str = ""


class EndedSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule as it ended. ``folder`` is its run's, relative to the night's, "" when none was begun.

    ``exercised`` counts the experiments that the environment could make, ``calls`` users' requests and probes while
    they lasted. ``shortcomings`` are the experiments and checks that neither passed nor were left out; ``broke`` what
    was the rehearsal's own failure: its errors and leaks.
    """

    seed: int
    drawn: tuple[str, ...]
    folder: str
    replay: str
    seconds: float
    exit_status: int
    exercised: int
    calls: int
    failed: int
    shortcomings: Told = ()
    broke: tuple[Message | str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether it had nothing that the environment can do: then its own exit status, 10, says no more than that."""
        return not self.exercised and not self.broke and self.exit_status in (Exit.OK, Exit.HOLD)


class NightDetails(msgspec.Struct, kw_only=True):
    """The schedules that were made, in their order, and the seeds of those that the budget ``left``."""

    ended: list[EndedSchedule] = []
    left: list[int] = []

    @property
    def went_on(self) -> tuple[tuple[str, str], ...]:
        """The runs that passed, each with its part."""
        return tuple((f"seed {each.seed}", each.folder) for each in self.ended if each.exit_status == Exit.OK)
