"""The end of a drill: every document against its walk, by the checkers, with no code of the migrator's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.base.clock import NS, Clock
from harness.base.theirs import read_json
from harness.checks.dual_write import StoredWalk, difference, document_id
from harness.checks.stores import DRAIN_LIMIT_S, NotAsNamed, dual_write, read_consents, read_ids, read_stored
from harness.checks.tables import USERS, WALKS
from harness.checks.told import unlike
from harness.checks.values import Column
from harness.evidence.store import Collector
from harness.model.evidence import WRITES, Operation, RequestRow, Side
from harness.model.message import Message, message
from harness.model.stack import Endpoints
from harness.rehearsals.migration_drill.plants import PlantedDocument
from harness.rehearsals.migration_drill.types import ComparedStores, DrillDetails, OddDocument
from harness.rules.writes import Writes
from harness.stack.firebase.documents import Documents, Fields, typed

_BATCH = 200
_EXAMPLES = 5
_ALL = 1_000_000
_WRONG = ("missing", "older", "different")


class WrittenPast(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent past the migrator, answered or not: walks by id in lower case that the ``api`` was asked to write,
    those of them whose deletion it confirmed, and those that were written or deleted in ``firestore``; and how many
    walks the API may have made whose ids nobody was told."""

    api: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()
    firestore: frozenset[str] = frozenset()
    unnamed: int = 0


def written(rows: Iterable[RequestRow], raced: Iterable[str]) -> WrittenPast:
    """By the users' requests, and by those who wrote to ``raced`` walks. Pure."""
    api, unnamed, writes = {each.lower() for each in raced}, 0, Writes()
    for row in rows:
        writes.add(row)
        if row.side is Side.API and row.operation in WRITES:
            api.add(row.walk_id.lower())
            unnamed += row.operation is Operation.CREATE_WALK and _may_have_made(row)
    deleted, firestore = frozenset(writes.deleted[Side.API]), frozenset(writes.direct)
    return WrittenPast(api=frozenset(api), deleted=deleted, firestore=firestore, unnamed=unnamed)


def _may_have_made(create: RequestRow) -> bool:
    """Whether it may have made a walk whose id nobody was told: one that was refused (4xx) did not, but for its first
    sending where it was sent twice."""
    return not create.acknowledged and (create.retried or create.status // 100 != 4)


async def mirrored(
    endpoints: Endpoints,
    documents: Documents,
    evidence: Collector,
    clock: Clock,
    raced: Iterable[str],
    *,
    settled: bool,
) -> bool:
    """Whether every walk that the API was asked to write is in Firestore as it is in PostgreSQL, once it is or the
    mirror has had its time. The load and the racer have ended; ``settled``: every write to those ``raced`` was
    acknowledged. Raises ``PartDied`` and ``NotAsNamed``.

    What the API did without an answer, or under an id that nobody was told, is on no list, and of a document that
    differs without being older nobody can tell whether a write is on its way to it: those have the whole time.
    """
    until_ns = clock.now_ns() + round(DRAIN_LIMIT_S * NS)
    sent = written(evidence.requests, raced)
    asked = [row for row in evidence.requests if row.side is Side.API and row.operation in WRITES]
    quiet = False
    if settled and sent.api and all(row.acknowledged for row in asked):
        held = await documents.get_many(sorted(map(document_id, sent.api)))
        stored = await read_stored(endpoints, _ALL, only=sent.api)
        gone = dict.fromkeys(sent.api - {walk.id for walk in stored.walks}, "")
        found = await dual_write(stored.walks, documents, evidence.writes, clock, held=held, perhaps_deleted=gone)
        quiet = not found.findings
    if not quiet:
        await clock.sleep(max(0, until_ns - clock.now_ns()) / NS)
    return quiet


async def compared(
    endpoints: Endpoints, documents: Documents, apart: Collection[str], *, sent: WrittenPast, planted: Collection[str]
) -> ComparedStores:
    """All but those ``apart``, by document id; walks that were ``planted``, by their own, are to be there, too. Raises
    ``PartDied`` and ``NotAsNamed``."""
    counts: Counter[str] = Counter()
    examples: list[Message] = []
    seen: set[str] = set()
    batch: dict[str, Fields] = {}

    async def look() -> None:
        stored = await read_stored(endpoints, _ALL, only=[name.lower() for name in batch])
        for kind, example in verdicts(batch, {walk.id: walk for walk in stored.walks}, sent.api):
            counts[kind] += 1
            if example is not None and kind in _WRONG and len(examples) < _EXAMPLES:
                examples.append(example)
        batch.clear()

    async for name, fields in documents.each():
        seen.add(name.lower())
        if name not in apart:
            batch[name] = fields
        if len(batch) == _BATCH:
            await look()
    if batch:
        await look()
    held = await read_ids(endpoints, WALKS)
    strange, gone = strangers(held - seen, sent), vanished(planted, held | seen, sent)
    examples += [message("{walk} is in neither store", walk=each) for each in gone[:_EXAMPLES]]
    examples += [_stranger(each, sent) for each in strange[:_EXAMPLES]]
    kinds = {kind: counts[kind] for kind in ("equal", "stamped", "later", *_WRONG)}
    kinds["missing"] += len(gone)
    return ComparedStores(
        documents=counts.total(),
        walks=len(held),
        alone=len(held - seen),
        strange=len(strange),
        unseen=len(vanished(planted, seen, sent)),
        examples=tuple(examples[:_EXAMPLES]),
        **kinds,
    )


def strangers(alone: Collection[str], sent: WrittenPast) -> list[str]:
    """Of the walks that have no document those that the API deleted, and those that neither it made nor anybody
    deleted in Firestore. Pure."""
    return sorted({*alone} & sent.deleted) + sorted({*alone} - sent.api - sent.firestore)[sent.unnamed :]


def vanished(planted: Collection[str], there: Collection[str], sent: WrittenPast) -> list[str]:
    """The ``planted`` walks that are not ``there``, and that nobody deleted. Pure."""
    return sorted({*planted} - {*there} - sent.deleted - sent.firestore)


def _stranger(walk_id: str, sent: WrittenPast) -> Message:
    if walk_id in sent.deleted:
        return message("{walk} was deleted through the API", walk=walk_id)
    return message("{walk} was made by nobody", walk=walk_id)


def verdicts(
    documents: Mapping[str, Fields], stored: Mapping[str, StoredWalk], api: Collection[str]
) -> Iterable[tuple[str, Message | None]]:
    """Of each document what it is to its walk, and how it differs. ``api``: walks that the API was asked to write,
    without which PostgreSQL has no later write of any, and only its own word for when it stored one. Pure."""
    for name, fields in documents.items():
        walk = stored.get(name.lower())
        differs = None if walk is None else difference(walk, fields)
        if walk is None:
            yield "missing", message("{walk} is not in PostgreSQL", walk=name.lower())
        elif differs is None:
            yield "equal", None
        else:
            kind = _unlike(walk, fields, may_be_later=walk.id in api)
            why = unlike(differs.field, str(differs.found), str(differs.wanted))
            yield kind, message("{what}: {why}", what=walk.id, why=why)


def _unlike(walk: StoredWalk, fields: Fields, *, may_be_later: bool) -> str:
    """What a walk is that differs from its document."""
    theirs, at = fields.get("updated_at"), walk.updated_at
    if theirs is None or theirs.kind != "timestamp" or at is None or theirs.value == at:
        return "different"
    if at < theirs.value:
        return "older"
    if may_be_later:
        return "later"
    same = msgspec.structs.replace(walk, columns={**walk.columns, "updated_at": theirs.value})
    return "different" if difference(same, fields) else "stamped"


async def odd(endpoints: Endpoints, plants: Sequence[PlantedDocument], rejects: Path) -> list[OddDocument]:
    """What became of the documents out of the ordinary."""
    read = await read_stored(endpoints, only=[plant.name for plant in plants])
    stored = {walk.id: walk for walk in read.walks}
    named = named_in(rejects)
    return [became(plant, stored.get(plant.name.lower()), named=plant.path in named) for plant in plants]


def became(plant: PlantedDocument, walk: StoredWalk | None, *, named: bool) -> OddDocument:
    """One of them. Pure."""
    wrong = None if walk is None or plant.refused else next(_wrong(plant, walk), None)
    return OddDocument(name=plant.what, refused=plant.refused, there=walk is not None, named=named, wrong=wrong or "")


def _wrong(plant: PlantedDocument, walk: StoredWalk) -> Iterator[Message]:
    for name, must in plant.columns.items():
        if walk.columns.get(name) != must:
            yield unlike(name, repr(walk.columns.get(name)), repr(must))
    if len(walk.locations) != plant.locations:
        yield message("{count} locations, must be {must}", count=str(len(walk.locations)), must=str(plant.locations))
    differs = difference(walk, _meant(plant, walk))
    if differs is not None:
        yield unlike(differs.field, str(differs.wanted), str(differs.found))


def _meant(plant: PlantedDocument, walk: StoredWalk) -> Fields:
    """The document that the plant means, as the contract has it. A moment that it does not say is the walk's own, and
    so is a later ``updated_at``, which the database may stamp."""
    meant = {"location_data": [], **plant.means, **plant.columns, "id": document_id(walk.id)}
    for name in ("created_at", "updated_at"):
        at = walk.columns.get(name)
        if at is not None and (name not in meant or (name == "updated_at" and at > meant[name])):
            meant[name] = at
    return {name: typed(value) for name, value in meant.items() if value is not None}


def named_in(rejects: Path) -> set[str]:
    """The paths of the documents that the file of rejects names; none where there is no such file."""
    found = set()
    try:
        lines = rejects.read_bytes().splitlines()
    except OSError:
        return set()
    for line in lines:
        if (read := read_json(line, _Line)) is not None:  # a line of the contract
            found.add(read.document)
    return found


class _Line(msgspec.Struct):
    document: str


async def absent(endpoints: Endpoints, ids: Collection[str]) -> tuple[str, ...]:
    """Those of ``ids`` that ``users`` has not. Raises as ``compared``."""
    return tuple(sorted({*ids} - await read_ids(endpoints, USERS)))[:_EXAMPLES]


async def of_consents(endpoints: Endpoints, planted: Mapping[str, Mapping[str, Any]], details: DrillDetails) -> None:
    """Each of the ``planted`` consents, by path, against its row: what is missing and what differs is noted, or why
    nobody could look. Raises ``PartDied``."""
    wanted = {}
    for path, fields in planted.items():
        _, user, _, name = path.split("/")
        wanted[name.lower()] = {"id": name.lower(), "user_id": user, **fields}
    try:
        found = await read_consents(endpoints, [*wanted])
    except NotAsNamed as error:
        details.consents_unread = error.parts
        return
    details.consents_missing = tuple(sorted(wanted.keys() - found.rows.keys()))[:_EXAMPLES]
    differ = (_consent(row, wanted[each], found.columns) for each, row in sorted(found.rows.items()))
    different = tuple(each for each in differ if each is not None)
    details.consents_unread = tuple(each.told for each in found.unread)
    details.consents_different = different if different or not found.unread else None


def _consent(row: Mapping[str, Any], wanted: Mapping[str, Any], columns: Mapping[str, Column]) -> Message | None:
    """How a consent's row differs from its document, in the ``columns`` that were read."""
    for name, must in wanted.items():
        if name in columns and not columns[name].agrees(row[name], must):
            return message("{what}: {why}", what=row["id"], why=unlike(name, repr(row[name]), repr(must)))
    return None
