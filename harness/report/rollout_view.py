"""A rollout as its pages show it: each week's place, its criteria and figures, in words."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from harness.model.claim import Claim
from harness.model.evidence import Side
from harness.model.message import marked
from harness.model.rollout_run import Rollout, WeekRun
from harness.model.units import Unit
from harness.model.verdict import CriterionResult, Decision
from harness.report import words
from harness.report.language import Language

#: A week's place in the rollout when it has no decision.
UNDER_WAY, NOT_ENTERED = marked("under way"), marked("not entered")


class CriterionLine(msgspec.Struct, frozen=True, kw_only=True):
    """A criterion as a row of its week."""

    sign: str
    verdict: str
    css: str
    rule: str
    kind: str
    value: str
    bound: str
    samples: str
    reason: str
    quotation: str  # the document's words, "" when the register does not know the claim


class WeekView(msgspec.Struct, frozen=True, kw_only=True):
    """A week as the pages show it; ``run`` is None while it has not been entered."""

    number: int
    title: str
    started: str
    word: str
    sign: str
    css: str
    run: WeekRun | None
    lines: tuple[CriterionLine, ...] = ()
    figures: tuple[tuple[str, str], ...] = ()
    again: str = ""  # which try it is, and what that means; "" of the first


def week_views(rollout: Rollout, claims: Mapping[str, Claim], say: Language) -> list[WeekView]:
    """Every attempt in order, then the weeks asked for that were never entered."""
    views = [_entered(week, claims, say) for week in rollout.weeks]
    begun = rollout.latest()
    return views + [
        WeekView(
            number=week,
            word=say(NOT_ENTERED),
            title=say("Week {week}", week=str(week)),
            started="",
            sign="–",
            css="not_exercised",
            run=None,
        )
        for week in rollout.weeks_asked
        if week not in begun
    ]


def _entered(week: WeekRun, claims: Mapping[str, Claim], say: Language) -> WeekView:
    css = {Decision.ADVANCE: "pass", Decision.HOLD: "inconclusive", Decision.ROLL_BACK: "fail", None: "not_exercised"}
    return WeekView(
        number=week.week,
        word=say(words.DECISION[week.decision]),
        title=say(week.title),
        again=words.attempt_words(week.attempt, say),
        started=say.moment(week.started_utc),
        sign=words.DECISION_SIGN[week.decision],
        css=css[week.decision],
        run=week,
        lines=tuple(_line(criterion, claims, say) for criterion in week.criteria),
        figures=tuple(_figures(week, say)),
    )


def _line(criterion: CriterionResult, claims: Mapping[str, Claim], say: Language) -> CriterionLine:
    claim = claims.get(criterion.claim)
    return CriterionLine(
        sign=words.VERDICT_SIGN[criterion.verdict],
        verdict=words.verdict_word(criterion, say),
        css=str(criterion.verdict),
        rule=words.rule_words(criterion, say),
        kind=say(words.KIND[criterion.kind]),
        value=words.measured(criterion, criterion.value, say),
        bound=words.measured(criterion, criterion.bound, say),
        samples=f"{criterion.samples:,}",
        reason=words.reason_words(criterion, say),
        quotation=claim.quotation if claim is not None else "",
    )


def _figures(week: WeekRun, say: Language) -> list[tuple[str, str]]:
    """The API's side of the window, in few words."""
    found = [window for window in week.windows if window.side == Side.API]
    if not found:
        return []
    api = found[0]
    figures = [
        (say("requests"), f"{api.requests:,}"),
        (say("requests/s"), f"{api.requests_per_s:.2f}"),
        ("p50", say.amount(api.latency_p50_ms, Unit.MILLISECONDS)),
        ("p95", say.amount(api.latency_p95_ms, Unit.MILLISECONDS)),
        ("p99", say.amount(api.latency_p99_ms, Unit.MILLISECONDS)),
        (say("errors"), say.amount(api.error_ratio, Unit.RATIO)),
        (say("bad seconds"), "–" if api.bad_seconds is None else str(api.bad_seconds)),
    ]
    if week.switch_over is not None:
        switch = week.switch_over
        last = "–" if switch.last_s is None else f"{switch.last_s:.1f}"
        told = say(
            "{switched} of {clients}, last {last} s", switched=switch.switched, clients=switch.clients, last=last
        )
        figures.append((say("back on Firestore"), told))
    return figures


def verdict_words(rollout: Rollout, say: Language) -> tuple[str, str]:
    """The rollout's own sign and word."""
    if rollout.exit_status is None:
        return "…", say(UNDER_WAY)
    return words.DECISION_SIGN[rollout.decision], say(words.DECISION[rollout.decision])


def problems(rollout: Rollout, say: Language) -> list[str]:
    """What broke or was left, the weeks' and the rollout's own."""
    told = list(rollout.errors)
    for week in rollout.weeks:
        told += [say("week {week}: {error}", week=str(week.week), error=error) for error in week.errors]
        told += [say("week {week}: left on the machine: {leak}", week=str(week.week), leak=leak) for leak in week.leaks]
    return told


def stopped_words(rollout: Rollout, say: Language) -> str:
    """Where it stands or stopped, and why."""
    return " ".join(map(say.message, rollout.stopped_told)) or rollout.stopped


def range_words(weeks: tuple[int, ...], say: Language) -> str:
    """The weeks asked for."""
    return f"{weeks[0]}" if len(weeks) == 1 else say("{least} to {most}", least=str(weeks[0]), most=str(weeks[-1]))


def not_exercised(rollout: Rollout, say: Language) -> list[tuple[str, str, str]]:
    """What no week proves anything about, why, and in which weeks."""
    weeks: dict[tuple[str, str], list[int]] = {}
    for number, week in rollout.latest().items():
        for told in words.not_judged(week, say):
            weeks.setdefault(told, []).append(number)
    return [
        (what, why, say("week {week}", week=say.listed(map(str, numbers)))) for (what, why), numbers in weeks.items()
    ]
