"""100 requests a minute and user; beyond it 429 with Retry-After and code RATE_LIMITED."""

from __future__ import annotations

import math

from harness.base.clock import NS, unix_ns
from harness.checks.contract.check import (
    WALKS,
    Checks,
    ContractCaller,
    ContractClient,
    Deviates,
    must,
    must_carry,
    needs,
)
from harness.checks.contract.http import HttpExchange
from harness.checks.contract.reach import NotExercised
from harness.checks.contract.run import DeviationKind, walk_api
from harness.model.message import message

CHECKS = Checks(walk_api("rate-limit"), DeviationKind.STATUS)

PROBES = 120


async def _until_limited(bench: ContractClient, me: ContractCaller) -> tuple[int, HttpExchange]:
    """Asks until a 429 comes: how many answers were none, and the last.

    A window that began before the first request may end in the midst of them: then twice as many fit.
    """
    most = 2 * bench.rule("rate_limit") + 5
    needs(await me.get(WALKS))
    for number in range(1, most):
        exchange = await me.get(WALKS)
        if exchange.status == 429:
            return number, exchange
        needs(exchange)
    return most, exchange


async def _limited(bench: ContractClient, me: ContractCaller) -> HttpExchange:
    count, exchange = await _until_limited(bench, me)
    if exchange.status != 429:
        raise _not_limited(count)
    return exchange


def _not_limited(count: int) -> NotExercised:
    return NotExercised(message("it needs the limit to act: {count} requests were let through", count=str(count)))


def _minute(bench: ContractClient) -> int:
    return unix_ns(bench.clock.anchor, bench.clock.now_ns()) // (60 * NS)


@CHECKS("rate_limit.limit", "100 requests a minute and user are let through; beyond them comes 429")
async def limit(bench: ContractClient) -> None:
    """Not fewer, and not more than the time passed allows: a bucket may refill, a window may turn."""
    allowed = bench.rule("rate_limit")
    for _ in range(3):
        me = await bench.user()
        begun_ns, minute = bench.clock.now_ns(), _minute(bench)
        count, exchange = await _until_limited(bench, me)
        if count < allowed:
            wanted = message("{count} requests let through", count=str(allowed))
            raise Deviates(wanted, message("429 after {count}", count=str(count)), exchange)
        most = allowed + math.ceil((bench.clock.now_ns() - begun_ns) / NS * allowed / 60)
        if count <= most:
            if exchange.status != 429:
                raise _not_limited(count)
            return
        if _minute(bench) == minute:
            got = message("{count} let through, then {answer}", count=str(count), answer=exchange.shown)
            raise Deviates(message("429 after at most {count}", count=str(most)), got, exchange)
    raise NotExercised(message("a minute turned in each of three attempts"))


@CHECKS(
    "rate_limit.retry_after",
    "429 carries Retry-After, in whole seconds of at most a minute",
    finding=DeviationKind.BODY,
)
async def retry_after(bench: ContractClient) -> None:
    """From 1 to 60."""
    exchange = await _limited(bench, await bench.user())
    value = exchange.headers.get("retry-after", "")
    if not value.isdecimal() or not 1 <= int(value) <= 60:
        raise Deviates("Retry-After 1..60", f"Retry-After {value!r}" if value else message("no Retry-After"), exchange)


@CHECKS("rate_limit.code", "429 carries the code RATE_LIMITED", finding=DeviationKind.BODY)
async def code(bench: ContractClient) -> None:
    """In the error body of the contract."""
    must_carry(await _limited(bench, await bench.user()), 429, "RATE_LIMITED")


@CHECKS("rate_limit.per_user", "one user's limit leaves the others alone")
async def per_user(bench: ContractClient) -> None:
    """Another user asks while the first is limited."""
    me, other = await bench.user(), await bench.user()
    needs(await other.get(WALKS))
    await _limited(bench, me)
    must(await other.get(WALKS), 200)


@CHECKS("rate_limit.probes", "/health and /ready are not limited")
async def probes(bench: ContractClient) -> None:
    """The kubelet asks without a token, and from one address."""
    for path in ("/health", "/ready"):
        needs(await bench.nobody.get(path))
        for _ in range(PROBES):
            exchange = await bench.nobody.get(path)
            if exchange.status == 429:
                must(exchange, 200)
            needs(exchange, 503)  # a target that is not ready for a moment limits nobody
