"""``rollout_one_stack``: the weeks over one population."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from harness.base.clock import unix_ns
from harness.base.errors import PartDied
from harness.base.ticks import NS
from harness.checks import whole_run
from harness.checks.dual_write import document_id
from harness.checks.mirror_facts import expected as steps_expected
from harness.checks.mirror_steps import CLAIM_STOP
from harness.checks.stores import DRAIN_LIMIT_S, NotAsNamed, Stores, user_rows
from harness.checks.told import locations_shown, of_walk, says_nothing, shown_short
from harness.load.population.consents import consents
from harness.load.population.schedule import Account, accounts, canaries, on_api
from harness.load.users import Users, users_of
from harness.migration.engine import Migration
from harness.migration.heal import RECONCILE, twice
from harness.migration.source import DocumentSource, of_endpoints
from harness.model.direction import Direction
from harness.model.evidence import WRITES, DueList, Operation, RequestRow, Side, Window
from harness.model.judgement import Expected, Judgement, Kind
from harness.model.manifests import Manifests
from harness.model.message import Message, message, of_error
from harness.model.result import Part, RunInfo
from harness.model.scenario import Scenario
from harness.model.stack import Capability, Endpoints
from harness.rehearsals.one_stack.facts import PHRASES, expected, facts, words
from harness.rehearsals.one_stack.types import (
    STOP,
    EndedAccount,
    Leg,
    LegSeen,
    Migrated,
    OldWalksShown,
    OneStackDetails,
    OneStackPlan,
    UserRecords,
    due_of,
    legs_of,
    moving,
)
from harness.rules.criteria import judge
from harness.rules.judged import event
from harness.rules.planned import AGAIN
from harness.rules.rule import Fact
from harness.run.closing import check_whole_run
from harness.run.context import RunContext
from harness.run.mirror_steps import MirrorSteps, at_share
from harness.run.options import Options
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.stack.firebase.documents import CONSENTS, Documents
from harness.stack.firebase.rest import AccountEnd, end_account
from harness.stack.protocol import StackNeeds

# What a run does: everybody on Firestore, then leg by leg to the API, one population on one stack.
# A leg: migrate -> publish its shares -> everybody has fetched them, and no earlier write is under way -> migrate what
# was written meanwhile -> ask the users who moved for their old walks -> measure.
# An account is deleted as the app can: at Firebase Auth. What of its user is there before and after, past the API.
# Of each user a consent lies in Firestore from the beginning, which a migration brings over with the walks. Users who
# have just moved ask the API for their old walks: those that they have not written since. What PostgreSQL has newer is
# written to Firestore, and looked at a second time: the word of it is evidence.
# Behind a roll back users go on in Firestore, and canaries at the API: of walks that the API is asked to write
# meanwhile, or was so shortly before that their mirror may be under way, and of those that a phone sends once more, the
# second look says nothing.

_LIST = "/v1/walks?page=1&limit=20"
_COMMIT = 100  # documents


async def consent(on: RunContext[Any], accounts: Sequence[Account]) -> None:
    """Each gives one, in Firestore as the app does. Raises ``PartDied``."""
    documents, users = _documents(on.stores), [each.user for each in accounts]
    given = consents(users, on.options.seed, unix_ns(on.clock.anchor, on.clock.now_ns()), "one_stack:consents")
    try:
        for first in range(0, len(given), _COMMIT):
            await documents.put_all(dict([*given.items()][first : first + _COMMIT]))
    finally:
        await documents.close()


async def end(on: RunContext[Any], accounts: Sequence[Account]) -> EndedAccount | None:
    """Deletes the account of whom Storage and PostgreSQL hold most; ``None`` where nobody has a walk. The load has
    ended. Raises ``PartDied`` and ``NotAsNamed``."""
    stores, clock, endpoints = on.stores, on.clock, on.stack.endpoints()
    photos = Counter(name.split("/")[1] for name in await _photos(stores) if name.startswith("users/"))
    walks = (await stores.walks()).walks
    stored = Counter(walk.user for walk in walks)
    account = max(accounts, key=lambda each: (photos[each.user] > 0, stored[each.user]), default=None)
    if account is None or not stored[account.user]:
        return None
    user, written = account.user, on.evidence.writes.kept[Side.FIRESTORE]
    own = {walk.id for walk in walks if walk.user == user} | {each for each, of in written.items() if of == user}
    token = await stores.sign_in(account)
    before = await _held(stores, user, own)
    begun_ns = clock.now_ns()
    await end_account(endpoints.auth, endpoints.project_id, user, AccountEnd.DELETED, 0)
    await clock.sleep(DRAIN_LIMIT_S)
    after = await _held(stores, user, own)
    answer = await stores.exchange("GET", _LIST, token, b"")
    seconds = (clock.now_ns() - begun_ns) / NS
    return EndedAccount(user=user, before=before, after=after, old_token=answer.status, seconds=seconds)


async def _held(stores: Stores, user: str, walks: Collection[str]) -> UserRecords:
    """Walks by their ids: a user's row that goes leaves them without an owner."""
    stored = [walk for walk in (await stores.walks()).walks if walk.id in walks]
    documents = _documents(stores)
    try:
        there = await documents.get_many([document_id(each) for each in sorted(walks)])
        given = await DocumentSource(documents).keys(CONSENTS)
    finally:
        await documents.close()
    return UserRecords(
        rows=await user_rows(stores.endpoints, user),
        walks=len(stored),
        locations=sum(len(walk.locations) for walk in stored),
        documents=len(there),
        photos=sum(name.startswith(f"users/{user}/") for name in await _photos(stores)),
        consents=await _consents(stores.endpoints, user),
        given=sum(path.startswith(f"users/{user}/") for path in given),
    )


async def _consents(endpoints: Endpoints, user: str) -> int | None:
    """Rows of them; ``None`` where the contract's table is not there as named."""
    try:
        return await user_rows(endpoints, user, CONSENTS)
    except NotAsNamed:
        return None


def _documents(stores: Stores) -> Documents:
    return Documents(stores.endpoints.firestore, stores.endpoints.project_id)


async def _photos(stores: Stores) -> list[str]:
    return await stores.photos() if stores.endpoints.storage is not None else []


#: Of each user.
_MOST_WALKS = 3
_EXAMPLES = 5
_NOT_FOUND = 404


async def ask(
    stores: Stores, requests: Iterable[RequestRow], moved: Sequence[Account], since_ns: int, *, most: int
) -> OldWalksShown:
    """The first ``most`` of ``moved`` that have such walks. ``since_ns`` is when they were told to move. Raises
    ``PartDied`` where Auth or Firestore does not answer."""
    rows = [row for row in requests if row.operation in WRITES]
    old, since = _old(rows, {each.user for each in moved}, since_ns), _since(rows)
    asked = [each for each in moved if each.user in old][:most]
    documents = stores.documents()
    walks = short = unknown = behind = unread = 0
    lacking: list[Message] = []
    try:
        for account in asked:
            token = await stores.sign_in(account)
            held = await documents.get_many([document_id(each) for each in old[account.user]])
            for walk_id in old[account.user]:
                document = held.get(document_id(walk_id))
                if document is None:
                    continue
                walks += 1
                answer = await stores.exchange("GET", f"/v1/walks/{walk_id}", token, b"")
                there = locations_shown(answer.status, answer.body)
                wanted = len(document["location_data"].value) if "location_data" in document else 0
                if there is not None and there >= wanted:
                    continue
                lacking.append(of_walk(walk_id, account.user, shown_short(answer.status, there, wanted)))
                if says_nothing(answer.status):
                    unread += 1
                    continue
                short += there is not None
                behind += there is not None and walk_id in since
                unknown += answer.status == _NOT_FOUND
    finally:
        await documents.close()
    missing, examples = len(lacking) - short - unread, tuple(lacking[:_EXAMPLES])
    counts = {"missing": missing, "short": short, "unknown": unknown, "behind": behind, "unread": unread}
    return OldWalksShown(users=len(asked), walks=walks, **counts, examples=examples)


def _since(requests: Iterable[RequestRow]) -> set[str]:
    """Walks that the API was asked to write once, and Firestore alone since: who was put back goes on there."""
    api, since = set[str](), set[str]()
    for row in sorted(requests, key=lambda row: row.sent_ns):
        walk_id = row.walk_id.lower()
        if row.operation in WRITES and row.side is Side.API:
            api.add(walk_id)
            since.discard(walk_id)
        elif row.operation in WRITES and walk_id in api:
            since.add(walk_id)
    return since


def _old(requests: Iterable[RequestRow], users: set[str], since_ns: int) -> dict[str, list[str]]:
    """By user, at most ``_MOST_WALKS`` walks that Firestore acknowledged before ``since_ns`` and that nobody has asked
    to write or to delete since, the first written first."""
    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    touched = set()
    for row in sorted(requests, key=lambda row: row.sent_ns):
        if row.user not in users or row.operation not in WRITES:
            continue
        walk_id = row.walk_id.lower()
        if row.operation is Operation.DELETE_WALK or row.done_ns >= since_ns:
            touched.add(walk_id)
        elif row.side is Side.FIRESTORE and row.acknowledged:
            found[row.user][walk_id] = None
    left = {user: [each for each in walks if each not in touched] for user, walks in found.items()}
    return {user: walks[:_MOST_WALKS] for user, walks in left.items() if walks}


async def reconcile(
    on: RunContext[OneStackDetails], part: str, plan: OneStackPlan, settled: Callable[[], Awaitable[None]] | None = None
) -> None:
    """In that ``part``; ``settled`` as ``heal`` takes it, where users go on. Raises as ``heal``."""
    since_ns = on.clock.now_ns() - round(DRAIN_LIMIT_S * NS)

    def written() -> set[str]:
        probed = {each.walk_id for each in canaries(plan.weeks[-1].probes, on.options.seed)}
        return probed | {
            row.walk_id.lower()
            for row in on.evidence.requests
            if (row.side is Side.API or AGAIN in row.operation_id)
            and row.operation in WRITES
            and row.done_ns >= since_ns
        }

    beside = tuple if settled is None else written
    done, found = await twice(on.stack.endpoints(), Direction.TO_FIRESTORE, on.evidence.writes, settled, beside)
    on.phase("reconciled", message("reconciled: {counts}", counts=done.told))
    found = msgspec.structs.replace(found, part=part)
    on.evidence.add([event(on.clock.now_ns(), found)])
    on.print_verdict(found)


_LOOK_EVERY_S = 1.0
_TRIES = 3  # of a migration: it goes on where it was


class LegsCourse:
    """The legs of a run, on a stack that is not yet up."""

    def __init__(self, plan: OneStackPlan, on: RunContext[OneStackDetails]) -> None:
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
        self._see(moved_ns=await self._fetched(version, published_ns))
        if self._copies:
            await self._settled()  # a write to Firestore may have been under way while its phone fetched
        await self._migrate()
        self._see(asked=await ask(on.stores, on.evidence.requests, moved, published_ns, most=self._plan.asked))
        await self._measure(leg)
        on.mark(leg.part)

    async def _fetched(self, version: int, published_ns: int) -> int | None:
        """When everybody had fetched the template; ``None`` where somebody has not, long after all should have."""
        on, end_ns = self._on, published_ns + round(self._plan.fetched_within_s * NS)
        while on.clock.now_ns() < end_ns:
            on.evidence.gather()
            left = len(self._there - on.evidence.flag.fetched(version))
            if not left:
                return min(on.clock.now_ns(), end_ns)
            users = len(self._there)
            on.update_progress(
                message("users have fetched version {version}", version=str(version)), done=users - left, of=users
            )
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
        found = judge(scenario, on.evidence.ledger, window, now_ns, due=due, glance=True)
        on.details.fired = any(each.fired for each in found)
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
        on.add_finalizer(documents.close)
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


class OneStack(Rehearsal[OneStackPlan, OneStackDetails]):
    """The rehearsal."""

    name, decides = "rollout_one_stack", True
    plan, details = OneStackPlan, OneStackDetails
    phrases, ruled_by = PHRASES, ("mirror_steps", "rollout_one_stack")

    def expected(self, plan: OneStackPlan, facts: RunInfo) -> Iterator[Expected]:
        """Leg by leg, and the claims of the whole: the weeks' own are judged by their own runs. The steps of the
        mirror's stop by a target that can do it."""
        yield from expected(plan)
        yield from whole_run.EXPECTED
        yield from (Expected(STOP if claim == CLAIM_STOP else "", claim, claim) for claim in plan.claims)
        copied = ("moved.copied",) if _has_postgresql(facts) else ()
        for leg in legs_of(plan):
            yield from (Expected(leg.part, id_) for id_ in ("moved.in_time", *copied, "moved.old_walks"))
        if plan.roll_back_after and _has_postgresql(facts):
            yield Expected(f"week{plan.roll_back_after}", RECONCILE, kind=Kind.CHECK)
        if _stops(facts):
            yield from steps_expected(plan.shares_percent, STOP)
            yield Expected(STOP, RECONCILE, kind=Kind.CHECK)

    def parts(self, plan: OneStackPlan, seen: RunRecord[OneStackDetails]) -> Sequence[Part]:
        """A part a leg."""
        went = {each.part: each for each in seen.details.legs}
        legs = [
            Part(name=leg.part, title=Message(text=leg.scenario.title), seconds=_seconds(went.get(leg.part)))
            for leg in legs_of(plan)
        ]
        return [*legs, Part(name=STOP, title=message("The stepwise stop of the mirror"))]

    def stack_spec(self, plan: OneStackPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """A stack as the manifests have it."""
        _ = plan, options
        return StackNeeds(manifests=manifests)

    async def run(self, plan: OneStackPlan, on: RunContext[OneStackDetails]) -> None:
        """The legs in order, on one stack."""
        await LegsCourse(plan, on).run()

    def measured(self, plan: OneStackPlan, seen: RunRecord[OneStackDetails]) -> Iterable[Fact]:
        """Of each leg, of the steps of the mirror's stop, and of the whole."""
        return facts(plan, seen.details, seen.evidence, seed=seen.facts.seed, stops=_stops(seen.facts))

    def checks(self, plan: OneStackPlan, seen: RunRecord[OneStackDetails]) -> Iterable[Judgement]:
        """The words of criteria and checks."""
        return words(plan, seen)


def _has_postgresql(facts: RunInfo) -> bool:
    """Whether walks are in a database of their own."""
    return Capability.REAL_POSTGRESQL in facts.capabilities


def _stops(facts: RunInfo) -> bool:
    """Whether the target can stop its mirror stepwise."""
    return _has_postgresql(facts) and facts.target_bundled


def _seconds(went: LegSeen | None) -> float:
    return (
        0.0
        if went is None or went.end_ns is None or went.published_ns is None
        else (went.end_ns - went.published_ns) / NS
    )


REHEARSAL = OneStack()
