"""``conformance`` on targets of other people: the right one breaks nothing, planted deviations are found, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base.errors import Exit
from harness.checks.contract.run import CheckRun, Grade
from harness.model.judgement import Decision
from harness.model.result import Result
from tests.conformance.outcomes import Outcome
from tests.conformance.targets import conform, details, document, outcomes
from tests.foreign.conftest import Programs
from tests.foreign.deviations import EXTRAS, FINDINGS, FIRST_DAY, Planted, batches
from tests.foreign.harmless import SETS
from tests.foreign.targets import Language, target_file
from tests.main_job import left_of
from tests.rehearsal.made import status_of

#: What six checks wait in vain is a minute of a batch's two; the rest is work, which took thrice as long beside others.
LIMIT_S = 420.0
pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("foreign")]


def checked(folder: Path, language: Language, programs: Programs, *, faults: str = "", harmless: str = "") -> Result:
    """The result of a conformance run; nothing went wrong with the run itself."""
    file = target_file(folder, language, programs(language), faults=faults, harmless=harmless)
    done = conform(folder / "reports", "--target", str(file), limit_s=LIMIT_S)
    found = document(folder / "reports")
    assert done.returncode == found.exit_status == status_of(found), done.stderr
    assert found.facts.leaks == () and found.facts.errors == ()
    assert left_of(found.run_id) == set()
    assert ended(found, Outcome.MEASUREMENT_ERROR) == {}
    return found


def ended(found: Result, which: Outcome) -> dict[str, CheckRun]:
    how = outcomes(found)
    return {run.id: run for run in details(found).checks if how[run.id] is which}


def breaks_nothing(found: Result) -> None:
    assert ended(found, Outcome.DEVIATION) == {}
    assert ended(found, Outcome.NOT_EXERCISED) == {}
    assert found.decision is Decision.ADVANCE and found.exit_status == Exit.OK


def offered(found: Result) -> dict[str, bool]:
    return {each.name: each.offered for each in details(found).extras}


@pytest.mark.nightly  # per push no check fails on it but those of the 27 deviations that are planted below
def test_a_go_target_that_keeps_the_contract_breaks_nothing(tmp_path: Path, programs: Programs) -> None:
    found = checked(tmp_path, Language.GO, programs)
    breaks_nothing(found)
    assert offered(found) == {"X-Pod-Name": False, "GET /metrics": True}


def test_a_target_without_walks_runs_by_the_environment_contract_alone(tmp_path: Path, programs: Programs) -> None:
    found = checked(tmp_path, Language.GO, programs, faults=FIRST_DAY)
    passed, deviating = ended(found, Outcome.PASSED), ended(found, Outcome.DEVIATION)
    assert {run.id for run in details(found).checks if run.id.startswith("operations.")} <= passed.keys()
    assert {"stop.exit_status", "stop.within_limit"} <= passed.keys()
    assert {"dual_write.values", "rate_limit.limit"} <= ended(found, Outcome.NOT_EXERCISED).keys()
    create = deviating["walks.create.status"]
    assert create.deviation is not None
    assert str(create.deviation.expected) == "status 201" and "status 404" in str(create.deviation.got)
    raw = next((tmp_path / "reports").glob("*/requests/walks.create.status.http")).read_bytes()
    assert raw.startswith(b"POST /v1/walks HTTP/1.1\r\n")
    assert "".join(create.curl.split()).endswith('"$API/v1/walks"')


BATCHES = [
    pytest.param(batch, marks=[] if not number else pytest.mark.nightly, id=str(number))
    for number, batch in enumerate(batches())
]


@pytest.mark.parametrize("batch", BATCHES)
def test_planted_deviations_are_found_and_nothing_else(
    batch: list[Planted], tmp_path: Path, programs: Programs
) -> None:
    language = batch[0].language
    extras = EXTRAS if language is Language.GO else {}
    found = checked(tmp_path, language, programs, faults=",".join([*(each.name for each in batch), *extras]))
    expected = frozenset[str]().union(*(each.finds for each in batch))
    perhaps = frozenset[str]().union(*(each.may for each in batch))
    deviating = ended(found, Outcome.DEVIATION)
    assert deviating.keys() - perhaps == expected - perhaps, {
        id_: deviating.get(id_) for id_ in deviating.keys() ^ expected
    }
    hidden = frozenset[str]().union(*(each.hides for each in batch))
    assert ended(found, Outcome.NOT_EXERCISED).keys() <= hidden, ended(found, Outcome.NOT_EXERCISED)
    for id_, each in deviating.items():
        assert each.deviation is not None and each.deviation.expected and each.deviation.got, id_
        assert each.deviation.grade is Grade.CONTRACT and each.source is not None and each.source.place, id_
    for finding, ids in FINDINGS.items():
        seen = {each.deviation.finding for id_ in ids & deviating.keys() if (each := deviating[id_]).deviation}
        assert seen <= {finding}
    assert not any(offered(found)[name] for name in extras.values())


@pytest.mark.nightly
@pytest.mark.parametrize("differences", SETS, ids=["many", "another", "a_third"])
def test_harmless_differences_break_nothing(differences: tuple[str, ...], tmp_path: Path, programs: Programs) -> None:
    breaks_nothing(checked(tmp_path, Language.NODE, programs, harmless=",".join(differences)))
