"""Firestore as a migration reads it: whole collections by path, or by their keys only what was written since.

Documents read in bulk, as batches of rows: what is refused stands beside what can be loaded.
"""

from __future__ import annotations

import asyncio
import ipaddress
import uuid
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import msgspec

from harness.base.errors import BadInput, PartDied
from harness.base.message import nearest
from harness.migration.convert import Unconvertible, WalkRows, consent_row, consent_unknown, walk_rows
from harness.model.message import Message, gettext_noop, message
from harness.model.stack import COLLECTION, Address, Endpoints
from harness.stack.firebase.documents import DocumentReference, Documents

# Where a migration reads and writes, as the environment contract says it (docs/contract/environment.md#migrator).
# Whatever is not on this machine is refused unless it is asked for by name: a migration into the wrong database is
# worse than none. Passwords and credentials come by variables and files alone, never by the command line.

UNTRIED = gettext_noop(
    "beyond this machine: a production Firestore, Auth or PostgreSQL was never tried, only emulators and a PostgreSQL "
    "of this machine; take a backup first, and begin with --dry-run"
)


#: What is read of the contract's variables: a mistyped one is none of these.
_READ = (
    *("FIREBASE_PROJECT_ID", "GOOGLE_CLOUD_PROJECT", "DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "DB_NAME"),
    *("DB_SSLMODE", "FIRESTORE_EMULATOR_HOST", "FIREBASE_AUTH_EMULATOR_HOST", "FIREBASE_CREDENTIALS_PATH"),
)
#: As libpq has them.
_SSLMODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


class StorePlaces(msgspec.Struct, frozen=True, kw_only=True):
    """``firestore`` and ``auth`` are emulators; without them it is Firebase itself, by the file of ``credentials``."""

    project_id: str
    login: dict[str, Any]
    firestore: Address | None = None
    auth: Address | None = None
    credentials: str = ""

    @property
    def beyond(self) -> tuple[str, ...]:
        """What is not on this machine, for people."""
        host = str(self.login["host"])
        found = [] if _is_here(host) else [f"PostgreSQL on {host}"]
        for name, address in (("Firestore", self.firestore), ("Firebase Auth", self.auth)):
            if address is None:
                found.append(f"{name} of the project {self.project_id}")
            elif not _is_here(address.host):
                found.append(f"{name} on {address.host}")
        return tuple(found)

    def firebase_credentials(self) -> Any:
        """What ``firebase_admin`` takes; ``None`` against emulators. Raises ``BadInput`` for a file that is none."""
        if self.auth is not None and self.firestore is not None:
            return None
        from firebase_admin import credentials
        from google.auth.exceptions import GoogleAuthError

        try:
            found = credentials.Certificate(self.credentials) if self.credentials else credentials.ApplicationDefault()
            found.get_credential()  # Google's own are looked for only here
        except (OSError, ValueError, GoogleAuthError) as error:
            raise BadInput(
                message("no credentials of Google's can be read: {error}", error=str(error)),
                where="FIREBASE_CREDENTIALS_PATH",
                remedy="name a service account's key file, or log in: gcloud auth application-default login",
            ) from None
        return found


def of_endpoints(endpoints: Endpoints) -> StorePlaces:
    """Those of a stack."""
    return StorePlaces(
        project_id=endpoints.project_id,
        login={**endpoints.login, "ssl": False},
        firestore=endpoints.firestore,
        auth=endpoints.auth,
    )


def of_environment(variables: Mapping[str, str]) -> StorePlaces:
    """Those that the contract's variables say. Raises ``BadInput`` for one that is missing or is none."""

    def needed(name: str, *others: str) -> str:
        found = next((variables[each] for each in (name, *others) if variables.get(each)), "")
        if not found:
            near = nearest(name, sorted(each for each in variables if each not in _READ))
            raise BadInput(
                message("{name} is not set{near}", name=name, near=near),
                where=message("the environment"),
                remedy="docs/contract/environment.md says all",
            )
        return found

    port = variables.get("DB_PORT") or "5432"
    if not _is_port(port):
        raise BadInput(
            message("DB_PORT is {port}, and no port", port=repr(port)),
            where=message("the environment"),
            remedy="docs/contract/environment.md says all",
        )
    sslmode = variables.get("DB_SSLMODE") or "prefer"
    if sslmode not in _SSLMODES:
        told = {"value": repr(sslmode), "names": ", ".join(_SSLMODES), "near": nearest(sslmode, _SSLMODES)}
        raise BadInput(
            message("DB_SSLMODE: {value} is none of {names}{near}", **told),
            where=message("the environment"),
            remedy="docs/contract/environment.md says all",
        )
    return StorePlaces(
        project_id=needed("FIREBASE_PROJECT_ID", "GOOGLE_CLOUD_PROJECT"),
        login={
            "host": needed("DB_HOST"),
            "port": int(port),
            "user": needed("DB_USER"),
            "password": variables.get("DB_PASSWORD", ""),
            "database": needed("DB_NAME"),
            "ssl": False if sslmode == "disable" else sslmode,
        },
        firestore=_address(variables, "FIRESTORE_EMULATOR_HOST"),
        auth=_address(variables, "FIREBASE_AUTH_EMULATOR_HOST"),
        credentials=variables.get("FIREBASE_CREDENTIALS_PATH", ""),
    )


def _address(variables: Mapping[str, str], name: str) -> Address | None:
    text = variables.get(name, "")
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not host or not _is_port(port):
        raise BadInput(
            message("{name} is {given}, and not HOST:PORT", name=name, given=repr(text)),
            where=message("the environment"),
            remedy="docs/contract/environment.md says all",
        )
    return Address(host=host, port=int(port))


def _is_port(text: str) -> bool:
    return text.isdecimal() and 0 < int(text) < 65_536


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


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

    def add(self, document: SourceDocument, zone: tzinfo | None) -> None:
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
        except Unconvertible as error:
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
    """Whose consent lies there; the group has all collections of its name, wherever. Raises ``Unconvertible``."""
    match path.split("/"):
        case ["users", user, _, _]:
            return user
    raise Unconvertible("", message("lies below no user, and is nobody's consent"))


async def batches(
    documents: AsyncIterator[SourceDocument], zone: tzinfo | None = None
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


_READERS = 4  # batches that are asked for at once
_BATCH = 50  # documents of each
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SourceDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document as it is read in bulk: its path below the database, its fields as Google's client gives them, and
    Firestore's own times of it."""

    path: str
    fields: dict[str, Any]
    created: datetime
    updated: datetime

    @property
    def name(self) -> str:
        """Its id within its collection."""
        return self.path.rpartition("/")[2]


class DocumentSource:
    """Reads by ``documents``. A kind is a collection, or the group ``CONSENTS``."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def whole(self, kind: str = COLLECTION, after: str = "") -> AsyncGenerator[SourceDocument]:
        """Every document whose path comes behind ``after``, by path. Raises ``PartDied``."""
        async with aclosing(self._documents.raw(kind, after)) as found:
            async for raw in found:
                yield self._document(raw)

    async def count(self, kind: str, after: str = "") -> int | None:
        """How many documents ``whole`` will read; ``None`` where Firestore does not say so in time."""
        try:
            return await self._documents.count(kind, after)
        except PartDied:  # of a store that does not answer, the reading itself says it
            return None

    async def keys(self, kind: str) -> dict[str, datetime]:
        """Every document's path, and when it was last written by Firestore's clock. Raises ``PartDied``."""
        async with aclosing(self._documents.pages(kind, keys=True)) as pages:
            return {self._documents.path(raw): _time(raw.update_time) async for page in pages for raw in page.documents}

    async def named(self, paths: Sequence[str]) -> AsyncGenerator[SourceDocument]:
        """Those of the documents that exist, in this order; some batches of them are asked for at once.

        Raises ``PartDied``.
        """
        parts = iter([paths[first : first + _BATCH] for first in range(0, len(paths), _BATCH)])
        asked: deque[asyncio.Task[list[Any]]] = deque()
        try:
            while True:
                while len(asked) < _READERS and (part := next(parts, None)) is not None:
                    asked.append(asyncio.ensure_future(self._documents.raw_many(part)))
                if not asked:
                    return
                found = {self._documents.path(raw): raw for raw in await asked[0]}
                asked.popleft()
                for _, raw in sorted(found.items()):
                    yield self._document(raw)
        finally:
            for each in asked:
                each.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def there(self, names: Sequence[str]) -> set[str]:
        """Those of the walks' documents, by id, that exist. Raises ``PartDied``."""
        return set(await self._documents.get_many(names))

    async def now(self) -> datetime:
        """Firestore's own time."""
        return await self._documents.now()

    def _document(self, raw: Any) -> SourceDocument:
        return SourceDocument(
            path=self._documents.path(raw),
            fields=_plain(raw.fields),
            created=_time(raw.create_time),
            updated=_time(raw.update_time),
        )


def _plain(held: Any) -> dict[str, Any]:
    """Fields as Google's client gives them, without the types: in bulk, where ``Value`` would cost the most.

    Most cells are numbers: one that is not 0.0 needs no look at its kind.
    """
    return {name: cell.double_value or _read(cell) for name, cell in held.items()}


def _read(cell: Any) -> Any:
    kind = cell.WhichOneof("value_type")
    if kind == "double_value":
        return cell.double_value
    if kind == "timestamp_value":
        return _time(cell.timestamp_value)
    if kind == "map_value":
        return _plain(cell.map_value.fields)
    if kind == "array_value":
        return [_read(each) for each in cell.array_value.values]
    if kind == "geo_point_value":
        return {"latitude": cell.geo_point_value.latitude, "longitude": cell.geo_point_value.longitude}
    found: Any = None if kind in ("null_value", None) else getattr(cell, kind)
    return DocumentReference(found) if kind == "reference_value" else found


def _time(held: Any) -> datetime:
    """To the microsecond below, as ``ToDatetime``, at a quarter of its cost."""
    return _EPOCH + timedelta(seconds=held.seconds, microseconds=held.nanos // 1000)
