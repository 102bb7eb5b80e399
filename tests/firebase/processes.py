"""Starts a command on a free loopback port for a test, waits until it answers, and ends it."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from harness.model.stack import Address

ROOT = Path(__file__).resolve().parent.parent.parent


@asynccontextmanager
async def running(
    command: Sequence[str],
    address: Address,
    ready: Callable[[Address], Awaitable[bool]],
    folder: Path,
    limit_s: float = 30,
) -> AsyncIterator[subprocess.Popen[bytes]]:
    log = folder / f"{address.port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: ASYNC220 - starting blocks for no time worth a thread
            command,
            cwd=ROOT,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"HOME": str(folder)},
        )
    try:
        async with asyncio.timeout(limit_s):
            while not await ready(address):
                assert process.poll() is None, log.read_text()
                await asyncio.sleep(0.05)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        finally:
            process.kill()
            process.wait(timeout=30)
