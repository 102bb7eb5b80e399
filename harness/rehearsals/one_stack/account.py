"""An account is deleted as the app can: at Firebase Auth. What of its user is there before and after, past the API.

Of each user a consent lies in Firestore from the beginning, which a migration brings over with the walks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from harness.base.clock import NS, unix_ns
from harness.checks.dual_write import document_id
from harness.checks.ended_account import EndedAccount, Held
from harness.checks.stores import DRAIN_LIMIT_S, NotAsNamed, Stores, user_rows
from harness.load.population.accounts import Account
from harness.load.population.consents import consents
from harness.migration.source import Source
from harness.model.evidence import Side
from harness.model.stack import Endpoints
from harness.rehearsal.running import Running
from harness.stack.firebase.documents import CONSENTS, Documents
from harness.stack.firebase.sign_up import Ended, end_account

_LIST = "/v1/walks?page=1&limit=20"
_COMMIT = 100  # documents


async def consent(on: Running[Any], accounts: Sequence[Account]) -> None:
    """Each gives one, in Firestore as the app does. Raises ``PartDied``."""
    documents, users = _documents(on.stores), [each.user for each in accounts]
    given = consents(users, on.options.seed, unix_ns(on.clock.anchor, on.clock.now_ns()), "one_stack:consents")
    try:
        for first in range(0, len(given), _COMMIT):
            await documents.put_all(dict([*given.items()][first : first + _COMMIT]))
    finally:
        await documents.close()


async def end(on: Running[Any], accounts: Sequence[Account]) -> EndedAccount | None:
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
    await end_account(endpoints.auth, endpoints.project_id, user, Ended.DELETED, 0)
    await clock.sleep(DRAIN_LIMIT_S)
    after = await _held(stores, user, own)
    answer = await stores.exchange("GET", _LIST, token, b"")
    seconds = (clock.now_ns() - begun_ns) / NS
    return EndedAccount(user=user, before=before, after=after, old_token=answer.status, seconds=seconds)


async def _held(stores: Stores, user: str, walks: Collection[str]) -> Held:
    """Walks by their ids: a user's row that goes leaves them without an owner."""
    stored = [walk for walk in (await stores.walks()).walks if walk.id in walks]
    documents = _documents(stores)
    try:
        there = await documents.get_many([document_id(each) for each in sorted(walks)])
        given = await Source(documents).keys(CONSENTS)
    finally:
        await documents.close()
    return Held(
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
