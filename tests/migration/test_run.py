"""A small drill as a person runs it: live traffic, kills, everything compared; nothing is left of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.base.errors import Exit
from harness.model.judgement import Verdict
from harness.rehearsals.migration_drill.rehearsal import REHEARSAL
from harness.rehearsals.migration_drill.types import DrillPlan
from harness.report.published import RESULT
from tests.hurried import QUICK_PROBES
from tests.main_job import Job, left_since, machine_state
from tests.rehearsal.again import judged_again
from tests.rehearsal.made import status_of

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(400)]


def test_a_small_drill_moves_everything_and_loses_nothing(tmp_path: Path) -> None:
    before = machine_state()
    words = ("--walks", "200", "--locations", "8", "--kills", "2", "--week", "0s", "--pace", "3s")
    job = Job(tmp_path, *words, *QUICK_PROBES, command=("migration_drill",), on=None)
    status = job.finish(350)
    [written] = tmp_path.glob("*-migration_drill-*/result.json")
    result = RESULT.read(written)
    assert result.facts.errors == () and result.facts.leaks == (), job.text
    details = judged_again(REHEARSAL, DrillPlan, written.parent)
    verdicts = {each.id: each.verdict for each in result.judgements}
    # Enough is seen of those who stay, however short the move is; a kill may come too late.
    (stayed,) = [each for each in result.judgements if each.id == "migration.stepwise"]
    assert stayed.samples >= 299 and verdicts.pop(stayed.id) is not Verdict.FAIL, job.text
    assert verdicts.pop("migration.killed") is not Verdict.FAIL, job.text
    for erratum in ("migration.firestore_read_only", "migration.largest"):
        assert verdicts.pop(erratum) is Verdict.ERRATUM_SHOWN, job.text
    assert set(verdicts.values()) == {Verdict.PASS}, job.text
    assert status == result.exit_status == status_of(result), job.text
    assert details.compared is not None and details.compared.equal >= 200
    assert details.race is not None and details.race.written > 0
    assert left_since(before, job) == {}


@pytest.mark.nightly
def test_a_migrator_that_overwrites_and_swallows_is_found(tmp_path: Path) -> None:
    migrator = f"{sys.executable} {Path(__file__).parent / 'naive_migrator.py'}"
    words = ("--walks", "200", "--locations", "8", "--kills", "0", "--week", "0s", "--migrator", migrator)
    job = Job(tmp_path, *words, command=("migration_drill",), on=None)
    assert job.finish(350) == Exit.HOLD
    [written] = tmp_path.glob("*-migration_drill-*/result.json")
    found = {each.id: each.verdict for each in RESULT.read(written).judgements}
    wrong = {name for name, verdict in found.items() if verdict is Verdict.FAIL}
    assert wrong >= {"migration.whole", "migration.odd", "migration.overwritten", "migration.people"}, job.text
