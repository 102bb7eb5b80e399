"""A load process in a pod: the agent that runs it and the relay that stands for it here, over a real connection."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import msgspec
import psutil
import pytest

from harness.base.clock import NS, MachineClock
from harness.base.data import ROOT
from harness.base.errors import MeasurementFailed
from harness.evidence.spool import SpoolReader
from harness.load.agent_main import boot
from harness.load.plan import INDEX, LoadPlan
from harness.load.process import cpu_file
from harness.load.recorder import Recorder
from harness.load.relay_main import MOST_DOUBT_NS, PodRelay, Trip, doubt_ns
from harness.model.evidence import EventRow, RequestRow
from harness.model.scenario import ProbePlan
from harness.model.stack import LOAD_TO, PARTS, Address
from tests.load.conftest import StartFake, plan_for
from tests.nowhere import all_at
from tests.ports import free_port

MODULE = "harness.load.locust_main"
CLOCK = MachineClock()
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
OTHER_CLOCK_S = 5_000


@asynccontextmanager
async def agent(fake: Address, **environment: str) -> AsyncIterator[tuple[Process, Stream]]:
    """The second of two pods' agent, which may send load to ``fake`` alone."""
    port = free_port()
    own = msgspec.json.encode(dict.fromkeys(("service", "auth", "firestore", "remote_config"), fake)).decode()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "harness.load.agent_main", str(port), os.devnull,
        cwd=ROOT, env={**os.environ, LOAD_TO: own, INDEX: "1", **environment},
    )  # fmt: skip
    try:
        async with asyncio.timeout(20):
            while True:
                with suppress(OSError):
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    break
                await asyncio.sleep(0.1)
        yield process, (reader, writer)
        writer.close()
        async with asyncio.timeout(10):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()


def shared(spool: Path) -> LoadPlan:
    """Of 4 users two are this pod's; where they send is the pod's to know."""
    plan = plan_for(Address(host="127.0.0.1", port=1), pace_s=0.2, probes=ProbePlan(timeout_s=1.0))
    return msgspec.structs.replace(plan, workers=2, spool=str(spool))


def events(spool: Path, subject: str) -> list[EventRow]:
    return [row for row in SpoolReader(spool).read() if isinstance(row, EventRow) and row.subject.startswith(subject)]


async def admitted(spool: Path) -> None:
    for _ in range(300):
        if events(spool, "admitted"):
            return
        await asyncio.sleep(0.1)
    raise AssertionError("nobody was admitted")


@asynccontextmanager
async def relayed(link: Stream, spool: Path) -> AsyncIterator[tuple[asyncio.Future[int], asyncio.StreamReader]]:
    """The process in the pod, whose users are signed in; and what leads to its standard input."""
    with closing(Recorder(spool)) as recorder:
        lines, (reader, writer) = asyncio.StreamReader(), link

        async def send(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        relay = PodRelay(lambda: reader.read(32_768), send, recorder, "pod-1")
        work = asyncio.ensure_future(relay.run(MODULE, shared(spool), lines))
        await admitted(spool)
        yield work, lines


async def loaded(link: Stream, spool: Path) -> int:
    """The status of a process that acts for a second."""
    async with relayed(link, spool) as (work, lines):
        lines.feed_data(f"go {CLOCK.now_ns() + NS // 5}\n".encode())
        await asyncio.sleep(2)
        lines.feed_eof()
        return await work


@pytest.mark.process
async def test_a_process_in_a_pod_makes_its_share_by_this_machine_s_clock(fake: StartFake, tmp_path: Path) -> None:
    spool = tmp_path / "spool.jsonl"
    begun_ns = CLOCK.now_ns()
    async with agent(fake()) as (process, link):
        assert await loaded(link, spool) == 0
    assert process.returncode == 0  # it ends once the harness has hung up
    requests = [row for row in SpoolReader(spool).read() if isinstance(row, RequestRow)]
    assert {row.user for row in requests} == {"u0002", "u0004"} and len(requests) > 8
    assert all(begun_ns < row.due_ns <= row.sent_ns <= row.done_ns < CLOCK.now_ns() for row in requests)
    (told,) = events(spool, "pod/")
    assert (told.data["ahead_ns"], told.data["doubt_ns"]) == (0, 0)
    assert float(cpu_file(spool).read_text()) > 0.1


@pytest.mark.process
async def test_rows_of_a_pod_with_another_clock_are_shifted(fake: StartFake, tmp_path: Path) -> None:
    """Every Python of the pod has a monotonic clock that is 5,000 s ahead, in the same boot."""
    spool = tmp_path / "spool.jsonl"
    (tmp_path / "sitecustomize.py").write_text(
        f"import time\nreal = time.monotonic_ns\ntime.monotonic_ns = lambda: real() + {OTHER_CLOCK_S} * 10**9\n"
    )
    begun_ns = CLOCK.now_ns()
    async with agent(fake(), PYTHONPATH=str(tmp_path)) as (_, link):
        assert await loaded(link, spool) == 0
    requests = [row for row in SpoolReader(spool).read() if isinstance(row, RequestRow)]
    assert len(requests) > 8
    slack_ns = MOST_DOUBT_NS
    assert all(begun_ns < row.due_ns <= row.sent_ns < row.done_ns < CLOCK.now_ns() + slack_ns for row in requests)
    (told,) = events(spool, "pod/")
    assert told.data["ahead_ns"] == pytest.approx(OTHER_CLOCK_S * NS, abs=MOST_DOUBT_NS)
    assert 0 < told.data["doubt_ns"] <= MOST_DOUBT_NS


@pytest.mark.process
async def test_a_pod_that_is_lost_is_an_error_of_the_measurement(fake: StartFake, tmp_path: Path) -> None:
    spool = tmp_path / "spool.jsonl"
    async with agent(fake()) as (process, link), relayed(link, spool) as (work, _):
        process.kill()
        with pytest.raises(MeasurementFailed, match="the pod pod-1, which makes load, is gone"):
            await work


@pytest.mark.process
async def test_a_harness_that_is_gone_leaves_no_load_behind(fake: StartFake, tmp_path: Path) -> None:
    spool = tmp_path / "spool.jsonl"
    async with agent(fake()) as (process, link), relayed(link, spool) as (work, _):
        (worker,) = psutil.Process(process.pid).children()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    assert process.returncode == 0 and not worker.is_running()


@pytest.mark.process
def test_load_goes_nowhere_but_to_the_run_s_own_service_and_parts(tmp_path: Path) -> None:
    """In a pod of the Job, too; and what names them widens nothing outside one."""
    own = {name: Address(host="10.96.0.7", port=80 + at) for at, name in enumerate(("service", *PARTS))}
    program = (
        "import sys, msgspec; from pathlib import Path; from harness.load.plan import LoadPlan, check\n"
        "check(msgspec.json.decode(sys.stdin.buffer.read(), type=LoadPlan))"
    )

    def refused(to: dict[str, Address], **environment: str) -> str:
        plan = msgspec.structs.replace(plan_for(own["service"]), endpoints=all_at(**to))
        done = subprocess.run(
            [sys.executable, "-c", program], input=msgspec.json.encode(plan), cwd=ROOT, capture_output=True, check=False,
            env={**os.environ, LOAD_TO: msgspec.json.encode(own).decode(), **environment},
        )  # fmt: skip
        return done.stderr.decode()

    assert refused(own, **{INDEX: "0"}) == ""
    assert "endpoints.service: 10.96.0.7:80" in refused(own)
    for name, other in (
        ("service", own["auth"]),
        ("auth", own["service"]),
        ("storage", Address(host="10.96.0.8", port=84)),
    ):
        assert f"endpoints.{name}: {other}" in refused({**own, name: other}, **{INDEX: "0"})


HERE = boot()


def trip(ahead_ms: float, took_ms: float, boot: str = "there") -> Trip:
    """A round trip to a clock so far ahead, read in its middle."""
    return Trip(round((ahead_ms - took_ms / 2) * 1e6), round((ahead_ms + took_ms / 2) * 1e6), boot)


@pytest.mark.parametrize(
    ("before", "after", "ahead_ms", "doubt_ms"),
    [
        (trip(0.4, 1, HERE), trip(-0.4, 1, HERE), 0, 0),  # one clock: within each round trip
        (trip(0.4, 1), trip(-0.4, 1), 0.4, 1.3),  # another machine's, however near
        (trip(3, 1, HERE), trip(3, 1, HERE), 3, 0.5),  # of one boot, and not one clock
        (trip(7000, 8), trip(7000, 2), 7000, 4),  # the longer of the two decides
        (trip(7000, 2), trip(7012, 2), 7000, 13),  # the clocks have drifted apart
        (trip(0, 1, HERE), trip(25, 1, HERE), 0, 25.5),
    ],
)
def test_what_a_clock_is_ahead_and_the_doubt_of_it(before: Trip, after: Trip, ahead_ms: float, doubt_ms: float) -> None:
    assert before.ahead_ns == pytest.approx(ahead_ms * 1e6, abs=1)
    assert doubt_ns(before, after) == pytest.approx(doubt_ms * 1e6, abs=1)
