"""The tables of ``evidence.sqlite``, derived from the row types, so that the two cannot drift apart."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import msgspec

from harness.base.clock import Anchor
from harness.model.evidence import EventRow, FlagRow, ProbeRow, RequestRow, Row, SampleRow, SessionRow

#: Raised when a reader of the older version would misread the newer one; a new column at the end is no new version.
STORE_VERSION = 1

#: The key of ``meta`` that says how many rows a store held when it was closed.
ROWS = "rows"

_NS = 1_000_000_000


@dataclass(frozen=True)
class RowTable:
    """A row type's table."""

    name: str
    row: type[Row]
    at_ns: str  # what the ``utc`` column shows
    derived: tuple[tuple[str, str], ...] = ()

    @cached_property
    def tag(self) -> str:
        """The row's first element in its array form."""
        return str(self.row.__struct_config__.tag)

    @cached_property
    def fields(self) -> tuple[msgspec.structs.FieldInfo, ...]:
        """The row's fields, which are the table's stored columns in the same order."""
        return msgspec.structs.fields(self.row)


_TIMED = (("latency_ms", "(done_ns - due_ns) / 1e6"), ("lag_ms", "(sent_ns - due_ns) / 1e6"))

TABLES = (
    RowTable("requests", RequestRow, at_ns="due_ns", derived=_TIMED),
    RowTable("probes", ProbeRow, at_ns="due_ns", derived=(*_TIMED, ("good", "outcome = 'ok'"))),
    RowTable("flags", FlagRow, at_ns="at_ns"),
    RowTable("sessions", SessionRow, at_ns="at_ns"),
    RowTable("samples", SampleRow, at_ns="at_ns"),
    RowTable("events", EventRow, at_ns="at_ns"),
)

BY_ROW = {table.row: table for table in TABLES}


def column_type(annotation: Any) -> str:
    """The SQLite type of a field's annotation."""
    if annotation in (int, bool):
        return "INTEGER"
    if annotation is float:
        return "REAL"
    if annotation is str or (isinstance(annotation, type) and issubclass(annotation, StrEnum)):
        return "TEXT"
    return "TEXT"  # the data of an event, as JSON


def utc_expression(column: str, anchor: Anchor) -> str:
    """SQL that shows ``column`` as RFC 3339 UTC, milliseconds; integers all the way, so that no digit is rounded."""
    unix_ns = f"({column} + {anchor.unix_ns - anchor.monotonic_ns})"
    return (
        f"strftime('%Y-%m-%dT%H:%M:%S', {unix_ns} / {_NS}, 'unixepoch')"
        f" || printf('.%03dZ', {unix_ns} % {_NS} / 1000000)"
    )


def create_statements(anchor: Anchor) -> list[str]:
    """The statements that make the tables. Derived columns (``utc``, ``latency_ms``, ...) take no space."""
    statements = ["CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"]
    for table in TABLES:
        columns = ["seq INTEGER PRIMARY KEY"]
        columns += [f"{field.encode_name} {column_type(field.type)}" for field in table.fields]
        columns += [f"{name} AS ({sql}) VIRTUAL" for name, sql in table.derived]
        columns.append(f"utc TEXT AS ({utc_expression(table.at_ns, anchor)}) VIRTUAL")
        statements.append(f"CREATE TABLE {table.name} ({', '.join(columns)})")
    return statements


def insert_statement(table: RowTable) -> str:
    """The statement that stores one row; its parameters are ``seq`` and the fields in order."""
    names = ["seq", *(field.encode_name for field in table.fields)]
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608 - our own names
