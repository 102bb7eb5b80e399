"""Both sides as they hold walks: Firestore's documents, PostgreSQL's rows; and the API as the app asks it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec

from harness.base.errors import NOT_JSON, PartDied
from harness.checks.stores import NotAsNamed, read_stored
from harness.checks.walk_continuity import Point, Points, contract_points, document_points
from harness.load.population.firestore_document import document_id
from harness.model.message import Message, message
from harness.model.stack import COLLECTION, Address, Endpoints
from harness.stack.firebase import rest

_TIMEOUT_S = 10.0
_AT_ONCE = 100


class NotAsPromised(Exception):  # noqa: N818 - a finding about the target, not an error of ours
    """The target answered, or left in Firestore, what the contract does not have; ``told`` says what."""

    def __init__(self, told: Message) -> None:
        super().__init__(str(told))
        self.told = told


class _Location(msgspec.Struct, kw_only=True):
    """Of the contract's answer; what is not there is not known."""

    sequence_number: int
    latitude: float
    longitude: float
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    altitude: float | None = None
    horizontal_accuracy: float | None = None
    vertical_accuracy: float | None = None
    speed: float | None = None
    course: float | None = None


class _Listed(msgspec.Struct):
    id: str


class _Page(msgspec.Struct):
    walks: list[_Listed]


class _Walk(msgspec.Struct):
    locations: list[_Location]


_Form = TypeVar("_Form", _Page, _Walk)


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
        """The locations in those documents that are there. Raises ``NotAsPromised`` when one has none to be read."""
        return {walk_id: _document_points(walk_id, content) for walk_id, content in (await self.get(walk_ids)).items()}

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
                message("the Firestore emulator failed: {why}", why=str(error)),
                where=str(self._address),
                remedy="read firestore.log",
            ) from error


async def rows(to: Endpoints, walk_ids: Collection[str]) -> dict[str, Points]:
    """The locations of those walks that PostgreSQL has. Raises ``PartDied``, and ``NotAsNamed`` where not all that the
    contract has of a location can be read; ``NotAsPromised`` for one without its time."""
    stored = await read_stored(to, only=walk_ids)
    located = stored.layout.locations
    if located is None or not {*Point.__struct_fields__} <= located.keys():
        raise NotAsNamed(stored.layout.why, str(to.database))
    if any(point["timestamp"] is None for walk in stored.walks for point in walk.locations):
        raise NotAsPromised(message("a location in PostgreSQL has no timestamp"))
    return {walk.id: contract_points(walk.locations) for walk in stored.walks}


def _document_points(walk_id: str, content: Mapping[str, Any]) -> Points:
    try:
        return document_points(content["location_data"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        said = message(
            "the document of walk {walk} is not as the old app reads it: {what}", walk=walk_id, what=repr(error)[:200]
        )
        raise NotAsPromised(said) from error


class Api:
    """The API as a user's app asks it. Raises ``NotAsPromised`` for anything but the answer that was meant."""

    def __init__(self, service: Address, token: str) -> None:
        self._service = service
        self._headers = {"Authorization": f"Bearer {token}"}

    async def walks(self) -> dict[str, Points]:
        """Every walk that the app's list shows, each opened."""
        page = await self._get("/v1/walks?page=1&limit=100", _Page)
        return {walk.id.lower(): await self._points(walk.id) for walk in page.walks}

    async def put(self, walk_id: str, body: msgspec.Struct) -> None:
        """PUT."""
        await self._ask("PUT", f"/v1/walks/{walk_id}", msgspec.json.encode(body))

    async def _points(self, walk_id: str) -> Points:
        walk = await self._get(f"/v1/walks/{walk_id}", _Walk)
        return contract_points([msgspec.structs.asdict(each) for each in walk.locations])

    async def _get(self, path: str, form: type[_Form]) -> _Form:
        answer = await self._ask("GET", path)
        try:
            return msgspec.json.decode(answer, type=form)
        except NOT_JSON as error:
            raise self._wrong("GET", path, f"{error} in {answer[:200]!r}") from error

    async def _ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        try:
            answer = await rest.request(
                self._service, method, path, body=body, headers=self._headers, timeout_s=_TIMEOUT_S
            )
        except OSError as error:
            raise self._wrong(method, path, repr(error)) from error
        if answer.status != 200:
            raise self._wrong(method, path, f"status {answer.status}, {answer.body[:200]!r}")
        return answer.body

    def _wrong(self, method: str, path: str, what: str) -> NotAsPromised:
        request = f"{method} http://{self._service}{path}"
        return NotAsPromised(
            message("the answer to {request} is not as the contract has it: {what}", request=request, what=what)
        )
