"""What ``signoff`` says on the terminal: counts, what stands in the way, what to type next, the page, the decision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

from harness.base.errors import Exit
from harness.base.typed import PROGRAM
from harness.model.claim import Claim
from harness.report.language import Language, cut
from harness.report.words import ASK
from harness.signoff.decisions import DECISIONS
from harness.signoff.errata import decided, statuses
from harness.signoff.links import short
from harness.signoff.page import Tally, headline
from harness.signoff.types import CONSEQUENCE, Signoff

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
    yield from Tally(document, register).lines(say)
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
