"""A load process in a pod, as the harness has it: ``python -m harness.load.relay_main PLAN.json MODULE POD``.

It stands in the place of the process on this machine: it takes the same plan and the same lines on its standard input,
its spool and its log grow by what the process writes in the pod, and it ends as that ends. One port-forward carries
all, ``agent_main`` is its other end. A pod that goes ends it with a measurement error.

Requests are timed by the pod's clock. It is compared with this machine's before and after, each time by the shortest of
some round trips: the pod's process gives the difference to all its rows. More than ``MOST_DOUBT_NS`` of doubt is an
error of the measurement. A reading of the same boot that lies within its round trip shows that there is one clock.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Protocol

import msgspec

from harness.base.errors import MeasurementFailed
from harness.base.ticks import NS
from harness.load import agent_main as agent
from harness.load.agent_main import Reading
from harness.load.child import run
from harness.load.plan import LoadPlan, ProcessPlan
from harness.load.process import cpu_file
from harness.load.recorder import Recorder
from harness.load.rest import lines_of_stdin, now_ns, sleep
from harness.load.stages.plan import WorkerPlan
from harness.model.message import Message, message
from harness.stack.protocol import LoadPod

MOST_DOUBT_NS = 20_000_000
TRIPS = 25
BEAT_S = 0.25
STANDS_LIMIT_S, RETRY_S, SILENT_LIMIT_S = 60.0, 0.5, 20.0
PLANS: dict[str, type[ProcessPlan]] = {
    "harness.load.locust_main": LoadPlan,
    "harness.load.stages.worker_main": WorkerPlan,
}


class PodLink(Protocol):
    """A byte stream to the agent."""

    async def read(self) -> bytes:
        """The next bytes; b"" at the end. Raises ``OSError``."""
        ...

    async def send(self, data: bytes) -> None:
        """Raises ``OSError``."""
        ...


class Trip(msgspec.Struct, frozen=True, kw_only=True):
    """A round trip by this machine's clock, and the pod's reading within it."""

    sent_ns: int
    came_ns: int
    reading: Reading

    @property
    def took_ns(self) -> int:
        """How long it took."""
        return self.came_ns - self.sent_ns

    @property
    def least_ns(self) -> int:
        """The least that the pod's clock may be ahead."""
        return self.reading.now_ns - self.came_ns

    @property
    def most_ns(self) -> int:
        """The most."""
        return self.reading.now_ns - self.sent_ns

    def one_clock(self, boot: str) -> bool:
        """Whether it shows that both ends read one clock, on a machine in its boot ``boot``."""
        return bool(boot) and self.reading.boot == boot and self.least_ns <= 0 <= self.most_ns


def ahead_ns(before: Trip, boot: str) -> int:
    """How far the pod's clock is taken to be ahead: not at all where there is one clock."""
    return 0 if before.one_clock(boot) else (before.least_ns + before.most_ns) // 2


def doubt_ns(before: Trip, after: Trip, boot: str) -> int:
    """How far the pod's clock may have been from what it was taken to be, at the beginning or at the end."""
    if before.one_clock(boot) and after.one_clock(boot):
        return 0
    taken_ns = ahead_ns(before, boot)
    most_ns, least_ns = max(before.most_ns, after.most_ns), min(before.least_ns, after.least_ns)
    return max(most_ns - taken_ns, taken_ns - least_ns)


class Relay:
    """One process in one pod."""

    def __init__(self, link: PodLink, recorder: Recorder, spool: Path, pod: str) -> None:
        self._link = link
        self._recorder = recorder
        self._spool = spool
        self._pod = pod
        self._readings: asyncio.Queue[tuple[int, Reading]] = asyncio.Queue()
        self._status: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.stands = False

    async def run(self, module: str, plan: ProcessPlan, lines: asyncio.StreamReader) -> int:
        """Runs the process to its end and returns its exit status. Raises ``MeasurementFailed``, and
        ``EvidenceNotWritten``."""
        work = [asyncio.ensure_future(self._listen()), asyncio.ensure_future(self._work(module, plan, lines))]
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            return next(each.result() for each in reversed(work) if each in done)
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    async def _work(self, module: str, plan: ProcessPlan, lines: asyncio.StreamReader) -> int:
        boot = agent.boot()
        before = await self._compared()
        ahead = ahead_ns(before, boot)
        endpoints = msgspec.structs.replace(plan.endpoints, database_password="")  # the load asks no database
        told = msgspec.structs.replace(plan, clock_ahead_ns=ahead, endpoints=endpoints)
        await self._link.send(b"start %s %s\n" % (module.encode(), msgspec.json.encode(told)))
        passing = asyncio.ensure_future(self._pass_on(lines))
        try:
            while not self._status.done():
                reading = (await self._trip()).reading
                if reading.cpu_s is not None:
                    cpu_file(self._spool).write_text(str(reading.cpu_s))
                await asyncio.wait([self._status], timeout=BEAT_S)
        finally:
            passing.cancel()
        after = await self._compared()
        doubt = doubt_ns(before, after, boot)
        said = message("its clock is this machine's") if not (ahead or doubt) else _told(ahead, doubt)
        self._recorder.event("component", f"pod/{self._pod}", said, ahead_ns=ahead, doubt_ns=doubt)
        if doubt > MOST_DOUBT_NS:
            raise MeasurementFailed(
                message("the clock of the pod {pod} is not known well enough: {doubt_ms} ms of doubt",
                        pod=self._pod, doubt_ms=f"{doubt / 1e6:.1f}"),
                remedy="run from a machine that is nearer to the cluster, or with a quieter network",
            )  # fmt: skip
        return self._status.result()

    async def _compared(self) -> Trip:
        """The shortest of some round trips."""
        return min([await self._trip() for _ in range(TRIPS)], key=lambda each: each.took_ns)

    async def _trip(self) -> Trip:
        sent_ns = now_ns()
        await self._link.send(b"clock\n")
        try:
            async with asyncio.timeout(SILENT_LIMIT_S):
                came_ns, reading = await self._readings.get()
        except TimeoutError:
            raise self._gone(message("it has not answered for {limit_s} s", limit_s=f"{SILENT_LIMIT_S:g}")) from None
        return Trip(sent_ns=sent_ns, came_ns=came_ns, reading=reading)

    async def _pass_on(self, lines: asyncio.StreamReader) -> None:
        while line := await lines.readline():
            await self._link.send(b"say " + line)
        await self._link.send(b"end\n")

    async def _listen(self) -> int:
        """Takes what comes until the connection ends, which it may not do before it is hung up."""
        rest = b""
        try:
            while data := await self._link.read():
                rest = self._taken(rest + data)
        except OSError as error:
            raise self._gone(str(error)) from error
        raise self._gone("the connection ended")

    def _taken(self, data: bytes) -> bytes:
        """Takes all whole frames; what is left."""
        while len(data) >= agent.HEAD.size:
            kind, length = agent.HEAD.unpack_from(data)
            end = agent.HEAD.size + length
            if len(data) < end:
                break
            payload, data = data[agent.HEAD.size : end], data[end:]
            self.stands = True
            if kind == agent.CLOCK:
                self._readings.put_nowait((now_ns(), msgspec.json.decode(payload, type=Reading)))
            elif kind == agent.ENDED:
                self._status.set_result(int(payload))
            elif kind == agent.LOG:
                sys.stdout.buffer.write(payload)
                sys.stdout.buffer.flush()
            else:
                self._recorder.append(payload)
        return data

    def _gone(self, why: object) -> MeasurementFailed:
        return MeasurementFailed(
            message("the pod {pod}, which makes load, is gone: {why}", pod=self._pod, why=str(why)),
            where=self._pod,
            remedy="run again; the pod's events in the report tell what ended it",
        )


def _told(ahead: int, doubt: int) -> Message:
    return message(
        "its clock is {ahead_ms} ms ahead of this machine's, with {doubt_ms} ms of doubt; its rows are shifted",
        ahead_ms=f"{ahead / 1e6:.3f}",
        doubt_ms=f"{doubt / 1e6:.3f}",
    )


async def _through(pod: LoadPod, module: str, plan: ProcessPlan, recorder: Recorder) -> int:
    """Runs the process in ``pod``. The agent may not listen yet, so it is tried for a while."""
    from harness.stack.kubernetes.port_forward import ClientError, forwarding  # of clusters alone

    spool, lines = Path(plan.spool), await lines_of_stdin()
    give_up_ns = now_ns() + round(STANDS_LIMIT_S * NS)
    way = (pod.kubeconfig, pod.context, pod.namespace, pod.name, agent.PORT)
    async with forwarding(*way, scratch=spool.parent) as opened:
        while True:
            relay: Relay | None = None
            try:
                async with opened() as link:
                    relay = Relay(link, recorder, spool, pod.name)
                    return await relay.run(module, plan, lines)
            except (ClientError, OSError, MeasurementFailed) as error:
                if (relay is not None and relay.stands) or now_ns() > give_up_ns:
                    raise MeasurementFailed(str(error), where=pod.name) from error
            await sleep(RETRY_S)


def main(arguments: list[str]) -> int:
    """The exit status: that of the process in the pod, else as ``child.run`` says."""
    path, module, told = arguments
    pod, status = msgspec.json.decode(told, type=LoadPod), 0

    def work(plan: ProcessPlan, recorder: Recorder) -> None:
        nonlocal status
        status = asyncio.run(_through(pod, module, plan, recorder))

    own = run("relay", [path], PLANS[module], work)
    return own or (status if status >= 0 else 128 - status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
