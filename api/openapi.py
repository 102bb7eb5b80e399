"""The OpenAPI 3.1 document, written from the types that decode and encode. ``api/openapi.json`` is a committed copy."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import msgspec

from api.decode import LIMIT_DEFAULT, LIMIT_MAX, PAGE_DEFAULT, PAGE_MAX
from api.model import ErrorBody, NewWalk, State, Walk, WalkChange, WalkDetail, WalkPage

_MEANINGS = {
    400: "The id, query, headers or body are not what the contract asks for",
    401: "No token, or one that is malformed, expired or foreign",
    404: "No such walk of the caller",
    429: "More than 100 requests a minute of this user",
    500: "A defect of the API",
    503: "A part the API needs does not answer, or too many requests are in flight",
}
_TYPES = (Walk, WalkDetail, WalkPage, NewWalk, WalkChange, ErrorBody, State)
_REF = "#/components/schemas/{name}"


@lru_cache(maxsize=1)
def text() -> str:
    """The document as JSON."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def document() -> dict[str, Any]:
    """The document."""
    _, schemas = msgspec.json.schema_components(_TYPES, ref_template=_REF)
    _mark_answers_as_complete(schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "TekuToko walk API", "version": "1", "description": __doc__.split(".")[0] + "."},
        "paths": {
            "/health": {"get": _call("Whether the process lives", {200: State})},
            "/ready": {"get": _call("Whether the database answers", {200: State}, errors=(503,))},
            "/openapi.json": {"get": _text_call("This document", "application/json")},
            "/v1/walks": {
                "get": _walk_call("listWalks", "The caller's walks, newest first", {200: WalkPage}, query=_paging()),
                "post": _walk_call("createWalk", "Creates a walk", {201: Walk}, body=NewWalk),
            },
            "/v1/walks/{id}": {
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
                ],
                "get": _walk_call("getWalk", "A walk with its locations", {200: WalkDetail}, missing=True),
                "put": _walk_call(
                    "putWalk", "Changes a walk, or creates it", {200: Walk}, body=WalkChange, missing=True
                ),
                "delete": _walk_call("deleteWalk", "Deletes a walk", {204: None}, missing=True),
            },
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {"firebase": {"type": "http", "scheme": "bearer", "bearerFormat": "Firebase ID token"}},
        },
    }


def _mark_answers_as_complete(schemas: dict[str, Any]) -> None:
    """Answers carry every field, also those with a default."""
    for kind in (Walk, WalkDetail, WalkPage):
        schemas[kind.__name__]["required"] = list(kind.__struct_fields__)


def _content(kind: type) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REF.format(name=kind.__name__)}}}


def _answers(success: dict[int, type | None], errors: tuple[int, ...]) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for status, kind in success.items():
        answers[str(status)] = {"description": "Done" if kind is None else kind.__name__}
        if kind is not None:
            answers[str(status)]["content"] = _content(kind)
    for status in errors:
        answers[str(status)] = {"description": _MEANINGS[status], "content": _content(ErrorBody)}
    if 429 in errors:
        answers["429"]["headers"] = {
            "Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1}, "description": "Seconds"}
        }
    return answers


def _call(summary: str, success: dict[int, type | None], errors: tuple[int, ...] = ()) -> dict[str, Any]:
    return {"summary": summary, "responses": _answers(success, errors)}


def _text_call(summary: str, media_type: str) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": {"description": "Done", "content": {media_type: {}}}}}


def _walk_call(
    name: str,
    summary: str,
    success: dict[int, type | None],
    *,
    body: type | None = None,
    query: list[dict[str, Any]] | None = None,
    missing: bool = False,
) -> dict[str, Any]:
    call: dict[str, Any] = {"operationId": name, "summary": summary, "security": [{"firebase": []}]}
    if query:
        call["parameters"] = query
    if body is not None:
        call["requestBody"] = {"required": True, "content": _content(body)}
    call["responses"] = _answers(success, (400, 401, *((404,) if missing else ()), 429, 500, 503))
    return call


def _paging() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "query",
            "schema": {"type": "integer", "minimum": 1, "maximum": largest, "default": default},
        }
        for name, default, largest in (("page", PAGE_DEFAULT, PAGE_MAX), ("limit", LIMIT_DEFAULT, LIMIT_MAX))
    ]
