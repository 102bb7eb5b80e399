"""What FastAPI adds to a request: the contract's paths as its path operations, against the same as plain routes of
Starlette, the one that FastAPI stands on. In process, without a server or a database: the framework alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Scope

from bench import clock
from bench.result import Result, of_runs

FULL, QUICK = (9, 2000), (1, 50)
WALK = "/v1/walks/{id}"
#: In the order in which api/routes.py has them.
OPERATIONS = (("GET", WALK), ("PUT", WALK), ("GET", "/v1/walks"), ("POST", "/v1/walks"), ("DELETE", WALK))
#: Of a client that sends what the phones send.
HEADERS = ((b"host", b"127.0.0.1"), (b"authorization", b"Bearer token"), (b"accept", b"*/*"))


async def _answer(request: Request) -> Response:  # noqa: ARG001 - a route's signature
    return Response(b"{}", media_type="application/json")


def path_operations() -> ASGIApp:
    """As ``api.app.build_app`` makes them."""
    app = FastAPI(
        openapi_url=None, redirect_slashes=False, telemetry={"tracing": False, "metrics": False, "logs": False}
    )
    for method, path in OPERATIONS:
        app.add_api_route(path, _answer, methods=[method], response_model=None)
    return app


def plain_routes() -> ASGIApp:
    """Without FastAPI."""
    return Starlette(routes=[Route(path, _answer, methods=[method]) for method, path in OPERATIONS])


async def _us_a_request(app: ASGIApp, requests: int) -> float:
    """CPU time of a list, in microseconds."""

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        assert message.get("status", 200) == 200

    facts: dict[str, Any] = {"type": "http", "method": "GET", "path": "/v1/walks", "query_string": b"", "root_path": ""}
    begun_ns = clock.cpu_ns()
    for _ in range(requests):
        scope: Scope = {**facts, "headers": list(HEADERS)}
        await app(scope, receive, send)
    return (clock.cpu_ns() - begun_ns) / requests / 1000


async def bench(_: Path, size: Sequence[int]) -> Result:
    """``size`` is how often is measured, in turn, and the requests of each."""
    rounds, requests = size
    ours, plain = path_operations(), plain_routes()
    for app in (ours, plain):
        await _us_a_request(app, requests)
    runs = [(await _us_a_request(ours, requests), await _us_a_request(plain, requests)) for _ in range(rounds)]
    operation, route = ([run[which] for run in runs] for which in (0, 1))
    figures = (
        of_runs("a list by a path operation", "us of CPU", operation),
        of_runs("the same by a route of Starlette", "us of CPU", route),
        of_runs("FastAPI's share", "us of CPU", [median(operation) - median(route)]),
    )
    return Result(name="framework", how=f"{rounds} times {requests} requests each, in turn", figures=figures)
