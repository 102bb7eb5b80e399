"""The way from loopback into the namespace as the stack drives it; the way itself is ``tunnel_process.py``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from harness.clock import Clock
from harness.model.evidence import SampleRow
from harness.model.stack import OwnCluster
from harness.stack.feed import Feed
from harness.stack.kube import parts
from harness.stack.processes import Process, Spec, spawn
from harness.state import RunState

ROOT = Path(__file__).resolve().parents[3]


class RoundTrip(msgspec.Struct, frozen=True):
    """What the process says each few seconds of each way."""

    name: str
    round_trip_ms: float


class Tunnel:
    """``start`` once the gateway runs; it listens when the way stands."""

    def __init__(self, state: RunState, logs: Path, feed: Feed, clock: Clock) -> None:
        self._state = state
        self._log = logs / "tunnel.log"
        self._feed = feed
        self._clock = clock
        self.process: Process | None = None

    def start(self, cluster: OwnCluster, namespace: str, ways: Mapping[str, int]) -> Process:
        """``ways`` are the loopback ports by the gateway's name for where they lead."""
        command = [sys.executable, "-m", "harness.stack.kube.tunnel_process"]
        command += ["--kubeconfig", cluster.kubeconfig, "--context", cluster.context, "--namespace", namespace]
        command += ["--pod", parts.name_of(parts.GATEWAY), "--port", str(parts.GATEWAY_PORT)]
        command += ["--scratch", str(self._state.folder)]
        spec = Spec(
            part="tunnel",
            command=[*command, *(f"{name}={port}" for name, port in ways.items())],
            environment={**os.environ, "PYTHONPATH": str(ROOT)},  # whole: a credential plugin may need any of it
            log=self._log,
            folder=Path.cwd(),  # a kubeconfig may be named from here
            piped=True,
        )
        self.process = spawn(spec, self._state)
        return self.process

    async def follow(self) -> None:
        """Makes samples of the round trips, which every measured latency contains, until the process ends."""
        assert self.process is not None
        loop = asyncio.get_running_loop()
        said = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(said), self.process.popen.stdout)
        while line := await said.readline():
            trip = msgspec.json.decode(line, type=RoundTrip)
            at_ns = self._clock.now_ns()
            row = SampleRow(at_ns=at_ns, metric="way_round_trip_ms", subject=trip.name, value=trip.round_trip_ms)
            self._feed.publish(row)

    async def stop(self) -> None:
        """Ends it at once; bounded."""
        if self.process is not None:
            await self.process.stop(signal.SIGTERM, 1.0)
            if self.process.popen.stdin is not None:
                self.process.popen.stdin.close()
