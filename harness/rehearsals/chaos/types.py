"""Experiments of chaos: what is expected of each, and what ``chaos.json`` publishes."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.model.errors import Exit
from harness.model.message import Told
from harness.model.run_report import RunReport
from harness.model.verdict import Verdict

SCHEMA_VERSION = 1


class Repeated(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pod killed ``times`` times, once every ``every_s``: the failures are computed beforehand, and held to it."""

    every_s: float
    times: int


class Failover(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """PostgreSQL fails over to a standby: users' writes fail for at most ``most_outage_s``.

    With ``synchronous`` commits wait for the standby and no acknowledged write is lost. Without, it is the
    counterexample: the checker of acknowledged writes has to find that some are lost.
    """

    synchronous: bool
    most_outage_s: float


class Expectation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the target has to keep.

    From the first fault until the steady state is back, at most ``most_failed`` (0..1) of users' requests and probes
    may fail (0: none), and the steady state is back within ``recover_within_s`` of the undo. With ``unharmed`` requests
    are as fast as without the fault. ``needs`` are capabilities of the rung. ``why`` says where the numbers come from.
    Fewer than ``least_calls`` cannot tell. One with ``only_named`` takes minutes: it is run when it is named, and never
    drawn. One that ``breaks_nodes`` runs on a cluster of its own, never on one that other runs share. ``erratum`` is
    the one of the document that failures within the allowance show.
    """

    most_failed: float
    recover_within_s: float
    why: str
    least_calls: int = 1
    unharmed: bool = False
    needs: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    repeated: Repeated | None = None
    failover: Failover | None = None
    only_named: bool = False
    breaks_nodes: bool = False
    erratum: str = ""


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """``document`` is Chaos Toolkit's own form."""

    name: str
    title: str
    expects: Expectation
    document: dict[str, Any]


class FailoverSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A failover as it went, in seconds: from the kill until it was detected, from there until the standby took
    writes, from there until the pods were led to it; and, for users, from the first write that failed to the first
    good one. ``failed_writes`` counts those in between.
    """

    synchronous: bool
    detect_s: float
    promote_s: float
    lead_s: float
    outage_s: float | None
    failed_writes: int


class ExperimentResult(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment judged. ``calls`` are users' requests to the API and probes together, while it lasted.

    ``outage_s`` is the time between the first and the last failure; ``recovered_s`` from the end of the method to the
    steady state; ``status`` and ``deviated`` are Chaos Toolkit's.
    """

    number: int
    name: str
    title: str
    verdict: Verdict
    reason: str
    calls: int = 0
    failed: int = 0
    outage_s: float | None = None
    recovered_s: float | None = None
    status: str = ""
    deviated: bool | None = None
    start_ns: int = 0
    end_ns: int = 0
    journal: str = ""
    failover: FailoverSeen | None = None
    told: Told = ()  # the reason as messages, for the page's language
    erratum: str = ""  # the one that was seen


class CheckSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A checker's word on the whole run."""

    name: str
    verdict: Verdict
    detail: str
    examples: tuple[str, ...] = ()
    told: Told = ()  # the detail as messages


class ChaosReport(RunReport, frozen=True, kw_only=True):
    """``chaos.json``. ``timings`` are seconds by name."""

    drawn: tuple[str, ...]
    experiments: tuple[ExperimentResult, ...]
    checks: tuple[CheckSummary, ...]


class DrawnSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """One schedule of a night as it ended. ``folder`` is its run's, relative to the night's; ``None`` when none began.

    ``shortcomings`` are the experiments and checks that neither passed nor were left out, a line each; ``broke`` what
    was the rehearsal's own failure: its errors and leaks.
    """

    seed: int
    drawn: tuple[str, ...]
    folder: str | None
    replay: str
    seconds: float
    exit_status: int
    exercised: int = 0  # experiments that the rung could make
    calls: int = 0
    failed: int = 0
    shortcomings: tuple[str, ...] = ()
    broke: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether it had nothing that the environment can do: then its own exit status, 10, says no more than that."""
        return not self.exercised and not self.broke and self.exit_status in (Exit.OK, Exit.HOLD)

    @property
    def verdict(self) -> Verdict:
        """The schedule as one part of its night."""
        if self.nothing:
            return Verdict.NOT_EXERCISED
        return Verdict.PASS if self.exit_status == Exit.OK else Verdict.FAIL


class NightReport(RunReport, frozen=True, kw_only=True):
    """``chaos_nightly.json``: ``asked`` schedules of ``length`` experiments, those of them made within ``budget_s``.

    The schedule ``n`` has the seed ``seed + n``. ``exit_status`` is the most severe of the schedules', and that of a
    week that holds when fewer than ``least`` of them did anything.
    """

    asked: int
    least: int
    length: int
    budget_s: float
    schedules: tuple[DrawnSchedule, ...]

    @property
    def exercised(self) -> int:
        """The schedules in which anything was done."""
        return sum(each.exercised > 0 for each in self.schedules)
