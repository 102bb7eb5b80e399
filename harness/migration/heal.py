"""Reads both stores, says what differs, and heals in the stated direction. Idempotent; bounded in walks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC

import msgspec

from harness.base.errors import PartDied
from harness.checks.dual_write import StoredWalk, difference, document_id, expected
from harness.checks.stores import NotAsNamed, TooManyWalks, read_ids, read_walks
from harness.checks.tables import WALKS
from harness.migration.convert import Unconvertible, WalkRows, version_of, walk_rows
from harness.migration.load import move
from harness.migration.statements import Fate
from harness.model.direction import Direction
from harness.model.evidence import Side
from harness.model.judgement import Judgement, Kind, Verdict
from harness.model.message import Message, message, of_error
from harness.model.stack import Endpoints
from harness.rules.writes import Writes
from harness.stack.firebase.documents import Documents, Fields, StoredDocument, plain_fields

# What it takes to make PostgreSQL and Firestore agree, in a stated direction, and the word on it. Pure.
# The direction says which side is copied from. Nothing newer is ever overwritten: a document written after its walk (by
# the app itself, once the flag was off) is named when PostgreSQL is copied, and is what is copied the other way, where
# a document that differs and is not newer is named. So whatever differs is either healed or named. A document without a
# walk is either a deleted walk's or one that the app made itself: it is deleted only when the evidence says that the
# API confirmed its deletion, and is named otherwise. A document that is not in the app's format is never copied, but
# named, and so is one that somebody else wrote after it was read. What the evidence knows the app to have written or
# deleted itself (``own``) differs because it is to: while PostgreSQL is copied such documents are neither brought back
# nor deleted nor named, but counted; only one that is older than its walk is written.

RECONCILE = "reconcile"


class Healing(msgspec.Struct, frozen=True, kw_only=True):
    """Document ids by what is to be done with them, and walks by id and why they are left alone, a message each."""

    direction: Direction
    write: tuple[str, ...] = ()  # documents to write from PostgreSQL
    delete: tuple[str, ...] = ()  # documents to delete
    copy: tuple[str, ...] = ()  # documents to copy to PostgreSQL, which lacks their walks
    replace: tuple[str, ...] = ()  # documents to copy over older walks
    named: tuple[Message, ...] = ()
    own: int = 0  # what the app wrote or deleted itself, known as such and left alone

    @property
    def changes(self) -> int:
        """How many."""
        return len(self.write) + len(self.delete) + len(self.copy) + len(self.replace)

    @property
    def told(self) -> Message:
        """All counts, for people."""
        direction, named = str(self.direction), str(len(self.named))
        if self.direction is Direction.TO_POSTGRESQL:
            return message(
                "{direction}: {copied} walks to copy, {replaced} to replace by newer documents, {named} left alone",
                direction=direction,
                copied=str(len(self.copy)),
                replaced=str(len(self.replace)),
                named=named,
            )
        told = message(
            "{direction}: {written} documents to write, {deleted} to delete, {named} left alone",
            direction=direction,
            written=str(len(self.write)),
            deleted=str(len(self.delete)),
            named=named,
        )
        return message("{counts}, {own} of the app's own kept", counts=told, own=str(self.own)) if self.own else told


def healing(
    walks: Sequence[StoredWalk],
    documents: Mapping[str, Fields],
    deleted: Collection[str],
    direction: Direction,
    own: Collection[str] = (),
) -> Healing:
    """``documents`` are all there are, by id; ``deleted`` the walks whose deletion the API confirmed; ``own`` those
    that the app wrote or deleted in Firestore itself, as far as that is known.
    """
    stored = {document_id(walk.id): walk for walk in walks}
    if direction is Direction.TO_FIRESTORE:
        known = {document_id(each) for each in own}
        return _to_firestore(stored, documents, {document_id(each) for each in deleted}, known)
    return _to_postgresql(stored, documents, {document_id(each) for each in deleted})


def decided(plan: Healing, fates: Mapping[str, Fate]) -> Healing:
    """The plan without what the version rule leaves alone, by the database's own word."""
    left = [
        message("{walk}: {why}", walk=name.lower(), why=fate.why or str(fate))
        for name, fate in fates.items()
        if not fate.written
    ]
    twins = [name for name in (*plan.copy, *plan.replace) if name not in fates]
    why = message("another document of the same walk is later")
    left += [message("{walk}: {why}", walk=name.lower(), why=why) for name in twins]
    copy, replace = (
        [name for name in names if name in fates and fates[name].written] for names in (plan.copy, plan.replace)
    )
    return msgspec.structs.replace(plan, copy=tuple(copy), replace=tuple(replace), named=(*plan.named, *left))


def vanished(plan: Healing, names: Collection[str]) -> Healing:
    """The plan without those documents whose walk, or which themselves, somebody deleted since they were read."""
    left = tuple(message("{walk}: deleted meanwhile", walk=name.lower()) for name in names)
    copy, replace = (tuple(each for each in those if each not in names) for those in (plan.copy, plan.replace))
    return msgspec.structs.replace(plan, copy=copy, replace=replace, named=(*plan.named, *left))


def overtaken(plan: Healing, names: Collection[str], left: Sequence[Message] = ()) -> Healing:
    """The plan without those documents, which somebody else wrote or deleted since they were read, or as ``left``."""
    left = left or [message("{walk}: written to Firestore meanwhile", walk=name.lower()) for name in names]
    write, delete = (tuple(each for each in those if each not in names) for those in (plan.write, plan.delete))
    return msgspec.structs.replace(plan, write=write, delete=delete, named=(*plan.named, *left))


def without(plan: Healing, walks: Collection[str]) -> Healing:
    """The plan without those walks, by id in lower case."""
    named = tuple(each for each in plan.named if each.values.get("walk") not in walks)
    write, delete, copy, replace = (
        tuple(each for each in those if each.lower() not in walks)
        for those in (plan.write, plan.delete, plan.copy, plan.replace)
    )
    return msgspec.structs.replace(plan, write=write, delete=delete, copy=copy, replace=replace, named=named)


def _to_firestore(
    stored: Mapping[str, StoredWalk], documents: Mapping[str, Fields], deleted: set[str], own: set[str]
) -> Healing:
    write: list[str] = []
    delete: list[str] = []
    left: dict[str, Message] = {}
    for name, walk in stored.items():
        document = documents.get(name)
        if document is not None and difference(walk, document) is None:
            continue
        if document is not None and _newer(document, walk):
            whose = {"walk": walk.id, "user": walk.user}
            left[name] = message("{walk} of {user}: written to Firestore later, by the app itself", **whose)
        elif document is None and name in own:
            left[name] = message("{walk} of {user}: deleted by the app itself", walk=walk.id, user=walk.user)
        else:
            write.append(name)
    for name, fields in documents.items():
        if name in stored:
            continue
        if name in deleted and name not in own:
            delete.append(name)
        else:
            left[name] = message("{walk} of {user}: in Firestore alone", walk=name.lower(), user=_user(fields))
    return Healing(
        direction=Direction.TO_FIRESTORE,
        write=tuple(write),
        delete=tuple(delete),
        named=tuple(why for name, why in left.items() if name not in own),
        own=sum(name in own for name in left),
    )


def _to_postgresql(stored: Mapping[str, StoredWalk], documents: Mapping[str, Fields], deleted: set[str]) -> Healing:
    copy: list[str] = []
    replace: list[str] = []
    named: list[Message] = []
    for name, document in documents.items():
        walk = stored.get(name)
        if walk is None and name in deleted:
            named.append(message("{walk}: deleted through the API", walk=name.lower()))
        elif walk is not None and difference(walk, document) is None:
            continue
        elif why := _refused(name, document):
            whose = {"walk": name.lower(), "user": _user(document)}
            named.append(message("{walk} of {user}: the document cannot be copied: {why}", **whose, why=why))
        elif walk is None:
            copy.append(name)
        elif not _newer(document, walk):
            whose = {"walk": walk.id, "user": walk.user}
            named.append(message("{walk} of {user}: the document differs and is not newer", **whose))
        else:
            replace.append(name)
    named += [
        message("{walk} of {user}: in PostgreSQL alone", walk=walk.id, user=walk.user)
        for name, walk in stored.items()
        if name not in documents
    ]
    return Healing(direction=Direction.TO_POSTGRESQL, copy=tuple(copy), replace=tuple(replace), named=tuple(named))


def _refused(name: str, document: Fields) -> Message | None:
    """Why the document cannot be copied; ``None`` where it can."""
    try:
        walk_rows(name, plain_fields(document))
    except Unconvertible as error:
        return error.told
    return None


def _newer(document: Fields, walk: StoredWalk) -> bool:
    """By the version that a migration reads, in whatever form the app wrote it."""
    version, at = version_of(plain_fields(document)), walk.updated_at
    return version is not None and at is not None and version > at


def _user(document: Fields) -> str:
    held = document.get("user_id")
    return str(held.value) if held is not None else "nobody"


def unreconciled(*told: Message) -> Judgement:
    """A healing of which nobody knows whether anything is left to do."""
    return Judgement(id=RECONCILE, kind=Kind.CHECK, verdict=Verdict.INCONCLUSIVE, told=told)


def healed(done: Healing, left: Healing) -> Judgement:
    """What a healing changed, and whether a second one finds nothing more to do, and nothing that was left alone.

    What is left alone is not known to be the app's own, and may be a loss that this direction cannot heal.
    """
    again = message(
        "a second time: {changes} changes, {named} left alone", changes=str(left.changes), named=str(len(left.named))
    )
    return Judgement(
        id=RECONCILE,
        kind=Kind.CHECK,
        verdict=Verdict.FAIL if left.changes else Verdict.INCONCLUSIVE if left.named else Verdict.PASS,
        told=(done.told, again),
        examples=left.named[:5],
    )


#: So many documents are written at the same time: each is a commit of its own, and most of it is waiting.
AT_ONCE = 8


async def heal(
    endpoints: Endpoints,
    direction: Direction,
    *,
    apply: bool,
    deleted: Collection[str] = (),
    own: Collection[str] = (),
    settled: Callable[[], Awaitable[None]] | None = None,
) -> Healing:
    """What there was to do, and with ``apply`` is done. ``deleted`` and ``own`` as ``healing`` takes them.

    While the app goes on in Firestore: ``settled`` is awaited once the stores are read, and returns when ``deleted``
    and ``own`` hold all that was sent until then; a document that is no longer as it was read is left alone and named.
    Raises ``PartDied`` when a store does not answer, ``TooManyWalks`` when there are more walks than are read.
    """
    documents = Documents(endpoints.firestore, endpoints.project_id)
    try:
        walks = await read_walks(endpoints)
        held = await documents.held()
        if settled is not None:
            await settled()
        fields = {name: document.fields for name, document in held.items()}
        plan = healing(walks, fields, deleted, direction, own)
        behind = [
            name for walk in walks if (name := document_id(walk.id)) in plan.write and _behind(walk, held.get(name))
        ]
        left = [
            message("{walk}: written to Firestore later, by a clock that is behind", walk=n.lower()) for n in behind
        ]
        plan = overtaken(plan, behind, left)
        if apply:
            plan = overtaken(plan, await _apply(plan, walks, held, documents))
            plan = vanished(plan, await _vanished(plan, endpoints, documents))
        rows = {name: _rows(name, held[name]) for name in (*plan.replace, *plan.copy)}
        return decided(plan, await move(endpoints, rows, dry=not apply)) if rows else plan
    finally:
        await documents.close()


def _rows(name: str, document: StoredDocument) -> WalkRows:
    return walk_rows(name, plain_fields(document.fields), updated=document.version and document.version.ToDatetime(UTC))


def _behind(walk: StoredWalk, document: StoredDocument | None) -> bool:
    """Whether Firestore says that the document was written after the walk, and the app's clock that it was before."""
    if document is None or document.version is None or walk.updated_at is None:
        return False
    version = version_of(plain_fields(document.fields))
    return version is not None and version < walk.updated_at < document.version.ToDatetime(UTC)


async def _vanished(plan: Healing, endpoints: Endpoints, documents: Documents) -> list[str]:
    """What would make a walk anew that its user deleted since all was read: one to be replaced that PostgreSQL has no
    more, or one to be copied whose document is gone."""
    if not (plan.copy or plan.replace):
        return []
    there = await documents.get_many([*plan.copy, *plan.replace])
    stored = await read_ids(endpoints, WALKS) if plan.replace else frozenset()
    gone = [name for name in plan.replace if name.lower() not in stored]
    return gone + [name for name in (*plan.copy, *plan.replace) if name not in there and name not in gone]


async def _apply(
    plan: Healing, walks: Collection[StoredWalk], held: Mapping[str, StoredDocument], documents: Documents
) -> list[str]:
    """Writes documents by ``plan``, then deletes some; those that were no longer as ``held``."""
    by_name = {document_id(walk.id): walk for walk in walks}

    def write(name: str) -> Awaitable[bool]:
        return documents.put_over(name, expected(by_name[name]), held.get(name))

    missed = await _missed(plan.write, write)
    return missed + await _missed(plan.delete, lambda name: documents.delete_seen(name, held[name]))


async def _missed(names: Sequence[str], act: Callable[[str], Awaitable[bool]]) -> list[str]:
    """Those of ``names``, which are all different, of which ``act`` says that it was not done, in their order.

    ``AT_ONCE`` are under way at most. What one raises is raised, and no further one begins; however it ends, none goes
    on behind it.
    """
    waiting, missed = iter(names), set[str]()

    async def work() -> None:
        for name in waiting:
            if not await act(name):
                missed.add(name)

    tasks = [asyncio.create_task(work()) for _ in range(min(AT_ONCE, len(names)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [name for name in names if name in missed]


async def twice(
    endpoints: Endpoints,
    direction: Direction,
    writes: Writes,
    settled: Callable[[], Awaitable[None]] | None = None,
    beside: Callable[[], Collection[str]] = tuple,
) -> tuple[Healing, Judgement]:
    """Heals, and looks a second time; what was done, and the word on it. ``settled`` as ``heal`` takes it: then the
    second time nothing is written, and of the walks ``beside`` (ids in lower case, asked for once all was read), which
    are written meanwhile, nothing is said. Raises as ``heal`` the first time; a second one that fails is told."""
    deleted, own = writes.deleted[Side.API], writes.direct
    live = settled is not None
    done = await heal(endpoints, direction, apply=True, deleted=deleted, own=own, settled=settled)
    try:
        left = await heal(endpoints, direction, apply=not live, deleted=deleted, own=own, settled=settled)
    except (PartDied, NotAsNamed, TooManyWalks) as error:  # what the evidence refuses ends the run
        return done, unreconciled(done.told, of_error(error))
    return done, healed(done, without(left, beside()))
