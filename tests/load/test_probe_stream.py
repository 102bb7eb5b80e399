"""The probe stream in one process, its prober replaced: nothing that becomes of a probe is silent."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import msgspec
import pytest

from harness.base.errors import EvidenceNotWritten, MeasurementFailed
from harness.base.ticks import NS
from harness.evidence.spool import SpoolReader
from harness.load.plan import LoadPlan
from harness.load.population.schedule import canaries, due_list
from harness.load.probe import Probed, Prober
from harness.load.probes_main import ProbeStream
from harness.load.recorder import Recorder
from harness.load.rest import now_ns
from harness.model.evidence import Due, Operation, Outcome, ProbeRow, Row, probe_call
from harness.model.scenario import ProbePlan, Scenario
from harness.model.stack import Address
from tests.load.conftest import plan_for

NOWHERE = Address(host="127.0.0.1", port=1)
PLAN = plan_for(NOWHERE, probes=ProbePlan(rate_per_s=100.0, canary_users=80, timeout_s=0.2), max_duration_s=0.3)


class Scripted:
    """A prober whose third probe does as told; the others are good."""

    def __init__(self, third: Exception | float) -> None:
        self.canary = canaries(ProbePlan(), 1)[0]
        self.third = third
        self.made = 0

    async def probe(self, service: Address, operation: Operation, timeout_s: float) -> Probed:
        self.made += 1
        if self.made == 3 and isinstance(self.third, Exception):
            raise self.third
        await asyncio.sleep(self.third if self.made == 3 and isinstance(self.third, float) else 0)
        return Probed(status=200, outcome=Outcome.OK)


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    made = Recorder(tmp_path / "p.jsonl")
    yield made
    made.close()


def stream(prober: Scripted, recorder: Recorder, plan: LoadPlan = PLAN) -> ProbeStream:
    return ProbeStream(plan, recorder, [cast("Prober", prober)] * PLAN.probes.canary_users)


async def cancelled_after(running: ProbeStream, seconds: float) -> None:
    task = asyncio.ensure_future(running.run(now_ns()))
    await asyncio.sleep(seconds)
    task.cancel()
    await task


@pytest.mark.parametrize("error", [UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), KeyError("x"), RecursionError()])
async def test_an_exception_of_a_probe_is_an_error_of_the_measurement(
    error: Exception, recorder: Recorder, tmp_path: Path
) -> None:
    running = stream(Scripted(error), recorder)
    with pytest.raises(MeasurementFailed, match="a probe ended without a result") as caught:
        await running.run(now_ns())
    assert caught.value.__cause__ is error
    recorder.close()
    seen = [row.probe_id for row in SpoolReader(tmp_path / "p.jsonl").read() if isinstance(row, ProbeRow)]
    assert 2 not in seen
    assert {0, 1} <= set(seen)


async def test_the_last_probes_exception_is_told_too(recorder: Recorder) -> None:
    prober = Scripted(KeyError("late"))
    slow = msgspec.structs.replace(PLAN.probes, rate_per_s=10.0)  # a busy machine begins no fourth with the third
    running = stream(prober, recorder, msgspec.structs.replace(PLAN, probes=slow))
    task = asyncio.ensure_future(running.run(now_ns()))
    while prober.made < 3:  # noqa: ASYNC110 - the prober knows no event
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)  # it has raised
    task.cancel()
    with pytest.raises(MeasurementFailed, match="late"):
        await task
    assert prober.made == 3


async def test_a_probe_that_never_ends_is_told(recorder: Recorder) -> None:
    running = stream(Scripted(60.0), recorder)
    with pytest.raises(MeasurementFailed, match="1 probes did not end a second past their timeout"):
        await cancelled_after(running, 0.1)


async def test_a_row_that_cannot_be_written_ends_the_stream_as_itself(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = stream(Scripted(0.0), recorder)
    refused = EvidenceNotWritten("the disk is full")
    write, asked = recorder.write, itertools.count()

    def third_refused(row: Row) -> None:
        if next(asked) == 2:
            raise refused
        write(row)

    monkeypatch.setattr(recorder, "write", third_refused)
    with pytest.raises(EvidenceNotWritten) as caught:
        await running.run(now_ns())
    assert caught.value is refused


async def test_the_stream_makes_what_is_due(recorder: Recorder, tmp_path: Path) -> None:
    """The due list that the judge is given, probe by probe: number, canary, time."""
    everybody = [Scripted(0.0) for _ in range(PLAN.probes.canary_users)]
    for scripted, canary in zip(everybody, canaries(PLAN.probes, PLAN.seed), strict=True):
        scripted.canary = canary
    origin_ns = now_ns()
    with pytest.raises(MeasurementFailed, match="ran longer"):
        await ProbeStream(PLAN, recorder, cast("list[Prober]", everybody)).run(origin_ns)
    recorder.flush()
    scenario = Scenario(
        name="", title="", claims=(), population=PLAN.population, probes=PLAN.probes, criteria=(), window_s=1
    )
    made = [row for row in SpoolReader(tmp_path / "p.jsonl").read() if isinstance(row, ProbeRow)]
    due = due_list(scenario, PLAN.seed, origin_ns, origin_ns + round(PLAN.max_duration_s * NS)).probes
    assert len(made) == 30
    assert [Due(id=probe_call(row.probe_id), user=row.user, due_ns=row.due_ns) for row in made] == list(due)
