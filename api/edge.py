"""The outermost layer of every request: counts and measures it, names the pod, answers 500 for what nobody foresaw.

An answer takes memory until its client has read it. ``Settings.max_unsent_bytes`` bounds what all answers take
together, each counted whole until it is read: one that does not fit beside the others is dropped, and its request is
answered 503. Answers of at most ``ALWAYS_SENT_BYTES`` are not counted: slow readers of large ones hold up no small one.
"""

from __future__ import annotations

import asyncio
import contextlib

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import answers
from api.errors import Busy, Unavailable
from api.logs import describe
from api.service import Service

SLOW_S = 1.0
#: What the platform asks however busy the process is: a probe that fails restarts a pod, or takes it away.
ALWAYS_ANSWERED = frozenset({"/health", "/ready"})
ALWAYS_SENT_BYTES = 16 * 1024
#: The extension of a request's scope that waits until its client has read the answer (``api.protocol``).
DRAINED = "drained"


class _NoRoom(Exception):  # noqa: N818 - an outcome
    """The answer does not fit beside those that their clients have not read yet."""


class Edge:
    """An ASGI middleware. ``route`` in metrics and logs is the path's template, never the path."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service
        self._clock = service.ports.clock
        self._most = service.settings.max_requests_in_flight
        self._most_unsent = service.settings.max_unsent_bytes
        self._pod = (b"x-pod-name", service.settings.pod_name.encode("latin-1", "replace"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. It is in flight from its head until its client has read its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] in ALWAYS_ANSWERED:
            await self._measured(self._app, scope, receive, send)
            return
        service, held_bytes = self._service, 0

        async def send_held(message: Message) -> None:
            nonlocal held_bytes
            if message["type"] == "http.response.start" and (size := _size(message)) > ALWAYS_SENT_BYTES:
                if service.unsent_bytes and service.unsent_bytes + size > self._most_unsent:
                    raise _NoRoom
                held_bytes = size
                service.unsent_bytes += size
            await send(message)

        app = self._app if service.in_flight < self._most else answers.of(Busy())
        service.in_flight += 1
        try:
            await self._measured(app, scope, receive, send_held)
            await _drained(scope)
        finally:
            service.in_flight -= 1
            service.unsent_bytes -= held_bytes

    async def _measured(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        started_ns = self._clock.monotonic_ns()
        status = 0

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append(self._pod)
            await send(message)

        try:
            await app(scope, receive, send_marked)
        except _NoRoom:
            told = "Too many answers wait for their clients to read them; try again"
            await answers.error(503, "INTERNAL_ERROR", told, {"Retry-After": "1"})(scope, receive, send_marked)
        except asyncio.CancelledError:
            if status or not self._service.stopping:
                raise
            # The end of the stop's time for requests: said in the contract's form, which the server has not.
            await answers.of(Unavailable("The pod is stopping"))(scope, receive, send_marked)
        except Exception as error:
            self._service.log.error(  # noqa: TRY400 - not logging's; the description holds the place
                "Request failed", error=describe(error), method=scope["method"], route=_route(scope)
            )
            if status:  # too late for another answer: the server cuts the connection
                raise
            await answers.error(500, "INTERNAL_ERROR", "Internal error")(scope, receive, send_marked)
        finally:
            self._observe(scope, status or 500, (self._clock.monotonic_ns() - started_ns) / 1e9)

    def _observe(self, scope: Scope, status: int, seconds: float) -> None:
        route = _route(scope)
        self._service.metrics.observe(scope["method"], route, status, seconds)
        if self._service.log.debugging:
            fields = {"method": scope["method"], "route": route, "status": status}
            fields |= {"user_id": scope["user_id"]} if "user_id" in scope else {}
            self._service.log.debug("Request", duration_ms=round(seconds * 1000, 3), **fields)
        if seconds >= SLOW_S:
            self._service.log.warning(
                "Slow request", method=scope["method"], route=route, status=status, duration_ms=round(seconds * 1000, 1)
            )


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "unmatched")


def _size(start: Message) -> int:
    """The body's bytes, as the head of the answer says."""
    return next((int(value) for name, value in start["headers"] if name == b"content-length"), 0)


async def _drained(scope: Scope) -> None:
    """Wait until the client has read the answer, where the server can tell. The end of a stop ends the wait alone."""
    if (drained := scope.get("extensions", {}).get(DRAINED)) is not None:
        with contextlib.suppress(asyncio.CancelledError):
            await drained()
