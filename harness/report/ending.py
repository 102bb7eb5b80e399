"""How a run ended, in one word and one sentence: what its page, its summary and the terminal begin with. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from harness.model.judgement import Decision, Judgement, Kind, Verdict, errata_of
from harness.model.message import gettext_noop
from harness.model.result import Result
from harness.model.stack import EnvironmentKind
from harness.model.words import DECISION
from harness.report import words
from harness.report.language import Language

#: Of commands that decide nothing about the rollout.
PASSED, NOT_PASSED, BROKE = gettext_noop("All passed"), gettext_noop("Not all passed"), gettext_noop("Not finished")
NOTHING = gettext_noop("Nothing exercised")
LEFT = gettext_noop("Something was left on the machine")
UNDER_WAY = gettext_noop("Under way or killed")

_MOST_NAMED, _MOST_OPEN = 5, 2
#: How many there are of each verdict: one, and several.
_COUNTED = {
    Verdict.PASS: (gettext_noop("1 check passed"), gettext_noop("{count} checks passed")),
    Verdict.FAIL: (gettext_noop("{count} failed"),) * 2,
    Verdict.INCONCLUSIVE: (gettext_noop("{count} inconclusive"),) * 2,
    Verdict.ERRATUM_SHOWN: (gettext_noop("1 error of the document"), gettext_noop("{count} errors of the document")),
    Verdict.NOT_EXERCISED: (gettext_noop("{count} not exercised"),) * 2,
}

#: Of a run in which nothing was exercised, whoever reads: the page, the terminal, a CI.
NOTHING_SAID = gettext_noop(
    "nothing was exercised: this run says neither that the promises are kept nor that they are not."
)


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """A sign, a word and why. ``css`` is a class of the style sheet."""

    sign: str
    word: str
    css: str
    reason: str


def ending(result: Result, say: Language) -> Ending:
    """The headline: the decision of a run that decides on the rollout, or whether everything passed. What was merely
    simulated is never green."""
    reason = reason_words(result, say)
    if result.exit_status is None:
        return Ending(sign="…", word=say(UNDER_WAY), css="none", reason=reason)
    if result.decides and not (result.facts.leaks and result.decision is Decision.ADVANCE):
        word, css = DECISION[result.decision], str(result.decision or "none")
        sign = words.DECISION_SIGN[result.decision]
    else:
        sign, word, css = _without_decision(result)
    css = "hold" if result.facts.rung is EnvironmentKind.SIM and css == "advance" else css
    return Ending(sign=sign, word=beside(say(word), result, say), css=css, reason=reason)


def beside(word: str, result: Result, say: Language) -> str:
    """How it ended, with what made it so that no real week has: that it was simulated, and the faults injected."""
    notes = [say("simulated")] if result.facts.rung is EnvironmentKind.SIM else []
    if result.facts.injected:
        notes.append(say("with {faults} injected", faults=say.listed(map(say.message, result.facts.injected))))
    return say("{word} ({notes})", word=word, notes=say.listed(notes)) if notes else word


def _without_decision(result: Result) -> tuple[str, str, str]:
    if broke(result):
        return "✗", BROKE, "roll_back"
    if result.facts.leaks:
        return "✗", LEFT, "roll_back"
    if result.decision is Decision.ADVANCE:
        return "✓", PASSED, "advance"
    return ("–", NOTHING, "hold") if nothing_exercised(result) else ("■", NOT_PASSED, "hold")


def broke(result: Result) -> bool:
    """Whether something befell the run, so that its judgements do not say how it ended."""
    return bool(result.facts.errors) or (result.decision is None and result.exit_status is not None)


def nothing_exercised(result: Result) -> bool:
    """Whether the run says neither that the promises are kept nor that they are not."""
    told = any(each.holds and each.verdict is not Verdict.NOT_EXERCISED for each in result.judgements)
    return not result.exercised and not told


def reason_words(result: Result, say: Language) -> str:
    """One sentence on why it ended as it did."""
    if result.exit_status is None:
        so_far = counted(result.judgements, say) or say("nothing judged yet")
        return say("It has not reported: it is under way, or was killed. So far: {counts}.", counts=so_far)
    if result.decision is None or (broke(result) and not result.decides):
        return say("The run broke before it could be judged.")
    if result.decides:
        return _decided(result, say)
    if nothing_exercised(result):
        return say(NOTHING_SAID)
    told = say("{counts}.", counts=counted(result.judgements, say))
    holding = [f"{words.asked_words(each, say)}: {say(words.verdict_id(each))}" for each in _holding(result)]
    return say("{first} {second}", first=told, second=_named(holding, say)) if holding else told


def _named(holding: Sequence[str], say: Language) -> str:
    more, named = len(holding) - _MOST_NAMED, say.join(holding[:_MOST_NAMED])
    return say("{named}; and {count} more.", named=named, count=more) if more > 0 else say("{named}.", named=named)


def _holding(result: Result) -> list[Judgement]:
    return [each for each in result.judgements if each.holds]


def _decided(result: Result, say: Language) -> str:
    fired = [each for each in result.judgements if each.fired]
    success = [each for each in result.judgements if each.kind is Kind.CRITERION and each.gates]
    passed = sum(each.verdict.good for each in success)
    if result.decision is Decision.ROLL_BACK:
        told = [f"{words.asked_words(each, say)}: {words.measured(each, say)}" for each in fired]
        return say("A rollback limit fired: {limits}.", limits=say.join(told))
    if result.decision is Decision.ADVANCE:
        return say("All success criteria passed ({passed} of {passed}); no rollback limit fired.", passed=passed)
    held = _holding(result)
    open_ = [each for each in held if each.kind is not Kind.CHECK and each.verdict is Verdict.INCONCLUSIVE]
    many = open_ if len(open_) > _MOST_OPEN else []
    told = [f"{words.named(each, say)}: {_held(each, say)}" for each in held if each not in many]
    told += [_inconclusive(many, result, say)] if many else []
    first = say("{passed} of {all} success criteria passed.", passed=passed, all=len(success))
    return say("{first} {second}", first=first, second=_named(told, say)) if told else first


def _inconclusive(many: Sequence[Judgement], result: Result, say: Language) -> str:
    """Many criteria at once: in what smaller run, which each of them may lack; else the first by name."""
    if options := say.listed(result.facts.smaller):
        return say("{count} criteria and limits are inconclusive with {options}", count=len(many), options=options)
    names = say.listed(words.named(each, say) for each in many[:_MOST_OPEN])
    return say("{names} and {count} more are inconclusive", names=names, count=len(many) - _MOST_OPEN)


def _held(judgement: Judgement, say: Language) -> str:
    if judgement.kind is Kind.CHECK:
        return say(words.UNPROVED.get(judgement.verdict, words.VERDICT[judgement.verdict]))
    return say(words.verdict_id(judgement))


def counted(judgements: Iterable[Judgement], say: Language) -> str:
    """How many of each verdict, for example "3 checks passed, 1 erratum"; "" of none. Of what was merely seen only the
    errata are counted, each once."""
    all_ = [*judgements]
    seen = Counter(each.verdict for each in all_ if each.kind is not Kind.OBSERVATION and not each.differs)
    seen[Verdict.ERRATUM_SHOWN] = len(errata_of(all_))
    return say.listed(say(forms[seen[each] > 1], count=seen[each]) for each, forms in _COUNTED.items() if seen[each])
