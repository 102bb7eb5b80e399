"""The load process in a pod of the run's Job: ``python -m harness.load.agent_main PORT FILE``, asked over one
connection.

It listens on the pod's loopback alone: only a port-forward reaches it (``relay_main`` is its other end). Lines come:
``clock``, ``start MODULE PLAN``, ``say LINE`` and ``end`` for the process' standard input. Frames go: kind (1 byte),
length (4), payload. When the connection ends, the process is killed and the agent ends, so that a harness that is gone
leaves no load behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import struct
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import msgspec

from harness.base.machine import cpu_s
from harness.load.plan import INDEX, LOOPBACK, own
from harness.load.rest import now_ns, sleep

HEAD = struct.Struct(">cI")
CLOCK, ROWS, LOG, ENDED = b"C", b"R", b"L", b"E"
_MOST_BYTES, _MOST_LINE_BYTES = 32_768, 4_000_000
_LOOK_EVERY_S = 0.1
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """The pod's clock, in the boot ``boot`` of its machine; the process has used ``cpu_s`` until then."""

    boot: str
    now_ns: int
    cpu_s: float | None = None


def boot() -> str:
    """Which boot of which machine this is; "" where the system does not tell."""
    return _BOOT.read_text().strip() if _BOOT.exists() else ""


def placed(plan: bytes, spool: Path) -> bytes:
    """The plan as this pod carries it out: its index is the worker's, and the Job's manifest says where load goes."""
    told = msgspec.json.decode(plan)
    told["endpoints"] |= msgspec.to_builtins(own())
    return msgspec.json.encode({**told, "worker": int(os.environ[INDEX]), "spool": str(spool)})


class Agent:
    """One connection's; its process' files are in ``folder``."""

    def __init__(self, writer: asyncio.StreamWriter, folder: Path) -> None:
        self._writer = writer
        self._folder = folder
        self._process: Process | None = None

    async def serve(self, reader: asyncio.StreamReader) -> None:
        """Obeys until the connection ends, or breaks."""
        telling: asyncio.Future[None] | None = None
        try:
            while line := await reader.readline():
                word, _, rest = line.rstrip(b"\n").partition(b" ")
                if word == b"clock":
                    used = cpu_s(self._process.pid) if self._process else None
                    await self._send(CLOCK, msgspec.json.encode(Reading(boot=boot(), now_ns=now_ns(), cpu_s=used)))
                elif word == b"start":
                    self._process = await self._started(*rest.split(b" ", 1))
                    telling = asyncio.ensure_future(self._tell(self._process))
                elif self._process is not None and self._process.stdin is not None:
                    self._process.stdin.write(rest + b"\n") if word == b"say" else self._process.stdin.close()
        finally:
            if telling is not None:
                telling.cancel()
            if self._process is not None and self._process.returncode is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                await self._process.wait()

    async def _started(self, module: bytes, plan: bytes) -> Process:
        (self._folder / "plan.json").write_bytes(placed(plan, self._folder / "spool.jsonl"))
        with (self._folder / "log").open("ab") as log:
            words = (sys.executable, "-m", module.decode(), str(self._folder / "plan.json"))
            return await asyncio.create_subprocess_exec(
                *words, stdin=PIPE, stdout=log, stderr=log, start_new_session=True
            )

    async def _tell(self, process: Process) -> None:
        """Sends what the process writes as it grows, then how it ended."""
        read, ended = {LOG: 0, ROWS: 0}, False
        while not ended:
            ended = process.returncode is not None
            for kind, name in ((LOG, "log"), (ROWS, "spool.jsonl")):
                with contextlib.suppress(FileNotFoundError), (self._folder / name).open("rb") as file:
                    file.seek(read[kind])
                    while gained := file.read(_MOST_BYTES):
                        read[kind] += len(gained)
                        await self._send(kind, gained)
            await sleep(0 if ended else _LOOK_EVERY_S)
        await self._send(ENDED, str(process.returncode).encode())

    async def _send(self, kind: bytes, payload: bytes) -> None:
        self._writer.write(HEAD.pack(kind, len(payload)) + payload)
        await self._writer.drain()


async def main(port: str, listens: str) -> None:
    """Serves one connection. It listens once the file ``listens`` is there."""
    served = asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with tempfile.TemporaryDirectory() as folder, contextlib.suppress(OSError):
            await Agent(writer, Path(folder)).serve(reader)
        served.set()

    async with await asyncio.start_server(connected, LOOPBACK, int(port), limit=_MOST_LINE_BYTES):
        Path(listens).touch()  # noqa: ASYNC240 - once
        await served.wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
