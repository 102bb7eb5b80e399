"""What a target never came to decide on, or what its log never told, is no promise kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from harness.checks.contract.check import decided
from harness.checks.contract.http import HttpExchange
from harness.checks.contract.reach import NotExercised
from harness.rehearsals.conformance.checks import ALL
from tests.conformance.front import Answer, Call
from tests.conformance.in_process import Target, checked
from tests.conformance.outcomes import Outcome, outcome

KEPT = ("ownership.put_keeps", "ownership.delete_keeps", "ownership.leak", "dual_write.foreign", "photos.foreign")


def outcomes(ids: tuple[str, ...], plant: Callable[[Target], None], folder: Path) -> set[Outcome]:
    found = checked([each for each in ALL if each.id in ids], [plant], folder)
    assert {*found} == {*ids}
    return {outcome(each) for each in found.values()}


@pytest.mark.parametrize("status", [404, 429, 503])
def test_a_stranger_who_got_no_decision_shows_no_walk_kept(status: int, tmp_path: Path) -> None:
    def busy(target: Target) -> None:
        def change(call: Call, answer: Answer) -> None:
            if answer.status == 404 and call.of_walk:
                answer.status = status

        target.front.after.append(change)

    assert outcomes(KEPT, busy, tmp_path) == {Outcome.PASSED if status == 404 else Outcome.NOT_EXERCISED}


@pytest.mark.parametrize("logs", [True, False])
def test_a_log_that_tells_nothing_of_a_walk_hides_no_token(logs: bool, tmp_path: Path) -> None:
    def silenced(target: Target) -> None:
        if not logs:
            target.write = Mock()  # type: ignore[method-assign]

    assert outcomes(("log.no_token",), silenced, tmp_path) == {Outcome.PASSED if logs else Outcome.NOT_EXERCISED}


def test_no_answer_is_no_decision() -> None:
    asked = HttpExchange(
        method="PUT", path="/v1/walks/x", sent_headers=(), sent_body=b"", raw=b"", status=0, broken="reset"
    )
    with pytest.raises(NotExercised, match="PUT /v1/walks/x that is no 429 and no 5xx: no answer: reset"):
        decided(asked)
