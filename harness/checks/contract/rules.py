"""The figures that the checks hold a target to: the contract's, or what the team's own OpenAPI file says instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

#: By operation, field and keyword of a schema, as an OpenAPI file says them.
CONTRACT: dict[str, Any] = {
    "list.status": 200,
    "create.status": 201,
    "get.status": 200,
    "put.status": 200,
    "delete.status": 204,
    "create.title.maxLength": 255,
    "create.description.maxLength": 1000,
    "put.title.maxLength": 255,
    "put.description.maxLength": 1000,
    "put.thumbnail_image_url.maxLength": 500,
    "list.page.maximum": 1000,
    "list.limit.maximum": 100,
    "create.description.required": False,
    "rate_limit": 100,
    "walk.optional": (),
    "walk.nullable": (),
}


class FileRule(msgspec.Struct, frozen=True):
    """What the file says at ``place`` (file:line), in the contract's stead."""

    value: Any
    place: str


class Rules:
    """The contract, and before it what a file decides otherwise."""

    def __init__(self, decided: Mapping[str, FileRule] | None = None) -> None:
        self.decided = dict(decided or {})

    def __getitem__(self, name: str) -> Any:
        return self.decided[name].value if name in self.decided else CONTRACT[name]
