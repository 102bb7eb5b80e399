"""What was lost, judged: the RPO of the disasters, and the archive alone while its archiver stalls. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.model.verdict import Verdict
from harness.rehearsals.dr_restore.result import CaseResult, Finding
from harness.rehearsals.dr_restore.stall import Range, Stalled, expected
from harness.rehearsals.dr_restore.stall import told as stall_told
from harness.rehearsals.dr_restore.types import Disaster, RecoveryPlan, StallPlan

#: The disasters in which everything up to the last moment can be recovered: the data folder is lost, the WAL is not.
_STREAMED = {Disaster.LOST_DATA_FOLDER.value, Disaster.CORRUPTED_BACKUP.value, "stack_lost_data_folder"}


def within(value: float | None, limit: float) -> Verdict:
    """Without a value nothing is known."""
    if value is None:
        return Verdict.INCONCLUSIVE
    return Verdict.PASS if value <= limit else Verdict.FAIL


def _lost(cases: Sequence[CaseResult], limit: float) -> tuple[Verdict, float | None]:
    """The worst loss of ``cases``, and whether it keeps ``limit``: for certain, certainly not, or unknown.

    A disaster takes its time, so each loss is known between two figures only. A negative one is no measurement: a
    commit sent after the data was gone cannot have been recovered.
    """
    most = [case.loss.rpo_s for case in cases if case.loss.rpo_s is not None]
    if len(most) < len(cases):
        return Verdict.INCONCLUSIVE, None
    if min(most) < 0 or max(most) > limit >= max(case.loss.rpo_least_s or 0.0 for case in cases):
        return Verdict.INCONCLUSIVE, max(most)
    return within(max(most), limit), max(most)


def rpo(plan: RecoveryPlan, cases: Sequence[CaseResult]) -> Iterator[Finding]:
    """What the disasters lost, and whether what was restored is what was written."""
    if not cases:
        return
    verdict, worst = _lost(cases, plan.rpo_s)
    which = [case.id for case in cases if case.loss.rpo_s == worst]
    yield Finding(
        id="rpo.disasters",
        claim="dr.rpo",
        verdict=verdict,
        value=worst,
        limit=plan.rpo_s,
        samples=len(cases),
        reason=f"the worst of {len(cases)} disasters: {which[0]}"
        if worst is not None
        else "a restore held no sentinel",
    )
    streamed = [case for case in cases if case.id in _STREAMED]
    if streamed:
        verdict, worst = _lost(streamed, plan.streaming_rpo_s)
        yield Finding(
            id="rpo.streaming",
            claim="dr.rpo",
            verdict=verdict,
            value=worst,
            limit=plan.streaming_rpo_s,
            samples=len(streamed),
            reason=f"WAL streamed; a sentinel every {plan.sentinel_every_s * 1000:g} ms; counted to when the server "
            "was known dead, so the loss is at most this; the limit is ours, tighter than the document's",
        )
    bad = [f"{case.id}: {check.name} ({check.told})" for case in cases for check in case.checks if not check.ok]
    yield Finding(
        id="restore.verified",
        claim="dr.restore.step1",
        verdict=Verdict.FAIL if bad else Verdict.PASS,
        samples=sum(len(case.checks) for case in cases),
        reason="; ".join(bad)
        or "every backup restored from agreed with its manifest, every restored instance with the "
        "acknowledged commits, and counts and content with what was written by them",
    )


def stall(plan: RecoveryPlan, found: Stalled | None) -> Iterator[Finding]:
    """The archive alone. A loss smaller than a stall can cost says nothing of one: inconclusive, and the law fails."""
    if found is None:
        return
    begun, ended = expected(plan.stall)
    told = (
        f"{stall_told(found, plan.stall, plan.rpo_s)}. The plan's own number, a stall of {plan.stall.stall_s:g} s, "
        "decides this verdict: nothing in the document bounds one"
    )
    alone = (
        "archive alone, the disk lost just before a segment was due; the plan's own number, an archive_timeout of "
        f"{plan.stall.archive_timeout_s:g} s, decides this verdict"
    )
    for name, value, must, reason in (
        ("rpo.archive_only", found.healthy_rpo_s, begun, alone),
        ("rpo.stalled_archiver", found.stalled_rpo_s, ended, told),
    ):
        leaked = value < must.least_s and not must.holds(value)
        verdict = within(value, plan.rpo_s)
        yield Finding(
            id=name,
            claim="dr.rpo",
            verdict=Verdict.INCONCLUSIVE if leaked and verdict is Verdict.PASS else verdict,
            value=value,
            limit=plan.rpo_s,
            samples=found.commits,
            reason=f"less than the {must.least_s:g} s that it must cost: segments left the server meanwhile"
            if leaked
            else f"{reason} (moved clock)",
        )
    yield _law(plan.stall, found, ended)


def _law(plan: StallPlan, found: Stalled, must: Range) -> Finding:
    """The loss against what was computed from the settings alone."""
    return Finding(
        id="rpo.follows_the_stall",
        claim="dr.rpo",
        verdict=Verdict.PASS if must.holds(found.stalled_rpo_s) else Verdict.FAIL,
        value=found.stalled_rpo_s,
        limit=must.most_s,
        samples=found.commits,
        reason=f"computed beforehand: {must.least_s:g} to {must.most_s:g} s, by an archive_timeout of "
        f"{plan.archive_timeout_s:g} s, a stall of {plan.stall_s:g} s after {plan.healthy_s:g} s, a commit every "
        f"{plan.commit_every_s:g} s",
    )
