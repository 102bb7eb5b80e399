"""Deploys on the real local stack: one that the judge has undone, a good version, and one that is never ready."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base.errors import Exit
from harness.base.units import Unit
from harness.model.judgement import Verdict
from harness.model.result import Result
from harness.rehearsals.deploy.rehearsal import REHEARSAL
from harness.rehearsals.deploy.types import Followed
from harness.run.result import details_of
from tests.hurried import QUICK_PROBES
from tests.main_job import Job, left_since, machine_state
from tests.rehearsal.made import by_id, judged_again, result_in

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(600)]


def made(reports: Path, *names: str, words: tuple[str, ...] = ()) -> Result:
    """The result of the parts of these names, all of which the judge let pass; nothing is left."""
    before = machine_state()
    only = [word for name in names for word in ("--only", name)]
    job = Job(reports, *only, "--pace", "10s", *words, command=("deploy_rehearsal",))
    assert job.finish() == Exit.OK, job.text
    assert left_since(before, job) == {}
    result = result_in(job.folder)
    checks = verdicts(result, "")
    assert checks["writes.acknowledged"] == checks["writes.applied_once"] == "pass"
    assert judged_again(REHEARSAL, job.folder) == result.judgements
    return result


def verdicts(result: Result, part: str) -> dict[str, str]:
    return {name: str(each.verdict) for name, each in by_id(result.judgements, part).items()}


def followed(result: Result) -> dict[str, Followed]:
    """What the run saw of each part, by its name."""
    return {each.name: each for each in details_of(REHEARSAL, result).followed}


@pytest.mark.alone  # 50 requests/s beside other stacks leave an ending pod's mirror too little of two cores
def test_a_bad_version_is_undone_by_the_judge(tmp_path: Path) -> None:
    result = made(tmp_path, "errors", words=QUICK_PROBES)
    (judgement,) = by_id(result.judgements, "errors").values()
    assert judgement.verdict is Verdict.PASS and judgement.value is not None and judgement.unit is Unit.SECONDS
    assert "rollback.error_ratio" in judgement.reason and "fired" in judgement.reason


@pytest.mark.nightly  # per push a stack is rolled out under requests (test_local_held_to, the contract), and judged pure
def test_a_good_version_is_rolled_out_and_one_that_is_never_ready_is_undone(tmp_path: Path) -> None:
    result = made(tmp_path, "good", "never_ready")
    good, unready = verdicts(result, "good"), verdicts(result, "never_ready")
    assert good.pop("deploy.create_lost_at_close") in {"erratum_shown", "not_exercised"}, (
        "a CREATE on its way when a pod ended may be lost, and is a finding apart"
    )
    assert set(good.values()) == {"pass"}
    assert by_id(result.judgements, "good")["deploy.rolling.no_downtime"].samples > 300
    assert unready.pop("cicd.no_undo") == "erratum_shown"
    assert set(unready.values()) == {"pass"}
    ran = followed(result)["never_ready"].ran
    assert [one.status for one in ran] == [0, 1, 0, 0]  # set image, status, undo, status


@pytest.mark.nightly  # the race itself is made per push (stack/test_local_race.py); here the document's claim is shown false
def test_the_document_s_downtime_without_a_pre_stop_is_shown_where_signals_come_at_once(tmp_path: Path) -> None:
    result = made(tmp_path, "as_written", words=("--signals-at-once",))
    assert "endpoints_before_signals" not in result.facts.capabilities
    assert verdicts(result, "as_written")["deploy.downtime_without_prestop"] == "erratum_shown"
