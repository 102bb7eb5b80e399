"""The ports: all that the API needs of the outside. One file an adapter; ``api.memory`` holds the in-memory ones."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from msgspec import Struct

from api.model import NewWalk, User, Walk, WalkChange, WalkDetail, WalkPage


class PoolStats(Struct, frozen=True):
    """The database pool: connections open, idle among them, and the most allowed."""

    size: int
    idle: int
    limit: int


class Database(Protocol):
    """Walks and users. Ids are lower-case UUID texts.

    Raises ``Invalid`` where the stored whole would break a rule of the schema and ``Unavailable`` when the database
    does not answer within the adapter's bound.
    """

    async def open(self) -> None:
        """Makes ready without needing the database to be there."""
        ...

    async def close(self) -> None:
        """Ends every connection; bounded."""
        ...

    async def ready(self) -> bool:
        """Whether the database answers within one second; never raises."""
        ...

    async def remember_user(self, user: User) -> None:
        """A row for ``user`` exists afterwards; cheap when it is known to exist."""
        ...

    async def list_walks(self, user: User, page: int, limit: int) -> WalkPage:
        """The user's walks, newest first."""
        ...

    async def create_walk(self, user: User, walk_id: str, new: NewWalk) -> Walk:
        """A new walk of ``user``."""
        ...

    async def get_walk(self, user: User, walk_id: str) -> WalkDetail | None:
        """The user's walk; ``None`` when there is none or it is another's."""
        ...

    async def put_walk(self, user: User, walk_id: str, change: WalkChange) -> Walk | None:
        """Changes or creates the walk, atomically with its locations; ``None`` when it is another's."""
        ...

    async def delete_walk(self, user: User, walk_id: str) -> bool:
        """Whether there was such a walk of the user."""
        ...

    async def load_walk(self, walk_id: str) -> WalkDetail | None:
        """The walk as committed, whoever owns it: what the mirror writes."""
        ...

    async def walk_version(self, walk_id: str) -> datetime | None:
        """``updated_at`` as committed, which grows with every write of the walk; ``None`` when it is gone."""
        ...

    def pool(self) -> PoolStats:
        """The pool as it is now."""
        ...


class Overtaken(Exception):  # noqa: N818 - an outcome
    """The document is not as it was seen any more: somebody else wrote it. Nothing was written."""


class AnotherUsers(Exception):  # noqa: N818 - an outcome
    """The document is of a walk of another user, who is not on the API yet: it is left as it is."""


def refuse_anothers(owner: object, user_id: str | None) -> None:
    """Raises ``AnotherUsers`` where the ``owner`` of a document is not ``user_id``, as far as both are known."""
    if owner is not None and user_id is not None and owner != user_id:
        raise AnotherUsers("the document is another user's")


class MirrorSink(Protocol):
    """Where walks are mirrored to. Raises anything when a write does not succeed.

    A write says what it has seen, and holds only while that is still there: whoever looks first, then reads the walk,
    and then writes never puts an older state over a newer one, however late the write arrives.
    """

    async def open(self) -> None:
        """Makes ready without needing the other side to be there."""
        ...

    async def look(self, walk_id: str) -> object:
        """The document's version, opaque; ``None`` when there is none. It may be remembered from the last write."""
        ...

    async def owner(self, walk_id: str) -> str | None:
        """Whose document it is, asked anew; ``None`` when there is none or it says nothing."""
        ...

    async def write(self, walk: WalkDetail, seen: object) -> None:
        """The document of ``walk`` is ``walk`` afterwards. Raises ``Overtaken`` when it is not as ``seen``, and
        ``AnotherUsers`` when it was another's."""
        ...

    async def delete(self, walk_id: str, seen: object, user_id: str) -> None:
        """There is no document of ``walk_id`` afterwards. Raises as ``write``; ``user_id`` is who deleted the walk."""
        ...

    async def close(self) -> None:
        """Ends the connection; bounded."""
        ...


class Tokens(Protocol):
    """Verifies Firebase ID tokens."""

    async def verify(self, token: str) -> User:
        """Who ``token`` speaks for. Raises ``Unauthorized``, or ``Unavailable`` when it cannot be told now."""
        ...


class Storage(Protocol):
    """The photos of walks in Cloud Storage."""

    async def remove_walk(self, user_id: str, walk_id: str) -> None:
        """There are no photos of the walk afterwards. Raises anything when that does not succeed."""
        ...


class Clock(Protocol):
    """The time. Waiting is the event loop's, which in virtual time jumps together with this clock."""

    def unix_s(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        ...

    def monotonic_ns(self) -> int:
        """Nanoseconds that never go back."""
        ...


class Ids(Protocol):
    """New ids."""

    def walk_id(self) -> str:
        """A fresh UUID, lower case."""
        ...


class Ports(Struct, frozen=True, kw_only=True):
    """All ports of one application. ``mirror`` and ``storage`` are ``None`` where there is none."""

    database: Database
    tokens: Tokens
    clock: Clock
    ids: Ids
    storage: Storage | None = None
    mirror: MirrorSink | None = None
