"""The guard of the in-process tests: starts and connections are refused, noted when hidden, and allowed to the marked."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.session import guard

NOTHING = [sys.executable, "-S", "-c", ""]


def connect() -> None:
    with socket.socket() as client:
        client.connect(("127.0.0.1", 1))


def asyncio_process() -> None:
    async def start() -> None:
        await asyncio.create_subprocess_exec(*NOTHING)

    asyncio.run(start())


def asyncio_connection() -> None:
    asyncio.run(asyncio.wait_for(asyncio.open_connection("127.0.0.1", 1), 5))


WAYS: list[Callable[[], object]] = [
    lambda: subprocess.run(NOTHING, check=False),
    lambda: os.posix_spawn(sys.executable, NOTHING, os.environ),
    lambda: os.system("true"),
    os.fork,
    asyncio_process,
    asyncio_connection,
    connect,
]


@pytest.mark.parametrize("way", WAYS, ids=["popen", "spawn", "system", "fork", "asyncio", "asyncio-socket", "socket"])
def test_every_way_out_is_refused_with_what_to_do(way: Callable[[], object]) -> None:
    with pytest.raises(guard.OutOfProcess, match=r"a::test .*mark it `process`"), guard.watching("a::test"):
        way()


def test_one_that_the_code_under_test_hides_fails_the_test_all_the_same() -> None:
    with (
        pytest.raises(guard.OutOfProcess, match="connects to"),
        guard.watching("a::test"),
        contextlib.suppress(Exception),
    ):
        connect()


def test_a_failure_of_the_test_itself_is_not_covered_up() -> None:
    with pytest.raises(KeyError), guard.watching("a::test"):
        with contextlib.suppress(Exception):
            connect()
        raise KeyError


def test_only_the_one_that_is_watched_is_told() -> None:
    with pytest.raises(guard.OutOfProcess, match=r"^outer "), guard.watching("outer"):
        with pytest.raises(guard.OutOfProcess, match=r"^inner "), guard.watching("inner"):
            connect()
        connect()


@pytest.mark.process
def test_a_marked_test_may() -> None:
    assert subprocess.run(NOTHING, check=False).returncode == 0
    with pytest.raises(ConnectionRefusedError):
        connect()
