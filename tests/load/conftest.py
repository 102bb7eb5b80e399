"""Starts fake stacks and makes plans against them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from harness.base.clock import MachineClock
from harness.load.plan import LoadPlan
from harness.model.scenario import AudiencePlan, LoadStep, PopulationPlan, ProbePlan
from harness.model.stack import Address
from tests.nowhere import all_at

ROOT = Path(__file__).resolve().parent.parent.parent
StartFake = Callable[..., Address]


@pytest.fixture
def fake() -> Iterator[StartFake]:
    """``fake(PUT="status 503", ...)``: the address of a fake stack that behaves so."""
    with ExitStack() as stack:

        def start(**behaviour: Any) -> Address:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.load.fake_stack", json.dumps(behaviour)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)  # closes the pipes, which ends it, and waits
            assert process.stdout is not None
            return Address(host="127.0.0.1", port=int(process.stdout.readline()))

        yield start


def plan_for(
    address: Address,
    *,
    users: int = 4,
    pace_s: float = 1.0,
    flag_on: int | None = None,
    fetch_interval_s: float = 60.0,
    steps: tuple[LoadStep, ...] = (),
    **changes: Any,
) -> LoadPlan:
    """Everything at ``address``; all users on the API unless told."""
    population = PopulationPlan(
        audiences=(AudiencePlan(name="all", users=users, flag_on=users if flag_on is None else flag_on),),
        pace_s=pace_s,
        fetch_interval_s=fetch_interval_s,
        steps=steps,
    )
    endpoints = all_at(address)
    return LoadPlan(
        **{
            "run_id": "test-run",
            "seed": 1,
            "population": population,
            "probes": ProbePlan(timeout_s=10.0),
            "endpoints": endpoints,
            "anchor": MachineClock().anchor,
            "spool": "",
            "request_timeout_s": 10.0,
            **changes,
        }
    )
