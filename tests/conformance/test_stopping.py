"""A connection that stays open without an answer was accepted: no program refused it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from harness.base.clock import MachineClock
from harness.checks.contract import http
from harness.checks.contract.check import ContractClient
from harness.checks.contract.reach import Relay, StandaloneTarget
from harness.model.stack import Address
from harness.rehearsals.conformance.checks import stopping
from tests.nowhere import NOWHERE


@pytest.mark.parametrize(("accepts", "refused"), [(True, False), (False, True)])
async def test_a_program_that_takes_a_connection_and_says_nothing_has_not_stopped_accepting(
    accepts: bool, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that works at one request after another hangs behind the one that is held."""
    monkeypatch.setattr(stopping, "_REFUSES_WITHIN_S", 0.05)

    async def connect(_to: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if not accepts:
            raise ConnectionRefusedError
        await asyncio.sleep(60)
        raise AssertionError

    async def status(path: str, timeout_s: float) -> http.HttpExchange:
        to = Address(host="127.0.0.1", port=1)
        return await http.send(to, "GET", path, headers={}, timeout_s=timeout_s / 100, connect=connect)

    bench = cast("ContractClient", SimpleNamespace(clock=MachineClock()))
    last = await stopping._until_refused(bench, cast("StandaloneTarget", SimpleNamespace(status=status)))
    assert (last.status, stopping._refused(last)) == (0, refused), last.shown


async def test_a_relay_tells_that_bytes_for_the_database_wait() -> None:
    """What a request has sent is known to be there, however long it was on its way."""
    relay, client, passed = Relay(NOWHERE), asyncio.StreamReader(), asyncio.Queue[bytes]()
    writer = cast("asyncio.StreamWriter", SimpleNamespace(write=passed.put_nowait, drain=lambda: asyncio.sleep(0)))
    relay.hold()
    pump = asyncio.ensure_future(relay._pump(client, writer, counted=True))
    await asyncio.sleep(0.01)
    assert not relay.holds()
    client.feed_data(b"BEGIN")
    await asyncio.sleep(0.01)
    assert relay.holds() and passed.empty()
    relay.release()
    assert await passed.get() == b"BEGIN"
    assert not relay.holds() and relay.passed == 1
    client.feed_eof()
    await pump
