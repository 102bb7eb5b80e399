"""A PostgreSQL with the contract's schema, a Firestore and an Auth emulator, and documents as the old app writes them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from harness.base.clock import MachineClock
from harness.base.errors import PartDied
from harness.load.population.firestore_document import document, location
from harness.load.population.walk import Walking, moment
from harness.migration.engine import Migration, MigrationReport, ProgressSays
from harness.migration.source import StorePlaces
from harness.model.message import Message
from harness.model.stack import Address, Endpoints
from harness.stack.firebase import commands
from harness.stack.firebase.documents import Documents
from harness.stack.firebase.rest import sign_up
from tests.api import postgres, world
from tests.firebase.processes import running
from tests.nowhere import all_at
from tests.ports import free_address

PROJECT = "demo-tekutoko"
NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
TABLES = "walk_locations, walks, consents, users"


async def killed(*_: object, **__: object) -> None:
    """Of what a migration does, in place of it."""
    raise PartDied("killed", where="here")


class Stores:
    """The three, up; ``empty`` between tests."""

    def __init__(self, server: postgres.Server, firestore: Address, auth: Address | None = None) -> None:
        self.firestore, self.auth = firestore, auth
        self.login: dict[str, Any] = {
            "host": "127.0.0.1", "port": server.port, "user": "tekutoko", "password": "", "database": "postgres",
            "ssl": False,
        }  # fmt: skip

    @property
    def places(self) -> StorePlaces:
        return StorePlaces(project_id=PROJECT, login=self.login, firestore=self.firestore, auth=self.auth)

    def documents(self) -> Documents:
        return Documents(self.firestore, PROJECT)

    async def connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(**self.login)

    async def moved_then_other_content(self) -> str:
        """Two walks are moved, then one of them is written otherwise in the same version; its document."""
        await self.put(walk("one", "u1") | walk("two", "u1"))
        await self.migrate()
        other = walk("one", "u1", title="other content of the same version")
        await self.put(other)
        return next(iter(other))

    async def put(self, documents: Mapping[str, Mapping[str, Any]]) -> None:
        writer = self.documents()
        try:
            await writer.put_all(documents)
        finally:
            await writer.close()

    async def delete(self, path: str) -> None:
        """A document of any collection, as the app deletes it."""
        writer = self.documents()
        try:
            await writer._send({"database": writer._database, "writes": [{"delete": f"{writer._root}/{path}"}]})
        finally:
            await writer.close()

    async def empty(self) -> None:
        import grpc.aio

        connection = await self.connect()
        await connection.execute(f"TRUNCATE {TABLES}; DROP SCHEMA IF EXISTS tekutoko_migration CASCADE")
        await connection.close()
        async with grpc.aio.insecure_channel(str(self.firestore)) as channel:
            await channel.unary_unary("/rehearsal.Firestore/Clear")(b"", timeout=30)

    async def user(self, uid: str) -> None:
        assert self.auth is not None
        await sign_up(self.auth, PROJECT, uid)

    async def migrate(self, says: ProgressSays | None = None, **options: Any) -> MigrationReport:
        options.setdefault("settle_s", 0.0)
        return await Migration(self.places, MachineClock(), says or Quiet(), **options).run()

    async def agreed(self, gone: Collection[str] = (), settled: Callable[[], Awaitable[None]] | None = None) -> int:
        return await Migration(self.places, MachineClock(), Quiet()).agreed(gone, settled)

    @property
    def endpoints(self) -> Endpoints:
        """As far as both stores are asked."""
        login = self.login
        return all_at(
            firestore=self.firestore, database=Address(host=login["host"], port=login["port"]), project_id=PROJECT,
            database_name=login["database"], database_user=login["user"],
        )  # fmt: skip


class Quiet:
    def live(self, said: Message) -> None:
        """Nobody reads it."""


class Heard:
    """What a migration says on its way, in English."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def live(self, said: Message) -> None:
        self.lines.append(str(said))


@contextmanager
def up(folder: Path) -> Iterator[Stores]:
    tree = commands.ensure(print)
    firestore, auth = free_address(), free_address()
    with postgres.running() as server, asyncio.Runner() as runner:
        world.migrate(server.settings)
        stack = AsyncExitStack()

        async def start() -> None:
            await stack.enter_async_context(
                running(
                    commands.firestore_command(tree, PROJECT, firestore), firestore, commands.firestore_ready, folder
                )
            )
            await stack.enter_async_context(
                running(commands.auth_command(tree, PROJECT, auth), auth, commands.auth_ready, folder, 60)
            )

        try:
            runner.run(start())
            yield Stores(server, firestore, auth)
        finally:
            runner.run(stack.aclose())


def walk(
    name: str, user: str, points: int = 3, *, seed: int = 1, updated: datetime = NOON, **changes: Any
) -> dict[str, Any]:
    """Path and document of a walk as the old app writes it; a change to ``...`` takes the field out."""
    walking = Walking(seed, name, started_unix_ns=1_790_000_000_000_000_000)
    now_ns = walking.started_unix_ns + points * 1_000_000_000
    located = walking.batch(now_ns, points * 1_000_000_000, points) if points else ()
    body = walking.update(now_ns, 1_000_000_000)
    made = document(
        walking.id, user, body, [location(each) for each in located],
        created_at=moment(walking.started_unix_ns), updated_at=updated,
    )  # fmt: skip
    return {f"walks/{walking.id.upper()}": {k: v for k, v in (made | changes).items() if v is not ...}}


def consent(user: str, number: int, **changes: Any) -> dict[str, Any]:
    fields = {
        "policy_version": "1.2", "consent_type": "initial", "consented_at": NOON, "platform": "iOS",
        "os_version": "18.1", "app_version": "2.0",
    }  # fmt: skip
    path = f"users/{user}/consents/0B3A6C9E-AAAA-4222-8333-{number:012X}"
    return {path: {k: v for k, v in (fields | changes).items() if v is not ...}}


def later(minutes: int = 1) -> datetime:
    return NOON + timedelta(minutes=minutes)
