"""Requests that would take more than their share: large, deep, slow, many. Each is bounded in count and in time."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
import math
import socket
from collections.abc import AsyncIterator, Coroutine, Iterable
from typing import Any

from harness.base.clock import NS
from harness.checks.contract.check import (
    WALKS,
    Checks,
    ContractCaller,
    ContractClient,
    Deviates,
    must,
    must_not_fail,
    needs,
)
from harness.checks.contract.http import HttpExchange
from harness.checks.contract.reach import NotExercised
from harness.checks.contract.run import DeviationKind, walk_api
from harness.checks.contract.shape import location
from harness.model.message import message
from harness.rehearsals.security.checks.tokens import material
from harness.rehearsals.security.ground import of
from harness.rehearsals.security.mutations import Material

CHECKS = Checks(walk_api("bad-requests"), DeviationKind.STATUS)

SLOW_LIMIT_S = 45.0  # no document names one; a minute of a slow client is a connection held for a minute
_SLOW = 16  # connections at once
_EVERY_S = 0.5  # a byte on each
_HEALTHY_S = 2.0
_READING = 2  # connections at once
_OWED = 6  # answers on each: more than the 11 MB that proxies and kernels on the way were seen to take in
_SIP_BYTES = 1024  # a second
_POINTS, _POINTS_AT_ONCE = 20_000, 5_000
_KEYS = 20_000
_BEGUN = b'{"title":"x","extra":"'
_CHUNK = b"10000\r\n" + b"x" * 65536 + b"\r\n"
_CHUNKS = 160  # 10 MiB
_INFLATED = 32 * 1024 * 1024
_RATE_MINUTES = 3
_MORE_THAN_ALL = 1.25  # of a pod's share; what chance gives it less is far less
_AT_ONCE = 8  # or a bucket that refills has more in it again before all pods were asked
_REFUSED_A_POD = 15  # in a row: a pod that lets through is then missed once in three million times


@CHECKS("heavy.keys", "an object of 20,000 unknown fields never answers 5xx")
async def keys(bench: ContractClient) -> None:
    """Some maps take the square of it."""
    me = await bench.user()
    body = b'{"title":"x",' + b",".join(b'"k%d":%d' % (n, n) for n in range(_KEYS)) + b"}"
    must_not_fail(await me.post(body))


@CHECKS("heavy.repeated", "a field that is there 20,000 times never answers 5xx")
async def repeated(bench: ContractClient) -> None:
    """The last, the first or none of them counts."""
    me = await bench.user()
    must_not_fail(await me.post(b'{"title":"x"' + b',"title":"y"' * _KEYS + b"}"))


@CHECKS("heavy.query", "a query of 1,000 parameters never answers 5xx")
async def query(bench: ContractClient) -> None:
    """Below the length that a URL may have."""
    me = await bench.user()
    must_not_fail(await me.get(f"{WALKS}?{'&'.join(f'a{n}=1' for n in range(1000))}"))


@CHECKS("heavy.inflated", "a body of 32 MB that is packed is not unpacked: a refusal")
async def inflated(bench: ContractClient) -> None:
    """A body of another encoding than it says in the contract is no JSON. Unpacked it would be a good one, of spaces
    for the most part: nothing but its size is refused."""
    me = await bench.user()
    packed = await asyncio.to_thread(gzip.compress, b'{"title":"x"' + b" " * _INFLATED + b"}")
    exchange = await me.send("POST", WALKS, packed, {"Content-Encoding": "gzip"})
    if not 400 <= exchange.status < 500:
        raise Deviates(message("a refusal (4xx)"), exchange.shown, exchange)


@CHECKS("heavy.endless", "a body of 10 MB in chunks, whose length nobody said, is refused")
async def endless(bench: ContractClient) -> None:
    """By an answer 4xx or the end of the connection, though its own end does not come. What comes of it is JSON: a
    decoder that reads it as it comes finds nothing to refuse."""
    me = await bench.user()
    head = (
        f"POST {WALKS} HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\nAuthorization: Bearer {me.token}\r\n"
    )
    begun = b"%x\r\n%b\r\n" % (len(_BEGUN), _BEGUN)
    raw = head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + begun + _CHUNK * _CHUNKS
    exchange = await me.send_raw(raw, "POST", WALKS)
    if exchange.silent or not (exchange.status == 0 or 400 <= exchange.status < 500):
        raise Deviates(message("a refusal (4xx), or the end of the connection"), exchange.shown, exchange)
    must(await bench.nobody.get("/health"), 200)


async def _drip(bench: ContractClient, start: bytes, rest: bytes) -> float | None:
    """One connection that sends ``rest`` byte by byte; after how many seconds it was ended or answered, ``None``
    when it was not within the limit."""
    begun_ns = bench.clock.now_ns()
    try:
        reader, writer = await bench.connect(bench.endpoints.service)
    except OSError:
        return 0.0
    ended = asyncio.ensure_future(reader.read(1))
    try:
        writer.write(start)
        for place in range(math.ceil(SLOW_LIMIT_S / _EVERY_S)):
            await asyncio.wait([ended], timeout=_EVERY_S)
            if ended.done():
                return (bench.clock.now_ns() - begun_ns) / NS
            writer.write(rest[place % len(rest) : place % len(rest) + 1])
        return None
    finally:
        ended.cancel()
        await asyncio.gather(ended, return_exceptions=True)
        writer.close()


async def _slow(bench: ContractClient, clients: Iterable[Coroutine[Any, Any, float | None]]) -> None:
    """Many at once, and somebody else beside them."""
    other, drips = await bench.user(), [asyncio.ensure_future(each) for each in clients]
    await bench.clock.sleep(10 * _EVERY_S)
    beside = await other.send("GET", WALKS, timeout_s=_HEALTHY_S)
    lasted = await asyncio.gather(*drips)
    must(beside, 200)
    if None in lasted:
        got = message("{count} of {all} still open", count=str(lasted.count(None)), all=str(len(lasted)))
        wanted = message("the end of each such connection within {seconds} s", seconds=f"{SLOW_LIMIT_S:g}")
        raise Deviates(wanted, got, beside, DeviationKind.EFFECT)


@CHECKS(
    "heavy.slow_head",
    "a head that does not end is ended, and others are served meanwhile",
    walk_api("connections"),
    advice=True,
)
async def slow_head(bench: ContractClient) -> None:
    """Slowloris: a byte in half a second, on 16 connections."""
    head = b"GET /health HTTP/1.1\r\nHost: api\r\n"
    await _slow(bench, (_drip(bench, head, b"X-Slow: 1\r\n") for _ in range(_SLOW)))


@CHECKS(
    "heavy.slow_body",
    "a body that does not end is ended, and others are served meanwhile",
    walk_api("connections"),
    advice=True,
)
async def slow_body(bench: ContractClient) -> None:
    """Of a user who is known: before that, nothing of a body need be read."""
    me = await bench.user()
    start = (
        f"POST {WALKS} HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\nAuthorization: Bearer {me.token}\r\n"
    )
    head = start.encode() + b"Content-Length: 100000\r\n\r\n"
    await _slow(bench, (_drip(bench, head, b"x") for _ in range(_SLOW)))


async def _sip(bench: ContractClient, me: ContractCaller, path: str, owed_bytes: int) -> float | None:
    """Read answers slowly until the limit, then fast. Return ``None`` if the target still sent all of them."""
    head = f"GET {path} HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer {me.token}\r\n\r\n"
    read_bytes = 0
    try:
        async with asyncio.timeout(2 * SLOW_LIMIT_S), contextlib.AsyncExitStack() as opened:
            reader, writer = await bench.connect(bench.endpoints.service)
            opened.callback(writer.close)
            if (own := writer.get_extra_info("socket")) is not None:  # or this machine's kernel would read megabytes
                own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**19)
            writer.write(head.encode() * _OWED)
            for _ in range(round(SLOW_LIMIT_S)):
                await bench.clock.sleep(1.0)
                read_bytes += len(await reader.read(_SIP_BYTES))
            while read_bytes < owed_bytes and (more := await reader.read(2**16)):
                read_bytes += len(more)
    except OSError as error:
        return None if isinstance(error, TimeoutError) else 0.0  # a target that neither went on nor ended
    return None if read_bytes >= owed_bytes else 0.0


@CHECKS(
    "heavy.slow_reading",
    "a client that reads large answers slowly loses its connection, and others are served meanwhile",
    walk_api("connections"),
    advice=True,
)
async def slow_reading(bench: ContractClient) -> None:
    """What waits for a client takes the target's memory, and a user may ask a hundred times a minute."""
    me, walk_id = await bench.user(), bench.walk_id()
    for first in range(0, _POINTS, _POINTS_AT_ONCE):
        points = [location(number) for number in range(first, first + _POINTS_AT_ONCE)]
        await me.put_walk(walk_id, {"locations": points})
    path = f"{WALKS}/{walk_id}"
    owed_bytes = _OWED * len(needs(await me.get(path)).body)
    await _slow(bench, (_sip(bench, me, path, owed_bytes) for _ in range(_READING)))


@CHECKS(
    "heavy.rate",
    "the pods together let a user through no more often than each pod's limit allows",
    walk_api("rate-limit"),
)
async def rate(bench: ContractClient) -> None:
    """Each request on a connection of its own, so that they reach every pod; neither headers that name other addresses
    nor another of the user's tokens make another user. A window may turn once, so that a pod lets twice its limit
    through at most, and once more in each further minute. That one pod refuses says nothing of the others: it is asked
    until so many are refused in a row that none of them lets anything through, or, of buckets that refill meanwhile,
    until a pod that lets all through would have let through more.
    """
    me = await bench.user()
    made_of = await material(bench, me)
    needs(await me.get(WALKS))
    allowed, pods, begun_ns = bench.rule("rate_limit"), of(bench).pods, bench.clock.now_ns()
    let_through, refused, number = 1, 0, 0
    async for exchange in _from_everywhere(bench, made_of):
        number += 1
        minutes = (bench.clock.now_ns() - begun_ns) // (60 * NS)
        most = (2 + minutes) * allowed * pods
        if exchange.status == 429:
            refused += 1
            if refused >= _REFUSED_A_POD * pods or number >= _MORE_THAN_ALL * most * pods:
                return
            continue
        needs(exchange)
        let_through, refused = let_through + 1, 0
        if let_through > most:
            got = message("{count} of {all}", count=str(let_through), all=str(number + 1))
            wanted = message("at most {count} requests let through by {pods} pods", count=str(most), pods=str(pods))
            raise Deviates(wanted, got, exchange)
        if minutes >= _RATE_MINUTES:  # too slow to meet any limit
            raise NotExercised(
                message("it needs the limit to act: {count} requests were let through", count=str(let_through))
            )


async def _from_everywhere(bench: ContractClient, made_of: Material) -> AsyncIterator[HttpExchange]:
    """The answers to one user, some at once, for ever."""
    for first in itertools.count(step=_AT_ONCE):
        numbers = range(first, first + _AT_ONCE)
        callers = (bench.with_token(made_of.with_claims(jti=str(number))) for number in numbers)
        for exchange in await asyncio.gather(*map(_from_elsewhere, callers, numbers)):
            yield exchange


async def _from_elsewhere(me: ContractCaller, number: int) -> HttpExchange:
    address = f"203.0.113.{number % 256}"
    return await me.send(
        "GET", WALKS, headers={"X-Forwarded-For": address, "X-Real-IP": address, "Forwarded": f"for={address}"}
    )


@CHECKS("heavy.refused_are_cheap", "100 refused tokens in a row leave others served", walk_api("authorization"))
async def refused_are_cheap(bench: ContractClient) -> None:
    """What a stranger can send for nothing."""
    me = await bench.user()
    needs(await me.get(WALKS))
    for number in range(100):
        exchange = await bench.with_token(f"a.b.{number}").get(WALKS)
        if exchange.status not in (401, 429):
            raise Deviates("401", exchange.shown, exchange)
    must(await me.get(WALKS), 200)
