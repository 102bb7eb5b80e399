"""The scenario, whole: stack up -> a pod killed with a full queue -> load -> a step a share -> tear down -> report.

It runs what the document writes after week 4, and shows what a roll back by the flag would then lose.
"""

from __future__ import annotations

import shlex
from datetime import datetime
from pathlib import Path

import msgspec

from harness import state
from harness.clock import NS, Clock, utc
from harness.collect import Collector
from harness.document import manifest_facts
from harness.evidence.store import EvidenceStore
from harness.firebase.documents import Documents
from harness.judge.combine import combine, exit_status
from harness.lifecycle import Lifecycle, open_folder, run_identity, with_beside
from harness.load.plan import LoadPlan
from harness.load.process import LoadProcesses
from harness.manifests.change import with_env
from harness.model.errors import RehearsalError
from harness.model.evidence import Side
from harness.model.manifests import Manifests
from harness.model.rollout import rollout_template
from harness.model.scenario import ProbePlan
from harness.model.stack import Rung, Target
from harness.progress import Progress
from harness.rehearsals.mirror_stop import steps
from harness.rehearsals.mirror_stop.killed_pod import Burst
from harness.rehearsals.mirror_stop.plan import LANES_VARIABLE, SHARE_VARIABLE, MirrorStopPlan
from harness.rehearsals.mirror_stop.report import write_report
from harness.rehearsals.mirror_stop.result import SCHEMA_VERSION, Judgement, KilledPod, MirrorStopResult, Step
from harness.report.language import language
from harness.rungs import manifests_of
from harness.stack.local import LocalStack
from harness.state.lease import remove_run_folder, run_folder
from harness.targets import bundled

GATHER_EVERY_S = 0.5
ADMISSION_LIMIT_S = 60.0
LEAD_S = 1.0


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. ``changed`` are the command line's overrides, as typed, for the replay."""

    plan: MirrorStopPlan
    seed: int
    reports: Path
    manifests: Path
    rung: Rung = Rung.LOCAL  # the only one with what this needs
    changed: tuple[str, ...] = ()
    lang: str = "en"  # of report.html; mirror_stop.json is the same in any

    @property
    def target(self) -> Target:
        """The bundled API: what stops the dual write is its own setting."""
        return bundled()

    @property
    def replay(self) -> str:
        """The command that runs this again."""
        return shlex.join(["python", "-m", "harness", "mirror_stop", "--seed", str(self.seed), *self.changed])


class MirrorStop:
    """One run under way. ``run`` always returns a result, however it ended."""

    def __init__(self, options: Options, clock: Clock, progress: Progress) -> None:
        self.options = options
        self.plan = options.plan
        self.clock = clock
        self.progress = progress
        self.started_ns = clock.now_ns()
        self._about_manifests = manifest_facts(manifests_of(options))
        self.run_id = run_identity(clock, "mirror_stop", options.seed)
        self.folder = open_folder(options.reports, self.run_id)
        self.evidence = Collector(
            EvidenceStore(self.folder / "evidence.sqlite", anchor=clock.anchor, run_id=self.run_id), clock
        )
        self.stack = LocalStack(
            run_id=self.run_id,
            manifests=self._manifests(self.plan.shares_percent[0]),
            target=bundled(),
            folder=self.folder,
            clock=clock,
            progress=progress,
        )
        self.documents: Documents | None = None
        self.load: LoadProcesses | None = None
        self.killed: KilledPod | None = None
        self.steps: list[Step] = []
        self.judgements: list[Judgement] = []
        self.lifecycle = Lifecycle(progress)
        self.leaks: tuple[str, ...] = ()
        self.timings: dict[str, float] = {}

    async def run(self) -> MirrorStopResult:
        """Runs the flow, tears down whatever came of it, and reports."""
        await self.lifecycle.run(self._supervised())
        self.timings["tear_down"] = await self.lifecycle.take_down(
            self.clock, self._stop_load, self._gather_last, self._close, self.stack.down
        )
        remove_run_folder(self.run_id)
        self.leaks = tuple(self.stack.leaks())
        for failure in self.evidence.failures():
            self.lifecycle.note(failure)
        return self._report()

    def interrupt(self) -> None:
        """Ends the flow at its next wait; tear down and report follow."""
        self.lifecycle.interrupt()

    # -- the flow ------------------------------------------------------------------------------------------------

    async def flow(self) -> None:
        """The steps in order."""
        state.sweep(lambda line: self.progress(f"left by a killed run: {line}"))
        self.progress("bringing the stack up")
        await self.stack.up()
        self._mark("stack_up")
        await self.stack.set_flag(rollout_template(self.plan.population))
        endpoints = self.stack.endpoints()
        self.documents = Documents(endpoints.firestore, endpoints.project_id)
        await self._kill_a_pod(self.documents)
        await self._admit()
        for share in self.plan.shares_percent:
            await self._step(share, self.documents)

    async def _kill_a_pod(self, documents: Documents) -> None:
        self.progress(f"Firestore paused, {self.plan.burst.walks} walks written, a pod killed")
        logs = self.folder / "logs"
        burst = Burst(self.stack, documents, self.clock, plan=self.plan, seed=self.options.seed, logs=logs)
        self.killed = await burst.run(self._killed, lambda: self.stack.apply(self._manifests(self._first)))
        self.judgements.append(steps.judge_killed(self.killed))
        self.progress(self.judgements[-1].reason)

    async def _step(self, share: int, documents: Documents) -> None:
        self.progress(f"the mirror at {share} %")
        await self.stack.apply(self._manifests(share))
        since = datetime.fromisoformat(utc(self.clock.anchor, self.clock.now_ns()))
        await self.clock.sleep(self.plan.step_s)
        self.evidence.gather()
        step = await steps.observe(
            self.stack.endpoints(),
            documents,
            self.clock,
            dict(self.evidence.writes.deleted[Side.API]),
            share_percent=share,
            since=since,
            settle_s=self.plan.settle_s,
        )
        self.steps.append(step)
        self.judgements += steps.judge(step)
        self._mark(f"share_{share}")
        self.progress(self.judgements[-1].reason)

    async def _admit(self) -> None:
        plan = LoadPlan(
            run_id=self.run_id,
            seed=self.options.seed,
            population=self.plan.population,
            probes=ProbePlan(),
            endpoints=self.stack.endpoints(),
            anchor=self.clock.anchor,
            spool="",
        )
        self.load = load = LoadProcesses(plan, run_folder(self.run_id), self.clock, logs=self.folder / "logs")
        await load.start()
        self.evidence.follow(load.spools)
        await load.admitted(ADMISSION_LIMIT_S)
        await load.go(self.clock.now_ns() + int(LEAD_S * NS))
        self._mark("admitted")

    # -- parts ---------------------------------------------------------------------------------------------------

    @property
    def _first(self) -> int:
        return self.plan.shares_percent[0]

    def _manifests(self, share: int) -> Manifests:
        lanes = {LANES_VARIABLE: str(self.plan.lanes)}
        return with_env(manifests_of(self.options), **{SHARE_VARIABLE: str(share)}, **lanes)

    def _killed(self) -> str | None:
        return next((e.subject for e in self.evidence.events if e.kind == "pod" and "SIGKILL" in e.message), None)

    async def _supervised(self) -> None:
        """The flow, with the gathering of evidence and the watch over every part beside it."""
        await with_beside(self.flow(), self._gather(), self._watch())

    async def _gather(self) -> None:
        while True:
            self.evidence.gather()
            if self.load is not None:
                self.load.check()
            await self.clock.sleep(GATHER_EVERY_S)

    async def _watch(self) -> None:
        async for row in self.stack.watch():
            self.evidence.add([row])

    async def _stop_load(self) -> None:
        if self.load is not None:
            await self.load.stop()

    async def _gather_last(self) -> None:
        self.evidence.gather_last()

    async def _close(self) -> None:
        if self.documents is not None:
            await self.documents.close()
        self.evidence.store.close()

    def _mark(self, name: str) -> None:
        self.timings[name] = (self.clock.now_ns() - self.started_ns) / NS

    def _report(self) -> MirrorStopResult:
        result = self._document()
        try:
            write_report(self.folder, result, language(self.options.lang))
        except RehearsalError as error:
            self.lifecycle.note(error)
            result = self._document()
        return result

    def _document(self) -> MirrorStopResult:
        combined = combine(each.verdict for each in self.judgements)
        broke = [error.exit for error in self.lifecycle.errors]
        return MirrorStopResult(
            schema_version=SCHEMA_VERSION,
            run_id=self.run_id,
            started_utc=utc(self.clock.anchor, self.started_ns),
            seed=self.options.seed,
            rung=self.options.rung,
            target=bundled().name,
            replay=self.options.replay,
            killed_pod=self.killed,
            steps=tuple(self.steps),
            judgements=tuple(self.judgements),
            exit_status=exit_status(combined, broke, leaks=bool(self.leaks)),
            combined=combined,
            **self._about_manifests,
            timings={name: round(value, 3) for name, value in self.timings.items()},
            leaks=self.leaks,
            errors=tuple(str(error) for error in self.lifecycle.errors),
        )
