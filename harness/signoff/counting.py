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


def aside(result: Result, claim: str, judgement: Judgement) -> Told:
    """Why a run that counts does not for ``claim``; () where it does: one with faults tells of the roll back, and of a
    rollback limit that it fires."""
    return () if claim.startswith(_ROLL_BACK) or judgement.fired else _injected(result)


def limits(result: Result) -> Told:
    """What a run that counts is no evidence of; () where it counts for all that it says."""
    return (*_injected(result), *_smaller(result), *_narrowed(result))


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


def in_part(result: Result, judgement: Judgement, way: StateFrom) -> Told:
    """Why a pass is no try of a claim that comes to its state by ``way``; () where it is. The run made less than the
    document's plan, beside what ``way.unmeasured`` names; or it was narrowed, and not to this check by its name."""
    return _smaller(result, way) or (() if _by_name(result, judgement) else one_of_some(result, judgement, way))


def one_of_some(result: Result, judgement: Judgement, way: StateFrom) -> Told:
    """Why a pass alone does not show the whole of a claim; () where it may. The run made some checks alone, and this is
    neither a part that it made whole, nor the claim's own check, nor chosen by one of ``way.whole_in``."""
    own = judgement.id in judgement.claims and _by_name(result, judgement)
    whole = own or bool(result.parts and judgement.part) or _among(way.whole_in, result.facts.only)
    return () if whole else _narrowed(result)


def _by_name(result: Result, judgement: Judgement) -> bool:
    return _among((judgement.id,), [each for each in result.facts.only if "." in each])


def _smaller(result: Result, way: StateFrom = _ANYHOW) -> Told:
    less = [each for each in result.facts.smaller if each.partition(" ")[0] not in way.unmeasured]
    if not less:
        return ()
    return (message("seen with {options}: less than it takes to judge the claim", options=", ".join(less)),)


def _narrowed(result: Result) -> Told:
    names = ", ".join(result.facts.only)
    return (message("narrowed to {names}: not all that judges the claim was made", names=names),) if names else ()


def is_smaller(result: Result) -> bool:
    """Whether a run made less than the document's plan."""
    return bool(result.facts.smaller)


def seen_with(result: Result) -> Told:
    """By what a run was smaller or faster than a whole one, and what of a team's own it judged; () of any other."""
    given = (*result.facts.smaller, *result.facts.in_place)
    return (message("seen with {options}", options=", ".join(given)),) if given else ()


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
