"""How the checks of walks are judged: lost and doubled writes, what answers showed, whose walks they were."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from harness.checks.acknowledged import Acknowledged
from harness.checks.applied_once import Once
from harness.checks.isolation import AnswerCounts, Isolation
from harness.checks.off_in_time import unseen_words
from harness.checks.sent import Sent
from harness.checks.tables import CONTRACT, LOCATIONS, ColumnLayout
from harness.model.judgement import Judgement, Verdict
from harness.model.message import Message, Told, message
from harness.rules.judged import result, with_examples

ACKNOWLEDGED, ONCE, READS = "writes.acknowledged", "writes.applied_once", "reads.acknowledged"
ISOLATION, STATUSES, BODIES = "walks.isolation", "walks.statuses", "walks.bodies"
#: The contract of /v1/walks: what is acknowledged is kept and shown, a walk is its owner's, answers are as it says.
#: Where an answer came from, and what it waited for, none of them says: that is seen with Firestore away (``chaos``).
CLAIM = dict.fromkeys((ACKNOWLEDGED, ONCE, READS, ISOLATION, STATUSES, BODIES), "api.version")
_EXAMPLES = 3
#: Without these it is not known what is there more often than it was sent.
_COUNTED = frozenset(
    {"walks.user_id", "walks.title", LOCATIONS, f"{LOCATIONS}.walk_id", f"{LOCATIONS}.sequence_number"}
)


def acknowledged_result(found: Acknowledged, sent: Sent, layout: ColumnLayout = CONTRACT) -> Judgement:
    """No write is not enough, and evidence that does not fit the schedule, or a column unread, proves nothing. Of who
    has a request without a row, what looks lost may have been written over, or deleted, by just that one."""
    lost = any(each.user not in sent.untold for each in found.lost)
    verdict = Verdict.FAIL if lost else Verdict.PASS if found.writes else Verdict.INCONCLUSIVE
    if verdict is Verdict.PASS and layout.unread:
        verdict = Verdict.NOT_EXERCISED
    if (sent.unmatched or sent.untold) and not lost:
        verdict = Verdict.INCONCLUSIVE
    told = (*with_few(found.told, [lost.told for lost in found.lost]), *_unknown(sent))
    told = (*told, *layout.why, *layout.risks)
    return result(ACKNOWLEDGED, CLAIM[ACKNOWLEDGED], verdict, found.lost_writes, found.writes, told)


def once_result(found: Once, sent: Sent, layout: ColumnLayout = CONTRACT) -> Judgement:
    """As above. A row whose sending is not known would look like one that nobody sent; what is there twice is so."""
    verdict = Verdict.FAIL if found.repeated else Verdict.PASS if found.walks else Verdict.INCONCLUSIVE
    unread = among(layout, _COUNTED)
    if verdict is not Verdict.FAIL and unread:
        verdict = Verdict.NOT_EXERCISED
    if (sent.unmatched or sent.untold) and not found.twice:
        verdict = Verdict.INCONCLUSIVE
    told = (*with_few(found.told, found.repeated), *_unknown(sent), *unread)
    return result(ONCE, CLAIM[ONCE], verdict, len(found.repeated), found.walks, told)


def isolation_results(found: Isolation, unread: tuple[Verdict, Told] | None = None) -> tuple[Judgement, ...]:
    """Leaked data, wrong statuses and wrong bodies, a check each. ``unread``: what it means that the stores, or the
    API after the load, could not be asked, and why; ``None`` when they were.

    At least one walk of another's must have been asked for and answered, and it must be known whether it changed.
    """
    answered = found.asked - found.unanswered
    seen = Verdict.PASS if answered else Verdict.INCONCLUSIVE
    unseen, why = unread or (Verdict.NOT_EXERCISED if found.unseen else seen, ())
    heard = Verdict.PASS if found.answered else Verdict.INCONCLUSIVE
    judged = (
        (ISOLATION, found.leaked, unseen, found.answered + answered, (*found.told_of_leaks, *why)),
        (STATUSES, found.statuses, seen, found.answered + answered, found.told_of_statuses),
        (BODIES, found.bodies, heard, found.answered, found.told_of_bodies),
    )
    return tuple(
        result(check, CLAIM[check], Verdict.FAIL if wrong else verdict, len(wrong), samples, with_few(told, wrong))
        for check, wrong, verdict, samples, told in judged
    )


def as_answered(told: Judgement, answers: AnswerCounts) -> Judgement:
    """One of these as its run told it, or failed by what the rows of its ``answers`` say: they are evidence, too."""
    wrong = {ISOLATION: answers.leaked, STATUSES: answers.statuses, BODIES: answers.bodies}.get(told.id, ())
    if not wrong or told.verdict is Verdict.FAIL:
        return told
    return result(told.id, CLAIM[told.id], Verdict.FAIL, len(wrong), told.samples, with_few(told.told, wrong))


def among(layout: ColumnLayout, places: Collection[str]) -> Told:
    """What of ``places`` was not read."""
    return tuple(each.told for each in layout.unread if each.place in places)


def with_few(told: Told, examples: Sequence[str] | Sequence[Message]) -> Told:
    return with_examples(told, examples[:_EXAMPLES])


def _unknown(sent: Sent) -> Told:
    told = unseen_words(sent.untold)
    if not sent.unmatched:
        return told
    count, first = str(len(sent.unmatched)), sent.unmatched[0]
    return (message("{count} writes do not fit the schedule, the first is {first}", count=count, first=first), *told)
