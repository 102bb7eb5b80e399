"""POST, GET, PUT and DELETE of one walk: statuses, and bodies field by field."""

from __future__ import annotations

from typing import Any

from harness.contract.bench import WALKS, Bench
from harness.contract.check import Checks, Deviates, NotExercised, must, must_be, needs, status
from harness.contract.grade import Finding, walk_api
from harness.contract.http import Exchange
from harness.contract.samples import FULL_WALK, TIMES, location
from harness.contract.shape import WALK, location_problems, problems, same_time
from harness.model.message import joined, message

CHECKS = Checks(walk_api("read"))


def well_formed(bench: Bench, exchange: Exchange) -> dict[str, Any]:
    """The walk in the body, when it has every field that it must have."""
    body = exchange.json()
    wrong = problems(body, WALK, bench.rule("walk.optional"), bench.rule("walk.nullable"))
    if wrong:
        raise Deviates(message("a Walk of the contract"), joined(wrong), exchange)
    assert isinstance(body, dict)
    return body


@CHECKS("walks.create.status", "POST /v1/walks answers 201", walk_api("create"), Finding.STATUS)
async def create(bench: Bench) -> None:
    """With title and description."""
    me = await bench.user()
    must(await me.post({"title": "朝の散歩", "description": "川沿い"}), bench.rule("create.status"))


@CHECKS("walks.create.body", "POST answers the Walk, every field of it", walk_api("walk"))
async def create_body(bench: Bench) -> None:
    """Fields, their types, and what was sent."""
    me = await bench.user()
    exchange = needs(await me.post({"title": "朝の散歩", "description": "川沿い"}))
    walk = well_formed(bench, exchange)
    sent = {"title": "朝の散歩", "description": "川沿い", "user_id": me.uid}
    must_be(message("fields"), sent, {name: walk.get(name) for name in sent}, exchange)


@CHECKS("walks.create.times", "a walk just created has no start, end or pause: null", walk_api("create"))
async def create_times(bench: Bench) -> None:
    """Go's zero time (year 1) is RFC 3339, and would be shown as a date."""
    me = await bench.user()
    exchange = needs(await me.post({"title": "朝の散歩"}))
    body = exchange.json()
    if not isinstance(body, dict):
        raise NotExercised(message("it needs the created walk: {answer}", answer=exchange.shown))
    must_be(message("times"), {}, {name: body[name] for name in TIMES if body.get(name) is not None}, exchange)


@CHECKS("walks.create.without_description", "description is optional in POST", walk_api("create"), Finding.STATUS)
async def create_without_description(bench: Bench) -> None:
    """Title alone."""
    needs(await (me := await bench.user()).post({"title": "散歩", "description": "川沿い"}))
    exchange = await me.post({"title": "散歩"})
    if bench.rule("create.description.required"):
        must(exchange, 400)
    elif not 200 <= exchange.status < 300:
        raise Deviates(status(201), exchange.shown, exchange, Finding.STATUS)


@CHECKS("walks.get.status", "GET /v1/walks/{uuid} answers 200 for one's own walk", finding=Finding.STATUS)
async def get(bench: Bench) -> None:
    """A walk just made."""
    me = await bench.user()
    must(await me.get(f"{WALKS}/{await me.new_walk()}"), bench.rule("get.status"))


@CHECKS("walks.get.body", "GET answers the Walk with its locations, every field of both")
async def get_body(bench: Bench) -> None:
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


@CHECKS("walks.get.no_locations", "GET answers locations as a list also when there are none")
async def get_no_locations(bench: Bench) -> None:
    """The app decodes a list."""
    me = await bench.user()
    exchange = needs(await me.get(f"{WALKS}/{await me.new_walk()}"))
    body = exchange.json()
    must_be(message("locations"), [], body.get("locations", "absent") if isinstance(body, dict) else body, exchange)


@CHECKS(
    "walks.get.upper_case_id", "an id in upper case (Swift's uuidString) names the same walk", finding=Finding.STATUS
)
async def get_upper_case(bench: Bench) -> None:
    """UUIDs are compared without regard to case (RFC 9562, section 4)."""
    me = await bench.user()
    walk_id = await me.new_walk()
    needs(await me.get(f"{WALKS}/{walk_id.lower()}"))
    must(await me.get(f"{WALKS}/{walk_id.upper()}"), 200)


@CHECKS("walks.get.unknown", "GET of a walk that does not exist answers 404", finding=Finding.STATUS)
async def get_unknown(bench: Bench) -> None:
    """A fresh UUID."""
    me = await bench.user()
    must(await me.get(f"{WALKS}/{bench.walk_id()}"), 404)


@CHECKS("walks.put.status", "PUT /v1/walks/{uuid} answers 200", walk_api("change"), Finding.STATUS)
async def put(bench: Bench) -> None:
    """On a walk that exists."""
    me = await bench.user()
    must(await me.put(await me.new_walk(), {"title": "夕方の散歩"}), bench.rule("put.status"))


@CHECKS("walks.put.body", "PUT answers the Walk as it is now, every field of it", walk_api("walk"))
async def put_body(bench: Bench) -> None:
    """What was sent is in the answer, and in the next GET."""
    me = await bench.user()
    walk_id = await me.new_walk()
    exchange = await me.put_walk(walk_id, FULL_WALK)
    answered, read = well_formed(bench, exchange), await me.walk(walk_id)
    for where, walk in (("PUT's answer", answered), ("the next GET", read)):
        for name, value in FULL_WALK.items():
            held = walk.get(name)
            if not (same_time(held, value) if name in TIMES else held == value):
                raise Deviates(f"{name} {value!r} in {where}", f"{held!r}", exchange)


@CHECKS("walks.delete.status", "DELETE /v1/walks/{uuid} answers 204", walk_api("delete"), Finding.STATUS)
async def delete(bench: Bench) -> None:
    """One's own walk."""
    me = await bench.user()
    must(await me.delete(await me.new_walk()), bench.rule("delete.status"))


@CHECKS("walks.delete.gone", "a deleted walk answers 404", walk_api("delete"), Finding.STATUS)
async def delete_gone(bench: Bench) -> None:
    """To GET and to a second DELETE."""
    me = await bench.user()
    walk_id = await me.new_walk()
    needs(await me.delete(walk_id))
    must(await me.get(f"{WALKS}/{walk_id}"), 404)
    must(await me.delete(walk_id), 404)


@CHECKS("walks.delete.unknown", "DELETE of a walk that does not exist answers 404", walk_api("delete"), Finding.STATUS)
async def delete_unknown(bench: Bench) -> None:
    """A fresh UUID."""
    me = await bench.user()
    must(await me.delete(bench.walk_id()), 404)


@CHECKS(
    "walks.delete.with_locations",
    "a walk's locations go with it: one made anew under its id has none",
    walk_api("delete"),
    Finding.EFFECT,
)
async def delete_with_locations(bench: Bench) -> None:
    """The schema's ``on delete cascade``, seen from outside."""
    me, walk_id = await bench.user(), bench.walk_id()
    await me.put_walk(walk_id, {"locations": [location(0), location(1)]})
    needs(await me.delete(walk_id))
    exchange = await me.put_walk(walk_id, {"locations": [location(7)]})
    numbers = [each.get("sequence_number") for each in await me.locations(walk_id)]
    must_be(message("sequence numbers"), [7], numbers, exchange)
