"""Another user's walk: 404, and untouched."""

from __future__ import annotations

from harness.contract.bench import WALKS, Bench
from harness.contract.check import Checks, Deviates, decided, must, must_be
from harness.contract.grade import Finding, walk_api
from harness.contract.samples import location
from harness.contract.shape import of_contract
from harness.model.message import message

CHECKS = Checks(walk_api("ownership"), Finding.STATUS)


@CHECKS("ownership.get", "another user's walk answers 404 to GET")
async def get(bench: Bench) -> None:
    """Not 403, which would say that it is there."""
    owner, stranger = await bench.user(), await bench.user()
    must(await stranger.get(f"{WALKS}/{await owner.new_walk()}"), 404)


@CHECKS("ownership.put", "another user's walk answers 404 to PUT")
async def put(bench: Bench) -> None:
    """Though PUT creates what is not there."""
    owner, stranger = await bench.user(), await bench.user()
    must(await stranger.put(await owner.new_walk(), {"title": "乗っ取り"}), 404)


@CHECKS("ownership.put_keeps", "another user's walk cannot be overwritten by PUT", finding=Finding.EFFECT)
async def put_keeps(bench: Bench) -> None:
    """Neither its fields, nor its locations, nor whose it is."""
    owner, stranger = await bench.user(), await bench.user()
    walk_id = await owner.new_walk("本人の散歩")
    await owner.put_walk(walk_id, {"locations": [location(0)]})
    before = await owner.walk(walk_id)
    exchange = await stranger.put(walk_id, {"title": "乗っ取り", "locations": [location(0, latitude=1.5), location(1)]})
    read = await owner.get(f"{WALKS}/{walk_id}")
    must_be(message("the owner's walk"), of_contract(before), of_contract(read.json()), exchange)
    decided(exchange)


@CHECKS("ownership.delete", "another user's walk answers 404 to DELETE")
async def delete(bench: Bench) -> None:
    """As if it were not there."""
    owner, stranger = await bench.user(), await bench.user()
    must(await stranger.delete(await owner.new_walk()), 404)


@CHECKS("ownership.delete_keeps", "another user's walk cannot be deleted", finding=Finding.EFFECT)
async def delete_keeps(bench: Bench) -> None:
    """Its owner still reads it."""
    owner, stranger = await bench.user(), await bench.user()
    walk_id = await owner.new_walk()
    await owner.walk(walk_id)
    exchange = await stranger.delete(walk_id)
    read = await owner.get(f"{WALKS}/{walk_id}")
    must_be(message("status of the owner's GET"), 200, read.status, exchange)
    decided(exchange)


@CHECKS(
    "ownership.leak",
    "no answer to a stranger holds anything of another user's walk",
    finding=Finding.LEAK,
)
async def leak(bench: Bench) -> None:
    """Its description, which nobody can guess: whatever the status, in a body or in the words of an error."""
    owner, stranger = await bench.user(), await bench.user()
    walk_id, secret = bench.walk_id(), bench.walk_id()
    await owner.put_walk(walk_id, {"title": "本人の散歩", "description": secret})
    asked = [
        await stranger.send(method, f"{WALKS}/{walk_id}", body)
        for method, body in (("GET", None), ("PUT", {"total_steps": 1}), ("DELETE", None))
    ]
    for exchange in asked:
        if secret.encode() in exchange.body:
            raise Deviates(message("nothing of the owner's walk"), exchange.shown, exchange)
    for exchange in asked:
        decided(exchange)
