"""A migration from its beginning, or from where it was ended, to both stores compared.

The users that Firebase Auth knows, by Google's Admin SDK, which speaks to Auth and to its emulator alike.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Protocol, TypeVar

import asyncpg
import msgspec

from harness.base.clock import NS, Clock
from harness.base.errors import PartDied
from harness.checks.dual_write import document_id
from harness.migration import statements
from harness.migration.convert import digest
from harness.migration.load import Loader, PassMark, left_to_people
from harness.migration.source import Batch, DocumentSource, Refusal, SourceDocument, StorePlaces, batches, refusal
from harness.migration.statements import CLOCKS, OTHER_CONTENT, Fate
from harness.model.message import Message, message
from harness.model.stack import COLLECTION
from harness.stack.firebase.documents import CONSENTS, Documents

# Both stores compared to the end, by counts and by digests: what Firestore has against what PostgreSQL has, and back.
# It reads both anew. The documents' side goes through the converter again; a comparison that does not is that of the
# checkers (``harness.checks.dual_write``), by which the drill judges a migration.


class Verified(msgspec.Struct, kw_only=True):
    """Walks by how the two stores agree. ``unchanged`` were read and compared by an earlier pass, were not written to
    Firestore since, and are in PostgreSQL; ``caught_up`` were written to Firestore meanwhile, and moved again;
    ``later`` are those that PostgreSQL has of a later write; ``alone`` are in PostgreSQL without a document, of which
    ``orphans`` are as a migration left them; ``taken_back`` were deleted in Firestore while they were moved, or since.
    ``consents_alone`` are consents of PostgreSQL that no document has.
    """

    documents: int = 0
    refused: int = 0
    unchanged: int = 0
    equal: int = 0
    different: int = 0
    later: int = 0
    missing: int = 0
    caught_up: int = 0
    walks: int = 0
    alone: int = 0
    orphans: int = 0
    taken_back: int = 0
    consents_alone: int = 0

    @property
    def there(self) -> int:
        """Documents that are in PostgreSQL, in this version or a later one."""
        return self.unchanged + self.equal + self.later

    @property
    def left(self) -> int:
        """Those that are not, or not as they are."""
        return self.different + self.missing + self.refused

    @property
    def whole(self) -> bool:
        """Every document that can be moved is in PostgreSQL, in this version or a later one."""
        return not (self.different or self.missing or self.orphans)


class Verifier:
    """Compares, and brings over what was written meanwhile. ``found`` fills as it goes; ``kept`` are the documents that
    are gone and whose walks are too many to be deleted."""

    def __init__(
        self,
        loader: Loader,
        connection: asyncpg.Connection,
        source: DocumentSource,
        number: int,
        zone: tzinfo | None = None,
    ) -> None:
        self._loader = loader
        self._connection = connection
        self._source = source
        self._pass = number
        self._zone = zone
        self._disputed: list[str] | None = []  # the mirror may write these yet; None once it had its time
        self._seen: list[uuid.UUID] = []
        self._missing: dict[uuid.UUID, str] = {}
        self._later: set[str] = set()
        self.found = Verified()
        self.kept: list[Refusal] = []

    async def changed(self, mark: PassMark, read: Collection[str]) -> list[str]:
        """The paths of the documents to be compared by a pass that reads what was written since another: what it
        ``read``, and what was written meanwhile."""
        keys = await self._source.keys(COLLECTION)
        paths = sorted({*await self._loader.changed(mark, keys), *read} & keys.keys())
        unchanged = keys.keys() - set(paths)
        self._seen += [uuid.UUID(path.rpartition("/")[2]) for path in unchanged]  # each has its row, and so is one
        self.found.documents = self.found.unchanged = len(unchanged)
        return paths

    async def compare(self, batch: Batch) -> None:
        """One batch of documents that was read again. One that is disputed is left to ``others``."""
        await forget_gone(self._loader, self._source, batch)
        found, walks = self.found, batch.walks
        fates = await self._loader.walks(batch)
        stored = await self._stored([rows.id for rows in walks.values()])
        found.documents += batch.documents
        refused = list(batch.refused)
        for name, rows in walks.items():
            fate, held = fates[name], stored.get(rows.id)
            if fate is Fate.DISPUTED and self._disputed is not None:
                self._disputed.append(f"{COLLECTION}/{name}")
                found.documents -= 1
                continue
            self._seen.append(rows.id)
            found.caught_up += fate.written
            if (why := fate.why) is not None:
                refused.append(refusal(f"{COLLECTION}/{name}", why))
                if fate is Fate.DISPUTED:
                    self._later.add(f"{COLLECTION}/{name}")
            elif held is None:
                self._missing[rows.id] = name
            elif held[0] > rows.version:
                self._later.add(f"{COLLECTION}/{name}")
            elif held == (rows.version, digest(rows.walk, rows.locations)):
                found.equal += 1
            else:
                found.different += 1
                refused.append(refusal(f"{COLLECTION}/{name}", OTHER_CONTENT))
        left = {each.document for each in refused if each.told not in (OTHER_CONTENT, CLOCKS)}
        found.refused += len(left)
        self._later -= left  # one whose walk has a later document, read behind it
        found.later = len(self._later)
        await self._loader.refuse(COLLECTION, fates, refused)

    async def others(
        self, clock: Clock, settle_s: float, begun: datetime, *, deletions: bool, most: Callable[[int], int]
    ) -> None:
        """The way back: what is in PostgreSQL and was not among the documents. Waits ``settle_s`` first: a walk that
        was moved while its deletion was on its way to Firestore is one that its user deleted, also if its document was
        still there when the comparison, which began at ``begun`` by PostgreSQL's clock, read it or moved it. With
        ``deletions`` so is any that is as a migration left it; unless Firestore has no walk at all, and so is hardly
        the right one. Of more walks than ``most`` says of so many none is deleted.
        """
        recent = await self._connection.fetch(statements.RECENT, begun - timedelta(seconds=settle_s))
        await clock.sleep(settle_s)
        disputed, self._disputed = self._disputed or [], None
        async for batch, _ in batches(self._source.named(sorted(disputed)), self._zone):
            if batch.documents:
                await self.compare(batch)
        found = self.found
        found.missing = len(self._missing) - len(await self._gone(self._missing))  # what is gone was deleted meanwhile
        rows = await self._connection.fetch(statements.OTHERS, self._seen, self._pass)
        which = "untouched" if deletions and found.documents else "of_this_pass"
        ours = {row["id"]: row["document"] for row in rows if row[which]}
        gone = await self._gone({row["walk_id"]: row["document"] for row in recent} | ours)
        as_moved = await self._connection.fetch(statements.AS_MOVED, gone)
        if len(as_moved) > (limit := most(await self._connection.fetchval(statements.COUNT))):
            told = {"count": str(len(as_moved)), "most": str(limit)}
            why = message(
                "gone, with {count} in all: more than --most-deletions ({most}), so no walk is deleted", **told
            )
            self.kept, gone = [refusal(f"{COLLECTION}/{row['document']}", why) for row in as_moved], []
        taken = {row[0] for row in await self._connection.fetch(statements.TAKE_BACK, gone)} if gone else set()
        found.taken_back = len(taken)
        found.alone = sum(row["id"] not in taken for row in rows)
        found.orphans = sum(row["untouched"] and row["id"] not in taken for row in rows)
        found.walks = await self._connection.fetchval(statements.COUNT)

    async def consents(self) -> None:
        """The same of consents, which are compared as they are moved: one without a document was withdrawn, or never
        had one. It is counted and stays, for nobody knows which."""
        there = [path.rpartition("/")[2].lower() for path in await self._source.keys(CONSENTS)]
        self.found.consents_alone = await self._connection.fetchval(statements.CONSENTS_ALONE, there)

    async def _gone(self, documents: dict[uuid.UUID, str]) -> list[uuid.UUID]:
        there = await self._source.there(sorted(documents.values())) if documents else set()
        return [walk_id for walk_id, name in documents.items() if name not in there]

    async def _stored(self, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, tuple[datetime, bytes]]:
        """Version and digest of each walk that PostgreSQL has, of one moment."""
        async with self._connection.transaction(isolation="repeatable_read", readonly=True):
            walks = await self._connection.fetch(statements.HELD_WALKS, ids)
            points = await self._connection.fetch(statements.HELD_LOCATIONS, ids)
        located: defaultdict[uuid.UUID, list[Sequence[object]]] = defaultdict(list)
        for row in points:
            located[row[0]].append(tuple(row))
        return {row["id"]: (row["version"], digest(tuple(row)[:-1], located[row["id"]])) for row in walks}


async def forget_gone(loader: Loader, source: DocumentSource, batch: Batch) -> None:
    """Takes out of the batch what would make a walk anew of a document that is there no more: it was read some batches
    ago, and the walk may have been deleted through the API since, its document by the mirror. Raises ``PartDied``.
    """
    absent = await loader.absent(batch)
    there = await source.there(sorted(absent)) if absent else set()
    for name in {*absent} - there:
        del batch.walks[name]


#: uid, display name, provider, when it was made.
Row = tuple[str, str | None, str | None, datetime]
_PAGE = 1000  # the most that Auth lists at once
_NAME = "migration"
_TEXT_MOST = 255


async def accounts(places: StorePlaces) -> AsyncGenerator[list[Row], None]:
    """All accounts, by pages. Raises ``PartDied`` when Auth does not answer."""
    import firebase_admin
    from firebase_admin import auth, exceptions
    from google.auth.exceptions import GoogleAuthError

    if places.auth is not None:
        os.environ["FIREBASE_AUTH_EMULATOR_HOST"] = str(places.auth)  # the SDK's only way to be told of an emulator
    app = firebase_admin.initialize_app(places.firebase_credentials(), {"projectId": places.project_id}, name=_NAME)
    try:
        page = await asyncio.to_thread(auth.list_users, max_results=_PAGE, app=app)
        while page is not None:
            yield [_row(user) for user in page.users]
            page = await asyncio.to_thread(page.get_next_page)
    except (exceptions.FirebaseError, GoogleAuthError, ValueError) as error:
        raise PartDied(
            message("Firebase Auth failed: {error}", error=str(error)), where=str(places.auth or places.project_id)
        ) from error
    finally:
        firebase_admin.delete_app(app)


def _row(user: Any) -> Row:
    providers = [each.provider_id for each in user.provider_data]
    made_ms = user.user_metadata.creation_timestamp or 0
    provider = providers[0] if providers else "anonymous"
    return (user.uid, _text(user.display_name), provider, datetime.fromtimestamp(made_ms / 1000, tz=UTC))


def _text(found: str | None) -> str | None:
    """As a column holds it, and as the API keeps it of a token."""
    return (found or "").replace("\0", "").encode(errors="ignore").decode()[:_TEXT_MOST] or None


Load = Callable[[Batch, PassMark], Awaitable[dict[str, Fate]]]
Came = TypeVar("Came")
_AHEAD = 2  # batches that are read while one is loaded
_CONNECT_S = 10.0


class ProgressSays(Protocol):
    """Where a migration says how far it is (``harness.base.progress.Progress``)."""

    def live(self, said: Message) -> None:
        """The current state."""
        ...


class MovedKind(msgspec.Struct, kw_only=True):
    """One kind of documents: how many were read and ``fates`` by name; ``repaired`` and ``unknown`` fields by name.

    ``resumed``: behind what an earlier process of the same pass had done. ``unchanged`` were not read: they were not
    written since an earlier pass (``since``) read them. ``seconds`` from the first read to the last commit.
    """

    documents: int = 0
    unchanged: int = 0
    since: datetime | None = None
    locations: int = 0
    refused: int = 0
    fates: dict[str, int] = {}
    repaired: dict[str, int] = {}
    unknown: dict[str, int] = {}
    resumed: bool = False
    seconds: float = 0.0

    def add(self, batch: Batch, fates: Counter[str]) -> None:
        """One more batch."""
        self.documents += batch.documents
        self.locations += batch.locations
        self.refused += len(batch.refused)
        self.fates = dict(sorted((Counter(self.fates) + fates).items()))
        self.unknown = _counted(self.unknown, tuple(batch.unknown))
        for rows in batch.walks.values():
            self.repaired = _counted(self.repaired, rows.repaired)
            self.unknown = _counted(self.unknown, rows.unknown)


class MigrationReport(msgspec.Struct, kw_only=True):
    """What a migration found and did, as ``--json`` prints it."""

    dry: bool
    users: int = 0
    users_made: int = 0
    users_filled: int = 0
    walks: MovedKind = msgspec.field(default_factory=MovedKind)
    consents: MovedKind = msgspec.field(default_factory=MovedKind)
    verified: Verified | None = None
    refused: list[Refusal] = []

    @property
    def written(self) -> int:
        """Walks that were brought over or replaced, by the pass and by the comparison behind it."""
        of_pass = self.walks.fates.get(Fate.NEW, 0) + self.walks.fates.get(Fate.NEWER, 0)
        return of_pass + (0 if self.verified is None else self.verified.caught_up)


class Migration:
    """One run. ``report`` fills as it goes.

    ``changed``: only what may have changed since the last run over these stores that came to its end is read, and
    compared; the first run over them reads all, and so does one behind a run over all that was ended. ``anew``: all,
    from the first document. ``deletions``: a walk whose document is gone, and that is as a migration left it, goes.
    ``most_deletions`` says how many may go of so many walks.
    """

    def __init__(
        self, places: StorePlaces, clock: Clock, says: ProgressSays, *, zone: tzinfo | None = None, dry: bool = False,
        anew: bool = False, changed: bool = False, deletions: bool = False, settle_s: float = 10.0,
        most_deletions: Callable[[int], int] = lambda walks: walks,
    ) -> None:  # fmt: skip
        self._places = places
        self._clock = clock
        self._says = says
        self._zone = zone
        self._anew = anew
        self._changed = changed
        self._deletions = deletions
        self._settle_s = settle_s
        self._most_deletions = most_deletions
        self.report = MigrationReport(dry=dry)

    async def run(self) -> MigrationReport:
        """Raises ``PartDied`` when a store does not answer, ``BadInput`` where the database is not ready."""
        await self._with_stores(self._run)
        return self.report

    async def agreed(self, gone: Collection[str] = (), settled: Callable[[], Awaitable[None]] | None = None) -> int:
        """Both stores were just made to agree (``heal``): every walk that has a document counts as left by a migration,
        so that one that its user then deletes in Firestore is known to be deleted, by ``deletions``, whoever wrote it;
        so do those ``gone`` (ids in lower case), which their users have deleted there before. ``settled`` as ``heal``
        takes it, of ``gone``. How many walks it is news of. Raises as ``run``.
        """

        async def agreed(source: DocumentSource, connection: asyncpg.Connection) -> int:
            loader = Loader(connection)
            await loader.open()
            await loader.of_project(self._places.project_id)
            names = {path.rpartition("/")[2] for path in await source.keys(COLLECTION)}
            if settled is not None:
                await settled()
            there = {name.lower() for name in names}
            return await loader.agreed([*names, *(document_id(each) for each in gone if each not in there)])

        return await self._with_stores(agreed)

    async def _with_stores(self, work: Callable[[DocumentSource, asyncpg.Connection], Awaitable[Came]]) -> Came:
        places = self._places
        credentials = places.firebase_credentials()
        documents = Documents(places.firestore, places.project_id, credentials and credentials.get_credential())
        try:
            connection = await asyncpg.connect(**places.login, timeout=_CONNECT_S)
            try:
                return await work(DocumentSource(documents), connection)
            finally:
                await connection.close(timeout=_CONNECT_S)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise PartDied(
                message("PostgreSQL failed: {error}", error=repr(error)),
                where=f"{places.login['host']}:{places.login['port']}",
                remedy="run the same again: what is done is kept",
            ) from error
        finally:
            await documents.close()

    async def _run(self, source: DocumentSource, connection: asyncpg.Connection) -> None:
        report = self.report
        loader = Loader(connection, dry=report.dry)
        await loader.open()
        await loader.of_project(self._places.project_id)
        async with aclosing(accounts(self._places)) as pages:
            async for page in pages:
                made, filled = await loader.users(page)
                report.users += len(page)
                report.users_made += made
                report.users_filled += filled
        mark, read = await self._pass(loader, source, COLLECTION, report.walks, loader.walks)
        consents, _ = await self._pass(loader, source, CONSENTS, report.consents, loader.consents)
        if not report.dry:
            report.verified = await self._verified(loader, connection, source, mark, read)
            for each in (mark, consents):
                await loader.ended(each)
            report.refused += await loader.refused()

    async def _pass(
        self, loader: Loader, source: DocumentSource, kind: str, moved: MovedKind, load: Load
    ) -> tuple[PassMark, list[str]]:
        """How far it came; and which paths were read, where not all were."""
        mark = await loader.begun(kind, await source.now(), anew=self._anew, changed=self._changed)
        moved.resumed, moved.since = bool(mark.through), mark.since
        all_ = await source.count(kind, mark.through) if mark.since is None else 0
        begun_ns = self._clock.now_ns()
        documents, paths = source.whole(kind, mark.through), list[str]()
        if mark.since is not None:
            keys = await source.keys(kind)
            paths = await loader.changed(mark, keys)
            moved.unchanged, all_ = len(keys) - len(paths), len(paths)
            documents = source.named(paths)
        async with aclosing(ahead(documents, self._zone)) as read:
            async for batch, last in read:
                mark = msgspec.structs.replace(mark, through=batch.through or mark.through, last=last)
                if mark.since is not None and kind == COLLECTION:  # the first time every walk would be asked for twice
                    await forget_gone(loader, source, batch)
                fates = await load(batch, mark)
                moved.add(batch, Counter(str(each.counted) for each in fates.values()))
                if self.report.dry:
                    self.report.refused += [*batch.refused, *left_to_people(batch, fates)]
                moved.seconds = (self._clock.now_ns() - begun_ns) / NS
                self._says.live(_read(kind, moved, mark.through, all_))
        return mark, paths

    async def _verified(
        self, loader: Loader, connection: asyncpg.Connection, source: DocumentSource, mark: PassMark, read: list[str]
    ) -> Verified:
        verifier = Verifier(loader, connection, source, mark.number, self._zone)
        begun = await connection.fetchval(statements.NOW)
        documents, moved = source.whole(), self.report.walks
        all_ = await source.count(COLLECTION) if moved.resumed else moved.documents
        if mark.since is not None:
            paths = await verifier.changed(mark, read)
            documents, all_ = source.named(paths), verifier.found.documents + len(paths)
        async with aclosing(ahead(documents, self._zone)) as again:
            async for batch, _ in again:
                await verifier.compare(batch)
                self._says.live(_compared(verifier.found.documents, all_))
        await verifier.others(self._clock, self._settle_s, begun, deletions=self._deletions, most=self._most_deletions)
        self.report.refused += verifier.kept
        await verifier.consents()
        return verifier.found


async def ahead(
    documents: AsyncIterator[SourceDocument], zone: tzinfo | None = None
) -> AsyncGenerator[tuple[Batch, bool], None]:
    """The batches, read while the ones before are loaded."""
    ready: asyncio.Queue[tuple[Batch, bool] | Exception] = asyncio.Queue(_AHEAD)

    async def read() -> None:
        try:
            async for batch in batches(documents, zone):
                await ready.put(batch)
        except Exception as error:  # raised again by who awaits the batches
            await ready.put(error)

    reading = asyncio.ensure_future(read())
    try:
        last = False
        while not last:
            got = await ready.get()
            if isinstance(got, Exception):
                raise got
            last = got[1]
            yield got
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


def _read(kind: str, moved: MovedKind, path: str, all_: int | None) -> Message:
    """How far a pass is; about ``all_`` documents are to be read, ``None`` where nobody knows how many."""
    rate = f"{moved.documents / moved.seconds:.0f}" if moved.seconds else "–"
    values = {"kind": kind, "documents": f"{moved.documents:,}", "rate": rate, "path": path}
    if all_ is None:
        return message("{kind}: {documents} read, {rate}/s, to {path}", **values)
    return message("{kind}: {documents} of about {all} read, {rate}/s, to {path}", **values, all=f"{all_:,}")


def _compared(documents: int, all_: int | None) -> Message:
    """How far a comparison is, of so many as were there before it: others may have come or gone since."""
    if all_ is None:
        return message("comparing: {documents} documents", documents=f"{documents:,}")
    return message("comparing: {documents} of about {all} documents", documents=f"{documents:,}", all=f"{all_:,}")


def _counted(counts: dict[str, int], names: tuple[str, ...]) -> dict[str, int]:
    return dict(sorted((Counter(counts) + Counter(names)).items())) if names else counts
