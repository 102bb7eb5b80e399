"""What a week and a rollout print, on a terminal of 80 columns and piped: bounded, in order, the decision last."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

import pytest

from harness.base.phase import Detail, PhaseLine
from harness.base.progress import Progress
from harness.model.judgement import Decision, Verdict
from harness.model.message import message
from harness.model.result import Result
from harness.model.scenario import Scenario
from harness.model.stack import EnvironmentKind
from harness.rehearsals.rollout.command import RunCommand, Weeks
from harness.report.brief import brief, following, rest
from harness.report.language import ENGLISH, LANGUAGES, Language, columns, language
from harness.report.terminal import closing_lines
from harness.rules.chance import preflight_sentences
from harness.run.arguments import first_lines
from tests.base.test_progress import Moved, Screened
from tests.corpus import today
from tests.report.results import command, judgement, printed, result

WEEKS = (
    "week1_virtual_hold", "week2_virtual_advance", "week3_kind_advance", "week3_roll_back",
    "week3_virtual_roll_back",
)  # fmt: skip
ROLLOUTS = ("rollout_advance", "rollout_hold", "rollout_interrupted")
FOLDER = "/home/somebody/tekutoko-rehearsal/reports/20261202T014757Z-rollout_week3-s7-6dd3-fffc"
#: The least that the line of a decision begins with.
DECISION = {"en": "decision: ", "ja": "判断: "}


def begun(typed: RunCommand | Weeks, say: Language) -> Iterator[PhaseLine]:
    """The first lines, and of each week the preflight."""
    plan = typed.planned()
    yield from (PhaseLine(say.message(each)) for each in first_lines(plan, typed.name, typed.resolved()))
    weeks = [plan] if isinstance(plan, Scenario) else [each.scenario for each in plan.weeks]
    yield from (
        PhaseLine(f"  {say.message(each)}") for week in weeks for each in preflight_sentences(week, every=False)
    )


def lines(monkeypatch: pytest.MonkeyPatch, printed: Iterable[PhaseLine], *, terminal: bool) -> list[str]:
    """As they stand on a terminal, or in a pipe."""
    monkeypatch.setenv("TERM", "xterm")
    stream = Screened(80) if terminal else io.StringIO()
    Progress(Moved(), stream).closing(printed)
    found = stream.terminal.lines if isinstance(stream, Screened) else stream.getvalue().splitlines()
    return [line for line in found if line]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("run", WEEKS)
def test_a_week_prints_40_lines_on_a_terminal_and_30_piped(
    run: str, lang: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    week, say = today.result(run), language(lang)
    for terminal, most in ((True, 40), (False, 30)):
        name = f"rollout_{week.plan.removeprefix('rollout_')}"
        all_ = [*begun(RunCommand(scenario=name, on="local"), say), *closing_lines(week, FOLDER, say)]
        found = lines(monkeypatch, all_, terminal=terminal)
        assert len(found) <= most, "\n".join(found)
        assert not terminal or all(columns(line) <= 80 for line in found)
    assert [number for number, line in enumerate(found) if line.startswith(DECISION[lang])] == [len(found) - 3]
    assert "report.html" in found[-2]
    assert " -m harness " in found[-1]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("run", ROLLOUTS)
def test_a_rollout_prints_70_lines_with_a_week_that_stopped_whole(
    run: str, lang: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollout, say = today.result(run), language(lang)
    weeks = [today.result(name) for name in ("week2_virtual_advance",) * 3 + ("week3_roll_back",)]
    all_ = [*begun(Weeks(on="local"), say)]
    for week in weeks:
        all_ += closing_lines(week, FOLDER, say, within=True)
    all_ += closing_lines(rollout, FOLDER, say)
    for terminal in (True, False):
        found = lines(monkeypatch, all_, terminal=terminal)
        assert len(found) <= 70, "\n".join(found)
    assert [found.index(line) for line in found if line.startswith(DECISION[lang])] == [len(found) - 3]


@pytest.mark.parametrize("run", [*WEEKS, *ROLLOUTS])
def test_nothing_is_printed_twice_whatever_is_asked_for(run: str) -> None:
    week = today.result(run)
    details: tuple[Detail, ...] = ("usual", "all")
    for detail in details:
        told = printed(week, detail=detail).splitlines()
        assert len(told) == len(set(told))
    alone = printed(week, detail="decision").splitlines()
    assert [line for line in alone if line.startswith("decision: ")] == alone[-1:]
    assert week.decision is None or len(alone) == 1


def test_all_is_every_verdict_with_its_reason() -> None:
    week = today.result("week3_kind_advance")
    told, briefly = printed(week, detail="all"), printed(week)
    seen = [each for each in week.judgements if each.kind != "observation"]
    assert all(each.reason in told for each in seen)
    assert len(told.splitlines()) > len(seen) > len(briefly.splitlines())


def test_what_is_not_named_is_counted() -> None:
    week = today.result("week3_kind_advance")
    found = brief(week)
    told = rest(week, found, ENGLISH)
    passed = sum(
        each.verdict is Verdict.PASS for each in week.judgements if each.key not in {n.key for n in found.named}
    )
    assert told.startswith(f"besides: {passed} checks passed")
    many = command(Decision.HOLD, *(judgement(Verdict.FAIL, id=f"c{number}") for number in range(20)))
    assert (len(brief(many).named), brief(many).more) == (5, 15)
    assert "and 15 more: -v shows them" in printed(many)


def test_a_roll_back_tells_what_became_of_the_users_and_names_the_faults() -> None:
    week = today.result("week3_virtual_roll_back")
    told = printed(week)
    assert rest(week, brief(week), ENGLISH) in told
    checks = {each.id: each for each in week.judgements}
    assert ("after the roll back: " in told) is (checks["flag.off_in_time"].verdict is Verdict.PASS)
    injected = (message("errors on {share} % of requests", share="12"),)
    faulty = ended(Decision.ROLL_BACK, injected=injected)
    assert "decision: roll back (with errors on 12 % of requests injected). " in printed(faulty)


def test_many_criteria_without_a_verdict_are_told_once() -> None:
    open_ = [judgement(Verdict.INCONCLUSIVE, id=f"c{number}", value=None) for number in range(3)]
    smaller = result(Decision.HOLD, *open_, smaller=("--window 20s",))
    assert "3 criteria and limits are inconclusive with --window 20s." in printed(smaller)
    whole = printed(result(Decision.HOLD, *open_))
    assert "availability > 99.5 %, availability > 99.5 % and 1 more are inconclusive." in whole


def test_why_it_could_not_tell_is_never_cut_off() -> None:
    long = (*(message("sentence {number} of what was seen", number=str(n)) for n in range(9)), message("and so"))
    line = next(
        each for each in printed(result(Decision.HOLD, judgement(Verdict.INCONCLUSIVE, told=long))).splitlines()
    )
    assert line.startswith("  inconclusive  availability > 99.5 %: 90 %; ") and line.endswith("; and so")
    assert columns(line) <= 160


REPLAY = "python3 -m harness run rollout_week3 --on {rung} --seed 7 --target mine.yaml"


def ended(decision: Decision | None, **changes: object) -> Result:
    rung = changes.get("rung", EnvironmentKind.LOCAL)
    return result(decision, judgement(Verdict.PASS), replay=REPLAY.format(rung=rung), **changes)


@pytest.mark.parametrize(
    ("run", "typed"),
    [
        (ended(Decision.ADVANCE, rung=EnvironmentKind.SIM), REPLAY.format(rung="local")),
        (ended(Decision.ADVANCE), REPLAY.format(rung="local").replace("week3", "week4")),
        (ended(Decision.ADVANCE, plan="rollout_week4"), "python3 -m harness signoff --target mine.yaml"),
        (ended(Decision.HOLD), REPLAY.format(rung="local")),
        (
            result(Decision.ROLL_BACK, replay=f"{REPLAY.format(rung='local')} --fault errors=12% --fault pods"),
            REPLAY.format(rung="local"),
        ),
        (ended(Decision.ADVANCE, leaks=("port 5432",), exit_status=40), REPLAY.format(rung="local")),
        (
            ended(Decision.HOLD, rehearsal="rollout"),
            "python3 -m harness rollout --resume 20261001T000000Z-rollout_week3-s7-2a",
        ),
        (ended(Decision.ROLL_BACK, rehearsal="rollout"), REPLAY.format(rung="local")),
    ],
)
def test_what_to_type_next_follows_from_how_it_ended(run: Result, typed: str) -> None:
    assert following(run, ENGLISH)[1] == typed
    assert printed(run).splitlines()[-1].endswith(f": {typed}")


def test_what_was_simulated_says_so_where_it_says_how_it_ended() -> None:
    told = printed(ended(Decision.ADVANCE, rung=EnvironmentKind.SIM)).splitlines()
    assert told[-3].startswith("decision: advance (simulated). All success criteria passed (1 of 1)")
    assert "no evidence for a sign-off" in told[-4]
