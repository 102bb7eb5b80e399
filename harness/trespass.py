"""Users ask for others' walks with their own token, and put onto them: the active half of the check of isolation."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import h11

from harness.checks.dual_write import StoredWalk
from harness.checks.isolation import Asked
from harness.firebase.sign_up import sign_in
from harness.load.http1 import Refused, exchange
from harness.model.stack import Address, Endpoints
from harness.population.accounts import Account
from harness.seed import stream
from harness.stores import read_walks

MOST_ASKED = 8
_TIMEOUT_S = 5.0
_BODY = b'{"title":"not yours"}'


async def trespass(
    endpoints: Endpoints, users: Sequence[Account], walks: Sequence[StoredWalk], seed: int, most: int
) -> tuple[Asked, ...]:
    """``MOST_ASKED`` walks of ``walks``, each asked for by another of ``users``, drawn from ``seed``. No load runs.

    ``most`` bounds the reading of PostgreSQL afterwards. Raises ``PartDied`` when Auth or PostgreSQL does not answer.
    """
    chance = stream(seed, "trespass")
    owned = sorted((walk for walk in walks if walk.user), key=lambda walk: walk.id)
    taken = [owned.pop(int(chance.random() * len(owned))) for _ in range(min(MOST_ASKED, len(owned)))]
    asked: list[tuple[StoredWalk, Account, int, int]] = []
    for walk in taken:
        others = [account for account in users if account.user != walk.user]
        if not others:
            continue
        account = others[int(chance.random() * len(others))]
        token = (await sign_in(endpoints.auth, account.email, account.password)).token
        get = await _status(endpoints.service, "GET", walk.id, token, b"")
        put = await _status(endpoints.service, "PUT", walk.id, token, _BODY)
        asked.append((walk, account, get, put))
    after = {walk.id: walk for walk in await read_walks(endpoints, most)} if asked else {}
    return tuple(
        Asked(
            user=account.user,
            owner=walk.user,
            walk_id=walk.id,
            get_status=get,
            put_status=put,
            changed=not _same(walk, after.get(walk.id)),
        )
        for walk, account, get, put in asked
    )


def _same(before: StoredWalk, after: StoredWalk | None) -> bool:
    return (
        after is not None
        and dict(before.columns) == dict(after.columns)
        and len(before.locations) == len(after.locations)
    )


async def _status(service: Address, method: str, walk_id: str, token: str, body: bytes) -> int:
    """The answer's status; 0 when there was none."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return (await exchange(service, method, f"/v1/walks/{walk_id}", token, body)).status
    except (TimeoutError, Refused, OSError, EOFError, h11.RemoteProtocolError):
        return 0
