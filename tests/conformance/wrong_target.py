"""A target that is wrong on purpose: the bundled API with the deviations that ``TEST_DEVIATION`` names (a,b,c).

Started by the environment contract, as any other. Each deviation is a function below; ``EXPECTED`` in
``expected.py`` says which checks must find it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import msgspec
from starlette.requests import Request

import api.logs
import api.serve
from api import (
    answers,
    auth,
    cloud_storage,
    decode,
    errors,
    firebase_tokens,
    firestore_document,
    firestore_mirror,
    postgres,
    routes,
)
from api.model import User
from api.settings import read_settings

PLANTS: dict[str, Callable[[], None]] = {}


def plant(function: Callable[[], None]) -> Callable[[], None]:
    PLANTS[function.__name__] = function
    return function


Database = postgres.PostgresDatabase
wrap_app: list[Callable[[Any], Any]] = []


@plant
def foreign_403() -> None:
    real = Database.get_walk

    class Forbidden(errors.ApiError):
        status, code = 403, "FORBIDDEN"

    async def get_walk(self: Any, user: Any, walk_id: str) -> Any:
        walk = await real(self, user, walk_id)
        if walk is None and await self.load_walk(walk_id) is not None:
            raise Forbidden("not yours")
        return walk

    Database.get_walk = get_walk  # type: ignore[method-assign]


@plant
def put_overwrites_foreign() -> None:
    real = Database.put_walk

    async def put_walk(self: Any, user: Any, walk_id: str, change: Any) -> Any:
        walk = await real(self, user, walk_id, change)
        if walk is None:
            owner = await self.load_walk(walk_id)
            walk = await real(self, User(owner.user_id), walk_id, change)
        return walk

    Database.put_walk = put_walk  # type: ignore[method-assign]


@plant
def create_200() -> None:
    def wrap(app: Any) -> Any:
        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            async def changed(message: Any) -> None:
                if message.get("status") == 201:
                    message["status"] = 200
                await send(message)

            await app(scope, receive, changed)

        return wrapped

    wrap_app.append(wrap)


@plant
def title_256() -> None:
    class NewWalk(msgspec.Struct, frozen=True):
        title: Annotated[str, msgspec.Meta(min_length=1)]
        description: Annotated[str, msgspec.Meta(max_length=1000)] | None = None

    routes._new_walk = msgspec.json.Decoder(NewWalk)
    real = Database.create_walk

    async def create_walk(self: Any, user: Any, walk_id: str, new: Any) -> Any:
        return await real(self, user, walk_id, msgspec.structs.replace(new, title=new.title[:255]))

    Database.create_walk = create_walk  # type: ignore[method-assign]


def _location_map(change: Callable[[Any, dict[str, Any]], None]) -> None:
    real = firestore_document.location_map

    def location_map(location: Any) -> Any:
        entry: dict[str, Any] = dict(real(location))
        change(location, entry)
        return entry

    firestore_document.location_map = location_map


@plant
def snake_case_locations() -> None:
    def change(_location: Any, entry: dict[str, Any]) -> None:
        for camel, snake in (("horizontalAccuracy", "horizontal_accuracy"), ("verticalAccuracy", "vertical_accuracy")):
            if camel in entry:
                entry[snake] = entry.pop(camel)

    _location_map(change)


@plant
def unknown_speed_0() -> None:
    def change(location: Any, entry: dict[str, Any]) -> None:
        if location.speed is None:
            entry["speed"] = 0.0

    _location_map(change)


@plant
def lower_case_document() -> None:
    real = firestore_mirror.FirestoreMirror._name

    def name(self: Any, walk_id: str) -> str:
        head, _, last = real(self, walk_id).rpartition("/")
        return f"{head}/{last.lower()}"

    firestore_mirror.FirestoreMirror._name = name  # type: ignore[method-assign]


@plant
def document_stays() -> None:
    async def delete(self: Any, walk_id: str, seen: Any, user_id: str) -> None:
        return None

    firestore_mirror.FirestoreMirror.delete = delete  # type: ignore[method-assign]


@plant
def errors_without_code() -> None:
    def error(status: int, code: str, message: str, headers: Any = None) -> Any:
        return answers.json({"error": {"message": message}}, status, headers)

    answers.error = error


@plant
def total_count_off() -> None:
    real = Database.list_walks

    async def list_walks(self: Any, user: Any, page: int, limit: int) -> Any:
        found = await real(self, user, page, limit)
        return msgspec.structs.replace(found, total_count=found.total_count + 1)

    Database.list_walks = list_walks  # type: ignore[method-assign]


@plant
def oldest_first() -> None:
    real = Database.list_walks

    async def list_walks(self: Any, user: Any, page: int, limit: int) -> Any:
        found = await real(self, user, page, limit)
        return msgspec.structs.replace(found, walks=found.walks[::-1])

    Database.list_walks = list_walks  # type: ignore[method-assign]


@plant
def unsent_locations_dropped() -> None:
    real = Database.put_walk

    async def put_walk(self: Any, user: Any, walk_id: str, change: Any) -> Any:
        if change.locations:
            numbers = [location.sequence_number for location in change.locations]
            statement = (
                "DELETE FROM walk_locations USING walks WHERE walks.id = walk_id AND walk_id = $1::uuid "
                "AND user_id = $2 AND NOT sequence_number = ANY($3::int[])"
            )
            await self._fetch(statement, walk_id, user.uid, numbers)
        return await real(self, user, walk_id, change)

    Database.put_walk = put_walk  # type: ignore[method-assign]


@plant
def zero_latitude_refused() -> None:
    real = Database.put_walk

    async def put_walk(self: Any, user: Any, walk_id: str, change: Any) -> Any:
        if change.locations and any(not location.latitude for location in change.locations):
            raise errors.Invalid("latitude is required")
        return await real(self, user, walk_id, change)

    Database.put_walk = put_walk  # type: ignore[method-assign]


@plant
def no_retry_after() -> None:
    def init(self: Any, retry_after_s: int) -> None:
        errors.ApiError.__init__(self, "Too many requests")

    errors.RateLimited.__init__ = init  # type: ignore[method-assign]


@plant
def rate_limit_150() -> None:
    os.environ["RATE_LIMIT_PER_MINUTE"] = "150"


@plant
def nul_500() -> None:
    real = decode.body

    async def body(request: Any, decoder: Any, max_bytes: int) -> Any:
        try:
            return await real(request, decoder, max_bytes)
        except errors.Invalid as error:
            if "U+0000" in error.message:
                raise RuntimeError("invalid byte sequence for encoding UTF8: 0x00") from error
            raise

    decode.body = body


@plant
def no_pod_name() -> None:
    real = api.logs._encoder

    class Encoder:
        def encode(self, line: Any) -> bytes:
            fields = json.loads(real.encode(line))
            del fields["pod_name"]
            return json.dumps(fields).encode()

    api.logs._encoder = Encoder()  # type: ignore[assignment]


@plant
def created_at_missing() -> None:
    real = answers._encoder

    class Encoder:
        def encode(self, body: Any) -> bytes:
            content = json.loads(real.encode(body))
            for walk in (content, *content.get("walks", ())):
                walk.pop("created_at", None)
            return json.dumps(content).encode()

    answers._encoder = Encoder()  # type: ignore[assignment]


@plant
def expired_accepted() -> None:
    async def user(self: Any, headers: Any) -> Any:
        token = auth._bearer(headers)
        return await self._tokens.verify(token.decode("ascii"))

    def told(self: Any, claims: Any) -> Any:
        return User(claims["uid"], None, None, time.time() + 3600)

    auth.Authenticator.user = user  # type: ignore[method-assign]
    firebase_tokens.FirebaseTokens._user = told  # type: ignore[method-assign]


@plant
def always_ready() -> None:
    async def ready(self: Any, request: Request) -> Any:
        return answers.json({"status": "ready"})

    routes.Platform.ready = ready  # type: ignore[method-assign]


@plant
def photos_of_all_walks_removed() -> None:
    real = cloud_storage.CloudStorage.remove_walk

    async def remove_walk(self: Any, user_id: str, walk_id: str) -> None:
        """The deleted walk's, and after a while the rest; the API's one worker takes the next walk when that is done."""
        _status, body = await self._call("GET", f"{self._objects}?prefix=users%2F{user_id}%2F")
        await real(self, user_id, walk_id)
        await asyncio.sleep(1.5)
        for each in json.loads(body)["items"]:
            await self._call("DELETE", f"{self._objects}/{quote(each['name'], safe='')}")

    cloud_storage.CloudStorage.remove_walk = remove_walk  # type: ignore[method-assign]


@plant
def exit_1() -> None:
    """See ``main``."""


@plant
def requests_cut() -> None:
    def stop(self: Any) -> None:
        os._exit(0)

    api.serve._Server._stop = stop  # type: ignore[method-assign]


@plant
def sigterm_ignored() -> None:
    def stop(self: Any) -> None:
        return None

    api.serve._Server._stop = stop  # type: ignore[method-assign]


def main() -> int:
    chosen = [name for name in os.environ.get("TEST_DEVIATION", "").split(",") if name]
    for name in chosen:
        PLANTS[name]()
    serve: Any = api.serve
    real = serve.build_app

    def build_app(*arguments: Any) -> Any:
        app: Any = real(*arguments)
        service = app.state
        for wrap in wrap_app:
            app = wrap(app)
            app.state = service
        return app

    serve.build_app = build_app
    status: int = serve.serve(read_settings(os.environ))
    return 1 if status == 0 and "exit_1" in chosen else status


if __name__ == "__main__":
    sys.exit(main())
