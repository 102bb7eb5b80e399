"""What ``signoff`` says on the terminal: the counts, what is to be corrected, what is not ready, what is missing and
why, where the page is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.base.errors import Exit
from harness.model.claim import Claim
from harness.report.language import Language, padded
from harness.report.words import ASK, report_line
from harness.signoff.links import short
from harness.signoff.page import corrections, counted, judged_by, missing
from harness.signoff.types import WORD, Signoff, State

#: So many claims that are not ready are named, and reasons why others were not exercised.
_MOST = 12


def closing_lines(
    document: Signoff, register: Mapping[str, Claim], page: str, say: Language, status: Exit
) -> Iterator[str]:
    """The lines; ``status`` is what the command ends in."""
    asked = document.asked
    digests = say.listed(map(short, asked.digests)) or say("program or image unknown: {ask}", ask=say(ASK))
    counting = sum(not run.left_out for run in document.runs)
    yield say("target {target} ({digests})", target=say(asked.target), digests=digests)
    yield say("{count} of {total} runs that were found count", count=counting, total=len(document.runs))
    yield from filter(None, (judged_by(document, say), counted(document, say), *corrections(document, register, say)))
    against = [each for each in document.standings if each.state is State.NOT_READY]
    for each in against[:_MOST]:
        yield f"  {padded(say(WORD[each.state]), 13)} {each.claim}: {say.told(each.told, '')}"
    if len(against) > _MOST:
        yield "  " + say("and {count} more", count=len(against) - _MOST)
    reasons = [(reason, len(claims)) for reason, claims in missing(document, say)]
    for reason, count in reasons[:_MOST]:
        yield f"  {padded(say(WORD[State.NOT_EXERCISED]), 13)} {count}: {reason}"
    if len(reasons) > _MOST:
        yield "  " + say("and {count} more", count=sum(count for _, count in reasons[_MOST:]))
    yield report_line(page, status, say)
