"""What counts as evidence, and why not: of a run as a whole, for a claim, and of what passes in it. Pure.

A run that is none of the document's plan on the target that is asked for counts neither for nor against anything, and
none does for a claim that depends on what is another today: the program, the manifests, the cluster's version, the
document, this repository's rules. One that injected faults is evidence of the roll back alone. Of what counts, all that
fails counts against its claim; what passes is good for nothing where the run broke or measured wrongly, made a part of
the claim's checks, or asked for less than the document does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import chain

from harness.base.errors import Exit
from harness.base.units import DAY_S
from harness.model.claim import Claim, Dependency
from harness.model.judgement import Judgement
from harness.model.message import Message, Told, first_line, message
from harness.model.result import Result
from harness.model.stack import EnvironmentKind
from harness.report.signoff.types import EvidenceWanted, StoredResult
from harness.report.words import ASK
from harness.rules.judged import MEASUREMENT

#: How a run ends that carried out what it was to; any other ending is a broken run's.
_ENDED = (Exit.OK, Exit.HOLD, Exit.ROLLED_BACK)
#: Begins the claims that only a run with an injected fault can be evidence of.
_ROLL_BACK = "rollout.rollback."


def left_out(stored: StoredResult, asked: EvidenceWanted, on: Collection[Dependency] = tuple(Dependency)) -> Told:
    """Why nothing of a run counts for what depends ``on`` that; () where it does."""
    reasons = chain(_against_all(stored.result, asked), _changed(stored, asked, on))
    return next(((reason,) for reason in reasons), ())


def left_out_for_all(stored: StoredResult, asked: EvidenceWanted, about: Iterable[Claim]) -> Told:
    """Why a run counts for none of the claims that it is ``about``; () where it counts for one."""
    reasons = [left_out(stored, asked, each.rests_on) for each in about] or [left_out(stored, asked)]
    return reasons[0] if all(reasons) else ()


def about(result: Result, register: Mapping[str, Claim]) -> list[Claim]:
    """The claims of ``register`` that a run judges, by themselves or by an erratum of theirs."""
    seen = {name for each in result.judgements for name in (*each.claims, each.erratum)}
    named = [each for each in register.values() if not seen.isdisjoint((each.id, *(one.id for one in each.errata)))]
    return [each for each in named if not each.by_person]


def commands(result: Result) -> set[str]:
    """By what commands a claim is judged that names the run's own; a week alone is the rollout's, too."""
    command = result.facts.replay.partition(" -m harness ")[2].partition(" ")[0]
    return {command, "rollout"} if command == "run" else {command}


def _changed(stored: StoredResult, asked: EvidenceWanted, on: Collection[Dependency]) -> Iterator[Message]:
    digest = stored.result.facts.target_digest
    if Dependency.PROGRAM in on:
        if not digest:
            yield message("it does not say of which program or image it is: {ask}", ask=Message(text=ASK))
        elif not asked.digests:
            yield message("it is not known which program or image the target is today: {ask}", ask=Message(text=ASK))
        elif digest not in asked.digests:
            yield message("another program or image: {digest}", digest=digest)
    yield from (why for what, why in stored.changed.items() if what in on)


def _against_all(result: Result, asked: EvidenceWanted) -> Iterator[Message]:
    facts, age = result.facts, age_s(result, asked)
    if facts.rung is EnvironmentKind.SIM:
        yield message("simulated: no evidence for a sign-off")
    if facts.target != asked.target:
        yield message("another target: {target}", target=facts.target)
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


def limits(stored: StoredResult, asked: EvidenceWanted, about: Iterable[Claim] = ()) -> Told:
    """What a run that counts is no evidence of; () where it counts for all that it says."""
    result, on = stored.result, {each for claim in about for each in claim.rests_on}
    more = [message("{why}: it shows nothing that depends on it", why=each) for each in _changed(stored, asked, on)]
    return (*_injected(result), *_smaller(result), *_narrowed(result), *more)


def unproven(stored: StoredResult) -> Told:
    """Why nothing is ready by a stored run, though what it saw fail counts: it is ``broken``, or its evidence is gone,
    and nobody can see whether it says so. () where neither is so."""
    return broken(stored.result) or gone(stored)


def gone(stored: StoredResult) -> Told:
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


def in_part(result: Result, judgement: Judgement, claim: Claim) -> Told:
    """Why a pass is no try of a claim; () where it is. The run made less than the document's plan, beside what
    ``claim.unmeasured`` names; or it was narrowed, and not to this check by its name."""
    less = _smaller(result, claim.unmeasured)
    return less or (() if _by_name(result, judgement) else one_of_some(result, judgement, claim))


def one_of_some(result: Result, judgement: Judgement, claim: Claim) -> Told:
    """Why a pass alone does not show the whole of a claim; () where it may. The run made some checks alone, and this is
    neither a part that it made whole, nor the claim's own check, nor chosen by one of ``claim.whole_in``."""
    own = judgement.id in judgement.claims and _by_name(result, judgement)
    whole = own or bool(result.parts and judgement.part) or _among(claim.whole_in, result.facts.only)
    return () if whole else _narrowed(result)


def _by_name(result: Result, judgement: Judgement) -> bool:
    return _among((judgement.id,), [each for each in result.facts.only if "." in each])


def _smaller(result: Result, unmeasured: Sequence[str] = ()) -> Told:
    less = [each for each in result.facts.smaller if each.partition(" ")[0] not in unmeasured]
    if not less:
        return ()
    return (message("seen with {options}: less than it takes to judge the claim", options=", ".join(less)),)


def _narrowed(result: Result) -> Told:
    names = ", ".join(result.facts.only)
    return (message("narrowed to {names}: not all that judges the claim was made", names=names),) if names else ()


def seen_with(result: Result) -> Told:
    """By what a run was smaller or faster than a whole one, and what of a team's own it judged; () of any other."""
    given = (*result.facts.smaller, *result.facts.in_place)
    return (message("seen with {options}", options=", ".join(given)),) if given else ()


def _among(names: Iterable[str], patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, each) for name in names for each in patterns)


def age_s(result: Result, asked: EvidenceWanted) -> float | None:
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
