"""A migration beside the bare work in it: COPY into the same indexed tables, and reading the same documents.

The load stage is measured with rows that are converted already; end to end is from the first document read to the last
row committed, without the comparison that a migration ends with, which reads both stores once more. Bare reading is
what a program takes that reads the collection with Google's own client, each document as a dictionary, and does nothing
with it; the same as protocol buffers, whose fields nobody looks at ("unopened"), is shown.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from bench import clock, database
from bench.processes import ROOT, environment
from bench.result import Figure, Result, of_runs
from harness.base.free_port import any_free_port
from harness.migration.convert import LOCATION_COLUMNS, WALK_COLUMNS, WalkRows, walk_rows
from harness.migration.engine import ahead
from harness.migration.load import Loader, PassMark
from harness.migration.source import BATCH_DOCUMENTS, Batch, DocumentSource
from harness.model.stack import PROJECT_ID, Address
from harness.rehearsals.migration_drill.plants import walks
from harness.stack.firebase import commands
from harness.stack.firebase.documents import Documents
from harness.stack.process.processes import Spec, spawn

MEAN_LOCATIONS = 100
LEAST_LOAD, LEAST_WHOLE = 0.3, 0.6
_USER = "bench"
_UNIX_NS = 1_790_000_000_000_000_000
_COMMIT = 50
_UP_WITHIN_S = 30
_EMPTY = "TRUNCATE walk_locations, walks; DROP SCHEMA IF EXISTS tekutoko_migration CASCADE"


Login = dict[str, Any]
Rows = dict[str, WalkRows]


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How many walks, and how often each is measured."""

    walks: int
    rounds: int


FULL, QUICK = Size(walks=600, rounds=3), Size(walks=60, rounds=1)


async def bench(folder: Path, size: Size) -> Result:
    """The four, in turn."""
    documents = dict(walks(size.walks, MEAN_LOCATIONS, [_USER], 1, _UNIX_NS))
    rows = {path.partition("/")[2]: walk_rows(path.partition("/")[2], fields) for path, fields in documents.items()}
    async with database.running(folder, [_USER]) as base, _firestore(folder, base) as (firestore, source):
        for part in _parts(list(documents.items()), _COMMIT):
            await source.put_all(dict(part))
        told = base.environment
        login: Login = {
            "host": told["DB_HOST"], "port": int(told["DB_PORT"]), "user": told["DB_USER"],
            "password": told["DB_PASSWORD"], "database": told["DB_NAME"], "ssl": False,
        }  # fmt: skip
        took = await _measured(login, firestore, source, rows, size.rounds)
    return _result(size, sum(len(each.locations) for each in rows.values()), took)


@asynccontextmanager
async def _firestore(folder: Path, base: database.Database) -> AsyncIterator[tuple[Address, Documents]]:
    """The emulator, up."""
    tree = await asyncio.to_thread(commands.ensure, lambda _: None)
    address = Address(host="127.0.0.1", port=any_free_port())
    spec = Spec(
        part="firestore",
        command=commands.firestore_command(tree, PROJECT_ID, address),
        environment=environment(),
        log=folder / "firestore.log",
        folder=ROOT,
    )
    emulator, source = spawn(spec, base.state), Documents(address, PROJECT_ID)
    try:
        async with asyncio.timeout(_UP_WITHIN_S):
            while not await commands.firestore_ready(address):
                await clock.pause(0.1)
        yield address, source
    finally:
        await source.close()
        await emulator.stop(signal.SIGTERM, 5.0)


async def _measured(
    login: Login, firestore: Address, source: Documents, rows: Rows, rounds: int
) -> dict[str, list[float]]:
    """Seconds by what was done, each into empty tables."""
    connection = await asyncpg.connect(**login)
    ways: dict[str, Callable[[], Awaitable[None]]] = {
        "bare COPY": lambda: _copy(connection, rows),
        "load stage": lambda: _load(login, rows),
        "bare reading": lambda: _read(firestore),
        "unopened": lambda: _unopened(source),
        "end to end": lambda: _whole(login, source),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    try:
        for _ in range(rounds):
            for name, way in ways.items():
                await connection.execute(_EMPTY)
                begun_ns = clock.now_ns()
                await way()
                took[name].append((clock.now_ns() - begun_ns) / 1e9)
    finally:
        await connection.close()
    return took


def _parts(whole: list[Any], size: int) -> Iterator[list[Any]]:
    return (whole[first : first + size] for first in range(0, len(whole), size))


def _result(size: Size, locations: int, took: dict[str, list[float]]) -> Result:
    def ratio(name: str, bare: str, ours: str, limit: float | None = None) -> Figure:
        runs = [one / other for one, other in zip(took[bare], took[ours], strict=True)]
        return msgspec.structs.replace(of_runs(name, "", runs), limit=limit, at_least=True)

    return Result(
        name="migration",
        how=f"{size.walks} walks with {locations} locations, {size.rounds} times in turn",
        figures=(
            ratio("load stage / bare COPY, walks/s", "bare COPY", "load stage", LEAST_LOAD),
            ratio("end to end / bare reading, walks/s", "bare reading", "end to end", LEAST_WHOLE),
            ratio("end to end / unopened, walks/s", "unopened", "end to end"),
            *(of_runs(name, "walks/s", [size.walks / each for each in seconds]) for name, seconds in took.items()),
        ),
    )


async def _copy(connection: asyncpg.Connection, rows: Rows) -> None:
    """What PostgreSQL's own loader takes for the same rows, into the same tables with their indexes and keys."""
    async with connection.transaction():
        await connection.copy_records_to_table(
            "walks", records=[each.walk for each in rows.values()], columns=WALK_COLUMNS
        )
        await connection.copy_records_to_table(
            "walk_locations",
            records=[row for each in rows.values() for row in each.locations],
            columns=LOCATION_COLUMNS,
        )


async def _load(login: Login, rows: Rows) -> None:
    connection = await asyncpg.connect(**login)
    try:
        loader = Loader(connection)
        await loader.open()
        for part in _parts(list(rows.items()), BATCH_DOCUMENTS):
            batch = Batch()
            for name, each in part:
                batch.take(name, each)
            await loader.walks(batch, PassMark(kind="walks", number=1, through=part[-1][0]))
    finally:
        await connection.close()


async def _read(firestore: Address) -> None:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.firestore import AsyncClient

    os.environ["FIRESTORE_EMULATOR_HOST"] = str(firestore)  # the client's only way to be told of an emulator
    client = AsyncClient(project=PROJECT_ID, credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]
    async for document in client.collection("walks").stream():
        document.to_dict()


async def _unopened(source: Documents) -> None:
    async for _ in source.raw("walks"):
        pass


async def _whole(login: Login, source: Documents) -> None:
    """The walks as the engine moves them; neither accounts nor the comparison at the end."""
    connection = await asyncpg.connect(**login)
    try:
        loader = Loader(connection)
        await loader.open()
        async with aclosing(ahead(DocumentSource(source).whole())) as read:
            async for batch, last in read:
                await loader.walks(batch, PassMark(kind="walks", number=1, through=batch.through, last=last))
    finally:
        await connection.close()
