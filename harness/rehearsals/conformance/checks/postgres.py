"""What the contract says of the tables: the checkers of later scenarios read them past the API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.checks import tables
from harness.checks.contract.check import WALKS, Checks, ContractClient, Deviates, must_be, needs
from harness.checks.contract.http import HttpExchange
from harness.checks.contract.reach import NotExercised
from harness.checks.contract.run import DeviationKind, walk_api
from harness.checks.contract.shape import FULL_WALK, location
from harness.checks.dual_write import StoredWalk
from harness.checks.values import Column, comparable
from harness.checks.walk_tables import StoredWalks
from harness.model.message import Message, joined, message

CHECKS = Checks(walk_api("postgresql"), DeviationKind.EFFECT)

_OF_WALK = ("title", "total_distance", "total_steps", "status")
_OF_LOCATION = ("sequence_number", "latitude", "longitude", "horizontal_accuracy", "vertical_accuracy")


@CHECKS("postgres.user", "a row in users appears at the first authenticated call")
async def user(bench: ContractClient) -> None:
    """Whatever the call."""
    me = await bench.user()
    exchange = needs(await me.get(WALKS))
    must_be(message("rows in users"), 1, await bench.user_rows(me.uid), exchange)


@CHECKS("postgres.walk", "an answered write is in walks")
async def walk(bench: ContractClient) -> None:
    """At once: PostgreSQL comes first."""
    me, walk_id = await bench.user(), bench.walk_id()
    exchange = await me.put_walk(walk_id, FULL_WALK)
    stored = await bench.stored(walk_id)
    _one(stored, exchange)
    sent = {"user_id": me.uid, **{name: FULL_WALK[name] for name in _OF_WALK}}
    for row in stored.walks:
        _held("row in walks", sent, row.columns, stored.layout.walks, exchange)
    _all_read(stored, (f"{tables.WALKS}.{name}" for name in sent))


@CHECKS("postgres.locations", "an answered write's locations are in walk_locations")
async def locations(bench: ContractClient) -> None:
    """A row a location."""
    me, walk_id = await bench.user(), bench.walk_id()
    exchange = await me.put_walk(walk_id, {"locations": [location(0), location(1)]})
    stored = await bench.stored(walk_id)
    [one] = _one(stored, exchange)
    columns = stored.layout.locations
    if columns is None:
        raise _not_read(stored, tables.LOCATIONS)
    rows = sorted(one.locations, key=lambda row: row["sequence_number"])
    must_be(message("sequence numbers"), [0, 1], [row["sequence_number"] for row in rows], exchange)
    for number, row in enumerate(rows):
        sent = {name: location(number)[name] for name in _OF_LOCATION}
        _held(message("location {number} in walk_locations", number=str(number)), sent, row, columns, exchange)
    _all_read(stored, (f"{tables.LOCATIONS}.{name}" for name in _OF_LOCATION))


def _one(stored: StoredWalks, exchange: HttpExchange) -> Sequence[StoredWalk]:
    must_be(message("rows in walks"), 1, len(stored.walks), exchange)
    return stored.walks


def _held(
    what: str | Message,
    sent: Mapping[str, Any],
    row: Mapping[str, Any],
    columns: Mapping[str, Column],
    exchange: HttpExchange,
) -> None:
    """Deviates unless each column that was read holds what was sent, as finely as its type keeps it."""
    read = [name for name in sent if name in columns]
    if not all(columns[name].holds(comparable(columns[name].kind, sent[name]), row[name]) for name in read):
        expected, held = ({name: values[name] for name in read} for values in (sent, row))
        raise Deviates(message("{what} {value}", what=what, value=f"{expected!r}"), f"{held!r}", exchange)


def _all_read(stored: StoredWalks, places: Iterable[str]) -> None:
    """Raises ``NotExercised`` when one of the columns was not read: what it holds is not known."""
    wanted = set(places)
    for each in stored.layout.unread:
        if each.place in wanted:
            raise NotExercised(each.told)


def _not_read(stored: StoredWalks, table: str) -> NotExercised:
    return NotExercised(joined(tuple(e.told for e in stored.layout.unread if e.place.partition(".")[0] == table)))
