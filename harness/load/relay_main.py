"""A load process in a pod, as the harness has it: ``python -m harness.load.relay_main PLAN.json MODULE POD``.

It stands in the place of the process on this machine, with the same plan, lines, spool, log and exit status. One
port-forward carries all; ``agent_main`` is its other end. A pod that goes is an error of the measurement.

The pod's clock is compared with this machine's before and after, each time by the shortest of some round trips; the
process gives the difference to all its rows. More than ``MOST_DOUBT_NS`` of doubt is an error of the measurement. A
reading of the same boot that lies within its round trip shows that both ends have one clock.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from harness.base.errors import MeasurementFailed
from harness.load import agent_main as agent
from harness.load.child import run
from harness.load.plan import LoadPlan, ProcessPlan
from harness.load.process import cpu_file
from harness.load.recorder import Recorder
from harness.load.rest import lines_of_stdin, now_ns
from harness.load.stages.plan import WorkerPlan
from harness.model.message import message
from harness.model.stack import LOAD_PORT
from harness.stack.protocol import LoadPod

MOST_DOUBT_NS = 20_000_000
_TRIPS, _BEAT_S, _SILENT_LIMIT_S = 25, 0.25, 20.0
_PLANS = {"harness.load.locust_main": LoadPlan, "harness.load.stages.worker_main": WorkerPlan}


class Trip(msgspec.Struct, frozen=True):
    """A round trip, by this machine's clock, and the pod's reading within it."""

    sent_ns: int
    came_ns: int
    reading: agent.Reading

    @property
    def ahead_ns(self) -> tuple[int, int]:
        """The least and the most that the pod's clock may be ahead."""
        return self.reading.now_ns - self.came_ns, self.reading.now_ns - self.sent_ns

    def one_clock(self, boot: str) -> bool:
        """Whether it shows that both ends have one clock, on a machine in its boot ``boot``."""
        least_ns, most_ns = self.ahead_ns
        return bool(boot) and self.reading.boot == boot and least_ns <= 0 <= most_ns


def ahead_ns(before: Trip, boot: str) -> int:
    """How far the pod's clock is taken to be ahead: not at all where there is one clock."""
    return 0 if before.one_clock(boot) else sum(before.ahead_ns) // 2


def doubt_ns(before: Trip, after: Trip, boot: str) -> int:
    """How far the pod's clock may have been from what it was taken to be, at the beginning or at the end."""
    if before.one_clock(boot) and after.one_clock(boot):
        return 0
    return max(abs(edge - ahead_ns(before, boot)) for each in (before, after) for edge in each.ahead_ns)


class Relay:
    """One process in one pod, over a byte stream: ``read`` gives b"" at its end."""

    def __init__(
        self,
        read: Callable[[], Awaitable[bytes]],
        send: Callable[[bytes], Awaitable[None]],
        recorder: Recorder,
        pod: str,
    ) -> None:
        self._read = read
        self._send = send
        self._recorder = recorder
        self._pod = pod
        self._readings: asyncio.Queue[tuple[int, agent.Reading]] = asyncio.Queue()
        self._status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def run(self, module: str, plan: ProcessPlan, lines: asyncio.StreamReader) -> int:
        """Runs the process to its end; its exit status. Raises ``MeasurementFailed``, ``EvidenceNotWritten``."""
        work = [asyncio.ensure_future(each) for each in (self._listen(), self._work(module, plan, lines))]
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            return next(each.result() for each in reversed(work) if each in done)
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    async def _work(self, module: str, plan: ProcessPlan, lines: asyncio.StreamReader) -> int:
        boot, before = agent.boot(), await self._compared()
        endpoints = msgspec.structs.replace(plan.endpoints, database_password="")  # the load asks no database
        ahead = ahead_ns(before, boot)
        told = msgspec.structs.replace(plan, clock_ahead_ns=ahead, endpoints=endpoints)
        await self._send(b"start %s %s\n" % (module.encode(), msgspec.json.encode(told)))
        passing = asyncio.ensure_future(self._pass_on(lines))
        while not self._status.done():
            reading = (await self._trip()).reading
            if reading.cpu_s is not None:
                cpu_file(Path(plan.spool)).write_text(str(reading.cpu_s))
            await asyncio.wait([self._status], timeout=_BEAT_S)
        passing.cancel()
        doubt = doubt_ns(before, await self._compared(), boot)
        found = {"ahead_ms": f"{ahead / 1e6:.3f}", "doubt_ms": f"{doubt / 1e6:.3f}"}
        said = message("its clock is {ahead_ms} ms ahead of this machine's, with {doubt_ms} ms of doubt", **found)
        self._recorder.event("component", f"pod/{self._pod}", said, ahead_ns=ahead, doubt_ns=doubt)
        if doubt > MOST_DOUBT_NS:
            raise MeasurementFailed(
                message(
                    "the clock of the pod {pod} is not known well enough: {doubt_ms} ms of doubt",
                    pod=self._pod,
                    **found,
                ),
                remedy="run from a machine that is nearer to the cluster, or with a quieter network",
            )
        return self._status.result()

    async def _compared(self) -> Trip:
        """The shortest of some round trips."""
        return min([await self._trip() for _ in range(_TRIPS)], key=lambda each: each.came_ns - each.sent_ns)

    async def _trip(self) -> Trip:
        sent_ns = now_ns()
        await self._send(b"clock\n")
        try:
            async with asyncio.timeout(_SILENT_LIMIT_S):
                return Trip(sent_ns, *await self._readings.get())
        except TimeoutError:
            raise self._gone(f"silent for {_SILENT_LIMIT_S:g} s") from None

    async def _pass_on(self, lines: asyncio.StreamReader) -> None:
        while line := await lines.readline():
            await self._send(b"say " + line)
        await self._send(b"end\n")

    async def _listen(self) -> int:
        """Takes what comes; the connection is not to end before it is hung up here."""
        data = b""
        while came := await self._read():
            data += came
            while len(data) >= agent.HEAD.size:
                kind, length = agent.HEAD.unpack_from(data)
                if len(data) < (end := agent.HEAD.size + length):
                    break
                self._take(kind, data[agent.HEAD.size : end])
                data = data[end:]
        raise self._gone("the connection ended")

    def _take(self, kind: bytes, payload: bytes) -> None:
        if kind == agent.CLOCK:
            self._readings.put_nowait((now_ns(), msgspec.json.decode(payload, type=agent.Reading)))
        elif kind == agent.ENDED:
            self._status.set_result(int(payload))
        elif kind == agent.LOG:
            sys.stdout.buffer.write(payload)
            sys.stdout.buffer.flush()
        else:
            self._recorder.append(payload)

    def _gone(self, why: str) -> MeasurementFailed:
        return MeasurementFailed(
            message("the pod {pod}, which makes load, is gone: {why}", pod=self._pod, why=why),
            remedy="run again; the pod's events in the report tell what ended it",
        )


async def _through(pod: LoadPod, module: str, plan: ProcessPlan, recorder: Recorder) -> int:
    from harness.stack.kubernetes.port_forward import forwarding  # of clusters alone

    way = (pod.kubeconfig, pod.context, pod.namespace, pod.name, LOAD_PORT)
    async with forwarding(*way, scratch=Path(plan.spool).parent) as opened, opened() as link:
        return await Relay(link.read, link.send, recorder, pod.name).run(module, plan, await lines_of_stdin())


def main(path: str, module: str, told: str) -> int:
    """The exit status: that of the process in the pod, else as ``child.run`` says."""
    pod, status = msgspec.json.decode(told, type=LoadPod), 0

    def work(plan: ProcessPlan, recorder: Recorder) -> None:
        nonlocal status
        status = asyncio.run(_through(pod, module, plan, recorder))

    return run("relay", [path], _PLANS[module], work) or (status if status >= 0 else 128 - status)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
