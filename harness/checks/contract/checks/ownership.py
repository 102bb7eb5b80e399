"""Another user's walk: 404, and untouched."""

from __future__ import annotations

from harness.checks.contract.check import WALKS, ContractClient, Deviates, decided, must_be
from harness.checks.contract.rows import checks
from harness.checks.contract.run import DeviationKind, walk_api
from harness.checks.contract.shape import location, of_contract
from harness.model.message import message

CHECKS = checks("ownership", walk_api("ownership"), DeviationKind.STATUS)


@CHECKS("ownership.put_keeps", "another user's walk cannot be overwritten by PUT", finding=DeviationKind.EFFECT)
async def put_keeps(bench: ContractClient) -> None:
    """Neither its fields, nor its locations, nor whose it is."""
    owner, stranger = await bench.user(), await bench.user()
    walk_id = await owner.new_walk("本人の散歩")
    await owner.put_walk(walk_id, {"locations": [location(0)]})
    before = await owner.walk(walk_id)
    exchange = await stranger.put(walk_id, {"title": "乗っ取り", "locations": [location(0, latitude=1.5), location(1)]})
    read = await owner.get(f"{WALKS}/{walk_id}")
    must_be(message("the owner's walk"), of_contract(before), of_contract(read.json()), exchange)
    decided(exchange)


@CHECKS("ownership.delete_keeps", "another user's walk cannot be deleted", finding=DeviationKind.EFFECT)
async def delete_keeps(bench: ContractClient) -> None:
    """Its owner still reads it."""
    owner, stranger = await bench.user(), await bench.user()
    walk_id = await owner.new_walk()
    await owner.walk(walk_id)
    exchange = await stranger.delete(walk_id)
    read = await owner.get(f"{WALKS}/{walk_id}")
    must_be(message("status of the owner's GET"), 200, read.status, exchange)
    decided(exchange)


@CHECKS("ownership.leak", "no answer to a stranger holds anything of another user's walk", finding=DeviationKind.LEAK)
async def leak(bench: ContractClient) -> None:
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
