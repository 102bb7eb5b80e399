"""The real scenario, shortened, as a person runs it: one stack for the killed pod and for every step."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base.errors import Exit
from harness.model.judgement import Verdict
from harness.rehearsals.mirror_stop.rehearsal import REHEARSAL
from harness.rehearsals.mirror_stop.types import MirrorStopPlan
from harness.report.published import RESULT
from tests.main_job import Job, left_since, machine_state
from tests.rehearsal.again import judged_again

# What each share loses is judged from planted stores per push (the other modules of this folder).
pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.nightly, pytest.mark.timeout(450)]


def test_a_stepwise_stop_shows_what_a_roll_back_would_lose(tmp_path: Path) -> None:
    before = machine_state()
    job = Job(tmp_path, "--step", "6s", command=("mirror_stop",), on=None)
    status = job.finish(400)
    [written] = tmp_path.glob("*-mirror_stop-*/result.json")
    result = RESULT.read(written)
    assert result.facts.errors == () and result.facts.leaks == (), job.text
    details = judged_again(REHEARSAL, MirrorStopPlan, written.parent)
    # What is lost below 100 % is the erratum's; the share of 50 % is called wrong by design once in a hundred runs.
    wrong = {each.id for each in result.judgements if not each.verdict.good}
    assert wrong <= {"mirror.share_50"}, job.text
    assert status == result.exit_status == (Exit.HOLD if wrong else Exit.OK)
    assert left_since(before, job) == {}

    pod = details.killed_pod
    assert pod is not None and pod.lost > 0, job.text

    full, half, none = details.steps
    assert [step.share_percent for step in details.steps] == [100, 50, 0]
    assert (full.missing, full.stale, full.different, full.come_back) == (0, 0, 0, 0), full.examples
    assert 0 < half.mirrored < half.written
    assert none.mirrored == 0 < none.written
    assert full.lost_locations == 0 < half.lost_locations < none.lost_locations
    assert sum(each.walks for each in none.losses) == none.missing + none.stale

    verdicts = {each.id: each for each in result.judgements}
    assert verdicts["mirror.rollback_after_100"].verdict is Verdict.PASS
    # The judge calls one run in a hundred wrong by design (99 %): the share itself is held to four standard deviations.
    assert abs(2 * half.mirrored - half.written) <= 4 * half.written**0.5, job.text
    assert verdicts["mirror.share_0"].verdict is Verdict.PASS, job.text
    for share in (50, 0):
        assert verdicts[f"mirror.rollback_after_{share}"].verdict is Verdict.ERRATUM_SHOWN
        assert verdicts[f"mirror.rollback_after_{share}"].erratum == "dual_write.stop_ends_rollback"
