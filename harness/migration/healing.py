"""What it takes to make PostgreSQL and Firestore agree, in a stated direction, and the word on it. Pure.

The direction says which side is copied from. Nothing newer is ever overwritten: a document written after its walk (by
the app itself, once the flag was off) is named when PostgreSQL is copied, and is what is copied the other way, where a
document that differs and is not newer is named. So whatever differs is either healed or named. A
document without a walk is either a deleted walk's or one that the app made itself: it is deleted only when the
evidence says that the API confirmed its deletion, and is named otherwise. A document that is not in the app's format is
never copied, but named, and so is one that somebody else wrote after it was read. What the evidence knows
the app to have written or deleted itself (``own``) differs because it is to: while PostgreSQL is copied such documents
are neither brought back nor deleted nor named, but counted; only one that is older than its walk is written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from harness.checks.dual_write import StoredWalk, difference, document_id
from harness.migration.convert import Unconvertible, version_of, walk_rows
from harness.migration.statements import Fate
from harness.model.direction import Direction
from harness.model.judgement import Judgement, Kind, Verdict
from harness.model.message import Message, message
from harness.stack.firebase.documents import Fields, plain_fields

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
