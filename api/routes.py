"""The calls of the contract, a coroutine each: admit the caller, decode, ask the database, note the mirror, answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import answers, decode, openapi
from api.errors import ApiError, NotFound, NothingDone, Unavailable
from api.model import NewWalk, State, WalkChange
from api.service import Service

Operation = Callable[[Request], Awaitable[Response]]

_new_walk = msgspec.json.Decoder(NewWalk)
_walk_change = msgspec.json.Decoder(WalkChange)
_NO_WALK = "There is no such walk"


class Walks:
    """``/v1/walks``."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._database = service.ports.database
        self._max_body = service.settings.max_body_bytes

    async def list(self, request: Request) -> Response:
        """GET /v1/walks."""
        user = await self._service.admit(request.scope)
        page, limit = decode.page_and_limit(request.scope["query_string"])
        return answers.json(await self._database.list_walks(user, page, limit))

    async def create(self, request: Request) -> Response:
        """POST /v1/walks."""
        user = await self._service.admit(request.scope)
        new = await decode.body(request, _new_walk, self._max_body)
        walk_id = self._service.ports.ids.walk_id()
        with self._settling(walk_id, user.uid):
            walk = await self._database.create_walk(user, walk_id, new)
        self._written("Walk created", walk.id, user.uid)
        return answers.json(walk, 201, {"Location": f"/v1/walks/{walk.id}"})

    async def get(self, request: Request) -> Response:
        """GET /v1/walks/{id}."""
        user = await self._service.admit(request.scope)
        walk = await self._database.get_walk(user, decode.walk_id(request.path_params["id"]))
        if walk is None:
            raise NotFound(_NO_WALK)
        return answers.json(walk)

    async def put(self, request: Request) -> Response:
        """PUT /v1/walks/{id}."""
        user = await self._service.admit(request.scope)
        walk_id = decode.walk_id(request.path_params["id"])
        change = await decode.body(request, _walk_change, self._max_body)
        with self._settling(walk_id, user.uid):
            walk = await self._database.put_walk(user, walk_id, change)
        if walk is None:
            raise NotFound(_NO_WALK)
        self._written("Walk saved", walk_id, user.uid)
        return answers.json(walk)

    async def delete(self, request: Request) -> Response:
        """DELETE /v1/walks/{id}."""
        user = await self._service.admit(request.scope)
        walk_id = decode.walk_id(request.path_params["id"])
        with self._settling(walk_id, user.uid, deletes=True):
            deleted = await self._database.delete_walk(user, walk_id)
        if not deleted:
            raise NotFound(_NO_WALK)
        self._written("Walk deleted", walk_id, user.uid, deleted=True)
        self._service.removals.submit(user.uid, walk_id)
        return Response(status_code=204)

    @contextmanager
    def _settling(self, walk_id: str, user_id: str, *, deletes: bool = False) -> Iterator[None]:
        """Around a write: when it ends without PostgreSQL's word, by whatever (an outage, a cancelled task, a defect),
        it may have been committed.
        """
        try:
            yield
        except BaseException as error:
            if not _wrote_nothing(error):
                self._service.unsettled.note(walk_id, user_id, deletes=deletes)
            raise

    def _written(self, message: str, walk_id: str, user_id: str, *, deleted: bool = False) -> None:
        self._service.mirror.submit(walk_id, user_id, deleted=deleted)
        self._service.log.info(message, walk_id=walk_id, user_id=user_id)


def _wrote_nothing(error: BaseException) -> bool:
    """Whether PostgreSQL refused the write, or was never asked."""
    return isinstance(error, ApiError) and (isinstance(error, NothingDone) or not isinstance(error, Unavailable))


class Platform:
    """What the platform asks: liveness, readiness."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def health(self, request: Request) -> Response:  # noqa: ARG002 - a route's signature
        """GET /health: 200 while the process lives."""
        return answers.json(State("ok"))

    async def ready(self, request: Request) -> Response:  # noqa: ARG002 - a route's signature
        """GET /ready: 200 when the database answers within a second and the pod is not stopping."""
        if self._service.stopping:
            raise Unavailable("The pod is stopping")
        if not await self._service.ports.database.ready():
            raise Unavailable("The database does not answer")
        return answers.json(State("ready"))

    async def openapi(self, request: Request) -> Response:  # noqa: ARG002 - a route's signature
        """GET /openapi.json."""
        return Response(openapi.text(), media_type=answers.JSON)


def operations(service: Service) -> list[tuple[str, str, Operation]]:
    """The path operations of the contract: method, path and coroutine, the most asked first: tried in turn."""
    walks, platform = Walks(service), Platform(service)
    return [
        ("GET", "/v1/walks/{id}", walks.get),
        ("PUT", "/v1/walks/{id}", walks.put),
        ("GET", "/v1/walks", walks.list),
        ("POST", "/v1/walks", walks.create),
        ("DELETE", "/v1/walks/{id}", walks.delete),
        ("GET", "/health", platform.health),
        ("GET", "/ready", platform.ready),
        ("GET", "/openapi.json", platform.openapi),
    ]
