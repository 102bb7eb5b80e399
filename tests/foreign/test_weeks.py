"""Week 3 with foreign targets: the right ones advance, and of a wrong one every failed check is one that must fail."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.base.errors import Exit
from harness.checks.agreement import DUAL_WRITE, PHOTOS
from harness.checks.as_printed import as_printed
from harness.checks.walk_results import ACKNOWLEDGED, ISOLATION, READS, STATUSES
from harness.model.judgement import Decision, Verdict
from harness.model.result import Result
from harness.rehearsals.rollout.observed import WeekDetails
from tests.deploy.theirs import STARTING, Theirs
from tests.foreign.conftest import Programs
from tests.foreign.harmless import MANY
from tests.foreign.targets import Language, target_file
from tests.hurried import QUICK_PROBES, hurried
from tests.main_job import Job, checks, criteria, left_since, machine_state

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("foreign"),
]
WINDOW_S = 28  # two requests of each user, at the pace of ``week``


def week(
    folder: Path,
    language: Language,
    programs: Programs,
    *,
    manifests: Theirs | None = None,
    faults: str = "",
    harmless: str = "",
    window_s: int = WINDOW_S,
) -> tuple[Job, Result]:
    """Week 3, hurried, to its end; nothing went wrong with the run itself."""
    program = programs(language)
    target = target_file(folder, language, program, faults=faults, harmless=harmless, manifests=manifests)
    pace = ("--window", f"{window_s}s", "--pace", "14s", "--fetch-interval", "10s")
    quick = QUICK_PROBES if manifests is None else ()
    before = machine_state()
    job = Job(folder / "reports", *pace, "--target", str(target), *quick, scenario=hurried(3, folder))
    job.finish()
    run = job.result()
    assert run.facts.errors == () and run.facts.leaks == (), job.text
    assert left_since(before, job) == {}
    return job, run


def failed(run: Result) -> set[str]:
    """Ids of the checks, and metrics of the criteria, that failed; but those of the manifests, which are not of the
    target and are not as the document prints them (quick probes, a folder of somebody's own).
    """
    applied = msgspec.convert(run.details, WeekDetails).applied
    assert applied is not None
    of_manifests = {each.id for each in as_printed(applied)}
    looked_at = {name for name, each in checks(run).items() if each.verdict is Verdict.FAIL} - of_manifests
    return looked_at | {name.split(".")[-1] for name, each in criteria(run).items() if each.verdict is Verdict.FAIL}


def test_a_go_target_that_keeps_the_contract_advances(tmp_path: Path, programs: Programs) -> None:
    """Its columns are TIMESTAMP: nothing is lost, and that they have no zone is named as a risk."""
    job, run = week(tmp_path, Language.GO, programs)
    assert failed(run) == set(), job.text
    assert run.decision is Decision.ADVANCE, job.text
    acknowledged = checks(run)[ACKNOWLEDGED]
    assert ": 0 lost, of 0 walks" in acknowledged.reason
    assert "walks.start_time" in acknowledged.reason and "are read as UTC" in acknowledged.reason
    assert job.process.returncode == Exit.OK


def test_a_node_target_with_every_harmless_difference_advances(tmp_path: Path, programs: Programs) -> None:
    job, run = week(tmp_path, Language.NODE, programs, harmless=",".join(MANY))
    assert failed(run) == set(), job.text
    assert run.decision is Decision.ADVANCE, job.text


def theirs(name: str) -> Theirs:
    return next(each for each in STARTING if each.name == name)


#: Their folder, something of it that the run must tell, what is planted in their program, and what breaks of a week.
BOTH = [
    pytest.param("external_secrets", "Secret/walk-postgres (PGPASSWORD, PGUSER)", "", set(), id="right"),
    pytest.param("selectors", "containers/otel-collector", "document_stays", {DUAL_WRITE}, id="wrong"),
]


@pytest.mark.parametrize(("folder", "told", "faults", "expected"), BOTH)
def test_a_go_target_and_a_folder_of_theirs_end_in_a_true_verdict(
    folder: str, told: str, faults: str, expected: set[str], tmp_path: Path, programs: Programs
) -> None:
    job, run = week(tmp_path, Language.GO, programs, manifests=theirs(folder), faults=faults)
    assert failed(run) == expected, job.text
    assert run.decision is (Decision.HOLD if faults else Decision.ADVANCE), job.text
    assert job.process.returncode == (Exit.HOLD if faults else Exit.OK)
    assert run.facts.target == f"foreign go {faults or 'as it is'}"
    assert any(each.startswith(told) for each in run.facts.rung_changes), run.facts.rung_changes


#: What is planted, every check of a week that it breaks, and the window. A lost location is lost in the answers too; one
#: that only the next PUT loses is in the answers of who reads a walk after two of them, which takes users some requests.
WRONG = [
    pytest.param(
        Language.GO,
        "last_location_lost,put_overwrites_foreign,snake_case_locations,photos_stay",
        {ACKNOWLEDGED, READS, ISOLATION, STATUSES, DUAL_WRITE, PHOTOS},
        WINDOW_S,
        id="go_stores",
    ),
    pytest.param(Language.GO, "document_stays", {DUAL_WRITE}, WINDOW_S, id="go_document"),
    pytest.param(Language.NODE, "whole_doubles_as_integers", {DUAL_WRITE}, WINDOW_S, id="node_document"),
    pytest.param(Language.NODE, "locations_replaced_whole", {ACKNOWLEDGED, READS}, 3 * WINDOW_S, id="node_locations"),
]


@pytest.mark.parametrize(("language", "faults", "expected", "window_s"), WRONG)
def test_a_wrong_target_holds_and_every_failed_check_is_true(
    language: Language, faults: str, expected: set[str], window_s: int, tmp_path: Path, programs: Programs
) -> None:
    job, run = week(tmp_path, language, programs, faults=faults, window_s=window_s)
    assert failed(run) == expected, job.text
    assert run.decision in {Decision.HOLD, Decision.ROLL_BACK}
    assert job.process.returncode in {Exit.HOLD, Exit.ROLLED_BACK}
