"""The ASGI application: FastAPI with the contract's routes, its error body for every error, its OpenAPI document."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api import answers
from api.edge import Edge
from api.errors import ApiError, MethodNotAllowed, Unavailable
from api.logs import Log, describe
from api.ports import Ports
from api.routes import operations
from api.service import Service
from api.settings import Settings

_CODES = {401: "UNAUTHORIZED", 403: "FORBIDDEN", 404: "NOT_FOUND", 409: "CONFLICT"}


def build_app(settings: Settings, ports: Ports, log: Log | None = None) -> FastAPI:
    """The application; ``app.state.service`` is its ``Service``."""
    service = Service(settings, ports, log)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.stop()

    app = FastAPI(
        title="TekuToko walk API",
        lifespan=lifespan,
        openapi_url=None,  # the document below is written from the same types as the decoders
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.service = service
    for method, path, operation in operations(service):
        app.add_api_route(path, operation, methods=[method], response_model=None)
    _answer_errors(app, service)
    app.add_middleware(Edge, service=service)
    return app


def _methods(app: FastAPI, path: str) -> tuple[str, ...]:
    """What the operations of a path take together; Starlette tells of the first operation alone."""
    of_path = [route for route in app.routes if isinstance(route, APIRoute) and route.path == path]
    return tuple(method for route in of_path for method in route.methods or ())


def _answer_errors(app: FastAPI, service: Service) -> None:
    """Coroutines all, because Starlette runs a plain handler on a thread."""

    async def contract_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, ApiError)
        if isinstance(error, Unavailable) and error.__cause__ is not None:
            service.log.error(error.message, error=describe(error), method=request.method)
        return answers.of(error)

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 405:
            return answers.of(MethodNotAllowed(_methods(app, request.scope["route"].path)))
        headers: dict[str, Any] = dict(error.headers or {})
        code = _CODES.get(error.status_code, "INVALID_REQUEST" if error.status_code < 500 else "INTERNAL_ERROR")
        return answers.error(error.status_code, code, str(error.detail), headers)

    app.add_exception_handler(ApiError, contract_error)
    app.add_exception_handler(HTTPException, http_error)
