"""Consents are read with every column of the contract, or it is said which one cannot be; of walks the same word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import asyncpg
import pytest

from harness.checks import walk_tables
from harness.checks.tables import OF_CONSENTS, OF_WALKS
from harness.checks.walk_tables import CannotRead, Consents, consents, counted, ids, user_rows
from tests.checks.stored import NOON

ID = "0b3a6c9e-aaaa-4222-8333-000000000001"
HELD = {
    "id": ID, "user_id": "u1", "policy_version": "1.0", "consent_type": "initial", "consented_at": NOON,
    "platform": "iOS", "os_version": None, "app_version": "2.0",
}  # fmt: skip
BASES = dict.fromkeys(OF_CONSENTS, "text") | {"id": "uuid", "consented_at": "timestamptz"}


class Database:
    """A connection as far as it is asked: the catalogue has one table of these types, which has these rows."""

    def __init__(self, bases: Mapping[str, str], *held: Mapping[str, Any]) -> None:
        self._bases, self._held = bases, held

    async def fetch(self, statement: str, *given: Any, **limit: float) -> Sequence[Mapping[str, Any]]:
        assert limit["timeout"] > 0
        if "FROM pg_class" in statement:
            told = {"oid": 1, "schema": "public", "name": "consents", "kind": "r", "visible": True, "open": True}
            return [told | {"hidden": False}] if self._bases and given == ("consents",) else []
        if "FROM pg_attribute" in statement:
            some = {"typmod": -1, "readable": True}
            return [{"name": name, "declared": base, "base": base} | some for name, base in self._bases.items()]
        assert '"public"."consents"' in statement
        if '"user_id"::text = ANY($1)' in statement:
            return [row for row in self._held if row["user_id"] in given[0]]
        assert given == ([ID.replace("-", "")],)
        return self._held


async def read(bases: Mapping[str, str], *held: Mapping[str, Any]) -> Consents:
    return await consents(cast("asyncpg.Connection", Database(bases, *held)), [ID.upper()])


async def test_a_row_is_read_by_the_contract_s_columns_whatever_their_types() -> None:
    assert (await read(BASES, HELD)).rows == {ID: HELD}
    assert (await read(BASES)).rows == {}
    as_text = {**HELD, "id": ID.upper(), "consented_at": NOON.isoformat()}
    found = await read(dict.fromkeys(BASES, "text"), as_text)
    assert found.rows == {ID: HELD}
    assert found.columns["consented_at"].agrees(NOON, NOON.replace(microsecond=5000)), "it keeps whole seconds"


@pytest.mark.parametrize(
    ("bases", "held", "why"),
    [
        ({**BASES, "platform": "int4"}, HELD, "consents.platform cannot be read"),
        ({name: base for name, base in BASES.items() if name != "app_version"}, HELD, "consents.app_version cannot be"),
        ({**BASES, "consented_at": "text"}, {**HELD, "consented_at": "yesterday"}, "'yesterday', which is no ISO 8601"),
    ],
)
async def test_a_column_that_cannot_be_read_is_named_and_the_rest_is(
    bases: dict[str, str], held: Mapping[str, Any], why: str
) -> None:
    found = await read(bases, held)
    (unread,) = found.unread
    assert why in str(unread.told)
    name = unread.place.rpartition(".")[2]
    assert found.rows == {ID: {key: value for key, value in HELD.items() if key != name}}
    assert found.columns.keys() == OF_CONSENTS.keys() - {name}


@pytest.mark.parametrize("bases", [{}, {**BASES, "id": "int4"}, {name: "text" for name in BASES if name != "id"}])
async def test_without_ids_nothing_is_read(bases: dict[str, str]) -> None:
    with pytest.raises(CannotRead, match=r"consents(\.id)? cannot be read"):
        await read(bases, HELD)


async def test_of_walks_whose_ids_cannot_be_read_the_id_is_named_whatever_else_cannot_be() -> None:
    class Walks(Database):
        async def fetch(self, statement: str, *given: Any, **limit: float) -> Sequence[Mapping[str, Any]]:
            if "FROM pg_" not in statement:
                return self._held
            told = await super().fetch(statement, *(("consents",) if given == ("walks",) else given), **limit)
            return [{**row, "name": "walks"} if row["name"] == "consents" else row for row in told]

    bases = dict.fromkeys(OF_WALKS, "text")
    row = dict.fromkeys(OF_WALKS) | {"id": "17", "status": "flying"}
    with pytest.raises(CannotRead, match=r"^walks\.id cannot be read"):
        await walk_tables.read(cast("asyncpg.Connection", Walks(bases, row)), 10)


async def test_a_time_that_lost_its_fraction_is_another_in_every_type() -> None:
    for base in ("timestamptz", "timestamp"):
        found = await read({**BASES, "consented_at": base}, {**HELD, "consented_at": NOON})
        assert not found.columns["consented_at"].agrees(NOON, NOON.replace(microsecond=5000)), base


async def test_a_user_s_rows_are_counted() -> None:
    there = cast("asyncpg.Connection", Database(BASES, HELD, {**HELD, "user_id": "u2"}))
    assert [await user_rows(there, user, "consents") for user in ("u1", "u3")] == [1, 0]
    with pytest.raises(CannotRead, match="consents cannot be read"):
        await user_rows(cast("asyncpg.Connection", Database({})), "u1", "consents")


async def test_the_ids_of_a_table_are_read_whatever_their_types() -> None:
    there = cast("asyncpg.Connection", Named("walks", {"id": "text"}, {"id": ID.upper()}))
    assert await ids(there, "walks") == {ID}
    there = cast("asyncpg.Connection", Named("users", {"id": "text"}, {"id": "Abc"}))
    assert await ids(there, "users") == {"Abc"}
    for bases, held in (({}, {}), ({"id": "int4"}, {}), ({"id": "text"}, {"id": "17"})):
        with pytest.raises(CannotRead, match=r"walks(\.id)? cannot be read"):
            await ids(cast("asyncpg.Connection", Named("walks", bases, held)), "walks")


async def test_walks_are_counted_where_there_are_any_and_none_without_their_table() -> None:
    """A migrator may drop it, and make it anew."""
    there = Named("walks", {"id": "uuid"}, {}, {})
    assert await counted(cast("asyncpg.Connection", there), 10.0) == 2
    marked = Named("walks", {"id": "uuid", "deleted_at": "timestamptz"}, {})
    await counted(cast("asyncpg.Connection", marked), 10.0)
    assert marked.asked == 'SELECT count(*) FROM "public"."walks" WHERE "deleted_at" IS NULL'
    assert await counted(cast("asyncpg.Connection", Named("walks", {})), 10.0) == 0
    there.dropped = True
    assert await counted(cast("asyncpg.Connection", there), 10.0) == 0
    with pytest.raises(CannotRead, match=r"walks cannot be read: .*a view"):
        await counted(cast("asyncpg.Connection", Named("walks", {"id": "uuid"}, kind="v")), 10.0)


class Named:
    """As ``Database``, of that table, and all of its rows."""

    def __init__(self, name: str, bases: Mapping[str, str], *held: Mapping[str, Any], kind: str = "r") -> None:
        self._name, self._bases, self._held, self._kind = name, bases, held, kind
        self.dropped, self.asked = False, ""

    async def fetch(self, statement: str, *given: Any, **_: float) -> Sequence[Mapping[str, Any]]:
        if "FROM pg_class" in statement:
            told = {"oid": 1, "schema": "public", "name": self._name, "kind": self._kind, "visible": True}
            return [told | {"open": True, "hidden": False}] if self._bases and given == (self._name,) else []
        if "FROM pg_attribute" in statement:
            some = {"typmod": -1, "readable": True}
            return [{"name": name, "declared": base, "base": base} | some for name, base in self._bases.items()]
        return self._held

    async def fetchval(self, statement: str, **_: float) -> int:
        if self.dropped:
            raise asyncpg.UndefinedTableError("dropped")
        self.asked = statement
        return len(self._held)


class Embedding:
    """A connection to walks that have their locations in their own rows, a point each: as many as are asked for."""

    def __init__(self, *ids: str) -> None:
        self._ids = ids

    async def fetch(self, statement: str, *given: Any, **limit: float) -> Sequence[Mapping[str, Any]]:
        assert limit["timeout"] > 0
        if "FROM pg_class" in statement:
            told = {"oid": 1, "schema": "public", "name": "walks", "kind": "r", "visible": True, "open": True}
            return [told | {"hidden": False}] if given == ("walks",) else []
        if "FROM pg_attribute" in statement:
            some = {"typmod": -1, "readable": True}
            types = {**dict.fromkeys(OF_WALKS, "text"), "id": "uuid", "locations": "jsonb"}
            return [{"name": name, "declared": base, "base": base} | some for name, base in types.items()]
        bare = next((each for each in given if isinstance(each, list)), None)
        found = [each for each in self._ids if bare is None or each.replace("-", "") in bare]
        most = next((each for each in given if isinstance(each, int)), len(found))
        point = f'[{{"latitude": 35.0, "longitude": 139.0, "timestamp": "{NOON.isoformat()}"}}]'
        return [{**dict.fromkeys(OF_WALKS), "id": each, "points": point} for each in found[:most]]


async def test_a_walk_that_is_asked_for_has_its_locations_however_many_walks_lie_before_it() -> None:
    """Of a target that keeps them in the walk's row the first ten walks had some, and conformance failed the others."""
    ids = [f"0b3a6c9e-aaaa-4222-8333-{number:012}" for number in range(12)]
    connection = cast("asyncpg.Connection", Embedding(*ids))
    found = await walk_tables.read(connection, 10, only=[ids[-1]])
    assert [(each.id, len(each.locations)) for each in found.walks] == [(ids[-1], 1)]
    all_of_them = await walk_tables.read(connection, 10)
    assert [len(each.locations) for each in all_of_them.walks] == [1] * 10
