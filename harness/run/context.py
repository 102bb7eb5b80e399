"""A run under way, as its rehearsal sees it: the stack, the evidence, the clock, and what runs beside and ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from harness.base.clock import NS, Clock
from harness.base.phase import PhaseRow
from harness.base.progress import Progress
from harness.checks.stores import Stores
from harness.control.probes import ready_after_s
from harness.evidence.failure import cut
from harness.evidence.store import Collector
from harness.load.plan import LoadPlan
from harness.load.process import LoadPods
from harness.load.protocol import Load
from harness.model.evidence import MACHINE, EventRow, SampleRow
from harness.model.judgement import Judgement, Kind
from harness.model.manifests import Manifests
from harness.model.message import Message, joined, message
from harness.model.result import Child, Result
from harness.model.stack import Capability
from harness.report.language import language
from harness.report.outline import counted
from harness.report.words import verdict_id
from harness.run.lifecycle import RunUnderWay, Teardown
from harness.run.options import Options
from harness.stack.protocol import Stack, WithLoadPods

D = TypeVar("D", bound=msgspec.Struct)
GATHER_EVERY_S = 0.25
LOOK_EVERY_S = 5  # at how the machine's processors are shared


class Surroundings(Protocol):
    """What a run under way asks of its environment, which is ``runner.Environment`` or a test's."""

    def child(self, on: RunContext[Any], rehearsal: Any, plan: Any, options: Options) -> RunUnderWay:
        """A run of the sequence ``on``, not yet begun. Raises ``RehearsalError`` where none comes about."""
        ...

    def load(self, on: RunContext[Any], plan: LoadPlan, name: str) -> Load:
        """What carries out ``plan`` on the run's stack, not yet started."""
        ...

    def stores(self, on: RunContext[Any]) -> Stores:
        """The stores of the run's stack, which is up."""
        ...

    def processors(self) -> dict[str, float]:
        """How the machine's processors are shared."""
        ...


class RunContext(Generic[D]):
    """What a rehearsal acts on. ``details`` are its own facts, which it fills in as it goes: what it has learned when
    it breaks is judged. ``manifests`` are those of the run's folder as its rung has them.
    """

    def __init__(
        self, details: D, options: Options, clock: Clock, progress: Progress,
        *, run_id: str, folder: Path, manifests: Manifests, evidence: Collector, publish: Callable[[], None],
        judged: Callable[[str], Iterable[Judgement]], environment: Surroundings, children: list[Child],
    ) -> None:  # fmt: skip
        self.details = details
        self.options = options
        self.clock = clock
        self.progress = progress
        self.language = language(options.lang)
        self.run_id = run_id
        self.folder = folder
        self.manifests = manifests
        self.evidence = evidence
        self.environment = environment
        self.started_ns = clock.now_ns()
        self.timings: dict[str, float] = {}
        self.publish = publish  # writes what there is so far as a result under way
        self.judged = judged
        self.children = children  # the runs of a sequence
        self.cut = False  # one of them was interrupted: no other is to be begun
        self.held: list[Teardown] = []
        self._stack: Stack | None = None
        self._watchers: list[Callable[[EventRow | SampleRow], None]] = []
        self._beside: list[asyncio.Task[None]] = []
        self._watching: asyncio.Task[None] | None = None
        self._whole = False  # the rehearsal came to its end
        self._endings: list[Callable[[], Awaitable[None]]] = []
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def stack(self) -> Stack:
        """The run's stack. Raises ``RuntimeError`` where ``stack_spec`` asked for none."""
        if self._stack is None:
            raise RuntimeError("the rehearsal asked for no stack")
        return self._stack

    @property
    def stores(self) -> Stores:
        """The stores of the stack, which is up."""
        return self.environment.stores(self)

    @property
    def load_pods(self) -> LoadPods | None:
        """What makes the pods of the load, of a run whose load comes from the cluster."""
        if not self.options.load_from_cluster:
            return None
        assert isinstance(self.stack, WithLoadPods), "every cluster makes pods for the load"
        return self.stack.start_load

    def load(self, plan: LoadPlan, name: str = "") -> Load:
        """What carries out ``plan`` on the stack, not yet started; ``name`` tells several of a run apart."""
        return self.environment.load(self, plan, name)

    def say(self, *told: Message) -> None:
        """A line on the terminal that stays."""
        self.progress(self.language.told(told, ""))

    def print_verdict(self, *found: Judgement) -> None:
        """A line on the terminal for each that is not good: its verdict, what was judged, and why; and how many of the
        others there are, which the end of the run does not name either."""
        for each in (each for each in found if not each.verdict.good):
            self.say(
                message(
                    "{verdict}: {what}: {why}",
                    verdict=Message(text=verdict_id(each)),
                    what=each.id if each.kind is Kind.CHECK else each.claim or each.id,
                    why=joined(each.told),
                )
            )
        if others := counted((each for each in found if each.verdict.good), self.language):
            self.progress(others)

    def part_over(self, name: str) -> None:
        """A line for each judgement on a part that has ended, by what is in evidence until now."""
        self.print_verdict(*self.judged(name))

    def begin(self, said: Message, *, lasts_s: float = 0.0, of: int = 0) -> None:
        """What is under way on the terminal from now on: for ``lasts_s`` seconds, or ``of`` steps, where known."""
        self.progress.begin(self.language.message(said), lasts_s=lasts_s, of=of)

    def update_progress(self, *told: Message, rows: Sequence[PhaseRow] = (), done: int = 0, of: int = 0) -> None:
        """How it stands: in words, as a table below it, or as the ``done`` of its steps."""
        self.progress.live(self.language.told(told, ""), rows, done=done, of=of)

    def mark(self, name: str) -> None:
        """Notes the seconds since the run began."""
        self.timings[name] = (self.clock.now_ns() - self.started_ns) / NS

    def phase(self, subject: str, said: Message, *, lasts_s: float = 0.0, **data: int | str) -> None:
        """A phase begins: an event of the evidence, and what is under way on the terminal."""
        self.evidence.event(self.clock.now_ns(), "phase", subject, said, **data)
        self.begin(said, lasts_s=lasts_s)

    async def up(self) -> None:
        """Brings the stack up; whatever it tells is evidence from now on."""
        self.phase("stack", message("bringing the stack up"))
        self._watching = asyncio.ensure_future(self._watch())  # until the endings are over
        self._watching.add_done_callback(self._ended)
        self.run_in_background(self._look_at_processors())
        begun_ns = self.clock.now_ns()
        await self.stack.up()
        self.mark("stack_up")
        if Capability.REAL_PROCESSES in self.stack.capabilities:  # else no pod waits for its probes
            containers = self.manifests.deployment.template.containers
            self.timings["brought_up"] = (self.clock.now_ns() - begun_ns) / NS
            self.timings["probes_ask"] = max(ready_after_s(each.startup, each.readiness) for each in containers)
        self.say(message("the stack is up"))

    def on_event(self, watcher: Callable[[EventRow | SampleRow], None]) -> None:
        """``watcher`` is told of each row of the stack's own, once it is evidence."""
        self._watchers.append(watcher)

    def run_in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs ``work`` until the rehearsal ends; what it raises ends the rehearsal."""
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._ended)
        self._beside.append(task)

    def add_finalizer(self, step: Callable[[], Awaitable[None]]) -> None:
        """``step`` is run before the stack is taken down, the last that was named first, however the run ended."""
        self._endings.append(step)

    def register_cleanup(self, part: Teardown) -> None:
        """``part`` is taken down after the endings, the last that was held first, and what is left of it is a leak."""
        self.held.append(part)

    async def child(self, part: str, rehearsal: Any, plan: Any, **changes: Any) -> Result:
        """Conducts a run of a sequence in this one's folder, and lists it under ``part``; its options are this one's
        but for ``changes``. It is never cut: an interrupt is passed on to it, and its end is awaited.

        Raises ``RehearsalError`` where none comes about.
        """
        options = msgspec.structs.replace(self.options, reports=self.folder, **changes)
        work = self.environment.child(self, rehearsal, plan, options)
        task = asyncio.ensure_future(work.run())
        while not task.done():
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                self.cut = True
                work.interrupt()
        result = task.result()
        self.children.append(
            Child(
                part=part,
                run_id=result.run_id,
                folder=result.run_id,
                decision=result.decision,
                exit_status=int(result.status),
            )
        )
        return result

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or self._failed.done():
            return
        error = task.exception()
        if error is not None:
            self._failed.set_exception(error)

    async def _watch(self) -> None:
        async for row in self.stack.watch():
            self.evidence.add([row])
            for said in cut(self.folder / "logs"):
                self.evidence.event(self.clock.now_ns(), "log_cut", "logs", said)
                self.say(said)
            for watcher in self._watchers:
                watcher(row)

    async def _gather(self) -> None:
        while True:
            self.evidence.gather()
            await self.clock.sleep(GATHER_EVERY_S)

    async def _look_at_processors(self) -> None:
        while counted := self.environment.processors():
            now_ns = self.clock.now_ns()
            self.evidence.add(
                SampleRow(at_ns=now_ns, metric=name, subject=MACHINE, value=value) for name, value in counted.items()
            )
            await self.clock.sleep(LOOK_EVERY_S)

    # -- for ``Runner`` ------------------------------------------------------------------------------------------

    def give(self, stack: Stack) -> None:
        """Gives it its stack, not yet up."""
        self._stack = stack
        self.register_cleanup(stack)

    async def supervise(self, work: Coroutine[Any, Any, None]) -> None:
        """``work``, with the gathering of evidence and whatever it put beside itself; the first that fails ends all.

        When it is cancelled it passes that on to ``work``, which may come to its end all the same.
        """
        self.run_in_background(self._gather())
        main = asyncio.ensure_future(work)
        try:
            await asyncio.wait([main, self._failed], return_when=asyncio.FIRST_COMPLETED)
            if self._failed.done():  # a part that died is the cause of what failed with it
                self._failed.result()
            main.result()
            self._whole = True
        except asyncio.CancelledError:
            main.cancel()
            await asyncio.wait([main])
            if main.cancelled():
                raise
            if self._failed.done():
                self._failed.result()
            main.result()  # it had no more to do, and is whole
        finally:
            for task in (main, *self._beside):
                task.cancel()
            await asyncio.gather(main, *self._beside, return_exceptions=True)
            if not self._failed.done():
                self._failed.cancel()

    async def failed_beside(self) -> None:
        """Once the rehearsal is over: raises what failed beside it, at the very end or when it was cancelled, too."""
        if self._failed.done() and not self._failed.cancelled():
            self._failed.result()

    async def watch_to_the_end(self) -> None:
        """Once the endings are over: what the stack told until now is evidence. Raises what ended the watch since the
        rehearsal came to its end; of one that broke it is known what ended it. What a stack tells of its own ``down``
        is none (``Stack.watch`` says why)."""
        if self._watching is None:
            return
        await self.clock.sleep(0)  # what was told and not yet read is read in one go
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)
        if self._whole and not self._watching.cancelled():
            self._watching.result()

    def endings(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        """The steps before the stack is taken down."""
        return tuple(reversed(self._endings))
