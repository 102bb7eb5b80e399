"""The load stages: the document's loads, and the search for the knee, on a real stack.

The steps of the load stages, made on a stack: what each leaves is a fact for the judge.
One step made and measured: the load, and what is read of the machine and the database beside it.
Apache Bench as the document names it: N requests, C at once, one token. ``ab`` itself where this machine has it
(Debian's apache2-utils), else a stand-in that does the same, and is called one.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import asyncpg
import msgspec
import numpy as np
import psutil
from hdrh.histogram import HdrHistogram

from harness.base.clock import NS, Clock, polling
from harness.base.errors import RehearsalError
from harness.base.units import Unit
from harness.checks.read_facts import READS_EXPECTED
from harness.evidence.store import Collector
from harness.load.rest import answered, exchange
from harness.load.stages.admit import StepUsers
from harness.load.stages.process import StageProcesses
from harness.model.evidence import Side
from harness.model.judgement import Expected, Judgement, Verdict
from harness.model.manifests import Manifests
from harness.model.message import Message, joined, message, quantity
from harness.model.result import RunInfo
from harness.model.scenario import Arrivals, Step
from harness.model.section import Axis, Chart, Limit, Pairs, Point, Section, Series, Style
from harness.model.stack import Address, Capability, Endpoints
from harness.rehearsals.load_stages.facts import (
    AB,
    PHRASES,
    Knee,
    expected,
    facts,
    knee,
    knees_of,
    next_rate,
    of_bench,
    result_of,
)
from harness.rehearsals.load_stages.facts_steps import photos_due, window_of
from harness.rehearsals.load_stages.types import (
    Benched,
    BenchPlan,
    LoadStagesDetails,
    LoadStagesPlan,
    MadeStep,
    PhotosPlan,
    StepResult,
    sized,
)
from harness.report.words import VERDICT
from harness.rules.figures import latencies_ms
from harness.rules.ledger import Calls, Window
from harness.rules.rule import Fact, Rules
from harness.run.context import Options, RunContext
from harness.run.parts import answers
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.stack.firebase.rest import sign_up
from harness.stack.manifests.change import without_autoscaler
from harness.stack.manifests.quantity import limits_factor, scaled
from harness.stack.protocol import StackNeeds
from harness.stack.state import MARKER, PART_MARKER, marked

# What the page of the load stages shows besides its judgements: the knees as a picture.


def sections_of(plan: LoadStagesPlan, steps: Sequence[StepResult], knee_cpu_factor: float) -> Iterator[Section]:
    """All of the page."""
    yield Pairs(pairs=((message("Limits"), limits_words(plan)),))
    if knee_cpu_factor != 1 and plan.knee.pods:
        factor = message("CPU limits for the knees were multiplied by")
        yield Pairs(pairs=((factor, f"{knee_cpu_factor:.3f}"),), differs=True)
    found = chart(plan, steps)
    if found is not None:
        yield found


def limits_words(plan: LoadStagesPlan) -> Message:
    """What a step has to keep."""
    latency, errors = quantity(plan.p95_limit_ms, Unit.MILLISECONDS), quantity(plan.error_limit, Unit.RATIO)
    return message("p95 below {latency}, errors below {errors}", latency=latency, errors=errors)


# -- the knees -----------------------------------------------------------------------------------------------------


def chart(plan: LoadStagesPlan, steps: Sequence[StepResult]) -> Chart | None:
    """p95 against the offered rate, one line a number of pods; ``None`` when no knee was searched."""
    searched = [s for s in steps if s.step.of_search and not s.step.photos_per_s and s.figures.latency_p95_ms]
    if not searched:
        return None
    pods = sorted({each.pods for each in searched})
    return Chart(
        title=message("p95 against the offered rate"),
        x=Axis(label=message("offered requests/s"), logarithmic=True),
        y=Axis(label=message("p95 latency"), unit=Unit.MILLISECONDS, logarithmic=True),
        series=tuple(_line(count, [each for each in searched if each.pods == count]) for count in pods),
        text=(
            message(
                "p95 from when each request was due, against the rate offered. Filled: within the limits. "
                "The dashed line is the limit."
            ),
        ),
        limits=(Limit(label=message("p95 limit"), at=plan.p95_limit_ms),),
    )


def _line(pods: int, tries: Sequence[StepResult]) -> Series:
    """The rates tried with one number of pods, ascending."""
    ascending = sorted(tries, key=_rate)
    return Series(
        name=message("{pods} pods", pods=str(pods)),
        points=tuple(_point(rate, list(its)) for rate, its in itertools.groupby(ascending, key=_rate)),
        style=Style.LINE,
    )


def _point(rate: float, tries: Sequence[StepResult]) -> Point:
    """A rate lies where it was kept, else where its last try was; its note tells of each try."""
    shown = next((each for each in tries if each.verdict is Verdict.PASS), tries[-1])
    told = "; ".join(f"p95 {each.figures.latency_p95_ms:.0f} ms, {each.verdict}" for each in tries)
    return Point(
        x=rate, y=shown.figures.latency_p95_ms, note=f"{rate:.1f}/s: {told}", hollow=shown.verdict is not Verdict.PASS
    )


def _rate(result: StepResult) -> float:
    return result.step.rate_per_s


class StageActs:
    """The steps on a stack that is up with ``manifests``; ``rules`` say whether one was kept."""

    def __init__(
        self, plan: LoadStagesPlan, on: RunContext[LoadStagesDetails], manifests: Manifests, rules: Rules
    ) -> None:
        self._plan = plan
        self._on = on
        self._manifests = manifests
        self._rules = rules
        self._measuring: Measuring | None = None

    async def admit(self) -> None:
        """Signs the accounts in."""
        plan, on = self._plan, self._on
        users = StepUsers(
            on,
            seed=on.options.seed,
            accounts=plan.accounts,
            workers=plan.workers,
            request_timeout_s=plan.request_timeout_s,
        )
        load = await users.load()
        on.mark("admitted")
        self._measuring = Measuring(load, on.evidence, on.stack.endpoints(), on.clock, self._used_s)

    def _used_s(self) -> dict[int, float]:
        """The seconds of CPU that are looked at while what a step left is worked off, by process id."""
        on = self._on
        on_a_cluster = Capability.REAL_KUBERNETES in on.stack.capabilities
        return used_on_this_machine() if on_a_cluster else used_by(on.run_id)

    @property
    def measuring(self) -> Measuring:
        """What makes the steps, once the accounts are signed in."""
        assert self._measuring is not None, "nobody is signed in yet"
        return self._measuring

    async def step(self, step: Step, pods: int) -> StepResult:
        """Makes a step, and tells what it came to."""
        on = self._on
        on.evidence.event(on.clock.now_ns(), "phase", "step", step.name, pods=pods)
        on.begin(message("{step}, {pods} pods", step=step.name, pods=str(pods)), lasts_s=step.seconds)
        made = await self.measuring.step(step, pods)
        on.details.made.append(made)
        result = result_of(made, on.evidence.ledger, self._plan, self._rules, on.options.seed)
        on.say(
            message(
                "{step}, {pods} pods: {offered}/s offered, {answered}/s answered, {verdict}: {why}",
                step=step.name,
                pods=str(pods),
                offered=f"{result.figures.offered_per_s:.1f}",
                answered=f"{result.figures.answered_per_s:.1f}",
                verdict=Message(text=VERDICT[result.verdict]),
                why=joined(result.told),
            )
        )
        await self.measuring.settle()
        return result

    async def knees(self) -> None:
        """A search for each number of pods; of the first once more while photos are uploaded."""
        on, plan, factor = self._on, self._plan.knee, self._on.details.knee_cpu_factor
        if plan.pods and factor != 1:
            on.say(
                message(
                    "for the knees CPU requests and limits are multiplied by {factor}: the pods together get {share} "
                    "% of the machine",
                    factor=f"{factor:.3f}",
                    share=f"{plan.cpu_share * 100:g}",
                )
            )
            await on.stack.apply(scaled(self._manifests, factor / on.stack.cpu_factor, raw=True))
        for pods in plan.pods:
            await self._knee(pods)
        if plan.photos is not None and plan.pods:
            await self._knee(plan.pods[0], plan.photos)

    async def _knee(self, pods: int, photos: PhotosPlan | None = None) -> None:
        on, plan = self._on, self._plan
        on.begin(message("scaling to {count} pods", count=str(pods)))
        await on.stack.scale(pods)
        await self._warm_up(pods)
        photos_per_s = 0.0 if photos is None else photos.rate_per_s
        tried: list[StepResult] = []
        while (rate := next_rate(plan.knee, plan.capacity.rate_per_s, tried)) is not None:
            step = Step(
                name=f"knee_{pods}_{'photos_' if photos_per_s else ''}{len(tried) + 1}",
                arrivals=Arrivals.POISSON,
                rate_per_s=rate,
                users=plan.accounts,
                seconds=plan.knee.step_s,
                photos_per_s=photos_per_s,
                photo_bytes=0 if photos is None else photos.bytes,
            )
            tried.append(await self.step(step, pods))
        found = knee(plan.knee, pods, photos_per_s, tried, on.details.knee_cpu_factor)
        on.say(message("knee of {pods} pods: {why}", pods=str(pods), why=joined(found.words)))

    async def _warm_up(self, pods: int) -> None:
        seconds, users, on = self._plan.knee.warm_up_s, self._plan.accounts, self._on
        step = Step(
            name=f"warm_up_{pods}",
            arrivals=Arrivals.EVEN,
            rate_per_s=users / seconds,
            users=users,
            seconds=seconds,
            reopen=True,
        )
        on.evidence.event(on.clock.now_ns(), "phase", "step", step.name, pods=pods)
        await self.measuring.unjudged(step)
        await self.measuring.settle()


LEAD_S = 0.5
REOPEN_LEAD_S = 3.0  # for a thousand connections to pods that may have little CPU
#: Between steps, what the last one left in queues (the mirror's too) is worked off: at least and at most so long, until
#: what works it off keeps the machine no busier than this.
SETTLE_S, SETTLE_MOST_S, SETTLED = 1.0, 10.0, 0.3
#: The event that a worker tells of its photos, and how long after the requests it may come: an upload's own limit.
PHOTOS, PHOTOS_MOST_S = ("storage", "photos"), 25.0
_MOST_LATENCY_US = 120_000_000
_DATABASE_EVERY_S = 1.0


class Measuring:
    """Makes steps on a stack whose evidence ``collector`` gathers; ``used_s``: the seconds of CPU that each of
    its processes has used, by process id."""

    def __init__(
        self,
        load: StageProcesses,
        collector: Collector,
        endpoints: Endpoints,
        clock: Clock,
        used_s: Callable[[], Mapping[int, float]],
    ) -> None:
        self._load = load
        self._collector = collector
        self._endpoints = endpoints
        self._clock = clock
        self._used_s = used_s

    async def unjudged(self, step: Step) -> None:
        """Makes the load alone. Raises what ended it."""
        await self._load.step(step, self._clock.now_ns() + round(_lead_s(step) * NS))

    async def step(self, step: Step, pods: int) -> MadeStep:
        """The step as it was made; its requests are in evidence. Raises what ended the load."""
        lead_s = _lead_s(step)
        origin_ns = self._clock.now_ns() + round(lead_s * NS)
        window = window_of(origin_ns, step.seconds)
        cpu = asyncio.ensure_future(self._cpu(window))
        connections = asyncio.ensure_future(self._most_connections(step.seconds + lead_s))
        try:
            await self._load.step(step, origin_ns)
            generator, machine = await cpu
            most, limit = await connections
        finally:
            cpu.cancel()
            connections.cancel()
        uploaded = await self._photos(step)
        self._collector.gather()
        return MadeStep(
            step=step,
            pods=pods,
            start_ns=window.start_ns,
            generator_cpu_cores=generator,
            machine_cpu_ratio=machine,
            database_connections=most,
            database_limit=limit,
            photos_uploaded=uploaded,
            histogram=histogram(self._collector.ledger.requests_due(window, Side.API)),
        )

    async def _photos(self, step: Step) -> int:
        """How many were uploaded, once all workers have told it; a worker tells it when its last upload has ended."""
        again = polling(self._clock, limit_s=PHOTOS_MOST_S, every_s=SETTLE_S)
        while True:
            self._collector.gather()
            events = self._collector.events
            told = [e.data for e in events if (e.kind, e.subject, e.data.get("step")) == (*PHOTOS, step.name)]
            ended = sum(each["uploaded"] + each["failed"] + each["put_off"] for each in told)
            if ended >= photos_due(step) or self._endpoints.storage is None or not await again():
                return sum(each["uploaded"] for each in told)

    async def settle(self) -> None:
        """Returns when the stack is nearly idle; on one that never is, after ``SETTLE_MOST_S``.

        A process that has ended works no more: what it had used is no rest of the others.
        """
        give_up_ns = self._clock.now_ns() + round(SETTLE_MOST_S * NS)
        while True:
            begun_ns, before = self._clock.now_ns(), self._used_s()
            await self._clock.sleep(SETTLE_S)
            worked_s = sum(used_s - before.get(process, 0.0) for process, used_s in self._used_s().items())
            cores = worked_s * NS / (self._clock.now_ns() - begun_ns)
            if cores <= SETTLED * (psutil.cpu_count() or 1) or self._clock.now_ns() >= give_up_ns:
                return

    async def _cpu(self, window: Window) -> tuple[float, float]:
        """The busiest worker's cores, and the share of the machine's, within the window alone: answers that are still
        awaited after it cost nothing, and would hide how busy the generator was."""
        await self._until(window.start_ns)
        begun_ns, before = self._clock.now_ns(), self._load.cpu_s()
        psutil.cpu_percent()  # its next call counts from here
        await self._until(window.end_ns)
        machine, used = psutil.cpu_percent() / 100, self._load.cpu_s()
        return _busiest_s(before, used) * NS / (self._clock.now_ns() - begun_ns), machine

    async def _until(self, at_ns: int) -> None:
        await self._clock.sleep(max(0, at_ns - self._clock.now_ns()) / NS)

    async def _most_connections(self, seconds: float) -> tuple[int | None, int | None]:
        """The most connections to the database seen in ``seconds``, and how many it lets the target have; ``None`` when
        it does not let itself be asked."""
        endpoints, most = self._endpoints, 0
        until_ns = self._clock.now_ns() + round(seconds * NS)
        with contextlib.suppress(OSError, asyncpg.PostgresError):
            database = await asyncpg.connect(**endpoints.login)
            try:
                limit = int(await database.fetchval(_LIMIT))
                while self._clock.now_ns() < until_ns:
                    found = await database.fetchval(_CONNECTIONS)
                    most = max(most, int(found))
                    await self._clock.sleep(_DATABASE_EVERY_S)
            finally:
                await database.close()
            return most, limit
        return None, None


def used_by(run_id: str) -> dict[int, float]:
    """Return the CPU time (s) that each process of the run's parts and its ended children have used, by process id.

    PostgreSQL's processes have their titles where their environment was: they are found as children of its first.
    """
    parts = {process.pid for process, told in marked(MARKER, [run_id]) if PART_MARKER in told}
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid in parts or process.ppid() in parts:
                used = process.cpu_times()
                found[process.pid] = used.user + used.system + used.children_user + used.children_system
    return found


def used_on_this_machine() -> dict[int, float]:
    """The seconds of CPU that all of it has used, as one process': which were a cluster's pods it does not tell."""
    times = psutil.cpu_times()
    return {0: float(times.user + times.system)}


def _lead_s(step: Step) -> float:
    return REOPEN_LEAD_S if step.reopen else LEAD_S


_CONNECTIONS = (
    "select count(*) from pg_stat_activity"
    " where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'"
)


#: Without those that PostgreSQL keeps for superusers and, from version 16 on, for others with a role of its own.
_LIMIT = (
    "select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
    " - coalesce(current_setting('reserved_connections', true)::int, 0)"
)


def _busiest_s(before: Mapping[str, float], used: Mapping[str, float]) -> float:
    """The CPU seconds of the worker that used the most of them since ``before``."""
    return max((used[name] - before.get(name, 0.0) for name in used), default=0.0)


def histogram(calls: Calls) -> str:
    """The latencies in microseconds as an HDR histogram (three digits) in its own compressed, base64 form."""
    recorded = HdrHistogram(1, _MOST_LATENCY_US, 3)
    for value in np.clip(np.rint(latencies_ms(calls) * 1000), 1, _MOST_LATENCY_US).astype(np.int64):
        recorded.record_value(int(value))
    encoded = recorded.encode()
    return encoded.decode() if isinstance(encoded, bytes) else base64.b64encode(encoded).decode()


PATH = "/v1/walks"
STAND_IN = "a stand-in for ab"
RATE_LIMITED = 429
_LIMIT_S = 60.0
_COUNTS = {"answered": r"^Complete requests:\s+(\d+)", "not_2xx": r"^Non-2xx responses:\s+(\d+)"}


async def bench(plan: BenchPlan, endpoints: Endpoints) -> Benched | None:
    """One account's requests; ``None`` where it could not be carried out."""
    try:
        token = (await sign_up(endpoints.auth, endpoints.project_id, "apache-bench")).token
    except RehearsalError:
        return None
    program = shutil.which(AB)
    if program is None:
        return await _stand_in(plan, endpoints.service, token)
    found = await _ab(program, plan, endpoints.service, token)
    if found is None:
        return None
    # It tells no status: how the limiter refuses is asked just after.
    after = await asyncio.gather(*(_status(endpoints.service, token) for _ in range(plan.at_once)))
    return msgspec.structs.replace(found, limited=after.count(RATE_LIMITED))


async def _ab(program: str, plan: BenchPlan, service: Address, token: str) -> Benched | None:
    process = await asyncio.create_subprocess_exec(
        program, "-q", "-n", str(plan.requests), "-c", str(plan.at_once), "-H", f"Authorization: Bearer {token}",
        f"http://{service}{PATH}",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_LIMIT_S):
            said, _ = await process.communicate()
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return read(plan, said.decode(errors="replace"))


def read(plan: BenchPlan, said: str) -> Benched | None:
    """What ``ab`` printed; ``None`` where it is no report of it. Pure."""
    found = {name: re.search(pattern, said, re.M) for name, pattern in _COUNTS.items()}
    if found["answered"] is None:
        return None
    counts = {name: int(match[1]) if match else 0 for name, match in found.items()}
    return Benched(program=AB, requests=plan.requests, at_once=plan.at_once, **counts)


async def _stand_in(plan: BenchPlan, service: Address, token: str) -> Benched | None:
    statuses: list[int] = []
    left = iter(range(plan.requests))

    async def ask() -> None:
        for _ in left:
            statuses.append(await _status(service, token))

    try:
        async with asyncio.timeout(_LIMIT_S):  # beyond it a second minute's allowance begins
            await asyncio.gather(*(ask() for _ in range(plan.at_once)))
    except TimeoutError:
        return None
    whole = [status for status in statuses if status]
    return Benched(
        program=STAND_IN,
        requests=plan.requests,
        at_once=plan.at_once,
        answered=len(whole),
        not_2xx=sum(not 200 <= status < 300 for status in whole),
        limited=whole.count(RATE_LIMITED),
    )


async def _status(service: Address, token: str) -> int:
    """Of one request; 0 where it was not answered."""
    return (await answered(exchange(service, "GET", PATH, token, b""), _LIMIT_S)).status


class LoadStages(Rehearsal[LoadStagesPlan, LoadStagesDetails]):
    """The rehearsal: the stages at one number of pods, then a search for each number of pods of the plan."""

    name = "load_stages"
    plan, details = LoadStagesPlan, LoadStagesDetails

    phrases, ruled_by = PHRASES, ("checks", "load_stages")

    def expected(self, plan: LoadStagesPlan, facts: RunInfo) -> Iterator[Expected]:
        """The claims, the erratum of Apache Bench, the knees, and what answers showed the users."""
        yield from expected(plan, bundled=facts.target_bundled)
        yield READS_EXPECTED

    def stack_spec(self, plan: LoadStagesPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """A fixed number of pods: what is measured a pod must not stand on a number that changes."""
        _ = options
        return StackNeeds(manifests=without_autoscaler(manifests, plan.pods))

    async def run(self, plan: LoadStagesPlan, on: RunContext[LoadStagesDetails]) -> None:
        """The stages in order, then the knees."""
        manifests = without_autoscaler(on.manifests, plan.pods)
        on.details.knee_cpu_factor = _knee_cpu_factor(plan, manifests)
        on.details.sized = sized(on.manifests, on.details.knee_cpu_factor)
        await on.up()
        acts = StageActs(plan, on, manifests, self.rules)
        await acts.admit()
        for step in plan.stages:
            await acts.step(step, plan.pods)
        if plan.apache_bench is not None:
            on.phase("apache_bench", message("Apache Bench, with one token"))
            on.details.benched = await bench(plan.apache_bench, on.stack.endpoints())
        on.mark("stages")
        await acts.knees()
        on.mark("knees")

    def measured(self, plan: LoadStagesPlan, seen: RunRecord[LoadStagesDetails]) -> Iterator[Fact]:
        """Of the steps, the knees and Apache Bench, where it is known what the manifests ask for."""
        details = seen.details
        if details.sized is not None:
            steps, knees = self.found(plan, seen)
            yield from facts(plan, steps, knees, details.sized, bundled=seen.facts.target_bundled)
            yield from of_bench(plan, details.benched)

    def checks(self, plan: LoadStagesPlan, seen: RunRecord[LoadStagesDetails]) -> Iterable[Judgement]:
        """What answers showed the users."""
        return answers(seen, plan.accounts, [(each.step, each.start_ns) for each in seen.details.made])

    def found(self, plan: LoadStagesPlan, seen: RunRecord[LoadStagesDetails]) -> tuple[list[StepResult], list[Knee]]:
        """Every step that was made, in its order, and every knee whose search came to its end."""
        ledger, seed = seen.evidence.ledger, seen.facts.seed
        steps = [result_of(made, ledger, plan, self.rules, seed) for made in seen.details.made]
        return steps, knees_of(plan, steps, seen.details.knee_cpu_factor)

    def sections(self, plan: LoadStagesPlan, seen: RunRecord[LoadStagesDetails]) -> Iterable[Section]:
        """The knees as a picture."""
        steps, _ = self.found(plan, seen)
        return sections_of(plan, steps, seen.details.knee_cpu_factor)


def _knee_cpu_factor(plan: LoadStagesPlan, manifests: Manifests) -> float:
    """What CPU is multiplied by so that the most pods together have the plan's share of the machine."""
    share, most = plan.knee.cpu_share, max(plan.knee.pods, default=plan.pods)
    return limits_factor(manifests, (os.cpu_count() or 1) * share, most) if share else 1.0


REHEARSAL = LoadStages()
