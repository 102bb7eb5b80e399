"""What counts as evidence, and why not: of a run as a whole, for a claim, and of what passes in it. Pure.

A run that is none of the document's plan on the target that is asked for counts neither for nor against anything; one
that injected faults is evidence of the roll back alone. Of what counts, all that fails counts against its claim; what
passes is good for nothing where the run broke or measured wrongly, made a part of the claim's checks, or asked for less
than the document does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from harness.base.errors import Exit
from harness.base.units import DAY_S
from harness.judge.judged import MEASUREMENT
from harness.model.claim import StateFrom
from harness.model.judgement import Judgement
from harness.model.message import Message, Told, first_line, message
from harness.model.result import Result
from harness.model.stack import Rung
from harness.report.words import ASK
from harness.signoff.smaller import chosen, in_place, smaller
from harness.signoff.types import Asked, Stored

#: How a run ends that carried out what it was to; any other ending is a broken run's.
_ENDED = (Exit.OK, Exit.HOLD, Exit.ROLLED_BACK)
#: Begins the claims that only a run with an injected fault can be evidence of.
_ROLL_BACK = "rollout.rollback."
_ANYHOW = StateFrom()


def left_out(result: Result, asked: Asked) -> Told:
    """Why nothing of a run counts; () of one that does."""
    return next(((reason,) for reason in _against_all(result, asked)), ())


def _against_all(result: Result, asked: Asked) -> Iterator[Message]:
    facts, age = result.facts, age_s(result, asked)
    if facts.rung is Rung.SIM:
        yield message("simulated: no evidence for a sign-off")
    if facts.target != asked.target:
        yield message("another target: {target}", target=facts.target)
    if not facts.target_digest:
        yield message("it does not say of which program or image it is: {ask}", ask=Message(text=ASK))
    elif not asked.digests:
        yield message("it is not known which program or image the target is today: {ask}", ask=Message(text=ASK))
    elif facts.target_digest not in asked.digests:
        yield message("another program or image: {digest}", digest=facts.target_digest)
    if facts.own:
        yield message("not the bundled plan: {options}", options=", ".join(facts.own))
    if result.exit_status is None:
        yield message("it is under way, or was killed before it could report")
    if age is None or age < 0:
        yield message("its time cannot be: {started}", started=facts.started_utc)
    elif age > asked.max_age_s:
        days, most = f"{age / DAY_S:.1f}", f"{asked.max_age_s / DAY_S:g}"
        yield message("too old: {days} days, at most {most} count", days=days, most=most)


def aside(result: Result, claim: str) -> Told:
    """Why a run that counts does not for ``claim``; () where it does."""
    return () if claim.startswith(_ROLL_BACK) else _injected(result)


def limits(result: Result) -> Told:
    """What a run that counts is no evidence of; () where it counts for all that it says."""
    return (*_injected(result), *in_part(result))


def unproven(stored: Stored) -> Told:
    """Why nothing is ready by a stored run, though what it saw fail counts: it is ``broken``, or its evidence is gone,
    and nobody can see whether it says so. () where neither is so."""
    return broken(stored.result) or gone(stored)


def gone(stored: Stored) -> Told:
    """That a run cannot be judged again by its evidence, which is gone, broken or not all there; () where it can."""
    return () if stored.lost is None else (message("it cannot be judged again: {why}", why=stored.lost),)


def broken(result: Result) -> Told:
    """Why nothing is ready by a run, though what it saw fail counts: it did not end as it should, or did not measure.
    () where it did both."""
    what = (*(result.facts.errors_told or result.facts.errors), *result.facts.leaks)
    if what:
        return (message("the run did not end as it should: {what}", what=first_line(what[0])),)
    if result.exit_status not in _ENDED:
        return (message("the run did not end as it should (exit status {status})", status=str(result.exit_status)),)
    return next((each.told for each in result.judgements if each.id == MEASUREMENT), ())


def in_part(result: Result, way: StateFrom = _ANYHOW) -> Told:
    """Why what passes is no word on the whole of a claim that comes to its state by ``way``: of the checks that judge
    it only some were made, or by less than the document names. () where all were, as one of the names ``way.whole_in``
    was among those chosen, each of which judges the claim whole; and of a plan in parts: those that were run are whole,
    and what was looked at over them alone takes no other's place."""
    less = [each for each in smaller(result.facts) if each.partition(" ")[0] not in way.unmeasured]
    if less:
        return (message("seen with {options}: less than it takes to judge the claim", options=", ".join(less)),)
    only = result.facts.only
    if not only or result.parts or _among(way.whole_in, only):
        return ()
    names = ", ".join(only)
    return (message("narrowed to {names}: not all that judges the claim was made", names=names),)


def judged_by(result: Result, asked: Asked) -> Told:
    """That other code than today's judged a run, or that it does not say which did; () where it was today's."""
    found = result.facts.harness_digest
    if found == asked.harness_digest or not asked.harness_digest:
        return ()
    if not found:
        return (message("it does not say which version of this repository judged it"),)
    return (message("judged by another version of this repository"),)


def seen_with(result: Result) -> Told:
    """By what a run was smaller or faster than a whole one, and what of a team's own it judged, or might have; () of
    any other."""
    own, without = in_place(result.facts.replay)
    given = (*smaller(result.facts), *map(" ".join, own.items()))
    seen = (message("seen with {options}", options=", ".join(given)),) if given else ()
    return seen if without is None else (*seen, without)


def whose(result: Result) -> frozenset[str]:
    """The options by which a run judged something of a team's own that its target's digest does not tell; none for what
    is bundled. Their values are none of it: a program, a list or a folder takes the place of the one before, whatever
    it is called."""
    return frozenset(in_place(result.facts.replay)[0])


def narrowed(result: Result) -> frozenset[str]:
    """All that keeps a run from being a whole one: what was chosen of its plan, and what is less than in a whole one;
    none of a whole run."""
    facts = result.facts
    return frozenset((*facts.only, *chosen(facts.replay), *smaller(facts)))


def is_smaller(result: Result) -> bool:
    """Whether a run was smaller or faster than a whole one."""
    return bool(smaller(result.facts))


def made_whole(result: Result, judgement: Judgement, way: StateFrom) -> bool:
    """Whether a run that was narrowed looked at all that a judgement is of: at a part of its plan, at a check that was
    chosen by its own name, whose family is said with it, or at what alone judges a claim of that ``way``."""
    if is_smaller(result):
        return False
    if result.parts:
        return bool(judgement.part)
    named = [each for each in result.facts.only if "." in each]
    return _among((judgement.id,), named) or _among(way.whole_in, result.facts.only)


def _among(names: Iterable[str], patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, each) for name in names for each in patterns)


def age_s(result: Result, asked: Asked) -> float | None:
    """How long ago the run began, in seconds; ``None`` where it does not say."""
    begun, now = started(result), _moment(asked.now_utc)
    return None if begun is None or now is None else (now - begun).total_seconds()


def started(result: Result) -> datetime | None:
    """When the run began; ``None`` where it does not say."""
    return _moment(result.facts.started_utc)


def _moment(utc: str) -> datetime | None:
    """A UTC time of ISO 8601, ``None`` where it is none."""
    try:
        return datetime.fromisoformat(utc).replace(tzinfo=UTC)
    except ValueError:
        return None


def _injected(result: Result) -> Told:
    why = message("faults were to be injected, and it is evidence of the roll back alone")
    return (why, *result.facts.injected) if result.facts.injected else ()
