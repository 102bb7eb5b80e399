"""The parts of the rehearsal: what each does to the stack, and the facts that it leaves for the judge."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from harness.base.clock import NS, polling
from harness.base.data import KUBERNETES
from harness.checks.budget import desired
from harness.judge.endpoints import endpoints_now
from harness.judge.resizes import resizes
from harness.judge.zones import fullest, placement
from harness.load.stages.admit import StepUsers
from harness.load.stages.process import StageProcesses
from harness.model.disruption import Budget
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.stack import Fault, FaultKind
from harness.model.step import ACCOUNTS, Step
from harness.rehearsal.running import Running
from harness.rehearsals.scaling.by_kubectl import Commands
from harness.rehearsals.scaling.facts_latency import external
from harness.rehearsals.scaling.facts_sizes import pods_left_s
from harness.rehearsals.scaling.types import (
    Applied,
    Commanded,
    Did,
    Drained,
    Loaded,
    Manual,
    Part,
    PartKind,
    ScalingDetails,
    Slowed,
    TakenBack,
    ZoneLost,
    controlled,
    step_of,
)
from harness.stack.injecting import injecting
from harness.stack.manifests.change import spreads_over_zones, without_autoscaler
from harness.stack.manifests.cpu import scaled
from harness.stack.protocol import ByKubectl, WithExternalMetrics
from harness.stack.rungs import manifests_of

#: After a part: until the feed has told of everything, and the next one's events are its own.
SETTLE_S = 2.0
_LEAD_S = 0.5
_POLL_S = 1.0
_QUIET_S = 90.0  # until the metric of the first requests was scraped twice, listed, and read by the autoscaler
_LIGHT_S = 30.0
_BEFORE_LOSS_S = 20.0  # of load, so that the requests before the loss can be compared


class Acts:
    """Runs parts on a stack that is up, with ``plain`` manifests: those of the run without its autoscaler.

    ``manifests`` have it, and requests as applied.
    """

    def __init__(self, on: Running[ScalingDetails], manifests: Manifests, plain: Manifests) -> None:
        self._on = on
        self._stack = on.stack
        self._clock = on.clock
        self._events = on.evidence.events
        self._manifests = manifests
        self._plain = plain
        self._users = StepUsers(on, seed=on.options.seed, accounts=ACCOUNTS)

    async def run(self, part: Part) -> Did:
        """Raises what the stack raises."""
        does = {
            PartKind.MANUAL: self._manual,
            PartKind.APPLY: self._apply,
            PartKind.DRAIN: self._drain,
            PartKind.TAKES_BACK: self._takes_back,
            PartKind.HPA: self._hpa,
            PartKind.HPA_LATENCY: self._hpa_latency,
            PartKind.ZONE: self._zone,
            PartKind.COMMANDS: self._commands,
        }[part.kind]
        return await does(part)

    async def _manual(self, part: Part) -> Did:
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

    async def _apply(self, part: Part) -> Did:
        await self._stack.scale(part.high)
        applied_ns = await self._settle()
        replicas = self._plain.deployment.replicas
        await self._stack.apply(self._plain)
        await self._until(lambda: pods_left_s(self._events, applied_ns, replicas) is not None, part.wait_s)
        await self._settle()
        return Applied(applied_ns=applied_ns, replicas=replicas)

    async def _drain(self, part: Part) -> Did:
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

    async def _takes_back(self, part: Part) -> Did:
        await self._stack.apply(self._manifests)
        scaled_ns = await self._settle()
        await self._stack.scale(part.high)
        self._on.say(message("waiting up to {seconds} s for the autoscaler", seconds=f"{part.wait_s:g}"))
        await self._until(lambda: self._smaller(scaled_ns, part.high), part.wait_s)
        return TakenBack(scaled_ns=scaled_ns)

    async def _hpa(self, part: Part) -> Did:
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

    async def _hpa_latency(self, part: Part) -> Did:
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

    async def _light(self, part: Part, load: StageProcesses, seconds: float) -> None:
        step = msgspec.structs.replace(step_of(part), seconds=seconds)
        await self._step(load, step, self._clock.now_ns() + round(_LEAD_S * NS))

    async def _step(self, load: StageProcesses, step: Step, start_ns: int) -> None:
        await load.step(step, start_ns)
        self._on.details.steps.append((step, start_ns))

    def _with_external_metric(self, part: Part) -> Manifests:
        """The run's own where their HPA asks for one; else the overlay beside them, where there is one."""
        folder = self._beside(part.component)
        if external(self._manifests.hpa) is None and folder is not None and folder.is_dir():
            return self._overlay(folder)
        return self._manifests

    async def _hold(self, part: Part, end_ns: int) -> None:
        """The first ``held`` pods that are endpoints hold memory, each from when it is seen, until ``end_ns``."""
        held: set[str] = set()
        async with injecting(self._stack) as inject:
            while self._clock.now_ns() < end_ns:
                for pod in endpoints_now(self._events):
                    if pod not in held and len(held) < part.held:
                        await inject(Fault(kind=FaultKind.POD_MEMORY, share=part.hold, subject=pod))
                        held.add(pod)
                await self._clock.sleep(_POLL_S)

    async def _zone(self, part: Part) -> Did:
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

    async def _commands(self, part: Part) -> Did:
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
