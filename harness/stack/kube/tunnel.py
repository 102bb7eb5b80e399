"""The way from loopback into the namespace as the stack drives it; the way itself is ``tunnel_process.py``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from harness.base.clock import Clock
from harness.base.data import ROOT
from harness.base.errors import PartDied
from harness.model.evidence import SampleRow
from harness.model.message import message
from harness.model.stack import OwnCluster
from harness.stack.feed import Feed
from harness.stack.kube import parts
from harness.stack.processes import Process, Spec, spawn
from harness.stack.state import RunState

SLOW_MS = 2000.0
SLOW_IN_A_ROW = 2


class RoundTrip(msgspec.Struct, frozen=True):
    """What the process says each few seconds of each way."""

    name: str
    round_trip_ms: float


class Patience:
    """How long the way to the service may take. A probe has 2 s: a way that takes them itself measures nothing else.

    One slow round trip may be chance; ``SLOW_IN_A_ROW`` are an error of the measurement, which is neither a pass nor a
    fail and ends the run.
    """

    def __init__(self) -> None:
        self._slow = 0

    def heard(self, trip: RoundTrip) -> None:
        """Raises ``PartDied`` when it is at its end. The other ways carry no probe."""
        if trip.name != parts.SERVICE:
            return
        self._slow = self._slow + 1 if trip.round_trip_ms > SLOW_MS else 0
        if self._slow >= SLOW_IN_A_ROW:
            raise PartDied(
                message(
                    "tunnel: the way to the service is too slow: {seconds} s for a round trip, {times} times in a row; "
                    "what is measured through it says nothing of the target",
                    seconds=f"{trip.round_trip_ms / 1000:.1f}",
                    times=str(self._slow),
                ),
                where="way_round_trip_ms in the evidence",
                remedy="run from a machine that is nearer to the cluster or less busy",
            )


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
        """Makes samples of the round trips, which every measured latency contains, until the process ends.

        Raises ``PartDied`` when they are too long.
        """
        assert self.process is not None
        loop = asyncio.get_running_loop()
        said, patience = asyncio.StreamReader(), Patience()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(said), self.process.popen.stdout)
        while line := await said.readline():
            trip = msgspec.json.decode(line, type=RoundTrip)
            at_ns = self._clock.now_ns()
            row = SampleRow(at_ns=at_ns, metric="way_round_trip_ms", subject=trip.name, value=trip.round_trip_ms)
            self._feed.publish(row)
            patience.heard(trip)

    async def stop(self) -> None:
        """Ends it at once; bounded."""
        if self.process is not None:
            await self.process.stop(signal.SIGTERM, 1.0)
            if self.process.popen.stdin is not None:
                self.process.popen.stdin.close()
