"""Scaling by hand and a drain on the real local stack, judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base.errors import Exit
from harness.model.judgement import Verdict
from harness.model.section import Lines
from harness.rehearsals.scaling.rehearsal import REHEARSAL
from tests.main_job import Job, left_since, machine_state
from tests.rehearsal.made import judged_again, result_in

# Per push the contract scales and drains a stack of every rung, and test_plan.py and tests/rules judge what came of it.
pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.nightly]

PLAN = """
title: A short plan
parts:
- {name: manual, kind: manual, title: By hand, high: 3, pods: 3, up_within: 60s, down_within: 15s,
   claims: [scaling.time.manual_up, scaling.time.manual_down]}
- {name: drain, kind: drain, title: A drain, claims: [manifest.pdb], rate: 5/s, load: 5s}
- {name: commands, kind: commands, title: kubectl, claims: [monitoring.commands], needs: [real_kubernetes]}
"""


def test_by_hand_and_a_drain(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    before = machine_state()
    words = ("--plan", str(tmp_path / "plan.yaml"))
    job = Job(tmp_path / "reports", *words, command=("scaling",))
    assert job.finish() == Exit.OK, job.text
    result = result_in(job.folder)
    found = {(each.part, each.id): each for each in result.judgements}
    assert [found["manual", f"scaling.time.manual_{way}"].verdict for way in ("up", "down")] == [Verdict.PASS] * 2
    # Two of two pods, one after the other: the second was refused until a successor was ready.
    drained = found["drain", "manifest.pdb"].reason
    assert "2 evicted" in drained and "ready pods beside each: 1, 1" in drained
    (cost,) = (each for each in result.sections if isinstance(each, Lines) and "cost of the month" in str(each.title))
    assert cost.part == "drain" and "requests of users" in str(cost.lines[0])
    assert found["commands", "monitoring.commands"].verdict is Verdict.NOT_EXERCISED
    assert judged_again(REHEARSAL, job.folder) == result.judgements
    assert left_since(before, job) == {}
