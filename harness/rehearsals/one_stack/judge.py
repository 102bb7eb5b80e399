"""The weeks over one population, judged by plan, details and evidence. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from harness.base.units import Unit
from harness.checks.agreement import DUAL_WRITE
from harness.checks.ended_account import ACCOUNT, ended
from harness.checks.invariants import OFF, switch_over_result
from harness.checks.mirror_facts import expected as steps_expected
from harness.checks.mirror_steps import CLAIM_STOP
from harness.checks.off_in_time import not_whole_since
from harness.checks.stepwise import served_of, written_of
from harness.checks.walk_results import ACKNOWLEDGED
from harness.checks.whole_run import EXPECTED, of_whole_run
from harness.judge import flag_log
from harness.judge.claimed import not_exercised
from harness.judge.judge import judge
from harness.judge.judged import told_only
from harness.judge.ledger import Ledger
from harness.judge.switch_over import switch_over
from harness.judge.window import NS, Window
from harness.load.population.accounts import on_api
from harness.load.population.due import answered_by, requests_due, stayers_due
from harness.migration.healing import RECONCILE
from harness.model.due import Due
from harness.model.evidence import Operation, RequestRow, Side
from harness.model.expected import Expected
from harness.model.judgement import Judgement, Kind, observation
from harness.model.message import Message, Told, message
from harness.model.result import Facts
from harness.model.stack import Capability
from harness.model.verdict import Verdict
from harness.rehearsal.rehearsal import Seen
from harness.rehearsals.one_stack.types import (
    ERRATUM_ONE_WAY,
    STOP,
    Leg,
    LegSeen,
    OneStackDetails,
    OneStackPlan,
    due_of,
    legs_of,
)

OLD_WALKS, MOVED, COPIED = "moved.old_walks", "moved.in_time", "moved.copied"
_SEPARATE = message("the week's own run judges the claim")


def expected(plan: OneStackPlan, facts: Facts) -> Iterator[Expected]:
    """Of each leg its week's criteria and who moved, the checks of the whole run, and each step of the mirror's stop
    by a target that can do it."""
    copies = [COPIED] if has_postgresql(facts) else []
    for leg in legs_of(plan):
        ids = (MOVED, *copies, OLD_WALKS, *(each.id for each in leg.scenario.criteria), flag_log.SHARE, flag_log.STEADY)
        yield from (Expected(leg.part, id_) for id_ in ids)
    if plan.roll_back_after:
        yield Expected(f"week{plan.roll_back_after}", OFF, kind=Kind.CHECK)
    yield from EXPECTED
    if has_postgresql(facts):
        reconciled = [f"week{plan.roll_back_after}"] if plan.roll_back_after else []
        if facts.target_bundled:
            yield from steps_expected(plan.shares_percent, STOP)
            reconciled += [STOP]
        yield from (Expected(part, RECONCILE, kind=Kind.CHECK) for part in reconciled)


def judged(plan: OneStackPlan, seen: Seen[OneStackDetails], steps: Iterable[Judgement]) -> Iterator[Judgement]:
    """Leg by leg, then the roll back, the checks of the whole run, the ``steps`` of the mirror's stop, and the claims
    that only all of it shows."""
    entered = {each.part: each for each in seen.details.legs}
    found: list[Judgement] = []
    for leg in legs_of(plan):
        of_leg = _leg(plan, leg, entered.get(leg.part), seen)
        found += [msgspec.structs.replace(each, part=leg.part) for each in of_leg]
    found += _rolled_back(plan, seen)
    found += of_whole_run(seen.evidence.events)
    stopped = any(not step.share_percent for step in seen.details.steps)  # by the plan: then there may be no document
    yield from (told_only(each) if stopped and _mirrors_nothing(each) else each for each in found)
    yield from steps
    if not (has_postgresql(seen.facts) and seen.facts.target_bundled):
        told = message("the environment has no PostgreSQL, or the target no setting that stops its mirror stepwise")
        yield not_exercised(STOP, CLAIM_STOP, told)
    yield _account(seen)
    yield _stepwise(plan, seen, found)
    yield written_of(seen.evidence.requests)


def _mirrors_nothing(check: Judgement) -> bool:
    return check.id == DUAL_WRITE and check.verdict is Verdict.NOT_EXERCISED


def _leg(plan: OneStackPlan, leg: Leg, went: LegSeen | None, seen: Seen[OneStackDetails]) -> Iterator[Judgement]:
    if went is None or went.start_ns is None or went.end_ns is None or seen.details.origin_ns is None:
        return
    yield moved_in_time(leg, went)
    if has_postgresql(seen.facts):
        yield copied(went, seen.evidence.requests)
    yield old_walks(went)
    rows = seen.evidence.rows[: went.judged_rows]
    window = Window(start_ns=went.start_ns, end_ns=went.end_ns)
    due = due_of(plan, leg, seen.facts.seed, window, origin_ns=seen.details.origin_ns)
    ledger, flag = flag_log.of_rows(rows)
    judged_ns = went.judged_ns if went.judged_ns is not None else window.start_ns
    for criterion in judge(leg.scenario, ledger, window, judged_ns, due=due):
        yield msgspec.structs.replace(criterion, claim="", notes=(*criterion.notes, _SEPARATE))
    for check in flag.results(leg.scenario, judged_ns, everybodys_due(plan, leg, window, judged_ns, seen)):
        yield msgspec.structs.replace(check, claim="", also=())


def everybodys_due(
    plan: OneStackPlan, leg: Leg, window: Window, judged_ns: int, seen: Seen[OneStackDetails]
) -> Iterator[Due]:
    """What users have due to either side in a leg's ``window`` and must be in evidence as the leg is judged."""
    whole = judged_ns >= window.end_ns and seen.details.rolled_back != leg.part
    end_ns = answered_by(window, judged_ns, leg.scenario.request_timeout_s, whole=whole)
    due = requests_due(plan.population, seen.facts.seed, seen.details.origin_ns or window.start_ns, end_ns)
    return (each for each in due if each.due_ns >= window.start_ns)


def moved_in_time(leg: Leg, went: LegSeen) -> Judgement:
    """Has everybody fetched the week's template?"""
    asked = (message("everybody has fetched the template of the week"),)
    if went.moved_ns is None or went.published_ns is None:
        told = message("somebody had not fetched it when all should have")
        return Judgement(id=MOVED, verdict=Verdict.FAIL, asked=asked, told=(told,))
    seconds = (went.moved_ns - went.published_ns) / NS
    told = message(
        "{users} users moved; the last of {all} on the API had fetched it after {seconds} s",
        users=str(went.moving),
        all=str(leg.scenario.population.flag_on),
        seconds=f"{seconds:.1f}",
    )
    return Judgement(
        id=MOVED,
        verdict=Verdict.PASS,
        asked=asked,
        told=(told,),
        value=seconds,
        unit=Unit.SECONDS,
        samples=leg.scenario.population.flag_on,
    )


def old_walks(went: LegSeen) -> Judgement:
    """Do users who moved find the walks that they wrote before? Without a migration they do not: the mirror goes one
    way, and the API does not know them, or of who was put back not what Firestore was told since. Any other answer is a
    failure of its own, but one that says nothing of the walk (503, 429, none): of that nothing is known."""
    asked = (message("users who have moved find their old walks at the API"),)
    seen = went.asked
    if seen is None or not seen.walks:
        why = message("none of the users who moved had an old walk")
        if not went.moving:
            why = message("nobody moved")
        verdict = Verdict.INCONCLUSIVE if went.moving else Verdict.NOT_EXERCISED
        return Judgement(id=OLD_WALKS, verdict=verdict, asked=asked, told=(why,), gates=bool(went.moving))
    lost = seen.missing + seen.short
    told = message(
        "{users} users asked for {walks} walks that they have not written since: {missing} are not there, {short} lack "
        "locations",
        users=str(seen.users),
        walks=str(seen.walks),
        missing=str(seen.missing),
        short=str(seen.short),
    )
    measured: dict[str, Any] = {
        "asked": asked,
        "value": float(lost),
        "limit": 0.0,
        "unit": Unit.WALKS,
        "samples": seen.walks,
    }
    unread = message("{count} answers say nothing of what was asked for", count=str(seen.unread))
    as_told = seen.unknown in (None, seen.missing) and (not seen.short or seen.behind in (None, seen.short))
    if not went.migrated and lost and as_told:
        nobody = message("the environment has nothing to migrate to: nobody copied them")
        if seen.unread:  # each may be another flaw than that
            return Judgement(id=OLD_WALKS, verdict=Verdict.INCONCLUSIVE, told=(told, nobody, unread), **measured)
        if seen.unknown is None or (seen.short and seen.behind is None):
            unkept = message("the run did not keep what the API answered")
            return Judgement(id=OLD_WALKS, verdict=Verdict.INCONCLUSIVE, told=(told, nobody, unkept), **measured)
        return Judgement(
            id=OLD_WALKS, verdict=Verdict.ERRATUM_SHOWN, told=(told, nobody), erratum=ERRATUM_ONE_WAY, **measured
        )
    verdict = Verdict.FAIL if lost else Verdict.INCONCLUSIVE if seen.unread else Verdict.PASS
    said = (told, unread) if seen.unread else (told,)
    return Judgement(id=OLD_WALKS, verdict=verdict, told=said, examples=seen.examples, **measured)


def copied(went: LegSeen, rows: Iterable[RequestRow]) -> Judgement:
    """Has the last migration before the leg was measured left no document behind?

    It may have seen the document of a walk whose deletion at the API had reached PostgreSQL and not yet Firestore: with
    as many deletions since it began as documents left, nobody can say.
    """
    asked = (message("the migration before the leg leaves no walk behind"),)
    last = went.migrated[-1] if went.migrated else None
    if last is None or went.start_ns is None or not last.there + last.left:
        told = message("no migrated walk was seen")
        return Judgement(id=COPIED, verdict=Verdict.INCONCLUSIVE, asked=asked, told=(told,))
    told = message(
        "the migration before has {walks} walks in PostgreSQL as Firestore has them, or later, and left {left}",
        walks=f"{last.there:,}",
        left=f"{last.left:,}",
    )
    began_ns = went.moved_ns or went.published_ns or 0
    deleted = {
        row.walk_id
        for row in rows
        if row.side is Side.API and row.operation is Operation.DELETE_WALK and began_ns <= row.sent_ns < went.start_ns
    }
    verdict, why = Verdict.PASS if not last.left else Verdict.FAIL, tuple[Message, ...]()
    if 0 < last.left <= len(deleted):
        verdict = Verdict.INCONCLUSIVE
        why = (message("{walks} walks were deleted at the API meanwhile", walks=f"{len(deleted):,}"),)
    return Judgement(
        id=COPIED,
        verdict=verdict,
        asked=asked,
        told=(told, *why),
        value=float(last.left),
        limit=0.0,
        unit=Unit.WALKS,
        samples=last.there + last.left,
    )


def _rolled_back(plan: OneStackPlan, seen: Seen[OneStackDetails]) -> Iterator[Judgement]:
    """The switch back, of a roll back by the plan or by a limit, by the rows that there were when it was over."""
    details = seen.details
    leg = next((each for each in legs_of(plan) if each.part == details.rolled_back), None)
    if leg is None or details.off_ns is None:
        return
    ledger, rows = Ledger(), seen.evidence.rows[: details.back_rows]
    ledger.extend(rows)
    users = on_api(leg.scenario.population, seen.facts.seed)
    lacking = not_whole_since((row for row in rows if isinstance(row, RequestRow)), users, details.off_ns)
    found = switch_over_result(switch_over(ledger, details.off_ns, users, leg.scenario.switch_over_limit_s), lacking)
    if not details.back_rows:  # what came meanwhile is not looked at
        told = message("the run ended before everybody was back, or no longer waited for")
        unseen = {"verdict": Verdict.INCONCLUSIVE, "told": (told,), "value": None, "examples": ()}
        found = msgspec.structs.replace(found, **unseen)
    yield msgspec.structs.replace(found, part=leg.part)


def _account(seen: Seen[OneStackDetails]) -> Judgement:
    if not has_postgresql(seen.facts):
        nothing = message("the environment has no PostgreSQL in which something could be left of an account")
        return observation(ACCOUNT, (nothing,), verdict=Verdict.NOT_EXERCISED)
    return ended(seen.details.account)


def has_postgresql(facts: Facts) -> bool:
    """Whether walks are in a database of their own."""
    return Capability.REAL_POSTGRESQL in facts.capabilities


def _stepwise(plan: OneStackPlan, seen: Seen[OneStackDetails], found: Sequence[Judgement]) -> Judgement:
    """Firebase was never stopped as a whole: who stayed on Firestore was served in every leg, and no walk was lost."""
    entered = {each.part: each for each in seen.details.legs}
    windows = [
        (leg, went)
        for leg in legs_of(plan)
        if (went := entered.get(leg.part)) is not None and went.start_ns is not None
    ]
    legs = len([*legs_of(plan)])
    stayed = served_of(
        (row for leg, went in windows for row in _of_those_who_stay(leg, went, seen)),
        (due for leg, went in windows for due in _due_of_those_who_stay(plan, leg, went, seen)),
    )
    lost = next((each for each in found if each.id == ACKNOWLEDGED), None)
    told: Told = (message("{legs} of {all} legs", legs=str(len(windows)), all=str(legs)), *stayed.told)
    verdict = stayed.verdict
    if lost is not None:
        counts = {"writes": f"{lost.samples:,}", "lost": "?" if lost.value is None else f"{lost.value:g}"}
        told += (message("{writes} acknowledged writes, {lost} lost", **counts),)
    if lost is not None and lost.verdict is Verdict.FAIL:
        verdict = Verdict.FAIL
    elif verdict is not Verdict.FAIL and (len(windows) < legs or lost is None or lost.verdict is Verdict.INCONCLUSIVE):
        verdict = Verdict.INCONCLUSIVE
    return msgspec.structs.replace(stayed, verdict=verdict, told=told)


def _of_those_who_stay(leg: Leg, went: LegSeen, seen: Seen[OneStackDetails]) -> Iterator[RequestRow]:
    there, window = on_api(leg.scenario.population, seen.facts.seed), _stood(went, seen.details)
    for row in seen.evidence.requests:
        if window.start_ns <= row.due_ns < window.end_ns and row.user not in there:
            yield row


def _due_of_those_who_stay(plan: OneStackPlan, leg: Leg, went: LegSeen, seen: Seen[OneStackDetails]) -> tuple[Due, ...]:
    seed, origin_ns = seen.facts.seed, seen.details.origin_ns
    if origin_ns is None or went.start_ns is None or went.end_ns is None:
        return ()
    return stayers_due(plan.population, leg.scenario.population, seed, origin_ns, _stood(went, seen.details))


def _stood(went: LegSeen, details: OneStackDetails) -> Window:
    """While a leg's shares stood: where a limit fired, until the flag went off; after that the load may have ended."""
    assert went.start_ns is not None and went.end_ns is not None
    end_ns = went.end_ns
    if details.rolled_back == went.part and details.off_ns is not None:
        end_ns = min(end_ns, details.off_ns)
    return Window(start_ns=went.start_ns, end_ns=end_ns)
