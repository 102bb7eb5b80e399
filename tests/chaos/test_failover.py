"""The failover's counterexample on the real local stack: commits that do not wait lose writes, and the checker finds them.

With commits that wait nothing is lost: test_run.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base.errors import Exit
from harness.model.judgement import Judgement, Verdict
from tests.hurried import QUICK_PROBES
from tests.main_job import Job, left_since, machine_state
from tests.rehearsal.made import by_id, result_in

# The verdict on lost writes is shown failing in tests/checks/test_acknowledged.py; the failover itself is made per push.
pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.nightly, pytest.mark.timeout(300)]


def made(folder: Path, name: str) -> dict[str, Judgement]:
    """The judgements by their id."""
    before = machine_state()
    job = Job(folder / "reports", "--on", "local", "--only", name, *QUICK_PROBES, command=("chaos",))
    assert job.finish() == Exit.OK, job.text
    assert left_since(before, job) == {}
    return by_id(result_in(job.folder).judgements)


def test_the_checker_finds_what_asynchronous_commit_loses(tmp_path: Path) -> None:
    found = made(tmp_path, "database_failover_async")
    experiment, check = found["database_failover_async"], found["writes.acknowledged"]
    assert experiment.verdict is Verdict.PASS, experiment.reason
    assert check.verdict is Verdict.PASS and "the counterexample's loss was found" in check.reason
    assert ": 0 lost" not in check.reason
