"""The database's login roles, by its superuser: what a person does who rotates a password."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg

from harness.base.errors import StackNotStarted
from harness.model.secrets import Credentials
from harness.model.stack import DatabaseAccess

#: They log in in turn; both are members of the role that owns the tables, and inherit its rights.
PAIR = ("tekutoko_a", "tekutoko_b")
_LIMIT_S = 10.0


async def first(access: DatabaseAccess, password: str) -> Credentials:
    """Makes the first of ``PAIR`` with ``password``. Raises ``StackNotStarted``."""
    made = Credentials(user=PAIR[0], password=password)
    await Roles(access).prepare(made)
    return made


def other(user: str) -> str:
    """The idle one of ``PAIR``."""
    return PAIR[1] if user == PAIR[0] else PAIR[0]


class Roles:
    """Changes the roles of one instance. Every method raises ``StackNotStarted`` when the database refuses."""

    def __init__(self, access: DatabaseAccess) -> None:
        self._access = access

    async def prepare(self, wanted: Credentials) -> None:
        """The role ``wanted.user`` may log in with ``wanted.password`` from now on; made where it is missing."""
        async with self._connected() as database:
            there = await database.fetchval("select 1 from pg_roles where rolname = $1", wanted.user)
            verb = "alter role %I login password %L" if there else "create role %I login password %L in role %I"
            arguments = (wanted.user, wanted.password, *(() if there else (self._access.database,)))
            await _say(database, verb, *arguments)

    async def sessions(self, user: str) -> int:
        """How many are open."""
        async with self._connected() as database:
            return int(await database.fetchval("select count(*) from pg_stat_activity where usename = $1", user))

    async def end_sessions(self, user: str) -> int:
        """Ends all that are open; how many there were."""
        async with self._connected() as database:
            ended = "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = $1"
            return int(await database.fetchval(ended, user))

    async def revoke(self, user: str) -> None:
        """The role may log in no more, with any password."""
        async with self._connected() as database:
            await _say(database, "alter role %I nologin password null", user)

    async def logs_in(self, credentials: Credentials) -> bool:
        """Whether a new session opens with ``credentials``."""
        login = {**self._access.login, "user": credentials.user, "password": credentials.password}
        try:
            connection = await asyncpg.connect(**login, timeout=_LIMIT_S)
        except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidPasswordError):
            return False
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise self._failed(error) from error
        with suppress(TimeoutError):  # it has let us in; a busy machine is slow to say goodbye
            await connection.close(timeout=_LIMIT_S)
        return True

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncpg.Connection]:
        try:
            database = await asyncpg.connect(**self._access.login, timeout=_LIMIT_S, command_timeout=_LIMIT_S)
            try:
                yield database
            finally:
                await database.close(timeout=_LIMIT_S)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> StackNotStarted:
        what = f"the database refused a change of its roles: {type(error).__name__}: {error}"
        return StackNotStarted(
            what, where=str(self._access.address), remedy="see logs/postgres.log in the report's folder"
        )


async def _say(database: asyncpg.Connection, form: str, *arguments: str) -> None:
    """A statement that takes no parameters, quoted by the database itself."""
    places = ", ".join(f"${number + 2}::text" for number in range(len(arguments)))
    await database.execute(await database.fetchval(f"select format($1, {places})", form, *arguments))
