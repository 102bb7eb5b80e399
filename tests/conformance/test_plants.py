"""Every check finds something: for each id a target that is wrong in one way, which it and at most three others find.

Each plant is tried alone on its own checks, and all but six together with others, as far apart as the ids tell, on all
checks: what is found there is what was planted, nothing is missed and nothing invented. By night each plant is alone
before all.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.checks.contract.check import Check
from harness.checks.contract.run import CheckRun
from harness.rehearsals.conformance.checks import ALL
from tests.conformance.expected import EXPECTED, OF_OUR_OWN, STOPS
from tests.conformance.front import refusal
from tests.conformance.in_process import Target, checked
from tests.conformance.outcomes import Outcome, ended, outcome
from tests.conformance.plants import PLANTS
from tests.conformance.plants.planting import Planted

MOST_OTHERS = 3
#: What no target within this process can show, and the deviation of ``wrong_target.py`` that shows it on a real one.
REAL = {
    "stop.exit_status": "exit_1",  # a process ends, with a status
    "stop.within_limit": "sigterm_ignored",  # SIGTERM comes to a process
    "stop.finishes_request": "requests_cut",  # its connections end with it
    "stop.stops_accepting": "sigterm_ignored",  # its socket is the kernel's
}
#: Checks that such a plant leaves nothing to try on: a plant that they must find is not beside it.
HIDES: dict[str, set[str]] = {
    "untitled_walk_created": {"errors.invalid_request"},
    "half_an_object_read": {"errors.invalid_request"},
    "limit_clamped": {"errors.invalid_request"},
    "foreign_ids_404": {"errors.invalid_request"},
    "unknown_410": {"errors.not_found"},
    "unknown_deleted_204": {"errors.not_found"},
    "no_token_403": {"errors.unauthorized", "errors.json"},
    "altitude_required": {"limits.locations.in_all"},
    "always_ready": {"operations.ready.database_back"},
    "poles_refused": {"limits.latitude.beyond"},
    "foreign_deleted": {"ownership.delete"},
    "written_once": {"dual_write.foreign"},
}
#: Whoever asks them first gets nowhere: they are before all checks alone, by night.
ALONE = {
    "created_walk_not_there_yet",
    "description_required",
    "first_list_refused",
    "health_needs_a_token",
    "no_walks_404",
    "ready_needs_a_token",
}
CHECKS = tuple(check for check in ALL if check.id not in REAL)


def deviating_in(found: dict[str, CheckRun]) -> set[str]:
    """What was found, advice too, but for what is found where nothing is planted."""
    return (ended(found, Outcome.DEVIATION) | ended(found, Outcome.ADVICE)) - OF_OUR_OWN


def of(ids: frozenset[str]) -> list[Check]:
    return [check for check in CHECKS if check.id in ids]


def _near(id_: str) -> str:
    """Checks of one thing: ``limits.title``."""
    return ".".join(id_.split(".")[:2])


def _touched(planted: Planted) -> set[str]:
    return {_near(id_) for id_ in planted.finds | HIDES.get(planted.name, set())}


PUSHED = 3  # batches of every push, the largest: later ones hold what they have no room for


def batches() -> list[list[Planted]]:
    """Each plant in the first batch where no other touches checks of the same thing; those ``ALONE`` in none."""
    made: list[list[Planted]] = []
    for planted in PLANTS:
        if planted.name in ALONE:
            continue
        for batch in made:
            if not any(_touched(planted) & _touched(other) for other in batch):
                batch.append(planted)
                break
        else:
            made.append([planted])
    return sorted(made, key=len, reverse=True)


def found_all(planted: Sequence[Planted], folder: Path, seed: int) -> None:
    found = checked(CHECKS, [each.plant for each in planted], folder, seed)
    assert ended(found, Outcome.MEASUREMENT_ERROR) == set()
    deviating, expected = deviating_in(found), frozenset[str]().union(*(each.finds for each in planted))
    assert deviating == expected, {id_: found[id_] for id_ in deviating ^ expected}
    for id_ in deviating:
        deviation = found[id_].deviation
        assert deviation is not None and deviation.expected and deviation.got and found[id_].source, id_
        assert (folder / found[id_].request_file).stat().st_size > 0


def test_every_check_is_found_by_a_plant() -> None:
    known = {check.id for check in ALL}
    assert set[str]().union(*(planted.finds for planted in PLANTS)) == known - set(REAL) - OF_OUR_OWN
    assert set(REAL) <= known
    real = EXPECTED | STOPS
    assert all(id_ in real[deviation] for id_, deviation in REAL.items())
    assert all(len(finds) <= 1 + MOST_OTHERS for finds in (*(each.finds for each in PLANTS), *STOPS.values()))
    assert len(real["exit_1"]) <= 1 + MOST_OTHERS


def test_every_plant_has_its_own_name() -> None:
    names = [planted.name for planted in PLANTS]
    assert len(set(names)) == len(names)
    assert set(HIDES) | ALONE <= set(names)
    late = sum(map(len, batches()[PUSHED:]))
    assert late * 10 <= len(names), "a push shows nine plants of ten before all checks"


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.nightly)])
def test_nothing_is_found_where_nothing_is_planted(tmp_path: Path, seed: int) -> None:
    found = checked(CHECKS, [], tmp_path, seed)
    assert len(found) == len(CHECKS)
    others = {result.id: result for result in found.values() if outcome(result) is not Outcome.PASSED}
    assert {id_: outcome(result) for id_, result in others.items()} == dict.fromkeys(OF_OUR_OWN, Outcome.ADVICE), others


@pytest.mark.parametrize("planted", PLANTS, ids=lambda planted: planted.name)
def test_a_plant_is_found_by_its_checks(planted: Planted, tmp_path: Path) -> None:
    found = checked(of(planted.finds), [planted.plant], tmp_path)
    assert deviating_in(found) == planted.finds, found


@pytest.mark.parametrize(
    "number",
    [
        number if number < PUSHED else pytest.param(number, marks=pytest.mark.nightly)
        for number in range(len(batches()))
    ],
)
def test_plants_together_are_found_and_nothing_else(number: int, tmp_path: Path) -> None:
    found_all(batches()[number], tmp_path, seed=number)


@pytest.mark.nightly
@pytest.mark.parametrize("planted", PLANTS, ids=lambda planted: planted.name)
def test_a_plant_is_found_by_no_other_check(planted: Planted, tmp_path: Path) -> None:
    found_all([planted], tmp_path, seed=1)


def test_a_target_that_makes_no_walk_by_put_is_not_said_to_mirror_none(tmp_path: Path) -> None:
    """Its walks by POST are in Firestore, which a run looks at before any document was seen."""

    def nothing_by_put(target: Target) -> None:
        target.front.before.append(lambda call: refusal(404, "NOT_FOUND") if call.method == "PUT" else None)

    found = checked(of(frozenset({"dual_write.written"})), [nothing_by_put], tmp_path)
    assert outcome(found["dual_write.written"]) is Outcome.NOT_EXERCISED
    assert "PUT /v1/walks/{uuid} to work" in str(found["dual_write.written"].lacking)
