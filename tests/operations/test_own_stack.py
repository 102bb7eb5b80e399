"""The operator's page of a real stack, which the command brings up and takes down."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.model.judgement import Verdict
from harness.rehearsals.operations.rehearsal import REHEARSAL
from harness.rehearsals.operations.types import OperationsPlan
from harness.report.published import RESULT
from tests.main_job import Job, left_since, machine_state
from tests.rehearsal.again import judged_again
from tests.rehearsal.made import status_of

# What is read of a stack, and how it is judged, is looked at per push (the other module of this folder).
pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.nightly, pytest.mark.timeout(200)]


def test_the_page_of_a_stack_of_its_own(tmp_path: Path) -> None:
    before = machine_state()
    job = Job(tmp_path, "--own-stack", command=("operations", "daily"), on=None)
    status = job.finish(180)
    [written] = tmp_path.glob("*-operations-*/result.json")
    result = RESULT.read(written)
    found = {each.id: each for each in result.judgements}
    assert result.facts.errors == result.facts.leaks == () and not result.facts.only_looks, job.text
    assert found["operations.daily"].verdict is Verdict.PASS, job.text
    assert status == result.exit_status == status_of(result), job.text
    observed = judged_again(REHEARSAL, OperationsPlan, written.parent).observed
    assert observed is not None and len(observed.pods) >= 2 and all(pod.ready for pod in observed.pods), job.text
    assert observed.answers == {"/health": 200, "/ready": 200} and observed.logs.total > 0
    assert left_since(before, job) == {}
