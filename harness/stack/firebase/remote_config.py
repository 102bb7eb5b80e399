"""A small, faithful Remote Config emulator: ``python -m harness.stack.firebase.remote_config --host HOST --port N``.

There is no emulator of Firebase's own. After the REST reference, the publishing guide and the SDKs' sources:

* ``GET`` and ``PUT /v1/projects/{p}/remoteConfig`` with ETag and If-Match. A stale If-Match and a missing one are both
  **400** (``FAILED_PRECONDITION`` "[VERSION_MISMATCH]: ..."; the guide's table of error codes and the Admin SDK's
  tests agree, though the guide's prose once says 409). ``?versionNumber=``, ``?validateOnly=true``.
* ``:listVersions`` and ``:rollback``.
* The client's fetch, ``POST /v1/projects/{p}/namespaces/firebase:fetch``, evaluated by ``harness.model.flag``.

What it is not: authorisation, server templates, personalisation, experiments, real-time updates, 90-day expiry, quotas.
State is in memory and gone with the process.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from types import FrameType

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from harness.base.clock import Clock, MachineClock, utc
from harness.model.flag import evaluate
from harness.stack.firebase import fetch, template
from harness.stack.firebase.versions import NoSuchVersion, Published, VersionMismatch, Versions

MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_PROJECTS = 100

Handler = Callable[[Request, Versions], Awaitable[Response]]


class Emulator:
    """The service: every project's versions, and the routes on them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._projects: dict[str, Versions] = {}
        base = "/v1/projects/{project}"
        self.app = Starlette(
            routes=[
                Route("/", self._ready),
                Route(base + "/remoteConfig", self._on(self._get), methods=["GET"]),
                Route(base + "/remoteConfig", self._on(self._put), methods=["PUT"]),
                Route(base + "/remoteConfig:listVersions", self._on(self._list), methods=["GET"]),
                Route(base + "/remoteConfig:rollback", self._on(self._rollback), methods=["POST"]),
                Route(base + "/namespaces/firebase:fetch", self._on(self._fetch), methods=["POST"]),
            ]
        )

    async def _ready(self, _request: Request) -> Response:
        return JSONResponse(
            {"remoteConfigEmulator": {"ready": True, "conditions": "harness/stack/firebase/conditions.py"}}
        )

    def _on(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """The handler with its project found and its errors in Google's shape."""

        async def handle(request: Request) -> Response:
            project = request.path_params["project"]
            if project not in self._projects and len(self._projects) >= MAX_PROJECTS:
                return _error(429, "RESOURCE_EXHAUSTED", f"this emulator holds {MAX_PROJECTS} projects")
            try:
                return await handler(request, self._projects.setdefault(project, Versions(project)))
            except VersionMismatch as error:
                return _error(400, "FAILED_PRECONDITION", str(error))
            except NoSuchVersion:
                return _error(404, "NOT_FOUND", "Requested entity was not found.")
            except ValueError as error:
                return _error(400, "INVALID_ARGUMENT", str(error))

        return handle

    async def _get(self, request: Request, versions: Versions) -> Response:
        number = request.query_params.get("versionNumber")
        return _answer(versions, versions.at(_version(number)) if number is not None else versions.current)

    async def _put(self, request: Request, versions: Versions) -> Response:
        if_match = request.headers.get("if-match")
        if if_match is None:
            raise ValueError("the request has no If-Match header; send the ETag of a GET, or * to force")
        document = template.decode(await _body(request))
        versions.check(if_match)
        if _flag(request, "validateOnly", "validate_only"):
            template.to_template(document)
            return _json(document, {"ETag": versions.etag(0)})
        published = versions.publish(document, forced=if_match == "*", at=self._now())
        return _answer(versions, published)

    async def _rollback(self, request: Request, versions: Versions) -> Response:
        body = await _body(request)  # the Admin SDKs send JSON, firebase-tools a query; Google's API reads both
        number = request.query_params.get("versionNumber", "")
        wanted = msgspec.json.decode(body, type=_Rollback).versionNumber if body else number
        return _answer(versions, versions.rollback(_version(wanted), at=self._now()))

    async def _list(self, request: Request, versions: Versions) -> Response:
        query = request.query_params
        size = _version(query.get("pageSize", "300"))
        if "startTime" in query or "endTime" in query:
            raise ValueError("startTime and endTime are not supported here")
        if not 1 <= size <= 300:
            raise ValueError(f"pageSize is {size}, must be 1 to 300")
        newest = _version(query.get("pageToken", query.get("endVersionNumber", str(versions.current.number))))
        matching = [p for p in versions.newest_first() if p.number <= newest]
        answer = _List(versions=[p.document.version for p in matching[:size] if p.document.version])
        if len(matching) > size:
            answer.nextPageToken = str(matching[size].number)
        return _json(answer)

    async def _fetch(self, request: Request, versions: Versions) -> Response:
        client = fetch.client(await _body(request))
        current = versions.current
        if current.number == 0:
            return _json(fetch.FetchAnswer(state="NO_TEMPLATE"))
        entries = evaluate(current.template, client)
        etag = fetch.etag(versions.project, entries)
        unchanged = request.headers.get("if-none-match") == etag
        state = "NO_CHANGE" if unchanged else "UPDATE" if entries else "EMPTY_CONFIG"
        told = fetch.FetchAnswer(
            entries=None if unchanged else entries, state=state, templateVersion=str(current.number)
        )
        return _json(told, {"ETag": etag})

    def _now(self) -> str:
        return utc(self._clock.anchor, self._clock.now_ns())


class _Rollback(msgspec.Struct, forbid_unknown_fields=True):
    versionNumber: str | int  # noqa: N815 - Firebase's own names


class _List(msgspec.Struct, omit_defaults=True):
    versions: list[template.JsonVersion] = []
    nextPageToken: str = ""  # noqa: N815


def _answer(versions: Versions, published: Published) -> Response:
    return _json(published.document, {"ETag": versions.etag(published.number)})


def _json(body: msgspec.Struct, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json", headers=headers)


def _error(code: int, status: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message, "status": status}}, status_code=code)


async def _body(request: Request) -> bytes:
    """The body. Raises ``ValueError`` when it is larger than any template of Firebase's."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise ValueError(f"the body is larger than {MAX_BODY_BYTES} bytes")
    return bytes(body)


def _version(text: str | int) -> int:
    if not str(text).isdecimal():
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def _flag(request: Request, *names: str) -> bool:
    """Of a boolean query parameter under any of its spellings."""
    said = [request.query_params[name] for name in names if name in request.query_params]
    if any(value not in {"true", "false"} for value in said):
        raise ValueError(f"{names[0]} must be true or false")
    return "true" in said


class _Server(uvicorn.Server):
    """Says when it listens, and ends at once: there is nothing to finish or to keep."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            sys.stdout.write(f"remote config emulator on {self.config.host}:{self.config.port}\n")
            sys.stdout.flush()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        os._exit(0)


def main(arguments: list[str] | None = None) -> None:
    """Serves until SIGTERM or SIGINT; exit status 3 (uvicorn's) when the port is taken."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.stack.firebase.remote_config", description="Remote Config emulator"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args(arguments)
    app = Emulator(MachineClock()).app
    _Server(
        uvicorn.Config(app, host=options.host, port=options.port, log_level="warning", access_log=False, lifespan="off")
    ).run()


if __name__ == "__main__":
    main()
