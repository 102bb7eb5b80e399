"""``/metrics`` on a port of its own: what it says is for who operates the API, not for whoever reaches the service."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api import answers
from api.metrics import CONTENT_TYPE
from api.service import Service

PATH = "/metrics"


def page(service: Service) -> ASGIApp:
    """The application of that port: GET ``/metrics``, Prometheus text; 404 for all else."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != PATH or scope["method"] not in ("GET", "HEAD"):
            response = answers.error(404, "NOT_FOUND", "There is only GET /metrics here")
        else:
            response = Response(service.metrics.page(), headers={"Content-Type": CONTENT_TYPE})
        await response(scope, receive, send)

    return answer


class MetricsServer(uvicorn.Server):
    """Ends when the API's own server says so, which has the signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None."""
        yield


def listening(host: str, port: int) -> socket.socket:
    """A socket bound before anything else is started. Raises ``OSError`` when the port is taken."""
    made = socket.create_server((host, port))
    made.setblocking(False)
    return made
