"""The weeks over one population on real parts, with short windows: as a person runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.model.judgement import Verdict
from harness.rehearsals.one_stack.rehearsal import REHEARSAL
from harness.rehearsals.one_stack.types import STOP, OneStackPlan
from harness.report.published import RESULT
from tests.main_job import Job, left_since, machine_state
from tests.rehearsal.again import judged_again
from tests.rehearsal.made import status_of

# The course in virtual time, and the judge on planted evidence, are looked at per push (the other modules of this folder).
pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.nightly, pytest.mark.timeout(2400)]

#: What short windows cannot prove, and what a machine that others share makes late.
_OF_THE_WINDOW = ("success.", "rollback.", "migration.stepwise", "machine.")


def test_walks_live_on_from_week_to_week_until_the_mirror_is_stopped(tmp_path: Path) -> None:
    before = machine_state()
    words = ("--window", "15s", "--before", "45s", "--pace", "60s")
    job = Job(tmp_path, *words, command=("rollout_one_stack",))
    status = job.finish(2300)
    [written] = tmp_path.glob("*-rollout_one_stack-*/result.json")
    assert status == as_it_must_be(written.parent, job.text)
    assert left_since(before, job) == {}


def as_it_must_be(folder: Path, text: str = "") -> int:
    """Of the folder of a whole run; the exit status that it must have ended in."""
    result = RESULT.read(folder / "result.json")
    assert result.facts.errors == () and result.facts.leaks == (), text
    details = judged_again(REHEARSAL, OneStackPlan, folder)
    wrong = [each for each in result.judgements if not each.verdict.good and not each.id.startswith(_OF_THE_WINDOW)]
    assert {each.id for each in wrong if each.gates} <= {"mirror.share_50"}, text  # wrong by design once in a hundred
    assert [leg.part for leg in details.legs] == ["week1", "week2", "week3", "week4"]
    assert all(len(leg.migrated) == 2 and leg.migrated[-1].left == 0 < leg.migrated[-1].there for leg in details.legs)
    asked = [each for each in result.judgements if each.id == "moved.old_walks"]
    assert {each.verdict for each in asked} == {Verdict.PASS} and all(each.samples for each in asked)
    assert [step.share_percent for step in details.steps] == [100, 50, 0]
    stop = {each.id: each for each in result.judgements if each.part == STOP}
    assert stop["mirror.rollback_after_100"].verdict is Verdict.PASS
    assert {stop[f"mirror.rollback_after_{share}"].erratum for share in (50, 0)} == {"dual_write.stop_ends_rollback"}
    assert details.account is not None and details.account.after == details.account.before
    assert "dual_write.ended_account_stays" in {each.erratum for each in result.judgements}
    assert result.exit_status == status_of(result), text
    return status_of(result)
