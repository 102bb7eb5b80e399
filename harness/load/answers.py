"""How an HTTP answer counts (design.md, "Judging"; contract of facts/walk-api.md). Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

from harness.model.errors import NOT_JSON
from harness.model.evidence import Operation, Outcome

SUCCESS = {
    Operation.LIST_WALKS: 200,
    Operation.CREATE_WALK: 201,
    Operation.GET_WALK: 200,
    Operation.PUT_WALK: 200,
    Operation.DELETE_WALK: 204,
}
_MAY_BE_MISSING = frozenset({Operation.GET_WALK, Operation.DELETE_WALK})


class _Walk(msgspec.Struct):
    id: str
    user_id: str
    title: str
    status: Literal["not_started", "in_progress", "paused", "completed"]


class _WalkWithLocations(_Walk):
    locations: list[msgspec.Raw]


class _Page(msgspec.Struct):
    walks: list[_Walk]
    total_count: int
    page: int
    limit: int


_walk = msgspec.json.Decoder(_Walk)
_walk_with_locations = msgspec.json.Decoder(_WalkWithLocations)
_page = msgspec.json.Decoder(_Page)


def classify(
    operation: Operation, status: int, body: bytes, *, user: str, walk_id: str, missing_expected: bool
) -> Outcome:
    """The outcome of a whole answer. ``missing_expected``: this side never acknowledged the walk, so 404 is right."""
    if status == SUCCESS[operation]:
        return Outcome.OK if _as_promised(operation, body, user, walk_id) else Outcome.BAD_ANSWER
    if status == 429:
        return Outcome.RATE_LIMITED
    if status >= 500:
        return Outcome.SERVER_ERROR
    if status == 404 and missing_expected and operation in _MAY_BE_MISSING:
        return Outcome.OK
    return Outcome.UNEXPECTED_4XX if status >= 400 else Outcome.BAD_ANSWER


def created_id(body: bytes) -> str:
    """The id in a 201 answer that ``classify`` found good."""
    return _walk.decode(body).id.lower()


def _as_promised(operation: Operation, body: bytes, user: str, walk_id: str) -> bool:
    if operation is Operation.DELETE_WALK:
        return not body
    try:
        body.decode()  # JSON is UTF-8, in the fields too that are not read here
        if operation is Operation.LIST_WALKS:
            page = _page.decode(body)
            return len(page.walks) <= page.limit and all(walk.user_id == user for walk in page.walks)
        walk = (_walk_with_locations if operation is Operation.GET_WALK else _walk).decode(body)
    except NOT_JSON:
        return False
    same = operation is Operation.CREATE_WALK or walk.id.lower() == walk_id.lower()
    return same and walk.user_id == user
