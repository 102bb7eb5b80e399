"""The parts of the rehearsal: what each does to the stack, and what is handed to the judge."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from harness.clock import NS, Clock
from harness.judge import scaling as judge
from harness.load.stages.process import StageProcesses
from harness.model.disruption import Budget
from harness.model.evidence import EventRow
from harness.model.load_stages import Arrivals, Step
from harness.model.manifests import Manifests
from harness.model.scaling import Part, PartKind, ScalingFinding
from harness.progress import Progress
from harness.scaling.by_kubectl import run_commands
from harness.stack.protocol import ByKubectl, Stack

#: After a part: until the feed has told of everything, and the next one's events are its own.
SETTLE_S = 2.0
_LEAD_S = 0.5
_POLL_S = 1.0

Asked = Sequence[tuple[int, str, float]]
Admit = Callable[[], Awaitable[StageProcesses]]


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What a part came to."""

    findings: list[ScalingFinding]
    observed: list[str] = []


class Parts:
    """Runs parts on a stack that is up. ``events`` grows while it does; ``admit`` starts the load, once; ``asked``
    grows with the metrics' own recommendations.

    ``manifests`` have the autoscaler; the stack was brought up with ``plain``, the same without.
    """

    def __init__(
        self, stack: Stack, manifests: Manifests, plain: Manifests, events: list[EventRow],
        *, clock: Clock, progress: Progress, admit: Admit, asked: Asked, document: str, folder: str,
    ) -> None:  # fmt: skip
        self._stack = stack
        self._manifests = manifests
        self._plain = plain
        self._events = events
        self._clock = clock
        self._progress = progress
        self._admit = admit
        self._asked = asked
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
            PartKind.COMMANDS: self._commands,
        }[part.kind]
        return await does(part)

    async def _manual(self, part: Part) -> Done:
        up_ns = self._clock.now_ns()
        await self._stack.scale(part.high)
        down_ns = await self._settle()
        await self._stack.scale(part.low)
        await self._until(lambda: judge.pods_left_s(self._events, down_ns, part.low) is not None, part.wait_s)
        return Done(findings=judge.manual(part, self._events, up_ns, down_ns))

    async def _apply(self, part: Part) -> Done:
        await self._stack.scale(part.high)
        applied_ns = await self._settle()
        replicas = self._plain.deployment.replicas
        await self._stack.apply(self._plain)
        await self._until(lambda: judge.pods_left_s(self._events, applied_ns, replicas) is not None, part.wait_s)
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
        load = await self._admit()
        load_ns = await self._settle() + round(_LEAD_S * NS)
        step = Step(
            name=part.name, arrivals=Arrivals.CLOSED, seconds=part.load_s, users=ACCOUNTS, in_flight=part.in_flight
        )
        await load.step(step, load_ns)
        end_ns = load_ns + round(part.load_s * NS)
        self._progress(f"the load has ended; waiting up to {part.wait_s:g} s for {part.low} pods")
        await self._until(lambda: self._endpoints(end_ns, part.low), part.wait_s)
        return Done(findings=judge.autoscaled(part, self._events, load_ns, end_ns, self._asked))

    async def _commands(self, _part: Part) -> Done:
        assert isinstance(self._stack, ByKubectl)  # the part needs real_kubernetes
        await self._stack.apply(self._manifests)
        name = self._manifests.deployment.name
        ran = await run_commands(self._stack, name, self._document, self._folder, self._progress)
        observed = [f"`{one.command}` ended in {one.status}" for one in ran.values()]
        return Done(findings=judge.commands(ran), observed=observed)

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


ACCOUNTS = 200  # enough that nobody sends 100 requests a minute


def least_available(budget: Budget | None, replicas: int) -> int:
    """``minAvailable`` as a number of pods (policy/v1: a percentage is rounded up); 0 without a budget."""
    if budget is None:
        return 0
    if budget.min_available is not None:
        return _pods(budget.min_available, replicas)
    return replicas - _pods(budget.max_unavailable or 0, replicas)


def _pods(amount: int | str, replicas: int) -> int:
    return amount if isinstance(amount, int) else -(-int(amount.rstrip("%")) * replicas // 100)
