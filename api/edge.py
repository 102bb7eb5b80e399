"""The outermost layer of every request: measures it, names the pod, and answers 500 for what nobody foresaw."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import answers
from api.logs import describe
from api.service import Service

SLOW_S = 1.0


class Edge:
    """An ASGI middleware. ``route`` in metrics and logs is the path's template, never the path."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service
        self._clock = service.ports.clock
        self._pod = (b"x-pod-name", service.settings.pod_name.encode("latin-1", "replace"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_ns = self._clock.monotonic_ns()
        status = 0

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append(self._pod)
            await send(message)

        try:
            await self._app(scope, receive, send_marked)
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
