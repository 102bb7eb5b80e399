"""GET /v1/walks: pages of one's own walks, newest first."""

from __future__ import annotations

from typing import Any

from harness.checks.contract.check import WALKS, ContractCaller, ContractClient, Deviates, must_be, needs
from harness.checks.contract.http import HttpExchange
from harness.checks.contract.rows import checks
from harness.checks.contract.run import DeviationKind, walk_api
from harness.checks.contract.shape import FULL_WALK, WALK, is_whole, problems
from harness.model.message import joined, message

CHECKS = checks("listing", walk_api("list"))


async def _some(me: ContractCaller, count: int) -> list[str]:
    """Walks made one after the other; their ids, the oldest first."""
    return [(await me.new_walk(f"{number}")).lower() for number in range(count)]


async def _page(me: ContractCaller, page: int, limit: int) -> tuple[HttpExchange, dict[str, Any]]:
    exchange = needs(await me.get(f"{WALKS}?page={page}&limit={limit}"))
    return exchange, _read(exchange)


def _read(exchange: HttpExchange) -> dict[str, Any]:
    body = exchange.json()
    if not isinstance(body, dict) or not isinstance(body.get("walks"), list):
        raise Deviates(message("an object with a list of walks"), exchange.shown, exchange)
    return body


def _ids(body: dict[str, Any]) -> list[str]:
    return [str(walk.get("id")).lower() for walk in body["walks"] if isinstance(walk, dict)]


@CHECKS("listing.body", "the list is {walks, total_count, page, limit}, its walks are Walks")
async def body(bench: ContractClient) -> None:
    """Every field; page and limit are those asked for."""
    me = await bench.user()
    await me.put_walk(bench.walk_id(), FULL_WALK)
    exchange, page = await _page(me, 1, 7)
    fields = bench.rule("walk.optional"), bench.rule("walk.nullable")
    odd = [name for name in ("total_count", "page", "limit") if not is_whole(page.get(name))]
    wrong = [message("{name} is no whole number", name=name) for name in odd]
    wrong += [problem for walk in page["walks"] for problem in problems(walk, WALK, *fields)]
    if wrong or not page["walks"]:
        raise Deviates(
            message("the list of the contract"), joined(wrong) if wrong else message("no walk in it"), exchange
        )
    must_be(message("page and limit"), (1, 7), (page["page"], page["limit"]), exchange)


@CHECKS("listing.order", "walks are listed newest first")
async def order(bench: ContractClient) -> None:
    """Three, made one after the other."""
    me = await bench.user()
    made = await _some(me, 3)
    exchange, page = await _page(me, 1, 20)
    listed = [walk_id for walk_id in _ids(page) if walk_id in made]
    must_be(message("ids"), made[::-1], listed, exchange)


@CHECKS("listing.pages", "pages hold every walk once")
async def pages(bench: ContractClient) -> None:
    """Five walks on pages of two."""
    me = await bench.user()
    made = await _some(me, 5)
    seen: list[str] = []
    for number in (1, 2, 3):
        exchange, page = await _page(me, number, 2)
        expected = 1 if number == 3 else 2
        must_be(message("walks on page {number}", number=str(number)), expected, len(page["walks"]), exchange)
        seen += _ids(page)
    must_be(message("ids on all pages"), sorted(made), sorted(seen), exchange)


@CHECKS("listing.own", "the list holds one's own walks only", walk_api("ownership"), DeviationKind.LEAK)
async def own(bench: ContractClient) -> None:
    """Two users; neither sees the other's."""
    me, other = await bench.user(), await bench.user()
    mine, theirs = await me.new_walk(), await other.new_walk()
    for who, walk_id, foreign in ((me, mine, theirs), (other, theirs, mine)):
        exchange, page = await _page(who, 1, 100)
        if foreign.lower() in _ids(page):
            too = message("another user's walk {walk} too", walk=str(foreign))
            raise Deviates(message("walk {walk} alone", walk=walk_id), too, exchange)


@CHECKS("listing.deleted", "a deleted walk is not listed")
async def deleted(bench: ContractClient) -> None:
    """One of two."""
    me = await bench.user()
    kept, gone = await _some(me, 2)
    needs(await me.delete(gone))
    exchange, page = await _page(me, 1, 20)
    must_be(message("ids"), [kept], _ids(page), exchange)
