"""The users and probes of a population on a stack: admitted, let go, awaited and ended, the one way for all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Coroutine
from pathlib import Path
from typing import Any, Protocol

import msgspec

from harness.base.clock import NS, Clock
from harness.evidence.store import EVIDENCE, Collector, EvidenceStore
from harness.load.plan import ADMISSION_LIMIT_S, LoadPlan, Offline
from harness.load.population.schedule import due_list, probes_due, requests_due
from harness.load.process import LoadPods
from harness.load.protocol import Load
from harness.model.evidence import NOTHING_DUE, Due, DueList, Window
from harness.model.flag import FLAG
from harness.model.message import Message, message
from harness.model.rollout import off_template, rollout_template
from harness.model.scenario import PopulationPlan, ProbePlan, Scenario
from harness.rules.switch_over import SwitchOver, switch_over
from harness.stack.protocol import Stack

_LOOK_EVERY_S = 1.0
LEAD_S = 1.0  # from "go" to the first request, so that no generator begins late


class LoadHost(Protocol):
    """What a load needs of the run that it is put upon."""

    run_id: str
    folder: Path
    clock: Clock
    evidence: Collector

    @property
    def load_pods(self) -> LoadPods | None:
        """What makes the pods of the load, where it comes from the cluster."""
        ...

    @property
    def stack(self) -> Stack:
        """Up."""
        ...

    def load(self, plan: LoadPlan, name: str = "") -> Load:
        """What carries out ``plan`` where the run is; ``name`` tells several of a run apart."""
        ...

    def say(self, *told: Message) -> None:
        """A line for people."""
        ...

    def begin(self, said: Message, *, lasts_s: float = 0.0) -> None:
        """What is under way from now on, for ``lasts_s`` seconds where that is known."""
        ...

    def update_progress(self, *, done: int, of: int) -> None:
        """How it stands: so many of its steps are done."""
        ...

    def run_in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs ``work`` until the rehearsal ends; what it raises ends the rehearsal."""
        ...

    def add_finalizer(self, step: Callable[[], Awaitable[None]]) -> None:
        """``step`` is run before the stack is taken down."""
        ...


class UsersPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Who they are, how long each request may take, and who of them has no network when."""

    population: PopulationPlan
    probes: ProbePlan = ProbePlan()
    request_timeout_s: float = 10.0
    seed: int
    offline: tuple[Offline, ...] = ()


class Users:
    """One population on one stack. ``origin_ns`` is when its schedule began, ``None`` before.

    ``evidence`` is the run's; of a population that is not the only one of its run, which has the same users' names,
    one of its own in the folder ``apart`` of the run's.
    """

    def __init__(self, host: LoadHost, plan: UsersPlan, *, apart: str = "") -> None:
        self._host = host
        self._plan = plan
        self._apart = apart
        self.evidence = _apart_from(host, apart) if apart else host.evidence
        self._load: Load | None = None
        self.origin_ns: int | None = None

    async def admit(self) -> None:
        """Every account made, signed in, its flag fetched. From now on a part of the load that dies ends the run."""
        host, plan = self._host, self._plan
        host.say(
            message(
                "signing in {users} simulated users, {on} of them on the API",
                users=str(plan.population.users),
                on=str(plan.population.flag_on),
            )
        )
        load_plan = LoadPlan(
            run_id=host.run_id,
            seed=plan.seed,
            population=plan.population,
            probes=plan.probes,
            endpoints=host.stack.endpoints(),
            anchor=host.clock.anchor,
            request_timeout_s=plan.request_timeout_s,
            offline=plan.offline,
        )
        self._load = load = host.load(load_plan, self._apart)
        host.add_finalizer(self.stop)
        await load.start()
        self.evidence.follow(load.spools)
        host.run_in_background(load.watch())
        await load.admitted(ADMISSION_LIMIT_S)

    async def begin(self) -> int:
        """The flag on, everybody signed in and let begin; when the first request is due."""
        await self.set_flag(on=True)
        await self.admit()
        return await self.go()

    async def go(self) -> int:
        """Lets everybody begin; when the first request is due."""
        assert self._load is not None, "nobody is signed in yet"
        self.origin_ns = self._host.clock.now_ns() + round(LEAD_S * NS)
        await self._load.go(self.origin_ns)
        return self.origin_ns

    async def end(self) -> int:
        """Stops once all that is due by now was sent and answered; now. After some timeouts a phone is behind."""
        now_ns = self._host.clock.now_ns()
        await self.answered(Window(start_ns=self.origin_ns or now_ns, end_ns=now_ns))
        await self.stop()
        return now_ns

    async def stop(self) -> None:
        """Requests under way finish or time out; the last answers are gathered. May be called twice."""
        if self._load is not None:
            await self._load.stop()
            self.evidence.gather(last=True)

    def due(self, window: Window) -> DueList:
        """What the schedule has in ``window``; nothing before it began."""
        if self.origin_ns is None:
            return NOTHING_DUE
        plan, start_ns = self._plan, max(window.start_ns, self.origin_ns)
        return due_list(plan, plan.seed, start_ns, window.end_ns, origin_ns=self.origin_ns)

    def probes_due(self, window: Window) -> tuple[Due, ...]:
        """The probes that the plan has in ``window``; none before the load has begun."""
        if self.origin_ns is None:
            return ()
        plan = self._plan
        return probes_due(plan.probes, plan.seed, self.origin_ns, window.start_ns, window.end_ns)

    async def answered(self, window: Window) -> DueList:
        """What the plan has in ``window``, which is over, once all of it is in evidence, and what is due to Firestore,
        or its time to answer has passed: what is then not there will never be.
        """
        due, plan, start_ns = self.due(window), self._plan, self.origin_ns or window.end_ns
        requests = requests_due(plan.population, plan.seed, start_ns, window.end_ns)
        sent = (*(each for each in requests if each.due_ns >= window.start_ns), *due.probes)
        await self.evidence.last_answers(sent, window.end_ns, plan.request_timeout_s + 1)
        return due

    def forget(self) -> None:
        """Lets go of evidence that was kept apart, once it is judged: its file keeps it."""
        self.evidence.store.close()
        self.evidence = self._host.evidence

    async def set_flag(self, *, on: bool, shares: PopulationPlan | None = None) -> int:
        """Publishes the flag for the population's audiences, by its own shares or those of ``shares``, or off for all;
        when it was published (monotonic)."""
        host, population = self._host, shares or self._plan.population
        published_ns = host.clock.now_ns()  # before the publish: no client can have seen it earlier
        version = await host.stack.set_flag(rollout_template(population) if on else off_template())
        share = message("{on} of {users} users", on=str(population.flag_on), users=str(population.users))
        said = message(
            "published version {version}: on for {share}",
            version=str(version),
            share=share if on else message("nobody"),
        )
        users = population.flag_on if on else 0
        self.evidence.event(published_ns, "flag", FLAG, said, version=version, on=users)
        return published_ns

    async def all_back(self, users: Collection[str], published_ns: int, limit_s: float) -> SwitchOver:
        """Awaits ``users`` on Firestore, after the flag was published off: for ``limit_s``, and the answers to then."""
        host, lasts_s = self._host, limit_s + self._plan.request_timeout_s + 1
        until_ns = published_ns + round(lasts_s * NS)
        host.begin(message("rolling back: every client is awaited on Firestore"), lasts_s=lasts_s)
        while True:
            self.evidence.gather()
            found = switch_over(self.evidence.ledger, published_ns, users, limit_s)
            if found.switched == found.clients or host.clock.now_ns() > until_ns:
                return found
            host.update_progress(done=found.switched, of=found.clients)
            await host.clock.sleep(_LOOK_EVERY_S)


def users_of(scenario: Scenario, seed: int) -> UsersPlan:
    """The users and probes of ``scenario``."""
    return UsersPlan(
        population=scenario.population, probes=scenario.probes, request_timeout_s=scenario.request_timeout_s, seed=seed
    )


def _apart_from(host: LoadHost, apart: str) -> Collector:
    (host.folder / apart).mkdir()
    store = EvidenceStore(host.folder / apart / EVIDENCE, host.run_id, host.clock.anchor)

    async def close() -> None:
        store.close()

    host.add_finalizer(close)
    return Collector(store, host.clock)
