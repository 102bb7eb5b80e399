"""Reads the contract's tables out of any database: by the catalogue, whatever their schema, order and types.

What can be read is read, and what cannot is named (``harness.checks.tables``). A view is not read: what it leaves out
would look lost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import asyncpg
import msgspec

from harness.base.errors import NOT_JSON
from harness.checks import tables
from harness.checks.dual_write import StoredWalk
from harness.checks.tables import (
    CONSENTS,
    LOCATIONS,
    OF_CONSENTS,
    OF_LOCATIONS,
    OF_USERS,
    OF_WALKS,
    USERS,
    WALKS,
    ColumnLayout,
    Declared,
    Unread,
)
from harness.checks.values import Column, ColumnKind, Unreadable, comparable, identity
from harness.model.message import Message, Told, message

READ_TIMEOUT_S = 60.0  # MOST_WALKS have two million locations
_TABLES = """
SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind, pg_table_is_visible(c.oid) AS visible,
       has_schema_privilege(n.oid, 'USAGE') AS open, row_security_active(c.oid) AS hidden
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE lower(c.relname) = $1 AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
      AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY visible DESC, n.nspname, c.relname
"""
_COLUMNS = """
SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS declared,
       CASE WHEN b.typtype = 'e' THEN 'enum' ELSE b.typname END AS base,
       CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END AS typmod,
       has_column_privilege(a.attrelid, a.attnum, 'SELECT') AS readable
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
     JOIN pg_type b ON b.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""
#: Types whose values asyncpg gives in the comparable form, by what they are read as.
_AS_THEY_ARE = frozenset({"timestamptz", "float8", "float4", "int2", "int4", "int8"})
_NUMBERS = frozenset({"float8", "float4", "int2", "int4", "int8", "numeric"})
_KINDS = {"v": "a view", "m": "a materialized view"}
_DELETED_AT = "deleted_at"
_NO_TABLE = message("no table of that name")
#: Where a database without a table of locations may have them: an array of maps, in order.
_EMBEDDED = ("locations", "location_data")


_NONE = Declared(name="", declared="", base="")


class StoredWalks(msgspec.Struct, frozen=True, kw_only=True):
    """The walks as they lie in PostgreSQL, and how their columns were read. ``layout`` is ``None`` when no walk was."""

    walks: Sequence[StoredWalk]
    layout: ColumnLayout = tables.CONTRACT

    @property
    def whole(self) -> bool:
        """Whether all that the contract has was read."""
        return not self.layout.unread


class CannotRead(Exception):  # noqa: N818 - an outcome, not an error
    """Not even the ids of what was asked for can be read; ``unread`` says why."""

    def __init__(self, unread: Unread) -> None:
        self.unread = unread
        super().__init__(str(unread.told))


class _Table(msgspec.Struct, frozen=True, kw_only=True):
    """``source`` is what stands behind FROM; ``columns`` by name in lower case."""

    source: str
    columns: Mapping[str, Declared]


async def read(connection: asyncpg.Connection, most: int, *, only: Collection[str] = ()) -> StoredWalks:
    """Up to ``most`` walks, the last written first, with their locations; ``only`` are the ids of those that are
    asked for. Call it in a transaction that sees one moment. Raises ``CannotRead`` and asyncpg's errors.
    """
    there = await _table(connection, WALKS)
    if isinstance(there, Unread):
        raise CannotRead(there)
    chosen = tables.read_as(WALKS, OF_WALKS, there.columns)
    if isinstance(chosen["id"], Unread):
        raise CannotRead(chosen["id"])
    columns, unread = _apart(chosen)
    layout = ColumnLayout(walks=columns, locations=None, unread=unread, notes=_notes(WALKS, there))
    ordered = f" ORDER BY {_quoted(there, 'updated_at')} DESC" if "updated_at" in columns else ""
    which = [_is_one_of(there, "id", "$2")] if only else []
    rows: Sequence[Mapping[str, Any]] = await connection.fetch(
        _select(there, columns, *which) + ordered + " LIMIT $1", most, *([_bare(only)] if only else []),
        timeout=READ_TIMEOUT_S,
    )  # fmt: skip
    rows, layout = _converted(WALKS, rows, there, layout)
    if "id" not in layout.walks:
        raise CannotRead(_of(f"{WALKS}.id", layout.unread))
    embedded = next((each for each in _EMBEDDED if there.columns.get(each, _NONE).base in {"json", "jsonb"}), "")
    if embedded and isinstance(await _table(connection, LOCATIONS), Unread):
        located, layout = await _embedded(connection, there, embedded, [row["id"] for row in rows], layout)
    else:
        located, layout = await _locations(connection, [row["id"] for row in rows], layout)
    walks = [StoredWalk(id=row["id"], columns=row, locations=located.get(row["id"], ()), layout=layout) for row in rows]
    return StoredWalks(walks=walks, layout=layout)


async def user_rows(connection: asyncpg.Connection, uid: str, table: str = USERS) -> int:
    """How many rows ``users``, or ``consents``, has of that user. Raises ``CannotRead`` and asyncpg's errors."""
    name = {USERS: "id", CONSENTS: "user_id"}[table]
    there, columns, _ = await _known(connection, table, {name: OF_USERS["id"]}, key=name)
    as_text_or_json = [uid, f'"{uid}"']
    own = _select(there, columns, f"{_quoted(there, name)}::text = ANY($1)")
    return len(await connection.fetch(own, as_text_or_json, timeout=READ_TIMEOUT_S))


async def ids(connection: asyncpg.Connection, table: str) -> frozenset[str]:
    """The id of every row of ``walks``, in lower case, or of ``users``. Raises as ``user_rows``."""
    wanted = {WALKS: OF_WALKS, USERS: OF_USERS}[table]["id"]
    there, columns, _ = await _known(connection, table, {"id": wanted}, key="id")
    rows = await connection.fetch(_select(there, columns), timeout=READ_TIMEOUT_S)
    made, _, dropped = _comparable(rows, columns, there)
    for name, found in dropped.items():
        raise CannotRead(tables.unread(table, name, columns[name], found))
    return frozenset(row["id"] for row in made if row["id"] is not None)


async def counted(connection: asyncpg.Connection, timeout_s: float) -> int:
    """How many walks there are, none without their table. Raises ``CannotRead`` where it is not to be read, asyncpg's
    errors, and ``TimeoutError`` where somebody keeps it to himself."""
    there = await _table(connection, WALKS)
    if isinstance(there, Unread):
        if there.found == _NO_TABLE:
            return 0
        raise CannotRead(there)
    kept = f" WHERE {_quoted(there, _DELETED_AT)} IS NULL" if _DELETED_AT in there.columns else ""
    all_of_them = f"SELECT count(*) FROM {there.source}{kept}"  # noqa: S608 - names of the catalogue, quoted
    try:
        found: int = await connection.fetchval(all_of_them, timeout=timeout_s)
    except asyncpg.UndefinedTableError:  # dropped meanwhile
        return 0
    return found


class Consents(msgspec.Struct, frozen=True, kw_only=True):
    """Consents as they lie in PostgreSQL, by id in lower case, how their columns were read, and which were not."""

    rows: Mapping[str, Mapping[str, Any]]
    columns: Mapping[str, Column]
    unread: tuple[Unread, ...] = ()


async def consents(connection: asyncpg.Connection, ids: Collection[str]) -> Consents:
    """Those of the ``ids`` that are there. Raises ``CannotRead`` where not even their ids can be read, and asyncpg's
    errors."""
    there, columns, unread = await _known(connection, CONSENTS, OF_CONSENTS, key="id")
    which = _is_one_of(there, "id", "$1")
    rows = await connection.fetch(_select(there, columns, which), _bare(ids), timeout=READ_TIMEOUT_S)
    made, read, dropped = _comparable(rows, columns, there)
    unread = (*unread, *(tables.unread(CONSENTS, name, columns[name], found) for name, found in dropped.items()))
    if "id" in dropped:
        raise CannotRead(_of(f"{CONSENTS}.id", unread))
    return Consents(rows={row["id"]: row for row in made}, columns=read, unread=unread)


def _of(place: str, unread: Iterable[Unread]) -> Unread:
    """Why that column is not read."""
    return next(each for each in unread if each.place == place)


async def _known(
    connection: asyncpg.Connection, table: str, wanted: Mapping[str, Column], *, key: str
) -> tuple[_Table, dict[str, Column], tuple[Unread, ...]]:
    """The table, what each of the ``wanted`` columns is read as, and which cannot be. Raises ``CannotRead`` where the
    table or its ``key`` is not to be read."""
    there = await _table(connection, table)
    if isinstance(there, Unread):
        raise CannotRead(there)
    chosen = tables.read_as(table, wanted, there.columns)
    columns, unread = _apart(chosen)
    if key not in columns:
        raise CannotRead(_of(f"{table}.{key}", unread))
    return there, columns, unread


async def _locations(
    connection: asyncpg.Connection, ids: Sequence[str], layout: ColumnLayout
) -> tuple[Mapping[str, Sequence[Mapping[str, Any]]], ColumnLayout]:
    there = await _table(connection, LOCATIONS)
    if isinstance(there, Unread):
        return {}, msgspec.structs.replace(layout, unread=(*layout.unread, there))
    chosen = tables.read_as(LOCATIONS, OF_LOCATIONS, there.columns)
    columns, unread = _apart(chosen)
    notes = (*layout.notes, *_notes(LOCATIONS, there))
    layout = msgspec.structs.replace(layout, unread=(*layout.unread, *unread), notes=notes)
    if not {"walk_id", "sequence_number"} <= columns.keys():
        return {}, layout
    layout = msgspec.structs.replace(layout, locations=columns)
    walk_id, number = _quoted(there, "walk_id"), _quoted(there, "sequence_number")
    of_walks = _select(there, columns, _is_one_of(there, "walk_id", "$1"))
    rows: Sequence[Mapping[str, Any]] = await connection.fetch(
        f"{of_walks} ORDER BY {walk_id}, {number}", _bare(ids), timeout=READ_TIMEOUT_S
    )
    rows, layout = _converted(LOCATIONS, rows, there, layout)
    if not {"walk_id", "sequence_number"} <= (layout.locations or {}).keys():
        return {}, msgspec.structs.replace(layout, locations=None)
    located: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        located[row["walk_id"]].append(row)
    return located, layout


async def _embedded(
    connection: asyncpg.Connection, there: _Table, name: str, ids: Sequence[str], layout: ColumnLayout
) -> tuple[Mapping[str, Sequence[Mapping[str, Any]]], ColumnLayout]:
    """Locations that lie in their walk's row as a JSON array, of the walks that were read."""
    place, declared = f"{WALKS}.{name}", there.columns[name].declared
    pair = f"{_quoted(there, 'id')}::text AS id, {_quoted(there, name)}::text AS points"
    of_walks = f"SELECT {pair} FROM {there.source} WHERE {_is_one_of(there, 'id', '$1')}"  # noqa: S608 - names of the catalogue, quoted
    rows = await connection.fetch(of_walks, _bare(ids), timeout=READ_TIMEOUT_S)
    try:
        located = {identity(row["id"]): tables.points(_json(row["points"] or "[]")) for row in rows}
    except Unreadable as error:
        unread = Unread(
            place=place,
            expected="an array of locations",
            found=message("{declared}: {what}", declared=declared, what=error.told),
        )
        return {}, msgspec.structs.replace(layout, unread=(*layout.unread, unread))
    note = message("locations are read from {column} ({declared})", column=place, declared=declared)
    return located, msgspec.structs.replace(layout, locations=OF_LOCATIONS, notes=(*layout.notes, note))


async def _table(connection: asyncpg.Connection, name: str) -> _Table | Unread:
    """The one that the application's role finds by its name alone, else the only one there is."""
    found = await connection.fetch(_TABLES, name, timeout=READ_TIMEOUT_S)
    why: str | Message = ""
    if not found:
        why = _NO_TABLE
    elif len(found) > 1 and not found[0]["visible"]:
        why = message(
            "{count} tables of that name: {names}", count=str(len(found)), names=", ".join(map(_named, found))
        )
    elif found[0]["kind"] in _KINDS:
        why = f"{_KINDS[found[0]['kind']]} ({_named(found[0])})"
    elif not found[0]["open"]:
        why = message("no permission to read it for the application's role")
    elif found[0]["hidden"]:
        why = message("row level security, which hides rows from the application's role")
    if why:
        return Unread(place=name, expected="a table", found=why)
    columns = {
        row["name"].lower(): Declared(**dict(row))
        for row in await connection.fetch(_COLUMNS, found[0]["oid"], timeout=READ_TIMEOUT_S)
    }
    return _Table(source=_named(found[0]), columns=columns)


def _named(row: Mapping[str, Any]) -> str:
    return f"{_quote(row['schema'])}.{_quote(row['name'])}"


def _quote(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _quoted(table: _Table, name: str) -> str:
    return _quote(table.columns[name].name)


def _apart(chosen: Mapping[str, Column | Unread]) -> tuple[dict[str, Column], tuple[Unread, ...]]:
    columns = {name: each for name, each in chosen.items() if isinstance(each, Column)}
    return columns, tuple(each for each in chosen.values() if isinstance(each, Unread))


def _is_one_of(table: _Table, name: str, place: str) -> str:
    """Whether a column of UUIDs, however spelt, holds one of those in ``_bare``."""
    return f"translate(lower({_quoted(table, name)}::text), '-{{}}\"', '') = ANY({place})"


def _bare(ids: Collection[str]) -> list[str]:
    return [each.lower().replace("-", "") for each in ids]


def _select(table: _Table, columns: Mapping[str, Column], *which: str) -> str:
    wanted = ", ".join(f"{_expression(table, name)} AS {_quote(name)}" for name in columns)
    kept = [f"{_quoted(table, _DELETED_AT)} IS NULL"] if _DELETED_AT in table.columns else []
    where = " AND ".join([*kept, *which])
    all_of_it = f"SELECT {wanted} FROM {table.source}"  # noqa: S608 - names of the catalogue, quoted
    return all_of_it + (f" WHERE {where}" if where else "")


def _expression(table: _Table, name: str) -> str:
    column = table.columns[name]
    if column.base in _NUMBERS or column.base in {"timestamptz", "timestamp", "date", "interval"}:
        return _quote(column.name)
    return f"{_quote(column.name)}::text"


def _notes(name: str, table: _Table) -> Told:
    """A row that is marked as deleted is one to nobody; the contract deletes it."""
    if _DELETED_AT not in table.columns:
        return ()
    place = f"{name}.{_DELETED_AT}"
    return (message("a risk: rows marked by {column} count as deleted, and stay in the database", column=place),)


def _converted(
    table: str, rows: Sequence[Mapping[str, Any]], there: _Table, layout: ColumnLayout
) -> tuple[Sequence[Mapping[str, Any]], ColumnLayout]:
    """``rows`` with comparable values, and the layout they were read by."""
    columns = layout.walks if table == WALKS else layout.locations or {}
    rows, read, dropped = _comparable(rows, columns, there)
    for name, found in dropped.items():
        layout = layout.without(f"{table}.{name}", found)
    if table == WALKS:
        return rows, msgspec.structs.replace(layout, walks=read)
    return rows, msgspec.structs.replace(layout, locations=read)


def _comparable(
    rows: Sequence[Mapping[str, Any]], columns: Mapping[str, Column], there: _Table
) -> tuple[Sequence[Mapping[str, Any]], dict[str, Column], dict[str, Message]]:
    """``rows`` with comparable values, how each column of them was read, and why a column is left out: it has a value
    that cannot be read."""
    values: dict[str, list[Any]] = {}
    read: dict[str, Column] = {}
    dropped: dict[str, Message] = {}
    for name, column in columns.items():
        held = there.columns[name]
        if held.base in _AS_THEY_ARE and (held.base == "timestamptz") == (column.kind is ColumnKind.INSTANT):
            read[name] = column
            continue
        try:
            values[name] = _read(column, held.base, [row[name] for row in rows])
        except Unreadable as error:
            dropped[name] = message("{declared} {what}", declared=held.declared, what=error.told)
            continue
        read[name] = column if held.base in {"timestamp", "date"} else tables.refined(column, values[name])
    if not values and not dropped:
        return rows, read, dropped
    made = [
        {name: values[name][number] if name in values else row[name] for name in read}
        for number, row in enumerate(rows)
    ]
    return made, read, dropped


def _json(text: str) -> Any:
    """Of a column. Raises ``Unreadable`` for what PostgreSQL takes and no reader does: a number beyond any, a half of a
    character, a thousand levels."""
    try:
        return msgspec.json.decode(text)
    except NOT_JSON as error:
        raise Unreadable(message("{value}, which no reader of JSON takes", value=repr(text[:40]))) from error


def _read(column: Column, base: str, raw: Sequence[Any]) -> list[Any]:
    if base in {"json", "jsonb"}:
        raw = [None if each is None else _json(each) for each in raw]
    return [comparable(column.kind, each) for each in raw]
