"""The facts of the weeks over one population: who moved, what moved with them, and what was lost on the way. Pure.

What each leg's week asks of samples: its criteria, the flag's log, and how fast a roll back was. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from harness.base.message import gettext_noop
from harness.base.ticks import NS
from harness.checks import mirror_facts
from harness.checks.agreement import DUAL_WRITE
from harness.checks.invariants import OFF, switch_over_result
from harness.checks.off_in_time import not_whole_since
from harness.checks.stepwise import written_of
from harness.checks.walk_results import ACKNOWLEDGED
from harness.checks.whole_run import of_whole_run
from harness.evidence.store import Gathered
from harness.load.population.schedule import answered_by, on_api, requests_due, stayers_due
from harness.model.evidence import Due, Operation, Outcome, RequestRow, Side, Window
from harness.model.judgement import Expected, Judgement, Kind, Verdict
from harness.model.message import Message, message
from harness.rehearsals.one_stack.types import (
    STOP,
    EndedAccount,
    Leg,
    LegSeen,
    OldWalksShown,
    OneStackDetails,
    OneStackPlan,
    UserRecords,
    due_of,
    legs_of,
)
from harness.rules import flag_log
from harness.rules.bounds import ratio_lower, ratio_upper
from harness.rules.criteria import judge
from harness.rules.judged import informational
from harness.rules.ledger import Ledger, missing_samples
from harness.rules.planned import lost_words
from harness.rules.rule import Fact, FactsOf
from harness.rules.switch_over import switch_over
from harness.run.rehearsal import RunRecord

_SEPARATE = message("the week's own run judges the claim")


def expected(plan: OneStackPlan) -> Iterator[Expected]:
    """Of each leg its week's, and of a roll back by the plan its end."""
    for leg in legs_of(plan):
        ids = (*(each.id for each in leg.scenario.criteria), flag_log.SHARE, flag_log.STEADY)
        yield from (Expected(leg.part, id_) for id_ in ids)
    if plan.roll_back_after:
        yield Expected(f"week{plan.roll_back_after}", OFF, kind=Kind.CHECK)


def words(plan: OneStackPlan, seen: RunRecord[OneStackDetails]) -> Iterator[Judgement]:
    """Of the weeks' criteria and the flag, leg by leg, and of a roll back the leg that it ended; then of the checks of
    the whole run: that nothing is mirrored holds nothing once the plan has stopped the mirror."""
    entered = {each.part: each for each in seen.details.legs}
    for leg in legs_of(plan):
        if leg.part in entered:
            for each in _of_leg(plan, leg, entered[leg.part], seen):
                yield msgspec.structs.replace(each, part=leg.part, claim="", also=())
        if leg.part == seen.details.rolled_back and seen.details.off_ns is not None:
            yield msgspec.structs.replace(_switched_back(leg, seen.details.off_ns, seen), part=leg.part)
    stopped = any(not step.share_percent for step in seen.details.steps)
    for each in of_whole_run(seen.evidence.events):
        nothing = each.id == DUAL_WRITE and each.verdict is Verdict.NOT_EXERCISED
        yield informational(each) if stopped and nothing else each
    yield written_of(seen.evidence.requests)


def _of_leg(plan: OneStackPlan, leg: Leg, went: LegSeen, seen: RunRecord[OneStackDetails]) -> Iterator[Judgement]:
    if went.start_ns is None or went.end_ns is None or seen.details.origin_ns is None:
        return
    window = Window(start_ns=went.start_ns, end_ns=went.end_ns)
    due = due_of(plan, leg, seen.facts.seed, window, origin_ns=seen.details.origin_ns)
    ledger, flag = flag_log.of_rows(seen.evidence.rows[: went.judged_rows])
    judged_ns = went.judged_ns if went.judged_ns is not None else window.start_ns
    for criterion in judge(leg.scenario, ledger, window, judged_ns, due=due):
        yield msgspec.structs.replace(criterion, notes=(*criterion.notes, _SEPARATE))
    yield from flag.results(leg.scenario, judged_ns, _expected_requests(plan, leg, window, judged_ns, seen))


def _expected_requests(
    plan: OneStackPlan, leg: Leg, window: Window, judged_ns: int, seen: RunRecord[OneStackDetails]
) -> Iterator[Due]:
    """What users have due to either side in a leg's ``window`` and must be in evidence as the leg is judged."""
    whole = judged_ns >= window.end_ns and seen.details.rolled_back != leg.part
    end_ns = answered_by(window, judged_ns, leg.scenario.request_timeout_s, whole=whole)
    due = requests_due(plan.population, seen.facts.seed, seen.details.origin_ns or window.start_ns, end_ns)
    return (each for each in due if each.due_ns >= window.start_ns)


def _switched_back(leg: Leg, off_ns: int, seen: RunRecord[OneStackDetails]) -> Judgement:
    """The switch back, of a roll back by the plan or by a limit, by the rows that there were when it was over."""
    ledger, rows = Ledger(), seen.evidence.rows[: seen.details.back_rows]
    ledger.extend(rows)
    users = on_api(leg.scenario.population, seen.facts.seed)
    lacking = not_whole_since((row for row in rows if isinstance(row, RequestRow)), users, off_ns)
    found = switch_over_result(switch_over(ledger, off_ns, users, leg.scenario.switch_over_limit_s), lacking)
    if seen.details.back_rows:
        return found
    told = message("the run ended before everybody was back, or no longer waited for")  # what came is not looked at
    return msgspec.structs.replace(found, verdict=Verdict.INCONCLUSIVE, told=(told,), value=None, examples=())


#: Of walks written before their users moved: those lost, and those of them that a lacking migration does not explain.
_OLD = ("old.lost_walks", "old.unexplained_walks")
PHRASES = {
    **mirror_facts.PHRASES,
    "moved_s": gettext_noop("{users} users moved; the last of {of} on the API had fetched the template after: {seen}"),
    "copied.left_walks": gettext_noop(
        "the migrations read {read} documents in {took} s: {there} walks are in PostgreSQL as in Firestore, or later, "
        "and the last one left {seen}"
    ),
    "migrations": gettext_noop("{seen} migrations"),
    **dict.fromkeys(
        _OLD,
        gettext_noop(
            "{users} users asked for {of} walks that they have not written since: {missing} are not there, {short} "
            "lack locations"
        ),
    ),
    "stayers.failed_ratio": gettext_noop("{failed} of {of} requests of users who stay on Firestore failed"),
    "legs.missing": gettext_noop("{seen} of {of} legs were not measured"),
    "writes.lost": gettext_noop("{seen} of {of} acknowledged writes were lost"),
    "account.left": gettext_noop("{after} s after {user} was deleted at Firebase Auth {seen} of {of} things are left"),
}
_HELD = {
    "rows": gettext_noop("rows of users in PostgreSQL"),
    "walks": gettext_noop("walks in PostgreSQL"),
    "locations": gettext_noop("locations in PostgreSQL"),
    "documents": gettext_noop("documents in Firestore"),
    "photos": gettext_noop("photos in Storage"),
    "consents": gettext_noop("consents in PostgreSQL"),
    "given": gettext_noop("consents in Firestore"),
}


def facts(
    plan: OneStackPlan, details: OneStackDetails, evidence: Gathered, *, seed: int, stops: bool
) -> Iterator[Fact]:
    """The facts of every leg that was measured, and of the whole. ``stops``: the target can stop its mirror."""
    measured = [*_measured(plan, details)]
    for leg, went, _ in measured if details.origin_ns is not None else ():
        fact = FactsOf(PHRASES, leg.part)
        yield _moved(fact, leg, went)
        yield from _copied(fact, went, evidence.requests)
        yield from _old_walks(fact, went)
    if stops:
        yield from mirror_facts.facts(details.steps, STOP)
    else:
        why = message("the environment has no PostgreSQL, or the target no setting that stops its mirror stepwise")
        yield FactsOf(PHRASES, STOP).every(lacks=(why,))
    fact, legs = FactsOf(PHRASES), len([*legs_of(plan)])
    windows = [(leg, window) for leg, _, window in measured]
    yield _stayed(fact, plan, windows, evidence.requests, seed=seed, origin_ns=details.origin_ns)
    yield fact("legs.missing", legs - len(windows), of=legs)
    yield from _lost(fact, of_whole_run(evidence.events))
    yield from _account(fact, details.account)


def _moved(fact: FactsOf, leg: Leg, went: LegSeen) -> Fact:
    """How long it took until everybody had fetched the template of the week."""
    users, all_ = str(went.moving), leg.scenario.population.flag_on
    if went.moved_ns is None or went.published_ns is None:
        return fact("moved_s", low=math.inf, of=all_, users=users)
    return fact("moved_s", (went.moved_ns - went.published_ns) / NS, of=all_, users=users)


def _copied(fact: FactsOf, went: LegSeen, rows: Iterable[RequestRow]) -> Iterator[Fact]:
    """What the last migration before the leg was measured left behind. It may have seen the document of a walk whose
    deletion at the API had reached PostgreSQL and not yet Firestore: each deletion since it began may be one."""
    last = went.migrated[-1] if went.migrated else None
    if last is None or went.start_ns is None or not last.there + last.left:
        yield from fact.none("copied.left_walks", void=(message("no migrated walk was seen"),))
        return
    began_ns = went.moved_ns or went.published_ns or 0
    deleted = {
        row.walk_id
        for row in rows
        if row.side is Side.API and row.operation is Operation.DELETE_WALK and began_ns <= row.sent_ns < went.start_ns
    }
    meanwhile = message("{walks} walks were deleted at the API meanwhile", walks=f"{len(deleted):,}")
    read = " + ".join(f"{each.read:,}" for each in went.migrated)
    took = " + ".join(f"{each.seconds:.0f}" for each in went.migrated)
    yield fact(
        "copied.left_walks", last.left, low=max(0, last.left - len(deleted)), of=last.there + last.left,
        there=f"{last.there:,}", read=read, took=took, besides=(meanwhile,) if last.left and deleted else (),
    )  # fmt: skip


def _old_walks(fact: FactsOf, went: LegSeen) -> Iterator[Fact]:
    """Whether users who moved find the walks that they wrote before. An answer that says nothing of the walk (503, 429,
    none) may hide one that is lost."""
    yield fact("migrations", len(went.migrated))
    seen = went.asked
    if seen is None or not seen.walks:
        if went.moving:
            yield from fact.none(*_OLD, void=(message("none of the users who moved had an old walk"),))
        else:
            yield from fact.none(*_OLD, lacks=(message("nobody moved"),))
        return
    lost = seen.missing + seen.short
    words: dict[str, Any] = {name: str(getattr(seen, name)) for name in ("users", "missing", "short")}
    low, high = (lost, lost) if went.migrated else _unexplained(seen)
    nobody = message("the environment has nothing to migrate to: nobody copied them")
    unread = message("{count} answers say nothing of what was asked for", count=str(seen.unread))
    besides = (*((nobody,) if lost and not went.migrated else ()), *((unread,) if seen.unread else ()))
    yield fact(_OLD[0], lost, of=seen.walks, besides=besides, **words)
    high += seen.unread
    yield fact(_OLD[1], low, high=high, of=seen.walks, besides=besides, examples=seen.examples, **words)


def _unexplained(seen: OldWalksShown) -> tuple[int, int]:
    """The least and the most of the lost walks that are so by another flaw than that nobody copied them: without a copy
    the API does not know a walk, or has it as it was when its user was put back. A run of before told neither."""
    unknown = (0, seen.missing) if seen.unknown is None else (seen.missing - seen.unknown,) * 2
    behind = (0, seen.short) if seen.behind is None else (seen.short - seen.behind,) * 2
    return unknown[0] + behind[0], unknown[1] + behind[1]


def _measured(plan: OneStackPlan, details: OneStackDetails) -> Iterator[tuple[Leg, LegSeen, Window]]:
    """Each leg with the time in which its shares stood: where a limit fired, until the flag went off; then the load may
    have ended."""
    entered = {each.part: each for each in details.legs}
    for leg in legs_of(plan):
        went = entered.get(leg.part)
        if went is None or went.start_ns is None or went.end_ns is None:
            continue
        off = details.off_ns if details.rolled_back == leg.part else None
        yield leg, went, Window(start_ns=went.start_ns, end_ns=went.end_ns if off is None else min(went.end_ns, off))


def _stayed(
    fact: FactsOf,
    plan: OneStackPlan,
    windows: Sequence[tuple[Leg, Window]],
    requests: Collection[RequestRow],
    *,
    seed: int,
    origin_ns: int | None,
) -> Fact:
    """Firebase was never stopped as a whole: those who stayed on Firestore were served in every leg. What is due and
    not in evidence may have failed."""
    rows, due = list[RequestRow](), list[str]()
    for leg, window in windows:
        there = on_api(leg.scenario.population, seed)
        rows += (row for row in requests if window.start_ns <= row.due_ns < window.end_ns and row.user not in there)
        if origin_ns is not None:
            due += (each.id for each in stayers_due(plan.population, leg.scenario.population, seed, origin_ns, window))
    outcomes = [row.outcome is Outcome.OK for row in rows if row.side is Side.FIRESTORE]
    count, failed, missing = (
        len(outcomes),
        outcomes.count(False),
        len(missing_samples(due, (row.operation_id for row in rows))),
    )
    words: dict[str, Any] = {"failed": f"{failed:,}", "besides": lost_words(missing, count)}
    if not count:
        return fact("stayers.failed_ratio", low=0, high=1, **words)
    return fact(
        "stayers.failed_ratio", failed / count, low=ratio_lower(failed, count + missing), of=count, sampled=True,
        high=ratio_upper(failed + missing, count + missing), **words,
    )  # fmt: skip


def _lost(fact: FactsOf, checks: Iterable[Judgement]) -> Iterator[Fact]:
    """By the check of the whole run, which read the stores."""
    check = next((each for each in checks if each.id == ACKNOWLEDGED), None)
    if check is None or check.verdict not in (Verdict.PASS, Verdict.FAIL):
        why = (message("nobody looked for lost writes"),) if check is None else check.told
        yield from fact.none("writes.lost", void=why)
    else:
        yield fact("writes.lost", check.value or float(check.verdict is Verdict.FAIL), of=check.samples)


def _account(fact: FactsOf, account: EndedAccount | None) -> Iterator[Fact]:
    """What is left of the account that was deleted. No sentence of the document promises that nothing is."""
    if account is None or not account.before.all:
        nobody = message("no account was deleted of which both stores held anything")
        yield from fact.none("account.left", void=(nobody,))
        return
    status, before, after = account.old_token, account.before, account.after
    token = message("a token given before is answered {status}", status=str(status))
    yield fact(
        "account.left", after.all, of=before.all, user=account.user, after=f"{account.seconds:.0f}",
        besides=(*_left(before, after), token if status else message("a token given before is not answered")),
    )  # fmt: skip


def _left(before: UserRecords, after: UserRecords) -> Iterator[Message]:
    """Each kind of what there was."""
    for kind, what in _HELD.items():
        left, was = (getattr(each, kind) for each in (after, before))
        if None in (left, was):
            yield message("nobody could say what of its {what} is left", what=Message(text=what))
        else:
            yield message("{left} of {was} {what}", left=f"{left:,}", was=f"{was:,}", what=Message(text=what))
