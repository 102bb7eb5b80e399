"""The outermost layer of every request: counts and measures it, names the pod, answers 500 for what nobody foresaw."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import answers
from api.errors import Busy, Unavailable
from api.logs import describe
from api.service import Service

SLOW_S = 1.0
#: What the platform asks however busy the process is: a probe that fails restarts a pod, or takes it away.
ALWAYS_ANSWERED = frozenset({"/health", "/ready"})


class Edge:
    """An ASGI middleware. ``route`` in metrics and logs is the path's template, never the path."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service
        self._clock = service.ports.clock
        self._most = service.settings.max_requests_in_flight
        self._pod = (b"x-pod-name", service.settings.pod_name.encode("latin-1", "replace"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. It is in flight from its head to the end of its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] in ALWAYS_ANSWERED:
            await self._measured(self._app, scope, receive, send)
            return
        service = self._service
        app = self._app if service.in_flight < self._most else answers.of(Busy())
        service.in_flight += 1
        try:
            await self._measured(app, scope, receive, send)
        finally:
            service.in_flight -= 1

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
        if seconds >= SLOW_S:
            self._service.log.warning(
                "Slow request", method=scope["method"], route=route, status=status, duration_ms=round(seconds * 1000, 1)
            )


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "unmatched")
