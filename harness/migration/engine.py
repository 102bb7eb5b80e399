"""A migration from its beginning, or from where it was ended, to both stores compared.

The users that Firebase Auth knows, by Google's Admin SDK, which speaks to Auth and to its emulator alike.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection
from contextlib import aclosing
from datetime import UTC, datetime, tzinfo
from typing import Any, Protocol, TypeVar

import asyncpg
import msgspec

from harness.base.clock import NS, Clock
from harness.base.errors import PartDied
from harness.checks.dual_write import document_id
from harness.migration import statements
from harness.migration.load import Loader, PassMark, left_to_people
from harness.migration.source import Batch, DocumentSource, Refusal, SourceDocument, StorePlaces, batches
from harness.migration.statements import Fate
from harness.migration.verify import Verified, Verifier, forget_gone
from harness.model.message import Message, message
from harness.model.stack import COLLECTION
from harness.stack.firebase.documents import CONSENTS, Documents

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
