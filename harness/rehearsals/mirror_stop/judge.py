"""A stepwise stop of the mirror, judged: what a killed pod loses, and each step. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.base.units import Unit
from harness.checks.mirror_steps import judged as of_steps
from harness.model.judgement import Judgement
from harness.model.message import Message, message
from harness.model.verdict import Verdict
from harness.rehearsals.mirror_stop.types import (
    CLAIM_LOGGED,
    ERRATUM_QUEUE,
    KilledPod,
    MirrorStopDetails,
)

#: A pause of Firestore that is shorter costs nobody a write: the API gives one up after 4 s, and others wait before it.
PAUSED_LIMIT_S = 3.0


def judged(details: MirrorStopDetails) -> Iterator[Judgement]:
    """All that was seen."""
    if details.killed_pod is not None:
        yield killed(details.killed_pod)
    yield from of_steps(details.steps)


def killed(pod: KilledPod) -> Judgement:
    """Are the writes that a killed pod loses counted by what it logged? Only such are the erratum's."""
    kept, why = pod.counted and not pod.lost_by_others, list[Message]()
    if kept and pod.queued <= pod.under_way:
        why.append(message("no more waited than may be on the wire: there was no queue to lose"))
    least = pod.queued - pod.under_way
    given_up = pod.in_postgresql == pod.acknowledged and pod.lost >= least and not kept
    if given_up and pod.paused_s > PAUSED_LIMIT_S:
        away = {"seconds": f"{pod.paused_s:.1f}", "most": f"{PAUSED_LIMIT_S:g}"}
        long = message("Firestore was away for {seconds} s, longer than {most} s: pods give writes up by then", **away)
        why.append(long)
    verdict = Verdict.PASS if kept else Verdict.FAIL
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
        verdict=Verdict.INCONCLUSIVE if why else verdict,
        asked=(message("what a killed pod loses of the mirror is what it logged as waiting"),),
        told=(told, *why),
        value=pod.lost,
        unit=Unit.WALKS,
        samples=pod.acknowledged,
        erratum=ERRATUM_QUEUE if kept and pod.lost and not why else "",
    )
