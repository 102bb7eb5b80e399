"""Firestore documents as they lie in the emulator, with the type of every value."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from harness.base.errors import PartDied
from harness.model.stack import COLLECTION, Address

_TIMEOUT_S = 20.0  # the emulator is one thread, and takes seconds for a document of 20,000 locations
_BATCH = 50  # documents a request: the emulator answers about 50 requests/s, and a walk's document may be 100 kB
_BATCH_TIMEOUT_S = 20.0
PAGE = 50  # documents a query: the emulator answers nobody else while it makes them
_PAGE_TIMEOUT_S = 60.0  # 100 documents near Firestore's limit
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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


class Document(msgspec.Struct, frozen=True, kw_only=True):
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
        return (await self._read([document_id], _TIMEOUT_S)).get(document_id)

    async def get_many(self, document_ids: Sequence[str]) -> dict[str, Fields]:
        """Those of the documents that exist, by id; asked for in batches.

        Raises ``PartDied``.
        """
        found: dict[str, Fields] = {}
        for start in range(0, len(document_ids), _BATCH):
            found |= await self._read(document_ids[start : start + _BATCH], _BATCH_TIMEOUT_S)
        return found

    async def all(self) -> dict[str, Fields]:
        """Every walk's document by id. Raises ``PartDied``."""
        return {name: fields async for name, fields in self.each()}

    async def each(self) -> AsyncIterator[tuple[str, Fields]]:
        """The same, one by one. Raises ``PartDied``."""
        async for raw in self.raw(COLLECTION, ""):
            yield raw.name.removeprefix(self._folder), _fields(raw.fields)

    async def bulk(self, collection: str = COLLECTION, after: str = "") -> AsyncIterator[Document]:
        """Every document of the collection, or of the group ``CONSENTS``, whose path comes behind ``after``, by path.

        Raises ``PartDied``.
        """
        async for raw in self.raw(collection, after):
            yield Document(
                path=raw.name.removeprefix(f"{self._root}/"),
                fields=_plain(raw.fields),
                created=_time(raw.create_time),
                updated=_time(raw.update_time),
            )

    async def raw(self, collection: str, after: str) -> AsyncIterator[Any]:
        """They as protocol buffers. By pages: a query holds up everybody else until its last document."""
        from google.api_core.exceptions import GoogleAPICallError

        chosen = {"collection_id": collection, "all_descendants": collection == CONSENTS}
        query: dict[str, Any] = {"from": [chosen], "order_by": [{"field": {"field_path": "__name__"}, "direction": 1}]}
        last = f"{self._root}/{after}" if after else ""
        while True:
            if last:
                query["start_at"] = {"values": [{"reference_value": last}], "before": False}
            request = {"parent": self._root, "structured_query": {**query, "limit": PAGE}}
            count = 0
            try:
                stream = await self._open().run_query(
                    request=request, metadata=self._metadata, timeout=_PAGE_TIMEOUT_S, retry=None
                )
                async for answer in stream:
                    if (raw := type(answer).pb(answer).document).name:
                        count, last = count + 1, raw.name
                        yield raw
            except GoogleAPICallError as error:
                raise self._failed(error) from error
            if count < PAGE:
                return

    async def put(self, document_id: str, fields: Fields) -> None:
        """Writes the whole document. Raises ``PartDied``."""
        from harness.stack.firebase.document_writes import cells

        document = {"name": f"{self._folder}{document_id}", "fields": cells(fields)}
        await self._commit({"update": document})

    async def put_all(self, documents: Mapping[str, Mapping[str, Any]]) -> None:
        """Writes whole documents, by path, in one commit; as Google's client is given them. Raises ``PartDied``."""
        from google.cloud.firestore_v1.types import CommitRequest

        from harness.stack.firebase.document_writes import fill

        request = CommitRequest.pb()(database=self._database)
        for path, fields in documents.items():
            document = request.writes.add().update
            document.name = f"{self._root}/{path}"
            fill(document.fields, fields)
        await self._send(CommitRequest.wrap(request))

    async def delete(self, document_id: str) -> None:
        """Deletes the document, if there is one. Raises ``PartDied``."""
        await self._commit({"delete": f"{self._folder}{document_id}"})

    async def _commit(self, write: dict[str, Any]) -> None:
        await self._send({"database": self._database, "writes": [write]})

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

    async def _read(self, document_ids: Sequence[str], timeout_s: float) -> dict[str, Fields]:
        from google.api_core.exceptions import GoogleAPICallError

        folder = self._folder
        request: dict[str, Any] = {"database": self._database, "documents": [folder + each for each in document_ids]}
        found: dict[str, Fields] = {}
        try:
            stream = await self._open().batch_get_documents(
                request=request, metadata=self._metadata, timeout=timeout_s, retry=None
            )
            async for answer in stream:
                if answer.found.name:
                    document = type(answer.found).pb(answer.found)
                    found[document.name.removeprefix(folder)] = _fields(document.fields)
        except GoogleAPICallError as error:
            raise self._failed(error) from error
        return found

    def _failed(self, error: Exception) -> PartDied:
        return PartDied(
            f"Firestore failed: {error}", where=str(self._address or self._database), remedy="read firestore.log"
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
                self._channel = grpc.aio.insecure_channel(str(self._address))
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


def _plain(held: Any) -> dict[str, Any]:
    """Fields as Google's client gives them, without the types: in bulk, where ``Value`` would cost the most."""
    return {name: _read(held[name]) for name in held}


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
    return None if kind in ("null_value", None) else getattr(cell, kind)


def _time(held: Any) -> datetime:
    """To the microsecond below, as ``ToDatetime``, at a quarter of its cost."""
    return _EPOCH + timedelta(seconds=held.seconds, microseconds=held.nanos // 1000)


def instant(text: str) -> datetime:
    """An RFC 3339 time of the contract, in UTC. Raises ``ValueError``."""
    return datetime.fromisoformat(text).astimezone(UTC)
