"""A run of experiments: stack up -> users and probes -> experiments -> checks -> tear down -> report."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from harness.checks.healing import Direction
from harness.clock import NS, Clock
from harness.judge.errata import errata_seen
from harness.model.scenario import Scenario
from harness.model.stack import Rung
from harness.model.verdict import Verdict
from harness.options import RunOptions
from harness.progress import Progress
from harness.rehearsals.chaos.bridge import Bridge
from harness.rehearsals.chaos.closing import closing_checks
from harness.rehearsals.chaos.expecting import expect, judged_against
from harness.rehearsals.chaos.judge import STEADY_S, Course, Judged, judge, outright, span, steady
from harness.rehearsals.chaos.judge_failover import judged_failover, on_server, seen, steps
from harness.rehearsals.chaos.judge_kill_series import Detection, Expected, detection
from harness.rehearsals.chaos.making import broken_off, made
from harness.rehearsals.chaos.places import Places
from harness.rehearsals.chaos.report import write_report
from harness.rehearsals.chaos.steady import steady_criteria
from harness.rehearsals.chaos.trial import trials
from harness.rehearsals.chaos.types import (
    SCHEMA_VERSION,
    ChaosReport,
    CheckSummary,
    Expectation,
    Experiment,
    ExperimentResult,
    FailoverSeen,
)
from harness.report.language import language
from harness.report.words import lacking_words
from harness.rungs import manifests_of
from harness.stack_run import UsersRun
from harness.state.lease import run_folder

#: An answer that was due this long ago is in, or counts as not steady yet: the probes' timeout and a flush.
SETTLE_S = 2.5
_POLL_S = 0.5


class ChaosRun(UsersRun[ChaosReport]):
    """One run under way. ``run`` always returns a report, however it ended."""

    def __init__(
        self,
        drawn: tuple[Experiment, ...],
        options: RunOptions,
        clock: Clock,
        progress: Progress,
        *,
        replay: str,
        reconcile: Direction | None = None,
        use_kept: bool = False,  # most experiments break the stack's parts
    ) -> None:
        self.reconcile = reconcile
        self.drawn = drawn
        super().__init__("chaos", options, clock, progress, replay=replay)
        self.scenario: Scenario = options.scenario
        self.criteria = steady_criteria(self.scenario)
        self.manifests = manifests_of(options)
        self.stack = self.stack_of(
            self.manifests,
            # On local the experiments break what is kept; of a kept cluster only what they do to its nodes.
            use_kept=use_kept or (options.rung is Rung.KIND and not any(each.expects.breaks_nodes for each in drawn)),
            every_program=any(each.expects.failover is not None for each in drawn),
        )
        self.bridge: Bridge | None = None
        self.results: list[ExperimentResult] = []
        self.checks: list[CheckSummary] = []
        self._course: Course | None = None
        self._expects: Expectation | None = None
        self._computed: Expected | None = None
        self._detection = Detection()

    def endings(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        """Every fault undone, then the load."""
        return self._undo, *super().endings()

    # -- the flow ------------------------------------------------------------------------------------------------

    async def flow(self) -> None:
        """The steps in order; each may raise, and tear down always follows."""
        if all(self._lacking(experiment) for experiment in self.drawn):
            for number, experiment in enumerate(self.drawn, 1):  # no stack is worth that
                self._not_exercised(number, experiment)
            return
        await self.sweep()
        self.progress("bringing the stack up")
        await self.stack.up()
        await self.load.set_flag(True)
        self.mark("stack_up")
        await self.load.admit()
        self.mark("admitted")
        await self._open_bridge()
        for number, experiment in enumerate(self.drawn, 1):
            await self._experiment(number, experiment)
        self.mark("experiments")
        await self._check()

    async def _open_bridge(self) -> None:
        self.bridge = Bridge(
            self.stack,
            self.manifests,
            self.clock,
            run_folder(self.run_id),
            steady=self._steady,
            set_flag=self.load.set_flag,
            places=Places(lambda: self.evidence.events, self.clock),
        )
        await self.bridge.start()

    async def _check(self) -> None:
        """The checkers' word, once the load has ended and every fault is undone."""
        await self._undo()
        await self.load.stop()
        self.checks += await closing_checks(
            self.stack.endpoints(),
            self.evidence,
            self.clock,
            self.progress,
            options=self.options,
            manifests=self.manifests,
            logs=self.folder / "logs",
            reconcile=self.reconcile,
            loses=any(each.expects.failover and not each.expects.failover.synchronous for each in self.drawn),
        )
        self.mark("checked")

    async def _experiment(self, number: int, experiment: Experiment) -> None:
        if self._lacking(experiment):
            self._not_exercised(number, experiment)
            return
        assert self.bridge is not None
        self.bridge.first_fault_ns = self.bridge.undone_ns = None
        self.bridge.repeated = 0
        start_ns = self.clock.now_ns()
        self._course = None
        self._expects = experiment.expects
        self._computed = None
        self.evidence.event(start_ns, "phase", "experiment", experiment.title, number=number, name=experiment.name)
        self.progress(f"experiment {number} of {len(self.drawn)}: {experiment.title}")
        if experiment.expects.repeated is not None and not await self._tried(experiment.expects.repeated.times):
            self._add(number, experiment, Verdict.INCONCLUSIVE, "there was no steady state to try the detection from")
            return
        try:
            journal = await made(experiment, number, self.folder, self.bridge.path, self.run_id)
        finally:
            await self.bridge.undo()
        course = self._course or Course(start_ns=start_ns, steady_before=False)
        judged = await self._judged(course, experiment.expects)
        failover = self._failover(start_ns, experiment.expects)
        if experiment.expects.failover is not None:
            judged = judged_failover(experiment.expects.failover, failover, judged)
            judged = on_server(judged, self.stack.database().access().server)
        broken = broken_off(journal)
        self.results.append(
            ExperimentResult(
                number=number,
                name=experiment.name,
                title=experiment.title,
                verdict=Verdict.INCONCLUSIVE if broken else judged.verdict,
                reason=f"the experiment could not be made: {broken}" if broken else judged.reason,
                told=() if broken else judged.told,
                calls=judged.calls,
                failed=judged.failed,
                outage_s=judged.outage_s,
                recovered_s=judged.recovered_s,
                status=str(journal.get("status", "")),
                deviated=bool(journal.get("deviated")),
                start_ns=course.start_ns,
                end_ns=course.steady_ns or self.clock.now_ns(),
                journal=f"journals/{number:02d}-{experiment.name}.json",
                failover=failover,
                erratum=experiment.expects.erratum if judged.verdict is Verdict.ERRATUM_SHOWN and not broken else "",
            )
        )
        self.progress(f"  {self.results[-1].verdict}: {self.results[-1].reason}")

    async def _judged(self, course: Course, expects: Expectation) -> Judged:
        now_ns = self.clock.now_ns()
        due = await self.load.answered(span(course, now_ns))
        judged = judge(self.evidence.ledger, course, expects, now_ns, self.criteria, due=due)
        lost = outright(self.evidence.requests, course.start_ns, course.undone_ns or now_ns)
        if lost is not None:
            judged = msgspec.structs.replace(judged, reason=f"{judged.reason}; {lost}", told=(*judged.told, lost))
        if self._computed is None or expects.repeated is None or self.bridge is None:
            return judged
        return judged_against(self._computed, judged, made=self.bridge.repeated, times=expects.repeated.times)

    async def _tried(self, times: int) -> bool:
        """Tries the detection of a killed pod before a series of ``times``; whether there was a steady state for it."""
        probe = self.manifests.deployment.template.containers[0].readiness
        path = probe.path if probe is not None else "/"
        found = await trials(self.stack, self.clock, path, lambda: self._why_not_steady(self.clock.now_ns()))
        if found:
            self.progress(f"  detection of a killed pod, tried: {', '.join(f'{each:.2f}' for each in found)} s")
            self._detection = detection(found, times)
        return bool(found)

    def _failover(self, start_ns: int, expects: Expectation) -> FailoverSeen | None:
        """How the database's failover went, of an experiment that has one."""
        if expects.failover is None:
            return None
        evidence, at = self.evidence, steps(self.evidence.events, start_ns)
        return seen(at, evidence.requests, evidence.probes, synchronous=expects.failover.synchronous)

    # -- the steady state ----------------------------------------------------------------------------------------

    async def _steady(self) -> bool:
        """Before the method: whether it holds within a while; after it: whether it comes back in time."""
        before = self._course is None
        start_ns = self.clock.now_ns()
        assert self._expects is not None
        limit_s = STEADY_S + 60.0 if before else self._expects.recover_within_s
        since_ns = start_ns if before else self._undone_ns()
        while True:
            now_ns = self.clock.now_ns()
            self.evidence.gather()
            why = self._why_not_steady(now_ns)
            # After an undo the whole stretch looked at has to lie behind it.
            fresh = before or now_ns - since_ns >= round((STEADY_S + SETTLE_S) * NS)
            if not why and fresh:
                break
            if now_ns - since_ns > round((limit_s + STEADY_S + SETTLE_S) * NS):
                self._took_note(before, None)
                self.progress(f"  not steady: {why or 'too early'}")
                return False
            await self.clock.sleep(_POLL_S)
        self._took_note(before, self.clock.now_ns())
        return True

    def _took_note(self, before: bool, steady_ns: int | None) -> None:
        if before:
            self._course = Course(start_ns=self.clock.now_ns(), steady_before=steady_ns is not None)
            if self._expects is not None and self._expects.repeated is not None:
                told = (self.evidence, self.manifests, self.scenario, self._detection)
                self._computed = expect(self._expects.repeated, *told)
                self.progress(f"  {self._computed.sentence}")
            return
        assert self._course is not None and self.bridge is not None
        # It held from the beginning of the stretch that was looked at.
        held_ns = None if steady_ns is None else steady_ns - round((STEADY_S + SETTLE_S) * NS)
        start_ns = self.bridge.first_fault_ns or self._course.start_ns
        self._course = msgspec.structs.replace(
            self._course, start_ns=start_ns, undone_ns=self._undone_ns(), steady_ns=held_ns
        )

    def _undone_ns(self) -> int:
        assert self.bridge is not None
        return self.bridge.undone_ns or self.clock.now_ns()

    def _why_not_steady(self, now_ns: int) -> str:
        return steady(
            self.evidence.ledger,
            now_ns,
            due=self.load.probes_due,
            wanted=self.manifests.deployment.replicas,
            settle_s=SETTLE_S,
            criteria=self.criteria,
        )

    # -- parts ---------------------------------------------------------------------------------------------------

    async def _undo(self) -> None:
        if self.bridge is not None:
            await self.bridge.stop()

    def _lacking(self, experiment: Experiment) -> list[str]:
        return sorted(set(experiment.expects.needs) - {str(each) for each in self.stack.capabilities})

    def _not_exercised(self, number: int, experiment: Experiment) -> None:
        reason = str(lacking_words(self._lacking(experiment)))
        self._add(number, experiment, Verdict.NOT_EXERCISED, reason)

    def _add(self, number: int, experiment: Experiment, verdict: Verdict, reason: str) -> None:
        self.results.append(
            ExperimentResult(
                number=number, name=experiment.name, title=experiment.title, verdict=verdict, reason=reason
            )
        )
        self.progress(f"experiment {number}: {experiment.title}: {verdict}, {reason}")

    def write(self, report: ChaosReport) -> None:
        """Writes the report's files."""
        write_report(self.folder, report, language(self.options.lang))

    def document(self) -> ChaosReport:
        """What the report says."""
        verdicts, checked = [each.verdict for each in self.results], [each.verdict for each in self.checks]
        return ChaosReport(
            **self.facts(SCHEMA_VERSION, verdicts, beside=checked, seen=errata_seen(self.results)),
            drawn=tuple(experiment.name for experiment in self.drawn),
            experiments=tuple(self.results),
            checks=tuple(self.checks),
        )
