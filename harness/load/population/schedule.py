"""What every user does and when: pure, seeded, lazily endless (docs/judging.md#windows).

Each user acts strictly evenly, once every ``pace_s``, or as the plan's steps have it from then on; the users of each
side are spread evenly over the pace, so that the API is offered ``flag_on / pace_s`` requests a second in every stretch
of a run. A user's walk is the cycle of ``WALK``, entered anywhere: any twenty users who follow each other on a side
cover the whole cycle.

A share of the users of each side (``PopulationPlan.read_again``) makes each read that follows a PUT within a second of
it. They go in pairs that do the same in the same cycle, a moment apart: the earlier one reads when the later one was to
write, and the later one writes when the earlier one was to read. So the moments at which requests are due stay.
"""

from __future__ import annotations

import functools
import heapq
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain, count, islice, takewhile
from math import floor
from typing import Protocol, TypeVar

import msgspec

from harness.base.seed import stream
from harness.base.ticks import NS
from harness.load.population.ids import instance_id, uuid4_text
from harness.load.population.lifelike import PhoneClock, clock, names, title, user_name
from harness.load.population.pacing import Pacing
from harness.load.population.probes import canary_of, offset_ns
from harness.load.population.walk import MOST_LOCATIONS, NewWalk, Walking, WalkUpdate
from harness.model.evidence import NOTHING_DUE, Due, DueList, Operation, Window, probe_call
from harness.model.flag import MICRO_PERCENT, micro_percentile
from harness.model.rollout import SEED
from harness.model.scenario import AudiencePlan, PopulationPlan, ProbePlan

# Who the users are. Audiences and the flag are filled by quota, not by chance (docs/judging.md#users).
# Remote Config decides by a hash of the instance id, so the quota lies in the choice of instance ids: the percentile of
# user i of n of an audience is in [i/n, (i+1)/n). Any percentage then selects an exact number of users, always the
# first ones, and a larger percentage keeps everybody the smaller one had.

# What tells whose data a text holds: the users' own names, and a mark in whatever each of them writes. Pure.
# A mark is drawn from the seed and means nothing to a target. Only those of the same population count: what an earlier
# one left in the stores is not another user's.

T = TypeVar("T", bound=msgspec.Struct)
EXCERPT_BYTES = 120  # of a wrong answer
_OWNER = re.compile(rb'"user_id"\s*:\s*"([^"]+)"')
_NAMES = (re.compile(rb"u\d{4,}"), re.compile(rb"canary\d{2,}"))  # apart: each is found by its first letters alone
#: How JSON and URLs write a character: by its number, or (group 2) behind a backslash.
_ESCAPED = (re.compile(rb"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL), re.compile(rb"%([0-9a-fA-F]{2})()"))
#: Beside a name, what makes it a part of something longer; a backslash, of a character that JSON within JSON escapes.
_WITHIN = re.compile(rb"[0-9A-Za-z\\]")
_MARKED = re.compile(r" mark-[0-9a-f]{8}-[0-9a-f]{10}$")
_OWN = rb"[0-9a-f]{10}"


@lru_cache(maxsize=8)
def _family(seed: int) -> str:
    return f"mark-{stream(seed, 'marks').getrandbits(32):08x}-"


@lru_cache(maxsize=2048)
def mark(seed: int, user: str) -> str:
    """What ``user``'s walks have in their titles and descriptions, of 24 characters."""
    return f"{_family(seed)}{stream(seed, f'mark:{user}').getrandbits(40):010x}"


def unmarked(body: T) -> T:
    """The content of a write as populations had it before there were marks: their runs are still judged."""
    texts = {name: _MARKED.sub("", getattr(body, name)) for name in ("title", "description") if hasattr(body, name)}
    return msgspec.structs.replace(body, **texts)


class Population(msgspec.Struct, frozen=True):
    """The users ``u0001`` to that of number ``users``, and the canaries, with the marks of ``seed``. ``canaries``: how
    many of them are named as users are, all of whom then have the names of ``lifelike``."""

    seed: int
    users: int
    canaries: int = 0

    def of_another(self, text: bytes, user: str) -> bytes:
        """An excerpt of ``text`` where it tells of somebody who is not ``user``; b"" where it does not."""
        for escaped in _ESCAPED:
            text = escaped.sub(_character, text)
        at = next(self._others(text, user), None)
        if at is None:
            return b""
        start = 0 if at < EXCERPT_BYTES else at - EXCERPT_BYTES // 2
        return text[start : start + EXCERPT_BYTES]

    def _others(self, text: bytes, user: str) -> Iterator[int]:
        own = user.encode()
        yield from (found.start() for found in _OWNER.finditer(text) if found[1] != own)
        marks = re.finditer(_family(self.seed).encode() + _OWN, text)
        yield from (found.start() for found in marks if found[0] != mark(self.seed, user).encode())
        for found in chain.from_iterable(each.finditer(text) for each in _NAMES):
            name, around = found[0], text[found.start() - 1 : found.start()] + text[found.end() : found.end() + 1]
            if name != own and self._knows(name) and not _WITHIN.search(around):
                yield found.start()

    def _knows(self, name: bytes) -> bool:
        if self.canaries:
            return name in names(self.seed, self.users, self.canaries)
        return name[:1] == b"c" or (0 < int(name[1:]) <= self.users and name == b"u%04d" % int(name[1:]))


def population_of(plan: PopulationPlan, probes: ProbePlan, seed: int) -> Population:
    """The users and canaries of a load."""
    return Population(seed, plan.users, probes.canary_users if plan.lifelike and probes.lifelike else 0)


#: Where only an owner's name tells whose a walk is.
NOBODY = Population(seed=0, users=0)


def _character(found: re.Match[bytes]) -> bytes:
    if found[1]:
        return chr(int(found[1], 16)).encode(errors="replace")
    return found[2] if found[2] in b'"\\/' else b" "


CANARY_AUDIENCE = "canary"
#: Percentiles nearer than this to an edge of a slot are not used: a condition rounds its percentage to micro-percent.
_MARGIN_MICRO_PERCENT = 2
#: Draws per user before giving up; about ln(n) + 1 are needed.
_MOST_DRAWS = 1000


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account of the app. ``user`` is also its Firebase uid; ``password`` opens nothing outside the emulator."""

    user: str
    audience: str
    email: str
    password: str
    instance_id: str
    flag_expected: bool


class Canary(msgspec.Struct, frozen=True, kw_only=True):
    """An account of the probes and the one walk it probes with."""

    account: Account
    walk_id: str
    title: str


@functools.lru_cache(maxsize=8)  # the judge under way asks once a second
def accounts(plan: PopulationPlan, seed: int) -> tuple[Account, ...]:
    """Every user of ``plan``, audience by audience in its order: ``u0001``, ``u0002``, ... unless it is lifelike.

    Raises ``ValueError`` when an audience has more ``flag_on`` than ``users``.
    """
    made: list[Account] = []
    for audience in plan.audiences:
        if not 0 <= audience.flag_on <= audience.users:
            raise ValueError(
                f"audience {audience.name!r}: flag_on {audience.flag_on} is not within 0..{audience.users}"
            )
        ids = _instance_ids(audience, seed)
        for index, instance in enumerate(ids):
            user = user_name(seed, len(made)) if plan.lifelike else f"u{len(made) + 1:04d}"
            made.append(_account(user, audience.name, instance, index < audience.flag_on, seed))
    return tuple(made)


def on_api(plan: PopulationPlan, seed: int) -> frozenset[str]:
    """The users whose flag the plan has on."""
    return frozenset(each.user for each in accounts(plan, seed) if each.flag_expected)


def canaries(plan: ProbePlan, seed: int) -> tuple[Canary, ...]:
    """The users of the probes, apart from the population and in no audience of the rollout."""
    made = []
    for number in range(1, plan.canary_users + 1):
        chance = stream(seed, f"canary:{number}")
        user = user_name(seed, -number) if plan.lifelike else f"canary{number:02d}"
        account = _account(user, CANARY_AUDIENCE, instance_id(chance), False, seed)
        called = f"{title(seed, user)} {mark(seed, user)}" if plan.lifelike else f"Walk of {user}"
        made.append(Canary(account=account, walk_id=uuid4_text(chance), title=called))
    return tuple(made)


def _account(user: str, audience: str, instance: str, flag_expected: bool, seed: int) -> Account:
    return Account(
        user=user,
        audience=audience,
        email=f"{user}@rehearsal.invalid",
        password=f"{stream(seed, f'password:{user}').getrandbits(64):016x}",
        instance_id=instance,
        flag_expected=flag_expected,
    )


def _instance_ids(audience: AudiencePlan, seed: int) -> list[str]:
    """One id for each slot [i/n, (i+1)/n) of the percentile: drawn until every slot is taken."""
    users = audience.users
    chance = stream(seed, f"instances:{audience.name}")
    found: dict[int, str] = {}
    for _ in range(users * _MOST_DRAWS):
        if len(found) == users:
            break
        instance = instance_id(chance)
        percentile = micro_percentile(SEED, instance)
        slot, within = divmod(percentile * users, MICRO_PERCENT)
        margin = _MARGIN_MICRO_PERCENT * users
        if margin <= within < MICRO_PERCENT - margin:
            found.setdefault(slot, instance)
    if len(found) != users:
        raise ValueError(f"audience {audience.name!r}: no instance ids found for {users} users")
    return [found[slot] for slot in range(users)]


_PUT, _LIST, _GET = Operation.PUT_WALK, Operation.LIST_WALKS, Operation.GET_WALK
_CREATE, _DELETE = Operation.CREATE_WALK, Operation.DELETE_WALK

#: One walk in twenty requests (docs/contract/walk-api.md#real-use): PUT 12, list 4, get 2, create 1, delete 1.
#: ``True`` marks the side walk: begun by mistake while the main one is under way, ended at once,
#: and deleted.
WALK: tuple[tuple[Operation, bool], ...] = (
    (_PUT, False), (_PUT, False), (_LIST, False), (_PUT, False), (_PUT, False),
    (_GET, False), (_PUT, False), (_LIST, False), (_PUT, False), (_PUT, False),
    (_CREATE, False), (_PUT, False), (_LIST, False), (_PUT, False), (_GET, False),
    (_PUT, False), (_LIST, False), (_PUT, False), (_PUT, True), (_DELETE, True),
)  # fmt: skip
_WITHOUT_A_WALK = frozenset({_LIST, _CREATE})  # the others are about a walk under way
LAST_PUT = 17  # completes the walk
_STRIDE = 7  # coprime with the cycle: neighbours in time do different things
_READS = frozenset({_LIST, _GET})
#: What a user with a long list wrote before the run: so many walks of one PUT, then one of so many PUTs.
EARLIER_WALKS, EARLIER_PUTS = 24, 20
_EARLIER = EARLIER_WALKS + EARLIER_PUTS
_SECOND_PAGE = frozenset({7, 16})  # the lists of a cycle that such a user asks for the second page
_LONG_WALK = 14  # the GET of a cycle by which such a user asks for its long walk
_DAY_NS, _HALF_HOUR_NS = 86_400 * NS, 1_800 * NS
_SOON_NS = NS  # after its PUT a read is due of who reads again, at most
_APART_S = 0.9  # a pair, at most, where the users are close enough together


class PlannedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request to be made, ``due_offset_ns`` after the run's origin. ``body`` is ``None`` for reads and DELETE.

    ``walk_id`` is the walk meant, chosen by the phone; for CREATE it is the id Firestore's side uses (the API makes
    its own); empty for LIST, of which ``page`` is asked. What was written before the run is due before its origin.
    """

    due_offset_ns: int
    number: int
    user: str
    operation: Operation
    walk_id: str
    body: NewWalk | WalkUpdate | None
    page: int = 1

    @property
    def operation_id(self) -> str:
        """Unique in the run."""
        return operation_id(self.user, self.number)


def operation_id(user: str, number: int) -> str:
    """The id of a user's ``number``-th request, from 0."""
    return f"{user}-{number:05d}"


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """Where a user stands: its place among all users in the pace, its rank among those of its side, and where in the
    cycle it begins; ``partner``: the place of whom it changes moments with, where it reads again; ``earlier``: how many
    of its requests are made before the run."""

    place: int
    position: int
    partner: int | None = None
    rank: int = 0
    earlier: int = 0

    def step(self, number: int) -> tuple[int, int]:
        """How many cycles the user has gone through at its request ``number``, and where in the cycle it is."""
        return divmod(self.position + number - self.earlier, len(WALK))


def slots(plan: PopulationPlan, users: Sequence[Account], seed: int) -> dict[str, Slot]:
    """Spreads the users of the API evenly over the pace, and the others evenly between them."""
    on = [account.user for account in users if account.flag_expected]
    off = [account.user for account in users if not account.flag_expected]
    places_on = [index * len(users) // len(on) for index in range(len(on))]
    taken = set(places_on)
    places_off = [place for place in range(len(users)) if place not in taken]
    chance = stream(seed, "stagger")
    placed: dict[str, Slot] = {}
    for group, places in ((on, places_on), (off, places_off)):
        order = sorted(group, key=lambda _: chance.random())
        first = int(chance.random() * len(WALK))
        for rank, (user, place) in enumerate(zip(order, places, strict=True)):
            long = floor((rank + 1) * plan.long_lists) > floor(rank * plan.long_lists)
            position = (first + rank * _STRIDE) % len(WALK)
            placed[user] = Slot(place=place, position=position, rank=rank, earlier=_EARLIER if long else 0)
        for number, (earlier, later) in enumerate(_pairs(plan, len(order))):
            position = (first + number * _STRIDE) % len(WALK)
            for user, other in ((order[earlier], places[later]), (order[later], places[earlier])):
                placed[user] = msgspec.structs.replace(placed[user], position=position, partner=other)
    return placed


def _pairs(plan: PopulationPlan, users: int) -> Iterator[tuple[int, int]]:
    """Who of the ``users`` of a side, by rank in its order, reads again."""
    pairs = round(plan.read_again * users / 2)
    close = max(1, floor(users * _APART_S / plan.pace_s))
    for number in range(pairs):
        earlier, following = number * users // pairs, (number + 1) * users // pairs
        yield earlier, earlier + 1 + number % min(close, following - earlier - 1)


class Doing(msgspec.Struct, frozen=True):
    """What a request does, without its body; ``side``: with the side walk. ``begins``: that walk was not put yet."""

    operation: Operation
    side: bool
    begins: bool


def doing_at(slot: Slot, number: int) -> Doing:
    """The ``number``-th request of the user in ``slot``: as the cycle has it, but that a walk is put before anything
    else is done with it, also by who enters the cycle in its middle."""
    if number < slot.earlier:
        return Doing(_PUT, False, begins=number <= EARLIER_WALKS)
    done, place = slot.step(number)
    operation, side = WALK[place]
    if operation in _WITHOUT_A_WALK:
        return Doing(operation, side, begins=False)
    before = WALK[0 if done else slot.position : place]
    begins = not any(s is side and o not in _WITHOUT_A_WALK for o, s in before)
    return Doing(_PUT if begins else operation, side, begins)


def due_ns(pacing: Pacing, slot: Slot, number: int) -> int:
    """When the ``number``-th request of the user in ``slot`` is due, after the run's origin."""
    if number < slot.earlier:
        return (number - slot.earlier) * NS
    at = number - slot.earlier
    if slot.partner is not None and slot.partner > slot.place and _reads_again(slot, number):
        return min(pacing.due_ns(slot.partner, at - 1), pacing.due_ns(slot.place, at - 1) + _SOON_NS)
    if slot.partner is not None and slot.partner < slot.place and _reads_again(slot, number + 1):
        return max(pacing.due_ns(slot.partner, at + 1), pacing.due_ns(slot.place, at + 1) - _SOON_NS)
    return pacing.due_ns(slot.place, at)


def _reads_again(slot: Slot, number: int) -> bool:
    """Whether the request is a read that follows a PUT of the same user."""
    if number <= slot.earlier or doing_at(slot, number).operation not in _READS:
        return False
    return doing_at(slot, number - 1).operation is _PUT


def page_of(slot: Slot, number: int) -> int:
    """Which page of the user's list its request ``number`` is about, if it is a list."""
    return 2 if slot.earlier and slot.step(number)[1] in _SECOND_PAGE else 1


def user_schedule(
    user: str, slot: Slot, plan: PopulationPlan, seed: int, anchor_unix_ns: int
) -> Iterator[PlannedRequest]:
    """The endless schedule of one user. Times inside the bodies count from ``anchor_unix_ns``, the run's anchor."""
    pacing = Pacing(plan)
    phone = _Phone(user, seed, clock(slot.rank) if plan.lifelike else None)
    for number in range(slot.earlier):
        at_ns, (walk_id, wrote) = due_ns(pacing, slot, number), phone.earlier(number, anchor_unix_ns)
        yield PlannedRequest(due_offset_ns=at_ns, number=number, user=user, operation=_PUT, walk_id=walk_id, body=wrote)
    number, before_ns = slot.earlier, pacing.due_ns(slot.place, -1)
    while True:
        at_ns, doing, (_, position) = due_ns(pacing, slot, number), doing_at(slot, number), slot.step(number)
        walk_id, body = phone.act(doing, position, anchor_unix_ns + at_ns, at_ns - before_ns)
        yield PlannedRequest(
            due_offset_ns=at_ns, number=number, user=user, operation=doing.operation, walk_id=walk_id, body=body,
            page=page_of(slot, number),
        )  # fmt: skip
        number, before_ns = number + 1, at_ns


def first_requests(
    user: str, slot: Slot, plan: PopulationPlan, seed: int, anchor_unix_ns: int, *, most: int
) -> Sequence[PlannedRequest]:
    """The first ``most`` of a user's ``user_schedule``; kept, because each check of a run asks for them."""
    kept, more = _begun(user, slot, plan, seed, anchor_unix_ns)
    kept += islice(more, max(0, most - len(kept)))
    return kept[:most]


@lru_cache(maxsize=1024)
def _begun(
    user: str, slot: Slot, plan: PopulationPlan, seed: int, anchor_unix_ns: int
) -> tuple[list[PlannedRequest], Iterator[PlannedRequest]]:
    return [], user_schedule(user, slot, plan, seed, anchor_unix_ns)


def schedule(
    plan: PopulationPlan, users: Sequence[Account], seed: int, anchor_unix_ns: int
) -> Iterator[PlannedRequest]:
    """Every user's schedule merged in due order; endless."""
    placed = slots(plan, users, seed)
    each = [user_schedule(account.user, placed[account.user], plan, seed, anchor_unix_ns) for account in users]
    return heapq.merge(*each, key=lambda planned: (planned.due_offset_ns, planned.user))


class _Phone:
    """What one phone holds: the walk under way and the side walk, each since a request began it; ``lifelike``: its
    clock."""

    def __init__(self, user: str, seed: int, lifelike: PhoneClock | None) -> None:
        self._user = user
        self._seed = seed
        self._mark = mark(seed, user)
        self._lifelike = lifelike
        self._clock = lifelike or PhoneClock()
        self._walks = 0
        self._long_walk = ""
        self._held: dict[bool, Walking] = {}  # by whether it is the side walk

    def act(
        self, doing: Doing, position: int, now_unix_ns: int, interval_ns: int
    ) -> tuple[str, NewWalk | WalkUpdate | None]:
        """The walk and the body of what it does now, ``interval_ns`` after what it did before."""
        now_unix_ns += self._clock.off_ns
        if doing.operation is _LIST:
            return "", None
        if doing.operation is _CREATE:
            return self._create()
        if doing.begins:
            self._held[doing.side] = self._begun(position, now_unix_ns, interval_ns, doing.side)
        walk = self._held[doing.side]
        if doing.operation is not _PUT:
            return self._long_walk if position == _LONG_WALK and self._long_walk else walk.id, None
        completed = doing.side if doing.begins else position == LAST_PUT
        return walk.id, walk.update(now_unix_ns, interval_ns, completed=completed)

    def earlier(self, number: int, anchor_unix_ns: int) -> tuple[str, WalkUpdate]:
        """The walk and the body of what it wrote as request ``number`` before the run, of the day that the walk was."""
        long = number >= EARLIER_WALKS
        began_ns = anchor_unix_ns + self._clock.off_ns - (EARLIER_WALKS + 1 - min(number, EARLIER_WALKS)) * _DAY_NS
        if number <= EARLIER_WALKS:
            self._walks += 1
            self._held[False] = self._walking(began_ns, 0)
        self._long_walk = self._held[False].id
        walk, part = self._held[False], max(0, number - EARLIER_WALKS) + 1
        count, ends = MOST_LOCATIONS if long else None, not long or number + 1 == _EARLIER
        return walk.id, walk.update(began_ns + part * _HALF_HOUR_NS, _HALF_HOUR_NS, completed=ends, count=count)

    def _begun(self, position: int, now_unix_ns: int, interval_ns: int, side: bool) -> Walking:
        self._walks += 1
        # The main walk began with the cycle, which may have been before the run.
        walked_ns = interval_ns if side else (position + 1) * interval_ns
        return self._walking(now_unix_ns - walked_ns, (walked_ns - interval_ns) / NS)

    def _walking(self, started_unix_ns: int, walked_s: float) -> Walking:
        name = f"{self._user}/{self._walks}"
        return Walking(
            self._seed,
            name,
            started_unix_ns=started_unix_ns,
            walked_s=walked_s,
            mark=self._mark,
            title=title(self._seed, name) if self._lifelike else "",
            zone=self._clock.zone,
        )

    def _create(self) -> tuple[str, NewWalk]:
        self._walks += 1
        name = f"{self._user}/{self._walks}"
        walk_id = uuid4_text(stream(self._seed, f"create:{name}"))
        called, planned = (title(self._seed, name), "予定 📝") if self._lifelike else (f"Walk {name}", "planned")
        return walk_id, NewWalk(title=f"{called} {self._mark}", description=f"{planned} {self._mark}")


# What is due in a window of a schedule: computed from plan and seed, not from what arrived. Pure.


class Populated(Protocol):
    """A plan with users and probes."""

    @property
    def population(self) -> PopulationPlan: ...
    @property
    def probes(self) -> ProbePlan: ...


def due_list(scenario: Populated, seed: int, start_ns: int, end_ns: int, *, origin_ns: int | None = None) -> DueList:
    """What is due to the API in ``[start_ns, end_ns)`` of a schedule that began at ``origin_ns``, or begins with it."""
    origin_ns = start_ns if origin_ns is None else origin_ns
    requests = requests_due(scenario.population, seed, origin_ns, end_ns)
    to_api = on_api(scenario.population, seed)
    return DueList(
        requests=tuple(due for due in requests if due.user in to_api and due.due_ns >= start_ns),
        probes=probes_due(scenario.probes, seed, origin_ns, start_ns, end_ns),
    )


def due_within(plan: Populated, seed: int, origin_ns: int | None, start_ns: int, end_ns: int) -> DueList:
    """What is due in ``[start_ns, end_ns)`` of a load that began at ``origin_ns``; nothing before, nor without one."""
    if origin_ns is None:
        return NOTHING_DUE
    return due_list(plan, seed, max(start_ns, origin_ns), end_ns, origin_ns=origin_ns)


def requests_due(plan: PopulationPlan, seed: int, start_ns: int, end_ns: int) -> tuple[Due, ...]:
    """The same of every user's requests, to whichever side."""
    everybody = accounts(plan, seed)
    placed = slots(plan, everybody, seed)
    pacing = Pacing(plan)
    found: list[Due] = []
    for account in everybody:
        slot = placed[account.user]
        for number in count(slot.earlier):
            at_ns = start_ns + due_ns(pacing, slot, number)
            if at_ns >= end_ns:
                break
            name = operation_id(account.user, number)
            found.append(Due(id=name, user=account.user, due_ns=at_ns, operation=doing_at(slot, number).operation))
    return tuple(sorted(found, key=lambda due: (due.due_ns, due.id)))


def answered_by(window: Window, judged_ns: int, timeout_s: float, *, whole: bool) -> int:
    """Until when what was due in ``window`` must be in evidence as it is judged: to its end where it was held ``whole``
    and each answer awaited, else what was due so long before that it must have been answered."""
    awaited_ns = min(window.end_ns, judged_ns - round((timeout_s + 1) * NS))
    return window.end_ns if whole else max(window.start_ns, awaited_ns)


def stayers_due(
    plan: PopulationPlan, shares: PopulationPlan, seed: int, origin_ns: int, window: Window
) -> tuple[Due, ...]:
    """What users who by ``shares`` are not on the API have due in ``window``, by ``plan``, begun at ``origin_ns``."""
    due, moved = requests_due(plan, seed, origin_ns, window.end_ns), on_api(shares, seed)
    return tuple(each for each in due if each.user not in moved and each.due_ns >= window.start_ns)


def probes_due(plan: ProbePlan, seed: int, origin_ns: int, start_ns: int, end_ns: int) -> tuple[Due, ...]:
    """The probes that are due in ``[start_ns, end_ns)`` of a stream that began at ``origin_ns``; cheap at any time."""
    users = [canary.account.user for canary in canaries(plan, seed)]
    first = max(0, int((start_ns - origin_ns) * plan.rate_per_s / NS) - 1)
    due = ((number, origin_ns + offset_ns(plan, number)) for number in count(first))
    return tuple(
        Due(id=probe_call(number), user=users[canary_of(plan, number)], due_ns=due_ns)
        for number, due_ns in takewhile(lambda each: each[1] < end_ns, due)
        if due_ns >= start_ns
    )
