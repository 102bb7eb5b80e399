"""A step measured in virtual time, by a generator made by hand."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import asyncpg
import psutil
import pytest

from harness.base.clock import NS, Anchor
from harness.base.virtual import VirtualLoop
from harness.load.population.arrivals import due_of_step
from harness.model.evidence import EventRow, Operation, Outcome, RequestRow, Side
from harness.model.judgement import Verdict
from harness.model.message import english
from harness.model.scenario import Arrivals, Step
from harness.model.stack import Address, Endpoints
from harness.rehearsals.load_stages import rehearsal
from harness.rehearsals.load_stages.facts import result_of
from harness.rehearsals.load_stages.rehearsal import Measuring
from harness.rehearsals.load_stages.types import MadeStep, StepResult
from harness.rules.ledger import Ledger
from harness.stack.state import MARKER, PART_MARKER
from tests.stages.made import PLAN, RULES

MS = 1_000_000
BEGUN_S = 1
ADDRESS = Address(host="127.0.0.1", port=1)
ENDPOINTS = Endpoints(
    service=ADDRESS, auth=ADDRESS, firestore=ADDRESS, remote_config=ADDRESS, database=ADDRESS, storage=ADDRESS
)  # fmt: skip
STEP = Step(name="in_flight_10", arrivals=Arrivals.CLOSED, in_flight=10, users=1000, seconds=15)


class LoopClock:
    """The event loop's own time."""

    anchor = Anchor(monotonic_ns=0, unix_ns=0)

    def now_ns(self) -> int:
        return round(asyncio.get_running_loop().time() * NS)

    def wall_ns(self) -> int:
        return self.now_ns()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Generator:
    """Uses ``cores`` while the step lasts, ``before`` until then; its last answer is in ``straggles_s`` after it."""

    def __init__(self, ledger: Ledger, *, cores: float, before: float = 0.0, straggles_s: float) -> None:
        self._clock = LoopClock()
        self._ledger = ledger
        self._cores, self._before, self._straggles_s = cores, before, straggles_s
        self._begun_ns, self._origin_ns = BEGUN_S * NS, BEGUN_S * NS

    async def step(self, step: Step, origin_ns: int) -> None:
        self._origin_ns = origin_ns
        due_ns = due_of_step(step, 0, origin_ns) or [origin_ns + number * 30 * MS for number in range(400)]
        for number, at_ns in enumerate(due_ns):
            self._ledger.add(answered(number, at_ns))
        end_ns = origin_ns + round((step.seconds + self._straggles_s) * NS)
        await asyncio.sleep((end_ns - self._clock.now_ns()) / NS)

    def cpu_s(self) -> dict[str, float]:
        now_ns = self._clock.now_ns()
        before_s = (min(now_ns, self._origin_ns) - self._begun_ns) / NS
        within_s = min(max(now_ns - self._origin_ns, 0) / NS, STEP.seconds)
        return {"worker-0": self._before * before_s + self._cores * within_s}


class Evidence:
    """A collector without spools. ``later`` is gathered one by one."""

    def __init__(self, ledger: Ledger, later: list[EventRow]) -> None:
        self.ledger = ledger
        self.events: list[EventRow] = []
        self._later = later

    def gather(self) -> None:
        """All else is there."""
        self.events += self._later[:1]
        del self._later[:1]


def answered(number: int, due_ns: int) -> RequestRow:
    return RequestRow(
        operation_id=str(number), user=f"u{number}", audience="general", side=Side.API, operation=Operation.LIST_WALKS,
        due_ns=due_ns, sent_ns=due_ns, done_ns=due_ns + 20 * MS, status=200, outcome=Outcome.OK,
        acknowledged=False, payload_digest="", flag=True, walk_id="", pod="",
    )  # fmt: skip


def measured(
    monkeypatch: pytest.MonkeyPatch, step: Step = STEP, told: list[EventRow] | None = None, **generator: float
) -> StepResult:
    async def refused(**_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncpg, "connect", refused)
    ledger = Ledger()
    loop = VirtualLoop(BEGUN_S)
    try:
        load = cast(Any, Generator(ledger, **generator))
        evidence = cast(Any, Evidence(ledger, told or []))
        measuring = Measuring(load, evidence, ENDPOINTS, LoopClock(), dict)
        made: MadeStep = loop.run_until_complete(measuring.step(step, 2))
        return result_of(made, ledger, PLAN, RULES, 0)
    finally:
        loop.close()


class Asked:
    """A PostgreSQL of a hundred connections, three of which only a superuser gets."""

    async def fetchval(self, text: str) -> int:
        if "superuser_reserved_connections" in text:
            return 97
        return 18 if "pg_stat_activity" in text else 100

    async def close(self) -> None:
        pass


def test_the_connections_that_the_database_keeps_for_superusers_are_none_of_the_pools(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nine of each of eleven pods are two more than it lets in, and fewer than its hundred."""

    async def connected(**_: object) -> Asked:
        return Asked()

    monkeypatch.setattr(asyncpg, "connect", connected)
    measuring = Measuring(cast(Any, None), cast(Any, None), ENDPOINTS, LoopClock(), dict)
    loop = VirtualLoop(BEGUN_S)
    try:
        assert loop.run_until_complete(measuring._most_connections(2.0)) == (18, 97)
    finally:
        loop.close()


def used_at(now_s: float, works_s: float) -> dict[int, float]:
    """Of a process that works so long, and of one that had used a minute and is gone after half a second."""
    return {1: min(now_s, works_s)} | ({2: 60.0} if now_s < 0.5 else {})


@pytest.mark.parametrize(
    ("works_s", "lasts_s"),
    [(0.0, 1), (3.5, 4), (99.0, 10)],  # a second of rest ends it; what never rests is waited for to the limit
)
def test_a_step_is_settled_once_the_stack_rests_whatever_the_machine_does(
    monkeypatch: pytest.MonkeyPatch, works_s: float, lasts_s: int
) -> None:
    """Of two cores one works for the stack; the machine itself is never idle."""
    monkeypatch.setattr(psutil, "cpu_count", lambda: 2)
    monkeypatch.setattr(psutil, "cpu_percent", lambda: 100.0)
    loop = VirtualLoop(BEGUN_S)
    try:
        measuring = Measuring(
            cast(Any, None), cast(Any, None), ENDPOINTS, LoopClock(), lambda: used_at(loop.time() - BEGUN_S, works_s)
        )
        loop.run_until_complete(measuring.settle())
        assert loop.time() - BEGUN_S == pytest.approx(lasts_s)
    finally:
        loop.close()


class Process:
    """One of this machine. ``used_s``: as user, for the system, and its ended children's in the same order."""

    def __init__(self, pid: int, parent: int, environment: dict[str, str], *used_s: float, gone: bool = False) -> None:
        self.pid, self._parent, self._environment, self._used_s, self._gone = pid, parent, environment, used_s, gone

    def status(self) -> str:
        return psutil.STATUS_RUNNING

    def ppid(self) -> int:
        return self._parent

    def environ(self) -> dict[str, str]:
        return self._environment

    def cpu_times(self) -> Any:
        if self._gone:
            raise psutil.NoSuchProcess(self.pid)
        names = ("user", "system", "children_user", "children_system")
        return SimpleNamespace(**dict(zip(names, self._used_s, strict=True)))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run's pods and PostgreSQL, whose own process shows no environment, another run's part, and what is no part."""
    run = {MARKER: "a-run"}
    found = [
        Process(2_000_001, 1, run | {PART_MARKER: "pod-1"}, 2.0, 0.5, 0.0, 0.0),
        Process(2_000_002, 1, run | {PART_MARKER: "pod-2"}, gone=True),
        Process(2_000_003, 1, run, 9.0, 9.0, 9.0, 9.0),  # the load
        Process(2_000_004, 1, run | {PART_MARKER: "postgres"}, 1.0, 0.0, 0.25, 0.125),
        Process(2_000_005, 2_000_004, {}, 4.0, 1.0, 0.0, 0.0),
        Process(2_000_006, 1, {"PATH": "/bin"}, 9.0, 9.0, 9.0, 9.0),
        Process(2_000_007, 1, {MARKER: "b-run", PART_MARKER: "pod-1"}, 3.0, 0.0, 0.0, 0.0),
    ]
    monkeypatch.setattr(psutil, "process_iter", lambda: iter(found))


@pytest.mark.usefixtures("machine")
def test_what_a_stack_used_is_its_parts_and_nothing_else() -> None:
    assert rehearsal.used_by("a-run") == {2_000_001: 2.5, 2_000_004: 1.375, 2_000_005: 5.0}
    assert rehearsal.used_by("b-run") == {2_000_007: 3.0}
    assert rehearsal.used_by("another") == {}


def test_a_straggler_does_not_hide_that_the_generator_was_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """One core for 15 s is one core, though an answer was awaited for 10 s more: 15 s in 25 s are 0.6."""
    result = measured(monkeypatch, cores=1.0, straggles_s=10)
    assert result.figures.generator_cpu_cores == pytest.approx(1.0, abs=0.01)
    assert result.verdict is Verdict.INCONCLUSIVE and "1.00 of a core" in english(result.told)


def test_what_was_used_before_the_step_is_not_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections are opened anew before it, which costs a second or two."""
    reopened = Step(name="knee_2_1", arrivals=Arrivals.POISSON, rate_per_s=30, users=1000, seconds=15, reopen=True)
    result = measured(monkeypatch, reopened, cores=0.3, before=1.0, straggles_s=0)
    assert result.figures.generator_cpu_cores == pytest.approx(0.3, abs=0.01)
    assert result.verdict is Verdict.PASS


def test_a_step_whose_last_answer_came_early_lasts_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    result = measured(monkeypatch, cores=0.5, straggles_s=-5)
    assert result.figures.generator_cpu_cores == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("by_worker", "uploaded", "verdict"),
    [
        ([(15, 0, 0), (15, 0, 0)], 30, Verdict.PASS),
        ([(15, 0, 0), (5, 6, 4)], 20, Verdict.INCONCLUSIVE),  # failed, and put off
        ([(15, 0, 0)], 15, Verdict.INCONCLUSIVE),  # one worker never told
    ],
)
def test_photos_count_once_every_worker_has_told_of_its_own(
    monkeypatch: pytest.MonkeyPatch, by_worker: list[tuple[int, int, int]], uploaded: int, verdict: Verdict
) -> None:
    beside = Step(
        name="knee_2_photos_1", arrivals=Arrivals.POISSON, rate_per_s=30, users=1000, seconds=15, photos_per_s=2
    )
    told = [
        EventRow(
            at_ns=0,
            kind="storage",
            subject="photos",
            message="",
            data=dict(zip(("uploaded", "failed", "put_off"), each, strict=True)) | {"step": beside.name},
        )
        for each in by_worker
    ]
    result = measured(monkeypatch, beside, told, cores=0.3, straggles_s=0)
    assert (result.figures.photos_uploaded, result.figures.photos_due) == (uploaded, 30)
    assert result.verdict is verdict
