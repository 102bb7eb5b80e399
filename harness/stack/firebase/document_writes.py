"""Writes and deletes ``walks/<id>`` in the emulator, whole documents with the type of every value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.stack.firebase.documents import Fields, Value


def cell(value: Value) -> dict[str, Any]:
    """The value as Google's generated client takes it."""
    if value.kind == "array":
        return {"array_value": {"values": [cell(each) for each in value.value]}}
    if value.kind == "map":
        return {"map_value": {"fields": cells(value.value)}}
    if value.kind == "null":
        return {"null_value": 0}
    return {f"{value.kind}_value": value.value}


def cells(fields: Mapping[str, Value]) -> dict[str, Any]:
    """The fields of a document."""
    return {name: cell(value) for name, value in fields.items()}


def plain(value: Value) -> Any:
    """What the official client would give for it, as ``copy_walks`` reads a document."""
    if value.kind == "array":
        return [plain(each) for each in value.value]
    return plain_fields(value.value) if value.kind == "map" else value.value


def plain_fields(fields: Fields) -> dict[str, Any]:
    """A document as the official client gives it."""
    return {name: plain(value) for name, value in fields.items()}
