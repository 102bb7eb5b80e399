"""The mirror sink on Firestore, with firebase-admin's credentials and Google's own asynchronous Firestore API client.

Documents are built as plain protocol buffers: the convenience client (``firestore.AsyncClient``) spends 65 µs a
location on the event loop, this 7, and a walk's document is written whole each time. gRPC's asyncio runs one poller
thread of its own; nothing here waits on it.

A version is the document's ``update_time``. The one that a write made is remembered, so that a walk whose requests stay
with this pod costs one call a write; else the document is read first, but for its locations.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from typing import Any, NamedTuple

import grpc.aio
from google.api_core.exceptions import Aborted, AlreadyExists, FailedPrecondition, NotFound
from google.cloud.firestore_v1.services.firestore import FirestoreAsyncClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcAsyncIOTransport
from google.cloud.firestore_v1.types import BatchGetDocumentsRequest, CommitRequest

from api import firestore_document
from api.clock import pause
from api.model import WalkDetail
from api.ports import AnotherUsers, Overtaken, refuse_anothers
from api.settings import Settings

RPC_TIMEOUT_S = 4.0  # below the mirror's own limit, so that its error names the cause
LOCATIONS_AT_ONCE = 100
VERSIONS_MAX = 10_000
_OPTIONS = (
    ("grpc.max_reconnect_backoff_ms", 1000),  # an outage ends for the mirror when it ends
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.enable_http_proxy", 0),  # the emulator is on this machine, whatever http_proxy says
)
_Request = CommitRequest.pb()
_Question = BatchGetDocumentsRequest.pb()
#: How Firestore says that a document is not as the write's precondition wants it.
_NOT_AS_SEEN = (FailedPrecondition, AlreadyExists, NotFound, Aborted)


class DocumentTooLarge(Exception):  # noqa: N818 - an outcome
    """Firestore would refuse the document; an emulator might not."""


class Seen(NamedTuple):
    """A document's ``update_time``, a protocol buffer, and whose it is; both ``None`` when there is none."""

    version: Any
    owner: str | None


class FirestoreMirror:
    """One document a walk. See ``api.ports.MirrorSink``."""

    def __init__(self, settings: Settings, app: Any) -> None:
        self._emulator_host = settings.firestore_emulator_host
        self._app = app
        self._database = f"projects/{settings.project_id}/databases/(default)"
        self._metadata: list[tuple[str, str]] = [("google-cloud-resource-prefix", self._database)]
        if self._emulator_host:
            self._metadata.append(("authorization", "Bearer owner"))  # the emulators' word for "past the rules"
        self._transport: Any = None
        self._client: Any = None
        self._versions: OrderedDict[str, Seen] = OrderedDict()  # by walk, as this pod's last write left them

    async def open(self) -> None:
        """Makes the channel; it connects with the first write."""
        if self._emulator_host:
            channel = grpc.aio.insecure_channel(self._emulator_host, options=_OPTIONS)
            self._transport = FirestoreGrpcAsyncIOTransport(channel=channel)
        else:
            self._transport = FirestoreGrpcAsyncIOTransport(credentials=self._app.credential.get_credential())
        self._client = FirestoreAsyncClient(transport=self._transport)

    async def look(self, walk_id: str) -> object:
        """A ``Seen``."""
        if walk_id in self._versions:
            return self._versions[walk_id]
        return Seen(*await self._read(walk_id))

    async def owner(self, walk_id: str) -> str | None:
        """The document's ``user_id``."""
        _, owner = await self._read(walk_id)
        return owner

    async def write(self, walk: WalkDetail, seen: object) -> None:
        """Replaces the whole document."""
        if self._emulator_host and (size := firestore_document.size_bytes(walk)) > firestore_document.SIZE_MAX_BYTES:
            raise DocumentTooLarge(f"{size} bytes with {len(walk.locations)} locations; Firestore takes 1 MiB")
        seen = self._of(seen, walk.id, walk.user_id)
        request = _Request(database=self._database)
        document = request.writes.add().update
        document.name = self._name(walk.id)
        _fill(document.fields, firestore_document.fields(walk))
        values = document.fields["location_data"].array_value
        values.SetInParent()  # always present, also when empty
        for index, location in enumerate(walk.locations):
            _fill(values.values.add().map_value.fields, firestore_document.location_map(location))
            if index % LOCATIONS_AT_ONCE == LOCATIONS_AT_ONCE - 1:
                await pause(0)  # a long walk must not hold up the requests
        await self._commit(walk.id, request, seen, walk.user_id)

    async def delete(self, walk_id: str, seen: object, user_id: str) -> None:
        """Deletes the document; one that is not there is fine."""
        seen = self._of(seen, walk_id, user_id)
        if seen.version is None:
            return
        request = _Request(database=self._database)
        request.writes.add().delete = self._name(walk_id)
        await self._commit(walk_id, request, seen, user_id)

    async def close(self) -> None:
        """Closes the channel."""
        if self._transport is not None:
            await self._transport.close()

    def _of(self, seen: object, walk_id: str, user_id: str | None) -> Seen:
        """Raises ``AnotherUsers`` where the document that was seen is not of ``user_id``, as far as both are known; one
        that was only remembered may have been another pod's to delete: then ``Overtaken``, and the next look asks."""
        if not isinstance(seen, Seen):
            return Seen(None, None)  # nobody looked: there must be none
        try:
            refuse_anothers(seen.owner, user_id)
        except AnotherUsers:
            if self._versions.pop(walk_id, None) is not None:
                raise Overtaken("the document was another user's, as this pod remembers") from None
            raise
        return seen

    def _name(self, walk_id: str) -> str:
        name = firestore_document.document_id(walk_id)
        return f"{self._database}/documents/{firestore_document.COLLECTION}/{name}"

    async def _commit(self, walk_id: str, request: Any, seen: Seen, user_id: str | None) -> None:
        """One write, on the condition that the document is as ``seen``."""
        condition = request.writes[0].current_document
        if seen.version is None:
            condition.exists = False
        else:
            condition.update_time.CopyFrom(seen.version)
        self._versions.pop(walk_id, None)  # until the answer is there nobody knows it
        try:
            answer = await self._client.commit(
                request=CommitRequest.wrap(request), metadata=self._metadata, timeout=RPC_TIMEOUT_S, retry=None
            )
        except _NOT_AS_SEEN as error:
            raise Overtaken(str(error)) from error
        if request.writes[0].WhichOneof("operation") == "update":
            self._versions[walk_id] = Seen(type(answer).pb(answer).write_results[0].update_time, user_id)
            if len(self._versions) > VERSIONS_MAX:
                self._versions.popitem(last=False)

    async def _read(self, walk_id: str) -> tuple[Any, str | None]:
        """Version and ``user_id`` of the document, both ``None`` when there is none."""
        question = _Question(database=self._database, documents=[self._name(walk_id)])
        question.mask.field_paths.append("user_id")
        answers = await self._client.batch_get_documents(
            request=BatchGetDocumentsRequest.wrap(question), metadata=self._metadata, timeout=RPC_TIMEOUT_S, retry=None
        )
        version, owner = None, None
        async for answer in answers:
            plain = type(answer).pb(answer)
            if plain.WhichOneof("result") == "found":
                version = plain.found.update_time
                owner = plain.found.fields["user_id"].string_value if "user_id" in plain.found.fields else None
        return version, owner


def _fill(target: Any, fields: firestore_document.Fields) -> None:
    for name, value in fields.items():
        cell = target[name]
        if isinstance(value, float):
            cell.double_value = value
        elif isinstance(value, str):
            cell.string_value = value
        elif isinstance(value, datetime):
            cell.timestamp_value.FromDatetime(value)
        else:
            cell.integer_value = value
