"""The plan refuses to send anywhere else, and without bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base.errors import BadInput, MeasurementFailed
from harness.load.commands import Go, Stop, parse
from harness.load.plan import check, read, write
from harness.model.scenario import ProbePlan
from harness.model.stack import Address
from tests.load.conftest import plan_for

HERE = Address(host="127.0.0.1", port=1)


def test_a_plan_survives_its_file(tmp_path: Path) -> None:
    plan = plan_for(HERE)
    write(plan, tmp_path / "plan.json")
    assert read(tmp_path / "plan.json") == plan


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


def test_an_unreadable_plan_is_named(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text('{"seed": "x"}')
    with pytest.raises(BadInput, match=r"cannot be read.*seed") as caught:
        read(tmp_path / "plan.json")
    assert caught.value.where == str(tmp_path / "plan.json")


def test_commands() -> None:
    assert parse(b"go 123\n") == Go(123)
    assert parse(b"stop\n") == Stop()
    assert parse(b"") == Stop()
    for line in (b"go\n", b"go -1\n", b"run 1\n"):
        with pytest.raises(MeasurementFailed, match="not a command"):
            parse(line)
