"""A child process that makes load, as the harness sees it.

The children lead sessions of their own, so that Ctrl-C reaches the harness alone; they end when their standard input
does, so that a killed harness leaves no load behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import msgspec

from harness.base.data import ROOT
from harness.base.errors import EvidenceNotWritten, PartDied, RehearsalError
from harness.load import errors

_TAIL_BYTES = 2_000
#: gRPC and others would take these even for 127.0.0.1.
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "grpc_proxy"})


class Child(msgspec.Struct, kw_only=True):
    """``python -m module``; it writes its evidence to ``spool`` and everything else to ``log``."""

    name: str
    module: str
    spool: Path
    log: Path
    process: asyncio.subprocess.Process | None = None

    async def start(self, run_id: str, *arguments: str) -> None:
        """Starts it, marked as a part of the run."""
        kept = {name: value for name, value in os.environ.items() if name.lower() not in _PROXIES}
        environment = {**kept, "TEKUTOKO_RUN_ID": run_id, "PYTHONUNBUFFERED": "1", "GRPC_VERBOSITY": "ERROR"}
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                self.module,
                *arguments,
                cwd=ROOT,
                env=environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def say(self, line: str) -> None:
        """Writes to its standard input, unless that has ended."""
        if self.process is None or self.process.stdin is None or self.process.stdin.is_closing():
            return
        try:
            self.process.stdin.write(line.encode())
            await self.process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has ended; whoever watches it says so

    def hang_up(self) -> None:
        """Ends its standard input."""
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()

    def ended(self) -> int | None:
        """The exit status, once it has ended."""
        return self.process.returncode if self.process else None

    async def kill(self) -> None:
        """Ends it at once with all it started; idempotent."""
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.wait()

    def died(self, status: int) -> RehearsalError:
        """The error to raise when it ended by itself."""
        how = f"signal {-status}" if status < 0 else f"status {status}"
        kind = EvidenceNotWritten if status == errors.EVIDENCE else PartDied
        return kind(f"the {self.name} process ended by itself ({how}): {self.tail()}", where=str(self.log))

    def tail(self) -> str:
        """The last of its standard error."""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
            return file.read().decode(errors="replace").strip()
