"""The mirror sink on Firestore, with firebase-admin's credentials and Google's own asynchronous Firestore API client.

Documents are built as plain protocol buffers: the convenience client (``firestore.AsyncClient``) spends 65 µs a
location on the event loop, this 7, and a walk's document is written whole each time. gRPC's asyncio runs one poller
thread of its own; nothing here waits on it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import grpc.aio
from google.cloud.firestore_v1.services.firestore import FirestoreAsyncClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcAsyncIOTransport
from google.cloud.firestore_v1.types import CommitRequest

from api import firestore_document
from api.clock import pause
from api.model import WalkDetail
from api.settings import Settings

RPC_TIMEOUT_S = 4.0  # below the mirror's own limit, so that its error names the cause
LOCATIONS_AT_ONCE = 100
_OPTIONS = (
    ("grpc.max_reconnect_backoff_ms", 1000),  # an outage ends for the mirror when it ends
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.enable_http_proxy", 0),  # the emulator is on this machine, whatever http_proxy says
)
_Request = CommitRequest.pb()


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

    async def open(self) -> None:
        """Makes the channel; it connects with the first write."""
        if self._emulator_host:
            channel = grpc.aio.insecure_channel(self._emulator_host, options=_OPTIONS)
            self._transport = FirestoreGrpcAsyncIOTransport(channel=channel)
        else:
            self._transport = FirestoreGrpcAsyncIOTransport(credentials=self._app.credential.get_credential())
        self._client = FirestoreAsyncClient(transport=self._transport)

    async def write(self, walk: WalkDetail) -> None:
        """Replaces the whole document."""
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
        await self._commit(request)

    async def delete(self, walk_id: str) -> None:
        """Deletes the document; one that is not there is fine."""
        request = _Request(database=self._database)
        request.writes.add().delete = self._name(walk_id)
        await self._commit(request)

    async def close(self) -> None:
        """Closes the channel."""
        if self._transport is not None:
            await self._transport.close()

    def _name(self, walk_id: str) -> str:
        name = firestore_document.document_id(walk_id)
        return f"{self._database}/documents/{firestore_document.COLLECTION}/{name}"

    async def _commit(self, request: Any) -> None:
        await self._client.commit(
            request=CommitRequest.wrap(request), metadata=self._metadata, timeout=RPC_TIMEOUT_S, retry=None
        )


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
