"""Facts of the pods that the autoscaler had made: from its decision to a pod that is ready, step by step. Pure.

Rows are in the order they were seen. Kubernetes tells of its scheduler and its kubelets by events of the pod.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from harness.base.message import gettext_noop
from harness.base.ticks import NS
from harness.model.evidence import EventRow
from harness.model.message import Message, message
from harness.model.stack import PodState
from harness.rehearsals.scaling.types import Loaded, ScalingPart
from harness.rules.resizes import resizes
from harness.rules.rule import Fact, FactsOf

PHRASES = {
    "starts.slowest_s": gettext_noop("from the autoscaler's decision to a ready pod: {seen} at the most, of {of} pods"),
    "starts.pulled": gettext_noop("{seen} of {of} pods had their image pulled; it was on the nodes of the others"),
}
#: A pod that is made later after a decision is another's; its event may be told a moment after the first pod.
_LATEST_NS, _EARLIEST_NS = 15 * NS, -NS
_PULLED = "Successfully pulled"


class PodStart(NamedTuple):
    """A pod's way: when it was asked for, when each step was told, and until when it was seen (ns)."""

    pod: str
    decided_ns: int
    steps: dict[str, int]
    until_ns: int
    pulled: bool

    @property
    def seconds(self) -> float:
        """To ready, or as long as it was waited for."""
        return (self.steps.get(PodState.READY, self.until_ns) - self.decided_ns) / NS

    @property
    def told(self) -> Message:
        """Seconds from the decision to each step."""
        names = {"made": PodState.PENDING, "scheduled": "Scheduled", "there": "Pulled", "started": "Started"}
        after = {name: self._after(step) for name, step in (*names.items(), ("ready", PodState.READY))}
        return message(
            "{pod}: made after {made} s, scheduled after {scheduled} s, images there after {there} s, started after "
            "{started} s, ready after {ready} s",
            pod=self.pod, **after,
        )  # fmt: skip

    def _after(self, step: str) -> str:
        return f"{(self.steps[step] - self.decided_ns) / NS:.1f}" if step in self.steps else "–"


def starts(part: ScalingPart, did: Loaded, rows: Sequence[EventRow]) -> Iterator[PodStart]:
    """Those of the pods that were made on a decision under the load. One that went, or was not waited for, before its
    time was over is none."""
    decisions = [each.at_ns for each in resizes(rows, did.load_ns) if each.at_ns < did.end_ns]
    for row in rows:
        made = row.kind == "pod" and row.data["state"] == PodState.PENDING
        decided = [at_ns for at_ns in decisions if made and _EARLIEST_NS <= row.at_ns - at_ns <= _LATEST_NS]
        if decided:
            found = _start(row.subject, min(decided[-1], row.at_ns), rows)
            if PodState.READY in found.steps or found.seconds >= part.up_within_s:
                yield found


def _start(pod: str, decided_ns: int, rows: Sequence[EventRow]) -> PodStart:
    """Each state's first row, and until the pod is ready the last event of each kind, which is the last container's."""
    own = [row for row in rows if row.kind == "pod" and row.subject == pod]
    steps = {str(row.data["state"]): row.at_ns for row in reversed(own)}
    ready_ns = steps.get(PodState.READY, rows[-1].at_ns)
    told = [row for row in rows if row.kind == "kubernetes" and row.subject == f"pod/{pod}" and row.at_ns <= ready_ns]
    steps |= {str(row.data.get("reason")): row.at_ns for row in told}
    until_ns = min(steps.get(state, rows[-1].at_ns) for state in (PodState.TERMINATING, PodState.GONE))
    return PodStart(pod, decided_ns, steps, until_ns, any(_PULLED in row.message for row in told))


def facts(fact: FactsOf, part: ScalingPart, did: Loaded, rows: Sequence[EventRow]) -> Iterator[Fact]:
    """The slowest way from a decision to a ready pod, and whether images were among it."""
    found = sorted(starts(part, did, rows), key=lambda each: each.seconds)
    if not found:
        yield from fact.none(*PHRASES, void=(message("no pod was made on a decision of the autoscaler"),))
        return
    slowest, never = found[-1], any(PodState.READY not in each.steps for each in found)
    high = float("inf") if never else None
    yield fact("starts.slowest_s", slowest.seconds, high=high, of=len(found), besides=(slowest.told,))
    by_kubelet = [each for each in found if "Pulled" in each.steps]
    none = () if by_kubelet else (message("the environment has no images to pull"),)
    yield fact("starts.pulled", sum(each.pulled for each in by_kubelet), of=len(by_kubelet), lacks=none)
