"""The headline, its reason, and the closing lines of the terminal: how it ended, and no more than was seen."""

from __future__ import annotations

import msgspec
import pytest

from harness.base.units import Unit
from harness.model.judgement import DECISION, Decision, Judgement, Kind, Verdict, lacking_words, observation
from harness.model.message import message
from harness.model.result import Result
from harness.report import words
from harness.report.language import ENGLISH, language
from harness.report.outline import counted, ending, nothing_exercised
from tests.report import results
from tests.report.results import command, judgement, printed, result, rollback_limit

PASS, FAIL, OPEN, NOT = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_EXERCISED
LACKING = judgement(NOT, gates=False, told=(message("the environment lacks zones"),))


@pytest.mark.parametrize(
    ("run", "word"),
    [
        (command(Decision.ADVANCE, judgement(PASS)), "All passed"),
        (command(Decision.ADVANCE, judgement(PASS), LACKING), "All passed"),
        (command(Decision.HOLD, judgement(FAIL)), "Not all passed"),
        (command(Decision.HOLD, judgement(PASS), judgement(NOT)), "Not all passed"),
        (command(Decision.HOLD, LACKING), "Nothing exercised"),
        (command(Decision.HOLD), "Nothing exercised"),
        (command(Decision.HOLD, judgement(PASS, kind=Kind.CHECK)), "Nothing exercised"),
        (command(Decision.HOLD, judgement(FAIL, kind=Kind.CHECK)), "Not all passed"),
        (command(Decision.HOLD, judgement(NOT)), "Nothing exercised"),
        (command(Decision.ADVANCE, judgement(PASS), leaks=("p",), exit_status=40), "Something was left on the machine"),
        (command(None, errors=("died",)), "Not finished"),
        (command(None, judgement(PASS), errors=("died",), leaks=("p",), exit_status=40), "Not finished"),
        (command(None, judgement(PASS), exit_status=None), "Under way or killed"),
        (result(Decision.ADVANCE, judgement(PASS)), "Advance"),
        (result(Decision.HOLD, judgement(FAIL)), "Hold"),
        (result(Decision.HOLD), "Hold"),
        (result(Decision.ROLL_BACK, rollback_limit(FAIL), errors=("died",), exit_status=31), "Roll back"),
        (result(None, errors=("died",)), "No decision"),
        (result(None, exit_status=None), "Under way or killed"),
    ],
)
def test_the_word_says_how_it_ended_and_no_more(run: Result, word: str) -> None:
    end = ending(run, ENGLISH)
    assert end.word == word
    assert end.reason.endswith(".")
    assert end.reason.count("..") == 0
    assert ending(run, language("ja")).word != word


def reason(run: Result) -> str:
    return ending(run, ENGLISH).reason


def test_a_week_says_why_it_was_decided_so() -> None:
    assert reason(result(Decision.ADVANCE, judgement(PASS), rollback_limit(PASS))) == (
        "All success criteria passed (1 of 1); no rollback limit fired."
    )
    fired = result(Decision.ROLL_BACK, judgement(FAIL), rollback_limit(FAIL), rollback_limit(PASS))
    assert reason(fired) == "A rollback limit fired: error ratio > 5 %: 12 %."
    dark = message("5.0 s without one good probe")
    without_a_probe = msgspec.structs.replace(rollback_limit(FAIL), value=0.01, shown=(dark,))
    assert reason(result(Decision.ROLL_BACK, without_a_probe)) == (
        "A rollback limit fired: error ratio > 5 %: 1 %; 5.0 s without one good probe."
    )
    held = result(
        Decision.HOLD, judgement(PASS), judgement(OPEN), judgement(NOT, kind=Kind.CHECK, asked=(message("reads"),))
    )
    assert reason(held) == (
        "1 of 2 success criteria passed. availability > 99.5 %: inconclusive; "
        "reads: could not be read, which holds the week."
    )
    nothing = result(Decision.HOLD, LACKING)
    assert reason(nothing) == "0 of 0 success criteria passed."
    assert reason(result(None, errors=("died",))) == "The run broke before it could be judged."


def test_another_command_counts_and_names_what_did_not_pass() -> None:
    run = command(Decision.HOLD, judgement(PASS), judgement(FAIL), LACKING, observation("saw", (message("x"),)))
    assert reason(run) == "1 check passed, 1 failed, 1 not exercised. availability > 99.5 %: fail."
    many = command(Decision.HOLD, *(judgement(FAIL, id=f"c{n}", asked=()) for n in range(8)))
    assert reason(many) == "8 failed. c0: fail; c1: fail; c2: fail; c3: fail; c4: fail; and 3 more."
    assert "says neither" in reason(command(Decision.HOLD, LACKING))
    assert counted((), ENGLISH) == ""


@pytest.mark.parametrize(
    ("judgements", "nothing"),
    [
        ((), True),
        ((LACKING,), True),
        ((judgement(PASS, kind=Kind.CHECK),), True),
        ((judgement(OPEN, kind=Kind.CHECK),), False),
        ((judgement(PASS),), False),
        ((judgement(FAIL),), False),
    ],
)
def test_nothing_is_exercised_where_nothing_but_checks_was_looked_at(
    judgements: tuple[Judgement, ...], nothing: bool
) -> None:
    assert nothing_exercised(command(Decision.HOLD, *judgements)) is nothing


def test_the_terminal_of_a_week_names_every_criterion_and_what_failed() -> None:
    run = results.rolled_back(timings={"stack_up": 6.0}, leaks=("port 5432",))
    lines = printed(run).splitlines()
    assert lines[0] == "  fired         rollback limit error ratio > 5 %: 12 %; the reason given"
    assert lines[1] == "  fail          availability > 99.5 %: 90 %; the reason given"
    assert lines[3] == "  fail          writes.acknowledged: 90 %; the reason given"
    assert lines[-4:] == [
        "LEAK: port 5432",
        "decision: roll back. A rollback limit fired: error ratio > 5 %: 12 %.",
        "report: reports/x/report.html",
        f"run again: {run.facts.replay}",
    ]
    short = results.everything(smaller=("--window 20s",), replay="python3 -m harness run x --window 20s --seed 1")
    assert printed(short).splitlines()[-1] == "run it whole: python3 -m harness run x --seed 1"
    assert "timings: stack up after 6.0 s" in printed(run, detail="all").splitlines()


def test_the_terminal_of_another_command_names_what_did_not_pass() -> None:
    told = printed(results.everything(errors=("it broke",)))
    assert "  pass " not in told
    assert "  not exercised first: availability" in told
    assert "error: it broke" in told
    nothing = printed(command(Decision.HOLD, LACKING)).splitlines()
    assert nothing[0].startswith("Network: Nothing exercised (1 not exercised). nothing was exercised: this run says")
    assert len(nothing) == 3  # what the environment lacks is counted, and listed on the page


def test_a_japanese_terminal_speaks_japanese() -> None:
    told = printed(results.rolled_back(), language("ja"))
    assert "判断: ロールバック" in told
    assert "ロールバック基準が発動した" in told and "もう一度実行する: " in told


def test_every_verdict_kind_and_decision_has_its_own_words() -> None:
    assert set(words.VERDICT) == set(words.VERDICT_SIGN) == set(Verdict)
    assert len({*words.VERDICT_SIGN.values(), words.OBSERVED_SIGN}) == len(Verdict) + 1
    assert set(words.KIND) == set(Kind)
    assert set(DECISION) == {*Decision, None}
    assert language("ja")(words.VERDICT[Verdict.ERRATUM_SHOWN]) == "要訂正箇所を確認"
    seen = observation("x", (message("seen"),))
    assert words.verdict_id(seen) == "observed"
    assert words.verdict_id(observation("x", (message("seen"),), verdict=FAIL)) == "fail"


def test_figures_have_their_unit_and_what_no_number_carries_is_said_beside_it() -> None:
    assert words.measured(judgement(FAIL, value=None), ENGLISH) == "–"
    walks = judgement(FAIL, value=3.0, limit=None, unit=Unit.WALKS, shown=(message("of two users"),))
    assert words.measured(walks, ENGLISH) == "3 walks; of two users"
    near = judgement(FAIL, value=0.994996)
    assert words.measured(near, ENGLISH) == "99.4996 %"


def test_what_the_environment_lacks_is_said_in_words() -> None:
    told = lacking_words(["real_kubernetes", "cpu_limits", "unheard_of"])
    assert (
        str(told) == "the environment lacks real Kubernetes, enforced CPU and memory limits without scaling, unheard_of"
    )
    japanese = language("ja").message(told)
    assert "本物のKubernetes、CPUとメモリの制限の強制（係数なし）、unheard_of" in japanese
