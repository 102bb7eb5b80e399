"""The contract's tables as a foreign database may have them: what each column is read as, and what is not read. Pure.

Source: docs/contract/walk-api.md. A column is found by its name, in any case, order and schema; its type may be another
that holds the same. What is missing, of a type that says nothing of the content, or not open to the application's role
is named with what was expected and what was found, and everything else is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from harness.checks.values import Column, ColumnKind, Unreadable, comparable
from harness.model.message import Message, Told, message

USERS, WALKS, LOCATIONS, CONSENTS = "users", "walks", "walk_locations", "consents"
_INSTANT, _NUMBER, _TEXT = Column(kind=ColumnKind.INSTANT), Column(kind=ColumnKind.NUMBER), Column(kind=ColumnKind.TEXT)
_ID, _STATUS = Column(kind=ColumnKind.ID), Column(kind=ColumnKind.STATUS)
#: The contract's columns, each exact.
OF_WALKS: Mapping[str, Column] = {
    "id": _ID,
    "user_id": _TEXT,
    "title": _TEXT,
    "description": _TEXT,
    "start_time": _INSTANT,
    "end_time": _INSTANT,
    "total_distance": _NUMBER,
    "total_steps": _NUMBER,
    "polyline_data": _TEXT,
    "thumbnail_image_url": _TEXT,
    "status": _STATUS,
    "paused_at": _INSTANT,
    "total_paused_duration": _NUMBER,
    "created_at": _INSTANT,
    "updated_at": _INSTANT,
}
OF_USERS: Mapping[str, Column] = {"id": _TEXT}
OF_CONSENTS: Mapping[str, Column] = {
    "id": _ID,
    "user_id": _TEXT,
    "policy_version": _TEXT,
    "consent_type": _TEXT,
    "consented_at": _INSTANT,
    "platform": _TEXT,
    "os_version": _TEXT,
    "app_version": _TEXT,
}
OF_LOCATIONS: Mapping[str, Column] = {
    "walk_id": _ID,
    "sequence_number": _NUMBER,
    "latitude": _NUMBER,
    "longitude": _NUMBER,
    "altitude": _NUMBER,
    "timestamp": _INSTANT,
    "horizontal_accuracy": _NUMBER,
    "vertical_accuracy": _NUMBER,
    "speed": _NUMBER,
    "course": _NUMBER,
}
#: Rounding to more than this is no rounding but content that is lost: seconds, metres, degrees, metres per second.
_COARSEST = {
    "latitude": Decimal("0.00001"),
    "longitude": Decimal("0.00001"),
    "speed": Decimal("0.1"),
    "total_steps": Decimal(0),
    "sequence_number": Decimal(0),
}
_TEXTS = frozenset({"text", "varchar", "bpchar", "citext", "name"})
_JSON = frozenset({"json", "jsonb"})
_WHOLE = frozenset({"int2", "int4", "int8"})
_REALS = frozenset({"float4", "float8", "numeric"})
_READ_AS = {
    ColumnKind.INSTANT: _TEXTS | _JSON | _REALS | {"timestamptz", "timestamp", "date", "int4", "int8"},
    ColumnKind.NUMBER: _TEXTS | _JSON | _REALS | _WHOLE | {"interval"},
    ColumnKind.TEXT: _TEXTS | _JSON | {"uuid", "enum"},
    ColumnKind.STATUS: _TEXTS | _JSON | {"enum"},
    ColumnKind.ID: _TEXTS | _JSON | {"uuid"},
}
_EXPECTED = {
    ColumnKind.INSTANT: "timestamp with time zone",
    ColumnKind.NUMBER: "a number",
    ColumnKind.TEXT: "text",
    ColumnKind.STATUS: "walk_status",
    ColumnKind.ID: "uuid",
}
#: Numbers as text: what "%f" of C and Go keeps.
_TEXT_GRAIN = Decimal("0.000001")


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """A column as PostgreSQL's catalogue has it. ``base`` is its type's name, "enum" for any enum, below any domain;
    ``typmod`` its precision as PostgreSQL codes it, -1 for none.
    """

    name: str
    declared: str
    base: str
    typmod: int = -1
    readable: bool = True


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """What of the contract's tables was not read: a table, or one column of it."""

    place: str
    expected: str
    found: str | Message

    @property
    def told(self) -> Message:
        """For people."""
        return message(
            "{place} cannot be read: docs/contract has {expected}, and the database has {found}",
            place=self.place,
            expected=self.expected,
            found=self.found,
        )


class ColumnLayout(msgspec.Struct, frozen=True, kw_only=True):
    """How the columns that were read keep their values; ``locations`` is ``None`` where no location was read."""

    walks: Mapping[str, Column]
    locations: Mapping[str, Column] | None
    unread: tuple[Unread, ...] = ()
    notes: Told = ()

    @property
    def why(self) -> Told:
        """What was not read, for people."""
        return tuple(each.told for each in self.unread)

    def without(self, place: str, found: str | Message) -> ColumnLayout:
        """The same without one column, "walks.status", whose values cannot be read."""
        table, _, name = place.partition(".")
        walks = {each: column for each, column in self.walks.items() if (table, each) != (WALKS, name)}
        located = self.locations
        if located is not None and table == LOCATIONS:
            located = {each: column for each, column in located.items() if each != name}
        kind = (OF_WALKS if table == WALKS else OF_LOCATIONS)[name].kind
        unread = Unread(place=place, expected=_EXPECTED[kind], found=found)
        return msgspec.structs.replace(self, walks=walks, locations=located, unread=(*self.unread, unread))

    @property
    def risks(self) -> Told:
        """What the columns' types put at risk, for people."""
        named = {f"{WALKS}.{name}": column for name, column in self.walks.items()}
        named |= {f"{LOCATIONS}.{name}": column for name, column in (self.locations or {}).items()}
        zoneless = [place for place, column in named.items() if column.zoneless]
        rounded = {place: column.declared for place, column in named.items() if column.grain or column.single}
        found: list[Message] = [*self.notes]
        if zoneless:
            found.append(
                message(
                    "a risk: {columns} have no time zone and are read as UTC; whatever writes local time shifts them",
                    columns=", ".join(zoneless),
                )
            )
        if rounded:
            columns = ", ".join(f"{place} ({declared})" for place, declared in rounded.items())
            found.append(
                message("a risk: {columns} keep rounded values, and are compared as they round", columns=columns)
            )
        counted = [
            f"{place} ({column.declared})"
            for place, column in named.items()
            if column.kind is ColumnKind.INSTANT
            and column.declared in ("integer", "bigint", "numeric", "double precision")
        ]
        if counted:
            found.append(
                message(
                    "{columns} are read as counts since 1970, of the unit that their size says",
                    columns=", ".join(counted),
                )
            )
        return tuple(found)


#: As the contract has them: nothing is rounded, nothing is missing.
CONTRACT = ColumnLayout(walks=OF_WALKS, locations=OF_LOCATIONS)


def read_as(table: str, wanted: Mapping[str, Column], there: Mapping[str, Declared]) -> dict[str, Column | Unread]:
    """``there`` by name in lower case. What each of the contract's columns is read as, or why it is not."""
    return {name: _column(f"{table}.{name}", name, column.kind, there.get(name)) for name, column in wanted.items()}


def unread(table: str, name: str, column: Column, found: str | Message) -> Unread:
    """A column whose values cannot be read."""
    return Unread(place=f"{table}.{name}", expected=_EXPECTED[column.kind], found=found)


def _column(place: str, name: str, kind: ColumnKind, there: Declared | None) -> Column | Unread:
    found: str | Message = ""
    if there is None:
        found = message("no such column")
    elif not there.readable:
        found = message("no permission to read it for the application's role")
    elif there.base not in _READ_AS[kind]:
        found = there.declared
    if there is None or found:
        return Unread(place=place, expected=_EXPECTED[kind], found=found)
    grain = _grain(kind, there)
    coarse = grain > _COARSEST.get(name, Decimal(1))
    return Column(
        kind=kind,
        declared=there.declared,
        grain=Decimal(0) if coarse else grain,
        single=kind is ColumnKind.NUMBER and there.base == "float4",
        zoneless=kind is ColumnKind.INSTANT and there.base in {"timestamp", "date"},
    )


def _grain(kind: ColumnKind, there: Declared) -> Decimal:
    """The steps in which the type keeps values; 0 for finer than what is compared."""
    if kind is ColumnKind.INSTANT:
        return _of_instants(there)
    if kind is not ColumnKind.NUMBER:
        return Decimal(0)
    if there.base in _WHOLE:
        return Decimal(1)
    if there.base in _TEXTS:
        return _TEXT_GRAIN
    return _scale(there)


def _of_instants(there: Declared) -> Decimal:
    """In seconds. How fine text and counts are, only their values say (``refined``)."""
    if there.base in {"timestamp", "timestamptz"} and 0 <= there.typmod < 6:
        return Decimal(1).scaleb(-there.typmod)
    return Decimal(86_400) if there.base == "date" else Decimal(0)


def _scale(there: Declared) -> Decimal:
    if there.base != "numeric" or there.typmod < 4:
        return Decimal(0)
    return Decimal(1).scaleb(-((there.typmod - 4) & 0x7FF))


def refined(column: Column, values: Iterable[Any]) -> Column:
    """A column of instants as text or counts, none of whose ``values`` is finer than a second, keeps whole seconds."""
    if column.kind is not ColumnKind.INSTANT or any(value is not None and value.microsecond for value in values):
        return column
    return msgspec.structs.replace(column, grain=Decimal(1))


def points(array: Any) -> list[dict[str, Any]]:
    """The locations of a JSON array of maps whose keys are the contract's, in snake case or in camelCase.

    An optional one may be absent; a location without a number has that of its place. Raises ``Unreadable``.
    """
    if not isinstance(array, list) or not all(isinstance(each, dict) for each in array):
        raise Unreadable(message("what is no array of maps"))
    return [_point(each, place) for place, each in enumerate(array)]


def _point(given: Mapping[str, Any], place: int) -> dict[str, Any]:
    named = {name: given.get(name, given.get(camel(name))) for name in OF_LOCATIONS if name != "walk_id"}
    if named["sequence_number"] is None:
        named["sequence_number"] = place
    for name in ("latitude", "longitude", "timestamp"):
        if named[name] is None:
            raise Unreadable(message("a location without {name}", name=name))
    return {name: comparable(OF_LOCATIONS[name].kind, value) for name, value in named.items()}


def camel(name: str) -> str:
    """A column's name as JSON of Swift and Java has it."""
    first, *others = name.split("_")
    return first + "".join(each.capitalize() for each in others)
