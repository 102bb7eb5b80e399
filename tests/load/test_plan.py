"""The plan refuses to send anywhere else, and without bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base.errors import BadInput, MeasurementFailed
from harness.load.child import origin_of
from harness.load.plan import LoadPlan, check, read, write
from harness.load.stages.plan import WorkerPlan
from harness.model.scenario import LoadStep, ProbePlan
from harness.model.stack import Address
from tests.load.conftest import plan_for

HERE = Address(host="127.0.0.1", port=1)
THERE = Address(host="10.0.0.1", port=1)


def test_a_plan_survives_its_file(tmp_path: Path) -> None:
    plan = plan_for(HERE)
    write(plan, tmp_path / "plan.json")
    assert read(tmp_path / "plan.json", LoadPlan) == plan


@pytest.mark.parametrize("part", ["service", "auth", "firestore", "remote_config"])
@pytest.mark.parametrize("host", ["10.0.0.1", "localhost", "example.com", "0.0.0.0", "127.0.0.2"])
def test_load_goes_to_this_machine_only(part: str, host: str, tmp_path: Path) -> None:
    plan = plan_for(HERE)
    endpoints = msgspec.structs.replace(plan.endpoints, **{part: Address(host=host, port=1)})
    with pytest.raises(BadInput, match=r"only ever sent to 127\.0\.0\.1") as caught:
        write(msgspec.structs.replace(plan, endpoints=endpoints), tmp_path / "plan.json")
    assert f"endpoints.{part}" in caught.value.where
    assert not (tmp_path / "plan.json").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"users": 2_001, "pace_s": 50},
        {"users": 500, "pace_s": 1},
        {"users": 500, "pace_s": 50, "steps": (LoadStep(at_s=5, pace_s=2),)},
        {"steps": (LoadStep(at_s=5, pace_s=0.05),)},
        {"users": 0},
        {"users": 3, "flag_on": 4},
        {"max_duration_s": 1e9},
        {"request_timeout_s": 0},
        {"probes": ProbePlan(rate_per_s=1000)},
        {"probes": ProbePlan(rate_per_s=11)},
        {"probes": ProbePlan(canary_users=7)},
    ],
)
def test_counts_and_times_are_bounded(changes: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="not within"):
        check(plan_for(HERE, **changes))


@pytest.mark.parametrize("at_s", [(0,), (5, 5), (5, 4)])
def test_steps_follow_each_other(at_s: tuple[float, ...]) -> None:
    with pytest.raises(BadInput, match="a step at"):
        check(plan_for(HERE, steps=tuple(LoadStep(at_s=each, pace_s=10) for each in at_s)))


def test_an_unreadable_plan_is_named(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text('{"seed": "x"}')
    with pytest.raises(BadInput, match=r"cannot be read.*seed") as caught:
        read(tmp_path / "plan.json", LoadPlan)
    assert caught.value.where == str(tmp_path / "plan.json")


def test_commands() -> None:
    assert origin_of(b"go 123\n") == 123
    for line in (b"go\n", b"go -1\n", b"run 1\n", b"\n", b"stop\n"):
        with pytest.raises(MeasurementFailed, match="not a command"):
            origin_of(line)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"workers": 9}, "workers is 9, not within 1..8"),
        ({"worker": 2}, "worker is 2, not within 0..1"),
        ({"accounts": 1}, "accounts is 1, not within 2..2000"),
        ({"accounts": 5}, "5 accounts cannot be shared by 2 workers"),
        ({"request_timeout_s": 0.0}, "request_timeout_s is 0, not within"),
        ({"endpoints": msgspec.structs.replace(plan_for(HERE).endpoints, storage=THERE)}, "only ever sent to"),
    ],
)
def test_the_plan_of_steps_is_bounded_as_well(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    load = plan_for(HERE)
    plan = WorkerPlan(run_id="run", seed=1, accounts=4, workers=2, endpoints=load.endpoints, anchor=load.anchor)
    write(plan, tmp_path / "plan.json")
    assert read(tmp_path / "plan.json", WorkerPlan) == plan
    with pytest.raises(BadInput, match=told):
        check(msgspec.structs.replace(plan, **changes))
