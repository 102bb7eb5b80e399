"""What a run of experiments does, in one direction: stack up -> users and probes -> experiments -> checks.

Chaos Toolkit makes each experiment in a process of its own, and writes a journal. Before a series of kills a few are
tried: they tell how long a killed pod goes on being sent to, and with the steady state what the series may break.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import numpy as np

from chaos.bridge import SOCKET
from harness.base.clock import NS, Clock, polling
from harness.base.data import ROOT
from harness.base.errors import BadInput, PartDied
from harness.evidence.store import Gathered
from harness.load.users import Users, users_of
from harness.model.evidence import EventRow
from harness.model.manifests import Manifests
from harness.model.message import Message, message
from harness.model.scenario import Scenario
from harness.model.stack import Fault, FaultKind, PodState, lacks
from harness.rehearsals.chaos.bridge import Bridge, PodPlaces
from harness.rehearsals.chaos.facts import span, stretch
from harness.rehearsals.chaos.kill_series import Detection, KillSeries, detection, expected
from harness.rehearsals.chaos.types import (
    ChaosDetails,
    ChaosPlan,
    Experiment,
    MadeExperiment,
    PlannedExperiment,
    Repeated,
)
from harness.rules.steady import STEADY_S, not_steady
from harness.run.closing import check_whole_run
from harness.run.context import RunContext
from harness.stack.environments.choice import graceful_beside, manifests_of
from harness.stack.process.waiting import http_status, undone_if_broken
from harness.stack.protocol import Stack
from harness.stack.state.lease import run_folder

_LIMIT_S = 900.0


def limit_s(experiment: Experiment) -> float:
    """How long Chaos Toolkit may take for it: 900 s beyond its recovery, and what its steps pause and repeat."""
    steps = [*experiment.document["method"], *experiment.document.get("rollbacks", ())]
    pauses = [pause for step in steps for pause in (step.get("pauses") or {}).values()]
    asked = [step.get("provider", {}).get("arguments") for step in steps]
    series = [_seconds(each.get("every_s")) * _seconds(each.get("times")) for each in asked if isinstance(each, dict)]
    return _LIMIT_S + experiment.expects.recover_within_s + sum(map(_seconds, pauses)) + sum(series)


def _seconds(given: object) -> float:
    """A number; nothing of what Chaos Toolkit alone reads, as ``${warm_up}``, for which there are the 900 s."""
    return float(given) if isinstance(given, int | float) else 0.0


async def made_by_toolkit(
    experiment: Experiment, number: int, folder: Path, socket: Path, run_id: str
) -> dict[str, object]:
    """The journal, which also lies in ``folder/journals``. ``socket`` answers what its actions ask.

    Raises ``PartDied`` when Chaos Toolkit ends without one, ``TimeoutError`` after ``limit_s``.
    """
    journals = folder / "journals"
    journals.mkdir(exist_ok=True)
    source = journals / f"{number:02d}-{experiment.name}.experiment.json"
    journal = journals / f"{number:02d}-{experiment.name}.json"
    source.write_text(json.dumps(experiment.document, ensure_ascii=False, indent=2))
    environment = {**os.environ, SOCKET: str(socket), "TEKUTOKO_RUN_ID": run_id}
    log = folder / "logs" / "chaostoolkit.log"
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "chaos.toolkit", str(source), str(journal),
            cwd=ROOT, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    try:
        async with asyncio.timeout(limit_s(experiment)):
            status = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if status != 0 or not journal.exists():
        raise PartDied(
            message("Chaos Toolkit ended with status {status}", status=str(status)),
            where=str(log),
            remedy="read the log",
        )
    return dict(json.loads(journal.read_text()))


def broken_off(journal: dict[str, object]) -> str:
    """What an action said when it could not be made; "" when all were."""
    runs = [*(journal.get("run") or []), *(journal.get("rollbacks") or [])]  # type: ignore[misc]  # JSON
    for run in runs:
        if run.get("status") != "succeeded":
            words = run.get("exception") or ["no reason given"]
            return f"{run['activity']['name']}: {str(words[-1]).strip()}"
    return ""


TRIALS = 10  # in a cluster each is another: the kubelet and kube-proxy race, and sometimes nothing breaks at all
STEADY_LIMIT_S = 90.0
ASK_EVERY_S, ASKED_FOR_S = 0.03, 4.0
_SERVER_ERROR = 500


def detection_s(asked_ns: int, answers: list[tuple[int, bool]]) -> float:
    """How long connections were opened that were not answered well, after the kill was asked for; 0 when all were.

    From the first to the last of them, and one interval of asking: until the pod is dead it still answers, and that
    time is none in which anything breaks. Pure.
    """
    bad = [at_ns for at_ns, good in answers if not good and at_ns >= asked_ns]
    return (max(bad) - min(bad)) / NS + ASK_EVERY_S if bad else 0.0


async def trial(stack: Stack, clock: Clock, path: str) -> float | None:
    """One pod killed with grace 0 while ``path`` is asked for through the service: the detection in seconds.

    ``None`` when there was nothing to try it on: no pod was ready, or none answered.
    """
    service = stack.endpoints().service
    answers: list[tuple[int, bool]] = []  # when a new connection was opened, and whether it was answered well

    async def ask() -> None:
        at_ns = clock.now_ns()
        answers.append((at_ns, 0 < await http_status(service, path) < _SERVER_ERROR))

    begun_ns = clock.now_ns()
    kill = asyncio.ensure_future(stack.inject(Fault(kind=FaultKind.POD_KILL)))
    asks: list[asyncio.Task[None]] = []
    try:
        while clock.now_ns() - begun_ns < ASKED_FOR_S * NS:
            asks.append(asyncio.ensure_future(ask()))
            await clock.sleep(ASK_EVERY_S)
        await asyncio.gather(*asks)
        await kill
    except BadInput:
        return None
    finally:
        for task in (kill, *asks):
            task.cancel()
        await asyncio.gather(kill, *asks, return_exceptions=True)
    if not any(good for _, good in answers):
        return None
    return detection_s(begun_ns, answers)


async def trials(
    stack: Stack, clock: Clock, path: str, why_not_steady: Callable[[], Message | None]
) -> tuple[float, ...]:
    """``TRIALS`` of them in seconds, each from a steady state; () when that did not come or one could not be made."""
    found: list[float] = []
    for _ in range(TRIALS):
        again = polling(clock, limit_s=STEADY_LIMIT_S, every_s=_POLL_S)
        while why_not_steady() is not None:
            if not await again():
                return ()
        tried = await trial(stack, clock, path)
        if tried is None:
            return ()
        found.append(tried)
        await clock.sleep(SETTLE_S)
    return tuple(found)


#: The steady state looked at: the last good answers before the series. What the trials broke is none of it.
_LOOKED_AT = 200


def expect(
    repeated: Repeated, evidence: Gathered, manifests: Manifests, scenario: Scenario, detection: Detection
) -> KillSeries:
    """The offered rates, from the latency of probes and the readiness of pods as seen so far, and from
    the detection as tried by ``trials``.
    """
    probes = evidence.ledger.probes
    rows = probes[probes["ok"]][-_LOOKED_AT:]
    latency_s = float(np.mean(rows["done_ns"] - rows["sent_ns"])) / NS if len(rows) else 0.0
    population = scenario.population
    return KillSeries(
        times=repeated.times,
        every_s=repeated.every_s,
        replicas=manifests.deployment.replicas,
        user_rate_per_s=population.flag_on / population.pace_s,
        probe_rate_per_s=scenario.probes.rate_per_s,
        latency_s=latency_s,
        detection=detection,
        ready_after_s=ready_after_s(evidence.events),
    )


def ready_after_s(events: Iterable[EventRow]) -> float:
    """The longest that a pod has taken so far from being made to being ready; 0 when none was seen to."""
    made: dict[str, int] = {}
    took_ns = [0]
    for event in events:
        if event.kind == "pod":
            since_ns = made.setdefault(event.subject, event.at_ns)
            if event.data.get("state") == PodState.READY and since_ns >= 0:
                took_ns.append(event.at_ns - since_ns)
                made[event.subject] = -1  # its first time counts
    return max(took_ns) / NS


#: An answer that was due this long ago is in, or counts as not steady yet: the probes' timeout and a flush.
SETTLE_S = 2.5
_POLL_S = 0.5


class Experiments:
    """The experiments of a run, on a stack that is not yet up."""

    def __init__(self, plan: ChaosPlan, on: RunContext[ChaosDetails]) -> None:
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
            places=PodPlaces(lambda: on.evidence.events, on.clock),
        )
        self._current: Experiment | None = None
        self._made: MadeExperiment | None = None
        self._looked = False  # whether Chaos Toolkit has looked at the steady state of the current one
        self._detection = Detection()

    async def run(self) -> None:
        """The steps in order; each may raise."""
        on = self._on
        await on.up()
        on.details.origin_ns = await self._users.begin()
        on.mark("admitted")
        on.add_finalizer(self._bridge.stop)
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
        self._made = MadeExperiment(number=number, begun_ns=begun_ns, start_ns=begun_ns, end_ns=begun_ns)
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
