"""POST, GET, PUT and DELETE of one walk: statuses, and bodies field by field."""

from __future__ import annotations

from harness.checks.contract.check import WALKS, ContractClient, Deviates, must, must_be, needs, status
from harness.checks.contract.reach import NotExercised
from harness.checks.contract.rows import checks, well_formed
from harness.checks.contract.run import DeviationKind, walk_api
from harness.checks.contract.shape import FULL_WALK, TIMES, location, location_problems
from harness.model.message import joined, message

CHECKS = checks("walks", walk_api("read"))


@CHECKS("walks.create.times", "a walk just created has no start, end or pause: null", walk_api("create"))
async def create_times(bench: ContractClient) -> None:
    """Go's zero time (year 1) is RFC 3339, and would be shown as a date."""
    me = await bench.user()
    exchange = needs(await me.post({"title": "朝の散歩"}))
    body = exchange.json()
    if not isinstance(body, dict):
        raise NotExercised(message("it needs the created walk: {answer}", answer=exchange.shown))
    must_be(message("times"), {}, {name: body[name] for name in TIMES if body.get(name) is not None}, exchange)


@CHECKS("walks.create.without_description", "description is optional in POST", walk_api("create"), DeviationKind.STATUS)
async def create_without_description(bench: ContractClient) -> None:
    """Title alone."""
    needs(await (me := await bench.user()).post({"title": "散歩", "description": "川沿い"}))
    exchange = await me.post({"title": "散歩"})
    if bench.rule("create.description.required"):
        must(exchange, 400)
    elif not 200 <= exchange.status < 300:
        raise Deviates(status(201), exchange.shown, exchange, DeviationKind.STATUS)


@CHECKS("walks.get.body", "GET answers the Walk with its locations, every field of both")
async def get_body(bench: ContractClient) -> None:
    """A walk with two locations."""
    me, walk_id = await bench.user(), bench.walk_id()
    await me.put_walk(walk_id, FULL_WALK | {"locations": [location(0), location(1)]})
    exchange = needs(await me.get(f"{WALKS}/{walk_id}"))
    walk = well_formed(bench, exchange)
    locations = walk.get("locations")
    if not isinstance(locations, list) or len(locations) != 2:
        raise Deviates(message("locations: a list of the 2 that were sent"), f"locations {locations!r:.200}", exchange)
    wrong = [problem for each in locations for problem in location_problems(each)]
    if wrong:
        raise Deviates(message("Locations of the contract"), joined(wrong), exchange)
