"""What the load runs on: the machine unless told otherwise, and another only where it was put."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import pytest

from harness.load.api_side import ApiSide
from harness.load.http1 import PhoneAnswer
from harness.load.protocol import Runtime
from harness.load.rest import JsonClient, MachineRuntime, exchange, now_ns, running_on, runtime
from harness.model.stack import Address

ADDRESS = Address(host="127.0.0.1", port=9)


class Stopped:
    """A clock that stands, and connections that are noted."""

    def __init__(self) -> None:
        self.opened: list[str] = []

    def now_ns(self) -> int:
        return 7

    def http(self, address: Address, timeout_s: float) -> Any:
        self.opened.append(f"http {address} {timeout_s:g}")

    def phone(self, address: Address) -> Any:
        self.opened.append(f"phone {address}")

    async def exchange(self, address: Address, method: str, path: str, token: str, body: bytes) -> PhoneAnswer:
        self.opened.append(f"exchange {address} {method} {path} {token} {body!r}")
        return PhoneAnswer(status=200, body=b"", pod="here")


@pytest.fixture
def stopped() -> Stopped:
    return Stopped()


def test_it_is_the_machine_unless_told_otherwise(stopped: Stopped) -> None:
    assert isinstance(runtime(), MachineRuntime)
    assert 0 <= now_ns() - time.monotonic_ns() + 10**9 <= 10**9
    with running_on(cast("Runtime", stopped)):
        assert now_ns() == 7
    assert isinstance(runtime(), MachineRuntime)


async def test_a_task_stays_on_the_runtime_that_it_was_made_on(stopped: Stopped) -> None:
    async def later() -> int:
        await asyncio.sleep(0)
        return now_ns()

    with running_on(cast("Runtime", stopped)):
        inside = asyncio.create_task(later())
    outside = asyncio.create_task(later())
    assert await inside == 7
    assert await outside != 7


async def test_every_connection_is_the_runtime_s(stopped: Stopped) -> None:
    """Nothing listens on port 9: a socket would be refused."""
    with running_on(cast("Runtime", stopped)):
        ApiSide(ADDRESS, 1.0)
        JsonClient("Auth", ADDRESS, 2.5)
        answer = await exchange(ADDRESS, "PUT", "/v1/walks", "token", b"{}")
    assert answer.pod == "here"
    assert stopped.opened == [
        "phone 127.0.0.1:9",
        "http 127.0.0.1:9 2.5",
        "exchange 127.0.0.1:9 PUT /v1/walks token b'{}'",
    ]
