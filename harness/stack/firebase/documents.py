"""Firestore documents as they lie in the emulator, with the type of every value.

Documents to be written to the emulator, whole, with the type of every value.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import msgspec

from harness.base.errors import PartDied
from harness.model.message import message
from harness.model.stack import COLLECTION, Address

_KINDS: dict[type, str] = {str: "string", bool: "boolean", int: "integer", float: "double", datetime: "timestamp"}


def cell(value: Value) -> dict[str, Any]:
    """The value as Google's generated client takes it."""
    if value.kind == "array":
        return {"array_value": {"values": [cell(each) for each in value.value]}}
    if value.kind == "map":
        return {"map_value": {"fields": cells(value.value)}}
    if value.kind == "null":
        return {"null_value": 0}
    return {f"{value.kind}_value": value.value}


def cells(fields: Mapping[str, Value]) -> dict[str, Any]:
    """The fields of a document."""
    return {name: cell(value) for name, value in fields.items()}


def plain(value: Value) -> Any:
    """What the official client would give for it, as ``harness.migration`` reads a document."""
    match value.kind:
        case "array":
            return [plain(each) for each in value.value]
        case "map":
            return plain_fields(value.value)
        case "null":
            return None
        case "geo_point":
            return {"latitude": value.value.latitude, "longitude": value.value.longitude}
        case "reference":
            return DocumentReference(value.value)
    return value.value


def plain_fields(fields: Fields) -> dict[str, Any]:
    """A document as the official client gives it."""
    return {name: plain(value) for name, value in fields.items()}


def typed(value: object) -> Value:
    """A value as Google's client writes it, with its type."""
    if kind := _KINDS.get(type(value)):
        return Value(kind, value)
    if value is None:
        return Value("null", 0)
    if isinstance(value, Mapping):
        return Value("map", {name: typed(each) for name, each in value.items()})
    assert isinstance(value, Sequence), f"nothing writes a {type(value)}"
    return Value("array", [typed(each) for each in value])


def fill(target: Any, fields: Mapping[str, Any]) -> None:
    """Fills the fields of a protocol buffer with what Google's client would be given, at a tenth of its cost."""
    for name, value in fields.items():
        _fill(target[name], value)


def _fill(cell: Any, value: Any) -> None:
    if value is None:
        cell.null_value = 0
    elif isinstance(value, bool):
        cell.boolean_value = value
    elif isinstance(value, float):
        cell.double_value = value
    elif isinstance(value, int):
        cell.integer_value = value
    elif isinstance(value, str):
        cell.string_value = value
    elif isinstance(value, datetime):
        cell.timestamp_value.FromDatetime(value)
    elif isinstance(value, Mapping):
        cell.map_value.SetInParent()
        fill(cell.map_value.fields, value)
    else:
        cell.array_value.SetInParent()
        for each in value:
            _fill(cell.array_value.values.add(), each)


_BATCH = 50  # documents a request: the emulator answers about 50 requests/s, and a walk's document may be 100 kB
_BATCH_TIMEOUT_S = 20.0  # the emulator is one thread, and takes seconds for a document of 20,000 locations
PAGE = 50  # documents a query
_KEYS_PAGE = 1_000  # documents without their fields
_COUNT_TIMEOUT_S = 5.0  # a count is for the eye alone
_PAGE_TIMEOUT_S = 60.0  # 100 documents near Firestore's limit
#: What gRPC reads of an answer before it is asked to: three walks' documents by default, and then the sender waits.
_LOOKAHEAD_BYTES = 8 << 20
_NAME = "__name__"
CONSENTS = "consents"  # of every user, as a group of collections


class Value(msgspec.Struct, frozen=True):
    """A Firestore value. ``kind`` is string, double, integer, timestamp, boolean, null, array, map, ..."""

    kind: str
    value: Any

    def __str__(self) -> str:
        if self.kind == "array":
            return "[" + ", ".join(map(str, self.value)) + "]"
        if self.kind == "map":
            return "{" + ", ".join(f"{name}: {value}" for name, value in self.value.items()) + "}"
        return f"{self.kind} {self.value!r}" if self.kind != "timestamp" else f"timestamp {self.value.isoformat()}"


Fields = dict[str, Value]


class DocumentReference(msgspec.Struct, frozen=True):
    """A reference as a plain value: a document's path in the project, and no text."""

    path: str

    def __str__(self) -> str:
        return self.path


class StoredDocument(msgspec.Struct, frozen=True):
    """A document as it was read; ``version`` is Firestore's own time of its last write, a protocol buffer."""

    fields: Fields
    version: Any


class DocumentPage(msgspec.Struct, frozen=True):
    """Documents as protocol buffers, by path, and when Firestore read them, by its own clock."""

    documents: Sequence[Any]
    read_at: datetime


class Documents:
    """Reads ``walks/<id>``. Google's own generated client, without its retries; gRPC is imported late.

    Without an ``address`` it is Firestore itself, by ``credentials`` of Google's.
    """

    def __init__(self, address: Address | None, project_id: str, credentials: Any = None) -> None:
        self._address = address
        self._credentials = credentials
        self._database = f"projects/{project_id}/databases/(default)"
        self._root = f"{self._database}/documents"
        self._folder = f"{self._root}/{COLLECTION}/"
        self._metadata = [("google-cloud-resource-prefix", self._database)]
        if address is not None:
            self._metadata.append(("authorization", "Bearer owner"))
        self._channel: Any = None
        self._client: Any = None

    async def get(self, document_id: str) -> Fields | None:
        """The fields of the document, ``None`` when there is none. Raises ``PartDied`` when Firestore fails."""
        return (await self.get_many([document_id])).get(document_id)

    async def get_many(self, document_ids: Sequence[str]) -> dict[str, Fields]:
        """Those of the documents that exist, by id; asked for in batches.

        Raises ``PartDied``.
        """
        found: dict[str, Fields] = {}
        for start in range(0, len(document_ids), _BATCH):
            paths = [f"{COLLECTION}/{each}" for each in document_ids[start : start + _BATCH]]
            found |= {self._id(raw): _fields(raw.fields) for raw in await self.raw_many(paths)}
        return found

    async def all(self) -> dict[str, Fields]:
        """Every walk's document by id. Raises ``PartDied``."""
        return {name: fields async for name, fields in self.each()}

    async def held(self) -> dict[str, StoredDocument]:
        """The same with their versions, for ``put_over`` and ``delete_seen``. Raises ``PartDied``."""
        async with aclosing(self.raw(COLLECTION)) as documents:
            return {self._id(raw): StoredDocument(_fields(raw.fields), raw.update_time) async for raw in documents}

    async def each(self) -> AsyncIterator[tuple[str, Fields]]:
        """The same, one by one. Raises ``PartDied``."""
        async with aclosing(self.raw(COLLECTION)) as documents:
            async for raw in documents:
                yield self._id(raw), _fields(raw.fields)

    def path(self, raw: Any) -> str:
        """Of a document, below the database."""
        return str(raw.name).removeprefix(f"{self._root}/")

    def _id(self, raw: Any) -> str:
        return str(raw.name).removeprefix(self._folder)

    async def raw(self, collection: str, after: str = "") -> AsyncGenerator[Any]:
        """Every document of the collection, or of the group ``CONSENTS``, whose path comes behind ``after``, by path.

        As protocol buffers. Raises ``PartDied``.
        """
        async with aclosing(self.pages(collection, after)) as pages:
            async for page in pages:
                for document in page.documents:
                    yield document

    async def pages(self, collection: str, after: str = "", *, keys: bool = False) -> AsyncGenerator[DocumentPage]:
        """They by pages: a query holds up everybody else until its last document. The next one is asked for while
        one is used. ``keys``: without their fields, but with Firestore's times of them. Raises ``PartDied``."""
        size = _KEYS_PAGE if keys else PAGE
        asked = asyncio.ensure_future(self._page(collection, after, size, keys=keys))
        try:
            while True:
                page = await asked
                if len(page.documents) < size:
                    yield page
                    return
                last = self.path(page.documents[-1])
                asked = asyncio.ensure_future(self._page(collection, last, size, keys=keys))
                yield page
        finally:
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)

    async def now(self) -> datetime:
        """Firestore's own time. Raises ``PartDied``."""
        return (await self._page(COLLECTION, "", 1, keys=True)).read_at

    async def count(self, collection: str, after: str = "") -> int | None:
        """How many documents ``raw`` would read, ``None`` where Firestore does not say: one read of its bill for each
        1,000. Raises ``PartDied``."""
        counted = {
            "structured_query": self._behind(collection, after), "aggregations": [{"alias": "documents", "count": {}}],
        }  # fmt: skip
        request = {"parent": self._root, "structured_aggregation_query": counted}
        answers = await self._all(self._open().run_aggregation_query, request, _COUNT_TIMEOUT_S)
        told = (each.result.aggregate_fields for each in answers)  # one that tells its progress alone has no result
        return next((int(fields["documents"].integer_value) for fields in told if "documents" in fields), None)

    def _behind(self, collection: str, after: str) -> dict[str, Any]:
        """The query for the documents whose path comes behind ``after``, by path."""
        chosen = {"collection_id": collection, "all_descendants": collection == CONSENTS}
        query: dict[str, Any] = {"from": [chosen], "order_by": [{"field": {"field_path": _NAME}, "direction": 1}]}
        if after:
            query["start_at"] = {"values": [{"reference_value": f"{self._root}/{after}"}], "before": False}
        return query

    async def _page(self, collection: str, after: str, size: int, *, keys: bool) -> DocumentPage:
        query = self._behind(collection, after) | {"limit": size}
        if keys:
            query["select"] = {"fields": [{"field_path": _NAME}]}
        client = self._open()
        answers = await self._all(client.run_query, {"parent": self._root, "structured_query": query}, _PAGE_TIMEOUT_S)
        found = [answer.document for answer in answers if answer.document.name]
        return DocumentPage(found, answers[-1].read_time.ToDatetime(tzinfo=UTC))

    async def raw_many(self, paths: Sequence[str]) -> list[Any]:
        """Those of the documents that exist, as protocol buffers; in one request. Raises ``PartDied``."""
        request = {"database": self._database, "documents": [f"{self._root}/{each}" for each in paths]}
        answers = await self._all(self._open().batch_get_documents, request, _BATCH_TIMEOUT_S)
        return [answer.found for answer in answers if answer.found.name]

    async def _all(self, ask: Any, request: dict[str, Any], timeout_s: float) -> list[Any]:
        """A streamed answer to its end, as protocol buffers."""
        from google.api_core.exceptions import GoogleAPICallError

        try:
            stream = await ask(request=request, metadata=self._metadata, timeout=timeout_s, retry=None)
            return [type(answer).pb(answer) async for answer in stream]
        except GoogleAPICallError as error:
            raise self._failed(error) from error

    async def put(self, document_id: str, fields: Fields) -> None:
        """Writes the whole document. Raises ``PartDied``."""
        await self._commit(self._whole(document_id, fields))

    async def put_over(self, document_id: str, fields: Fields, seen: StoredDocument | None) -> bool:
        """The same only where the document is as it was ``seen`` (``None``: it was not there); whether it was.

        Raises ``PartDied``.
        """
        condition = {"exists": False} if seen is None else {"update_time": seen.version}
        return await self._commit_if(self._whole(document_id, fields) | {"current_document": condition})

    async def put_all(self, documents: Mapping[str, Mapping[str, Any]]) -> None:
        """Writes whole documents, by path, in one commit; as Google's client is given them. Raises ``PartDied``."""
        from google.cloud.firestore_v1.types import CommitRequest

        request = CommitRequest.pb()(database=self._database)
        for path, fields in documents.items():
            document = request.writes.add().update
            document.name = f"{self._root}/{path}"
            fill(document.fields, fields)
        await self._send(CommitRequest.wrap(request))

    async def delete(self, document_id: str) -> None:
        """Deletes the document, if there is one. Raises ``PartDied``."""
        await self._commit({"delete": f"{self._folder}{document_id}"})

    async def delete_seen(self, document_id: str, seen: StoredDocument) -> bool:
        """Deletes the document only where it is as it was ``seen``; whether it was. Raises ``PartDied``."""
        write = {"delete": f"{self._folder}{document_id}", "current_document": {"update_time": seen.version}}
        return await self._commit_if(write)

    def _whole(self, document_id: str, fields: Fields) -> dict[str, Any]:

        return {"update": {"name": f"{self._folder}{document_id}", "fields": cells(fields)}}

    async def _commit(self, write: dict[str, Any]) -> None:
        await self._send({"database": self._database, "writes": [write]})

    async def _commit_if(self, write: dict[str, Any]) -> bool:
        """Whether the document was as the write's precondition wants it."""
        from google.api_core.exceptions import Aborted, AlreadyExists, FailedPrecondition, NotFound

        try:
            await self._commit(write)
        except PartDied as error:
            if isinstance(error.__cause__, (FailedPrecondition, AlreadyExists, NotFound, Aborted)):
                return False
            raise
        return True

    async def _send(self, request: Any) -> None:
        from google.api_core.exceptions import GoogleAPICallError

        try:
            await self._open().commit(request=request, metadata=self._metadata, timeout=_BATCH_TIMEOUT_S, retry=None)
        except GoogleAPICallError as error:
            raise self._failed(error) from error

    async def close(self) -> None:
        """Ends the channel; idempotent."""
        if self._channel is not None:
            await self._channel.close()
            self._channel = self._client = None

    def _failed(self, error: Exception) -> PartDied:
        return PartDied(
            message("Firestore failed: {why}", why=str(error)),
            where=str(self._address or self._database),
            remedy="read firestore.log",
        )

    def _open(self) -> Any:
        if self._client is None:
            import grpc.aio
            from google.cloud.firestore_v1.services.firestore import FirestoreAsyncClient
            from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcAsyncIOTransport

            if self._address is None:
                transport = FirestoreGrpcAsyncIOTransport(credentials=self._credentials)
                self._channel = transport.grpc_channel
            else:
                options = [("grpc.http2.lookahead_bytes", _LOOKAHEAD_BYTES)]
                self._channel = grpc.aio.insecure_channel(str(self._address), options=options)
                transport = FirestoreGrpcAsyncIOTransport(channel=self._channel)
            self._client = FirestoreAsyncClient(transport=transport)
        return self._client


def _fields(held: Any) -> Fields:
    return {name: _value(held[name]) for name in held}


def _value(cell: Any) -> Value:
    kind = cell.WhichOneof("value_type").removesuffix("_value")
    if kind == "array":
        return Value(kind, [_value(each) for each in cell.array_value.values])
    if kind == "map":
        return Value(kind, _fields(cell.map_value.fields))
    if kind == "timestamp":
        return Value(kind, cell.timestamp_value.ToDatetime(tzinfo=UTC))
    return Value(kind, getattr(cell, f"{kind}_value"))


def instant(text: str) -> datetime:
    """An RFC 3339 time of the contract, in UTC. Raises ``ValueError``."""
    return datetime.fromisoformat(text).astimezone(UTC)
