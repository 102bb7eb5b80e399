"""The parts of the rehearsal: what each does to the stack, and what is handed to the judge."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from harness.checks.reconciled import INJECTED, SCHEMA, UNDONE
from harness.clock import NS, Clock
from harness.collect import Collector
from harness.control.rollout import limits as fenceposts
from harness.judge.judge import judge
from harness.judge.window import Window
from harness.model.evidence import ProbeRow, RequestRow
from harness.model.manifests import Deployment
from harness.model.scaling import Ran, ScalingFinding
from harness.model.scenario import Scenario
from harness.model.stack import Capability
from harness.model.verdict import CriterionResult, Verdict
from harness.progress import Progress
from harness.rehearsals.chaos.judge import STEADY_S, steady
from harness.rehearsals.deploy import judge as deploys
from harness.rehearsals.deploy.judge import Pods, Tally, Undone
from harness.rehearsals.deploy.schema import NotApplicable, counts, migrate
from harness.rehearsals.deploy.types import DeployPart, DeployPlan, PartKind, PartResult
from harness.stack.protocol import Stack
from harness.under_load import UnderLoad

#: An answer that was due this long ago is in: the probes' timeout and a flush.
SETTLE_S = 2.5
STEADY_LIMIT_S = 60.0
#: How long users are looked at once all is said to be well again.
TAIL_S = 10.0
#: So long the document's workflow has ended, and nobody does anything, before we undo.
NOTHING_S = 5.0
#: A pod has its grace period of 30 s to end.
GONE_LIMIT_S = 45.0
_POLL_S = 0.5
_FAR_NS = 3600 * NS


class Parts:
    """Runs parts on a stack that is up and under load; ``images`` are the versions' by name."""

    def __init__(
        self, stack: Stack, evidence: Collector, clock: Clock, progress: Progress,
        *, load: UnderLoad, scenario: Scenario, plan: DeployPlan, deployment: Deployment, images: dict[str, str],
    ) -> None:  # fmt: skip
        self._stack = stack
        self._evidence = evidence
        self._load = load
        self._clock = clock
        self._progress = progress
        self._scenario = msgspec.structs.replace(scenario, criteria=plan.limits)
        self._plan = plan
        self._replicas = deployment.replicas
        self._surge = fenceposts(deployment)[0]
        self._images = images
        self._ran: list[Ran] = []
        self._observed: list[str] = []

    async def run(self, part: DeployPart, manifests: str) -> PartResult:
        """Raises what the stack raises; ``manifests`` is the name of those that are applied."""
        self._ran, self._observed = [], []
        start_ns = self._clock.now_ns()
        self._evidence.event(start_ns, "phase", "part", part.title, name=part.name)
        self._progress(f"{part.name}: {part.title}")
        does = {
            PartKind.RELEASE: self._release,
            PartKind.NEVER_READY: self._never_ready,
            PartKind.BREAKS_LIMIT: self._breaks_limit,
            PartKind.BREAKING_SCHEMA: self._breaking_schema,
        }[part.kind]
        met = Tally(calls=0, failed=0)
        why = await self._steady()
        if why:
            found = _all(part, Verdict.INCONCLUSIVE, f"there was no steady state to begin with: {why}")
        else:
            try:
                found, met = await does(part)
            except NotApplicable as error:
                found = _all(part, Verdict.NOT_EXERCISED, f"the target's schema is not the contract's: {error}")
        for each in found:
            self._progress(f"  {each.verdict}: {each.claim}: {each.reason}")
        return PartResult(
            name=part.name,
            title=part.title,
            manifests=manifests,
            version=part.version,
            findings=tuple(found),
            ran=tuple(self._ran),
            observed=tuple(self._observed),
            calls=met.calls,
            failed=met.failed,
            bad_s=met.bad_s,
            start_ns=start_ns,
            end_ns=self._clock.now_ns(),
        )

    # -- the parts -----------------------------------------------------------------------------------------------

    async def _release(self, part: DeployPart) -> tuple[list[ScalingFinding], Tally]:
        since_ns = self._clock.now_ns()
        if part.expand:
            await self._migrate(part.expand)
        await self._set_image(part)
        self._ran.append(await self._stack.rollout_status(limit_s=part.status_s))
        met, seen, end_ns = await self._until_now(since_ns)
        if part.written_by:
            written = await counts(self._stack.endpoints(), part.written_by)
            old = {row.subject for row in self._evidence.events if row.kind == "pod"} - set(seen.new)
            self._observed.append(deploys.side_by_side(written, old, seen.new))
        lost, _ = deploys.lost_at_close(self._evidence.requests, self._evidence.events, since_ns, end_ns)
        found = deploys.released(
            part.claims, self._ran, seen, met,
            replicas=self._replicas, surge=self._surge, least_calls=part.least_calls,
            races=Capability.ENDPOINTS_BEFORE_SIGNALS not in self._stack.capabilities, lost_creates=lost,
        )  # fmt: skip
        return found, met

    async def _never_ready(self, part: DeployPart) -> tuple[list[ScalingFinding], Tally]:
        since_ns = self._clock.now_ns()
        await self._set_image(part)
        status = await self._stack.rollout_status(limit_s=part.status_s)
        await self._clock.sleep(NOTHING_S)  # the workflow has ended; does anything undo it?
        before_undo = self._pods(since_ns)
        undo = await self._stack.rollout_undo()
        after = await self._stack.rollout_status(limit_s=part.status_s)
        self._ran += [status, undo, after]
        met, seen, _ = await self._until_now(since_ns)
        found = deploys.never_ready(
            status, undo, after,
            before_undo=before_undo, seen=seen, met=met, replicas=self._replicas, least_calls=part.least_calls,
        )  # fmt: skip
        return found, met

    async def _breaks_limit(self, part: DeployPart) -> tuple[list[ScalingFinding], Tally]:
        since_ns = self._clock.now_ns()
        await self._set_image(part)
        undone = await self._judged_and_undone(part, since_ns, of_new_pods=True)
        await self._gone(since_ns)
        gone_ns = self._clock.now_ns()
        await self._clock.sleep(TAIL_S + SETTLE_S)
        slow_ms = deploys.slow_limit_ms(self._plan.limits, undone.fired)
        met, new = await self._tally(since_ns, gone_ns), self._pods(since_ns).new
        if slow_ms is not None:
            rows: list[RequestRow | ProbeRow] = [*self._evidence.requests, *self._evidence.probes]
            met = deploys.slow_answers(rows, new, since_ns, gone_ns, slow_ms)
        after = await self._tally(gone_ns, gone_ns + round(TAIL_S * NS), slow_ms)
        least = part.least_calls // 3
        found = deploys.limit_broken(part.claims[0], undone, met, after, within_s=part.within_s, least_after=least)
        return [found], met

    async def _breaking_schema(self, part: DeployPart) -> tuple[list[ScalingFinding], Tally]:
        since_ns = self._clock.now_ns()
        self._fault(INJECTED, part)
        await self._migrate(part.breaking)
        try:
            await self._set_image(part)
            undone = await self._judged_and_undone(part, since_ns, of_new_pods=False)
            done_ns = self._clock.now_ns()
            await self._clock.sleep(NOTHING_S)
        finally:
            back_ns = self._clock.now_ns()
            await self._migrate(part.back)
            self._fault(UNDONE, part)
        mended_ns = self._clock.now_ns() + round(self._scenario.probes.timeout_s * NS)
        await self._clock.sleep(self._scenario.probes.timeout_s + TAIL_S + SETTLE_S)
        met = await self._tally(since_ns, mended_ns)
        found = deploys.breaking_schema(
            part.claims[0], undone,
            met=met, past_undo=await self._tally(done_ns, back_ns),
            mended=await self._tally(mended_ns, mended_ns + round(TAIL_S * NS)), least_calls=part.least_calls // 3,
        )  # fmt: skip
        return [found], met

    # -- what they share -----------------------------------------------------------------------------------------

    async def _judged_and_undone(self, part: DeployPart, since_ns: int, *, of_new_pods: bool) -> Undone:
        """The judge on the growing evidence until a limit fires, then the undo. The phase begins with the first new
        pod that takes users, or at ``since_ns``.
        """
        give_up_ns = self._clock.now_ns() + round(part.watch_s * NS)
        fired: CriterionResult | None = None
        while fired is None and self._clock.now_ns() < give_up_ns:
            await self._clock.sleep(_POLL_S)
            self._evidence.gather()
            ready_ns = self._pods(since_ns).new_ready_ns.values() if of_new_pods else [since_ns]
            if ready_ns:
                fired = self._fired(min(ready_ns))
        undo_ns = self._clock.now_ns()
        if fired is None:
            self._observed.append(f"no limit fired in {part.watch_s:g} s")
        else:
            self._progress(f"  {fired.id} fired: {fired.reason}; undoing")
        undo = await self._stack.rollout_undo()  # without a limit that fired too: the next part needs the old version
        after = await self._stack.rollout_status(limit_s=part.status_s)
        self._ran += [undo, after]
        return Undone(fired=fired, undo_ns=undo_ns, done_ns=self._clock.now_ns(), ran=(undo, after))

    def _fired(self, start_ns: int) -> CriterionResult | None:
        window = Window(start_ns=start_ns, end_ns=start_ns + _FAR_NS)
        return deploys.broke(judge(self._scenario, self._evidence.ledger, window, self._clock.now_ns()))

    async def _set_image(self, part: DeployPart) -> None:
        self._ran.append(await self._stack.set_image(self._images[part.version.name]))

    async def _migrate(self, statement: str) -> None:
        await migrate(self._stack.endpoints(), statement, self._clock)
        at_ns = self._clock.now_ns()
        self._evidence.event(at_ns, "component", "schema", statement)
        self._observed.append(statement)

    def _fault(self, word: str, part: DeployPart) -> None:
        self._evidence.event(self._clock.now_ns(), "fault", SCHEMA, f"{word}{part.breaking}")

    async def _until_now(self, since_ns: int) -> tuple[Tally, Pods, int]:
        """Until the pods that went are gone and users were looked at for a while more, and when that was."""
        await self._clock.sleep(TAIL_S)
        end_ns = self._clock.now_ns()
        await self._clock.sleep(SETTLE_S)
        return await self._tally(since_ns, end_ns), self._pods(since_ns), end_ns

    async def _gone(self, since_ns: int) -> None:
        """Returns when no new pod is left, terminating ones included, or after ``GONE_LIMIT_S``."""
        seen = self._pods(since_ns)
        await self._until(lambda: not self._pods(since_ns).left & set(seen.new), GONE_LIMIT_S)

    async def _steady(self) -> str:
        """Why the steady state does not come; "" once it holds."""
        why = ["not looked at"]

        def holds() -> bool:
            self._evidence.gather()
            why[0] = steady(
                self._evidence.ledger, self._clock.now_ns(),
                due=self._load.probes_due, wanted=self._replicas, settle_s=SETTLE_S,
            )  # fmt: skip
            return not why[0]

        await self._until(holds, STEADY_S + STEADY_LIMIT_S)
        return why[0]

    async def _until(self, reached: Callable[[], bool], limit_s: float) -> None:
        give_up_ns = self._clock.now_ns() + round(limit_s * NS)
        while not reached() and self._clock.now_ns() < give_up_ns:
            await self._clock.sleep(_POLL_S)

    async def _tally(self, start_ns: int, end_ns: int, slow_ms: float | None = None) -> Tally:
        due = await self._load.answered(Window(start_ns=start_ns, end_ns=end_ns))
        return deploys.tally(self._evidence.ledger, start_ns, end_ns, slow_ms, due=due)

    def _pods(self, since_ns: int) -> Pods:
        return deploys.pods(self._evidence.events, since_ns, self._clock.now_ns())


def _all(part: DeployPart, verdict: Verdict, reason: str) -> list[ScalingFinding]:
    return [ScalingFinding(claim=claim, verdict=verdict, value="", reason=reason) for claim in part.claims]
