"""A small, faithful Remote Config emulator: ``python -m harness.stack.firebase.remote_config --host HOST --port N``.

There is no emulator of Firebase's own. After the REST reference, the publishing guide and the SDKs' sources:

* ``GET`` and ``PUT /v1/projects/{p}/remoteConfig`` with ETag and If-Match. A stale If-Match and a missing one are both
  **400** (``FAILED_PRECONDITION`` "[VERSION_MISMATCH]: ..."; the guide's table of error codes and the Admin SDK's
  tests agree, though the guide's prose once says 409). ``?versionNumber=``, ``?validateOnly=true``.
* ``:listVersions`` and ``:rollback``.
* The client's fetch, ``POST /v1/projects/{p}/namespaces/firebase:fetch``, evaluated by ``harness.model.flag``.

What it is not: authorisation, server templates, personalisation, experiments, real-time updates, 90-day expiry, quotas.
State is in memory and gone with the process.

The published versions of one project's template: what Firebase's service keeps, as a plain data structure.
"""

from __future__ import annotations

import argparse
import os
import re
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
from harness.model.flag import Template, evaluate
from harness.stack.firebase import rest, template
from harness.stack.firebase.template import JsonTemplate, JsonUser, JsonVersion, to_template

MAX_VERSIONS = 300  # Firebase stores no more
_ETAG = re.compile(r'"?etag-(?P<project>.+)-(?P<version>\d+)"?')
_USER = JsonUser(email="rehearsal@localhost")


class VersionMismatch(ValueError):  # noqa: N818 - named as Firebase's own code
    """The ``If-Match`` is not the current ETag: somebody else published in between."""


class NoSuchVersion(LookupError):  # noqa: N818
    """The version was never published, or is no longer stored."""


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """One version: the document as it is answered, and the template as it is evaluated."""

    number: int
    document: JsonTemplate
    template: Template


class Versions:
    """Of one project. Version 0 is the empty template of a project that never published."""

    def __init__(self, project: str) -> None:
        self.project = project
        self._all = [Published(number=0, document=JsonTemplate(), template=Template())]

    @property
    def current(self) -> Published:
        """The active version."""
        return self._all[-1]

    def etag(self, number: int) -> str:
        """The ETag of version ``number``; 0 is also the one that a successful validation answers."""
        return f"etag-{self.project}-{number}"

    def at(self, number: int) -> Published:
        """A stored version. Raises ``NoSuchVersion``."""
        for published in self._all:
            if published.number == number and number > 0:
                return published
        raise NoSuchVersion(f"version {number} of {self.project}")

    def newest_first(self) -> list[Published]:
        """Every stored version."""
        return [published for published in reversed(self._all) if published.number > 0]

    def check(self, if_match: str) -> None:
        """``*`` or the current ETag passes. Raises ``VersionMismatch`` on an old ETag, ``ValueError`` on no ETag."""
        if if_match == "*":
            return
        match = _ETAG.fullmatch(if_match)
        if match is None or match["project"] != self.project:
            raise ValueError(f"If-Match {if_match!r} is not an ETag of this project")
        if int(match["version"]) != self.current.number:
            raise VersionMismatch(
                f"[VERSION_MISMATCH]: Expected version {match['version']}, found {self.current.number}"
                f" for project: {self.project}"
            )

    def publish(self, document: JsonTemplate, *, forced: bool, at: str) -> Published:
        """Makes ``document`` the active version. Raises ``ValueError`` when Firebase would refuse it."""
        said = document.version.description if document.version else ""
        return self._add(
            document, at, JsonVersion(description=said), "FORCED_UPDATE" if forced else "INCREMENTAL_UPDATE"
        )

    def rollback(self, number: int, *, at: str) -> Published:
        """Publishes an older version again, as a new one. Raises ``NoSuchVersion``, or ``ValueError`` if not older."""
        source = self.at(number)
        if number >= self.current.number:
            raise ValueError(f"version {number} is the current one; a rollback needs an older one")
        said = source.document.version.description if source.document.version else ""
        return self._add(source.document, at, JsonVersion(description=said, rollbackSource=str(number)), "ROLLBACK")

    def _add(self, document: JsonTemplate, at: str, version: JsonVersion, kind: str) -> Published:
        number = self.current.number + 1
        version = msgspec.structs.replace(
            version,
            versionNumber=str(number),
            updateTime=at,
            updateUser=_USER,
            updateOrigin="REST_API",
            updateType=kind,
        )
        document = msgspec.structs.replace(document, version=version)
        published = Published(number=number, document=document, template=to_template(document))
        self._all = [*self._all, published][-MAX_VERSIONS:]
        return published


MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_PROJECTS = 100

Handler = Callable[[Request, Versions], Awaitable[Response]]


class RemoteConfigEmulator:
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
            {"remoteConfigEmulator": {"ready": True, "conditions": "harness/stack/firebase/template.py"}}
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
        client = rest.client(await _body(request))
        current = versions.current
        if current.number == 0:
            return _json(rest.FetchAnswer(state="NO_TEMPLATE"))
        entries = evaluate(current.template, client)
        etag = rest.etag(versions.project, entries)
        unchanged = request.headers.get("if-none-match") == etag
        state = "NO_CHANGE" if unchanged else "UPDATE" if entries else "EMPTY_CONFIG"
        told = rest.FetchAnswer(
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
    app = RemoteConfigEmulator(MachineClock()).app
    _Server(
        uvicorn.Config(app, host=options.host, port=options.port, log_level="warning", access_log=False, lifespan="off")
    ).run()


if __name__ == "__main__":
    main()
