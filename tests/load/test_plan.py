"""The plan refuses to send anywhere else, and without bounds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base.errors import BadInput, MeasurementFailed
from harness.base.planfile import RuleError
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
    "changes", [{"users": 0}, {"users": 3, "flag_on": 4}, {"max_duration_s": 1e9}, {"request_timeout_s": 0}]
)
def test_counts_and_times_are_bounded(changes: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="not within"):
        check(plan_for(HERE, **changes))


@pytest.mark.parametrize(
    ("changes", "said", "at"),
    [
        ({"users": 2_001}, "2001 users in all, more than 2000", ("audiences",)),
        ({"users": 500, "pace_s": 1}, "500 users at one request in 1 s send 500/s, more than 200/s", ("pace_s",)),
        ({"users": 1, "pace_s": 0.001}, "0.001 s is not within 0.1 s..24 h", ("pace_s",)),
        ({"users": 1, "pace_s": 86_401}, "not within", ("pace_s",)),
        ({"users": 1, "pace_s": float("nan")}, "not within", ("pace_s",)),
        ({"users": 500, "pace_s": 50, "steps": (LoadStep(at_s=5, pace_s=2),)}, "send 250/s", ("steps", 0, "pace_s")),
        ({"steps": (LoadStep(at_s=5, pace_s=0.05),)}, "not within", ("steps", 0, "pace_s")),
    ],
)
def test_no_population_sends_more_than_one_machine_sends(
    changes: dict[str, Any], said: str, at: tuple[str | int, ...]
) -> None:
    """However it comes about: of a file, of the command line, of a plan in the code."""
    with pytest.raises(RuleError, match=said) as caught:
        plan_for(HERE, **changes)
    assert caught.value.keys == at
    assert caught.value.remedy


@pytest.mark.parametrize(
    "changes",
    [
        {"rate_per_s": 1000.0},
        {"rate_per_s": 11.0},
        {"canary_users": 7},
        {"rate_per_s": float("nan")},
        {"rate_per_s": 0},
    ],
)
def test_no_probes_beyond_what_a_canary_user_may_ask(changes: dict[str, Any]) -> None:
    with pytest.raises(RuleError) as caught:
        ProbePlan(**changes)
    assert caught.value.remedy


def test_a_plan_s_file_with_more_load_than_there_may_be_is_refused(tmp_path: Path) -> None:
    write(plan_for(HERE), tmp_path / "plan.json")
    text = (tmp_path / "plan.json").read_text()
    assert '"pace_s": ' in text
    (tmp_path / "plan.json").write_text(re.sub(r'"pace_s": [0-9.]+', '"pace_s": 0.001', text))
    with pytest.raises(BadInput, match="the load plan cannot be read: a pace of"):
        read(tmp_path / "plan.json", LoadPlan)


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
