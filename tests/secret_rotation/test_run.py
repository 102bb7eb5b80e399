"""The whole rehearsal as a person runs it: on a real cluster at night, and where there is no cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base.errors import Exit
from harness.evidence.store import stored
from harness.model.stack import EnvironmentKind
from harness.rehearsals.secret_rotation.facts import calls_of, rotation
from harness.rehearsals.secret_rotation.rehearsal import REHEARSAL
from harness.rehearsals.secret_rotation.types import AsWritten, Rotated
from harness.run.result import details_of
from tests.main_job import Job, left_since, machine_state
from tests.rehearsal.made import judged_again, result_in
from tests.session.needs import needs_docker

pytestmark = pytest.mark.process

LIMIT_S = 1700  # the first run of a machine builds the driver


@pytest.mark.kind
@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.timeout(1800, func_only=True)
@needs_docker
@pytest.mark.usefixtures("kind_cluster")
def test_a_rotation_by_two_roles_loses_nothing(tmp_path: Path) -> None:
    before = machine_state()
    job = Job(tmp_path / "reports", command=("secret_rotation",), on=EnvironmentKind.KIND)
    assert job.finish(LIMIT_S) == Exit.OK, job.text
    result = result_in(job.folder)
    assert judged_again(REHEARSAL, job.folder) == result.judgements
    did = details_of(REHEARSAL, result).did
    written, in_place, in_turn = did["as_written"], did["naive"], did["two_roles"]
    assert isinstance(written, AsWritten) and isinstance(in_place, Rotated) and isinstance(in_turn, Rotated)
    alone, classless, existing = written.trials
    assert alone.started and not alone.asked and not classless.started
    assert any("FailedMount" in event for event in classless.events)
    assert existing.asked and not existing.managed
    ledger = stored(job.folder).ledger
    lost, whole = (rotation(each.course, calls_of(each, ledger)) for each in (in_place, in_turn))
    assert sum(phase.failed for phase in lost.phases) > 0
    assert sum(phase.failed for phase in whole.phases) == 0
    assert sum(phase.requests for phase in whole.phases) >= 1000
    assert result.facts.leaks == () and left_since(before, job) == {}
