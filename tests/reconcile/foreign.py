"""One walk with two locations in databases of other types, schemas and spellings than the contract's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

WALK = "0b3a6c9e-aaaa-4222-8333-444455556666"
START = datetime(2025, 10, 20, 12, 0, 0, 123_000, tzinfo=UTC)
SENT: dict[str, Any] = {
    "id": WALK,
    "user_id": "u1",
    "title": "散歩",
    "description": "",
    "start_time": START,
    "end_time": None,
    "total_distance": 1234.5,
    "total_steps": 1763,
    "polyline_data": "abc",
    "thumbnail_image_url": None,
    "status": "in_progress",
    "paused_at": None,
    "total_paused_duration": 0,
    "created_at": START,
    "updated_at": START,
}
POINT: dict[str, Any] = {
    "sequence_number": 1,
    "latitude": 35.123456,
    "longitude": 139.654321,
    "altitude": 12.3,
    "timestamp": START,
    "horizontal_accuracy": 3.3,
    "vertical_accuracy": 2.1,
    "speed": None,
    "course": 359.9,
}
_WALKS = {
    "id": "uuid", "user_id": "varchar(255)", "title": "varchar(255)", "description": "text", "start_time": "timestamptz",
    "end_time": "timestamptz", "total_distance": "float8", "total_steps": "int", "polyline_data": "text",
    "thumbnail_image_url": "text", "status": "text", "paused_at": "timestamptz", "total_paused_duration": "float8",
    "created_at": "timestamptz", "updated_at": "timestamptz",
}  # fmt: skip
_POINTS = {
    "walk_id": "uuid", "sequence_number": "int", "latitude": "float8", "longitude": "float8", "altitude": "float8",
    "timestamp": "timestamptz", "horizontal_accuracy": "float8", "vertical_accuracy": "float8", "speed": "float8",
    "course": "float8",
}  # fmt: skip
_OTHERS = {
    "zoneless": {"timestamptz": "timestamp", "float8": "real"},
    "milliseconds": {"timestamptz": "timestamp(3)", "float8": "numeric(12,6)", "uuid": "text", "int": "bigint"},
    "text": {"timestamptz": "text", "float8": "text", "uuid": "varchar(40)", "int": "text", "text": "varchar(100)"},
    "counts": {"timestamptz": "bigint", "float8": "numeric", "int": "smallint"},
    "seconds": {"timestamptz": "timestamptz(0)", "float8": "numeric(12,6)"},
    "json": {"timestamptz": "jsonb", "text": "jsonb", "float8": "jsonb"},
}
#: What a value is written as where its type is not the contract's.
_AS = {
    "bigint": lambda value: str(round(value.timestamp() * 1000)) if isinstance(value, datetime) else str(value),
    "text": lambda value: value.isoformat() if isinstance(value, datetime) else str(value),
    "jsonb": lambda value: f'"{value.isoformat()}"' if isinstance(value, datetime) else _json(value),
}


def _json(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _literal(value: Any, kind: str) -> str:
    if value is None:
        return "NULL"
    told = _AS.get(kind.partition("(")[0], str)(value)
    return "'" + told.replace("'", "''") + "'"


def _table(name: str, columns: dict[str, str], rows: list[dict[str, Any]], *, upper: bool) -> str:
    """In reverse order, with a column that the contract does not have; ``upper``: names in capitals."""
    spelt = {each: f'"{each.upper() if upper else each}"' for each in columns}
    turned = list(reversed(columns))
    made = ", ".join(f"{spelt[each]} {columns[each]}" for each in turned)
    said = [
        f"INSERT INTO {name} ({', '.join(spelt[each] for each in turned)}) VALUES ({_row(each, columns, turned)})"
        for each in rows
    ]
    return ";".join([f"CREATE TABLE {name} ({made}, tenant text DEFAULT 'x')", *said])


def _row(row: dict[str, Any], columns: dict[str, str], names: list[str]) -> str:
    return ", ".join(_literal(row[each], columns[each]) for each in names)


def script(schema: str, walks: dict[str, str] | None = None, points: dict[str, str] | None = None) -> str:
    """A database of the kind ``schema``, in a schema of that name; ``walks`` and ``points`` change single types."""
    swap = _OTHERS.get(schema, {})
    of_walks = {each: swap.get(kind, kind) for each, kind in _WALKS.items()} | (walks or {})
    of_points = {each: swap.get(kind, kind) for each, kind in _POINTS.items()} | (points or {})
    quoted = schema in {"quoted", "text"}
    row = SENT | ({"id": WALK.upper(), "status": "IN_PROGRESS"} if quoted else {})
    located = [{**POINT, "walk_id": row["id"], "sequence_number": number} for number in (0, 1)]
    names = ('"Walks"', '"Walk_Locations"') if quoted else ("walks", "walk_locations")
    tables = [
        _table(f'"{schema}".{names[0]}', of_walks, [row], upper=quoted),
        _table(f'"{schema}".{names[1]}', of_points, located, upper=quoted),
    ]
    return ";".join([f'CREATE SCHEMA "{schema}"', "SET timezone TO 'Asia/Tokyo'", *tables])


KINDS = ("plain", "quoted", *_OTHERS)
