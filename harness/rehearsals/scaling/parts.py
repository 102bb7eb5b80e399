"""The parts of the rehearsal: what each does to the stack, and what is handed to the judge."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from harness.clock import NS, Clock
from harness.judge.zones import fullest, placement
from harness.load.stages.process import StageProcesses
from harness.manifests.change import spreads_over_zones
from harness.model.disruption import Budget
from harness.model.evidence import EventRow, RequestRow, SampleRow
from harness.model.manifests import Manifests
from harness.model.stack import Fault, FaultKind, Rung
from harness.model.step import Arrivals, Step
from harness.model.verdict import ErratumSeen
from harness.progress import Progress
from harness.rehearsals.scaling import judge_errata as errata
from harness.rehearsals.scaling import judge_parts as judge
from harness.rehearsals.scaling import judge_zones as zones
from harness.rehearsals.scaling import observed
from harness.rehearsals.scaling.by_kubectl import Commands
from harness.rehearsals.scaling.judge_autoscaling import Ruled, utilizations
from harness.rehearsals.scaling.rule import Course, decisions, recommended
from harness.rehearsals.scaling.types import Part, PartKind, ScalingFinding
from harness.stack.protocol import ByKubectl, Stack, Undo

#: After a part: until the feed has told of everything, and the next one's events are its own.
SETTLE_S = 2.0
_LEAD_S = 0.5
_POLL_S = 1.0
_BEFORE_LOSS_S = 20.0  # of load, so that the requests before the loss can be compared

Asked = Sequence[tuple[int, str, float]]
Seen = tuple[Sequence[EventRow], Sequence[SampleRow], Manifests, int]  # what the rule reads, and the pods at first
Admit = Callable[[], Awaitable[StageProcesses]]


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What a part came to."""

    findings: list[ScalingFinding]
    observed: list[str] = []
    errata: list[ErratumSeen] = []  # seen of errata that no finding is about
    load_ns: int = 0  # when what the part is about began and ended
    end_ns: int = 0


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What grows while the parts run. ``asked`` are the metrics' own recommendations, where the rung tells them."""

    events: list[EventRow]
    samples: list[SampleRow]
    requests: list[RequestRow]
    asked: Asked


class Parts:
    """Runs parts on a stack that is up; ``admit`` starts the load, once.

    ``manifests`` have the autoscaler, and requests as applied; the stack was brought up with ``plain``, the same
    without; ``with_component`` gives the latter of the overlay beside the rung's own.
    """

    def __init__(
        self, stack: Stack, evidence: Evidence, *, manifests: Manifests, plain: Manifests,
        with_component: Callable[[str], Manifests], clock: Clock, progress: Progress, admit: Admit, document: str,
        folder: str,
    ) -> None:  # fmt: skip
        self._stack = stack
        self._manifests = manifests
        self._plain = plain
        self._events = evidence.events
        self._samples = evidence.samples
        self._requests = evidence.requests
        self._asked = evidence.asked
        self._with_component = with_component
        self._clock = clock
        self._progress = progress
        self._admit = admit
        self._document = document
        self._folder = folder

    async def run(self, part: Part) -> Done:
        """Raises what the stack raises."""
        does = {
            PartKind.MANUAL: self._manual,
            PartKind.APPLY: self._apply,
            PartKind.DRAIN: self._drain,
            PartKind.TAKES_BACK: self._takes_back,
            PartKind.HPA: self._hpa,
            PartKind.ZONE: self._zone,
            PartKind.COMMANDS: self._commands,
        }[part.kind]
        return await does(part)

    async def _manual(self, part: Part) -> Done:
        up_ns = self._clock.now_ns()
        await self._stack.scale(part.high)
        down_ns = await self._settle()
        await self._stack.scale(part.low)
        await self._until(lambda: judge.pods_left_s(self._events, down_ns, part.low) is not None, part.wait_s)
        await self._settle()
        return Done(findings=judge.manual(part, self._events, up_ns, down_ns))

    async def _apply(self, part: Part) -> Done:
        await self._stack.scale(part.high)
        applied_ns = await self._settle()
        replicas = self._plain.deployment.replicas
        await self._stack.apply(self._plain)
        await self._until(lambda: judge.pods_left_s(self._events, applied_ns, replicas) is not None, part.wait_s)
        await self._settle()
        told = f"applying the manifests with replicas: {replicas} cut a Deployment that was scaled to {part.high}"
        findings = judge.applied(part, self._events, applied_ns)
        return Done(findings=findings, observed=[told])

    async def _drain(self, part: Part) -> Done:
        since_ns = self._clock.now_ns()
        drained = await self._stack.drain(limit_s=part.wait_s)
        until_ns = await self._settle()
        least = least_available(self._plain.pdb, self._plain.deployment.replicas)
        findings = judge.drained(
            self._events, since_ns, until_ns, least=least, granted=len(drained.evicted), refused=drained.refusals
        )
        return Done(findings=findings, observed=[f"the drain took {drained.took_s:.1f} s"])

    async def _takes_back(self, part: Part) -> Done:
        await self._stack.apply(self._manifests)
        scaled_ns = await self._settle()
        await self._stack.scale(part.high)
        self._progress(f"waiting up to {part.wait_s:g} s for the autoscaler")
        await self._until(lambda: self._smaller(scaled_ns, part.high), part.wait_s)
        return Done(findings=judge.taken_back(part, self._events, scaled_ns))

    async def _hpa(self, part: Part) -> Done:
        await self._stack.apply(self._manifests)
        load = None if part.hold else await self._admit()
        load_ns = await self._settle() + round(_LEAD_S * NS)
        end_ns = load_ns + round(part.load_s * NS)
        if load is None:
            await self._hold(part, end_ns)
            end_ns = self._clock.now_ns()
        else:
            await load.step(_step(part), load_ns)
        self._progress(f"the load has ended; waiting up to {part.wait_s:g} s for {part.low} pods")
        await self._until(lambda: self._endpoints(end_ns, part.low), part.wait_s)
        resource = "memory" if part.hold else "cpu"
        ruled, asked = None, self._asked
        if self._stack.rung is not Rung.LOCAL:  # there the autoscaler is the rule, and tells what it was asked for
            seen = (tuple(self._events), tuple(self._samples), self._manifests, part.low)
            # Seconds of pure calculation, while the cluster is watched on.
            ruled = await asyncio.to_thread(self._ruled, part, resource, load_ns, seen)
            asked = await asyncio.to_thread(recommended, *seen, (load_ns, end_ns))
        return Done(
            findings=judge.autoscaled(part, self._events, load_ns, end_ns, asked=asked, ruled=ruled),
            observed=observed.of_autoscaling(part, self._events, self._samples, load_ns, end_ns),
            load_ns=load_ns,
            end_ns=end_ns,
        )

    async def _hold(self, part: Part, end_ns: int) -> None:
        """The first ``held`` pods that are endpoints hold memory, each from when it is seen, until ``end_ns``."""
        undos: dict[str, Undo] = {}
        try:
            while self._clock.now_ns() < end_ns:
                for pod in judge.endpoints_now(self._events):
                    if pod not in undos and len(undos) < part.held:
                        fault = Fault(kind=FaultKind.POD_MEMORY, share=part.hold, subject=pod)
                        undos[pod] = await self._stack.inject(fault)
                await self._clock.sleep(_POLL_S)
        finally:
            await asyncio.gather(*(undo() for undo in undos.values()))

    def _ruled(self, part: Part, resource: str, since_ns: int, seen: Seen) -> Ruled:
        """What the rule says of the controller's decisions since."""
        first = self._manifests.deployment.template.containers[0]
        alone_m = (first.request_memory_bytes or 0) * 1000 if part.hold else first.request_cpu_m or 0
        return Ruled(
            decisions=decisions(*seen, since_ns),
            utilizations=utilizations(seen[0], resource, since_ns, self._clock.now_ns()),
            request_m=Course(*seen[:3]).requests_m(resource),
            alone_m=alone_m,
        )

    async def _zone(self, part: Part) -> Done:
        manifests = self._with_component(part.component)
        await self._stack.apply(manifests)
        load = await self._admit()
        load_ns = await self._settle() + round(_LEAD_S * NS)
        step = asyncio.ensure_future(load.step(_step(part), load_ns))
        undo: Undo | None = None
        try:
            await self._clock.sleep(_BEFORE_LOSS_S)
            lost_ns = self._clock.now_ns()
            zone = fullest(placement(self._events, lost_ns))
            self._progress(f"losing the zone {zone}")
            undo = await self._stack.inject(Fault(kind=FaultKind.ZONE_LOSS, subject=zone))
            await step
        finally:
            step.cancel()
            if undo is not None:
                await undo()
        end_ns = await self._settle()
        loss = zones.seen(part, self._events, self._requests, zone=zone, lost_ns=lost_ns, end_ns=end_ns)
        findings = zones.judged(part, loss, spread=spreads_over_zones(manifests))
        return Done(findings=findings, observed=observed.of_zone(loss), load_ns=lost_ns, end_ns=end_ns)

    async def _commands(self, part: Part) -> Done:
        assert isinstance(self._stack, ByKubectl)  # the part needs real_kubernetes
        await self._stack.apply(self._manifests)
        name = self._manifests.deployment.name
        doing = Commands(
            self._stack, part, name, document=self._document, folder=self._folder, progress=self._progress,
            reached=lambda pods: self._reached(pods, part.wait_s),
        )  # fmt: skip
        begun_ns = self._clock.now_ns()
        await doing.run()
        told = [f"`{one.command}` ended in {one.status}" for one in doing.ran.values()]
        resizes = judge.resizes(self._events, begun_ns)
        told += observed.of_effects(doing.effects, resizes)
        shown = [*errata.of_effects(doing.effects, resizes), *errata.of_first_deploy(doing.ran.get("apply folder"))]
        return Done(findings=judge.commands(doing.ran, doing.effects), observed=told, errata=shown)

    async def _reached(self, pods: int, limit_s: float) -> tuple[int, float | None]:
        """Now, and the seconds until exactly so many pods are endpoints, ``None`` when they are not in ``limit_s``."""
        since_ns = self._clock.now_ns()
        await self._until(lambda: len(judge.endpoints_now(self._events)) == pods, limit_s)
        reached = len(judge.endpoints_now(self._events)) == pods
        return since_ns, (self._clock.now_ns() - since_ns) / NS if reached else None

    def _smaller(self, since_ns: int, count: int) -> bool:
        return any(each.size < count for each in judge.resizes(self._events, since_ns))

    def _endpoints(self, since_ns: int, count: int) -> bool:
        return judge.endpoints_reached_s(self._events, since_ns, lambda seen: seen <= count) is not None

    async def _settle(self) -> int:
        await self._clock.sleep(SETTLE_S)
        return self._clock.now_ns()

    async def _until(self, reached: Callable[[], bool], limit_s: float) -> None:
        """Returns when it is reached, or the time has passed: the judge sees which."""
        give_up_ns = self._clock.now_ns() + round(limit_s * NS)
        while not reached() and self._clock.now_ns() < give_up_ns:
            await self._clock.sleep(_POLL_S)


ACCOUNTS = 1000  # enough that nobody sends 100 requests a minute


def _step(part: Part) -> Step:
    """Each request on a connection of its own, as phones that ask once in 50 s: a kept one stays with its pod, and new
    pods would get nothing of the load."""
    return Step(
        name=part.name,
        arrivals=Arrivals.EVEN if part.rate_per_s else Arrivals.CLOSED,
        seconds=part.load_s,
        users=ACCOUNTS,
        rate_per_s=part.rate_per_s,
        in_flight=part.in_flight,
        new_connections=True,
    )


def least_available(budget: Budget | None, replicas: int) -> int:
    """``minAvailable`` as a number of pods (policy/v1: a percentage is rounded up); 0 without a budget."""
    if budget is None:
        return 0
    if budget.min_available is not None:
        return _pods(budget.min_available, replicas)
    return replicas - _pods(budget.max_unavailable or 0, replicas)


def _pods(amount: int | str, replicas: int) -> int:
    return amount if isinstance(amount, int) else -(-int(amount.rstrip("%")) * replicas // 100)
