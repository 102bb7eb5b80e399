"""What lies in PostgreSQL, Firestore and Storage, read past the target, for the checkers. Bounded in walks and time.

``Stores`` is the port by which a whole run's are reached; ``StoresAt`` has them at addresses of this machine.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol

import asyncpg
import msgspec

from harness.base.clock import NS, Clock
from harness.base.errors import Exit, RehearsalError
from harness.checks import walk_tables
from harness.checks.dual_write import DocumentFlaw, StoreComparison, StoredWalk, compare, document_id
from harness.checks.photos import Photos, photos
from harness.checks.tables import USERS
from harness.checks.walk_tables import Consents, StoredWalks
from harness.load.http1 import PhoneAnswer
from harness.load.population.schedule import Account
from harness.load.rest import ASK_LIMIT_S, answered, exchange
from harness.model.evidence import Side
from harness.model.message import Message, Told, joined, message
from harness.model.stack import Endpoints
from harness.rules.writes import Writes
from harness.stack.firebase import storage
from harness.stack.firebase.documents import Documents, Fields
from harness.stack.firebase.rest import sign_in

#: Of every checker and of healing: a night of 90 minutes at 10 requests/s leaves about 5,400 walks, 100 locations each.
MOST_WALKS = 20_000
DRAIN_LIMIT_S = 10.0  # from the last answer to the last document; the document says "asynchronously", and no time
_LAG_LIMIT_S = 60.0  # as long as documents still come
_SQL_TIMEOUT_S = 10.0
_AGAIN_S = 0.5
#: The tables' bytes with their indexes, and the connections of others than this one.
_VOLUME = """
SELECT (SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_') AS bytes,
       (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid())
           AS connections,
       current_setting('max_connections')::int AS most
"""


class NotAsNamed(RehearsalError):  # noqa: N818
    """What the contract has in PostgreSQL is not there as named, or the stack lacks the store. ``told`` says what."""

    exit = Exit.HOLD

    def __init__(self, told: Message | Told, where: str = "") -> None:
        self.parts: Told = (told,) if isinstance(told, Message) else told
        super().__init__(joined(self.parts), where=where, remedy="name tables and columns as docs/contract does")


class TooManyWalks(RehearsalError):  # noqa: N818
    """Not all walks would be read: what is wrong with the others would pass unseen."""

    exit = Exit.RUN_BROKEN

    def __init__(self, most: int, where: str) -> None:
        said = message("there are {walks} walks or more: not all were read", walks=str(most))
        super().__init__(said, where=where, remedy="a shorter run, or fewer users")


class DocumentsRead(Protocol):
    """Firestore's documents. Raises ``PartDied`` when it fails."""

    async def all(self) -> dict[str, Fields]:
        """Every document by id."""
        ...

    async def get_many(self, document_ids: Sequence[str]) -> dict[str, Fields]:
        """Those of the documents that exist."""
        ...

    async def close(self) -> None:
        """Idempotent."""
        ...


class Stores(Protocol):
    """The stores of a run's stack, past the target, and the target as its users ask it. Raises ``PartDied`` when a part
    that is not the target does not answer.
    """

    endpoints: Endpoints

    async def walks(self, most: int = MOST_WALKS) -> StoredWalks:
        """As ``read_stored``."""
        ...

    def documents(self) -> DocumentsRead:
        """To be closed by the caller."""
        ...

    async def photos(self) -> list[str]:
        """The names of what the bucket holds. Raises ``NotAsNamed`` without a Storage."""
        ...

    async def volume(self) -> dict[tuple[str, str], float]:
        """How much they hold, by metric and subject: "stored_bytes" of the "database" and of "photos", "connections"
        and "max_connections" of the "database". Without what has no bytes. Raises ``NotAsNamed``."""
        ...

    async def sign_in(self, account: Account) -> str:
        """A token of the account."""
        ...

    async def exchange(self, method: str, path: str, token: str, body: bytes) -> PhoneAnswer:
        """One with the target; an answer of status 0 where none came whole within ``ASK_LIMIT_S``."""
        ...


class StoresAt:
    """Those that answer at ``endpoints``."""

    def __init__(self, endpoints: Endpoints) -> None:
        self.endpoints = endpoints

    async def walks(self, most: int = MOST_WALKS) -> StoredWalks:
        """By a connection of its own."""
        return await read_stored(self.endpoints, most)

    def documents(self) -> Documents:
        """By Google's own client."""
        return Documents(self.endpoints.firestore, self.endpoints.project_id)

    async def photos(self) -> list[str]:
        """Of the emulator."""
        if self.endpoints.storage is None:
            raise NotAsNamed(message("the stack has no Storage"))
        return [each.name for each in await storage.objects(self.endpoints.storage, self.endpoints.storage_bucket)]

    async def volume(self) -> dict[tuple[str, str], float]:
        """Of the tables with their indexes, and of the emulator's objects."""
        async with _one_moment(self.endpoints) as connection:
            row = await connection.fetchrow(_VOLUME)
        found = {
            ("stored_bytes", "database"): float(row["bytes"]),
            ("connections", "database"): float(row["connections"]),
            ("max_connections", "database"): float(row["most"]),
        }
        if self.endpoints.storage is not None:
            kept = await storage.objects(self.endpoints.storage, self.endpoints.storage_bucket)
            found["stored_bytes", "photos"] = float(sum(each.size for each in kept))
        return found

    async def sign_in(self, account: Account) -> str:
        """As the app does."""
        return (await sign_in(self.endpoints.auth, account.email, account.password)).token

    async def exchange(self, method: str, path: str, token: str, body: bytes) -> PhoneAnswer:
        """On a connection of its own."""
        return await answered(exchange(self.endpoints.service, method, path, token, body), ASK_LIMIT_S)


async def read_walks(endpoints: Endpoints, most: int = MOST_WALKS) -> list[StoredWalk]:
    """All walks, the last written first, with their locations, as of one moment, and every column of the contract.

    Raises ``NotAsNamed``, ``TooManyWalks`` when there are ``most`` or more, and ``PartDied`` when PostgreSQL does not
    answer.
    """
    stored = await read_stored(endpoints, most)
    if not stored.whole:
        raise NotAsNamed(stored.layout.why, str(endpoints.database))
    return list(stored.walks)


async def read_stored(endpoints: Endpoints, most: int = MOST_WALKS, *, only: Collection[str] = ()) -> StoredWalks:
    """As ``read_walks``, and without what of the walks cannot be read; ``only`` are those that are asked for.

    Raises ``NotAsNamed`` when none can be read.
    """
    async with _one_moment(endpoints) as connection:
        stored = await walk_tables.read(connection, most, only=only)
    if len(stored.walks) >= most:
        raise TooManyWalks(most, str(endpoints.database))
    return stored


async def user_rows(endpoints: Endpoints, uid: str, table: str = USERS) -> int:
    """How many rows ``users``, or ``consents``, has of that user. Raises ``NotAsNamed`` when it cannot be read, and
    ``PartDied``."""
    async with _one_moment(endpoints) as connection:
        return await walk_tables.user_rows(connection, uid, table)


async def read_consents(endpoints: Endpoints, ids: Collection[str]) -> Consents:
    """Those of the ``ids`` that are there. Raises as ``user_rows``."""
    async with _one_moment(endpoints) as connection:
        return await walk_tables.consents(connection, ids)


async def read_ids(endpoints: Endpoints, table: str) -> frozenset[str]:
    """The id of every row of ``walks``, in lower case, or of ``users``. Raises as ``user_rows``."""
    async with _one_moment(endpoints) as connection:
        return await walk_tables.ids(connection, table)


@contextmanager
def reading(endpoints: Endpoints) -> Iterator[None]:
    """What its client raises within is ``NotAsNamed``, or ``PartDied``."""
    try:
        yield
    except walk_tables.CannotRead as error:
        raise NotAsNamed(error.unread.told, str(endpoints.database)) from error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise endpoints.database_failed(error) from error


@asynccontextmanager
async def _one_moment(endpoints: Endpoints) -> AsyncIterator[asyncpg.Connection]:
    """A connection in a transaction that sees the database as of one moment."""
    with reading(endpoints):
        connection = await asyncpg.connect(**endpoints.login, timeout=_SQL_TIMEOUT_S)
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                yield connection
        finally:
            await connection.close(timeout=_SQL_TIMEOUT_S)


async def dual_write(
    walks: Sequence[StoredWalk],
    documents: DocumentsRead,
    writes: Writes,
    clock: Clock,
    *,
    held: Mapping[str, Fields],
    limit_s: float = DRAIN_LIMIT_S,
    perhaps_deleted: Mapping[str, str] | None = None,
) -> StoreComparison:
    """The mirrored walks against their documents, once they agree or none has come for ``limit_s``, at most
    ``_LAG_LIMIT_S`` in all. The load has ended.

    ``held``: all documents, read before ``walks`` (all there are), so that only those that do not agree are read again.
    ``perhaps_deleted``: walks, and their users, whose DELETE was not acknowledged and that are gone all the same.

    Walks that the app wrote to Firestore itself are left out: there the mirror is not alone.
    """
    mirrored = [walk for walk in walks if walk.id not in writes.direct]
    gone = {**writes.deleted[Side.API], **(perhaps_deleted or {})}
    deleted = {walk_id: user for walk_id, user in gone.items() if walk_id not in writes.direct}
    found: dict[str, Fields] = dict(held)
    begun_ns = came_ns = clock.now_ns()
    while True:
        compared = compare(mirrored, found, deleted)
        # A document that has the last write and differs will not become right by waiting.
        ask = [each.walk_id for each in compared.findings if each.flaw is not DocumentFlaw.DIFFERENT]
        if not ask or clock.now_ns() >= min(came_ns + round(limit_s * NS), begun_ns + round(_LAG_LIMIT_S * NS)):
            lag_s = (came_ns - begun_ns) / NS
            return msgspec.structs.replace(compared, lag_s=lag_s if lag_s > limit_s else 0.0)
        await clock.sleep(_AGAIN_S)
        names = {document_id(walk_id) for walk_id in ask}
        before = {name: found.pop(name) for name in names if name in found}
        later = await documents.get_many(sorted(names))
        came_ns = clock.now_ns() if later != before else came_ns
        found |= later


async def stored_photos(
    stores: Stores,
    walks: Sequence[StoredWalk],
    writes: Writes,
    clock: Clock,
    *,
    held: Mapping[str, Fields],
    limit_s: float = DRAIN_LIMIT_S,
) -> Photos:
    """Photos against the walks of both sides, once they agree or ``limit_s`` has passed. The load has ended.

    ``walks`` and ``held`` as ``dual_write`` takes them; the app's own documents change no more.
    """
    until_ns = clock.now_ns() + round(limit_s * NS)
    thumbnails, deleted = thumbnails_of(walks, held, writes)
    while True:
        seen = photos(await stores.photos(), thumbnails, deleted)
        if seen.good or clock.now_ns() >= until_ns:
            return seen
        await clock.sleep(_AGAIN_S)


def thumbnails_of(
    walks: Sequence[StoredWalk], held: Mapping[str, Fields], writes: Writes
) -> tuple[dict[str, tuple[str, str]], set[tuple[str, str]]]:
    """Of the walks that name a thumbnail: user and URL. And who deleted which walk for good. Pure.

    A walk that its user deleted on one side is gone for the user, whatever the other side still holds.
    """
    gone = writes.deleted[Side.API] | writes.deleted[Side.FIRESTORE]
    field = "thumbnail_image_url"
    named = {walk.id: (walk.user, str(walk.columns[field])) for walk in walks if walk.columns.get(field)}
    for walk_id, user in writes.kept[Side.FIRESTORE].items():
        url = held.get(document_id(walk_id), {}).get(field)
        if url is not None:
            named.setdefault(walk_id, (user, str(url.value)))
    named = {walk_id: each for walk_id, each in named.items() if walk_id not in gone}
    return named, {(user, walk_id) for walk_id, user in gone.items()}
