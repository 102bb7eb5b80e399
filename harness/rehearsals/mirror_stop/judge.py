"""A stepwise stop of the mirror, judged: the share that each step mirrors, and what a roll back would lose. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.base.units import Unit
from harness.judge.bounds import ratio_lower, ratio_upper
from harness.model.judgement import Judgement
from harness.model.message import Message, message
from harness.model.verdict import Verdict
from harness.rehearsals.mirror_stop.types import (
    CLAIM_FALLBACK,
    CLAIM_LOGGED,
    CLAIM_STOP,
    ERRATUM_QUEUE,
    ERRATUM_STOP,
    KilledPod,
    MirrorStopDetails,
    Step,
)

_CONFIDENCE = 0.995  # a share that is as asked for is called wrong in at most 1 % of runs


def judged(details: MirrorStopDetails) -> Iterator[Judgement]:
    """All that was seen."""
    if details.killed_pod is not None:
        yield killed(details.killed_pod)
    for step in details.steps:
        yield mirrored(step)
        yield rolled_back(step)


def mirrored(step: Step) -> Judgement:
    """Is the share that was asked for the share that is mirrored?"""
    share = step.share_percent / 100
    counts = {"mirrored": str(step.mirrored), "written": str(step.written), "share": str(step.share_percent)}
    told = [message("{mirrored} of {written} walks written at {share} % reached Firestore", **counts)]
    if not step.written:
        verdict = Verdict.INCONCLUSIVE
    elif share in (0.0, 1.0):
        verdict = Verdict.PASS if step.mirrored == share * step.written else Verdict.FAIL
    else:
        low = ratio_lower(step.mirrored, step.written, _CONFIDENCE)
        high = ratio_upper(step.mirrored, step.written, _CONFIDENCE)
        verdict = Verdict.PASS if low <= share <= high else Verdict.FAIL
        told.append(message("a share of {low} to {high} %", low=f"{low * 100:.0f}", high=f"{high * 100:.0f}"))
    return Judgement(
        id=f"mirror.share_{step.share_percent}",
        claim=CLAIM_STOP,
        verdict=verdict,
        asked=(message("{share} % of the written walks are mirrored", share=str(step.share_percent)),),
        told=tuple(told),
        value=step.mirrored / step.written if step.written else None,
        limit=share,
        unit=Unit.RATIO,
        samples=step.written,
    )


def rolled_back(step: Step) -> Judgement:
    """Would a roll back after the step lose nothing? Once less than all is mirrored it loses walks, says the register;
    a document that is there and differs is no loss of that kind, and neither is anything lost while all is mirrored.
    """
    lost = step.missing + step.stale + step.come_back + step.different
    nothing_lost = Verdict.PASS if step.walks else Verdict.INCONCLUSIVE
    as_told = bool(lost) and step.share_percent < 100 and not step.different
    return Judgement(
        id=f"mirror.rollback_after_{step.share_percent}",
        claim=CLAIM_FALLBACK,
        verdict=Verdict.ERRATUM_SHOWN if as_told else Verdict.FAIL if lost else nothing_lost,
        asked=(message("a flag-off after {share} % loses nothing", share=str(step.share_percent)),),
        told=(_loss(step),),
        value=lost if step.walks else None,
        limit=0,
        unit=Unit.WALKS,
        samples=step.walks,
        erratum=ERRATUM_STOP if as_told else "",
        examples=step.examples,
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


def killed(pod: KilledPod) -> Judgement:
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
        claim=CLAIM_LOGGED,
        verdict=Verdict.PASS if pod.counted and not pod.lost_by_others else Verdict.FAIL,
        asked=(message("what a killed pod loses of the mirror is what it logged as waiting"),),
        told=(told,),
        value=pod.lost,
        unit=Unit.WALKS,
        samples=pod.acknowledged,
        erratum=ERRATUM_QUEUE if pod.lost else "",
    )
