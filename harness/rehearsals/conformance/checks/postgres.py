"""What the contract says of the tables: the checkers of later scenarios read them past the API."""

from __future__ import annotations

from harness.rehearsals.conformance.bench import WALKS, Bench
from harness.rehearsals.conformance.check import Checks, Deviates, must_be, needs
from harness.rehearsals.conformance.grade import Finding, walk_api
from harness.rehearsals.conformance.samples import FULL_LOCATION, FULL_WALK, location

CHECKS = Checks(walk_api("postgresql"), Finding.EFFECT)

_WALK = "SELECT user_id, title, total_distance, total_steps, status::text AS status FROM walks WHERE id = $1::uuid"
_LOCATIONS = """SELECT sequence_number, latitude, longitude, horizontal_accuracy, vertical_accuracy
FROM walk_locations WHERE walk_id = $1::uuid ORDER BY sequence_number"""


@CHECKS("postgres.user", "a row in users appears at the first authenticated call")
async def user(bench: Bench) -> None:
    """Whatever the call."""
    me = await bench.user()
    exchange = needs(await me.get(WALKS))
    found = await bench.rows("SELECT id FROM users WHERE id = $1", me.uid)
    must_be("rows in users", [{"id": me.uid}], found, exchange)


@CHECKS("postgres.walk", "an answered write is in walks")
async def walk(bench: Bench) -> None:
    """At once: PostgreSQL comes first."""
    me, walk_id = await bench.user(), bench.walk_id()
    exchange = await me.put_walk(walk_id, FULL_WALK)
    found = await bench.rows(_WALK, walk_id)
    expected = {name: FULL_WALK[name] for name in ("title", "total_distance", "total_steps", "status")}
    held = [{**row, "total_distance": float(row["total_distance"])} for row in found]
    must_be("row in walks", [{"user_id": me.uid, **expected}], held, exchange)


@CHECKS("postgres.locations", "an answered write's locations are in walk_locations")
async def locations(bench: Bench) -> None:
    """A row a location."""
    me, walk_id = await bench.user(), bench.walk_id()
    exchange = await me.put_walk(walk_id, {"locations": [location(0), location(1)]})
    found = await bench.rows(_LOCATIONS, walk_id)
    must_be("sequence numbers", [0, 1], [row["sequence_number"] for row in found], exchange)
    for name in ("latitude", "longitude", "horizontal_accuracy", "vertical_accuracy"):
        if any(row[name] is None or abs(float(row[name]) - FULL_LOCATION[name]) > 1e-9 for row in found):
            raise Deviates(f"{name} {FULL_LOCATION[name]}", f"{[row[name] for row in found]}", exchange)
