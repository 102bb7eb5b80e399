"""Documents read in bulk, as batches of rows: what is refused stands beside what can be loaded."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import datetime, tzinfo

import msgspec

from harness.migration.convert import Refused, WalkRows, consent_row, consent_unknown, walk_rows
from harness.migration.source import Document
from harness.model.message import Message, message
from harness.model.stack import COLLECTION

BATCH_DOCUMENTS = 200
#: A batch is a transaction, and what it has locked the API waits for.
BATCH_LOCATIONS = 20_000


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the file of rejects: the document's path, the field, and why it was not moved, in English; ``told`` is
    the same for whoever speaks another language."""

    document: str
    field: str
    why: str
    told: Message


def refusal(document: str, why: Message, field: str = "") -> Refusal:
    """Of the document at that path."""
    return Refusal(document=document, field=field, why=str(why), told=why)


class Batch(msgspec.Struct, kw_only=True):
    """A range of documents, up to the path ``through``: rows by document id (consents by path), and what was
    refused."""

    through: str = ""
    walks: dict[str, WalkRows] = {}
    consents: dict[str, tuple] = {}  # type: ignore[type-arg]  # rows, by ``CONSENT_COLUMNS``
    refused: list[Refusal] = []
    unknown: list[str] = []  # fields of consents that have no column; those of a walk are with its rows
    documents: int = 0
    locations: int = 0
    #: Of each walk the document that counts and its version, of the batches before, too.
    _read: dict[uuid.UUID, tuple[str, datetime]] = {}

    @property
    def full(self) -> bool:
        """Whether it is to be loaded."""
        return self.documents >= BATCH_DOCUMENTS or self.locations >= BATCH_LOCATIONS

    def add(self, document: Document, zone: tzinfo | None) -> None:
        """One document more, or why it is refused."""
        self.through, self.documents = document.path, self.documents + 1
        try:
            if document.path == f"{COLLECTION}/{document.name}":
                rows = walk_rows(
                    document.name, document.fields, created=document.created, updated=document.updated, zone=zone
                )
                self.take(document.name, rows)
            else:
                self.consents[document.path] = consent_row(
                    document.name, _user_of(document.path), document.fields, zone=zone
                )
                self.unknown += consent_unknown(document.fields)
        except Refused as error:
            self.refused.append(refusal(document.path, error.why, error.field))

    def take(self, name: str, rows: WalkRows) -> None:
        """A walk's rows. Of two documents of one walk (their names differ in their letters' case) the later counts."""
        if (twin := self._read.get(rows.id)) is not None:
            other, version = twin
            older = name if rows.version <= version else other
            why = message("another document of the same walk is later")
            self.refused.append(refusal(f"{COLLECTION}/{older}", why))
            if older == name:
                return
            self.walks.pop(other, None)
        self._read[rows.id], self.walks[name] = (name, rows.version), rows
        self.locations += len(rows.locations)


def _user_of(path: str) -> str:
    """Whose consent lies there; the group has all collections of its name, wherever. Raises ``Refused``."""
    match path.split("/"):
        case ["users", user, _, _]:
            return user
    raise Refused("", message("lies below no user, and is nobody's consent"))


async def batches(
    documents: AsyncIterator[Document], zone: tzinfo | None = None
) -> AsyncGenerator[tuple[Batch, bool], None]:
    """The documents by batches, and whether each is the last; the last may be empty."""
    read: dict[uuid.UUID, tuple[str, datetime]] = {}
    batch = Batch(_read=read)
    async for document in documents:
        if batch.full:
            yield batch, False
            batch = Batch(_read=read)
        batch.add(document, zone)
    yield batch, True
