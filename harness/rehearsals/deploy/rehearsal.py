"""``deploy_rehearsal``: versions rolled out and undone under load."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from harness.base.clock import Clock, polling
from harness.base.errors import NotCapable, StackNotStarted
from harness.base.ticks import NS
from harness.checks import whole_run
from harness.checks.reconciled import INJECTED, SCHEMA, UNDONE
from harness.control.rollout import limits as fenceposts
from harness.evidence.store import Gathered
from harness.load.users import Users, users_of
from harness.model.command import Ran
from harness.model.evidence import Window
from harness.model.judgement import Expected, Judgement
from harness.model.manifests import Deployment, Manifests
from harness.model.message import Message, message, of_error
from harness.model.parts import listed, nth
from harness.model.result import Part, RunInfo
from harness.model.section import Block, Blocks, Chart, Lines, Section, Timeline
from harness.model.stack import Capability, Endpoints
from harness.rehearsals.deploy.facts import PHRASES, TAIL_S, broke, facts, observed
from harness.rehearsals.deploy.tallies import PodTally, of_version, pods
from harness.rehearsals.deploy.types import DeployDetails, DeployPart, DeployPartKind, DeployPlan, Followed
from harness.report import course as charts
from harness.report.course import by_version, first_seen, stretch
from harness.report.series import axis_of, measured_on
from harness.rules.criteria import judge
from harness.rules.rule import Fact
from harness.rules.steady import STEADY_S, not_steady
from harness.run.closing import check_whole_run
from harness.run.context import RunContext
from harness.run.options import Options
from harness.run.rehearsal import Cost, Rehearsal, RunRecord, cost_between
from harness.stack.environments.choice import graceful_beside, manifests_of
from harness.stack.manifests.change import without_autoscaler
from harness.stack.protocol import StackNeeds

# What a run of the deploy rehearsal does: stack up -> images -> users and probes -> parts -> checks.
# The parts of the rehearsal: what each does to the stack, and what it saw. A migration under load: one statement, as
# the application's own user, that waits for no lock for long.

#: An answer that was due this long ago is in: the probes' timeout and a flush.
SETTLE_S = 2.5
STEADY_LIMIT_S = 60.0
#: So long the document's workflow has ended, and nobody does anything, before we undo.
NOTHING_S = 5.0
#: A pod has its grace period of 30 s to end.
GONE_LIMIT_S = 45.0
_POLL_S = 0.5
_FAR_NS = 3600 * NS


class DeployParts:
    """Runs parts on a stack that is up and under load; ``images`` are the versions' by name."""

    def __init__(self, on: RunContext[DeployDetails], plan: DeployPlan, users: Users, images: dict[str, str]) -> None:
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
            DeployPartKind.RELEASE: self._release,
            DeployPartKind.NEVER_READY: self._never_ready,
            DeployPartKind.BREAKS_LIMIT: self._breaks_limit,
            DeployPartKind.BREAKING_SCHEMA: self._breaking_schema,
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
            self._on.print_verdict(fired)
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

    def _pods(self) -> PodTally:
        return pods(self._evidence.events, self._since_ns, self._clock.now_ns())


#: ALTER TABLE queues behind every open transaction, and every later one behind it: better to give up and come again.
LOCK_TIMEOUT = "2s"
_ATTEMPTS = 10
_AGAIN_S = 0.5
_TIMEOUT_S = 10.0


class NotApplicable(Exception):  # noqa: N818 - an outcome, not an error
    """The target's schema is not the contract's."""


async def migrate(endpoints: Endpoints, statement: str, clock: Clock) -> None:
    """Raises ``NotApplicable``, and ``StackNotStarted`` when PostgreSQL does not answer or its lock is never free."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            await _run(endpoints, statement)
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
            raise NotApplicable(str(error)) from error
        except asyncpg.LockNotAvailableError as error:
            if attempt == _ATTEMPTS:
                raise _failed(endpoints, error) from error
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise _failed(endpoints, error) from error
        else:
            return
        await clock.sleep(_AGAIN_S)


async def counts(endpoints: Endpoints, query: str) -> dict[str, int]:
    """A query of names and counts. Raises as ``migrate`` does."""
    try:
        rows = await _run(endpoints, query)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise _failed(endpoints, error) from error
    return {str(name): int(count) for name, count in rows}


async def _run(endpoints: Endpoints, statement: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(
        **endpoints.login,
        timeout=_TIMEOUT_S,
        server_settings={"lock_timeout": LOCK_TIMEOUT, "application_name": "migration"},
    )
    try:
        return [tuple(row) for row in await connection.fetch(statement, timeout=_TIMEOUT_S)]
    finally:
        await connection.close(timeout=_TIMEOUT_S)


def _failed(endpoints: Endpoints, error: Exception) -> StackNotStarted:
    return StackNotStarted(
        message("the migration failed: {why}", why=repr(error)),
        where=str(endpoints.database),
        remedy="read postgres.log",
    )


def folder_of(part: DeployPart, options: Options) -> Path:
    """The overlay with the component ``graceful`` stands beside the plain one; a user's own folder stands alone."""
    return graceful_beside(options.manifests) if part.graceful else options.manifests


def manifests_for(part: DeployPart, options: Options) -> Manifests:
    """Without the autoscaler: what changes the number of pods is the deploy alone. Raises ``BadInput``."""
    found = manifests_of(options, folder_of(part, options))
    return without_autoscaler(found, found.deployment.replicas)


class Deploys:
    """The parts of a run, on a stack that is not yet up."""

    def __init__(self, plan: DeployPlan, on: RunContext[DeployDetails]) -> None:
        self._plan = plan
        self._on = on
        self._applied = folder_of(plan.parts[0], on.options)
        self._manifests = manifests_for(plan.parts[0], on.options)
        self._users = Users(on, users_of(plan.scenario, on.options.seed))

    async def run(self) -> None:
        """The steps in order; each may raise."""
        on = self._on
        on.say(message("manifests: {folder}", folder=self._applied.name))
        await on.up()
        images = await self._images()
        on.details.versions = tuple(images)
        on.details.origin_ns = await self._users.begin()
        on.mark("admitted")
        parts = DeployParts(on, self._plan, self._users, images)
        for part in self._plan.parts:
            if part.version.name in images:
                await self._follow(part)
                await parts.run(part, self._applied.name, self._manifests.deployment)
                on.mark(part.name)
        sent_ns = await self._users.end()
        await check_whole_run(on, self._plan.scenario, self._manifests, sent_ns=sent_ns)

    async def _images(self) -> dict[str, str]:
        """By version, before the load begins: building takes the CPU that users need. Without what cannot be made."""
        on = self._on
        on.say(message("making the images of the versions"))
        versions = [part.version for part in self._plan.parts]
        try:
            images = await on.stack.build(*versions)
        except NotCapable as error:
            on.say(of_error(error))
            versions = [version for version in versions if not version.wrapped]
            images = await on.stack.build(*versions)
        return {version.name: image for version, image in zip(versions, images, strict=True)}

    async def _follow(self, part: DeployPart) -> None:
        wanted = folder_of(part, self._on.options)
        if wanted != self._applied:
            self._on.say(message("applying {folder}", folder=wanted.name))
            self._applied, self._manifests = wanted, manifests_for(part, self._on.options)
            await self._on.stack.apply(self._manifests)


# What the page of a deploy shows besides its judgements: each part's course, what users met, the commands. Pure.


def sections(plan: DeployPlan, seen: RunRecord[DeployDetails]) -> Iterator[Section]:
    """Of each part its course, what users met, what was seen besides, and the commands with their output."""
    versions = {part.name: part.version.name for part in plan.parts}
    names = _names(seen, versions)
    for followed in seen.details.followed:
        if followed.end_ns:
            yield _course(followed, seen.evidence, names)
        if lines := tuple(observed(followed, seen.evidence.events)):
            yield Lines(title=message("Observed"), lines=lines, part=followed.name)
        if followed.ran:
            yield _commands(followed)


def _names(seen: RunRecord[DeployDetails], versions: Mapping[str, str]) -> dict[str, str]:
    """The version of each revision of the Deployment: the part's in which its first pod came."""
    return {
        revision: versions[part.name]
        for revision, at_ns in first_seen(seen.evidence.events).items()
        for part in seen.details.followed
        if part.begun_ns <= at_ns < part.end_ns
    }


def _course(followed: Followed, evidence: Gathered, names: Mapping[str, str]) -> Timeline:
    axis = axis_of(followed.begun_ns, followed.end_ns, followed.begun_ns)
    measured = measured_on(axis, evidence)
    pods = by_version(evidence.events, axis, names)
    shown: list[Chart] = [] if pods is None else [pods]
    shown += [charts.errors(measured)] if measured.sides else []
    shown += charts.probes(measured)
    return stretch(
        message("Course of the part"), axis, shown, evidence.events, {"deployment", "fault"}, part=followed.name
    )


def _commands(followed: Followed) -> Blocks:
    return Blocks(
        title=message("the commands and their output"),
        blocks=tuple(
            Block(
                caption=message("{command} ended in {status}", command=one.command, status=str(one.status)),
                text=one.output.strip(),
            )
            for one in followed.ran
        ),
        part=followed.name,
    )


class Deploy(Rehearsal[DeployPlan, DeployDetails]):
    """The rehearsal."""

    name = "deploy_rehearsal"
    plan, details = DeployPlan, DeployDetails
    phrases, ruled_by = PHRASES, ("checks", "deploy_rehearsal")

    def parts(self, plan: DeployPlan, seen: RunRecord[DeployDetails]) -> Sequence[Part]:
        """Those of the plan."""
        took_s = {each.name: (each.end_ns - each.begun_ns) / NS for each in seen.details.followed if each.end_ns}
        return listed(plan.parts, took_s)

    def expected(self, plan: DeployPlan, facts: RunInfo) -> Iterable[Expected]:
        """The claims of every part, and the checks of the whole run."""
        return (*super().expected(plan, facts), *whole_run.EXPECTED)

    def stack_spec(self, plan: DeployPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """A stack with the manifests of the first part."""
        _ = manifests
        return StackNeeds(manifests=manifests_for(plan.parts[0], options))

    async def run(self, plan: DeployPlan, on: RunContext[DeployDetails]) -> None:
        """The parts in their order."""
        await Deploys(plan, on).run()

    def measured(self, plan: DeployPlan, seen: RunRecord[DeployDetails]) -> Iterable[Fact]:
        """Of every part that was followed, where it is known what was due."""
        details, races = seen.details, Capability.ENDPOINTS_BEFORE_SIGNALS not in seen.facts.capabilities
        if details.origin_ns is None:
            details = DeployDetails(versions=details.versions)
        return facts(plan, details, seen.evidence, seed=seen.facts.seed, races=races)

    def checks(self, plan: DeployPlan, seen: RunRecord[DeployDetails]) -> Iterable[Judgement]:
        """Those of every run under load."""
        _ = plan
        return whole_run.of_whole_run(seen.evidence.events)

    def sections(self, plan: DeployPlan, seen: RunRecord[DeployDetails]) -> Iterable[Section]:
        """Of each part its course, what users met, what was seen besides, and the commands with their output."""
        return sections(plan, seen)

    def costs(self, plan: DeployPlan, seen: RunRecord[DeployDetails]) -> Iterable[Cost]:
        """Of each part's deploy."""
        _ = plan
        for each in seen.details.followed:
            since_ns = each.since_ns
            yield cost_between(
                message("the deploy"), seen.evidence, since_ns, max(since_ns, each.end_ns), part=each.name
            )


REHEARSAL = Deploy()
