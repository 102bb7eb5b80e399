"""GET /v1/walks: pages of one's own walks, newest first."""

from __future__ import annotations

from typing import Any

from harness.contract.bench import WALKS, Bench, Caller
from harness.contract.check import Checks, Deviates, must, must_be, needs
from harness.contract.grade import Finding, walk_api
from harness.contract.http import Exchange
from harness.contract.samples import FULL_WALK
from harness.contract.shape import WALK, is_whole, problems
from harness.model.message import joined, message

CHECKS = Checks(walk_api("list"))


async def _some(me: Caller, count: int) -> list[str]:
    """Walks made one after the other; their ids, the oldest first."""
    return [(await me.new_walk(f"{number}")).lower() for number in range(count)]


async def _page(me: Caller, page: int, limit: int) -> tuple[Exchange, dict[str, Any]]:
    exchange = needs(await me.get(f"{WALKS}?page={page}&limit={limit}"))
    return exchange, _read(exchange)


def _read(exchange: Exchange) -> dict[str, Any]:
    body = exchange.json()
    if not isinstance(body, dict) or not isinstance(body.get("walks"), list):
        raise Deviates(message("an object with a list of walks"), exchange.shown, exchange)
    return body


def _ids(body: dict[str, Any]) -> list[str]:
    return [str(walk.get("id")).lower() for walk in body["walks"] if isinstance(walk, dict)]


@CHECKS("listing.status", "GET /v1/walks?page=1&limit=20 answers 200", finding=Finding.STATUS)
async def status(bench: Bench) -> None:
    """To a user without walks too."""
    me = await bench.user()
    must(await me.get(f"{WALKS}?page=1&limit=20"), bench.rule("list.status"))


@CHECKS("listing.body", "the list is {walks, total_count, page, limit}, its walks are Walks")
async def body(bench: Bench) -> None:
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


@CHECKS("listing.empty", "a user without walks gets an empty list")
async def empty(bench: Bench) -> None:
    """A list, not null: the app decodes one."""
    me = await bench.user()
    exchange = needs(await me.get(f"{WALKS}?page=1&limit=20"))
    answered = exchange.json()
    must_be(message("walks"), [], answered.get("walks", "absent") if isinstance(answered, dict) else answered, exchange)


@CHECKS("listing.order", "walks are listed newest first")
async def order(bench: Bench) -> None:
    """Three, made one after the other."""
    me = await bench.user()
    made = await _some(me, 3)
    exchange, page = await _page(me, 1, 20)
    listed = [walk_id for walk_id in _ids(page) if walk_id in made]
    must_be(message("ids"), made[::-1], listed, exchange)


@CHECKS("listing.pages", "pages hold every walk once")
async def pages(bench: Bench) -> None:
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


@CHECKS("listing.beyond", "a page beyond the last is empty")
async def beyond(bench: Bench) -> None:
    """Page 1000 of one walk."""
    me = await bench.user()
    await me.new_walk()
    exchange = must(await me.get(f"{WALKS}?page=1000&limit=100"), 200)
    must_be(message("walks"), [], _read(exchange)["walks"], exchange)


@CHECKS("listing.total_count", "total_count is the number of one's walks, on every page")
async def total_count(bench: Bench) -> None:
    """Three walks on a page of two, and on one beyond."""
    me = await bench.user()
    await _some(me, 3)
    for number in (1, 9):
        exchange, page = await _page(me, number, 2)
        must_be(message("total_count on page {number}", number=str(number)), 3, page.get("total_count"), exchange)


@CHECKS("listing.own", "the list holds one's own walks only", walk_api("ownership"), Finding.LEAK)
async def own(bench: Bench) -> None:
    """Two users; neither sees the other's."""
    me, other = await bench.user(), await bench.user()
    mine, theirs = await me.new_walk(), await other.new_walk()
    for who, walk_id, foreign in ((me, mine, theirs), (other, theirs, mine)):
        exchange, page = await _page(who, 1, 100)
        if foreign.lower() in _ids(page):
            too = message("another user's walk {walk} too", walk=str(foreign))
            raise Deviates(message("walk {walk} alone", walk=walk_id), too, exchange)


@CHECKS("listing.deleted", "a deleted walk is not listed")
async def deleted(bench: Bench) -> None:
    """One of two."""
    me = await bench.user()
    kept, gone = await _some(me, 2)
    needs(await me.delete(gone))
    exchange, page = await _page(me, 1, 20)
    must_be(message("ids"), [kept], _ids(page), exchange)
