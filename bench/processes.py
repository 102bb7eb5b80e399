"""Child processes of the bench: started, waited for, ended; and what CPU they took."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import psutil

import harness
from bench.clock import pause

ROOT = Path(harness.__file__).resolve().parent.parent
UP_WITHIN_S = 20.0
ENDS_WITHIN_S = 15.0
_POLL_S = 0.05
_NOT_FOR_US = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy", "grpc_proxy"})


def environment(**more: str) -> dict[str, str]:
    """Ours without proxies, and ``more``."""
    return {name: value for name, value in os.environ.items() if name.lower() not in _NOT_FOR_US} | more


async def ended(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, then SIGKILL to its group; bounded."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(ENDS_WITHIN_S):
                await process.wait()
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


@contextlib.asynccontextmanager
async def serving(module: str, port: int, log: Path, told: dict[str, str]) -> AsyncIterator[psutil.Process]:
    """``python -m module``, until it listens on ``port`` of 127.0.0.1. Raises ``RuntimeError`` naming its log."""
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, cwd=ROOT, env=environment(**told), stdin=asyncio.subprocess.DEVNULL,
            stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip
    try:
        if not await _listens(process, port):
            raise RuntimeError(f"{module} did not start; see {log}")
        yield psutil.Process(process.pid)
    finally:
        await ended(process)


async def _listens(process: asyncio.subprocess.Process, port: int) -> bool:
    for _ in range(round(UP_WITHIN_S / _POLL_S)):
        if process.returncode is not None:
            return False
        if await _answers(port):
            return True
        await pause(_POLL_S)
    return False


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def told(module: str, plan: msgspec.Struct, limit_s: float) -> bytes:
    """Runs ``python -m module`` with ``plan`` as JSON on its input; its output. Raises ``RuntimeError``."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, cwd=ROOT, env=environment(), start_new_session=True,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(limit_s):
            output, errors = await process.communicate(msgspec.json.encode(plan))
    finally:
        await ended(process)
    if process.returncode:
        raise RuntimeError(f"{module} ended in {process.returncode}:\n{errors.decode(errors='replace')[-2000:]}")
    return output


def cpu_s(*processes: psutil.Process) -> float:
    """User and system time so far; of one that is gone, nothing."""
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def busy_s() -> float:
    """CPU time that all programs of the machine took so far."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


class Served:
    """A running ``bench.server``: its port, and the next line that it says."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.port = port

    async def line(self, limit_s: float) -> bytes:
        """Raises ``TimeoutError``."""
        assert self._process.stdout is not None
        async with asyncio.timeout(limit_s):
            return await self._process.stdout.readline()


@contextlib.asynccontextmanager
async def quick_server(plan: msgspec.Struct) -> AsyncIterator[Served]:
    """``python -m bench.server`` told ``plan``."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.server", cwd=ROOT, env=environment(), start_new_session=True,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(msgspec.json.encode(plan) + b"\n")
        async with asyncio.timeout(UP_WITHIN_S):
            port = int(await process.stdout.readline())
        yield Served(process, port)
    finally:
        await ended(process)
