"""One fetch interval on real parts: real phones, the real Remote Config emulator, API and Firestore; times scaled.

One load process, the flag off, then on, then off again; some phones lose their network around each publish. Judged
are the switch of every client against the rule's bound, and every walk against what its phone had recorded.

A user's walks across the change of sides, on the running stack, one story at a time.

Each story is an app's doing (what is written to Firestore is what the old app writes, what goes to the API keeps the
contract) and ends in a comparison with what the phone recorded.
Both sides as they hold walks: Firestore's documents, PostgreSQL's rows; and the API as the app asks it.
"""

from __future__ import annotations

import itertools
import os
from collections import defaultdict
from collections.abc import Awaitable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec

from harness.base.clock import NS, Clock, polling
from harness.base.errors import NOT_JSON, PartDied
from harness.base.planfile import RuleError, typed
from harness.checks.stores import NotAsNamed, read_stored
from harness.checks.walk_continuity import (
    Points,
    TrackPoint,
    WalkContinuity,
    continuity,
    contract_points,
    document_points,
    recorded_points,
    together,
)
from harness.load.plan import Offline
from harness.load.population.firestore_document import document, document_id, location
from harness.load.population.schedule import PlannedRequest, accounts, slots, user_schedule
from harness.load.population.walk import Location, Walking, WalkUpdate, moment
from harness.load.users import Users, UsersPlan
from harness.migration.convert import walk_rows
from harness.migration.load import move
from harness.model.evidence import Operation, RequestRow, Side
from harness.model.message import Message, message
from harness.model.scenario import MOST_DURATION_S, AudiencePlan, PopulationPlan, ProbePlan
from harness.model.stack import COLLECTION, Address, Endpoints
from harness.rehearsals.flag_proof.types import (
    AGAIN,
    COPIED,
    MOVED,
    NEW_ONLY,
    ROLLED_BACK,
    FetchCase,
    FlagPlan,
    FlagProofDetails,
    FlipDirection,
    Story,
    Switch,
    WalksHeld,
)
from harness.rehearsals.flag_proof.virtual import bound_s, interval_word
from harness.run.context import RunContext
from harness.stack.firebase import rest
from harness.stack.firebase.rest import sign_up

MIRROR_LIMIT_S = 10.0  # from the API's answer to the document; the document names no time
_POLL_S = 0.1
_BATCH_NS = 30 * NS
_WALKS = 3


class WalkRecorder:
    """One user's phone: the walks it recorded, and the body of each PUT."""

    def __init__(self, uid: str, seed: int, unix_ns: int) -> None:
        self.uid = uid
        self._seed = seed
        self._now_ns = unix_ns
        self.locations: dict[str, list[Location]] = {}
        self._walks: dict[str, Walking] = {}

    def begin(self) -> str:
        """A new walk's id."""
        name = f"{self.uid}/{len(self._walks) + 1}"
        walk = Walking(self._seed, f"flag_proof:{name}", started_unix_ns=self._now_ns)
        self._walks[walk.id], self.locations[walk.id] = walk, []
        return walk.id

    def walk_on(self, walk_id: str) -> WalkUpdate:
        """Walks for half a minute more; the body of the next PUT, with what is new."""
        self._now_ns += _BATCH_NS
        body = self._walks[walk_id].update(self._now_ns, _BATCH_NS)
        self.locations[walk_id] += body.locations
        return body

    def document(self, walk_id: str, body: WalkUpdate) -> dict[str, object]:
        """The walk as the old app writes it: all of it."""
        began, now = moment(self._walks[walk_id].started_unix_ns), moment(self._now_ns)
        points = [location(point) for point in self.locations[walk_id]]
        return document(walk_id, self.uid, body, points, created_at=began, updated_at=now)

    @property
    def recorded(self) -> dict[str, Points]:
        """Everything the phone recorded."""
        return {walk_id: recorded_points(points) for walk_id, points in self.locations.items()}


class Stories:
    """The stories on one stack. ``close`` when done."""

    def __init__(self, endpoints: Endpoints, clock: Clock, seed: int) -> None:
        self._to = endpoints
        self._clock = clock
        self._seed = seed
        self._documents = FlagDocuments(endpoints.firestore, endpoints.project_id)

    def close(self) -> None:
        """Hangs up."""
        self._documents.close()

    async def all(self) -> list[Story]:
        """Every story in order. One that the target's answers end says what they were."""
        return [
            *await _told(self.moved(), MOVED, COPIED),
            *await _told(self.rolled_back(), ROLLED_BACK),
            *await _told(self.flipped(NEW_ONLY), NEW_ONLY),
            *await _told(self.flipped(AGAIN), AGAIN),
        ]

    async def moved(self) -> list[Story]:
        """Old walks lie in Firestore; the flag goes on, first without a copy, then after one."""
        phone, api = await self._user("moved")
        for _ in range(_WALKS):
            walk_id = phone.begin()
            for _ in range(2):
                await self._documents.set(walk_id, phone.document(walk_id, phone.walk_on(walk_id)))
        before = continuity(phone.recorded, await api.walks())
        held = await self._documents.of_user(phone.uid)
        await move(self._to, {each["id"]: walk_rows(each["id"], each) for each in held})
        after = continuity(phone.recorded, await api.walks())
        return [Story(name=MOVED, found=before), Story(name=COPIED, found=after)]

    async def rolled_back(self) -> list[Story]:
        """A walk begun on the API; the flag goes off; the user sees it in Firestore and walks on there."""
        phone, api = await self._user("back")
        walk_id = phone.begin()
        for _ in range(2):
            await api.put(walk_id, phone.walk_on(walk_id))
        seen = await self._mirrored(phone)
        await self._documents.set(walk_id, phone.document(walk_id, phone.walk_on(walk_id)))
        then = continuity(phone.recorded, await self._documents.points(phone.recorded))
        return [Story(name=ROLLED_BACK, found=then if seen.whole else seen)]

    async def flipped(self, name: str) -> list[Story]:
        """The flag goes on in mid-walk: with an app that sends what is new, or with one that sends what is missing."""
        phone, api = await self._user(f"flip-{name.rpartition('.')[2][:3]}")
        whole = name == AGAIN
        walk_id = phone.begin()
        await self._documents.set(walk_id, phone.document(walk_id, phone.walk_on(walk_id)))
        body = phone.walk_on(walk_id)
        await api.put(walk_id, _with(body, phone.locations[walk_id]) if whole else body)
        held = await self._both(phone, api, walk_id)
        return [Story(name=name, found=held)]

    async def _user(self, name: str) -> tuple[WalkRecorder, Api]:
        user = await sign_up(self._to.auth, self._to.project_id, f"flag-proof-{name}")
        return WalkRecorder(user.uid, self._seed, self._clock.anchor.unix_ns), Api(self._to.service, user.token)

    async def _both(self, phone: WalkRecorder, api: Api, walk_id: str) -> WalkContinuity:
        """What both sides hold together once the mirror has written what the API has."""
        there = await api.walks()
        latest = max((point.timestamp for point in there.get(walk_id, {}).values()), default=None)
        again = polling(self._clock, limit_s=MIRROR_LIMIT_S, every_s=_POLL_S)
        while True:
            points = (await self._documents.points([walk_id])).get(walk_id, {}).values()
            if latest is None or latest in {point.timestamp for point in points} or not await again():
                break
        # By time, not by place: a mirrored document may begin in the middle of the walk.
        number = {point.timestamp: number for number, point in phone.recorded[walk_id].items()}
        documents = {walk_id: {number[point.timestamp]: point for point in points if point.timestamp in number}}
        return continuity(phone.recorded, together(there, documents))

    async def _mirrored(self, phone: WalkRecorder) -> WalkContinuity:
        again = polling(self._clock, limit_s=MIRROR_LIMIT_S, every_s=_POLL_S)
        while True:
            found = continuity(phone.recorded, await self._documents.points(phone.recorded))
            if found.whole or not await again():
                return found


async def _told(story: Awaitable[list[Story]], *names: str) -> list[Story]:
    """The stories; where the target answers as no target may, what it answered, of each of ``names``."""
    try:
        return await story
    except NotAsPromised as error:
        return [Story(name=name, wrong=(error.told,)) for name in names]


def _with(body: WalkUpdate, locations: list[Location]) -> WalkUpdate:
    return msgspec.structs.replace(body, locations=tuple(locations))


_TIMEOUT_S = 10.0
_AT_ONCE = 100


class NotAsPromised(Exception):  # noqa: N818 - a finding about the target, not an error of ours
    """The target answered, or left in Firestore, what the contract does not have; ``told`` says what."""

    def __init__(self, told: Message) -> None:
        super().__init__(str(told))
        self.told = told


class _Location(msgspec.Struct, kw_only=True):
    """Of the contract's answer; what is not there is not known."""

    sequence_number: int
    latitude: float
    longitude: float
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    altitude: float | None = None
    horizontal_accuracy: float | None = None
    vertical_accuracy: float | None = None
    speed: float | None = None
    course: float | None = None


class _Listed(msgspec.Struct):
    id: str


class _Page(msgspec.Struct):
    walks: list[_Listed]


class _Walk(msgspec.Struct):
    locations: list[_Location]


_Form = TypeVar("_Form", _Page, _Walk)


class FlagDocuments:
    """Firestore, past the rules, with Google's client. Every method raises ``PartDied`` when the emulator fails."""

    def __init__(self, address: Address, project_id: str) -> None:
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import firestore

        self._address = address
        os.environ["FIRESTORE_EMULATOR_HOST"] = str(address)  # the client's only way to be told of an emulator
        self._client = firestore.AsyncClient(project=project_id, credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]
        self._walks = self._client.collection(COLLECTION)

    async def set(self, walk_id: str, content: Mapping[str, object]) -> None:
        """Writes the whole document, as the old app does."""
        await self._try(self._walks.document(document_id(walk_id)).set(dict(content), retry=None, timeout=_TIMEOUT_S))

    async def get(self, walk_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The documents that are there, by lower-case id."""
        wanted = [self._walks.document(document_id(walk_id)) for walk_id in walk_ids]
        found: dict[str, dict[str, Any]] = {}
        for first in range(0, len(wanted), _AT_ONCE):
            found |= await self._try(self._get(wanted[first : first + _AT_ONCE]))
        return found

    async def of_user(self, uid: str) -> list[dict[str, Any]]:
        """Every document of a user."""
        from google.cloud.firestore_v1.base_query import FieldFilter

        query = self._walks.where(filter=FieldFilter("user_id", "==", uid))
        found: list[dict[str, Any]] = await self._try(self._all(query))
        return found

    async def points(self, walk_ids: Iterable[str]) -> dict[str, Points]:
        """The locations in those documents that are there. Raises ``NotAsPromised`` when one has none to be read."""
        return {walk_id: _document_points(walk_id, content) for walk_id, content in (await self.get(walk_ids)).items()}

    def close(self) -> None:
        """Ends the channel."""
        self._client.close()  # type: ignore[no-untyped-call]

    async def _get(self, wanted: list[Any]) -> dict[str, dict[str, Any]]:
        answers = self._client.get_all(wanted, retry=None, timeout=_TIMEOUT_S)
        return {each.id.lower(): each.to_dict() or {} async for each in answers if each.exists}

    async def _all(self, query: Any) -> list[dict[str, Any]]:
        return [each.to_dict() async for each in query.stream(retry=None, timeout=_TIMEOUT_S)]

    async def _try(self, asked: Any) -> Any:
        from google.api_core.exceptions import GoogleAPICallError

        try:
            return await asked
        except GoogleAPICallError as error:
            raise PartDied(
                message("the Firestore emulator failed: {why}", why=str(error)),
                where=str(self._address),
                remedy="read firestore.log",
            ) from error


async def rows(to: Endpoints, walk_ids: Collection[str]) -> dict[str, Points]:
    """The locations of those walks that PostgreSQL has. Raises ``PartDied``, and ``NotAsNamed`` where not all that the
    contract has of a location can be read; ``NotAsPromised`` for one without its time."""
    stored = await read_stored(to, only=walk_ids)
    located = stored.layout.locations
    if located is None or not {*TrackPoint.__struct_fields__} <= located.keys():
        raise NotAsNamed(stored.layout.why, str(to.database))
    if any(point["timestamp"] is None for walk in stored.walks for point in walk.locations):
        raise NotAsPromised(message("a location in PostgreSQL has no timestamp"))
    return {walk.id: contract_points(walk.locations) for walk in stored.walks}


def _document_points(walk_id: str, content: Mapping[str, Any]) -> Points:
    try:
        return document_points(content["location_data"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        said = message(
            "the document of walk {walk} is not as the old app reads it: {what}", walk=walk_id, what=repr(error)[:200]
        )
        raise NotAsPromised(said) from error


class Api:
    """The API as a user's app asks it. Raises ``NotAsPromised`` for anything but the answer that was meant."""

    def __init__(self, service: Address, token: str) -> None:
        self._service = service
        self._headers = {"Authorization": f"Bearer {token}"}

    async def walks(self) -> dict[str, Points]:
        """Every walk that the app's list shows, each opened."""
        page = await self._get("/v1/walks?page=1&limit=100", _Page)
        return {walk.id.lower(): await self._points(walk.id) for walk in page.walks}

    async def put(self, walk_id: str, body: msgspec.Struct) -> None:
        """PUT."""
        await self._ask("PUT", f"/v1/walks/{walk_id}", msgspec.json.encode(body))

    async def _points(self, walk_id: str) -> Points:
        walk = await self._get(f"/v1/walks/{walk_id}", _Walk)
        return contract_points([msgspec.structs.asdict(each) for each in walk.locations])

    async def _get(self, path: str, form: type[_Form]) -> _Form:
        answer = await self._ask("GET", path)
        try:
            return msgspec.json.decode(answer, type=form)
        except NOT_JSON as error:
            raise self._wrong("GET", path, f"{error} in {answer[:200]!r}") from error

    async def _ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        try:
            answer = await rest.request(
                self._service, method, path, body=body, headers=self._headers, timeout_s=_TIMEOUT_S
            )
        except OSError as error:
            raise self._wrong(method, path, repr(error)) from error
        if answer.status != 200:
            raise self._wrong(method, path, f"status {answer.status}, {answer.body[:200]!r}")
        return answer.body

    def _wrong(self, method: str, path: str, what: str) -> NotAsPromised:
        request = f"{method} http://{self._service}{path}"
        return NotAsPromised(
            message("the answer to {request} is not as the contract has it: {what}", request=request, what=what)
        )


_SLACK_S = 2.0  # a busy machine's, over the rule's bound
_SETTLE_PACES = 3


class FlagCourse(msgspec.Struct, frozen=True, kw_only=True):
    """When things happen, in seconds from the origin; times are scaled."""

    pace_s: float
    interval_s: float
    offline_s: float
    on_s: float
    off_s: float
    end_s: float
    bound_s: float


def course(plan: FlagPlan, case: FetchCase) -> FlagCourse:
    """The course of a case: each publish is followed by the bound of those without network, and two requests."""
    scale = plan.real.scale
    pace_s, interval_s = plan.pace_s / scale, case.fetch_interval_s / scale
    offline_s = max((kind.offline_s for kind in plan.kinds), default=0.0) / scale
    bound = bound_s(interval_s=interval_s, pace_s=pace_s, offline_s=offline_s) + _SLACK_S
    on_s = _SETTLE_PACES * pace_s
    off_s = on_s + bound + 2 * pace_s
    return FlagCourse(
        pace_s=pace_s,
        interval_s=interval_s,
        offline_s=offline_s,
        on_s=on_s,
        off_s=off_s,
        end_s=off_s + bound + 2 * pace_s,
        bound_s=bound,
    )


def must_fit(plan: FlagPlan, case: FetchCase) -> None:
    """Raises ``BadInput`` for a case whose scaled times no load can keep."""
    times = course(plan, case)
    with typed("real.scale", message("plan {name}", name=plan.name)):
        _users_plan(plan, times, 0)
        if times.end_s > MOST_DURATION_S:
            given = {"seconds": f"{times.end_s:.0f}", "most": f"{MOST_DURATION_S:g}"}
            raise RuleError(message("a case takes {seconds} s, and a load lasts at most {most} s", **given), "scale")


class RealCase:
    """One interval: its users' evidence is kept apart, for each case has users of the same names."""

    def __init__(self, plan: FlagPlan, case: FetchCase, on: RunContext[FlagProofDetails]) -> None:
        self._on = on
        self._course = course(plan, case)
        self._name = interval_word(case.fetch_interval_s)
        self._plan = _users_plan(plan, self._course, on.options.seed)

    async def run(self) -> tuple[list[Switch], WalksHeld]:
        """The switches of both directions, and the walks."""
        users = Users(self._on, self._plan, apart=f"flag-{self._name}")
        await users.set_flag(on=False)
        await users.admit()
        origin_ns = await users.go()
        await self._until(origin_ns, self._course.on_s)
        on_ns = await users.set_flag(on=True)
        await self._until(origin_ns, self._course.off_s)
        off_ns = await users.set_flag(on=False)
        await self._until(origin_ns, self._course.end_s)
        await users.stop()
        for failure in users.evidence.failures():
            raise failure
        seen = users.evidence.requests
        offline = {each.user for each in self._plan.offline}
        everybody = [account.user for account in accounts(self._plan.population, self._plan.seed)]
        groups = {"open": [user for user in everybody if user not in offline], "offline": sorted(offline)}
        turned_on = switches((row for row in seen if on_ns <= row.sent_ns < off_ns), on_ns, Side.API)
        turned_off = switches((row for row in seen if row.sent_ns >= off_ns), off_ns, Side.FIRESTORE)
        turned = [
            *self._switches(turned_on, groups, FlipDirection.OFF_TO_ON),
            *self._switches(turned_off, groups, FlipDirection.ON_TO_OFF),
        ]
        return turned, await self._walks(seen)

    def _switches(
        self, took_s: Mapping[str, float], groups: Mapping[str, Sequence[str]], direction: FlipDirection
    ) -> list[Switch]:
        found = []
        for kind, chosen in groups.items():
            if not chosen:
                continue
            gap_s = self._course.offline_s if kind == "offline" else 0.0
            bound = bound_s(interval_s=self._course.interval_s, pace_s=self._course.pace_s, offline_s=gap_s)
            took = [took_s[user] for user in chosen if user in took_s]
            found.append(
                Switch(
                    id=f"real.{self._name}.{kind}.{direction}",
                    mode="real",
                    clients=len(chosen),
                    switched=len(took),
                    last_s=max(took, default=None),
                    bound_s=bound + _SLACK_S,
                    limit_s=None,
                )
            )
        return found

    async def _walks(self, seen: Sequence[RequestRow]) -> WalksHeld:
        name, clients = f"real.{self._name}.walks", self._plan.population.users
        recorded = recorded_walks(self._plan, seen, self._on.clock.anchor.unix_ns)
        endpoints = self._on.stack.endpoints()
        documents = FlagDocuments(endpoints.firestore, endpoints.project_id)
        try:
            found = continuity(recorded, together(await rows(endpoints, recorded), await documents.points(recorded)))
        except NotAsPromised as error:
            return WalksHeld(id=name, clients=clients, wrong=(error.told,))
        finally:
            documents.close()
        both = len({row.walk_id for row in seen if row.side is Side.API} & set(recorded))
        return WalksHeld(id=name, clients=clients, found=found, both=both)

    async def _until(self, origin_ns: int, at_s: float) -> None:
        clock = self._on.clock
        await clock.sleep(max(0, origin_ns + round(at_s * NS) - clock.now_ns()) / NS)


def _users_plan(plan: FlagPlan, times: FlagCourse, seed: int) -> UsersPlan:
    """All are on the API once the flag is on; the last of them lose their network around each publish."""
    everybody = AudiencePlan(name="all", users=plan.real.clients, flag_on=plan.real.clients)
    population = PopulationPlan(audiences=(everybody,), pace_s=times.pace_s, fetch_interval_s=times.interval_s)
    half_s = times.offline_s / 2
    return UsersPlan(
        population=population,
        probes=ProbePlan(rate_per_s=0.5),
        seed=seed,
        offline=tuple(
            Offline(user=account.user, from_s=at_s - half_s, to_s=at_s + half_s)
            for account in accounts(population, seed)[::-1][: plan.real.offline]
            for at_s in (times.on_s, times.off_s)
        ),
    )


def switches(seen: Iterable[RequestRow], at_ns: int, side: Side) -> dict[str, float]:
    """By user: seconds from ``at_ns`` to the first request on ``side`` after which none went to the other."""
    mine: defaultdict[str, list[RequestRow]] = defaultdict(list)
    for row in sorted(seen, key=lambda row: row.sent_ns):
        mine[row.user].append(row)
    took_s = {}
    for user, requests in mine.items():
        new = list(itertools.takewhile(lambda row: row.side is side, reversed(requests)))
        if new:
            took_s[user] = (new[-1].sent_ns - at_ns) / NS
    return took_s


def recorded_walks(plan: UsersPlan, seen: Sequence[RequestRow], unix_ns: int) -> dict[str, Points]:
    """What the phones recorded by the pure schedule, up to each walk's last PUT that a side confirmed. ``unix_ns`` is
    the time that their contents count from.

    A walk that is over counts whole. Walks that were deleted do not count.
    """
    users = accounts(plan.population, plan.seed)
    placed = slots(plan.population, users, plan.seed)
    found: dict[str, Points] = {}
    for account in users:
        mine = [row for row in seen if row.user == account.user]
        if mine:
            schedule = user_schedule(account.user, placed[account.user], plan.population, plan.seed, unix_ns)
            found |= _recorded(mine, schedule)
    return found


def _recorded(mine: Sequence[RequestRow], schedule: Iterable[PlannedRequest]) -> dict[str, Points]:
    last = max(_number(row) for row in mine)
    confirmed: dict[str, int] = {}
    for row in mine:
        if row.operation is Operation.PUT_WALK and row.acknowledged:
            confirmed[row.walk_id] = max(confirmed.get(row.walk_id, -1), _number(row))
    walks: dict[str, list[tuple[int, Sequence[Location]]]] = {}
    for planned in itertools.takewhile(lambda each: each.number <= last, schedule):
        if planned.operation is Operation.DELETE_WALK:
            walks.pop(planned.walk_id, None)
        elif isinstance(planned.body, WalkUpdate):
            walks.setdefault(planned.walk_id, []).append((planned.number, planned.body.locations))
    newest = next(reversed(walks), "")
    return {
        walk_id: recorded_points(
            [
                point
                for number, locations in puts
                if walk_id != newest or number <= confirmed.get(walk_id, -1)
                for point in locations
            ]
        )
        for walk_id, puts in walks.items()
        if walk_id != newest or walk_id in confirmed
    }


def _number(row: RequestRow) -> int:
    return int(row.operation_id.split("-")[-1 if "-again-" in row.operation_id else 1])


def real_ids(plan: FlagPlan) -> list[str]:
    """The ids of the switches on real parts."""
    kinds = ("open", "offline") if plan.real.offline else ("open",)
    return [
        f"real.{interval_word(case.fetch_interval_s)}.{kind}.{direction}"
        for case in plan.cases
        if case.real
        for direction in FlipDirection
        for kind in kinds
    ]
