"""What many verdicts come to: the rule, on every pair and triple of verdicts."""

from __future__ import annotations

from itertools import product

import pytest

from harness.judge.combine import combine, exit_status
from harness.model.errors import Exit
from harness.model.verdict import Combined, Verdict

GOOD = {Verdict.PASS, Verdict.ERRATUM_SHOWN}
ALL_PASSED, NOT_ALL, NOTHING = Combined.ALL_PASSED, Combined.NOT_ALL_PASSED, Combined.NOTHING_EXERCISED


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_any_that_is_not_good_holds_and_what_was_not_exercised_does_not_count(count: int) -> None:
    for verdicts in product(Verdict, repeat=count):
        judged = [each for each in verdicts if each is not Verdict.NOT_EXERCISED]
        wanted = NOTHING if not judged else ALL_PASSED if GOOD.issuperset(judged) else NOT_ALL
        assert combine(verdicts) is wanted, verdicts


@pytest.mark.parametrize(
    ("verdicts", "beside", "combined"),
    [
        ((), (Verdict.PASS,), NOTHING),  # the checkers found nothing wrong of a run that did nothing
        ((Verdict.NOT_EXERCISED,), (Verdict.PASS,), NOTHING),
        ((Verdict.PASS,), (Verdict.NOT_EXERCISED,), ALL_PASSED),
        ((Verdict.ERRATUM_SHOWN,), (Verdict.PASS,), ALL_PASSED),
        ((Verdict.PASS,), (Verdict.FAIL,), NOT_ALL),
        ((), (Verdict.FAIL,), NOT_ALL),
        ((Verdict.PASS,), (Verdict.INCONCLUSIVE,), NOT_ALL),
    ],
)
def test_what_is_beside_may_hold_and_exercises_nothing(
    verdicts: tuple[Verdict, ...], beside: tuple[Verdict, ...], combined: Combined
) -> None:
    assert combine(verdicts, beside=beside) is combined


@pytest.mark.parametrize(
    ("combined", "broke", "leaks", "status"),
    [
        (ALL_PASSED, (), False, Exit.OK),
        (NOT_ALL, (), False, Exit.HOLD),
        (NOTHING, (), False, Exit.HOLD),
        (NOTHING, (), True, Exit.LEAK),
        (ALL_PASSED, (), True, Exit.LEAK),
        (ALL_PASSED, (Exit.RUN_BROKEN,), False, Exit.RUN_BROKEN),
        (NOTHING, (Exit.USAGE,), False, Exit.USAGE),
        (NOT_ALL, (Exit.STACK, Exit.INTERRUPTED), True, Exit.INTERRUPTED),
    ],
)
def test_the_exit_status(combined: Combined, broke: tuple[Exit, ...], leaks: bool, status: Exit) -> None:
    assert exit_status(combined, broke, leaks=leaks) is status


def test_only_a_pass_and_an_erratum_shown_are_good() -> None:
    assert {verdict for verdict in Verdict if verdict.good} == GOOD
