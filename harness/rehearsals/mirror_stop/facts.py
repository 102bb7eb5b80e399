"""The facts of a stop of the mirror: what a killed pod lost, and each step. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.base.message import gettext_noop
from harness.checks import mirror_facts
from harness.model.message import message
from harness.rehearsals.mirror_stop.types import KilledPod, MirrorStopDetails
from harness.rules.rule import Fact, FactsOf

#: A pause of Firestore that is shorter costs nobody a write: the API gives one up after 4 s, and others wait before it.
PAUSED_LIMIT_S = 3.0
PHRASES = {
    "pod.lost_walks": gettext_noop(
        "{pod} was killed with {queued} mirror writes waiting by its log, up to {under_way} of them on the wire; "
        "{seen} of {of} that it acknowledged are not in Firestore"
    ),
    "pod.waiting_walks": gettext_noop("by its log {seen} waited"),
    "pod.queued_walks": gettext_noop("{seen} waited and were not on the wire: less than one is no queue to lose"),
    "pods.others_lost_walks": gettext_noop("the other pods lost {seen}"),
    "postgresql.lacks_walks": gettext_noop("{seen} of {of} that it acknowledged are not in PostgreSQL"),
    **mirror_facts.PHRASES,
}


def facts(details: MirrorStopDetails) -> Iterator[Fact]:
    """All that was seen."""
    if details.killed_pod is not None:
        yield from _killed(details.killed_pod)
    yield from mirror_facts.facts(details.steps)


def _killed(pod: KilledPod) -> Iterator[Fact]:
    """While Firestore is away for long, pods give writes up: what is lost beyond the queue may be such."""
    fact, queued = FactsOf(PHRASES), pod.queued - pod.under_way
    away = {"seconds": f"{pod.paused_s:.1f}", "most": f"{PAUSED_LIMIT_S:g}"}
    long = pod.paused_s > PAUSED_LIMIT_S
    why = message("Firestore was away for {seconds} s, longer than {most} s: pods give writes up by then", **away)
    besides = (why,) if long else ()
    yield fact(
        "pod.lost_walks", pod.lost, low=min(pod.lost, queued) if long else None, of=pod.acknowledged, besides=besides,
        pod=pod.pod, queued=str(pod.queued), under_way=str(pod.under_way),
    )  # fmt: skip
    yield fact("pod.waiting_walks", pod.queued)
    yield fact("pod.queued_walks", max(0, queued))
    yield fact("pods.others_lost_walks", pod.lost_by_others, low=0 if long else None, besides=besides)
    yield fact("postgresql.lacks_walks", pod.acknowledged - pod.in_postgresql, of=pod.acknowledged)
