"""Users ask for others' walks with their own token, and put onto them: the active half of the check of isolation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from harness.base.seed import stream
from harness.base.theirs import read_json
from harness.checks.dual_write import StoredWalk
from harness.checks.isolation import CrossUserCall, Reply
from harness.checks.stores import NotAsNamed, Stores
from harness.load.answers import beginning
from harness.load.population.schedule import NOBODY, Account, Population

MOST_ASKED = 8
_BODY = b'{"title":"not yours"}'


class OwnedWalk(msgspec.Struct, frozen=True, kw_only=True):
    """A walk that is known to be ``owner``'s, as it was before anybody asked for it; ``None`` where it was not read."""

    walk_id: str
    owner: str
    title: str
    before: StoredWalk | None = None


async def ask_as_others(
    stores: Stores, users: Sequence[Account], walks: Sequence[OwnedWalk], population: Population, most: int
) -> tuple[CrossUserCall, ...]:
    """``MOST_ASKED`` of ``walks``, each asked for by another of ``users``, drawn from the seed of ``population``. No
    load runs.

    ``most`` bounds the reading of PostgreSQL afterwards. Raises ``PartDied`` when Auth or PostgreSQL does not answer.
    """
    chance = stream(population.seed, "trespass")
    owned = sorted(walks, key=lambda walk: walk.walk_id)
    taken = [owned.pop(int(chance.random() * len(owned))) for _ in range(min(MOST_ASKED, len(owned)))]
    asked: list[tuple[OwnedWalk, Account, Reply, Reply]] = []
    for walk in taken:
        others = [account for account in users if account.user != walk.owner]
        if not others:
            continue
        account = others[int(chance.random() * len(others))]
        token = await stores.sign_in(account)
        get = await _reply(stores, "GET", walk, account.user, token, population)
        put = await _reply(stores, "PUT", walk, account.user, token, population)
        asked.append((walk, account, get, put))
    after = await _after(stores, most) if any(walk.before for walk, *_ in asked) else None
    return tuple(
        CrossUserCall(
            user=account.user,
            owner=walk.owner,
            walk_id=walk.walk_id,
            get=get,
            put=put,
            changed=None if walk.before is None or after is None else not _same(walk.before, after.get(walk.walk_id)),
        )
        for walk, account, get, put in asked
    )


async def _after(stores: Stores, most: int) -> Mapping[str, StoredWalk] | None:
    try:
        return {walk.id: walk for walk in (await stores.walks(most)).walks}
    except NotAsNamed:
        return None


def _same(before: StoredWalk, after: StoredWalk | None) -> bool:
    return (
        after is not None
        and dict(before.columns) == dict(after.columns)
        and len(before.locations) == len(after.locations)
    )


async def _reply(  # noqa: PLR0917 - a request, and who reads its answer
    stores: Stores, method: str, walk: OwnedWalk, user: str, token: str, population: Population
) -> Reply:
    """Of ``method`` on the walk as ``user``; status 0 when there was no answer."""
    body = _BODY if method == "PUT" else b""
    answer = await stores.exchange(method, f"/v1/walks/{walk.walk_id}", token, body)
    told = shows(answer.status, answer.body, walk, user)
    told |= bool(population.of_another(b"\n".join((answer.head, answer.body, answer.behind)), user))
    return Reply(method=method, status=answer.status, body=beginning(answer.body), shows=told)


def shows(status: int, body: bytes, walk: OwnedWalk, user: str) -> bool:
    """Whether an answer tells of the walk: of its owner, by its title, or, as a success, under its id."""
    told = body.decode(errors="replace").lower()
    if NOBODY.of_another(body, user) or (walk.title and walk.title.lower() in told):
        return True
    return 200 <= status < 300 and walk.walk_id.lower() in told and _is_walk(body)


def _is_walk(body: bytes) -> bool:
    """Whether it holds more than an echo of what was put."""
    found = read_json(body, object)
    return isinstance(found, dict) and any(found.get(each) for each in ("locations", "start_time", "polyline_data"))
