"""Facts in, rules beside them, verdicts out: the worse end of a fact keeps the limit, the better end breaks it, or
nobody can tell. Each judgement that a plan asks for is given once, whatever the run lost. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from copy import copy
from itertools import product
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from harness.base.message import gettext_noop
from harness.base.units import show
from harness.model.judgement import Expected, Judgement, Kind, Verdict, lacking_words
from harness.model.message import Message, Told, joined, message
from harness.model.result import MeasuredFact
from harness.model.stack import lacks
from harness.rules.rule import CHECKED, EVERY, Fact, Limit, Rule, RuleLine, Rules, Shows, rule_of, unit_of

PASS, FAIL, OPEN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
#: Of an observation of an erratum that is worth telling.
_SEEN = (Verdict.ERRATUM_SHOWN, Verdict.NOT_EXERCISED)
_WORST_FIRST = (FAIL, OPEN, Verdict.ERRATUM_SHOWN, Verdict.NOT_EXERCISED, PASS)
WANTED = {
    "is": gettext_noop("{limit} is wanted"),
    "at_most": gettext_noop("at most {limit} is wanted"),
    "below": gettext_noop("less than {limit} is wanted"),
    "at_least": gettext_noop("at least {limit} is wanted"),
    "above": gettext_noop("more than {limit} is wanted"),
    "near": gettext_noop("about {limit} is wanted"),
    "may_be": gettext_noop("{limit} is wanted"),
    "contains": gettext_noop("{limit} is wanted in it"),
}


class RunFacts:
    """The facts of a run, by part and name, and the plan whose values limits may name. Of facts of cases those of one
    alone."""

    def __init__(self, facts: Iterable[Fact], plan: Any) -> None:
        self._facts = {(each.part, each.name, each.case): each for each in facts}
        self._case = ""
        self._plan = plan
        self._parts = {each.name: each for each in getattr(plan, "parts", ()) if hasattr(each, "name")}

    def of_case(self, case: str) -> RunFacts:
        """The same, with the facts of ``case``."""
        found = copy(self)
        found._case = case
        return found

    def get(self, part: str, name: str) -> Fact | None:
        """The fact of the part, or of the whole run; what stands for every fact of the part comes first. A value of the
        plan is a fact as well."""
        if name.startswith("plan."):
            value = self._of_plan(part, name)
            said = message("the plan's {name} is {value}", name=name.removeprefix("plan."), value=f"{value:g}")
            return Fact(name=name, part=part, seen=value, told=(said,))
        keys = product(((part, EVERY), (part, name), ("", EVERY), ("", name)), (self._case, ""))
        found = (self._facts[*key, case] for key, case in keys if (*key, case) in self._facts)
        return next((each for each in found if each.sample is None or each.part == part), None)  # a word is of its part

    def limit(self, part: str, said: Limit) -> float | None:
        """The limit as a number; ``None`` where it is a fact that is not in evidence."""
        if not isinstance(said, str):
            return said
        if said.startswith("plan."):
            return self._of_plan(part, said)
        found = self.get(part, said)
        if found is None or found.void or found.low not in (None, found.seen) or found.high not in (None, found.seen):
            return None  # nobody knows where the limit lies
        return found.seen

    def kind(self, part: str) -> str:
        """That of the part, as the plan says it."""
        return getattr(self._parts.get(part), "kind", "")

    def _of_plan(self, part: str, name: str) -> float:
        """A value of the part, or of the plan. Raises ``AttributeError`` where neither has it."""
        key, of = name.removeprefix("plan."), self._parts.get(part, self._plan)
        return float(attrgetter(key)(of if hasattr(of, key.partition(".")[0]) else self._plan))


def published(facts: Sequence[Fact], rules: Rules, plan: Any) -> tuple[MeasuredFact, ...]:
    """The facts as a result carries them, each with the limit to which a criterion, or a rule that gates, holds it."""
    known, found = RunFacts(facts, plan), [(fact, each) for fact in facts if (each := fact.published) is not None]
    return tuple(msgspec.structs.replace(each, limit=_held_to(fact, rules, known)) for fact, each in found)


def _held_to(fact: Fact, rules: Rules, known: RunFacts) -> float | None:
    if fact.sample is not None:
        return fact.sample.limit
    for name, rule in rules.items():
        for line in rule.decided_by if rule.gates and name.rpartition("/")[0] in ("", fact.part) else ():
            if line.fact == fact.name and line.contains is None:
                with suppress(AttributeError):  # a value that the plan of another part has
                    return known.of_case(fact.case).limit(fact.part, line.limit)
    return None


class ComparedLine(NamedTuple):
    """What became of one line; ``fact`` is ``None`` where it is not in evidence."""

    verdict: Verdict
    told: Told
    fact: Fact | None = None
    limit: float | None = None
    erratum: str = ""


def _upper(keeps: Callable[[float, float], bool]) -> Callable[[float, float, float], Verdict]:
    """A verb of which the high end is the worse one."""
    return lambda low, high, limit: PASS if keeps(high, limit) else OPEN if keeps(low, limit) else FAIL


def _lower(keeps: Callable[[float, float], bool]) -> Callable[[float, float, float], Verdict]:
    """A verb of which the low end is the worse one."""
    return lambda low, high, limit: PASS if keeps(low, limit) else OPEN if keeps(high, limit) else FAIL


def _within(low: float, high: float, limit: float, distance: float = 0.0) -> Verdict:
    """From ``limit - distance`` to ``limit + distance``."""
    if limit - distance <= low and high <= limit + distance:
        return PASS
    return FAIL if high < limit - distance or low > limit + distance else OPEN


_VERBS: dict[str, Callable[[float, float, float], Verdict]] = {
    "is": _within,
    "at_most": _upper(lambda value, limit: value <= limit),
    "below": _upper(lambda value, limit: value < limit),
    "at_least": _lower(lambda value, limit: value >= limit),
    "above": _lower(lambda value, limit: value > limit),
    "may_be": lambda low, high, limit: FAIL if not low <= limit <= high else PASS if high - low < math.inf else OPEN,
}


def compare(line: RuleLine, part: str, known: RunFacts) -> ComparedLine:
    """One line: a fact against a limit."""
    found = known.get(part, line.fact)
    if found is None:
        return ComparedLine(OPEN, (_absent(line.fact),))
    if found.lacks or found.void:
        verdict = Verdict.NOT_EXERCISED if found.lacks else OPEN
        return ComparedLine(verdict, found.lacks or (*found.void, *found.told), found)
    if line.contains is not None:
        verdict = OPEN if found.text is None else PASS if line.contains in found.text else FAIL
        return _told(line, verdict, found, None, line.contains)
    limits = {said: known.limit(part, said) for said in (line.limit, line.of_at_least, line.tolerance)}
    if missing := [said for said, is_ in limits.items() if is_ is None]:
        return ComparedLine(OPEN, (_absent(missing[0]), *found.told), found)
    limit, least, tolerance = (limits[said] or 0.0 for said in (line.limit, line.of_at_least, line.tolerance))
    return _measured(line, found, limit, least, tolerance)


def _absent(name: object) -> Message:
    return message("not in evidence: {name}", name=str(name))


def _measured(line: RuleLine, found: Fact, limit: float, least: float, tolerance: float) -> ComparedLine:
    """A figure against its limit, of ``least`` samples."""
    if found.of < least:
        few = message("{count} samples are too few: {least} are needed", count=str(found.of), least=f"{least:g}")
        return ComparedLine(OPEN, (*found.told, few), found, limit)
    near = line.verb == "near"
    verdict = _within(*found.ends, limit, tolerance * limit) if near else _VERBS[line.verb](*found.ends, limit)
    return _told(line, verdict, found, limit, show(limit, unit_of(line.fact)))


def _told(line: RuleLine, verdict: Verdict, found: Fact, limit: float | None, words: str) -> ComparedLine:
    """With the limit where it was not kept, and the interval where nobody can tell."""
    if verdict is PASS:
        return ComparedLine(verdict, found.told, found, limit)
    told = [*found.wanted, *found.told]
    low, high = found.ends
    if verdict is OPEN and low != high:
        ends = {"low": show(low, found.unit), "high": show(high, found.unit) if high < math.inf else message("more")}
        told.append(
            message("at 95 % it is {low} to {high}", **ends)
            if found.sampled
            else message("by what is not in evidence it may be {low} to {high}", **ends)
        )
    if not found.wanted:
        told.append(Message(text=WANTED[line.verb], values={"limit": words}))
    ends_in, erratum = line.unkept if verdict is FAIL else (verdict, "")
    return ComparedLine(ends_in, tuple(told), found, limit, erratum)


def _unmet(lines: Iterable[RuleLine], part: str, known: RunFacts) -> ComparedLine | None:
    """The first premise that is not shown."""
    found = (compare(each, part, known) for each in lines)
    return next((each for each in found if each.verdict is not PASS), None)


def _once(lines: Iterable[ComparedLine]) -> Told:
    """What lines say, each sentence once."""
    said = [each for line in lines for each in line.told]
    return tuple(each for n, each in enumerate(said) if each not in said[:n])


class _Spoken(NamedTuple):
    """The verdict of a rule, why, and the line that decided it."""

    verdict: Verdict
    told: Told
    by: ComparedLine | None
    erratum: str = ""
    seen: Told = ()


def _bound(fact: Fact, verdict: Verdict) -> float | None:
    """The end beside the figure: the fact's own, or of a sample the better end of a fail, and else the worse."""
    if fact.bound is not None or not fact.sampled:
        return fact.bound
    end = fact.low if verdict is FAIL else fact.high
    return None if end == math.inf else end


def judge(one: Expected, rule: Rule, known: RunFacts, capabilities: Collection[str], case: str = "") -> Judgement:
    """The judgement that a plan asks for in a part."""
    claimed = _unmet(rule.claimed_when, one.part, known) is None
    if rule.sample:
        return _of_sample(one, rule, known, claimed=claimed)
    claim, also = (one.claim, rule.claims) if claimed else ("", ())
    spoken = _spoken(one.part, rule, known, capabilities)
    by, exercised = spoken.by, spoken.verdict is not Verdict.NOT_EXERCISED
    deciding = by.fact if by is not None else None
    fact = known.get(one.part, rule.figure) if rule.figure else deciding
    if not exercised:
        fact = None
    found = Judgement(
        id=one.id,
        part=one.part,
        kind=rule.kind,
        claim=claim,
        also=also if rule.claims_in in ("", known.kind(one.part)) else (),
        verdict=spoken.verdict,
        asked=(Message(text=rule.says, values={"case": case}),) if rule.says else (),
        told=spoken.told,
        value=fact.seen if fact is not None else None,
        bound=_bound(fact, spoken.verdict) if fact is not None else None,
        limit=by.limit if by and fact and fact is deciding else None,
        unit=unit_of(fact.name) if fact is not None else unit_of(""),
        samples=fact.of if fact is not None else 0,
        gates=rule.gates and rule.kind is not Kind.OBSERVATION and (exercised or rule.blocks),
        erratum=spoken.erratum,
        seen=spoken.seen,
        examples=fact.examples if fact is not None else (),
    )
    return found if deciding is None or deciding.sample is None else _beside(deciding.sample, found)


def _beside(case: Judgement, found: Judgement) -> Judgement:
    """The verdict on a case with what its fact has beside it, and no figure, which says no more than the reason."""
    gates = found.gates and case.gates
    return msgspec.structs.replace(
        case, part=found.part, claim=found.claim, also=found.also, verdict=found.verdict, told=found.told, gates=gates
    )


def _of_sample(one: Expected, rule: Rule, known: RunFacts, *, claimed: bool) -> Judgement:
    """What the exact bounds say of calls beside their criterion, or a check of what it looked at; or why there is no
    word of either. Without ``when`` a pass is none."""
    fact = known.get(one.part, rule.sample)
    if fact is None or fact.sample is None:
        why = compare(RuleLine(fact=rule.sample, at_least=0.0), one.part, known)
        found = Judgement(id=one.id, verdict=why.verdict, told=why.told, kind=one.kind, claim=one.claim)
    else:
        found = fact.sample
    unmet = _unmet(rule.when, one.part, known) if found.verdict is PASS else None
    if unmet is not None:
        verdict = unmet.verdict if unmet.verdict is Verdict.NOT_EXERCISED else OPEN
        found = msgspec.structs.replace(found, verdict=verdict, told=(*unmet.told, *found.told))
    claim = (found.claim or one.claim) if claimed else ""
    return msgspec.structs.replace(found, part=one.part, claim=claim, gates=rule.gates and found.gates)


def _spoken(part: str, rule: Rule, known: RunFacts, capabilities: Collection[str]) -> _Spoken:
    if missing := lacks(rule.needs, capabilities):
        return _Spoken(Verdict.NOT_EXERCISED, (lacking_words(missing),), None)
    lines = [compare(each, part, known) for each in rule.decided_by]
    found = _worst(lines)
    if rule.shows is not None and (found.verdict is FAIL or not rule.shows.unless_kept):
        found = _shown(rule.shows, part, known, found)
    shown = found.verdict is PASS or (found.verdict is Verdict.ERRATUM_SHOWN and rule.shows is None)
    premises = (*rule.provided, *rule.when) if shown else rule.provided  # `shows` has premises of its own
    unmet = _unmet(premises, part, known) if found.verdict is not Verdict.NOT_EXERCISED else None
    if unmet is None:
        return found
    if unmet.verdict is Verdict.NOT_EXERCISED and found.verdict is not FAIL:
        return _Spoken(unmet.verdict, unmet.told, None)
    if unmet.told == found.told:
        return found._replace(verdict=OPEN, erratum="", seen=())
    why = message("nothing is shown: {why}", why=joined(unmet.told))
    return _Spoken(OPEN, (why, *(each for each in found.told if each not in unmet.told)), found.by)


def _worst(lines: Sequence[ComparedLine]) -> _Spoken:
    """Of lines the worst verdict, with all that have it; of a pass the first line's figure."""
    if not lines:
        return _Spoken(PASS, (), None)
    worst = min((each.verdict for each in lines), key=_WORST_FIRST.index)
    speaking = [each for each in lines if each.verdict is worst]
    return _Spoken(worst, _once(speaking), speaking[0], speaking[0].erratum)


def _shown(shows: Shows, part: str, known: RunFacts, found: _Spoken) -> _Spoken:
    """An erratum that was seen, beside a pass or in place of a verdict."""
    seen = compare(shows, part, known)
    unmet = _unmet(shows.provided, part, known) if seen.verdict is PASS else None
    named = known.get(part, shows.erratum)
    erratum = shows.erratum if named is None or not named.text else named.text[0]
    if seen.verdict is PASS and unmet is None:
        if found.by is not None and shows.beside and found.verdict is not Verdict.NOT_EXERCISED:
            new = tuple(each for each in seen.told if each not in found.told)
            return found._replace(erratum=erratum, seen=new) if found.verdict is PASS else found
        shown = found if shows.unless_kept else _Spoken(OPEN, seen.told, seen)
        return shown._replace(verdict=Verdict.ERRATUM_SHOWN, erratum=erratum)
    if found.by is not None:
        return found._replace(verdict=shows.unseen) if shows.unseen and found.verdict is FAIL else found
    if seen.verdict is Verdict.NOT_EXERCISED:
        return _Spoken(seen.verdict, seen.told, seen)
    told = seen.told if unmet is None else (*seen.told, *unmet.told)
    unknown = OPEN in (seen.verdict, unmet.verdict if unmet is not None else None)
    return _Spoken(OPEN if unknown else shows.unseen or OPEN, told, seen)


def _once_each(expected: Iterable[Expected]) -> list[Expected]:
    """The first of each part and id: a plan may ask for a claim that a rule of it judges anyway."""
    found: dict[tuple[str, str], Expected] = {}
    for one in expected:
        found.setdefault((one.part, one.id), one)
    return [*found.values()]


def judged(
    expected: Iterable[Expected], rules: Rules, facts: Iterable[Fact], plan: Any, capabilities: Collection[str]
) -> Iterable[Judgement]:
    """Each judgement that the plan asks for, and that has a rule and any of its facts. An observation of an erratum is
    of the whole run, asked for by no plan, and told where it was seen, or could not be; one that a fact brings, where
    it is there. A case that no plan knows before, and the word of a check, are judged as those that it asks for."""
    given, wanted = [*facts], _once_each(expected)
    measured, asked = RunFacts(given, plan), {each.id for each in wanted}
    besides = [Expected("", id_) for id_, rule in rules.items() if rule.kind is Kind.OBSERVATION and id_ not in asked]
    for each in given:
        own = each.sample
        if own is not None and (each.name == CHECKED or (own.id == each.case and own.id not in asked)):
            besides.append(Expected(each.part, own.id, own.claim))
    for one in _once_each((*wanted, *besides)):
        rule, case = rule_of(one, rules)
        if rule is None:
            continue
        known = measured.of_case(one.id if rule.sample == CHECKED else case)
        if rule.sample and rule.kind is Kind.OBSERVATION:
            fact = known.get(one.part, rule.sample)
            if fact is None or fact.sample is None:
                continue  # of what only informs, nobody asks why it is not there
        lines = (*rule.decided_by, *([rule.shows] if rule.shows else []))
        if any(known.get(one.part, name) for name in ([rule.sample] if rule.sample else [each.fact for each in lines])):
            found = judge(one, rule, known, capabilities, case)
            if rule.kind is not Kind.OBSERVATION or rule.decided_by or rule.sample or found.verdict in _SEEN:
                yield found
