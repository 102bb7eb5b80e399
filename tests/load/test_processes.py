"""Both load processes, run as the harness runs them, against a real HTTP server that misbehaves as told."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import psutil
import pytest

from harness.base.clock import NS, MachineClock
from harness.base.errors import PartDied
from harness.evidence.spool import SpoolReader
from harness.load.plan import LoadPlan
from harness.load.process import LoadProcesses
from harness.model.evidence import EventRow, FlagRow, Operation, Outcome, ProbeRow, RequestRow, Row, SessionRow, Side
from harness.model.scenario import ProbePlan
from harness.model.stack import Address
from tests.load.conftest import StartFake, plan_for

pytestmark = [pytest.mark.process, pytest.mark.alone]

CLOCK = MachineClock()
#: Half of it is more than a machine stands still: the median of what was seen in it is that of a machine that runs.
OUTLASTS_S = 8.0


@asynccontextmanager
async def loading(plan: LoadPlan, folder: Path) -> AsyncIterator[LoadProcesses]:
    """Admitted and going; stopped by the test or, whatever happens, killed."""
    load = LoadProcesses(plan, folder, CLOCK)
    try:
        await load.start()
        await load.admitted(30)
        await load.go(CLOCK.now_ns())
        yield load
    finally:
        await load.kill()


def rows(load: LoadProcesses) -> list[Row]:
    return [row for spool in load.spools for row in SpoolReader(spool).read()]


async def observed(plan: LoadPlan, folder: Path, seconds: float) -> tuple[list[RequestRow], list[ProbeRow]]:
    async with loading(plan, folder) as load:
        await asyncio.sleep(seconds)
        await load.stop()
    seen = rows(load)
    return [r for r in seen if isinstance(r, RequestRow)], [r for r in seen if isinstance(r, ProbeRow)]


def of(found: Sequence[Row], operation: Operation) -> list[RequestRow]:
    return [row for row in found if isinstance(row, RequestRow) and row.operation is operation]


def outcomes(requests: list[RequestRow], operation: Operation) -> set[Outcome]:
    return {r.outcome for r in requests if r.operation is operation}


async def test_a_healthy_run(fake: StartFake, tmp_path: Path) -> None:
    plan = plan_for(fake(), users=40, pace_s=1.0)
    async with loading(plan, tmp_path) as load:
        await asyncio.sleep(OUTLASTS_S)
        load.check()
        pids = load.pids
        asked_ns = CLOCK.now_ns()
        await load.stop()
        assert CLOCK.now_ns() - asked_ns < 5 * NS
        await load.stop()  # again
        await load.watch()
    assert not any(psutil.pid_exists(pid) for pid in pids.values())
    seen = rows(load)
    requests = [row for row in seen if isinstance(row, RequestRow)]
    assert {r.outcome for r in requests} == {Outcome.OK}
    assert set(Operation) == {r.operation for r in requests}
    # A load process that stood still as the stop came hears of it once its phones have sent what was due.
    dues = sorted(r.due_ns for r in requests if r.due_ns < asked_ns)
    assert len(dues) == pytest.approx(40 * (dues[-1] - dues[0]) / NS, abs=50)
    assert asked_ns - dues[-1] < NS
    assert len({r.operation_id for r in requests}) == len(requests)
    assert {r.pod for r in requests} == {"pod-1"}
    assert {r.side for r in requests} == {Side.API}
    assert all(r.due_ns <= r.sent_ns <= r.done_ns for r in requests)
    assert median(r.sent_ns - r.due_ns for r in requests) < 0.2 * NS
    for r in requests:
        assert r.acknowledged == (r.operation not in {Operation.LIST_WALKS, Operation.GET_WALK})
        assert bool(r.payload_digest) == (r.operation in {Operation.PUT_WALK, Operation.CREATE_WALK})
    created = [r.walk_id for r in requests if r.operation is Operation.CREATE_WALK]
    assert all(walk_id.startswith("00000000-0000-4000-8000-") for walk_id in created)  # the server's own ids
    by_user: dict[str, list[int]] = {}
    for r in requests:
        by_user.setdefault(r.user, []).append(r.due_ns)
    assert all(b - a == NS for dues in by_user.values() for a, b in itertools.pairwise(dues))
    flags = [row for row in seen if isinstance(row, FlagRow)]
    assert {(f.user, f.value, f.template_version) for f in flags} == {(f"u{n:04d}", True, 7) for n in range(1, 41)}
    sessions = Counter((row.user, row.live) for row in seen if isinstance(row, SessionRow))
    assert sessions == {(f"u{n:04d}", live): 1 for n in range(1, 41) for live in (True, False)}


async def test_two_processes_share_the_users(fake: StartFake, tmp_path: Path) -> None:
    plan = msgspec.structs.replace(plan_for(fake(), users=5, pace_s=0.5), workers=2)
    async with loading(plan, tmp_path) as load:
        assert set(load.pids) == {"load-0", "load-1", "probes"}
        await asyncio.sleep(2)
        await load.stop()
    shares = [{row.user for row in SpoolReader(spool).read() if isinstance(row, RequestRow)} for spool in load.spools]
    assert shares == [{"u0001", "u0003", "u0005"}, {"u0002", "u0004"}, set()]


async def test_the_probes_keep_their_pace(fake: StartFake, tmp_path: Path) -> None:
    async with loading(plan_for(fake()), tmp_path) as load:
        await asyncio.sleep(OUTLASTS_S)
        asked_ns = CLOCK.now_ns()
        await load.stop()
    probes = [row for row in rows(load) if isinstance(row, ProbeRow)]
    seconds = (asked_ns - probes[0].due_ns) / NS  # it may have slept for longer
    in_time = [probe for probe in probes if probe.due_ns <= asked_ns]
    assert seconds > 2.5 and len(in_time) == pytest.approx(10 * seconds, abs=2)
    assert [p.probe_id for p in probes] == list(range(len(probes)))
    assert {b.due_ns - a.due_ns for a, b in itertools.pairwise(probes)} == {NS // 10}
    assert {p.outcome for p in probes} == {Outcome.OK}
    assert [p.method for p in probes[:4]] == ["PUT", "GET", "PUT", "GET"]
    assert set(Counter(p.user for p in probes[:16]).values()) == {2}
    assert len({p.user for p in probes}) == 8
    assert median(p.sent_ns - p.due_ns for p in probes) < 0.2 * NS


async def test_slow_probes_delay_no_other(fake: StartFake, tmp_path: Path) -> None:
    plan = plan_for(fake(GET="hang"), probes=ProbePlan(timeout_s=1.5))
    _, probes = await observed(plan, tmp_path, OUTLASTS_S)
    slow = [p for p in probes if p.method == "GET"]
    assert {p.outcome for p in slow} == {Outcome.TIMEOUT}
    assert {p.status for p in slow} == {0}
    assert all(p.done_ns - p.sent_ns >= 1.5 * NS for p in slow)
    assert median(p.done_ns - p.sent_ns for p in slow) < 1.9 * NS
    assert {p.outcome for p in probes if p.method == "PUT"} == {Outcome.OK}
    assert median(p.sent_ns - p.due_ns for p in probes) < 0.2 * NS
    assert sorted(p.probe_id for p in probes) == list(range(len(probes)))  # those under way at the end are recorded


@pytest.mark.parametrize(
    ("how", "outcome"),
    [
        ("status 500", Outcome.SERVER_ERROR),
        ("status 429", Outcome.RATE_LIMITED),
        ("status 401", Outcome.UNEXPECTED_4XX),
        ("partial", Outcome.BROKEN),
        ("foreign", Outcome.FOREIGN_ANSWER),
    ],
)
async def test_each_way_to_fail_is_told(fake: StartFake, tmp_path: Path, how: str, outcome: Outcome) -> None:
    async with loading(plan_for(fake(PUT=how), users=20), tmp_path) as load, asyncio.timeout(60):
        await asyncio.sleep(2.2)
        while len(of(rows(load), Operation.PUT_WALK)) <= 20:  # noqa: ASYNC110 - a file's content
            await asyncio.sleep(0.1)
        await load.stop()
    requests = [row for row in rows(load) if isinstance(row, RequestRow)]
    probes = [row for row in rows(load) if isinstance(row, ProbeRow)]
    puts = of(requests, Operation.PUT_WALK)
    assert {r.outcome for r in puts} == {outcome}
    assert {p.outcome for p in probes if p.method == "PUT"} == {outcome}
    assert not any(r.acknowledged for r in puts)
    if how != "foreign":
        # No PUT was confirmed, so that there is no such walk is the right answer, for users and probes.
        reads = [r for r in requests if r.operation in {Operation.GET_WALK, Operation.DELETE_WALK}]
        assert {(r.status, r.outcome) for r in reads} == {(404, Outcome.OK)}
        assert {(p.status, p.outcome) for p in probes if p.method == "GET"} == {(404, Outcome.OK)}
    assert outcomes(requests, Operation.LIST_WALKS) == {Outcome.OK}


async def test_a_404_for_a_confirmed_walk_is_unexpected(fake: StartFake, tmp_path: Path) -> None:
    requests, probes = await observed(plan_for(fake(GET="status 404"), users=20), tmp_path, 3)
    assert outcomes(requests, Operation.GET_WALK) == {Outcome.UNEXPECTED_4XX}
    assert {p.outcome for p in probes if p.method == "GET"} == {Outcome.UNEXPECTED_4XX}


async def test_a_refused_service(fake: StartFake, tmp_path: Path) -> None:
    plan = plan_for(fake())
    endpoints = msgspec.structs.replace(plan.endpoints, service=Address(host="127.0.0.1", port=1))
    requests, probes = await observed(msgspec.structs.replace(plan, endpoints=endpoints), tmp_path, 2)
    assert {r.outcome for r in requests} == {Outcome.REFUSED}
    assert {p.outcome for p in probes} == {Outcome.REFUSED}
    assert requests
    assert probes


async def test_latency_counts_from_when_a_request_was_due(fake: StartFake, tmp_path: Path) -> None:
    # A stall of 3 s: a closed loop would see one slow request a user, and few of them.
    plan = plan_for(fake(stall=[1.0, 3.0]), users=10, pace_s=0.5, request_timeout_s=10.0)
    requests, _ = await observed(plan, tmp_path, 7)
    dues = sorted(r.due_ns for r in requests)
    early = [due for due in dues if due < dues[0] + 5 * NS]  # later ones may be cut by the stop
    assert {b - a for a, b in itertools.pairwise(early)} == {NS // 20}  # none was left out
    first = min(requests, key=lambda r: r.due_ns)  # the stall counts from its arrival: when it was sent, or later
    after_ns, until_ns = first.done_ns + round(1.05 * NS), first.sent_ns + round(3.9 * NS)
    hit = [r for r in requests if after_ns < r.due_ns < until_ns]
    assert hit and len(hit) == pytest.approx(20 * (until_ns - after_ns) / NS, abs=2)
    # All were answered when the stall ended, those due early in it having waited longest.
    assert all(r.done_ns - first.sent_ns > 3.65 * NS for r in hit)
    assert median(r.done_ns - first.sent_ns for r in hit) < 6.5 * NS  # one moment: all wait where all stands still
    # Sent late, because the phone was still waiting: that wait is in the latency, and seen as the lag.
    assert max(r.sent_ns - r.due_ns for r in hit) > 1.0 * NS


async def test_a_timeout_of_the_phone(fake: StartFake, tmp_path: Path) -> None:
    plan = plan_for(fake(GET="hang"), users=10, request_timeout_s=3.5, probes=ProbePlan(timeout_s=3.5))
    requests, _ = await observed(plan, tmp_path, OUTLASTS_S)
    assert outcomes(requests, Operation.LIST_WALKS) == {Outcome.TIMEOUT}
    took_ns = [r.done_ns - r.sent_ns for r in requests if r.outcome is Outcome.TIMEOUT]
    assert all(each >= 3.5 * NS for each in took_ns) and median(took_ns) < 4.3 * NS
    assert outcomes(requests, Operation.PUT_WALK) == {Outcome.OK}


async def test_a_server_that_drops_idle_connections_costs_nobody_a_failure(fake: StartFake, tmp_path: Path) -> None:
    requests, _ = await observed(plan_for(fake(drop_idle=True), users=20), tmp_path, 3)
    assert len(requests) > 50
    assert {r.outcome for r in requests} == {Outcome.OK}


async def test_a_token_is_renewed_between_requests(fake: StartFake, tmp_path: Path) -> None:
    # Every token is near its end at once, and the server takes a user's newest only.
    plan = plan_for(fake(expires_s=1), users=10)
    requests, _ = await observed(plan, tmp_path, 2.5)
    assert len(requests) >= 20
    assert {r.outcome for r in requests} == {Outcome.OK}


async def test_a_fetch_that_hangs_delays_no_request_and_is_told(fake: StartFake, tmp_path: Path) -> None:
    plan = plan_for(fake(flag_hangs=True), users=10, fetch_interval_s=1.0)
    async with loading(plan, tmp_path) as load:
        await asyncio.sleep(7)
        await load.stop()
    seen = rows(load)
    requests = [row for row in seen if isinstance(row, RequestRow)]
    assert len(requests) >= 65
    assert {(r.side, r.outcome) for r in requests} == {(Side.API, Outcome.OK)}  # what was fetched before is kept
    assert median(r.sent_ns - r.due_ns for r in requests) < 0.2 * NS
    told = [row for row in seen if isinstance(row, EventRow) and row.kind == "flag"]
    assert len(told) >= 10
    assert all("not fetched" in row.message for row in told)


async def test_stop_lets_what_is_under_way_end(fake: StartFake, tmp_path: Path) -> None:
    plan = plan_for(fake(PUT="hang"), users=20, request_timeout_s=3.0, probes=ProbePlan(timeout_s=3.0))
    async with loading(plan, tmp_path) as load:
        await asyncio.sleep(1.2)
        asked_ns = CLOCK.now_ns()
        await load.stop()
        assert CLOCK.now_ns() - asked_ns < 8 * NS
    requests = [r for r in rows(load) if isinstance(r, RequestRow)]
    under_way = [r for r in of(requests, Operation.PUT_WALK) if r.sent_ns < asked_ns < r.done_ns]
    assert len(under_way) >= 5
    assert {r.outcome for r in under_way} == {Outcome.TIMEOUT}
    # A load process that stood still hears of the stop when it goes on: each phone has then sent what was due, at once.
    late = [r for r in requests if r.sent_ns > asked_ns + 0.5 * NS]
    assert len({r.user for r in late}) == len(late)
    assert not late or max(r.sent_ns for r in late) - min(r.sent_ns for r in late) < 0.5 * NS


async def test_the_end_of_the_input_ends_both(fake: StartFake, tmp_path: Path) -> None:
    async with loading(plan_for(fake()), tmp_path) as load:
        await asyncio.sleep(0.5)
        for child in load._children:
            assert child.process
            assert child.process.stdin
            child.process.stdin.close()  # as when the harness is killed
        async with asyncio.timeout(10):
            for child in load._children:
                assert child.process
                assert await child.process.wait() == 0
    assert any(isinstance(row, SessionRow) and not row.live for row in rows(load))


async def test_stop_before_go(fake: StartFake, tmp_path: Path) -> None:
    load = LoadProcesses(plan_for(fake()), tmp_path, CLOCK)
    try:
        await load.start()
        await load.admitted(30)
        await load.stop()
    finally:
        await load.kill()
    assert not any(isinstance(row, RequestRow | ProbeRow) for row in rows(load))


async def test_rows_are_flushed_while_nothing_happens(fake: StartFake, tmp_path: Path) -> None:
    async with loading(plan_for(fake(), users=1, pace_s=60, probes=ProbePlan(rate_per_s=0.05)), tmp_path) as load:
        async with asyncio.timeout(10):
            while not {RequestRow, ProbeRow} <= {type(row) for row in rows(load)}:  # noqa: ASYNC110 - a file's content
                await asyncio.sleep(0.05)
        seen = rows(load)
        assert sum(isinstance(row, RequestRow) for row in seen) == 1
        assert sum(isinstance(row, ProbeRow) for row in seen) == 1
        await load.stop()


@pytest.mark.parametrize("name", ["load", "probes"])
async def test_an_end_by_itself_is_noticed(fake: StartFake, tmp_path: Path, name: str) -> None:
    async with loading(plan_for(fake()), tmp_path) as load:
        watching = asyncio.create_task(load.watch())
        await asyncio.sleep(0.3)
        assert not watching.done()
        os.kill(load.pids[name], signal.SIGKILL)
        with pytest.raises(PartDied, match=f"the {name} process ended by itself .signal 9."):
            async with asyncio.timeout(10):
                await watching
        with pytest.raises(PartDied):
            await load.stop()


async def test_a_part_of_the_measurement_that_fails_is_never_the_targets(fake: StartFake, tmp_path: Path) -> None:
    load = LoadProcesses(plan_for(fake(auth="down")), tmp_path, CLOCK)
    try:
        await load.start()
        with pytest.raises(PartDied, match=r"the Auth emulator did not answer \(status 500") as caught:
            await load.admitted(30)
    finally:
        await load.kill()
    assert caught.value.where.endswith(".log")
    assert any(isinstance(r, EventRow) and r.kind == "measurement_error" for r in rows(load))
    assert not any(isinstance(row, RequestRow | ProbeRow) for row in rows(load))


async def test_longer_than_the_plan_is_an_error_of_the_measurement(fake: StartFake, tmp_path: Path) -> None:
    async with loading(plan_for(fake(), max_duration_s=0.5), tmp_path) as load:
        with pytest.raises(PartDied, match=r"ran longer than the 0\.5 s"):
            async with asyncio.timeout(10):
                await load.watch()


async def test_the_children_carry_the_runs_id_and_no_proxy(
    fake: StartFake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    async with loading(plan_for(fake()), tmp_path) as load:
        for pid in load.pids.values():
            child = psutil.Process(pid)
            environment: dict[str, Any] = child.environ()
            assert environment["TEKUTOKO_RUN_ID"] == "test-run"
            assert "https_proxy" not in environment
            assert os.getsid(pid) == pid
        await load.stop()
