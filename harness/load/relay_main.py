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
from pathlib import Path
from typing import NamedTuple

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
from harness.stack.kube.mux import Read, Send
from harness.stack.protocol import LoadPod

MOST_DOUBT_NS = 20_000_000
_TRIPS, _BEAT_S, _SILENT_LIMIT_S = 25, 0.25, 20.0


class Trip(NamedTuple):
    """What one round trip tells: the least and the most that the pod's clock may be ahead of this machine's."""

    least_ns: int
    most_ns: int
    boot: str = ""
    cpu_s: float | None = None

    @property
    def ahead_ns(self) -> int:
        """How far the clock is taken to be ahead: not at all where there is one clock."""
        return 0 if self.one_clock else (self.least_ns + self.most_ns) // 2

    @property
    def one_clock(self) -> bool:
        """Whether it shows that both ends have one clock."""
        return self.boot == agent.boot() != "" and self.least_ns <= 0 <= self.most_ns


def doubt_ns(before: Trip, after: Trip) -> int:
    """How far the pod's clock may have been from what it was taken to be, at the beginning or at the end."""
    if before.one_clock and after.one_clock:
        return 0
    return max(abs(edge - before.ahead_ns) for each in (before, after) for edge in each[:2])


class PodRelay:
    """One process in one pod, over a byte stream: ``read`` gives b"" at its end."""

    def __init__(self, read: Read, send: Send, recorder: Recorder, pod: str) -> None:
        self._read, self._send, self._recorder, self._pod = read, send, recorder, pod
        self._readings: asyncio.Queue[tuple[int, agent.Reading]] = asyncio.Queue()
        self._status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def run(self, module: str, plan: ProcessPlan, lines: asyncio.StreamReader) -> int:
        """Runs the process to its end; its exit status. Raises ``MeasurementFailed``, ``EvidenceNotWritten``."""
        work = [asyncio.ensure_future(each) for each in (self._listen(), self._work(module, plan, lines))]
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            return next(each.result() for each in reversed(work) if each in done)
        except OSError as error:
            raise self._gone(str(error)) from error
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    async def _work(self, module: str, plan: ProcessPlan, lines: asyncio.StreamReader) -> int:
        before = await self._compared()
        endpoints = msgspec.structs.replace(plan.endpoints, database_password="")  # the load asks no database
        ahead = before.ahead_ns
        told = msgspec.structs.replace(plan, clock_ahead_ns=ahead, endpoints=endpoints)
        await self._send(b"start %s %s\n" % (module.encode(), msgspec.json.encode(told)))
        passing = asyncio.ensure_future(self._pass_on(lines))
        while not self._status.done():
            if (used := (await self._trip()).cpu_s) is not None:  # it may have ended, and not said so yet
                cpu_file(Path(plan.spool)).write_text(str(used))
            await asyncio.wait([self._status], timeout=_BEAT_S)
        passing.cancel()
        doubt = doubt_ns(before, await self._compared())
        found = {"ahead_ms": f"{ahead / 1e6:.3f}", "doubt_ms": f"{doubt / 1e6:.3f}"}
        said = message("its clock is {ahead_ms} ms ahead of this machine's, with {doubt_ms} ms of doubt", **found)
        self._recorder.event("component", f"pod/{self._pod}", said, ahead_ns=ahead, doubt_ns=doubt)
        if doubt > MOST_DOUBT_NS:
            late = message(
                "the clock of {pod} is known only to {doubt_ms} ms", pod=self._pod, doubt_ms=found["doubt_ms"]
            )
            raise MeasurementFailed(late, remedy="run from nearer to the cluster, or by a quieter network")
        return self._status.result()

    async def _compared(self) -> Trip:
        """The shortest of some round trips."""
        return min([await self._trip() for _ in range(_TRIPS)], key=lambda each: each.most_ns - each.least_ns)

    async def _trip(self) -> Trip:
        sent_ns = now_ns()
        await self._send(b"clock\n")
        try:
            async with asyncio.timeout(_SILENT_LIMIT_S):
                came_ns, read = await self._readings.get()
        except TimeoutError:
            raise self._gone(f"silent for {_SILENT_LIMIT_S:g} s") from None
        return Trip(read.now_ns - came_ns, read.now_ns - sent_ns, read.boot, read.cpu_s)

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

    way = (pod.kubeconfig, pod.context, pod.namespace, pod.name, pod.port)
    async with forwarding(*way, scratch=Path(plan.spool).parent) as opened, opened() as link:
        return await PodRelay(link.read, link.send, recorder, pod.name).run(module, plan, await lines_of_stdin())


def main(path: str, module: str, told: str) -> int:
    """The exit status: that of the process in the pod, else as ``child.run`` says."""
    pod, status = msgspec.json.decode(told, type=LoadPod), 0

    def work(plan: ProcessPlan, recorder: Recorder) -> None:
        nonlocal status
        status = asyncio.run(_through(pod, module, plan, recorder))

    kind: type[ProcessPlan] = WorkerPlan if "stages" in module else LoadPlan
    return run("relay", [path], kind, work) or (status if status >= 0 else 128 - status)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
