"""A check's word as a judgement, its way into the evidence and back, and a claim judged in a part of a plan."""

from __future__ import annotations

import pytest

from harness.base.errors import BadInput
from harness.base.message import as_message
from harness.base.units import Unit
from harness.model.evidence import EventRow
from harness.model.judgement import Judgement, Kind, Verdict
from harness.model.message import english, message, raw_text
from harness.rules.judged import HELD, counted, event, informational, of_event, result, with_examples

WHY = (message("why"),)


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_EXERCISED])
@pytest.mark.parametrize(("flaws", "value"), [(0, 0.0), (3, 3.0), (None, None)])
def test_a_check_allows_no_flaw(verdict: Verdict, flaws: int | None, value: float | None) -> None:
    assert result("pdb.budget", "migration.dual_write", verdict, flaws, 9, WHY) == Judgement(
        id="pdb.budget", kind=Kind.CHECK, claim="migration.dual_write", verdict=verdict,
        asked=counted("pdb.budget"), told=WHY, value=value, limit=0.0, unit=Unit.FLAWS, samples=9,
        gates=verdict is not Verdict.NOT_EXERCISED,
    )  # fmt: skip


def test_a_check_may_be_told_only_or_be_wanted_all_the_same() -> None:
    failed = result("pdb.budget", "manifest.pdb", Verdict.FAIL, 1, 2, WHY)
    assert failed.gates and not informational(failed).gates and informational(failed).verdict is Verdict.FAIL
    nothing = result("pdb.budget", "manifest.pdb", Verdict.NOT_EXERCISED, None, 0, WHY)
    assert not nothing.gates
    assert all(result(check, "", Verdict.NOT_EXERCISED, None, 0, WHY).gates for check in HELD)


def test_a_check_comes_back_from_the_evidence_and_another_harness_word_is_refused() -> None:
    check = result("pdb.budget", "manifest.pdb", Verdict.FAIL, 1, 2, WHY)
    row = event(7, check)
    assert (row.at_ns, row.kind, row.subject, of_event(row)) == (7, "check", "pdb.budget", check)
    other = EventRow(at_ns=7, kind="check", subject="pdb.budget", message="", data={"judgement": {"id": 3}})
    with pytest.raises(BadInput) as caught:
        of_event(other)
    assert str(as_message(caught.value.told)) == (
        "a check of the evidence cannot be read: Expected `str`, got `int` - at `$.id`"
    )
    assert caught.value.where == 'events, kind "check", subject "pdb.budget"'
    assert caught.value.remedy == "it was written by another harness; judge it with that one"


def test_examples_stand_behind_the_reason_in_words_or_as_the_evidence_names_them() -> None:
    named = message("{count} more", count="2")
    told = with_examples(WHY, ["{walk-7}", named])
    assert told == (*WHY, raw_text("{walk-7}"), named) and english(told) == "why; {walk-7}; 2 more"
