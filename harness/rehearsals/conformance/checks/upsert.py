"""PUT: creates what is not there, changes only what is sent, and upserts locations by their number."""

from __future__ import annotations

import asyncio
from typing import Any

from harness.checks.contract.check import WALKS, ContractClient, Deviates, must, must_be
from harness.checks.contract.reach import NotExercised
from harness.checks.contract.rows import checks
from harness.checks.contract.run import DeviationKind, walk_api
from harness.checks.contract.shape import FULL_WALK, is_time, is_whole, location, of_contract
from harness.model.message import message
from harness.stack.firebase.documents import instant

CHECKS = checks("upsert", walk_api("change"))


def _numbers(locations: list[dict[str, Any]]) -> list[object]:
    return [each.get("sequence_number") for each in locations]


@CHECKS("upsert.creates", "PUT creates the walk when it does not exist, with status 200")
async def creates(bench: ContractClient) -> None:
    """Under the id of the path."""
    me, walk_id = await bench.user(), bench.walk_id()
    exchange = must(await me.put(walk_id, FULL_WALK), bench.rule("put.status"))
    read = await me.get(f"{WALKS}/{walk_id}")
    if read.status != 200:
        raise Deviates(message("the walk to exist afterwards"), f"GET: {read.shown}", exchange, DeviationKind.EFFECT)


@CHECKS("upsert.updated_at", "updated_at moves on with each PUT")
async def updated_at(bench: ContractClient) -> None:
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
        raise Deviates(message("updated_at after {time}", time=str(before)), f"{after}", exchange, DeviationKind.EFFECT)


@CHECKS("upsert.locations_order", "locations are answered by sequence_number, however they were sent")
async def locations_order(bench: ContractClient) -> None:
    """Sent backwards, in two batches."""
    me, walk_id = await bench.user(), bench.walk_id()
    await me.put_walk(walk_id, {"locations": [location(3), location(1)]})
    exchange = await me.put_walk(walk_id, {"locations": [location(3), location(2), location(0)]})
    numbers = _whole(await me.locations(walk_id))
    must_be(message("sequence numbers"), sorted(numbers), numbers, exchange)


@CHECKS("upsert.retry", "a PUT that is retried changes nothing", finding=DeviationKind.EFFECT)
async def retry(bench: ContractClient) -> None:
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
async def batch(bench: ContractClient) -> None:
    """All of them are there afterwards."""
    me, walk_id = await bench.user(), bench.walk_id()
    await me.put_walk(walk_id, {"locations": [location(0)]})
    exchange = must(
        await me.put(walk_id, {"locations": [location(number) for number in range(60)]}), bench.rule("put.status")
    )
    must_be(message("locations"), list(range(60)), sorted(map(int, _whole(await me.locations(walk_id)))), exchange)


@CHECKS("upsert.two_devices", "two devices on one walk: what both send at one moment is there afterwards")
async def two_devices(bench: ContractClient) -> None:
    """One user's phone and watch, five times at once from the PUT on that creates the walk, with every other point."""
    me, walk_id = await bench.user(), bench.walk_id()
    for first in range(0, 100, 20):
        batches = ([location(number) for number in range(first + device, first + 20, 2)] for device in (0, 1))
        for exchange in await asyncio.gather(*(me.put(walk_id, {"locations": each}) for each in batches)):
            must(exchange, bench.rule("put.status"))
    there = sorted(_whole(await me.locations(walk_id)))
    must_be(message("sequence numbers"), list(range(100)), there, exchange, DeviationKind.EFFECT)


def _whole(locations: list[dict[str, Any]]) -> list[int]:
    """The numbers, as whole ones, however they are written."""
    return [int(str(number).partition(".")[0]) for number in _numbers(locations) if is_whole(number)]
