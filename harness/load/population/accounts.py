"""Who the users are. Audiences and the flag are filled by quota, not by chance (docs/judging.md#users).

Remote Config decides by a hash of the instance id, so the quota lies in the choice of instance ids: the percentile of
user i of n of an audience is in [i/n, (i+1)/n). Any percentage then selects an exact number of users, always the
first ones, and a larger percentage keeps everybody the smaller one had.
"""

from __future__ import annotations

import functools

import msgspec

from harness.base.seed import stream
from harness.load.population.ids import instance_id, uuid4_text
from harness.load.population.lifelike import title, user_name
from harness.load.population.marks import mark
from harness.model.flag import MICRO_PERCENT, micro_percentile
from harness.model.rollout import SEED
from harness.model.scenario import AudiencePlan, PopulationPlan, ProbePlan

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
