"""What a run of experiments does, in one direction: stack up -> users and probes -> experiments -> checks."""

from __future__ import annotations

import msgspec

from harness.base.clock import NS
from harness.judge.steady import STEADY_S, not_steady
from harness.load.users import Users, users_of
from harness.model.message import Message, message
from harness.model.stack import lacks
from harness.rehearsal.closing import check_whole_run
from harness.rehearsal.running import Running
from harness.rehearsals.chaos.bridge import Bridge
from harness.rehearsals.chaos.expecting import expect
from harness.rehearsals.chaos.kill_series import Detection, detection, expected
from harness.rehearsals.chaos.making import broken_off, made_by_toolkit
from harness.rehearsals.chaos.measures import span, stretch
from harness.rehearsals.chaos.places import Places
from harness.rehearsals.chaos.trial import trials
from harness.rehearsals.chaos.types import ChaosDetails, ChaosPlan, Experiment, Made, PlannedExperiment
from harness.stack.rungs import graceful_beside, manifests_of
from harness.stack.state.lease import run_folder
from harness.stack.waiting import undone_if_broken

#: An answer that was due this long ago is in, or counts as not steady yet: the probes' timeout and a flush.
SETTLE_S = 2.5
_POLL_S = 0.5


class Experiments:
    """The experiments of a run, on a stack that is not yet up."""

    def __init__(self, plan: ChaosPlan, on: Running[ChaosDetails]) -> None:
        self._plan = plan
        self._on = on
        self._manifests = on.manifests
        self._users = Users(on, users_of(plan.scenario, on.options.seed))
        self._bridge = Bridge(
            on.stack,
            self._manifests,
            on.clock,
            run_folder(on.run_id),
            steady=self._steady,
            set_flag=self._set_flag,
            places=Places(lambda: on.evidence.events, on.clock),
        )
        self._current: Experiment | None = None
        self._made: Made | None = None
        self._looked = False  # whether Chaos Toolkit has looked at the steady state of the current one
        self._detection = Detection()

    async def run(self) -> None:
        """The steps in order; each may raise."""
        on = self._on
        await on.up()
        on.details.origin_ns = await self._users.begin()
        on.mark("admitted")
        on.at_end(self._bridge.stop)
        await self._bridge.start()
        for number, planned in enumerate(self._plan.experiments, 1):
            if not lacks(planned.experiment.expects.needs, on.stack.capabilities):
                await self._follow(planned)
                await self._experiment(number, planned)
        on.mark("experiments")
        await self._bridge.stop()
        sent_ns, scenario, reconcile = await self._users.end(), self._plan.scenario, self._plan.reconcile
        await check_whole_run(on, scenario, self._manifests, sent_ns=sent_ns, reconcile=reconcile)

    async def _follow(self, planned: PlannedExperiment) -> None:
        """Applies the manifests that the experiment is made under, where others are applied."""
        on = self._on
        wanted = on.manifests
        if planned.graceful:
            wanted = manifests_of(on.options, graceful_beside(on.options.manifests))
        if wanted.folder != self._manifests.folder:
            on.say(message("applying {folder}", folder=str(wanted.folder)))
            self._manifests = self._bridge.manifests = wanted
            await on.stack.apply(wanted)

    async def _experiment(self, number: int, planned: PlannedExperiment) -> None:
        on, details, experiment = self._on, self._on.details, planned.experiment
        begun_ns = on.clock.now_ns()
        self._bridge.first_fault_ns = self._bridge.undone_ns = None
        self._bridge.repeated = 0
        self._current, self._looked = experiment, False
        self._made = Made(number=number, begun_ns=begun_ns, start_ns=begun_ns, end_ns=begun_ns)
        title, of = Message(text=experiment.title), str(len(self._plan.experiments))
        said = message("experiment {number} of {all}: {title}", number=str(number), all=of, title=title)
        as_written = bool(experiment.expects.erratum) and self._manifests.deployment.template.proxy_stops_at_once
        on.phase("experiment", said, number=number, name=experiment.name, as_written=as_written)
        details.made.append(self._made)
        if experiment.expects.repeated is None or await self._tried(experiment.expects.repeated.times):
            await self._make(number, experiment)
        await self._users.answered(msgspec.structs.replace(span(self._made), end_ns=stretch(self._made).end_ns))
        self._see(answered_ns=on.clock.now_ns())
        on.part_over(str(number))

    async def _make(self, number: int, experiment: Experiment) -> None:
        """Chaos Toolkit on it; every fault is undone, whatever became of it."""
        on, bridge = self._on, self._bridge
        async with undone_if_broken(bridge.end):
            journal = await made_by_toolkit(experiment, number, on.folder, bridge.path, on.run_id)
        await bridge.end()
        self._see(
            journal=f"journals/{number:02d}-{experiment.name}.json",
            status=str(journal.get("status", "")),
            deviated=bool(journal.get("deviated")),
            broken=broken_off(journal),
            repeated=bridge.repeated,
            server=on.stack.database().access().server if experiment.expects.failover is not None else "",
            end_ns=on.clock.now_ns(),
        )

    async def _tried(self, times: int) -> bool:
        """Tries the detection of a killed pod before a series of ``times``; whether there was a steady state for it."""
        on = self._on
        probe = self._manifests.deployment.template.containers[0].readiness
        path = probe.path if probe is not None else "/"
        found = await trials(on.stack, on.clock, path, lambda: self._why_not_steady(on.clock.now_ns()))
        self._see(tried=found)
        if found:
            seconds = ", ".join(f"{each:.2f}" for each in found)
            on.say(message("detection of a killed pod, tried: {seconds} s", seconds=seconds))
            self._detection = detection(found, times)
        return bool(found)

    def _see(self, **changes: object) -> None:
        assert self._made is not None
        self._made = msgspec.structs.replace(self._made, **changes)
        self._on.details.made[-1] = self._made

    # -- the steady state ----------------------------------------------------------------------------------------

    async def _steady(self) -> bool:
        """Before the method: whether it holds within a while; after it: whether it comes back in time."""
        on, made, experiment = self._on, self._made, self._current
        assert made is not None and experiment is not None
        before = not self._looked
        start_ns = on.clock.now_ns()
        limit_s = STEADY_S + 60.0 if before else experiment.expects.recover_within_s
        since_ns = start_ns if before else self._undone_ns()
        while True:
            now_ns = on.clock.now_ns()
            on.evidence.gather()
            why = self._why_not_steady(now_ns)
            # After an undo the whole stretch looked at has to lie behind it.
            fresh = before or now_ns - since_ns >= round((STEADY_S + SETTLE_S) * NS)
            if why is None and fresh:
                break
            if now_ns - since_ns > round((limit_s + STEADY_S + SETTLE_S) * NS):
                self._took_note(experiment, None, before=before)
                on.say(message("not steady: {why}", why=why or message("too early")))
                return False
            await on.clock.sleep(_POLL_S)
        self._took_note(experiment, on.clock.now_ns(), before=before)
        return True

    def _took_note(self, experiment: Experiment, steady_ns: int | None, *, before: bool) -> None:
        on = self._on
        if before:
            self._looked = True
            self._see(start_ns=on.clock.now_ns(), steady_before=steady_ns is not None)
            if experiment.expects.repeated is not None:
                told = (on.evidence, self._manifests, self._plan.scenario, self._detection)
                series = expect(experiment.expects.repeated, *told)
                self._see(series=series)
                on.say(expected(series).told)
            return
        assert self._made is not None
        # It held from the beginning of the stretch that was looked at.
        held_ns = None if steady_ns is None else steady_ns - round((STEADY_S + SETTLE_S) * NS)
        start_ns = self._bridge.first_fault_ns or self._made.start_ns
        self._see(start_ns=start_ns, undone_ns=self._undone_ns(), steady_ns=held_ns)

    def _undone_ns(self) -> int:
        return self._bridge.undone_ns or self._on.clock.now_ns()

    def _why_not_steady(self, now_ns: int) -> Message | None:
        return not_steady(
            self._on.evidence.ledger,
            now_ns,
            due=self._users.probes_due,
            wanted=self._manifests.deployment.replicas,
            settle_s=SETTLE_S,
            criteria=self._plan.criteria,
        )

    # -- parts ---------------------------------------------------------------------------------------------------

    async def _set_flag(self, on: bool) -> int:
        """The version that was published."""
        await self._users.set_flag(on=on)
        return int(self._on.evidence.events[-1].data["version"])
