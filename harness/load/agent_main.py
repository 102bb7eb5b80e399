"""The load process in a pod of the run's Job: ``python -m harness.load.agent_main``, asked over one connection.

It listens on the pod's loopback alone, so that nobody but a port-forward reaches it (``relay_main`` is its other end).
Lines come: ``clock``, ``start MODULE PLAN``, ``say LINE`` and ``end`` for the process' standard input. Frames go: kind
(1 byte), length (4), payload. When the connection ends, the process is killed and the agent ends, so that a harness
that is gone leaves no load behind.
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

PORT = 9000
HEAD = struct.Struct(">cI")
CLOCK, ROWS, LOG, ENDED = b"C", b"R", b"L", b"E"
MOST_BYTES = 32_768
MOST_LINE_BYTES = 4_000_000  # of a plan
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_LOOK_EVERY_S = 0.1


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """The pod's clock: ``now_ns`` of the boot ``boot`` of its machine; the process has used ``cpu_s`` until then."""

    boot: str
    now_ns: int
    cpu_s: float | None = None


def boot() -> str:
    """Which boot of which machine this is; "" where the system does not tell."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""


def placed(plan: bytes, spool: Path) -> bytes:
    """The plan as it is carried out in this pod: its worker is the pod's index, and its load goes where the Job's
    manifest says."""
    told = msgspec.json.decode(plan)
    told["endpoints"] |= msgspec.to_builtins(own())
    return msgspec.json.encode({**told, "worker": int(os.environ[INDEX]), "spool": str(spool)})


class Agent:
    """One connection's. ``serve`` once."""

    def __init__(self, writer: asyncio.StreamWriter, folder: Path) -> None:
        self._writer = writer
        self._spool, self._log, self._plan = (folder / name for name in ("spool.jsonl", "log", "plan.json"))
        self._process: Process | None = None

    async def serve(self, reader: asyncio.StreamReader) -> bool:
        """Obeys until the connection ends. Returns whether a process was started."""
        telling: asyncio.Task[None] | None = None
        try:
            while line := await reader.readline():
                word, _, rest = line.rstrip(b"\n").partition(b" ")
                if word == b"clock":
                    used = cpu_s(self._process.pid) if self._process else None
                    await self._send(CLOCK, msgspec.json.encode(Reading(boot=boot(), now_ns=now_ns(), cpu_s=used)))
                elif word == b"start" and self._process is None:
                    self._process = await self._started(*rest.split(b" ", 1))
                    telling = asyncio.ensure_future(self._tell(self._process))
                elif self._process is not None and self._process.stdin is not None:
                    await self._say(self._process.stdin, rest + b"\n" if word == b"say" else b"")
        except (OSError, ValueError):  # the connection broke, or what came is no line: as if it had ended
            pass
        finally:
            if telling is not None:
                telling.cancel()
                await asyncio.gather(telling, return_exceptions=True)
            if self._process is not None and self._process.returncode is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                await self._process.wait()
            self._writer.close()
        return self._process is not None

    async def _started(self, module: bytes, plan: bytes) -> Process:
        self._plan.write_bytes(placed(plan, self._spool))
        with self._log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable, "-m", module.decode(), str(self._plan),
                stdin=PIPE, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    async def _say(self, stdin: asyncio.StreamWriter, line: bytes) -> None:
        """``line`` to the process; without one, that no other comes. One that has ended is told by its status."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if not line:
                stdin.close()
            elif not stdin.is_closing():
                stdin.write(line)
                await stdin.drain()

    async def _tell(self, process: Process) -> None:
        """Sends what the process writes as it grows, then how it ended."""
        read = {self._spool: 0, self._log: 0}
        ended = False
        while not ended:
            ended = process.returncode is not None
            for kind, path in ((LOG, self._log), (ROWS, self._spool)):
                with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                    file.seek(read[path])
                    while gained := file.read(MOST_BYTES):
                        read[path] += len(gained)
                        await self._send(kind, gained)
            await sleep(0 if ended else _LOOK_EVERY_S)
        await self._send(ENDED, str(process.returncode).encode())

    async def _send(self, kind: bytes, payload: bytes) -> None:
        self._writer.write(HEAD.pack(kind, len(payload)) + payload)
        await self._writer.drain()


async def main(port: int = PORT) -> None:
    """Serves until a connection that started a process has ended."""
    served = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, served.set)  # the first process of a container

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with tempfile.TemporaryDirectory() as folder:
            if await Agent(writer, Path(folder)).serve(reader):
                served.set()

    server = await asyncio.start_server(connected, LOOPBACK, port, limit=MOST_LINE_BYTES)
    async with server:
        await served.wait()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
