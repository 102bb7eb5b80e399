"""PUT: creates what is not there, changes only what is sent, and upserts locations by their number."""

from __future__ import annotations

from typing import Any

from harness.contract.bench import WALKS, Bench
from harness.contract.check import Checks, Deviates, NotExercised, must, must_be, needs
from harness.contract.grade import Finding, walk_api
from harness.contract.samples import FULL_LOCATION, FULL_WALK, TIMES, location
from harness.contract.shape import is_time, is_whole, of_contract, same_time
from harness.model.message import message
from harness.stack.firebase.documents import instant

CHECKS = Checks(walk_api("change"))


def _numbers(locations: list[dict[str, Any]]) -> list[object]:
    return [each.get("sequence_number") for each in locations]


@CHECKS("upsert.creates", "PUT creates the walk when it does not exist, with status 200")
async def creates(bench: Bench) -> None:
    """Under the id of the path."""
    me, walk_id = await bench.user(), bench.walk_id()
    exchange = must(await me.put(walk_id, FULL_WALK), bench.rule("put.status"))
    read = await me.get(f"{WALKS}/{walk_id}")
    if read.status != 200:
        raise Deviates(message("the walk to exist afterwards"), f"GET: {read.shown}", exchange, Finding.EFFECT)


@CHECKS("upsert.own", "a walk that PUT creates is its sender's", finding=Finding.EFFECT)
async def own(bench: Bench) -> None:
    """``user_id`` is the token's uid, ``id`` the path's."""
    me, walk_id = await bench.user(), bench.walk_id()
    exchange = await me.put_walk(walk_id, FULL_WALK)
    walk = await me.walk(walk_id)
    must_be("user_id", me.uid, walk.get("user_id"), exchange)
    must_be("id", walk_id, str(walk.get("id")).lower(), exchange)


@CHECKS("upsert.empty_body", "every field is optional: PUT of {} creates a walk too")
async def empty_body(bench: Bench) -> None:
    """The smallest body there is."""
    me = await bench.user()
    must(await me.put(bench.walk_id(), {}), bench.rule("put.status"))


@CHECKS("upsert.partial", "fields that a PUT does not send stay as they are", finding=Finding.EFFECT)
async def partial(bench: Bench) -> None:
    """All are set, then the distance alone is changed."""
    me, walk_id = await bench.user(), bench.walk_id()
    await me.put_walk(walk_id, FULL_WALK)
    exchange = await me.put_walk(walk_id, {"total_distance": 5000.25})
    walk = await me.walk(walk_id)
    for name, value in (FULL_WALK | {"total_distance": 5000.25}).items():
        held = walk.get(name)
        if not (same_time(held, value) if name in TIMES else held == value):
            raise Deviates(f"{name} {value!r}", f"{held!r}", exchange)


@CHECKS("upsert.updated_at", "updated_at moves on with each PUT")
async def updated_at(bench: Bench) -> None:
    """By GET, of two PUTs that change the title: the mirror and the app tell the newer by it."""
    me, walk_id = await bench.user(), bench.walk_id()
    await me.put_walk(walk_id, {"title": "朝の散歩"})
    before = (await me.walk(walk_id)).get("updated_at")
    await bench.clock.sleep(0.01)  # a column of milliseconds is precise enough
    exchange = await me.put_walk(walk_id, {"title": "夜の散歩"})
    after = (await me.walk(walk_id)).get("updated_at")
    if before == after and is_time(before) and not instant(str(before)).microsecond:  # two of one second, perhaps
        await bench.clock.sleep(1.0)
        exchange = await me.put_walk(walk_id, {"title": "夜の散歩、雨"})
        after = (await me.walk(walk_id)).get("updated_at")
    if not (is_time(before) and is_time(after)):
        raise NotExercised(
            message("it needs updated_at in RFC 3339: {before}, {after}", before=repr(before), after=repr(after))
        )
    if instant(str(after)) <= instant(str(before)):
        raise Deviates(message("updated_at after {time}", time=str(before)), f"{after}", exchange, Finding.EFFECT)


@CHECKS("upsert.locations_stay", "locations that a PUT does not send stay", finding=Finding.EFFECT)
async def locations_stay(bench: Bench) -> None:
    """Two batches, as a phone sends them; then a PUT without any."""
    me, walk_id = await bench.user(), bench.walk_id()
    await me.put_walk(walk_id, {"locations": [location(0), location(1)]})
    exchange = await me.put_walk(walk_id, {"locations": [location(2)]})
    must_be(message("sequence numbers"), [0, 1, 2], _numbers(await me.locations(walk_id)), exchange)
    exchange = await me.put_walk(walk_id, {"title": "夜の散歩"})
    must_be(message("sequence numbers"), [0, 1, 2], _numbers(await me.locations(walk_id)), exchange)


@CHECKS(
    "upsert.locations_replaced", "a location whose sequence_number is there already is replaced", finding=Finding.EFFECT
)
async def locations_replaced(bench: Bench) -> None:
    """The second value of number 1 wins."""
    me, walk_id = await bench.user(), bench.walk_id()
    await me.put_walk(walk_id, {"locations": [location(0), location(1)]})
    exchange = await me.put_walk(walk_id, {"locations": [location(1, latitude=-12.25)]})
    held = [each.get("latitude") for each in await me.locations(walk_id) if each.get("sequence_number") == 1]
    must_be(message("latitudes of number 1"), [-12.25], held, exchange)


@CHECKS("upsert.locations_order", "locations are answered by sequence_number, however they were sent")
async def locations_order(bench: Bench) -> None:
    """Sent backwards, in two batches."""
    me, walk_id = await bench.user(), bench.walk_id()
    await me.put_walk(walk_id, {"locations": [location(3), location(1)]})
    exchange = await me.put_walk(walk_id, {"locations": [location(3), location(2), location(0)]})
    numbers = _whole(await me.locations(walk_id))
    must_be(message("sequence numbers"), sorted(numbers), numbers, exchange)


@CHECKS(
    "upsert.locations_values", "a location is answered as it was sent, null where it was unknown", walk_api("location")
)
async def locations_values(bench: Bench) -> None:
    """All fields known in one, all optional ones unknown in the other; -1 belongs to Firestore alone."""
    me, walk_id = await bench.user(), bench.walk_id()
    optional = ("altitude", "horizontal_accuracy", "vertical_accuracy", "speed", "course")
    unknown = location(1, **dict.fromkeys(optional, None))
    exchange = await me.put_walk(walk_id, {"locations": [location(0), unknown]})
    found = {each.get("sequence_number"): each for each in await me.locations(walk_id)}
    for number, sent in ((0, FULL_LOCATION), (1, unknown)):
        for name, value in sent.items():
            held = found.get(number, {}).get(name)
            if not (same_time(held, value) if name == "timestamp" else held == value):
                wanted = message("{what} in location {number}", what=f"{name} {value!r}", number=str(number))
                raise Deviates(wanted, f"{held!r}", exchange)


@CHECKS("upsert.locations_optional", "a location's optional fields may be absent", walk_api("location"))
async def locations_optional(bench: Bench) -> None:
    """What a phone without a fix of them sends."""
    me, walk_id = await bench.user(), bench.walk_id()
    needs(await me.put(walk_id, {"locations": [location(0)]}))
    absent: dict[str, Any] = dict.fromkeys(
        ("altitude", "horizontal_accuracy", "vertical_accuracy", "speed", "course"), ...
    )
    must(await me.put(walk_id, {"locations": [location(1, **absent)]}), bench.rule("put.status"))


@CHECKS("upsert.retry", "a PUT that is retried changes nothing", finding=Finding.EFFECT)
async def retry(bench: Bench) -> None:
    """The same bytes twice, as a phone does when the first answer was lost."""
    me, walk_id = await bench.user(), bench.walk_id()
    body = FULL_WALK | {"locations": [location(number) for number in range(5)]}
    await me.put_walk(walk_id, body)
    before = await me.walk(walk_id)
    exchange = must(await me.put(walk_id, body), bench.rule("put.status"))
    after = await me.walk(walk_id)
    for walk in (before, after):
        walk.pop("updated_at", None)
    must_be(message("the walk"), of_contract(before), of_contract(after), exchange)


@CHECKS("upsert.batch", "PUT takes 60 locations, the largest batch a phone sends")
async def batch(bench: Bench) -> None:
    """All of them are there afterwards."""
    me, walk_id = await bench.user(), bench.walk_id()
    await me.put_walk(walk_id, {"locations": [location(0)]})
    exchange = must(
        await me.put(walk_id, {"locations": [location(number) for number in range(60)]}), bench.rule("put.status")
    )
    must_be(message("locations"), list(range(60)), sorted(map(int, _whole(await me.locations(walk_id)))), exchange)


def _whole(locations: list[dict[str, Any]]) -> list[int]:
    """The numbers, as whole ones, however they are written."""
    return [int(str(number).partition(".")[0]) for number in _numbers(locations) if is_whole(number)]
