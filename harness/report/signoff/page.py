"""``signoff.html``: the page of the document in one language, one file that opens offline and prints. Pure but for the
template, which draws the document's own structs.

What ``signoff`` says on the terminal: counts, what stands in the way, what to type next, the page, the decision.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from harness.base.errors import Exit
from harness.base.typed import PROGRAM
from harness.base.units import DAY_S
from harness.model.claim import Claim, Consequence
from harness.model.message import message
from harness.report import words
from harness.report.html import page
from harness.report.language import Language, cut
from harness.report.signoff.decisions import DECISIONS, blind, fields
from harness.report.signoff.document import KnownErrata, decided, how_known, of_phase, stamp, statuses
from harness.report.signoff.links import age, href, short
from harness.report.signoff.types import CONSEQUENCE, WORD, Blocker, ClaimState, Doubt, FoundRun, Signoff
from harness.report.words import ASK

#: So many blockers are named, and so many decisions that do not count.
_MOST, _MOST_VOID = 10, 3
_COLUMNS = 80


def closing_lines(
    document: Signoff, register: Mapping[str, Claim], page: str, say: Language, status: Exit
) -> Iterator[str]:
    """The lines, at most 30; ``status`` is what the command ends in."""
    asked, blockers = document.asked, document.blockers
    digests = say.listed(map(short, asked.digests)) or say("program or image unknown: {ask}", ask=say(ASK))
    yield say("target {target} ({digests})", target=say(asked.target), digests=digests)
    counts = {"count": sum(not run.left_out for run in document.runs), "total": len(document.runs)}
    yield say("{count} of {total} stored runs in {reports} count", reports=str(Path(page).parent.parent), **counts)
    yield from StateTally(document, register).lines(say)
    yield say(
        "shown: a run that suffices held; failed: a run refuted it; document wrong: it cannot hold as printed; "
        "not shown: no run that suffices yet"
    )
    yield say("errata: {counts}", counts=statuses(document.errata, decided(document), say))
    claims = sum(each.of in register for each in blockers)
    if blockers:
        parts = {"count": len(blockers), "claims": claims, "errata": len(blockers) - claims}
        yield say("in the way: {count} = {claims} claims + {errata} grave errata, the gravest first:", **parts)
    for consequence, found in groupby(blockers[:_MOST], lambda each: each.consequence):
        yield f"  {say(CONSEQUENCE[consequence])}:"
        yield from (cut(f"    {each.of}: {say.told(each.told, '')}", _COLUMNS) for each in found)
    yield from _more(len(blockers) - _MOST, say)
    void = [each for each in document.decisions if each.void]
    for entry in void[:_MOST_VOID]:
        what = {"place": entry.place, "of": entry.of, "why": say.told(entry.void, "")}
        yield "  " + say("{place}: the decision on {of} does not count: {why}", **what)
    yield from _more(len(void) - _MOST_VOID, say)
    if blockers:
        way = next((each.way for each in blockers if each.way), f"{PROGRAM} signoff --template > {DECISIONS}")
        count = sum(each.way == way for each in blockers)
        yield say("next, for {count} of them: {command}", count=count or len(blockers), command=way)
    yield say("report: {path}", path=page)
    yield say("{decision} (exit status {status})", decision=headline(document, say), status=str(int(status)))


def _more(count: int, say: Language) -> Iterator[str]:
    if count > 0:
        yield "  " + say("and {count} more", count=count)


G = TypeVar("G", Blocker, Doubt)
Chapters = Mapping[str, tuple[Claim, ...]]
_TEMPLATES = Path(__file__).with_name("templates")
#: So many blockers are unfolded as the page opens, and as many more as are as grave as the last of them.
_MOST_OPEN = 12
#: So many rows of a group are shown before the rest is folded, so that a print has some ten pages.
_MOST_ROWS = 30

SIGN = {ClaimState.SHOWN: "✓", ClaimState.FAILED: "✗", ClaimState.DOCUMENT_WRONG: "≠", ClaimState.NOT_SHOWN: "–"}
#: The style sheet's class of each.
CSS = {
    ClaimState.SHOWN: "pass",
    ClaimState.FAILED: "fail",
    ClaimState.DOCUMENT_WRONG: "erratum_shown",
    ClaimState.NOT_SHOWN: "not_exercised",
}


class StateTally:
    """How many claims are in each state, and how many the page does not ask for; of ``only`` some, where it is given.
    The counts of the states add up to ``total``."""

    def __init__(self, document: Signoff, register: Mapping[str, Claim], only: Iterable[str] | None = None) -> None:
        names = register.keys() if only is None else {*only}
        found = [(register[each.claim], each) for each in document.standings if each.claim in names]
        self.phase = document.asked.phase
        self.states = Counter(each.state for claim, each in found if of_phase(claim, self.phase))
        self.total = self.states.total()
        self.never = sum(bool(claim.not_rehearsed) for claim, _ in found)
        self.later = len(found) - self.total - self.never

    def lines(self, say: Language) -> Iterator[str]:
        """The sum, and what is counted apart."""
        states = " + ".join(
            say("{count} {verdict}", count=self.states[each], verdict=say(WORD[each])) for each in ClaimState
        )
        yield say("{states} = {total} claims of Phase {phase}", states=states, total=self.total, phase=self.phase)
        if self.later or self.never:
            apart = {"later": self.later, "never": self.never}
            yield say("apart, blocking nothing: {later} of later phases, {never} not rehearsed", **apart)


def headline(document: Signoff, say: Language) -> str:
    """What is decided: whether the document may be signed."""
    if count := len(document.blockers):
        return say("Not to be signed yet: {count} things stand in the way", count=count)
    if count := len(document.accepted):
        return say("Nothing blocks: signed with {count} accepted gaps", count=count)
    return say("Nothing blocks: signed without a gap")


def by_consequence(found: Sequence[G], say: Language) -> Iterator[tuple[str, list[G], bool]]:
    """What has each consequence, the gravest first, and whether it is unfolded as the page opens."""
    shown = 0
    for consequence in Consequence:
        if its := [each for each in found if each.consequence is consequence]:
            yield say(CONSEQUENCE[consequence]).capitalize(), its, shown < _MOST_OPEN
            shown += len(its)


def _said(run: FoundRun, say: Language) -> str:
    """Why nothing of a run counts, or how it ended, and what it is no evidence of."""
    ended = message("exit status {status}", status=str(run.exit_status))
    return say.told(run.left_out or (ended, *run.limits), "")


def context(
    document: Signoff, register: Mapping[str, Claim], chapters: Chapters, known: KnownErrata, say: Language
) -> dict[str, Any]:
    """Everything that the template names. Of a stored page, what the register has no more is left out."""
    asked, entries = document.asked, decided(document)
    standings = {each.claim: each for each in document.standings if each.claim in register}
    errata = {erratum.id: erratum for claim in register.values() for erratum in claim.errata}
    unshown = {each.claim for each in document.standings if each.state is not ClaimState.SHOWN}
    doubts = [each for each in document.errata if each.erratum in errata]
    owners = {each.erratum: each.claim for each in doubts}
    blockers = [each for each in document.blockers if each.of in standings or each.of in owners]

    def which(asks: Callable[[Claim], bool]) -> list[Claim]:
        return [register[name] for name in standings if asks(register[name])]

    sections = [
        (
            say(title),
            f"chapter-{number}",
            which(claims.__contains__),
            StateTally(document, register, (each.id for each in claims)),
        )
        for number, (title, claims) in enumerate(chapters.items(), 1)
    ]
    return {
        "document": document, "register": register, "standings": standings, "entries": entries, "errata": errata,
        "runs": {run.folder: run for run in document.runs},
        "owners": owners, "headline": headline(document, say), "tally": StateTally(document, register),
        "ask": words.ASK,
        "made": say.moment(asked.now_utc), "previous": say.moment(document.previous_utc),
        "most_days": f"{asked.max_age_s / DAY_S:g}", "decisions_file": DECISIONS, "most_rows": _MOST_ROWS,
        "states": [*ClaimState], "SIGN": SIGN, "WORD": WORD, "CSS": CSS,
        "words": words, "href": href, "age": age, "short": short,
        "stamp": partial(stamp, say=say), "how_known": partial(how_known, known=known, say=say),
        "statuses": partial(statuses, decided_=entries, say=say),
        "said_of": partial(_said, say=say),
        "entry": lambda each: f"- {{{', '.join(fields(each, register.get(each.of), standings.get(each.of)))}}}",
        "blockers": [*by_consequence(blockers, say)],
        "accepted": [entries[each] for each in document.accepted],
        "void": [each for each in document.decisions if each.void],
        "doubts": doubts, "doubts_by": [*by_consequence(doubts, say)],
        "sections": [sections[-1], *sections[:-1]],
        "blind": [each for each in which(blind) if of_phase(each, asked.phase) and each.id in unshown],
        "persons": which(lambda claim: claim.by_person and of_phase(claim, asked.phase)),
        "later": which(lambda claim: not claim.not_rehearsed and claim.phase != asked.phase),
        "never": which(lambda claim: bool(claim.not_rehearsed)),
        "counting": [run for run in document.runs if not run.left_out],
        "left_out": [run for run in document.runs if run.left_out],
    }  # fmt: skip


def render(
    document: Signoff,
    register: Mapping[str, Claim],
    chapters: Chapters,
    say: Language,
    known: KnownErrata,
    **files: str,
) -> str:
    """The page; ``other`` is the file of the same page in the other language, ``errata_file`` of the errata in this."""
    of = {**context(document, register, chapters, known, say), **files}
    return page("signoff.html.j2", say, of, folder=_TEMPLATES)
