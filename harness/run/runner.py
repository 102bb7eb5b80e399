"""The runner: every run of every rehearsal, whole and in one direction (ARCHITECTURE.md, "The seam").

preflight -> (stack up -> load -> act) -> endings -> tear down -> leak check -> judge -> combine -> report

The rehearsal itself acts between the preflight and the endings; what it asks for it says in ``stack_spec``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from harness.base import machine
from harness.base.clock import NS, Clock, utc
from harness.base.errors import BadInput, NotCapable
from harness.base.progress import Progress
from harness.checks.stores import Stores, StoresAt
from harness.evidence.failure import log_lines
from harness.evidence.store import Collector, EvidenceStore, files, summed
from harness.load.plan import LoadPlan
from harness.load.process import LoadProcesses
from harness.load.protocol import Load
from harness.model.claim import Dependency
from harness.model.evidence import BUSY, STOLEN, WAITED
from harness.model.judgement import Judgement, lacking_words
from harness.model.manifests import Manifests
from harness.model.message import ProgressCallback, message, raw_text, whole
from harness.model.result import Child, Result, RunInfo
from harness.report.index import remember
from harness.report.language import language, write_atomically
from harness.report.latest import point_latest
from harness.report.write_all import publish, write_junit, write_pages, write_reports
from harness.rules.register import read
from harness.run.context import RunContext
from harness.run.dependencies import rests_on
from harness.run.lifecycle import Lifecycle, RunUnderWay, open_folder, run_identity
from harness.run.options import Options
from harness.run.rehearsal import Rehearsal, RunRecord, manifest_facts
from harness.run.result import Page, build_result, judged, named, sections, with_facts
from harness.stack.environments.choice import manifests_of, stack_for, sweep
from harness.stack.environments.identity import TargetIdentity
from harness.stack.environments.stand_ins import KUBERNETES, versions
from harness.stack.protocol import Stack, StackNeeds
from harness.stack.state.lease import remove_run_folder, run_folder

P = TypeVar("P")
D = TypeVar("D", bound=msgspec.Struct)
A = TypeVar("A")
PLAN_JSON, MANIFESTS_JSON, MACHINE_JSON = "plan.json", "manifests.json", "machine.json"


class Environment:
    """This machine: the rung that the options name, the load as processes. A rehearsal asks it for nothing itself:
    ``Runner`` and ``RunContext`` do. ``capabilities`` are those of a run without a stack of its own, if known.
    """

    capabilities: Collection[str] | None = None

    def identity(self, clock: Clock, name: str, seed: int) -> str:
        """The id of a run that begins now, which no other run has: by the process that owns it."""
        return run_identity(clock, name, seed)

    async def sweep(self, say: ProgressCallback) -> None:
        """Removes what killed runs of any rung left, and says what; and what there is of others, which stays."""
        await sweep(lambda line: say(message("left by a killed run: {what}", what=line)), say)

    def child(self, on: RunContext[Any], rehearsal: Rehearsal[Any, Any], plan: Any, options: Options) -> RunUnderWay:
        """A run of the sequence ``on``, not yet begun. Raises ``RehearsalError`` where none comes about."""
        return Runner(rehearsal, plan, options, on.clock, on.progress, environment=self)

    def stack(self, run: Runner[Any, Any], needs: StackNeeds) -> Stack:
        """The stack of a run, not yet up: the rung's own."""
        return stack_for(
            run.options, needs, run_id=run.run_id, folder=run.folder, clock=run.clock, progress=run.progress
        )

    def load(self, on: RunContext[Any], plan: LoadPlan, name: str) -> Load:
        """What carries out ``plan`` on the run's stack, not yet started: its processes, with their files in the run's
        folder of state. ``name`` tells several of a run apart."""
        shared, folder = msgspec.structs.replace(plan, workers=on.options.workers), run_folder(on.run_id) / name
        made = LoadProcesses(shared, folder, on.clock, logs=on.folder / "logs" / name)
        made.pods = on.load_pods
        return made

    def stores(self, on: RunContext[Any]) -> Stores:
        """The stores of the run's stack, which is up."""
        return StoresAt(on.stack.endpoints())

    def processors(self) -> dict[str, float]:
        """What this machine's kernel counts of how its processors are shared, by the names of ``machine_share``."""
        counted = {WAITED: machine.waited_s(), STOLEN: machine.stolen_s(), BUSY: machine.busy_s()}
        return {name: value for name, value in counted.items() if value is not None}

    def forget(self, run: Runner[Any, Any]) -> None:
        """Removes what was kept for the run beside its report, its folder of state; idempotent."""
        remove_run_folder(run.run_id)


RUNGS = Environment()


class Runner(Generic[P, D]):
    """One run of a rehearsal under way. ``run`` always returns its result, however it ended, which lies in its folder
    below ``options.reports``.

    Raises ``RehearsalError`` where nothing was begun: manifests that are refused, an environment that lacks what the
    rehearsal cannot do without, a folder that cannot be made. ``resumed`` is the folder of a sequence that was cut
    short, its details, and its result until then: it goes on there.
    """

    def __init__(
        self,
        rehearsal: Rehearsal[P, D],
        plan: P,
        options: Options,
        clock: Clock,
        progress: Progress,
        *,
        environment: Environment = RUNGS,
        resumed: tuple[Path, D, Result] | None = None,
    ) -> None:
        self.rehearsal = rehearsal
        _ = rehearsal.rules  # read now: a mistake in one is told before anything starts
        self.plan = plan
        self.options = options
        self.clock = clock
        self.progress = progress
        self.started_ns = clock.now_ns()
        self._begun_utc = resumed[2].facts.started_utc if resumed else utc(clock.anchor, self.started_ns)
        self.plan_name = named(rehearsal, plan)
        self.run_id = resumed[0].name if resumed else environment.identity(clock, self.plan_name, options.seed)
        self.manifests: Manifests = manifests_of(options)  # a folder that is refused leaves no folder of a run
        self._needs = rehearsal.stack_spec(plan, options, self.manifests)
        if options.load_from_cluster and self._needs is not None and self._needs.fault_proxy:
            raise NotCapable(
                "load from within the cluster passes by faults that are put in front of it, on this machine",
                remedy="leave out --load-from cluster, or the faults errors, latency and unavailable",
            )
        self._applied = self.manifests if self._needs is None else self._needs.manifests
        self.folder: Path = resumed[0] if resumed else options.reports / self.run_id
        self._stack: Stack | None = None if self._needs is None else environment.stack(self, self._needs)
        able = environment.capabilities if self._stack is None else self._stack.capabilities
        if able is not None and (lacking := rehearsal.unable(plan, able)):
            told = message("nothing of this can be run here: {why}", why=lacking_words(lacking))
            raise NotCapable(told, remedy="choose another one with --on; docs/environments.md lists what each can do")
        if resumed is None:
            open_folder(options.reports, self.run_id)
        self.lifecycle = Lifecycle(progress)
        self._resumed = resumed is not None
        self._children: list[Child] = [*resumed[2].children] if resumed else []
        self.details: D = resumed[1] if resumed else rehearsal.details()
        store = EvidenceStore(self._evidence_file(), anchor=clock.anchor, run_id=self.run_id)
        self.evidence = Collector(store, clock)
        self._environment = environment
        self._on: RunContext[D] | None = None
        self._timings: dict[str, float] = {}
        self._leaks: tuple[str, ...] = ()
        self._evidence_digest = ""
        self._took_s = 0.0
        self._rests_on = rests_on(rehearsal, Path(self._applied.folder), self._versions().get(KUBERNETES, ""))
        self._target = TargetIdentity(options.target)

    async def run(self) -> Result:
        """Runs the plan, takes down whatever came of it, judges, and reports."""
        await self.lifecycle.run(self._flow())
        await self._take_down()
        return self._report()

    def _evidence_file(self) -> Path:
        """A file of its own for each time that a sequence is resumed."""
        return next(path for path in files(self.folder) if not path.exists())

    def interrupt(self) -> None:
        """Ends the flow at its next wait; tear down and report follow. Harmless once they have begun."""
        self.lifecycle.interrupt()

    # -- the steps -----------------------------------------------------------------------------------------------

    async def _flow(self) -> None:
        await self._environment.sweep(self.progress)
        self._save(PLAN_JSON, self.plan)
        self._save(MANIFESTS_JSON, self.manifests.without_values)
        self._save(MACHINE_JSON, machine.describe({"started": utc(self.clock.anchor, self.started_ns)}))
        self._on = on = RunContext(
            self.details, self.options, self.clock, self.progress,
            run_id=self.run_id, folder=self.folder, manifests=self.manifests, evidence=self.evidence,
            publish=self._publish, judged=lambda part: self.rehearsal.by_rules(self.plan, self._seen(), part),
            environment=self._environment, children=self._children,
        )  # fmt: skip
        if self._stack is not None:
            on.give(self._stack)
        if not self._resumed:
            self._begin()
        await on.supervise(self.rehearsal.run(self.plan, on))

    async def _take_down(self) -> None:
        begun_ns, on = self.clock.now_ns(), self._on
        steps = () if on is None else (on.failed_beside, *on.endings(), on.watch_to_the_end)
        # A stack that goes takes the spools along.
        self._leaks = await self.lifecycle.take_down(() if on is None else on.held, *steps, self._gather_last)
        self._timings["tear_down"] = (self.clock.now_ns() - begun_ns) / NS
        if not self._leaks:  # else by what stands in the folder the next command finds what is left
            self._environment.forget(self)

    async def _gather_last(self) -> None:
        try:
            self.evidence.gather(last=True)
            self.evidence.add(log_lines(self.folder / "logs", self.evidence, self.clock.anchor))
        finally:
            self.evidence.event(self.clock.now_ns(), "phase", "end", message("the run ended"))

    def _report(self) -> Result:
        """Judges what there is and writes the report. A disk that refuses is said in the exit status."""
        self.progress.begin(self.progress.say("judging the evidence, writing the report"))
        self._took_s = round((self.clock.now_ns() - self.started_ns) / NS, 3)
        self.lifecycle.write(self.evidence.store.close)
        with suppress(BadInput):  # what cannot be read has no digest, and founds nothing
            self._evidence_digest = summed(self.evidence.store.path)[-1]
        seen = self._measured()
        judgements = self._judged(seen)
        page = self._page(seen, judgements)
        result = self._result(seen, judgements, page)
        before, register = len(self.lifecycle.errors), read(self.rehearsal.document).claims
        say = language(self.options.lang)
        self.lifecycle.write(
            lambda: write_reports(self.folder, result, register, say),
            lambda: point_latest(self.options.reports, self.folder),
            lambda: remember(self.folder, result),
        )
        if len(self.lifecycle.errors) == before:
            return result
        corrected = self._result(seen, judgements, page)  # what is stored must not look better than how it ended
        self.lifecycle.write(lambda: publish(self.folder, corrected), lambda: write_junit(self.folder, corrected))
        self.lifecycle.write(
            lambda: write_pages(self.folder, corrected, register, say), lambda: remember(self.folder, corrected)
        )
        return corrected

    def _begin(self) -> None:
        """Writes what the run is as a result that is under way: what a killed run is judged by."""
        seen = self._seen()
        publish(self.folder, self._result(seen, (), self._headed(seen), under_way=True))

    def _publish(self) -> None:
        """Writes what there is so far as a result that is under way: what a ``kill -9`` leaves to be resumed."""
        seen = self._measured()
        judgements = self._judged(seen)
        publish(self.folder, self._result(seen, judgements, self._page(seen, judgements), under_way=True))
        point_latest(self.options.reports, self.folder)

    def _measured(self) -> RunRecord[D]:
        seen = self._seen()
        return self._asked(lambda: with_facts(self.rehearsal, self.plan, seen), replace(seen, measured=()))

    def _judged(self, seen: RunRecord[D]) -> tuple[Judgement, ...]:
        return self._asked(lambda: judged(self.rehearsal, self.plan, seen), ())

    def _page(self, seen: RunRecord[D], judgements: tuple[Judgement, ...]) -> Page:
        told, headed = replace(seen, judgements=judgements), self._headed(seen)
        return Page(headed.title, headed.parts, self._asked(lambda: sections(self.rehearsal, self.plan, told), ()))

    def _headed(self, seen: RunRecord[D]) -> Page:
        title = self._asked(lambda: self.rehearsal.title(self.plan), raw_text(self.plan_name))
        return Page(title, self._asked(lambda: tuple(self.rehearsal.parts(self.plan, seen)), ()))

    def _asked(self, ask: Callable[[], A], instead: A) -> A:
        """What the rehearsal says; ``instead`` where it fails: a mistake of ours must not cost the run its report."""
        try:
            return ask()
        except Exception as error:
            self.lifecycle.note(error)
            return instead

    def _result(
        self, seen: RunRecord[D], judgements: tuple[Judgement, ...], page: Page, *, under_way: bool = False
    ) -> Result:
        return build_result(
            self.rehearsal,
            self.plan,
            replace(seen, facts=self._facts(), ended=not self.lifecycle.errors),
            judgements,
            page,
            run_id=self.run_id,
            broke=[error.exit for error in self.lifecycle.errors],
            children=tuple(self._children),
            under_way=under_way,
            evidence_digest=self._evidence_digest,
        )

    def _seen(self) -> RunRecord[D]:
        return RunRecord(
            facts=self._facts(), details=self.details, evidence=self.evidence, ended=not self.lifecycle.errors
        )

    def _facts(self) -> RunInfo:
        options, timings = self.options, {**(self._on.timings if self._on else {}), **self._timings}
        return RunInfo(
            rung=options.rung,
            seed=options.seed,
            replay=options.replay,
            started_utc=self._begun_utc,
            anchor=self.clock.anchor,
            capabilities=() if self._stack is None else tuple(sorted(self._stack.capabilities)),
            only_looks=self.rehearsal.only_looks and self._needs is None,
            only=options.only,
            own=options.own,
            smaller=(*options.smaller, *getattr(self.plan, "smaller", ())),
            in_place=options.in_place,
            injected=tuple(each.told for each in getattr(self.plan, "faults", ())),  # of a week, or of several
            versions=self._versions(),
            rests_on={**self._rests_on, **self._theirs()},
            took_s=self._took_s,
            timings={name: round(value, 3) for name, value in timings.items()},
            leaks=self._leaks,
            errors=tuple(map(str, self.lifecycle.errors)),
            errors_told=tuple(map(whole, self.lifecycle.errors)),
            **self._target.facts,
            **manifest_facts(self._applied, options.rung),
        )

    def _versions(self) -> dict[str, str]:
        """Those of the stack, of a run that asked for one."""
        needs = self._needs
        return {} if needs is None else versions(self.options.rung, every_program=needs.every_program)

    def _theirs(self) -> dict[Dependency, str]:
        """The version of somebody's own cluster, which tells it once it was reached."""
        seen = [each.data for each in self.evidence.events if (each.kind, each.subject) == ("component", "cluster")]
        return {Dependency.CLUSTER: str(seen[0]["version"])} if seen else {}

    def _save(self, name: str, content: object) -> None:
        write_atomically(self.folder / name, msgspec.json.format(msgspec.json.encode(content)) + b"\n")
