"""Responses, encoded by msgspec."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from api.errors import ApiError

JSON = "application/json"
_encoder = msgspec.json.Encoder()


def json(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """``body`` as JSON; times come out in RFC 3339, those in UTC with a Z."""
    return Response(_encoder.encode(body), status, headers, JSON)


def error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    """The contract's error body."""
    return json({"error": {"code": code, "message": message}}, status, headers)


def of(problem: ApiError) -> Response:
    """The answer ``problem`` stands for."""
    return error(problem.status, problem.code, problem.message, problem.headers)
