"""A plain one-way copy of walks, Firestore -> PostgreSQL, made before a user's flag is turned on.

What PostgreSQL holds already is left as it is: the copy never overwrites the API's own writes. Ids become lower case,
an unknown speed or course (-1 in Firestore) becomes NULL, a location's place in the array is its sequence number.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

#: Firestore's key of each optional column: camelCase, though the document's other fields are in snake case. A copy
#: that reads ``horizontal_accuracy`` finds nothing and loses the accuracies without a word.
CAMEL_CASE = {
    "altitude": "altitude",
    "horizontal_accuracy": "horizontalAccuracy",
    "vertical_accuracy": "verticalAccuracy",
    "speed": "speed",
    "course": "course",
}
_UNKNOWN_IS_NEGATIVE = frozenset({"speed", "course"})
_OF_WALK = ("user_id", "start_time", "end_time", "paused_at", "polyline_data", "thumbnail_image_url")

_USER = "INSERT INTO users (id) VALUES ($1) ON CONFLICT (id) DO NOTHING"
_WALK = """
INSERT INTO walks (id, title, description, total_distance, total_steps, status, total_paused_duration, created_at,
    updated_at, user_id, start_time, end_time, paused_at, polyline_data, thumbnail_image_url)
VALUES ($1, $2, $3, $4, $5, $6::text::walk_status, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (id) DO NOTHING"""
_LOCATION = """
INSERT INTO walk_locations (walk_id, sequence_number, latitude, longitude, "timestamp", altitude,
    horizontal_accuracy, vertical_accuracy, speed, course)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (walk_id, sequence_number) DO NOTHING"""


class Rows(msgspec.Struct, frozen=True):
    """One document as the arguments of the statements."""

    user: str | None
    walk: tuple[Any, ...]
    locations: list[tuple[Any, ...]]


def rows_of(document: Mapping[str, Any], keys: Mapping[str, str] = CAMEL_CASE) -> Rows:
    """The rows of a document. Raises ``KeyError`` and ``ValueError`` where it is not in the app's format."""
    walk_id = uuid.UUID(document["id"])
    walk = (
        walk_id,
        document["title"],
        document["description"],
        float(document["total_distance"]),
        int(document["total_steps"]),
        document["status"],
        float(document["total_paused_duration"]),
        document["created_at"],
        document["updated_at"],
        *(document.get(name) for name in _OF_WALK),
    )
    locations = [
        (
            walk_id,
            number,
            entry["latitude"],
            entry["longitude"],
            entry["timestamp"],
            *(_optional(column, entry.get(key)) for column, key in keys.items()),
        )
        for number, entry in enumerate(document["location_data"])
    ]
    return Rows(document.get("user_id"), walk, locations)


async def copy_walks(
    documents: Iterable[Mapping[str, Any]], connection: Any, keys: Mapping[str, str] = CAMEL_CASE
) -> int:
    """Copies ``documents`` by an asyncpg connection, a transaction each; returns how many. Raises as ``rows_of``."""
    copied = 0
    for document in documents:
        rows = rows_of(document, keys)
        async with connection.transaction():
            if rows.user is not None:
                await connection.execute(_USER, rows.user)
            await connection.execute(_WALK, *rows.walk)
            await connection.executemany(_LOCATION, rows.locations)
        copied += 1
    return copied


def _optional(column: str, value: float | None) -> float | None:
    return None if column in _UNKNOWN_IS_NEGATIVE and value is not None and value < 0 else value
