"""Scaling: by hand, by the autoscaler, under the budget, by the document's commands; and the loss of a zone."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from harness.base.clock import NS, polling
from harness.base.data import KUBERNETES
from harness.checks.budget import desired
from harness.evidence.store import Gathered
from harness.load.stages.admit import StepUsers
from harness.load.stages.process import StageProcesses
from harness.model.command import Ran
from harness.model.evidence import Side
from harness.model.judgement import Expected, Kind
from harness.model.manifests import Budget, Manifests
from harness.model.message import ProgressCallback, message, raw_text
from harness.model.parts import ended
from harness.model.result import RunInfo
from harness.model.scenario import ACCOUNTS, Step
from harness.model.section import Chart, Pairs, Section
from harness.model.stack import Fault, FaultKind
from harness.rehearsals.scaling.facts import PHRASES, ScalingEvidence, external, facts
from harness.rehearsals.scaling.facts_sizes import pods_left_s
from harness.rehearsals.scaling.types import (
    Applied,
    Commanded,
    Did,
    Drained,
    Effect,
    Loaded,
    Manual,
    ScalingDetails,
    ScalingPart,
    ScalingPartKind,
    ScalingPlan,
    Slowed,
    TakenBack,
    ZoneLost,
    controlled,
    step_of,
)
from harness.report import course as charts
from harness.report.course import AutoscalingCourse, chart_of, course_of, stretch
from harness.report.series import MeasuredSeries, axis_of, measured_on
from harness.rules.endpoints import endpoints_now
from harness.rules.resizes import resizes
from harness.rules.rule import Fact
from harness.rules.zones import fullest, placement
from harness.run.context import RunContext
from harness.run.moments import timeline
from harness.run.options import Options
from harness.run.parts import InParts
from harness.run.rehearsal import Cost, RunRecord, cost_by_requests
from harness.stack.environments.choice import manifests_of
from harness.stack.faults.injecting import injecting
from harness.stack.manifests.change import spreads_over_zones, without_autoscaler
from harness.stack.manifests.quantity import scaled
from harness.stack.protocol import ByKubectl, StackNeeds, WithExternalMetrics

# What the page of a run of scaling shows besides its judgements: sizes over time, the moments.


def sections_of(plan: ScalingPlan, seen: RunRecord[ScalingDetails], rows: ScalingEvidence) -> Iterator[Section]:
    """All of the page; ``rows`` are those of the evidence that a part is judged by."""
    details = seen.details
    factor = message("CPU requests and limits were multiplied by")
    yield Pairs(pairs=((factor, f"{details.cpu_factor:.2f}"),), differs=True)
    for part, part_ns, end_ns in ended(plan.parts, details.runs):
        found = course(part, details, rows, part_ns, end_ns)
        chart = chart_of(part.name, message("Pods"), found)
        if chart is not None:
            axis = axis_of(part_ns, end_ns, round(end_ns - found.end_s * NS))
            yield stretch(
                message("Pods against the load"),
                axis,
                (chart, *_load(measured_on(axis, seen.evidence), details.did.get(part.name))),
                part=part.name,
            )
    yield timeline(rows.events, seen.facts.anchor.monotonic_ns)


def _load(measured: MeasuredSeries, did: Did | None) -> Iterator[Chart]:
    """What the pods carry: requests to the API, and the latency or CPU by which the autoscaler decides."""
    if Side.API in measured.sides:
        axis, side = measured.axis, measured.sides[Side.API]
        yield charts.requests(axis, Side.API, side)
        if isinstance(did, Slowed) and did.controlled is not None and (p95 := external(did.controlled.hpa)) is not None:
            yield charts.latency(axis, Side.API, side, [float(p95.value_m or 0)])  # thousandths of a second: ms
    yield from charts.cpu(measured)


def course(
    part: ScalingPart, details: ScalingDetails, rows: ScalingEvidence, part_ns: int, end_ns: int
) -> AutoscalingCourse:
    """The part's endpoints and decisions, from its load on, or from its begin where it has none."""
    span = part_ns, part_ns
    match details.did.get(part.name):
        case Loaded(load_ns=load_ns, end_ns=loaded_ns) | ZoneLost(lost_ns=load_ns, end_ns=loaded_ns):
            span = load_ns, loaded_ns
    return course_of(rows.events, span, part_ns, end_ns)


# The parts of the rehearsal: what each does to the stack, and the facts that it leaves for the judge.
# The document's kubectl commands, as written, in the run's namespace. The last ones break the run's Deployment.

#: The seven that the document names; its folder's kustomization.yaml is ours.
SEVEN = ("deployment", "service", "serviceaccount", "configmap", "secret", "hpa", "poddisruptionbudget")
_FOLLOWED_S = 5.0  # of `logs -f`, which never ends by itself
_STATUS_S = 25.0  # of a rollout that never ends; the document's own waits out the deadline of 600 s
_UNDONE_S = 150.0
_ENDED = -1
_KEPT = 4000  # characters of what a command said, in kubectl.txt
#: What the API server adds to an object; a person who edits a file has none of it.
_SERVERS = ("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields", "selfLink")

Reached = Callable[[int], Awaitable[tuple[int, float | None]]]


class Commands:
    """Runs them in an order that shows what they do to each other; ``ran`` and ``effects`` grow.

    ``folder`` gets what each said, and the manifests that were applied. ``reached`` waits until so many pods are
    endpoints, and tells since when and after how many seconds they were, or ``None``.
    """

    def __init__(
        self, stack: ByKubectl, part: ScalingPart, name: str, *, document: Path, folder: Path, say: ProgressCallback,
        reached: Reached,
    ) -> None:  # fmt: skip
        self.ran: dict[str, Ran] = {}
        self.effects: list[Effect] = []
        self._stack = stack
        self._part = part
        self._name = name
        self._folder = folder
        self._copy = copied(document, self._folder / "base")
        self._say = say
        self._reached = reached

    async def run(self) -> None:
        """All of them. One that goes on by its nature is ended, and counts as status 0 when it had said something.

        Raises what the stack raises, never for what kubectl says.
        """
        await self._monitoring()
        await self._do("delete hpa", "delete", "hpa", "--all")
        await self._do("scale before", "scale", "deployment", self._name, f"--replicas={self._part.low}")
        at_ns, low_s = await self._reached(self._part.low)
        if low_s is not None:
            await self._numbers(autoscaler=False)
        else:  # what is set next would show nothing; that this was not reached does
            command = self.ran["scale before"].command
            self.effects.append(
                Effect(command=command, autoscaler=False, pods=self._part.low, after_s=None, at_ns=at_ns)
            )
        await self._do("apply hpa", "apply", "-f", "base/hpa.yaml", folder=self._copy)
        await self._numbers(autoscaler=True)
        await self._versions()
        await self._do("apply folder", "apply", "-f", "base/", folder=self._copy)
        await self._do("get all", "get", "all")
        await self._do("get svc", "get", "svc", self._name)

    async def _monitoring(self) -> None:
        await self._do("get pods", "get", "pods")
        await self._do("logs", "logs", "-f", f"deployment/{self._name}", limit_s=_FOLLOWED_S)
        logs = self.ran["logs"]
        if logs.status == _ENDED and logs.output.strip():
            self.ran["logs"] = Ran(command=logs.command, status=0, output=logs.output)
        await self._do("top pods", "top", "pods")
        await self._do("get hpa", "get", "hpa")
        await self._do("get events", "get", "events", "--sort-by=.lastTimestamp")

    async def _numbers(self, *, autoscaler: bool) -> None:
        """Both of the document's ways to another number of pods, up and down."""
        part, hpa = self._part, "on" if autoscaler else "off"
        await self._do(f"scale, HPA {hpa}", "scale", "deployment", self._name, f"--replicas={part.high}")
        await self._effect(part.high, autoscaler=autoscaler)
        for replicas in (part.low, part.high, part.low):
            file = await self._edited(replicas)
            key = f"apply replicas {replicas}, HPA {hpa}"
            await self._do(key, "apply", "-f", f"{file.parent.name}/{file.name}", folder=file.parent)
            await self._effect(replicas, autoscaler=autoscaler)

    async def _effect(self, pods: int, *, autoscaler: bool) -> None:
        command = list(self.ran.values())[-1].command
        if f"replicas={pods}" not in command:
            command += f" (replicas: {pods})"
        at_ns, after_s = await self._reached(pods)
        self.effects.append(Effect(command=command, autoscaler=autoscaler, pods=pods, after_s=after_s, at_ns=at_ns))

    async def _edited(self, replicas: int) -> Path:
        """The Deployment as a person keeps it in a file, with another number: as it runs here, not as the document
        prints it, whose image no cluster but the author's can pull."""
        found = await self._do("get deployment", "get", "deployment", self._name, "--output=json")
        file = self._folder / "edited" / "deployment.yaml"
        file.parent.mkdir(exist_ok=True)
        if found.status == 0:
            file.write_text(json.dumps(edited(json.loads(found.output), replicas), indent=2))  # JSON is YAML
        return file

    async def _versions(self) -> None:
        deployment = f"deployment/{self._name}"
        await self._do("set image", "set", "image", deployment, "api=gcr.io/PROJECT_ID/tekutoko-api:0000000")
        await self._do("rollout status", "rollout", "status", deployment, limit_s=_STATUS_S)
        await self._do("rollout undo", "rollout", "undo", deployment)
        await self._do("status after undo", "rollout", "status", deployment, limit_s=_UNDONE_S)

    async def _do(self, key: str, *words: str, limit_s: float = 60.0, folder: Path | None = None) -> Ran:
        self._say(raw_text(f"kubectl {' '.join(words)}"))
        one = self.ran[key] = await self._stack.kubectl(*words, limit_s=limit_s, folder=folder)
        with (self._folder / "kubectl.txt").open("a") as file:
            file.write(f"$ {one.command}\n{one.output[:_KEPT]}\n# status {one.status}\n\n")
        return one


def edited(deployment: dict[str, Any], replicas: int) -> dict[str, Any]:
    """What the API server says of a Deployment as a manifest again, with ``replicas``."""
    metadata = {name: value for name, value in deployment["metadata"].items() if name not in _SERVERS}
    metadata.pop("annotations", None)
    spec = {**deployment["spec"], "replicas": replicas}
    return {"apiVersion": deployment["apiVersion"], "kind": deployment["kind"], "metadata": metadata, "spec": spec}


def copied(document: Path, to: Path) -> Path:
    """The seven files, byte for byte, in a folder of their own."""
    to.mkdir(parents=True)
    for name in SEVEN:
        shutil.copyfile(document / f"{name}.yaml", to / f"{name}.yaml")
    return to


#: After a part: until the feed has told of everything, and the next one's events are its own.
SETTLE_S = 2.0
_LEAD_S = 0.5
_POLL_S = 1.0
_QUIET_S = 90.0  # until the metric of the first requests was scraped twice, listed, and read by the autoscaler
_LIGHT_S = 30.0
_BEFORE_LOSS_S = 20.0  # of load, so that the requests before the loss can be compared


class ScalingActs:
    """Runs parts on a stack that is up, with ``plain`` manifests: those of the run without its autoscaler.

    ``manifests`` have it, and requests as applied.
    """

    def __init__(self, on: RunContext[ScalingDetails], manifests: Manifests, plain: Manifests) -> None:
        self._on = on
        self._stack = on.stack
        self._clock = on.clock
        self._events = on.evidence.events
        self._manifests = manifests
        self._plain = plain
        self._users = StepUsers(on, seed=on.options.seed, accounts=ACCOUNTS)

    async def run(self, part: ScalingPart) -> Did:
        """Raises what the stack raises."""
        does = {
            ScalingPartKind.MANUAL: self._manual,
            ScalingPartKind.APPLY: self._apply,
            ScalingPartKind.DRAIN: self._drain,
            ScalingPartKind.TAKES_BACK: self._takes_back,
            ScalingPartKind.HPA: self._hpa,
            ScalingPartKind.HPA_LATENCY: self._hpa_latency,
            ScalingPartKind.ZONE: self._zone,
            ScalingPartKind.COMMANDS: self._commands,
        }[part.kind]
        return await does(part)

    async def _manual(self, part: ScalingPart) -> Did:
        """From ``low``, whatever the manifests ask for."""
        await self._stack.scale(part.low)
        await self._settle()
        await self._until(lambda: len(endpoints_now(self._events)) == part.low, part.wait_s)
        up_ns = self._clock.now_ns()
        await self._stack.scale(part.high)
        down_ns = await self._settle()
        await self._stack.scale(part.low)
        await self._until(lambda: pods_left_s(self._events, down_ns, part.low) is not None, part.wait_s)
        await self._settle()
        return Manual(up_ns=up_ns, down_ns=down_ns)

    async def _apply(self, part: ScalingPart) -> Did:
        await self._stack.scale(part.high)
        applied_ns = await self._settle()
        replicas = self._plain.deployment.replicas
        await self._stack.apply(self._plain)
        await self._until(lambda: pods_left_s(self._events, applied_ns, replicas) is not None, part.wait_s)
        await self._settle()
        return Applied(applied_ns=applied_ns, replicas=replicas)

    async def _drain(self, part: ScalingPart) -> Did:
        load = await self._admitted() if part.rate_per_s else None
        since_ns = self._clock.now_ns()
        draining = asyncio.ensure_future(self._stack.drain(limit_s=part.wait_s))
        try:
            while load is not None and not draining.done():
                await self._light(part, load, part.load_s)
            drained = await draining
        finally:
            draining.cancel()
        return Drained(
            since_ns=since_ns,
            until_ns=await self._settle(),
            least=least_available(self._plain.pdb, self._plain.deployment.replicas),
            granted=len(drained.evicted),
            refused=drained.refusals,
            took_s=drained.took_s,
        )

    async def _takes_back(self, part: ScalingPart) -> Did:
        await self._stack.apply(self._manifests)
        scaled_ns = await self._settle()
        await self._stack.scale(part.high)
        self._on.say(message("waiting up to {seconds} s for the autoscaler", seconds=f"{part.wait_s:g}"))
        await self._until(lambda: self._smaller(scaled_ns, part.high), part.wait_s)
        return TakenBack(scaled_ns=scaled_ns)

    async def _hpa(self, part: ScalingPart) -> Did:
        await self._stack.apply(self._manifests)
        load = None if part.hold else await self._admitted()
        load_ns = await self._settle() + round(_LEAD_S * NS)
        end_ns = load_ns + round(part.load_s * NS)
        if load is None:
            await self._hold(part, end_ns)
            end_ns = self._clock.now_ns()
        else:
            await self._step(load, step_of(part), load_ns)
        self._on.say(
            message(
                "the load has ended; waiting up to {seconds} s for {count} pods",
                seconds=f"{part.wait_s:g}",
                count=str(part.low),
            )
        )
        await self._until(lambda: self._lowered(load_ns, part.low), part.wait_s)
        return Loaded(load_ns=load_ns, end_ns=end_ns)

    async def _hpa_latency(self, part: ScalingPart) -> Did:
        """Light load all the while, so that there is a p95; for ``load_s`` of it the database is slow."""
        stack, manifests = self._stack, self._with_external_metric(part)
        assert isinstance(stack, WithExternalMetrics)  # the part needs external_metrics
        if external(manifests.hpa) is None:
            now_ns = self._clock.now_ns()
            return Slowed(load_ns=now_ns, end_ns=now_ns)
        await stack.start_external_metrics()
        await stack.apply(manifests)
        load = await self._admitted()
        await self._light(part, load, _QUIET_S)
        async with injecting(stack) as inject:
            slow_ns = self._clock.now_ns()
            await inject(Fault(kind=FaultKind.DATABASE_LOCKED, delay_ms=part.delay_ms))
            await self._light(part, load, part.load_s)
        end_ns = self._clock.now_ns()
        words = {"seconds": f"{part.wait_s:g}", "count": str(part.low)}
        self._on.say(message("answers are quick again; waiting up to {seconds} s for {count} pods", **words))
        while not self._lowered(slow_ns, part.low) and self._clock.now_ns() < end_ns + part.wait_s * NS:
            await self._light(part, load, _LIGHT_S)
        await stack.stop_external_metrics()  # the next part applies manifests without it
        return Slowed(load_ns=slow_ns, end_ns=end_ns, controlled=controlled(manifests))

    async def _light(self, part: ScalingPart, load: StageProcesses, seconds: float) -> None:
        step = msgspec.structs.replace(step_of(part), seconds=seconds)
        await self._step(load, step, self._clock.now_ns() + round(_LEAD_S * NS))

    async def _step(self, load: StageProcesses, step: Step, start_ns: int) -> None:
        await load.step(step, start_ns)
        self._on.details.steps.append((step, start_ns))

    def _with_external_metric(self, part: ScalingPart) -> Manifests:
        """The run's own where their HPA asks for one; else the overlay beside them, where there is one."""
        folder = self._beside(part.component)
        if external(self._manifests.hpa) is None and folder is not None and folder.is_dir():
            return self._overlay(folder)
        return self._manifests

    async def _hold(self, part: ScalingPart, end_ns: int) -> None:
        """The first ``held`` pods that are endpoints hold memory, each from when it is seen, until ``end_ns``."""
        held: set[str] = set()
        async with injecting(self._stack) as inject:
            while self._clock.now_ns() < end_ns:
                for pod in endpoints_now(self._events):
                    if pod not in held and len(held) < part.held:
                        await inject(Fault(kind=FaultKind.POD_MEMORY, share=part.hold, subject=pod))
                        held.add(pod)
                await self._clock.sleep(_POLL_S)

    async def _zone(self, part: ScalingPart) -> Did:
        manifests = without_autoscaler(self._overlay(self._beside(part.component)), self._plain.deployment.replicas)
        await self._stack.apply(manifests)
        load = await self._admitted()
        load_ns = await self._settle() + round(_LEAD_S * NS)
        step = asyncio.ensure_future(self._step(load, step_of(part), load_ns))
        try:
            async with injecting(self._stack) as inject:
                await self._clock.sleep(_BEFORE_LOSS_S)
                lost_ns = self._clock.now_ns()
                zone = fullest(placement(self._events, lost_ns))
                self._on.say(message("losing the zone {zone}", zone=zone))
                await inject(Fault(kind=FaultKind.ZONE_LOSS, subject=zone))
                await step
        finally:
            step.cancel()
        spread = spreads_over_zones(manifests)
        return ZoneLost(zone=zone, load_ns=load_ns, lost_ns=lost_ns, end_ns=await self._settle(), spread=spread)

    async def _commands(self, part: ScalingPart) -> Did:
        assert isinstance(self._stack, ByKubectl)  # the part needs real_kubernetes
        await self._stack.apply(self._manifests)
        document = KUBERNETES / "document"
        doing = Commands(
            self._stack, part, self._manifests.deployment.name, document=document, folder=self._on.folder,
            say=self._on.say, reached=lambda pods: self._reached(pods, part.wait_s),
        )  # fmt: skip
        begun_ns = self._clock.now_ns()
        await doing.run()
        return Commanded(begun_ns=begun_ns, ran=doing.ran, effects=tuple(doing.effects))

    async def _admitted(self) -> StageProcesses:
        self._on.details.users = ACCOUNTS
        return await self._users.load()

    def _beside(self, component: str) -> Path | None:
        """The overlay beside the environment's own."""
        own = self._on.options.manifests
        return own.with_name(f"{own.name}-{component}") if component else None

    def _overlay(self, folder: Path | None) -> Manifests:
        """Raises ``BadInput``."""
        return scaled(manifests_of(self._on.options, folder), self._on.details.cpu_factor)

    async def _reached(self, pods: int, limit_s: float) -> tuple[int, float | None]:
        """Now, and the seconds until exactly so many pods are endpoints, ``None`` when they are not in ``limit_s``."""
        since_ns = self._clock.now_ns()
        await self._until(lambda: len(endpoints_now(self._events)) == pods, limit_s)
        reached = len(endpoints_now(self._events)) == pods
        return since_ns, (self._clock.now_ns() - since_ns) / NS if reached else None

    def _smaller(self, since_ns: int, count: int) -> bool:
        return any(each.size < count for each in resizes(self._events, since_ns))

    def _lowered(self, since_ns: int, count: int) -> bool:
        """Whether the autoscaler asked for no more, and there are no more: pods may be fewer of themselves."""
        return self._smaller(since_ns, count + 1) and len(endpoints_now(self._events)) <= count

    async def _settle(self) -> int:
        await self._clock.sleep(SETTLE_S)
        return self._clock.now_ns()

    async def _until(self, reached: Callable[[], bool], limit_s: float) -> None:
        """Returns when it is reached, or the time has passed: the judge sees which."""
        again = polling(self._clock, limit_s=limit_s, every_s=_POLL_S)
        while not reached() and await again():
            pass


def least_available(budget: Budget | None, replicas: int) -> int:
    """The pods that have to stay; 0 without a budget."""
    return 0 if budget is None else desired(budget, replicas)


#: What the claim on the autoscaler's time has looked at beside it.
COLD_START, HPA_UP = "cold_start", "scaling.time.hpa_up"


class Scaling(InParts[ScalingPlan, ScalingDetails]):
    """The rehearsal: each part of the plan in turn, on one stack."""

    name = "scaling"
    plan, details = ScalingPlan, ScalingDetails
    phrases, ruled_by = PHRASES, ("checks", "scaling")

    def stack_spec(self, plan: ScalingPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """A zone is lost by freezing its nodes: nobody else may be on them."""
        use_kept = not any(part.kind is ScalingPartKind.ZONE for part in plan.parts)
        return replace(super().stack_spec(plan, options, manifests), use_kept=use_kept)

    def expected(self, plan: ScalingPlan, facts: RunInfo) -> Iterator[Expected]:
        """And how long a pod's own start took of the autoscaler's time, and the errata that the document's commands may
        show."""
        yield from super().expected(plan, facts)
        yield from (Expected(each.name, COLD_START, HPA_UP) for each in plan.parts if HPA_UP in each.claims)
        errata = [id_ for id_, rule in self.rules.items() if rule.kind is Kind.OBSERVATION]
        commanded = (part.name for part in plan.parts if part.kind is ScalingPartKind.COMMANDS)
        yield from (Expected(part, id_, kind=Kind.OBSERVATION) for part in commanded for id_ in errata)

    def acts(self, plan: ScalingPlan, on: RunContext[ScalingDetails]) -> ScalingActs:
        """With the autoscaler and, first, without it at the number of pods that the manifests name."""
        _ = plan
        manifests = scaled(on.manifests, on.details.cpu_factor)
        on.details.controlled = controlled(manifests)
        return ScalingActs(on, manifests, without_autoscaler(manifests, manifests.deployment.replicas))

    def loads(self, part: ScalingPart) -> bool:
        """With requests, not by memory that pods hold."""
        return bool(part.rate_per_s or part.in_flight)

    def measured(self, plan: ScalingPlan, seen: RunRecord[ScalingDetails]) -> Iterable[Fact]:
        """Of every part that was carried through."""
        return facts(plan, seen.details, _rows(seen.facts.capabilities, seen.evidence))

    def sections(self, plan: ScalingPlan, seen: RunRecord[ScalingDetails]) -> Iterable[Section]:
        """Pods over time, and the moments."""
        return sections_of(plan, seen, _rows(seen.facts.capabilities, seen.evidence))

    def costs(self, plan: ScalingPlan, seen: RunRecord[ScalingDetails]) -> Iterable[Cost]:
        """Of each drain and of each loss of a zone, by the requests that were made the while."""
        for part, _, _ in ended(plan.parts, seen.details.runs):
            match seen.details.did.get(part.name):
                case Drained(since_ns=since_ns, until_ns=until_ns):
                    yield cost_by_requests(message("the drain"), seen.evidence, since_ns, until_ns, part.name)
                case ZoneLost(zone=zone, lost_ns=lost_ns, end_ns=end_ns):
                    title = message("the loss of the zone {zone}", zone=zone)
                    yield cost_by_requests(title, seen.evidence, lost_ns, end_ns, part.name)


def _rows(capabilities: Collection[str], evidence: Gathered) -> ScalingEvidence:
    return ScalingEvidence(capabilities, evidence.events, evidence.samples, evidence.requests)


REHEARSAL = Scaling()
