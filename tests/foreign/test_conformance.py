"""``conformance`` on targets of other people: the right one breaks nothing, planted deviations are found, and no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.model.errors import Exit
from tests.conformance.targets import conform, document
from tests.foreign.conftest import Programs
from tests.foreign.deviations import EXTRAS, FINDINGS, FIRST_DAY, Planted, batches
from tests.foreign.harmless import SETS
from tests.foreign.targets import Language, target_file

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("foreign")]


def checked(
    folder: Path, language: Language, programs: Programs, *, faults: str = "", harmless: str = ""
) -> dict[str, Any]:
    """The report of a conformance run; nothing went wrong with the run itself."""
    file = target_file(folder, language, programs(language), faults=faults, harmless=harmless)
    done = conform(folder / "reports", "--target", str(file))
    found = document(folder / "reports")
    assert done.returncode in {Exit.OK, Exit.HOLD}, done.stderr
    assert found["leaks"] == [] and found["errors"] == []
    assert [each for each in found["checks"] if each["outcome"] == "measurement_error"] == []
    return found


def ended(found: dict[str, Any], outcome: str) -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in found["checks"] if each["outcome"] == outcome}


def breaks_nothing(found: dict[str, Any]) -> None:
    assert ended(found, "deviation") == {}
    assert ended(found, "not_exercised") == {}
    assert found["conforms"] is True and found["exit_status"] == Exit.OK


def test_a_go_target_that_keeps_the_contract_breaks_nothing(tmp_path: Path, programs: Programs) -> None:
    found = checked(tmp_path, Language.GO, programs)
    breaks_nothing(found)
    assert {each["name"]: each["offered"] for each in found["extras"]} == {"X-Pod-Name": False, "GET /metrics": True}


def test_a_target_without_walks_runs_by_the_environment_contract_alone(tmp_path: Path, programs: Programs) -> None:
    found = checked(tmp_path, Language.GO, programs, faults=FIRST_DAY)
    passed, deviating = ended(found, "passed"), ended(found, "deviation")
    assert {each["id"] for each in found["checks"] if each["id"].startswith("operations.")} <= passed.keys()
    assert {"stop.exit_status", "stop.within_limit"} <= passed.keys()
    assert {"dual_write.values", "rate_limit.limit"} <= ended(found, "not_exercised").keys()
    create = deviating["walks.create.status"]
    assert create["expected"] == "status 201" and "status 404" in create["got"]
    raw = next((tmp_path / "reports").glob("*/requests/walks.create.status.http")).read_bytes()
    assert raw.startswith(b"POST /v1/walks HTTP/1.1\r\n")
    assert "".join(create["curl"].split()).endswith('"$API/v1/walks"')


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
    deviating = ended(found, "deviation")
    assert deviating.keys() - perhaps == expected - perhaps, {
        id_: deviating.get(id_) for id_ in deviating.keys() ^ expected
    }
    hidden = frozenset[str]().union(*(each.hides for each in batch))
    assert ended(found, "not_exercised").keys() <= hidden, ended(found, "not_exercised")
    for id_, each in deviating.items():
        assert each["expected"] and each["got"], id_
        assert (each["grade"], bool(each["source"]["place"])) == ("breaks_the_contract", True), id_
    for finding, ids in FINDINGS.items():
        assert {deviating[id_]["finding"] for id_ in ids & deviating.keys()} <= {finding}
    offered = {each["name"]: each["offered"] for each in found["extras"]}
    assert not any(offered[name] for name in extras.values())


@pytest.mark.nightly
@pytest.mark.parametrize("differences", SETS, ids=["many", "another", "a_third"])
def test_harmless_differences_break_nothing(differences: tuple[str, ...], tmp_path: Path, programs: Programs) -> None:
    breaks_nothing(checked(tmp_path, Language.NODE, programs, harmless=",".join(differences)))
