"""Who the users are. Audiences and the flag are filled by quota, not by chance (docs/judging.md#users).

Remote Config decides by a hash of the instance id, so the quota lies in the choice of instance ids: the percentile of
user i of n of an audience is in [i/n, (i+1)/n). Any percentage then selects an exact number of users, always the
first ones, and a larger percentage keeps everybody the smaller one had.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain
from typing import TypeVar

import msgspec

from harness.base.seed import stream
from harness.load.population.ids import instance_id, uuid4_text
from harness.load.population.lifelike import names, title, user_name
from harness.model.flag import MICRO_PERCENT, micro_percentile
from harness.model.rollout import SEED
from harness.model.scenario import AudiencePlan, PopulationPlan, ProbePlan

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
