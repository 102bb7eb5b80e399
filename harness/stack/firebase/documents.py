"""Firestore documents as they lie in the emulator, with the type of every value."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from harness.base.errors import PartDied
from harness.model.stack import COLLECTION, Address

_TIMEOUT_S = 20.0  # the emulator is one thread, and takes seconds for a document of 20,000 locations
_BATCH = 50  # documents a request: the emulator answers about 50 requests/s, and a walk's document may be 100 kB
_BATCH_TIMEOUT_S = 20.0
_ALL_TIMEOUT_S = 120.0


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


class Documents:
    """Reads ``walks/<id>``. Google's own generated client, without its retries; gRPC is imported late."""

    def __init__(self, address: Address, project_id: str) -> None:
        self._address = address
        self._database = f"projects/{project_id}/databases/(default)"
        self._folder = f"{self._database}/documents/{COLLECTION}/"
        self._metadata = [("google-cloud-resource-prefix", self._database), ("authorization", "Bearer owner")]
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
        """Every document by id, in one pass: the emulator takes as long for a document as for its name.

        Raises ``PartDied``.
        """
        from google.api_core.exceptions import GoogleAPICallError

        # Not ListDocuments, which the emulator does not know.
        query = {"from": [{"collection_id": COLLECTION}]}
        request = {"parent": f"{self._database}/documents", "structured_query": query}
        found: dict[str, Fields] = {}
        try:
            stream = await self._open().run_query(
                request=request, metadata=self._metadata, timeout=_ALL_TIMEOUT_S, retry=None
            )
            async for answer in stream:
                if answer.document.name:
                    document = type(answer.document).pb(answer.document)
                    found[document.name.removeprefix(self._folder)] = _fields(document.fields)
        except GoogleAPICallError as error:
            raise self._failed(error) from error
        return found

    async def put(self, document_id: str, fields: Fields) -> None:
        """Writes the whole document. Raises ``PartDied``."""
        from harness.stack.firebase.document_writes import cells

        document = {"name": f"{self._folder}{document_id}", "fields": cells(fields)}
        await self._commit({"update": document})

    async def delete(self, document_id: str) -> None:
        """Deletes the document, if there is one. Raises ``PartDied``."""
        await self._commit({"delete": f"{self._folder}{document_id}"})

    async def _commit(self, write: dict[str, Any]) -> None:
        from google.api_core.exceptions import GoogleAPICallError

        try:
            await self._open().commit(
                request={"database": self._database, "writes": [write]},
                metadata=self._metadata,
                timeout=_BATCH_TIMEOUT_S,
                retry=None,
            )
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
            f"the Firestore emulator failed: {error}", where=str(self._address), remedy="read firestore.log"
        )

    def _open(self) -> Any:
        if self._client is None:
            import grpc.aio
            from google.cloud.firestore_v1.services.firestore import FirestoreAsyncClient
            from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcAsyncIOTransport

            self._channel = grpc.aio.insecure_channel(str(self._address))
            self._client = FirestoreAsyncClient(transport=FirestoreGrpcAsyncIOTransport(channel=self._channel))
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
