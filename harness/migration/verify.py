"""Both stores compared to the end, by counts and by digests: what Firestore has against what PostgreSQL has, and back.

It reads both anew. The documents' side goes through the converter again; a comparison that does not is that of the
checkers (``harness.checks.dual_write``), by which the drill judges a migration.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta, tzinfo

import asyncpg
import msgspec

from harness.base.clock import Clock
from harness.migration import statements
from harness.migration.convert import digest
from harness.migration.load import Loader, PassMark
from harness.migration.source import Batch, DocumentSource, Refusal, batches, refusal
from harness.migration.statements import CLOCKS, OTHER_CONTENT, Fate
from harness.model.message import message
from harness.model.stack import COLLECTION
from harness.stack.firebase.documents import CONSENTS


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
