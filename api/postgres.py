"""The database port on PostgreSQL, by asyncpg. Connects when first needed, so a pod may start before its database."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import datetime
from typing import Any

import asyncpg
from msgspec import UNSET, structs

from api import sql
from api.errors import Invalid, NothingDone, Unavailable
from api.model import CHANGEABLE, DEFAULT_TITLE, Location, NewWalk, User, Walk, WalkChange, WalkDetail, WalkPage
from api.ports import Clock, PoolStats
from api.settings import DatabaseSettings

ACQUIRE_TIMEOUT_S = 3.0
COMMAND_TIMEOUT_S = 5.0
RELEASE_TIMEOUT_S = 1.0
READY_RELEASE_TIMEOUT_S = 0.1
CLOSE_TIMEOUT_S = 0.5
READY_TIMEOUT_S = 0.8  # below the probe's own second (Kubernetes' default timeoutSeconds)
FRESH_NS = 1_000_000_000
KNOWN_USERS_MAX = 20_000
PUT_ATTEMPTS = 20  # of a PUT that PUTs and DELETEs at the same moment overtake each time
_WALK_COLUMNS = len(Walk.__struct_fields__)

_UNAVAILABLE = (
    OSError,  # refused, reset; TimeoutError is one
    asyncpg.InterfaceError,  # the connection or the pool is closing
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,  # too many connections, out of memory, disk full
    asyncpg.OperatorInterventionError,  # shutting down, starting up, cancelled
    asyncpg.PostgresSystemError,  # the server cannot read or write its files
    asyncpg.InvalidAuthorizationSpecificationError,  # the password was rotated, the role is not there yet
    asyncpg.InvalidCatalogNameError,  # the database is not there yet: being restored
    asyncpg.ReadOnlySQLTransactionError,  # a standby, or a primary that was set back to one
    asyncpg.TransactionRollbackError,  # a deadlock, a conflict with recovery: the next try may do
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
    asyncpg.InternalClientError,  # the connection was cut in the middle of a message
)
_NO_ANSWER = "The database does not answer"
_RULES = {
    "walks_end_needs_start": "end_time needs a start_time",
    "walks_end_after_start": "end_time is before start_time",
}


class PostgresDatabase:
    """A pool of at most ``settings.pool_max`` connections. See ``api.ports.Database``."""

    def __init__(self, settings: DatabaseSettings, clock: Clock, name: str = "walk-api") -> None:
        self._settings = settings
        self._clock = clock
        self._name = name
        self._pool: Any = None
        self._known: OrderedDict[str, None] = OrderedDict()
        self._answered_ns = -FRESH_NS
        self._asking: asyncio.Task[bool] | None = None

    async def open(self) -> None:
        """Makes the pool; no connection yet."""
        settings = self._settings
        self._pool = await asyncpg.create_pool(
            host=settings.host,
            port=settings.port,
            user=settings.user,
            password=settings.password,
            database=settings.name,
            ssl=False if settings.sslmode == "disable" else settings.sslmode,
            min_size=0,
            max_size=settings.pool_max,
            timeout=ACQUIRE_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
            # The API leaves no state in a session, so the default reset would only double the round trips.
            reset=_leave_as_it_is,
            server_settings={
                "application_name": self._name[:63],
                "timezone": "UTC",
                # A statement whose answer nobody waits for any more ends in the server too (api.unsettled).
                "statement_timeout": str(round(COMMAND_TIMEOUT_S * 1000)),
            },
        )

    async def close(self) -> None:
        """Closes the pool; after ``CLOSE_TIMEOUT_S`` by force."""
        if self._pool is None:
            return
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    async def ready(self) -> bool:
        """Whether PostgreSQL answers. Who asks while another does gets the same answer: anybody may ask, as often as
        they like, and all together they take one connection.
        """
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._answers())
        return await asyncio.shield(self._asking)

    async def _answers(self) -> bool:
        """A pool that is only busy counts as answering if it did in the last second."""
        asked_ns = self._clock.monotonic_ns()
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                await self._query(READY_RELEASE_TIMEOUT_S, "SELECT 1")
        except TimeoutError:
            busy = self._pool.get_idle_size() == 0 and self._pool.get_size() == self._settings.pool_max
            return busy and self._answered_ns > asked_ns - FRESH_NS
        except (*_UNAVAILABLE, asyncpg.PostgresError, NothingDone):
            return False
        return True

    def pool(self) -> PoolStats:
        """The pool as it is now."""
        if self._pool is None:
            return PoolStats(0, 0, self._settings.pool_max)
        return PoolStats(self._pool.get_size(), self._pool.get_idle_size(), self._settings.pool_max)

    async def remember_user(self, user: User) -> None:
        """One insert a user and pod; afterwards from memory."""
        if user.uid in self._known:
            return
        await self._fetchrow(sql.REMEMBER_USER, user.uid, user.display_name, user.auth_provider)
        self._known[user.uid] = None
        if len(self._known) > KNOWN_USERS_MAX:
            self._known.popitem(last=False)

    async def list_walks(self, user: User, page: int, limit: int) -> WalkPage:
        """The user's walks, newest first."""
        rows = await self._fetch(sql.LIST_WALKS, user.uid, limit, (page - 1) * limit)
        walks = [Walk(*row[1:]) for row in map(tuple, rows) if row[1] is not None]
        return WalkPage(walks, rows[0][0], page, limit)

    async def create_walk(self, user: User, walk_id: str, new: NewWalk) -> Walk:
        """A new walk of ``user``."""
        row = await self._write(user, sql.CREATE_WALK, walk_id, user.uid, new.title, new.description or "")
        return Walk(*row)

    async def get_walk(self, user: User, walk_id: str) -> WalkDetail | None:
        """The user's walk with its locations."""
        return _detail(await self._fetchrow(sql.GET_WALK, walk_id, user.uid))

    async def put_walk(self, user: User, walk_id: str, change: WalkChange) -> Walk | None:
        """Changes or creates the walk and its locations in one statement; see ``api.sql`` for the attempts.

        Raises ``NothingDone`` when each was overtaken: the caller may send it again.
        """
        values = [getattr(change, name) for name in CHANGEABLE]
        mask = sum(1 << bit for bit, value in enumerate(values) if value is not UNSET)
        arguments = [walk_id, user.uid, mask, *(None if v is UNSET else v for v in values), DEFAULT_TITLE]
        statement = sql.PUT_WALK
        if change.locations:
            statement = sql.PUT_WALK_AND_LOCATIONS
            arguments += _columns(change.locations)
        for _ in range(PUT_ATTEMPTS):
            row = await self._write(user, statement, *arguments)
            if row is not None:
                return Walk(*row)
            owner = await self._fetchrow(sql.WALK_OWNER, walk_id)
            if owner is not None and owner[0] != user.uid:
                return None
        raise NothingDone("Other requests write this walk at the moment; try again")

    async def delete_walk(self, user: User, walk_id: str) -> bool:
        """Whether there was such a walk of the user. Raises as ``put_walk``: a row that was replaced while this waited
        for it is another one, which is there."""
        for _ in range(PUT_ATTEMPTS):
            if await self._fetchrow(sql.DELETE_WALK, walk_id, user.uid) is not None:
                return True
            owner = await self._fetchrow(sql.WALK_OWNER, walk_id)
            if owner is None or owner[0] != user.uid:
                return False
        raise NothingDone("Other requests write this walk at the moment; try again")

    async def load_walk(self, walk_id: str) -> WalkDetail | None:
        """The walk as committed."""
        return _detail(await self._fetchrow(sql.LOAD_WALK, walk_id))

    async def walk_version(self, walk_id: str) -> datetime | None:
        """``updated_at`` as committed."""
        row = await self._fetchrow(sql.WALK_VERSION, walk_id)
        return None if row is None else row[0]

    async def _write(self, user: User, statement: str, *arguments: object) -> Any:
        """Runs a statement that needs the user's row, which a restored database may lack although it was known."""
        try:
            return await self._fetchrow(statement, *arguments)
        except asyncpg.ForeignKeyViolationError:
            self._known.pop(user.uid, None)
            await self.remember_user(user)
            return await self._fetchrow(statement, *arguments)

    async def _fetchrow(self, statement: str, *arguments: object) -> Any:
        rows = await self._fetch(statement, *arguments)
        return rows[0] if rows else None

    async def _fetch(self, statement: str, *arguments: object) -> Any:
        try:
            rows = await self._query(RELEASE_TIMEOUT_S, statement, *arguments)
        except asyncpg.CheckViolationError as error:
            rule = _RULES.get(error.constraint_name or "", "a value is outside its range")
            raise Invalid(f"The walk would be inconsistent: {rule}") from error
        except asyncpg.DataError as error:  # of the driver (does not fit the type) and of the server (class 22)
            raise Invalid("A value does not fit its field") from error
        except _UNAVAILABLE as error:
            raise Unavailable(_NO_ANSWER) from error
        self._answered_ns = self._clock.monotonic_ns()
        return rows

    async def _query(self, release_timeout_s: float, statement: str, *arguments: object) -> Any:
        """A connection that is not free again ``release_timeout_s`` after its query was given up is closed."""
        # Not "acquire(timeout=...)": on Python 3.11 it makes a task for each call, a tenth of a query's CPU.
        try:
            async with asyncio.timeout(ACQUIRE_TIMEOUT_S):
                connection = await self._pool.acquire()
        except _UNAVAILABLE as error:  # nothing was sent; what an earlier statement of the request did is known
            raise NothingDone(_NO_ANSWER) from error
        try:
            return await connection.fetch(statement, *arguments)
        finally:
            await self._pool.release(connection, timeout=release_timeout_s)


async def _leave_as_it_is(connection: object) -> None:
    """The pool's reset: nothing to undo."""


def _detail(row: Any) -> WalkDetail | None:
    if row is None:
        return None
    columns = tuple(row)
    walk, locations = columns[:_WALK_COLUMNS], columns[_WALK_COLUMNS:]
    return WalkDetail(*(*walk, [] if locations[0] is None else [*map(Location, *locations)]))


def _columns(locations: list[Location]) -> list[tuple[Any, ...]]:
    """One tuple a field, in the order of ``Location``; of two locations with the same number the last."""
    unique = {location.sequence_number: location for location in locations}
    return [*zip(*map(structs.astuple, unique.values()), strict=True)]
