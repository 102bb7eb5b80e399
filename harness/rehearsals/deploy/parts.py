"""The parts of the rehearsal: what each does to the stack, and what it saw."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from harness.base.clock import NS, polling
from harness.checks.reconciled import INJECTED, SCHEMA, UNDONE
from harness.control.rollout import limits as fenceposts
from harness.judge.judge import judge
from harness.judge.steady import STEADY_S, not_steady
from harness.judge.window import Window
from harness.load.users import Users
from harness.model.command import Ran
from harness.model.judgement import Judgement
from harness.model.manifests import Deployment
from harness.model.message import Message, message
from harness.model.parts import nth
from harness.rehearsal.running import Running
from harness.rehearsals.deploy.facts import TAIL_S, broke
from harness.rehearsals.deploy.schema import NotApplicable, counts, migrate
from harness.rehearsals.deploy.tallies import Pods, of_version, pods
from harness.rehearsals.deploy.types import DeployDetails, DeployPart, DeployPlan, Followed, PartKind

#: An answer that was due this long ago is in: the probes' timeout and a flush.
SETTLE_S = 2.5
STEADY_LIMIT_S = 60.0
#: So long the document's workflow has ended, and nobody does anything, before we undo.
NOTHING_S = 5.0
#: A pod has its grace period of 30 s to end.
GONE_LIMIT_S = 45.0
_POLL_S = 0.5
_FAR_NS = 3600 * NS


class Parts:
    """Runs parts on a stack that is up and under load; ``images`` are the versions' by name."""

    def __init__(self, on: Running[DeployDetails], plan: DeployPlan, users: Users, images: dict[str, str]) -> None:
        self._on = on
        self._clock = on.clock
        self._evidence = on.evidence
        self._stack = on.stack
        self._users = users
        self._plan = plan
        self._limits = msgspec.structs.replace(plan.scenario, criteria=plan.limits)
        self._images = images
        self._ran: list[Ran] = []
        self._replicas = 0

    async def run(self, part: DeployPart, manifests: str, deployment: Deployment) -> None:
        """Raises what the stack raises; ``manifests`` is the name of those that are applied."""
        on = self._on
        self._ran, self._replicas = [], deployment.replicas
        followed = Followed(
            name=part.name,
            manifests=manifests,
            replicas=deployment.replicas,
            surge=fenceposts(deployment)[0],
            begun_ns=self._clock.now_ns(),
        )
        on.details.followed.append(followed)
        as_written = not part.graceful and deployment.template.proxy_stops_at_once
        on.phase("part", nth(self._plan.parts, part), name=part.name, as_written=as_written)
        does = {
            PartKind.RELEASE: self._release,
            PartKind.NEVER_READY: self._never_ready,
            PartKind.BREAKS_LIMIT: self._breaks_limit,
            PartKind.BREAKING_SCHEMA: self._breaking_schema,
        }[part.kind]
        why = await self._steady()
        if why is not None:
            self._see(not_steady=why)
        else:
            self._see(since_ns=self._clock.now_ns())
            try:
                await does(part)
            except NotApplicable as error:
                self._see(not_applicable=str(error))
        self._see(ran=tuple(self._ran), end_ns=self._clock.now_ns())
        on.part_over(part.name)

    def _see(self, **changes: object) -> None:
        followed = self._on.details.followed
        followed[-1] = msgspec.structs.replace(followed[-1], **changes)

    @property
    def _since_ns(self) -> int:
        return self._on.details.followed[-1].since_ns

    # -- the parts -----------------------------------------------------------------------------------------------

    async def _release(self, part: DeployPart) -> None:
        if part.expand:
            await self._migrate(part.expand)
        await self._set_image(part)
        self._ran.append(await self._stack.rollout_status(limit_s=part.status_s))
        while self._ran[-1].status == 0 and self._calls() < part.least_calls:
            await self._stack.restart()
        await self._until_now()
        if part.written_by:
            self._see(written=await counts(self._stack.endpoints(), part.written_by))

    async def _never_ready(self, part: DeployPart) -> None:
        await self._set_image(part)
        status = await self._stack.rollout_status(limit_s=part.status_s)
        await self._clock.sleep(NOTHING_S)  # the workflow has ended; does anything undo it?
        self._see(waited_ns=self._clock.now_ns())
        undo = await self._stack.rollout_undo()
        self._ran += [status, undo, await self._stack.rollout_status(limit_s=part.status_s)]
        await self._until_now()

    async def _breaks_limit(self, part: DeployPart) -> None:
        await self._set_image(part)
        await self._judged_and_undone(part, of_new_pods=True)
        await self._gone()
        gone_ns = self._clock.now_ns()
        await self._clock.sleep(TAIL_S + SETTLE_S)
        self._see(gone_ns=gone_ns, pods_ns=self._clock.now_ns())
        await self._answered(self._since_ns, gone_ns + round(TAIL_S * NS))

    async def _breaking_schema(self, part: DeployPart) -> None:
        self._fault(INJECTED, part)
        try:
            await self._migrate(part.breaking)
        except NotApplicable:
            self._fault(UNDONE, part)  # it never was
            raise
        try:
            await self._set_image(part)
            await self._judged_and_undone(part, of_new_pods=False)
            await self._clock.sleep(NOTHING_S)
        finally:
            self._see(back_ns=self._clock.now_ns())
            await self._migrate(part.back)
            self._fault(UNDONE, part)
        timeout_s = self._plan.scenario.probes.timeout_s
        mended_ns = self._clock.now_ns() + round(timeout_s * NS)
        await self._clock.sleep(timeout_s + TAIL_S + SETTLE_S)
        self._see(mended_ns=mended_ns)
        await self._answered(self._since_ns, mended_ns + round(TAIL_S * NS))

    # -- what they share -----------------------------------------------------------------------------------------

    async def _judged_and_undone(self, part: DeployPart, *, of_new_pods: bool) -> None:
        """The judge on the growing evidence until a limit fires, then the undo. The phase begins with the first new
        pod that takes users, or with the part.
        """
        give_up_ns = self._clock.now_ns() + round(part.watch_s * NS)
        fired: Judgement | None = None
        while fired is None and self._clock.now_ns() < give_up_ns:
            await self._clock.sleep(_POLL_S)
            self._evidence.gather()
            ready_ns = self._pods().new_ready_ns.values() if of_new_pods else [self._since_ns]
            if ready_ns:
                fired = self._fired(min(ready_ns))
        self._see(fired=fired, undo_ns=self._clock.now_ns())
        if fired is not None:
            self._on.became(fired)
            self._on.say(message("undoing the deploy"))
        undo = await self._stack.rollout_undo()  # without a limit that fired too: the next part needs the old version
        self._ran += [undo, await self._stack.rollout_status(limit_s=part.status_s)]
        self._see(done_ns=self._clock.now_ns())

    def _fired(self, start_ns: int) -> Judgement | None:
        window = Window(start_ns=start_ns, end_ns=start_ns + _FAR_NS)
        return broke(judge(self._limits, self._evidence.ledger, window, self._clock.now_ns()))

    async def _set_image(self, part: DeployPart) -> None:
        self._ran.append(await self._stack.set_image(self._images[part.version.name]))

    async def _migrate(self, statement: str) -> None:
        await migrate(self._stack.endpoints(), statement, self._clock)
        at_ns = self._clock.now_ns()
        self._evidence.event(at_ns, "component", "schema", statement)
        self._see(statements=(*self._on.details.followed[-1].statements, statement))

    def _fault(self, word: str, part: DeployPart) -> None:
        self._evidence.event(self._clock.now_ns(), "fault", SCHEMA, f"{word}{part.breaking}")

    async def _until_now(self) -> None:
        """Until the pods that went are gone and users were looked at for a while more."""
        await self._clock.sleep(TAIL_S)
        looked_ns = self._clock.now_ns()
        await self._clock.sleep(SETTLE_S)
        await self._answered(self._since_ns, looked_ns)
        self._see(looked_ns=looked_ns, pods_ns=self._clock.now_ns())

    async def _gone(self) -> None:
        """Returns when no pod of the version is left, terminating ones included, or after ``GONE_LIMIT_S``."""
        followed = self._on.details.followed[-1]
        assert followed.undo_ns is not None, "nothing was undone"
        going = of_version(self._evidence.events, followed.since_ns, followed.undo_ns, self._clock.now_ns())
        await self._until(lambda: not self._pods().left & going, GONE_LIMIT_S)

    async def _steady(self) -> Message | None:
        """Why the steady state does not come; ``None`` once it holds."""
        why: list[Message | None] = [message("not looked at")]

        def holds() -> bool:
            self._evidence.gather()
            why[0] = not_steady(
                self._evidence.ledger, self._clock.now_ns(),
                due=self._users.probes_due, wanted=self._replicas, settle_s=SETTLE_S,
            )  # fmt: skip
            return why[0] is None

        await self._until(holds, STEADY_S + STEADY_LIMIT_S)
        return why[0]

    async def _until(self, reached: Callable[[], bool], limit_s: float) -> None:
        again = polling(self._clock, limit_s=limit_s, every_s=_POLL_S)
        while not reached() and await again():
            pass

    async def _answered(self, start_ns: int, end_ns: int) -> None:
        await self._users.answered(Window(start_ns=start_ns, end_ns=end_ns))

    def _calls(self) -> int:
        self._evidence.gather()
        return len(self._evidence.ledger.calls_due(Window(start_ns=self._since_ns, end_ns=self._clock.now_ns())))

    def _pods(self) -> Pods:
        return pods(self._evidence.events, self._since_ns, self._clock.now_ns())
