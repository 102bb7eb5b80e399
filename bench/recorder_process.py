"""``python -m bench.recorder_process``: the load process' phones under locust, as fast as they can, recorded or not."""

from __future__ import annotations

# isort: off
from harness.load.patched import locust  # noqa: F401 - before all else: it patches the standard library
# isort: on

import gc
import os
import sys
from pathlib import Path

import gevent
import msgspec
from gevent.event import Event
from locust.env import Environment

from bench import clock
from bench.load import plan_at
from bench.recorder import PACE_S, Arm, Plan, Seen
from harness.load.admission import admit
from harness.load.locust_main import LoadEnding, user_class
from harness.load.phone import Phone, Shared, connect
from harness.load.recorder import FLUSH_EVERY_S, Recorder
from harness.model.evidence import Operation, Outcome, RequestRow, Row, Side

_WARM_S = 0.15
_ANSWERED_WITHIN_S = 10.0
_HOUR_NS = 3600 * 10**9


class _Nowhere(Recorder):
    """Takes rows and keeps none."""

    def write(self, row: Row) -> None:
        """Nothing."""


def measure(plan: Plan) -> Seen:
    """All arms in turn, then the loop. Raises ``RuntimeError`` when a request did not end well."""
    recorder = Recorder(Path(plan.spool))
    told = plan_at(plan.port, users=plan.size.users, pace_s=PACE_S, spool=plan.spool)
    shared = Shared(plan=told, recorder=recorder, ended=Event())
    phones = admit(shared, connect(told.endpoints.firestore, told.endpoints.project_id))
    shared.origin_ns = clock.now_ns() - _HOUR_NS
    gc.collect()
    gc.freeze()  # as the load process does
    flushing = gevent.spawn(_flush, recorder)
    recorded, unwritten, bare = [], [], []
    for _ in range(plan.size.rounds):
        recorded.append(_arm(shared, phones, plan.size.seconds))
        shared.recorder = _Nowhere(Path(os.devnull))
        unwritten.append(_arm(shared, phones, plan.size.seconds))
        shared.recorder = recorder
        for phone in phones:
            vars(phone)["_record"] = lambda *_, **__: _count(shared)
        bare.append(_arm(shared, phones, plan.size.seconds))
        for phone in phones:
            del vars(phone)["_record"]
    flushing.kill()
    row_us = _loop(recorder, plan.size.rows)
    recorder.close()
    return Seen(recorded=recorded, unwritten=unwritten, bare=bare, row_us=row_us, rows=plan.size.rows)


def _count(shared: Shared) -> None:
    shared.requests += 1


def _flush(recorder: Recorder) -> None:
    while True:
        gevent.sleep(FLUSH_EVERY_S)
        recorder.flush()


def _arm(shared: Shared, phones: list[Phone], seconds: float) -> Arm:
    shared.ended.clear()
    ending = LoadEnding(shared.ended)
    environment = Environment(user_classes=[user_class(iter(phones), ending)], stop_timeout=2, catch_exceptions=False)
    runner = environment.create_local_runner()
    runner.start(len(phones), spawn_rate=len(phones))
    gevent.sleep(_WARM_S)
    requests, cpu_ns, began_ns = shared.requests, clock.cpu_ns(), clock.now_ns()
    gevent.sleep(seconds)
    with gevent.Timeout(_ANSWERED_WITHIN_S, False):
        while shared.requests == requests and ending.error is None:  # the server stood still
            gevent.sleep(0.01)
    made, took_ns, used_ns = shared.requests - requests, clock.now_ns() - began_ns, clock.cpu_ns() - cpu_ns
    ending.tell()
    runner.quit()
    if ending.error is not None or not made:
        raise RuntimeError(f"the phones stopped: {ending.error}")
    return Arm(per_s=made / took_ns * 1e9, cpu_us=used_ns / made / 1e3)


def _loop(recorder: Recorder, rows: int) -> float:
    """Microseconds of CPU a row."""
    now = clock.now_ns()
    row = RequestRow(
        operation_id="u0001-00001", user="u0001", audience="general", side=Side.API, operation=Operation.PUT_WALK,
        due_ns=now, sent_ns=now + 1, done_ns=now + 2, status=200, outcome=Outcome.OK, acknowledged=True,
        payload_digest="0" * 64, flag=True, walk_id="00000000-0000-4000-8000-000000000001",
        pod="tekutoko-api-6d9f7c-x2k4p",
    )  # fmt: skip
    began_ns = clock.cpu_ns()
    for _ in range(rows):
        recorder.write(row)
    recorder.flush()
    return (clock.cpu_ns() - began_ns) / rows / 1e3


if __name__ == "__main__":
    given = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(measure(given)))
