"""What a load process is told: one JSON file, checked before anything is sent."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import msgspec

from harness.base.clock import Anchor
from harness.base.errors import NOT_JSON, BadInput
from harness.base.private import write_private
from harness.model.flag import FLAG
from harness.model.scenario import MOST_DURATION_S, MOST_USERS, MOST_WORKERS, PopulationPlan, ProbePlan
from harness.model.stack import LOAD_TO, PARTS, Address, Endpoints

LOOPBACK = "127.0.0.1"  # load goes nowhere else, but in a pod of the run's own Job
INDEX = "JOB_COMPLETION_INDEX"  # which Kubernetes gives the pods of an Indexed Job
ADMISSION_LIMIT_S = 240.0  # of a machine that many share; a quiet one takes 5


class Offline(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``user``'s phone has no network from ``from_s`` to ``to_s`` after the origin: nothing is sent, all is kept."""

    user: str
    from_s: float
    to_s: float


class ProcessPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What any process of a load is told. ``anchor`` ties the clocks and is the time that the walks' contents count
    from; ``spool`` is where its evidence grows. The machine's monotonic clock is ``clock_ahead_ns`` ahead of the run's;
    worker ``worker`` of ``workers`` (0-based) makes its share of the load."""

    run_id: str
    seed: int
    endpoints: Endpoints
    anchor: Anchor
    spool: str = ""
    request_timeout_s: float = 10.0
    clock_ahead_ns: int = 0
    worker: int = 0
    workers: int = 1

    def check(self) -> None:
        """Raises ``BadInput`` for a load without bounds."""
        within("workers", self.workers, 1, MOST_WORKERS)
        within("worker", self.worker, 0, self.workers - 1)
        within("request_timeout_s", self.request_timeout_s, 0.05, 60)


P = TypeVar("P", bound=ProcessPlan)


class LoadPlan(ProcessPlan, frozen=True, kw_only=True):
    """The plan of a population and of its probes, which themselves refuse more load than there may be."""

    population: PopulationPlan
    probes: ProbePlan
    max_duration_s: float = MOST_DURATION_S
    flag: str = FLAG
    offline: tuple[Offline, ...] = ()

    def check(self) -> None:
        """Raises ``BadInput`` for a load without bounds."""
        super().check()
        population, probes = self.population, self.probes
        within("population.users", population.users, self.workers, MOST_USERS)
        for earlier, later in pairwise(population.stretches):
            if later.at_s <= earlier.at_s:
                raise BadInput(f"a step at {later.at_s:g} s follows {earlier.at_s:g} s", where="the load plan")
        within("population.fetch_interval_s", population.fetch_interval_s, 0, float("inf"))
        within("probes.timeout_s", probes.timeout_s, 0.05, 60)
        within("max_duration_s", self.max_duration_s, 0.1, MOST_DURATION_S)
        for audience in population.audiences:
            within(f"audience {audience.name}: flag_on", audience.flag_on, 0, audience.users)


def within(what: str, value: float, least: float, most: float, *, where: str = "the load plan") -> None:
    """Raises ``BadInput`` for a ``value`` that is not."""
    if not least <= value <= most:
        raise BadInput(f"{what} is {value:g}, not within {least:g}..{most:g}", where=where)


def own() -> dict[str, Address]:
    """Where load may go besides this machine, by name: in a pod of the run's Job what its manifest names, else nowhere.

    Raises ``BadInput`` for a manifest that does not read.
    """
    if LOAD_TO not in os.environ or INDEX not in os.environ:
        return {}
    try:
        return msgspec.json.decode(os.environ[LOAD_TO], type=dict[str, Address])
    except NOT_JSON as error:
        raise BadInput(f"the Job's manifest does not say where load goes: {error}", where=LOAD_TO) from error


def check(plan: ProcessPlan) -> None:
    """Raises ``BadInput`` when the plan would send anywhere but to this machine, or to what ``own`` names, or without
    bounds."""
    allowed = own()
    for name in ("service", *PARTS):
        address = getattr(plan.endpoints, name)
        if address is not None and address.host != LOOPBACK and address != allowed.get(name):
            raise BadInput(
                f"load is only ever sent to {LOOPBACK}",
                where=f"endpoints.{name}: {address}",
                remedy="give the address of the local stack, or of a port forward on this machine",
            )
    plan.check()


def write(plan: ProcessPlan, path: Path) -> None:
    """Checks and writes the plan, for this user alone: its endpoints have the database's password."""
    check(plan)
    write_private(path, msgspec.json.format(msgspec.json.encode(plan)))


def read(path: Path, kind: type[P]) -> P:
    """The plan of ``path``. Raises ``BadInput``."""
    try:
        plan = msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, *NOT_JSON) as error:
        raise BadInput(f"the load plan cannot be read: {error}", where=str(path)) from error
    check(plan)
    return plan
