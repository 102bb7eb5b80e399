"""What was lost, judged: the RPO of the disasters, and the archive alone while its archiver stalls. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.base.units import Unit
from harness.model.judgement import Judgement
from harness.model.message import Told, message
from harness.model.verdict import Verdict
from harness.rehearsals.dr_restore.facts import ON_STACK, CaseResult, Check, verdict_of
from harness.rehearsals.dr_restore.stall import Range, Stalled, expected
from harness.rehearsals.dr_restore.stall import told as stall_told
from harness.rehearsals.dr_restore.types import Disaster, RecoveryPlan, StallPlan

#: The disasters in which everything up to the last moment can be recovered: the data folder is lost, the WAL is not.
STREAMED = {Disaster.LOST_DATA_FOLDER.value, Disaster.CORRUPTED_BACKUP.value, ON_STACK}
#: How many things are looked at in each case: three of what was restored, and what the disaster has of its own.
CHECKS = {
    **dict.fromkeys((each.value for each in Disaster), 3), Disaster.CORRUPTED_BACKUP.value: 5,
    Disaster.MISSING_WAL_SEGMENT.value: 6, ON_STACK: 4,
}  # fmt: skip


def within(value: float | None, limit: float) -> Verdict:
    """Without a value nothing is known."""
    if value is None:
        return Verdict.INCONCLUSIVE
    return Verdict.PASS if value <= limit else Verdict.FAIL


def not_ok(checks: Sequence[Check]) -> Told:
    """Those that do not hold, each with what was seen."""
    return tuple(message("{name}: {told}", name=check.name, told=check.told) for check in checks if not check.ok)


def _lost(cases: Sequence[CaseResult], limit: float) -> tuple[Verdict, float | None]:
    """The worst loss of ``cases``, and whether it keeps ``limit``: for certain, certainly not, or unknown.

    A disaster takes its time, so each loss is known between two figures only. A negative one is no measurement: a
    commit sent after the data was gone cannot have been recovered. Where commits before the last one recovered are
    missing, more was lost than that one says.
    """
    most = [case.loss.rpo_s for case in cases if case.loss.rpo_s is not None]
    if len(most) < len(cases):
        return Verdict.INCONCLUSIVE, None
    if min(most) < 0 or max(most) > limit >= max(case.loss.rpo_least_s or 0.0 for case in cases):
        return Verdict.INCONCLUSIVE, max(most)
    verdict = within(max(most), limit)
    return Verdict.INCONCLUSIVE if verdict is Verdict.PASS and _holed(cases) else verdict, max(most)


def _holed(cases: Sequence[CaseResult]) -> Told:
    """Those whose last commit recovered does not say what was lost."""
    return tuple(
        message(
            "{case}: {count} commits before the last one recovered are missing",
            case=case.id,
            count=str(len(case.loss.holes)),
        )
        for case in cases
        if case.loss.holes
    )


def rpo(plan: RecoveryPlan, cases: Sequence[CaseResult]) -> Iterator[Judgement]:
    """What the disasters lost, and whether what was restored is what was written."""
    if not cases:
        return
    verdict, worst = _lost(cases, plan.limits.rpo_s)
    told = message("a restore held no sentinel")
    if worst is not None:
        which = next(case.id for case in cases if case.loss.rpo_s == worst)
        told = message("the worst of {count} disasters: {which}", count=str(len(cases)), which=which)
    yield Judgement(
        id="rpo.disasters",
        claim="dr.rpo",
        verdict=verdict,
        told=(told, *_holed(cases)),
        value=worst,
        limit=plan.limits.rpo_s,
        unit=Unit.SECONDS,
        samples=len(cases),
    )
    streamed = [case for case in cases if case.id in STREAMED]
    if streamed:
        yield _streamed(plan, streamed)
    yield _verified(cases)


def _streamed(plan: RecoveryPlan, cases: Sequence[CaseResult]) -> Judgement:
    verdict, worst = _lost(cases, plan.limits.streaming_rpo_s)
    told = message(
        "WAL streamed; a sentinel every {every} ms; counted to when the server was known dead, so the loss is at most "
        "this; the limit is ours, tighter than the document's",
        every=f"{plan.sentinel_every_s * 1000:g}",
    )
    return Judgement(
        id="rpo.streaming",
        claim="dr.rpo",
        verdict=verdict,
        told=(told, *_holed(cases)),
        value=worst,
        limit=plan.limits.streaming_rpo_s,
        unit=Unit.SECONDS,
        samples=len(cases),
    )


def _verified(cases: Sequence[CaseResult]) -> Judgement:
    verdict = verdict_of([check for case in cases for check in case.checks])
    unchecked = ", ".join(case.id for case in cases if not case.checks)
    if verdict is Verdict.PASS and unchecked:
        verdict = Verdict.INCONCLUSIVE
    left = (message("nothing was checked of: {names}", names=unchecked),) if unchecked else ()
    bad = tuple(message("{case}: {what}", case=case.id, what=what) for case in cases for what in not_ok(case.checks))
    good = message(
        "every backup restored from agreed with its manifest, every restored instance with the acknowledged commits, "
        "and counts and content with what was written by them"
    )
    return Judgement(
        id="restore.verified",
        claim="dr.restore.step1",
        verdict=verdict,
        told=bad or left or (good,),
        samples=sum(len(case.checks) for case in cases),
    )


def stall(plan: RecoveryPlan, found: Stalled | None) -> Iterator[Judgement]:
    """The archive alone. A loss smaller than a stall can cost says nothing of one: inconclusive, and the law fails."""
    if found is None:
        return
    begun, ended = expected(plan.stall)
    decides = message(
        "the plan's own number, a stall of {seconds} s, decides this verdict: nothing in the document bounds one",
        seconds=f"{plan.stall.stall_s:g}",
    )
    alone = message(
        "archive alone, the disk lost just before a segment was due; the plan's own number, an archive_timeout of "
        "{seconds} s, decides this verdict",
        seconds=f"{plan.stall.archive_timeout_s:g}",
    )
    moved = message("by a moved clock")
    for name, value, must, told in (
        ("rpo.archive_only", found.healthy_rpo_s, begun, (alone, moved)),
        (
            "rpo.stalled_archiver",
            found.stalled_rpo_s,
            ended,
            (*stall_told(found, plan.stall, plan.limits.rpo_s), decides, moved),
        ),
    ):
        yield _stalled(name, value, must, told, limit=plan.limits.rpo_s, commits=found.commits)
    yield _law(plan.stall, found, ended)


def _stalled(name: str, value: float, must: Range, told: Told, *, limit: float, commits: int) -> Judgement:
    leaked = value < must.least_s and not must.holds(value)
    verdict = within(value, limit)
    less = message(
        "less than the {least} s that it must cost: segments left the server meanwhile", least=f"{must.least_s:g}"
    )
    return Judgement(
        id=name,
        claim="dr.rpo",
        verdict=Verdict.INCONCLUSIVE if leaked and verdict is Verdict.PASS else verdict,
        told=(less,) if leaked else told,
        value=value,
        limit=limit,
        unit=Unit.SECONDS,
        samples=commits,
    )


def _law(plan: StallPlan, found: Stalled, must: Range) -> Judgement:
    """The loss against what was computed from the settings alone."""
    told = message(
        "computed beforehand: {least} to {most} s, by an archive_timeout of {timeout} s, a stall of {stall} s after "
        "{healthy} s, a commit every {every} s",
        least=f"{must.least_s:g}",
        most=f"{must.most_s:g}",
        timeout=f"{plan.archive_timeout_s:g}",
        stall=f"{plan.stall_s:g}",
        healthy=f"{plan.healthy_s:g}",
        every=f"{plan.commit_every_s:g}",
    )
    return Judgement(
        id="rpo.follows_the_stall",
        claim="dr.rpo",
        verdict=Verdict.PASS if must.holds(found.stalled_rpo_s) else Verdict.FAIL,
        told=(told,),
        value=found.stalled_rpo_s,
        limit=must.most_s,
        unit=Unit.SECONDS,
        samples=found.commits,
    )
