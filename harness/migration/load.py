"""Brings batches into PostgreSQL: staged by COPY, upserted by the version rule, noted in the journal, all in one
transaction, so that a process killed at any moment has done a batch wholly or not at all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec

from harness.base.errors import BadInput
from harness.migration import statements
from harness.migration.convert import LOCATION_COLUMNS, WalkRows
from harness.migration.source import Batch, Refusal, refusal
from harness.migration.statements import Fate
from harness.model.message import Message, message, raw_text
from harness.model.stack import COLLECTION, Endpoints
from harness.stack.firebase.documents import CONSENTS

_ATTEMPTS = 5  # at a batch that the database refused because of somebody else's locks
#: Any number that no other program of the database uses.
LOCK = 7_265_017_115
_TABLES = {COLLECTION: "walks", CONSENTS: "consents"}
#: What Firestore's clock may have been set back by since.
MARGIN = timedelta(seconds=10)
_LOCK_S = 30.0
_CONNECT_S = 10.0
_AGAIN = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError)
_STATUS_TYPE = """
SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'walks'::regclass AND attname = 'status'"""


class PassMark(msgspec.Struct, frozen=True, kw_only=True):
    """How far a pass has come with one kind: ``through`` is the last path that is done; ``last``: nothing is left.

    ``since``: it reads only what was written from then on; else all, and it can be gone on with behind ``through``.
    """

    kind: str
    number: int
    through: str = ""
    last: bool = False
    since: datetime | None = None


class Loader:
    """One connection that loads. ``dry``: it decides the same, and nothing is written. ``journal``: one is made where
    there is none; without it, one that is there is kept all the same.
    """

    def __init__(self, connection: asyncpg.Connection, *, dry: bool = False, journal: bool = True) -> None:
        self._connection = connection
        self._dry = dry
        self._makes = journal and not dry
        self._journal = True
        self._insert = ""

    async def open(self) -> None:
        """Makes the staging tables and, unless it is dry, the journal. Raises ``BadInput`` where it may not."""
        try:
            self._insert = statements.INSERT.format(status=await self._connection.fetchval(_STATUS_TYPE))
            await self._connection.execute(statements.STAGING)
            if not self._dry:
                await self._alone()
            if self._makes:
                await self._connection.execute(statements.JOURNAL)
            else:
                self._journal = await self._has("moved")
        except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError) as error:
            raise BadInput(
                message("the database is not ready for a migration: {error}", error=str(error)),
                where="PostgreSQL",
                remedy="apply the schema of docs/contract first; the role owns its tables and may create a schema",
            ) from error

    async def _alone(self) -> None:
        """One migration at a time. One that was killed has its connection, and with it the lock, until PostgreSQL
        notices: some milliseconds. Raises ``BadInput``.
        """
        try:
            await self._connection.fetchval("SELECT pg_advisory_lock($1)", LOCK, timeout=_LOCK_S)
        except TimeoutError:
            raise BadInput(
                "another migration holds the database", where="PostgreSQL", remedy="wait until it has ended"
            ) from None

    async def of_project(self, project: str) -> None:
        """Notes which Firebase project it is. Raises ``BadInput`` where the database was filled from another: to this
        one's documents every walk of that one looks deleted."""
        if self._dry and not await self._has("source"):
            return
        filled = await self._connection.fetchval(statements.SOURCE)
        if filled not in (None, project):
            raise BadInput(
                message(
                    "the database was filled from the Firebase project {filled}, and this is {project}",
                    filled=filled, project=project,
                ),
                where="PostgreSQL",
                remedy="name that project, or take a database of its own for this one",
            )  # fmt: skip
        if not self._dry:
            await self._connection.execute(statements.COMES_FROM, project)

    async def _has(self, name: str) -> bool:
        """Whether the journal has that table."""
        there: bool = await self._connection.fetchval(
            "SELECT to_regclass($1) IS NOT NULL", f"{statements.SCHEMA}.{name}"
        )
        return there

    async def begun(self, kind: str, now: datetime, *, anew: bool = False, changed: bool = False) -> PassMark:
        """Where the pass goes on: behind what is done of the one that was not finished, else from the first; with
        ``changed``, behind one that came to its end. ``now`` is Firestore's own time.
        """
        since = await self._read_up_to(kind) if changed else None
        if self._dry:
            return PassMark(kind=kind, number=0, since=since)
        done = await self._connection.fetchrow(statements.LATEST, kind)
        latest = await self._connection.fetchval(statements.NUMBER, kind) or 0
        # One that began behind the last range has forgotten what was refused before it: it has to read that again.
        if since is None and not anew and done is not None and not done["last"] and done["pass"] == latest:
            return PassMark(kind=kind, number=latest, through=done["through"])
        number = latest + 1
        async with self._connection.transaction():
            for forget in () if since else statements.FORGET:
                await self._connection.execute(forget, kind)
            await self._connection.execute(statements.BEGIN, kind, number, now)
        return PassMark(kind=kind, number=number, since=since)

    async def _read_up_to(self, kind: str) -> datetime | None:
        """What Firestore had at this time was read by a pass that came to its end; ``None`` without one."""
        if not await self._has("passes"):
            return None
        found: datetime | None = await self._connection.fetchval(statements.READ_UP_TO, kind)
        return found and found - MARGIN

    async def changed(self, mark: PassMark, keys: Mapping[str, datetime]) -> list[str]:
        """The paths of those documents, of all by path and when they were written, that the pass has to read."""
        ask = self._connection
        statement = statements.CHANGED.format(table=_TABLES[mark.kind], schema=statements.SCHEMA)
        names = [path.rpartition("/")[2] for path in keys]
        rows = await ask.fetch(statement, list(keys), names, list(keys.values()), mark.since, mark.kind)
        if not self._dry:
            await ask.execute(statements.GONE, mark.kind, list(keys))
        return [row["path"] for row in rows]

    async def absent(self, batch: Batch) -> list[str]:
        """The documents of the batch, by id, whose walks PostgreSQL has not."""
        ids = {rows.id: name for name, rows in batch.walks.items()}
        there = {row["id"] for row in await self._connection.fetch(statements.THERE, list(ids))}
        return [name for walk_id, name in ids.items() if walk_id not in there]

    async def agreed(self, names: Iterable[str]) -> int:
        """The walks of these documents, by id, count as left by a migration; how many did not before."""
        return len(await self._connection.fetch(statements.AGREED, list(names)))

    async def users(self, users: Sequence[tuple[str, str | None, str | None, Any]]) -> tuple[int, int]:
        """Users as (uid, display name, provider, made at): how many rows were made, and how many filled in."""
        columns = [list(each) for each in zip(*users, strict=True)] or [[], [], [], []]
        statement = statements.LOOK_AT_USERS if self._dry else statements.USERS
        fresh = [row["fresh"] for row in await self._connection.fetch(statement, *columns)]
        return sum(fresh), len(fresh) - sum(fresh)

    async def walks(self, batch: Batch, mark: PassMark | None = None) -> dict[str, Fate]:
        """What became of each document of the batch, by its id; done with the range up to ``mark``, where there is one.

        Raises asyncpg's errors, with nothing done.
        """
        owners = sorted({rows.user for rows in batch.walks.values() if rows.user})
        return await self._done(batch, mark, owners, self._walks)

    async def consents(self, batch: Batch, mark: PassMark | None = None) -> dict[str, Fate]:
        """The same of consents."""
        return await self._done(batch, mark, sorted({row[1] for row in batch.consents.values()}), self._consents)

    async def _done(
        self,
        batch: Batch,
        mark: PassMark | None,
        owners: list[str],
        load: Callable[[Batch, PassMark | None], Awaitable[dict[str, Fate]]],
    ) -> dict[str, Fate]:
        for attempt in range(_ATTEMPTS):
            try:
                if owners and not self._dry:
                    await self._connection.execute(statements.OWNERS, owners)
                async with self._connection.transaction(readonly=self._dry):
                    fates = await load(batch, mark)
                    if mark is not None and not self._dry:
                        await self._note(batch, mark, fates)
            except _AGAIN:
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                return fates
        raise AssertionError

    async def _walks(self, batch: Batch, mark: PassMark | None) -> dict[str, Fate]:
        ask = self._connection
        walks = batch.walks
        if not walks:
            return {}
        await ask.copy_records_to_table(
            "staged_walks",
            records=[(*rows.walk, name, len(rows.locations), rows.written) for name, rows in walks.items()],
            columns=statements.STAGED_WALKS,
        )
        decide = statements.DECIDE if self._journal else statements.DECIDE_ANEW
        ids = [rows.id for rows in walks.values()]
        if self._dry:
            await ask.execute(decide, ids)
            return _fates(await ask.fetch(statements.DRY_FATES))
        locked = [row["id"] for row in await ask.fetch(statements.LOCK, ids)]
        await ask.execute(decide, locked)
        await ask.execute(statements.DELETE)
        await ask.execute(self._insert)
        fates = _fates(await ask.fetch(statements.FATES))
        await ask.copy_records_to_table(
            "staged_locations",
            records=[row for name, rows in walks.items() if fates[name].written for row in rows.locations],
            columns=LOCATION_COLUMNS,
        )
        await ask.execute(statements.INSERT_LOCATIONS)
        if self._journal:
            await ask.execute(statements.REMEMBER, 0 if mark is None else mark.number)
        return fates

    async def _consents(self, batch: Batch, mark: PassMark | None) -> dict[str, Fate]:
        _ = mark
        ask, rows = self._connection, batch.consents
        columns = [list(each) for each in zip(*rows.values(), strict=True)] or [[] for _ in range(8)]
        stored = set() if self._dry else {row["id"] for row in await ask.fetch(statements.STORE_CONSENTS, *columns)}
        fates: dict[str, Fate] = {}
        for row in await ask.fetch(statements.LOOK_AT_CONSENTS, *columns, list(rows)):
            fate = Fate(row["fate"])
            if fate is Fate.NEW and not self._dry:
                fate = Fate.OVERTAKEN  # deleted since
            elif fate is Fate.SAME and row["id"] in stored:
                fate = Fate.NEW
                stored.discard(row["id"])
            fates[row["document"]] = fate
        return fates

    async def refuse(self, kind: str, looked_at: Iterable[str], refused: Sequence[Refusal]) -> None:
        """Notes what was refused; of the other documents ``looked_at`` nothing is held any longer. At once."""
        paths = [each if "/" in each else f"{COLLECTION}/{each}" for each in looked_at]
        named = ([getattr(each, name) for each in refused] for name in ("document", "field", "why"))
        told = [msgspec.json.encode(each.told).decode() for each in refused]
        async with self._connection.transaction():
            await self._connection.execute(statements.UNREFUSE, kind, paths)
            await self._connection.execute(statements.REFUSE, kind, *named, told)

    async def refused(self) -> list[Refusal]:
        """All that the journal has."""
        return [
            Refusal(
                document=row["document"], field=row["field"], why=row["why"],
                told=msgspec.json.decode(row["told"], type=Message) if row["told"] else raw_text(row["why"]),
            )
            for row in await self._connection.fetch(statements.REFUSED)
        ]  # fmt: skip

    async def _note(self, batch: Batch, mark: PassMark, fates: Mapping[str, Fate]) -> None:
        looked_at = fates if mark.kind == CONSENTS else ()  # what a walk holds is looked at by the comparison alone
        await self.refuse(mark.kind, looked_at, [*batch.refused, *left_to_people(batch, fates)])
        ask = self._connection
        counts = msgspec.json.encode({fate: sum(each is fate for each in fates.values()) for fate in Fate}).decode()
        if mark.since is None:
            await ask.execute(statements.DONE, mark.number, mark.kind, mark.through, mark.last, counts)

    async def ended(self, mark: PassMark) -> None:
        """The pass has come to its end, the comparison behind it too: another may read what was written since."""
        await self._connection.execute(statements.END, mark.kind, mark.number)


def left_to_people(batch: Batch, fates: Mapping[str, Fate]) -> Iterable[Refusal]:
    """What the version rule leaves alone and only a person can decide."""
    for name, fate in fates.items():
        if (why := fate.why) is not None:
            yield refusal(name if name in batch.consents else f"{COLLECTION}/{name}", why)


def _fates(rows: Iterable[Any]) -> dict[str, Fate]:
    return {row[0]: Fate(row[1]) for row in rows}


async def move(endpoints: Endpoints, walks: Mapping[str, WalkRows], *, dry: bool = False) -> dict[str, Fate]:
    """What becomes of each walk, by its document's id, or would. Raises ``PartDied``."""
    batch = Batch()
    for name, rows in walks.items():
        batch.take(name, rows)
    try:
        connection = await asyncpg.connect(**endpoints.login, timeout=_CONNECT_S)
        try:
            loader = Loader(connection, dry=dry, journal=False)
            await loader.open()
            return await loader.walks(batch)
        finally:
            await connection.close(timeout=_CONNECT_S)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise endpoints.database_failed(error) from error
