"""A run in ten lines, for the terminal, the page and the summary: each criterion, what failed or could not be shown,
the counts of the rest, and what to type next. Pure."""

from __future__ import annotations

import re

import msgspec

from harness.base.typed import PROGRAM
from harness.model.judgement import Decision, Judgement, Kind, Verdict
from harness.model.result import Result
from harness.model.stack import EnvironmentKind
from harness.report import words
from harness.report.language import Language, columns, cut
from harness.report.outline import OutlineBlock, OutlineRow, broke, counted

#: More criteria than these are counted as checks are, and as many of what did not pass are named.
_MOST_CRITERIA, _MOST_NAMED = 12, 5
#: As many columns of a reason stand on the page's first screen: it is below, whole.
_ROOM = 60
_TARGET, _FAULT = (re.compile(rf" --{name}[ =]('[^']*'|\S+)") for name in ("target", "fault"))
_OFF, _KEPT = "flag.off_in_time", "writes.acknowledged"
_WEEK = re.compile(r"\brollout_week([1-3])\b")


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """``named`` are the criteria, a limit that fired first, then what holds the run or failed; ``more`` of those are
    not named."""

    named: tuple[Judgement, ...]
    more: int


def brief(result: Result) -> Brief:
    """What of a run is named. A criterion that the environment cannot show is counted, except in a week."""
    seen = [each for each in result.judgements if each.kind is not Kind.OBSERVATION]
    criteria = [each for each in seen if each.kind is not Kind.CHECK and (result.decides or not _left_out(each))]
    criteria = sorted(criteria, key=lambda each: not each.fired) if len(criteria) <= _MOST_CRITERIA else []
    keys = {each.key for each in criteria}
    keys |= {each.key for each in seen if each.differs}
    against = [each for each in seen if each.key not in keys and (each.holds or each.verdict is Verdict.FAIL)]
    against.sort(key=lambda each: not each.holds)
    return Brief(named=(*criteria, *against[:_MOST_NAMED]), more=max(0, len(against) - _MOST_NAMED))


def _left_out(judgement: Judgement) -> bool:
    return judgement.verdict is Verdict.NOT_EXERCISED and not judgement.gates


def rest(result: Result, found: Brief, say: Language) -> str:
    """The counts of what is not named: "besides: 36 checks passed, 6 not exercised"; "" of nothing."""
    keys = {each.key for each in found.named}
    counts = counted((each for each in result.judgements if each.key not in keys), say)
    return say("besides: {counts}", counts=counts) if counts else ""


def what(judgement: Judgement, say: Language) -> str:
    """What was judged, with the part of the plan that it was judged in."""
    asked = words.named(judgement, say)
    return f"{judgement.part}: {asked}" if judgement.part and judgement.part != judgement.id else asked


def said(judgement: Judgement, say: Language, room: int | None = None) -> str:
    """What was measured and, unless it passed, why the verdict is what it is, in ``room`` columns; without, all of it.
    Why it could not tell stands last: of that the first sentences are left out."""
    if judgement.verdict is Verdict.PASS and room is not None:
        return figures(judgement, say)
    value, told = _value(judgement, say), [*map(say.message, judgement.told)]
    while True:
        reason = say.join(told)
        text = say.join((value, reason)) if value and value not in reason else reason
        whole = (
            judgement.verdict is not Verdict.INCONCLUSIVE or judgement.value is None
        )  # else the last sentence says why
        if room is None or len(told) == 1 or whole or columns(text) <= room:
            return text if room is None else cut(text, room)
        del told[0]


def _value(judgement: Judgement, say: Language) -> str:
    return words.measured(judgement, say) if judgement.value is not None or judgement.shown else ""


def figures(judgement: Judgement, say: Language) -> str:
    """What was measured, with its bound; "" where nothing was."""
    value = _value(judgement, say)
    if judgement.bound is None or judgement.value is None or judgement.bound == judgement.value:
        return value
    bound = words.figure(judgement, judgement.bound, say)
    if judgement.bound <= judgement.value:
        return say("{value}, at least {bound} (95 % sure)", value=value, bound=bound)
    return say("{value}, at most {bound} (95 % sure)", value=value, bound=bound)


def following(result: Result, say: Language) -> tuple[str, str]:
    """What to type next, and when: after an advance the same with real processes, the next week, or the sign-off; else
    the rest of a rollout, or the same again: without the fault of an option, and whole where options made it smaller.
    """
    if result.decision is Decision.ADVANCE and not (broke(result) or result.facts.leaks):
        if result.facts.rung is EnvironmentKind.SIM:
            return say("next, with real processes"), result.facts.replay.replace("--on sim", "--on local")
        if result.decides and _WEEK.search(result.plan):
            following_week = _WEEK.sub(lambda found: f"rollout_week{int(found[1]) + 1}", result.facts.replay)
            return say("next, the week that follows"), following_week
        target = _TARGET.search(result.facts.replay)
        return say("next, what the runs show for a sign-off"), f"{PROGRAM} signoff{target[0] if target else ''}"
    if result.rehearsal == "rollout" and result.decision is not Decision.ROLL_BACK:
        return say("go on"), f"{PROGRAM} rollout --resume {result.run_id}"
    if (whole := _FAULT.sub("", result.facts.replay)) != result.facts.replay:
        return say("next, without the injected fault"), whole
    for each in result.facts.smaller:
        whole = whole.replace(f" {each}", "")
    return (say("run again") if whole == result.facts.replay else say("run it whole")), whole


def aftermath(result: Result, say: Language) -> str:
    """After a roll back, where clients and writes are, by the checks that passed: the lines above have the others."""
    passed = {each.id: each for each in result.judgements if each.verdict is Verdict.PASS}
    if result.decision is not Decision.ROLL_BACK or _OFF not in passed:
        return ""
    kept = [say("none of {count} acknowledged writes was lost", count=passed[_KEPT].samples)] if _KEPT in passed else []
    return say("after the roll back: {told}", told=say.join([*map(say.message, passed[_OFF].told), *kept]))


def briefly(result: Result, say: Language) -> OutlineBlock:
    """What stands behind the headline: each criterion, what failed or could not be shown, and counts of the rest."""
    found = brief(result)
    rows = [
        OutlineRow(
            cells=(what(each, say), figures(each, say) or said(each, say, _ROOM) or "–"),
            sign=words.sign(each),
            word=say(words.verdict_id(each)),
            css=str(each.verdict),
        )
        for each in found.named
    ]
    more = say("and {count} more", count=found.more) if found.more else ""
    others = rest(result, found, say) if result.decides else ""
    note = say.listed(filter(None, (more, others)))
    return OutlineBlock(lead=say("Verdict"), heads=(say("What"), say("Measured")), rows=tuple(rows), note=note)
