"""What a check reaches beside Firestore and the logs: connections, accounts, PostgreSQL, Storage, the program beside.

``OnStack`` reaches a running stack. Another ``Reach`` puts the target and all parts into this process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Protocol

from harness.base.clock import NS, Clock, unix_ns
from harness.checks import stores
from harness.checks.walk_tables import Stored
from harness.contract import http, people
from harness.contract.beside import Spare, spare
from harness.contract.check import NotExercised
from harness.model.message import of_error
from harness.model.stack import Endpoints
from harness.stack.firebase import storage
from harness.stack.firebase.sign_up import Ended, end_account
from harness.stack.protocol import Stack

_MOST_ROWS = 10  # of one walk, which the contract has once


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

    async def end_account(self, uid: str, how: Ended) -> None:
        """An account's end, whose tokens are still out there."""
        ...

    def seal(self, head: object, claims: object) -> str:
        """A token of those parts as the accounts' own issuer makes it."""
        ...

    async def user_rows(self, uid: str) -> int:
        """How many rows ``users`` has of that user, past the target. Raises ``NotExercised`` for what is not read."""
        ...

    async def stored(self, walk_id: str) -> Stored:
        """That walk as it lies in PostgreSQL, past the target. Raises ``NotExercised`` for what is not read."""
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


@contextmanager
def _not_exercised() -> Iterator[None]:
    try:
        yield
    except stores.NotAsNamed as error:
        raise NotExercised(of_error(error)) from error


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

    async def end_account(self, uid: str, how: Ended) -> None:
        """By the Auth emulator."""
        now_s = unix_ns(self._clock.anchor, self._clock.now_ns()) // NS
        await end_account(self.endpoints.auth, self.endpoints.project_id, uid, how, now_s)

    def seal(self, head: object, claims: object) -> str:
        """Without a signature."""
        return people.unsigned(head, claims)

    async def user_rows(self, uid: str) -> int:
        """On a connection of its own."""
        with _not_exercised():
            return await stores.user_rows(self.endpoints, uid)

    async def stored(self, walk_id: str) -> Stored:
        """On a connection of its own."""
        with _not_exercised():
            return await stores.read_stored(self.endpoints, _MOST_ROWS, only=[walk_id])

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
