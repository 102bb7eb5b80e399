"""The page as data, from what was found, what was decided and the page of last time. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from harness.model.claim import Claim, Consequence
from harness.model.message import Message, Told, message
from harness.report.signoff.decisions import weighed
from harness.report.signoff.links import short
from harness.report.signoff.states import runs, standings
from harness.report.signoff.types import (
    Blocker,
    ClaimStanding,
    ClaimState,
    DecisionEntry,
    Doubt,
    EvidenceWanted,
    Signoff,
    StateChange,
    StoredResult,
)


def document(
    register: Mapping[str, Claim],
    stored: Sequence[StoredResult],
    asked: EvidenceWanted,
    *,
    lines: Sequence[str] = (),
    decisions: Sequence[DecisionEntry] = (),
    unreadable: tuple[str, ...] = (),
    previous: Signoff | None = None,
    ledger: Told = (),
) -> Signoff:
    """The page of ``asked``. One of another target is no ``previous`` one."""
    found = standings(register, stored, asked, lines, ledger)
    by_claim = {each.claim: each for each in found}
    entries = weighed(decisions, by_claim, asked.now_utc[:10])
    counting = {each.of: each for each in entries if not each.void}
    doubts = tuple(_doubts(register, by_claim, counting))
    open_ = [*_open(register, found, doubts, asked.phase)]
    before = previous if previous is not None and previous.asked.target == asked.target else None
    return Signoff(
        asked=asked,
        blockers=tuple(sorted((each for each in open_ if each.of not in counting), key=partial(_gravest, by_claim))),
        standings=found,
        errata=doubts,
        decisions=entries,
        accepted=tuple(each.of for each in open_ if each.of in counting and not counting[each.of].corrected_in),
        runs=runs(stored, asked, register),
        unreadable=unreadable,
        previous_utc="" if before is None else before.asked.now_utc,
        other=() if before is None else tuple(_other(before.asked, asked)),
        changes=() if before is None else tuple(_changes(before.standings, found)),
    )


def _gravest(standings_: Mapping[str, ClaimStanding], each: Blocker) -> tuple[int, bool]:
    """What comes first: the gravest, and of what is as grave what failed."""
    failed = each.of in standings_ and standings_[each.of].state is ClaimState.FAILED
    return [*Consequence].index(each.consequence), not failed


def of_phase(claim: Claim, phase: int) -> bool:
    """Whether the page about ``phase`` asks for the claim; others are listed apart and block nothing."""
    return claim.phase == phase and not claim.not_rehearsed


def _doubts(
    register: Mapping[str, Claim], standings_: Mapping[str, ClaimStanding], counting: Mapping[str, DecisionEntry]
) -> Iterator[Doubt]:
    for claim in register.values():
        shown = {
            each.judgement.erratum
            for each in standings_[claim.id].evidence
            if each.state is ClaimState.DOCUMENT_WRONG and not each.refused
        }
        for erratum in claim.errata:
            yield Doubt(
                erratum=erratum.id,
                claim=claim.id,
                consequence=erratum.consequence,
                found=erratum.found,
                seen=erratum.id in shown,
                closed=erratum.id in counting,
            )


def _open(
    register: Mapping[str, Claim], found: Sequence[ClaimStanding], doubts: Sequence[Doubt], phase: int
) -> Iterator[Blocker]:
    """What blocks unless somebody accepts it: of the phase, what failed or is not shown, and every grave erratum."""
    for each in found:
        claim = register[each.claim]
        if of_phase(claim, phase) and _stands_in_the_way(claim, each):
            yield Blocker(of=claim.id, consequence=claim.consequence, told=each.told, way=each.way)
    for doubt in doubts:
        claim = register[doubt.claim]
        if claim.phase == phase and doubt.consequence.grave:
            erratum = next(each for each in claim.errata if each.id == doubt.erratum)
            told = (
                Message(text=erratum.why),
                message("write instead: {correction}", correction=Message(text=erratum.correction)),
            )
            yield Blocker(of=doubt.erratum, consequence=doubt.consequence, told=told)


def _stands_in_the_way(claim: Claim, standing: ClaimStanding) -> bool:
    """A claim of a wrong document blocks by its grave errata; where nobody names one, by its own consequence."""
    if standing.state is ClaimState.DOCUMENT_WRONG:
        seen = any(each.judgement.erratum for each in standing.evidence if each.state is ClaimState.DOCUMENT_WRONG)
        return not (claim.errata or seen) and claim.consequence.grave
    return standing.state is not ClaimState.SHOWN


def _other(before: EvidenceWanted, now: EvidenceWanted) -> Iterator[Message]:
    """What claims may stand elsewhere by, though nothing was run in between. A program has digests of itself and of its
    image, of which one may not be known: where Docker did not answer, or the image was not built yet."""
    one, other = {*before.digests}, {*now.digests}
    if not (one <= other or other <= one):
        yield message("It was of another program or image ({digests}).", digests=", ".join(map(short, before.digests)))


def _changes(before: Sequence[ClaimStanding], now: Sequence[ClaimStanding]) -> Iterator[StateChange]:
    """The claims whose state is another; one that the register did not have is none."""
    states = {each.claim: each.state for each in before}
    for each in now:
        if (was := states.get(each.claim, each.state)) is not each.state:
            yield StateChange(claim=each.claim, before=was, now=each.state)
