"""A week's whole run in virtual time."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import msgspec

from harness.base.clock import NS, Clock, utc
from harness.base.progress import Progress
from harness.base.virtual import VirtualClock
from harness.evidence.store import EVIDENCE, read_rows
from harness.model.evidence import EventRow, Row, Window
from harness.model.judgement import Decision, Judgement, Kind
from harness.model.result import Result
from harness.model.scenario import Sample, Scenario
from harness.model.stack import EnvironmentKind, Fault
from harness.rehearsals.rollout.observed import ObservedWindow, observed
from harness.rehearsals.rollout.week import REHEARSAL, switched_of
from harness.rules.switch_over import SwitchOver
from harness.run.options import Options
from harness.run.runner import Runner
from harness.run.scenarios.load import load
from harness.run.simulated import Simulated
from harness.stack.environments.choice import overlay
from harness.stack.sim.world import PlantedFaults
from harness.stack.target.targets import bundled


def table(number: int) -> Scenario:
    """Week ``number`` of the document's rollout table, its own windows, users and pace."""
    return load(f"rollout_week{number}")


def cut(scenario: Scenario, *, window_s: float | None = None, **population: Any) -> Scenario:
    """A smaller one, for what needs no more: without the users who keep the flag off, without walks of before the run,
    and changed as told."""
    plan = scenario.population
    on = tuple(
        msgspec.structs.replace(each, users=each.flag_on, flag_on=each.flag_on)
        for each in plan.audiences
        if each.flag_on
    )
    plan = msgspec.structs.replace(plan, audiences=on, **{"long_lists": 0.0} | population)
    return msgspec.structs.replace(scenario, population=plan, window_s=window_s or scenario.window_s)


def few(scenario: Scenario, *, window_s: float) -> Scenario:
    """A tenth of the users, each ten times as often: as many requests, for what asks nothing of who sends them. To
    admit 250 users takes longer than a window of seconds.
    """
    small = of_users(cut(scenario, window_s=window_s, fetch_interval_s=5.0), one_in=10)
    plan = small.population
    return msgspec.structs.replace(small, population=msgspec.structs.replace(plan, pace_s=plan.pace_s / 10))


def of_users(scenario: Scenario, *, one_in: int) -> Scenario:
    """One user in so many, and as much fewer requests, for what asks nothing of either."""
    plan = scenario.population
    fewer = tuple(
        msgspec.structs.replace(each, users=each.users // one_in, flag_on=each.flag_on // one_in)
        for each in plan.audiences
    )
    return msgspec.structs.replace(scenario, population=msgspec.structs.replace(plan, audiences=fewer))


def seldom_probed(scenario: Scenario) -> Scenario:
    """With a probe a second, and without the criteria that ask the probes."""
    probes = msgspec.structs.replace(scenario.probes, rate_per_s=1.0)
    asked = tuple(each for each in scenario.criteria if each.asks is not Sample.PROBES)
    return msgspec.structs.replace(scenario, probes=probes, criteria=asked)


class Named(Simulated):
    """Whose runs' ids have nothing of this machine: two folders have the same run."""

    def identity(self, clock: Clock, name: str, seed: int) -> str:
        stamp = utc(clock.anchor, clock.now_ns())[:19].replace("-", "").replace(":", "")
        return f"{stamp}Z-{name}-s{seed}-sim"


class Week(msgspec.Struct, frozen=True, kw_only=True):
    """How it went: the run's result, the evidence as it was gathered, what was printed, the seconds it lasted."""

    plan: Scenario
    run: Result
    rows: tuple[Row, ...]
    printed: str
    virtual_s: float
    folder: Path

    @property
    def criteria(self) -> tuple[Judgement, ...]:
        """The scenario's."""
        return tuple(each for each in self.run.judgements if each.kind in (Kind.CRITERION, Kind.ROLLBACK_LIMIT))

    @property
    def checks(self) -> tuple[Judgement, ...]:
        """What was looked at beside them."""
        return tuple(each for each in self.run.judgements if each.kind is Kind.CHECK)

    @property
    def told(self) -> dict[str, Judgement]:
        """Every criterion and check, by id."""
        return {each.id: each for each in (*self.criteria, *self.checks)}

    @property
    def observed(self) -> ObservedWindow:
        """What the events say."""
        return observed([row for row in self.rows if isinstance(row, EventRow)])

    @property
    def window(self) -> Window:
        """The measured stretch."""
        return self.observed.window

    @property
    def switch_over(self) -> SwitchOver | None:
        """The switch of a roll back."""
        return switched_of(self.plan, self.rows, self.observed)

    @property
    def ended(self) -> tuple[Decision | None, int | None]:
        """Decision and exit status."""
        return self.run.decision, self.run.exit_status

    @property
    def why(self) -> str:
        """For a test that fails."""
        lines = [f"{each.id}: {each.verdict}; {each.reason}" for each in self.run.judgements]
        return "\n".join((str(self.run.decision), *lines, *self.run.facts.errors))

    def bytes(self) -> bytes:
        """Everything that is to repeat: the evidence as it was gathered, and the result."""
        return b"\n".join(msgspec.json.encode(each) for each in (*self.rows, self.run))


def options_of(folder: Path, name: str, *, seed: int) -> Options:
    """What ``--on sim`` resolves to, with reports in ``folder``."""
    return Options(
        rung=EnvironmentKind.SIM,
        rung_reason="as asked",
        target=bundled(),
        seed=seed,
        reports=folder,
        manifests=overlay(EnvironmentKind.SIM),
        replay=f"python -m harness run {name} --on sim --seed {seed}",
    )


def week(
    folder: Path,
    scenario: Scenario,
    *,
    seed: int = 1,
    planted: PlantedFaults = PlantedFaults(),  # noqa: B008 - frozen
    faults: tuple[Fault, ...] = (),
) -> Week:
    """Runs ``scenario`` below ``folder``, which is new."""
    plan = msgspec.structs.replace(scenario, faults=faults)
    options = options_of(folder, scenario.name, seed=seed)
    printed = io.StringIO()

    time = VirtualClock()
    run = time.run(Runner(REHEARSAL, plan, options, time, Progress(time, printed), environment=Named(planted)).run())
    virtual_s = (time.now_ns() - time.anchor.monotonic_ns) / NS
    rows = tuple(read_rows(folder / run.run_id / EVIDENCE))
    return Week(
        plan=plan, run=run, rows=rows, printed=printed.getvalue(), virtual_s=virtual_s, folder=folder / run.run_id
    )
