"""What a check reaches beside Firestore and the logs: connections, accounts, PostgreSQL, Storage, the program beside.

``OnStack`` reaches a running stack. Another ``Reach`` puts the target and all parts into this process.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import asyncpg

from harness.clock import Clock
from harness.firebase import storage
from harness.model.errors import PartDied
from harness.model.stack import Endpoints
from harness.rehearsals.conformance import http, people
from harness.rehearsals.conformance.beside import Spare, spare
from harness.rehearsals.conformance.check import NotExercised
from harness.stack.protocol import Stack


class Reach(Protocol):
    """Raises ``PartDied`` when a part that is not the target fails."""

    @property
    def endpoints(self) -> Endpoints:
        """Where the parts answer."""
        ...

    @property
    def connect(self) -> http.Connect:
        """Opens a connection to the target."""
        ...

    async def sign_up(self, uid: str) -> people.User:
        """A new account with that uid, signed in as the app does."""
        ...

    async def rows(self, statement: str, *arguments: object) -> list[dict[str, Any]]:
        """Rows of PostgreSQL, past the target. Raises ``NotExercised`` for a table or column that is not there."""
        ...

    def spare(self, name: str) -> AbstractAsyncContextManager[Spare]:
        """The target's program once more, ready, with a database that may be taken away; killed afterwards."""
        ...

    async def put_photo(self, name: str, content: bytes, content_type: str) -> None:
        """Stores one object in the project's bucket."""
        ...

    async def has_photo(self, name: str) -> bool:
        """Whether the bucket holds that object."""
        ...


class OnStack:
    """A stack that runs on this machine."""

    connect = staticmethod(http.over_tcp)

    def __init__(self, stack: Stack, clock: Clock) -> None:
        self._stack = stack
        self._clock = clock

    @property
    def endpoints(self) -> Endpoints:
        """Where the parts answer."""
        return self._stack.endpoints()

    async def sign_up(self, uid: str) -> people.User:
        """By the Auth emulator."""
        return await people.sign_up(self.endpoints.auth, self.endpoints.project_id, uid)

    async def rows(self, statement: str, *arguments: object) -> list[dict[str, Any]]:
        """On a connection of its own."""
        to = self.endpoints
        try:
            connection = await asyncpg.connect(
                host=to.database.host,
                port=to.database.port,
                user=to.database_user,
                password=to.database_password,
                database=to.database_name,
                timeout=5,
            )
            try:
                return [dict(row) for row in await connection.fetch(statement, *arguments, timeout=5)]
            finally:
                await connection.close(timeout=5)
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
            raise NotExercised(f"the contract's tables are not as named: {error}") from error
        except (OSError, asyncpg.PostgresError) as error:
            raise PartDied(
                f"PostgreSQL failed: {error!r}", where=str(to.database), remedy="read postgres.log"
            ) from error

    def spare(self, name: str) -> AbstractAsyncContextManager[Spare]:
        """A process of its own."""
        return spare(self._stack, self._clock, name)

    async def put_photo(self, name: str, content: bytes, content_type: str) -> None:
        """By the Storage emulator."""
        to = self.endpoints
        assert to.storage is not None
        await storage.put(to.storage, to.storage_bucket, name, content, content_type)

    async def has_photo(self, name: str) -> bool:
        """By the Storage emulator."""
        to = self.endpoints
        assert to.storage is not None
        return any(each.name == name for each in await storage.objects(to.storage, to.storage_bucket, name))
