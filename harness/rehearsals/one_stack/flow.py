"""What a run does: everybody on Firestore, then leg by leg to the API, one population on one stack.

A leg: migrate -> publish its shares -> everybody has fetched them, and no earlier write is under way -> migrate what
was written meanwhile -> ask the users who moved for their old walks -> measure.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import msgspec

from harness.base.clock import NS
from harness.base.errors import PartDied
from harness.checks.stores import NotAsNamed
from harness.judge.judge import judge
from harness.judge.window import Window
from harness.load.population.accounts import accounts, on_api
from harness.load.users import Users, users_of
from harness.migration.engine import Migration
from harness.migration.places import of_endpoints
from harness.model.due import DueList
from harness.model.evidence import Side
from harness.model.manifests import Manifests
from harness.model.message import message, of_error
from harness.model.scenario import Scenario
from harness.model.stack import Capability
from harness.rehearsal.closing import check_whole_run
from harness.rehearsal.mirror_steps import MirrorSteps, at_share
from harness.rehearsal.running import Running
from harness.rehearsals.one_stack.account import consent, end
from harness.rehearsals.one_stack.old_walks import ask
from harness.rehearsals.one_stack.reconciled import reconcile
from harness.rehearsals.one_stack.types import (
    STOP,
    Leg,
    LegSeen,
    Migrated,
    OneStackDetails,
    OneStackPlan,
    due_of,
    legs_of,
    moving,
)
from harness.stack.firebase.documents import Documents

_LOOK_EVERY_S = 1.0
_TRIES = 3  # of a migration: it goes on where it was
_FETCHED_WITHIN_S = 60.0  # beyond the fetch interval and the pace, after which everybody has fetched


class Course:
    """The legs of a run, on a stack that is not yet up."""

    def __init__(self, plan: OneStackPlan, on: Running[OneStackDetails]) -> None:
        self._plan = plan
        self._on = on
        self._seed = on.options.seed
        self._users = Users(on, users_of(plan.weeks[-1], self._seed))
        self._there: frozenset[str] = frozenset()  # whose flag is on
        self._origin_ns = 0

    async def run(self) -> None:
        """The steps in order; each may raise."""
        plan, on = self._plan, self._on
        await on.up()
        if self._copies:
            await consent(on, accounts(plan.population, self._seed))
        await self._users.set_flag(on=False)
        await self._users.admit()
        self._origin_ns = on.details.origin_ns = await self._users.go()
        before = message("everybody is on Firestore for {seconds} s", seconds=f"{plan.before_s:g}")
        on.phase("before", before, lasts_s=plan.before_s)
        await on.clock.sleep(plan.before_s)
        for leg in legs_of(plan):
            await self._leg(leg)
            if on.details.fired:
                break
            if leg.week == plan.roll_back_after and not on.details.rolled_back:
                await self._roll_back(leg)
        manifests = on.manifests
        if self._copies and on.options.target.bundled and not on.details.fired:
            manifests = await self._stop_the_mirror()
        sent_ns = await self._users.end()
        on.mark("load_ended")
        if on.details.steps:
            await reconcile(on, STOP, plan)
        if on.details.fired and self._copies:
            await self._bring_over()  # what Firestore was told since the roll back: both sides' writes are looked for
        sides = tuple(Side) if self._copies else (Side.API,)
        await check_whole_run(on, plan.weeks[-1], manifests, sent_ns=sent_ns, sides=sides)
        if self._copies:
            on.phase("account", message("an account is deleted at Firebase Auth"))
            with suppress(NotAsNamed):  # told as not known: nobody can say what a schema of its own holds of a user
                on.details.account = await end(on, accounts(plan.population, self._seed))

    @property
    def _copies(self) -> bool:
        return Capability.REAL_POSTGRESQL in self._on.stack.capabilities

    async def _leg(self, leg: Leg) -> None:
        on = self._on
        moved = moving(self._plan, leg, self._there, self._seed)
        told = message("{part}: {users} users move to the API", part=leg.part, users=str(len(moved)))
        on.phase("leg", told, name=leg.part)
        on.details.legs.append(LegSeen(part=leg.part, moving=len(moved)))
        await self._migrate()
        published_ns = await self._users.set_flag(on=True, shares=leg.scenario.population)
        self._see(published_ns=published_ns)
        version = int(on.evidence.events[-1].data["version"])
        self._there = on_api(leg.scenario.population, self._seed)
        self._see(moved_ns=await self._fetched(version))
        if self._copies:
            await self._settled()  # a write to Firestore may have been under way while its phone fetched
        await self._migrate()
        self._see(asked=await ask(on.stores, on.evidence.requests, moved, published_ns, most=self._plan.asked))
        await self._measure(leg)
        on.mark(leg.part)

    async def _fetched(self, version: int) -> int | None:
        """When everybody had fetched the template; ``None`` where somebody has not, long after all should have."""
        on, population = self._on, self._plan.population
        limit_s = population.fetch_interval_s + population.pace_s + _FETCHED_WITHIN_S
        end_ns = on.clock.now_ns() + round(limit_s * NS)
        while on.clock.now_ns() < end_ns:
            on.evidence.gather()
            left = len(self._there - on.evidence.flag.fetched(version))
            if not left:
                return on.clock.now_ns()
            users = len(self._there)
            on.live(message("users have fetched version {version}", version=str(version)), done=users - left, of=users)
            await on.clock.sleep(_LOOK_EVERY_S)
        return None

    async def _migrate(self) -> None:
        """Before and behind a template, where there is a PostgreSQL."""
        if self._copies:
            came = await self._bring_over()
            self._see(migrated=(*self._on.details.legs[-1].migrated, came))

    async def _bring_over(self) -> Migrated:
        """Brings whatever Firestore has newer to PostgreSQL, while both are written: the first time all, then what was
        written since; a walk that its user deleted in Firestore goes."""
        on = self._on
        begun_ns, places = on.clock.now_ns(), of_endpoints(on.stack.endpoints())
        for left in reversed(range(_TRIES)):
            migration = Migration(places, on.clock, on.progress, changed=True, deletions=True)
            try:
                report = await migration.run()
                break
            except PartDied as error:  # a store that is only busy; one that is dead ends the run by itself
                if not left:
                    raise
                on.say(message("the migration was cut short and is run again: {why}", why=of_error(error)))
        found = report.verified
        assert found is not None, "it was no dry run"
        return Migrated(
            read=report.walks.documents,
            written=report.written,
            taken_back=found.taken_back,
            there=found.there,
            left=found.left,
            seconds=(on.clock.now_ns() - begun_ns) / NS,
        )

    async def _measure(self, leg: Leg) -> None:
        """Load and probes for the week's window; a rollback limit that fires ends the run's course."""
        on, scenario = self._on, leg.scenario
        start_ns = on.clock.now_ns()
        window = Window(start_ns=start_ns, end_ns=start_ns + round(scenario.window_s * NS))
        self._see(start_ns=window.start_ns, end_ns=window.end_ns)
        measuring = message("{part}: measuring for {seconds} s", part=leg.part, seconds=f"{scenario.window_s:g}")
        on.phase("window", measuring, lasts_s=scenario.window_s)
        due = due_of(self._plan, leg, self._seed, window, origin_ns=self._origin_ns)
        while on.clock.now_ns() < window.end_ns and not self._fired(scenario, window, due):
            await on.clock.sleep(min(_LOOK_EVERY_S, max(0.01, (window.end_ns - on.clock.now_ns()) / NS)))
        if not on.details.fired:
            await self._users.answered(window)  # the last answers may fire a limit, too
        if on.details.fired or self._fired(scenario, window, due):
            await self._roll_back(leg)

    def _fired(self, scenario: Scenario, window: Window, due: DueList) -> bool:
        """Judges the growing evidence; whether a rollback limit fired."""
        on = self._on
        on.evidence.gather()
        now_ns = on.clock.now_ns()
        self._see(judged_ns=now_ns, judged_rows=len(on.evidence.rows))
        on.details.fired = any(each.fired for each in judge(scenario, on.evidence.ledger, window, now_ns, due=due))
        return on.details.fired

    async def _roll_back(self, leg: Leg) -> None:
        """ロールバック手順: false for all, everybody back on Firestore awaited, then the stores reconciled."""
        on, details = self._on, self._on.details
        details.rolled_back = leg.part
        on.phase("roll back", message("{part}: rolled back, the flag is off for all", part=leg.part))
        details.off_ns = await self._users.set_flag(on=False)
        await self._users.all_back(self._there, details.off_ns, leg.scenario.switch_over_limit_s)
        details.back_rows = len(on.evidence.rows)
        self._there = frozenset()
        on.mark("switched_over")
        if self._copies:
            await reconcile(on, leg.part, self._plan, self._settled)
            migration = Migration(of_endpoints(on.stack.endpoints()), on.clock, on.progress)
            await migration.agreed(on.evidence.writes.gone, self._settled)

    async def _stop_the_mirror(self) -> Manifests:
        """Step by step, under the load of everybody: the manifests of the last step. Of walks that the app itself wrote
        the mirror alone says nothing."""
        plan, on, endpoints = self._plan, self._on, self._on.stack.endpoints()
        documents = Documents(endpoints.firestore, endpoints.project_id)
        on.at_end(documents.close)
        direct = on.evidence.writes.direct
        steps = MirrorSteps(on, documents, settle_s=plan.settle_s, counts=lambda walk_id, _: walk_id not in direct)
        first, *others = plan.shares_percent
        on.details.steps.append(await steps.left(first, on.details.legs[-1].start_ns or self._origin_ns))
        manifests = on.manifests
        for share in others:
            manifests = at_share(on.manifests, share)
            on.details.steps.append(await steps.to(share, manifests, plan.step_s))
        return manifests

    async def _settled(self) -> None:
        """Until all that was sent before was answered or given up, and is in evidence: what was due, and what a phone
        may have sent again, of which no schedule knows, where nobody has confirmed the end of a walk."""
        on, before = self._on, Window(start_ns=self._origin_ns, end_ns=self._on.clock.now_ns())
        with suppress(TimeoutError):
            async with asyncio.timeout(self._plan.weeks[-1].request_timeout_s + 1):
                await self._users.answered(before)
                while on.evidence.writes.unconfirmed:
                    await on.clock.sleep(_LOOK_EVERY_S)
                    on.evidence.gather()
        on.evidence.gather()

    def _see(self, **changes: Any) -> None:
        legs = self._on.details.legs
        legs[-1] = msgspec.structs.replace(legs[-1], **changes)
