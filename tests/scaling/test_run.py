"""Scaling by hand and a drain on the real local stack, judged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.model.errors import Exit
from tests.main_job import Job, left_since, machine_state

# Per push the contract scales and drains a stack of every rung, and test_plan.py and tests/judge judge what came of it.
pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.nightly]

PLAN = """
title: A short plan
parts:
- {name: manual, kind: manual, title: By hand, high: 3, pods: 3, up_within: 60s, down_within: 15s,
   claims: [scaling.time.manual_up, scaling.time.manual_down]}
- {name: drain, kind: drain, title: A drain, claims: [manifest.pdb]}
- {name: commands, kind: commands, title: kubectl, claims: [monitoring.commands], needs: [real_kubernetes]}
"""


def test_by_hand_and_a_drain(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    before = machine_state()
    words = ("--plan", str(tmp_path / "plan.yaml"))
    job = Job(tmp_path / "reports", *words, command=("scaling",))
    assert job.finish() == Exit.OK, job.text
    report = json.loads((job.folder / "scaling.json").read_text())
    manual, drain, commands = report["parts"]
    assert [finding["verdict"] for finding in manual["findings"]] == ["pass", "pass"]
    # Two of two pods, one after the other: the second was refused until a successor was ready.
    assert (
        "2 evicted" in drain["findings"][0]["reason"]
        and "ready pods beside each: 1, 1" in drain["findings"][0]["reason"]
    )
    assert commands["findings"][0]["verdict"] == "not_exercised"
    assert left_since(before, job) == {}
