"""Both sides as they hold walks: Firestore's documents, PostgreSQL's rows; and the API as the app asks it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import asyncpg
import msgspec

from harness.checks.walk_continuity import Points, contract_points, document_points
from harness.firebase import rest
from harness.model.errors import PartDied
from harness.model.stack import Address, Endpoints
from harness.population.firestore_document import COLLECTION, document_id

_TIMEOUT_S = 10.0
_AT_ONCE = 100
_ROWS = """
SELECT w.id::text AS walk, l.* FROM walks AS w LEFT JOIN walk_locations AS l ON l.walk_id = w.id
WHERE w.id = ANY($1::uuid[])"""


class Documents:
    """Firestore, past the rules, with Google's client. Every method raises ``PartDied`` when the emulator fails."""

    def __init__(self, address: Address, project_id: str) -> None:
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import firestore

        self._address = address
        os.environ["FIRESTORE_EMULATOR_HOST"] = str(address)  # the client's only way to be told of an emulator
        self._client = firestore.AsyncClient(project=project_id, credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]
        self._walks = self._client.collection(COLLECTION)

    async def set(self, walk_id: str, content: Mapping[str, object]) -> None:
        """Writes the whole document, as the old app does."""
        await self._try(self._walks.document(document_id(walk_id)).set(dict(content), retry=None, timeout=_TIMEOUT_S))

    async def get(self, walk_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The documents that are there, by lower-case id."""
        wanted = [self._walks.document(document_id(walk_id)) for walk_id in walk_ids]
        found: dict[str, dict[str, Any]] = {}
        for first in range(0, len(wanted), _AT_ONCE):
            found |= await self._try(self._get(wanted[first : first + _AT_ONCE]))
        return found

    async def of_user(self, uid: str) -> list[dict[str, Any]]:
        """Every document of a user."""
        from google.cloud.firestore_v1.base_query import FieldFilter

        query = self._walks.where(filter=FieldFilter("user_id", "==", uid))
        found: list[dict[str, Any]] = await self._try(self._all(query))
        return found

    async def points(self, walk_ids: Iterable[str]) -> dict[str, Points]:
        """The locations in those documents that are there."""
        found = await self.get(walk_ids)
        return {walk_id: document_points(content["location_data"]) for walk_id, content in found.items()}

    def close(self) -> None:
        """Ends the channel."""
        self._client.close()  # type: ignore[no-untyped-call]

    async def _get(self, wanted: list[Any]) -> dict[str, dict[str, Any]]:
        answers = self._client.get_all(wanted, retry=None, timeout=_TIMEOUT_S)
        return {each.id.lower(): each.to_dict() or {} async for each in answers if each.exists}

    async def _all(self, query: Any) -> list[dict[str, Any]]:
        return [each.to_dict() async for each in query.stream(retry=None, timeout=_TIMEOUT_S)]

    async def _try(self, asked: Any) -> Any:
        from google.api_core.exceptions import GoogleAPICallError

        try:
            return await asked
        except GoogleAPICallError as error:
            raise PartDied(
                f"the Firestore emulator failed: {error}", where=str(self._address), remedy="read firestore.log"
            ) from error


async def database(to: Endpoints) -> Any:
    """A connection to PostgreSQL, past the API. Raises ``PartDied``."""
    try:
        return await asyncpg.connect(
            host=to.database.host,
            port=to.database.port,
            user=to.database_user,
            password=to.database_password,
            database=to.database_name,
            timeout=_TIMEOUT_S,
        )
    except (OSError, asyncpg.PostgresError) as error:
        raise PartDied(f"PostgreSQL failed: {error!r}", where=str(to.database), remedy="read postgres.log") from error


async def rows(connection: Any, walk_ids: Iterable[str]) -> dict[str, Points]:
    """The locations of those walks that PostgreSQL has."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in await connection.fetch(_ROWS, [uuid.UUID(walk_id) for walk_id in walk_ids]):
        points = found.setdefault(row["walk"], [])
        if row["sequence_number"] is not None:
            points.append(dict(row))
    return {walk_id: contract_points(points) for walk_id, points in found.items()}


class Api:
    """The API as a user's app asks it. Raises ``PartDied`` for anything but the answer that was meant."""

    def __init__(self, service: Address, token: str) -> None:
        self._service = service
        self._headers = {"Authorization": f"Bearer {token}"}

    async def walks(self) -> dict[str, Points]:
        """Every walk that the app's list shows, each opened."""
        listed = msgspec.json.decode(await self._ask("GET", "/v1/walks?page=1&limit=100"))["walks"]
        return {walk["id"].lower(): await self._points(walk["id"]) for walk in listed}

    async def put(self, walk_id: str, body: msgspec.Struct) -> None:
        """PUT."""
        await self._ask("PUT", f"/v1/walks/{walk_id}", msgspec.json.encode(body))

    async def _points(self, walk_id: str) -> Points:
        walk = msgspec.json.decode(await self._ask("GET", f"/v1/walks/{walk_id}"))
        return contract_points(walk["locations"])

    async def _ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        where = f"{method} http://{self._service}{path}"
        try:
            answer = await rest.request(
                self._service, method, path, body=body, headers=self._headers, timeout_s=_TIMEOUT_S
            )
        except OSError as error:
            raise PartDied(f"the API does not answer: {error!r}", where=where, remedy="read the pods' logs") from error
        if answer.status != 200:
            raise PartDied(f"the API answered {answer.status}: {answer.body[:200]!r}", where=where)
        return answer.body
