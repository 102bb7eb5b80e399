"""From what a run left to its ``Result``: judged, every judgement asked for accounted for, decided. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import msgspec

from harness.base.errors import Exit
from harness.checks.cause import cause
from harness.checks.read_facts import timeline
from harness.evidence.store import Gathered
from harness.model.judgement import Decision, Expected, Judgement, Kind, Verdict, lacking_words
from harness.model.message import Message, message
from harness.model.result import Child, Part, Result
from harness.model.section import Section
from harness.rules import machine_share
from harness.rules.engine import published
from harness.rules.finding import error_words
from harness.rules.judged import MEASUREMENT, combine, exit_status
from harness.run.rehearsal import Rehearsal, RunRecord, cost_sections

P = TypeVar("P")
D = TypeVar("D", bound=msgspec.Struct)


@dataclass(frozen=True)
class Page:
    """What a result shows besides its judgements."""

    title: Message
    parts: tuple[Part, ...] = ()
    sections: tuple[Section, ...] = ()


def sections(rehearsal: Rehearsal[P, D], plan: P, seen: RunRecord[D]) -> tuple[Section, ...]:
    """What the page of a run that was judged shows besides: where to look for the cause, calls that contradict each
    other, then the rehearsal's own, then what it cost of the month's availability."""
    found = cause(seen.evidence, seen.judgements, seen.facts.anchor, ended=seen.ended)
    own = (*found, *timeline(seen.judgements), *rehearsal.sections(plan, seen))
    return (*own, *cost_sections(rehearsal.costs(plan, seen)))


def with_facts(rehearsal: Rehearsal[P, D], plan: P, seen: RunRecord[D]) -> RunRecord[D]:
    """The same with its facts, which are computed once for the judgements and the page."""
    return replace(seen, measured=tuple(rehearsal.facts_of(plan, seen)))


def judged(rehearsal: Rehearsal[P, D], plan: P, seen: RunRecord[D]) -> tuple[Judgement, ...]:
    """All judgements on a run. One that the plan asks for and that is not there is not exercised where the environment
    lacks what its part needs, except in a week, which nothing unproved may advance; else it is inconclusive, and gates.

    Raises ``ValueError`` when two judgements have one part and one id.
    """
    found = [*rehearsal.by_rules(plan, seen)]
    twice = [key for key, count in Counter(each.key for each in found).items() if count > 1]
    if twice:
        raise ValueError(f"{rehearsal.name}: judged twice: {twice}")
    evidence = seen.evidence
    all_of = accounted(
        rehearsal.expected(plan, seen.facts),
        found,
        ended=seen.ended,
        lacking=lambda part: (
            () if rehearsal.decides else rehearsal.missing_capabilities(plan, seen.facts.capabilities, part)
        ),
    )
    share = machine_share.observed(evidence.samples, [*evidence.requests, *evidence.probes])
    return (*all_of, *measurement(evidence), *share)


def measurement(evidence: Gathered) -> Iterator[Judgement]:
    """An error of the measurement holds every run, whenever it was: neither pass nor fail, and named. That a criterion
    which it concerns is inconclusive says nothing of the checks and of what was seen before and after its window."""
    errors = evidence.ledger.measurement_errors
    if errors:
        yield Judgement(
            id=MEASUREMENT, kind=Kind.CHECK, verdict=Verdict.INCONCLUSIVE, told=(error_words(list(errors)),)
        )


def accounted(
    expected: Iterable[Expected],
    found: Sequence[Judgement],
    *,
    ended: bool = True,
    lacking: Callable[[str], Sequence[str]] = lambda _: (),
) -> Iterator[Judgement]:
    """What was ``found``, then what was ``expected`` and is not there: inconclusive, and gating; of a part that the
    environment is ``lacking`` something for not exercised. One that rests on less than is expected is inconclusive.
    """
    due = (each for each in expected if each.kind is not Kind.OBSERVATION)
    wanted = {each[:2]: each for each in sorted(due, key=lambda each: each.least)}
    for judgement in found:
        of = wanted.get(judgement.key)
        yield judgement if of is None or lacking(of.part) else _cut(judgement, of.least)
    keys = {each.key for each in found}
    claims = {(each.part, claim) for each in found for claim in each.claims}
    for key, each in wanted.items():
        if key not in keys and not (each.id == each.claim and key in claims):
            yield _absent(each, lacking(each.part), ended=ended)


def _cut(found: Judgement, least: int) -> Judgement:
    """``found`` with its good word taken back where it rests on less than ``least``."""
    if found.samples >= least or found.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        return found
    why = message("not in evidence: {count} of {all}", count=str(least - found.samples), all=str(least))
    return msgspec.structs.replace(found, verdict=Verdict.INCONCLUSIVE, told=(why, *found.told), erratum="", gates=True)


def _absent(one: Expected, lacking: Sequence[str], *, ended: bool) -> Judgement:
    verdict, why = Verdict.INCONCLUSIVE, message("not in evidence: the run left nothing to judge it by")
    if lacking:
        verdict, why = Verdict.NOT_EXERCISED, lacking_words(lacking)
    elif not ended:
        why = message("not in evidence: the run ended before it was judged")
    return Judgement(
        id=one.id, part=one.part, claim=one.claim, kind=one.kind, verdict=verdict, told=(why,), gates=not lacking
    )


def build_result(
    rehearsal: Rehearsal[P, D],
    plan: P,
    seen: RunRecord[D],
    judgements: tuple[Judgement, ...],
    page: Page,
    *,
    run_id: str,
    broke: Sequence[Exit] = (),
    children: tuple[Child, ...] = (),
    under_way: bool = False,
    evidence_digest: str = "",
) -> Result:
    """The run's document. ``broke`` is what befell it: a run that broke decides nothing, whatever it had seen, but the
    roll back that it carried out. ``under_way``: a sequence that has more runs to come."""
    decision: Decision | None = combine(judgements)
    if (broke and decision is not Decision.ROLL_BACK) or under_way:
        decision = None
    status = exit_status(decision, broke, leaks=bool(seen.facts.leaks))
    return Result(
        rehearsal=rehearsal.name,
        plan=named(rehearsal, plan),
        title=page.title,
        run_id=run_id,
        decides=rehearsal.decides,
        decision=decision,
        exit_status=None if under_way else int(status),
        facts=seen.facts,
        parts=page.parts,
        judgements=judgements,
        measured=published(seen.measured or (), rehearsal.rules, plan),
        sections=page.sections,
        children=children,
        details=msgspec.json.decode(msgspec.json.encode(seen.details)),
        own_claims=getattr(plan, "own_claims", ()),  # of a plan that brings a team's own document
        evidence_digest=evidence_digest,
    )


def named(rehearsal: Rehearsal[P, D], plan: P) -> str:
    """The plan's name; the rehearsal's where it has none."""
    return str(getattr(plan, "name", rehearsal.name))


def details_of(rehearsal: Rehearsal[Any, D], result: Result) -> D:
    """The rehearsal's own facts of a stored run. Raises ``msgspec.ValidationError`` when they are another's."""
    return msgspec.convert(result.details, type=rehearsal.details)
