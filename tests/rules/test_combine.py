"""What many judgements come to: the rule, on every pair and triple of verdicts and kinds."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.errors import Exit, more_severe
from harness.model.judgement import Decision, Judgement, Kind, Verdict, errata_of, observation
from harness.model.message import message
from harness.rules.judged import combine, exit_status

GOOD = {Verdict.PASS, Verdict.ERRATUM_SHOWN}
ADVANCE, HOLD, ROLL_BACK = Decision.ADVANCE, Decision.HOLD, Decision.ROLL_BACK


def judged(verdict: Verdict, kind: Kind = Kind.CRITERION, *, gates: bool = True) -> Judgement:
    return Judgement(
        id="it", verdict=verdict, told=(message("why"),), kind=kind, erratum="an.erratum",
        gates=gates and kind is not Kind.OBSERVATION,
    )  # fmt: skip


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_any_that_is_not_good_holds_and_so_does_nothing(count: int) -> None:
    for verdicts in product(Verdict, repeat=count):
        wanted = ADVANCE if verdicts and GOOD.issuperset(verdicts) else HOLD
        assert combine([judged(each) for each in verdicts]) is wanted, verdicts


def test_what_does_not_gate_neither_holds_nor_exercises() -> None:
    passed = judged(Verdict.PASS)
    for verdict in Verdict:
        beside = judged(verdict, gates=False)
        assert combine([passed, beside]) is ADVANCE, verdict
        assert combine([beside]) is HOLD, verdict


@pytest.mark.parametrize("verdict", Verdict)
def test_a_check_may_hold_and_exercises_nothing(verdict: Verdict) -> None:
    check = judged(verdict, Kind.CHECK)
    assert combine([check]) is HOLD  # the checkers found nothing wrong of a run that did nothing
    assert combine([judged(Verdict.PASS), check]) is (ADVANCE if verdict in GOOD else HOLD)


@pytest.mark.parametrize("verdict", Verdict)
def test_a_limit_that_fires_rolls_back_and_one_without_its_sample_holds(verdict: Verdict) -> None:
    limit = judged(verdict, Kind.ROLLBACK_LIMIT)
    wanted = ROLL_BACK if verdict is Verdict.FAIL else ADVANCE if verdict in GOOD else HOLD
    assert combine([judged(Verdict.PASS), limit]) is wanted
    assert combine([judged(Verdict.FAIL), limit]) is (ROLL_BACK if verdict is Verdict.FAIL else HOLD)
    assert combine([limit]) is (ROLL_BACK if verdict is Verdict.FAIL else HOLD)  # a limit exercises nothing


_ANY = st.builds(judged, st.sampled_from(Verdict), st.sampled_from(Kind), gates=st.booleans())
_RANK = {ADVANCE: 0, HOLD: 1, ROLL_BACK: 2}


@given(st.lists(_ANY), st.lists(_ANY))
def test_what_is_not_good_never_betters_a_decision(some: list[Judgement], more: list[Judgement]) -> None:
    """One more judgement that is not good leaves the decision or worsens it."""
    bad = [each for each in more if not each.verdict.good]
    assert _RANK[combine([*some, *bad])] >= _RANK[combine(some)]


@pytest.mark.parametrize(
    ("decision", "broke", "leaks", "status"),
    [
        (ADVANCE, (), False, Exit.OK),
        (HOLD, (), False, Exit.HOLD),
        (ROLL_BACK, (), False, Exit.ROLLED_BACK),
        (None, (), False, Exit.HOLD),
        (HOLD, (), True, Exit.LEAK),
        (ADVANCE, (), True, Exit.LEAK),
        (None, (Exit.RUN_BROKEN,), False, Exit.RUN_BROKEN),
        (None, (Exit.USAGE,), False, Exit.USAGE),
        (ROLL_BACK, (Exit.RUN_BROKEN,), False, Exit.RUN_BROKEN),
        (HOLD, (Exit.USAGE,), False, Exit.USAGE),
        (None, (Exit.STACK, Exit.INTERRUPTED), True, Exit.INTERRUPTED),
    ],
)
def test_the_exit_status(decision: Decision | None, broke: tuple[Exit, ...], leaks: bool, status: Exit) -> None:
    assert exit_status(decision, broke, leaks=leaks) is status


def test_without_a_word_of_leaks_there_were_none() -> None:
    assert exit_status(ADVANCE) is Exit.OK


def test_a_roll_back_is_told_unless_what_broke_is_more_severe() -> None:
    for broke in Exit:
        assert exit_status(ROLL_BACK, (broke,)) is more_severe(broke, Exit.ROLLED_BACK)


def test_only_a_pass_and_an_erratum_shown_are_good() -> None:
    assert {verdict for verdict in Verdict if verdict.good} == GOOD


def test_a_judgement_without_a_reason_or_an_erratum_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="without a reason"):
        Judgement(id="it", verdict=Verdict.PASS, told=())
    with pytest.raises(ValueError, match="none is named"):
        Judgement(id="it", verdict=Verdict.ERRATUM_SHOWN, told=(message("why"),))
    with pytest.raises(ValueError, match="cannot gate"):
        Judgement(id="it", verdict=Verdict.PASS, told=(message("why"),), kind=Kind.OBSERVATION)


def test_an_erratum_is_listed_once_with_the_first_that_was_seen_of_it() -> None:
    seen = [
        observation("b", (message("second"),), erratum="z"),
        observation("a", (message("first"),), erratum="a"),
        observation("c", (message("third"),), erratum="a"),
        observation("d", (message("nothing"),)),
    ]
    assert [(name, str(told[0])) for name, told in errata_of(seen).items()] == [("a", "first"), ("z", "second")]
