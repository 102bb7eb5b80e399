"""What a step left behind: the walks of PostgreSQL against their documents, while the load goes on."""

from __future__ import annotations

from datetime import datetime

from harness.checks.dual_write import Comparison, Flaw, StoredWalk, by_user, compare, document_id
from harness.clock import Clock
from harness.firebase.documents import Documents, Fields
from harness.judge.bounds import ratio_lower, ratio_upper
from harness.model.message import Message, english, message
from harness.model.stack import Endpoints
from harness.model.verdict import Verdict
from harness.rehearsals.mirror_stop import plan as mirror_stop
from harness.rehearsals.mirror_stop.killed_pod import USER_PREFIX
from harness.rehearsals.mirror_stop.result import Judgement, KilledPod, Step, UserLoss
from harness.stores import read_walks

_EXAMPLES = 5
_CONFIDENCE = 0.995  # a share that is as asked for is called wrong in at most 1 % of runs


async def observe(
    endpoints: Endpoints,
    documents: Documents,
    clock: Clock,
    deleted: dict[str, str],
    *,
    share_percent: int,
    since: datetime,
    settle_s: float,
) -> Step:
    """The step's figures: PostgreSQL as it is now, Firestore ``settle_s`` later. ``since``: the step's begin."""
    walks = [walk for walk in await read_walks(endpoints) if not walk.user.startswith(USER_PREFIX)]
    await clock.sleep(settle_s)
    found = await documents.get_many([document_id(each) for each in [*(walk.id for walk in walks), *deleted]])
    still = {walk.id for walk in await read_walks(endpoints)}
    return figures([walk for walk in walks if walk.id in still], found, deleted, share_percent, since)


def figures(
    walks: list[StoredWalk], found: dict[str, Fields], deleted: dict[str, str], share_percent: int, since: datetime
) -> Step:
    """Pure: the same, from what was read."""
    compared = compare(walks, found, deleted, moving=True)
    unwritten = {each.walk_id for each in compared.findings if each.flaw in (Flaw.MISSING, Flaw.STALE)}
    written = [walk.id for walk in walks if walk.updated_at is not None and walk.updated_at >= since]
    losses = by_user(compared.findings)
    return Step(
        share_percent=share_percent,
        walks=len(walks),
        written=len(written),
        mirrored=sum(walk_id not in unwritten for walk_id in written),
        missing=compared.count(Flaw.MISSING),
        stale=compared.count(Flaw.STALE),
        come_back=compared.count(Flaw.EXTRA),
        different=compared.count(Flaw.DIFFERENT),
        lost_locations=sum(locations for _, locations in losses.values()),
        losses=tuple(UserLoss(user=user, walks=count, locations=lost) for user, (count, lost) in losses.items()),
        examples=_examples(compared),
    )


def judge(step: Step) -> tuple[Judgement, Judgement]:
    """The step itself (is the share that was asked for mirrored?), and the roll back after it (is nothing lost?)."""
    share = step.share_percent / 100
    counts = {"mirrored": str(step.mirrored), "written": str(step.written), "share": str(step.share_percent)}
    told = [message("{mirrored} of {written} walks written at {share} % reached Firestore", **counts)]
    if not step.written:
        kept = Verdict.INCONCLUSIVE
    elif share in (0.0, 1.0):
        kept = Verdict.PASS if step.mirrored == share * step.written else Verdict.FAIL
    else:
        low = ratio_lower(step.mirrored, step.written, _CONFIDENCE)
        high = ratio_upper(step.mirrored, step.written, _CONFIDENCE)
        kept = Verdict.PASS if low <= share <= high else Verdict.FAIL
        told.append(message("a share of {low} to {high} %", low=f"{low * 100:.0f}", high=f"{high * 100:.0f}"))
    lost = step.missing + step.stale + step.come_back + step.different
    nothing_lost = Verdict.PASS if step.walks else Verdict.INCONCLUSIVE
    # Once less than all is mirrored a roll back loses walks, says the register; a document that is there and differs
    # is no loss of that kind, and neither is anything lost while all is mirrored.
    as_told = bool(lost) and step.share_percent < 100 and not step.different
    safe = Verdict.ERRATUM_SHOWN if as_told else Verdict.FAIL if lost else nothing_lost
    loss = _loss(step)
    return (
        Judgement(
            id=f"mirror.share_{step.share_percent}",
            claim=mirror_stop.CLAIM_STOP,
            verdict=kept,
            reason=english(told),
            told=tuple(told),
        ),
        Judgement(
            id=f"mirror.rollback_after_{step.share_percent}",
            claim=mirror_stop.CLAIM_FALLBACK,
            verdict=safe,
            reason=str(loss),
            told=(loss,),
            erratum=mirror_stop.ERRATUM_STOP if as_told else "",
        ),
    )


def _loss(step: Step) -> Message:
    return message(
        "a flag-off after {share} % would lose {missing} walks and the last state of {stale} more ({locations} "
        "locations, {users} users), and bring {back} deleted walks back; {different} documents differ; of {walks} "
        "walks",
        share=str(step.share_percent),
        missing=str(step.missing),
        stale=str(step.stale),
        locations=str(step.lost_locations),
        users=str(len(step.losses)),
        back=str(step.come_back),
        different=str(step.different),
        walks=str(step.walks),
    )


def judge_killed(pod: KilledPod) -> Judgement:
    """Are the writes that a killed pod loses counted by what it logged?"""
    told = message(
        "{pod} was killed with {queued} mirror writes waiting by its log, up to {under_way} of them on the wire: of "
        "{acknowledged} acknowledged walks {stored} are in PostgreSQL and {lost} not in Firestore; the other pods lost "
        "{others}",
        pod=pod.pod,
        queued=str(pod.queued),
        under_way=str(pod.under_way),
        acknowledged=str(pod.acknowledged),
        stored=str(pod.in_postgresql),
        lost=str(pod.lost),
        others=str(pod.lost_by_others),
    )
    return Judgement(
        id="mirror.killed_pod",
        claim=mirror_stop.CLAIM_LOGGED,
        verdict=Verdict.PASS if pod.counted and not pod.lost_by_others else Verdict.FAIL,
        reason=str(told),
        told=(told,),
        erratum=mirror_stop.ERRATUM_QUEUE if pod.lost else "",
    )


def _examples(compared: Comparison) -> tuple[str, ...]:
    return tuple(str(finding) for finding in compared.findings[:_EXAMPLES])
