"""The timeline of a page, sentences about effects and memory, and a Deployment as a file again."""

from __future__ import annotations

from harness.base.clock import NS
from harness.model.evidence import EventRow, SampleRow, happened
from harness.model.message import english, message
from harness.rehearsals.scaling.facts import ScalingEvidence, of_part
from harness.rehearsals.scaling.rehearsal import edited
from harness.rehearsals.scaling.types import Loaded, ScalingDetails, ScalingPart, ScalingPartKind
from harness.report.language import language
from harness.rules.resizes import Resize, resizes
from harness.run.moments import MOST, timeline
from harness.stack.kind.stack import node_told

MIB = 2**20


def event(at_s: float, kind: str, subject: str, message: str, **data: object) -> EventRow:
    return EventRow(at_ns=round(at_s * NS), kind=kind, subject=subject, message=message, data=data)


def test_the_timeline_has_what_a_reader_looks_for() -> None:
    rows = [
        event(1, "kubernetes", "pod/a", "Pulled: image", reason="Pulled"),
        event(2, "kubernetes", "hpa", "New size: 4", reason="SuccessfulRescale"),
        event(3, "autoscaler", "hpa", "AbleToScale is True"),
        event(4, "autoscaler", "hpa", "AbleToScale is True"),
        event(5, "node", "n1", "not ready"),
        event(6, "component", "hpa/x", "MODIFIED: wants 4 of 2 replicas; memory 147 %"),
        event(7, "component", "postgres", "answers"),
        event(8, "log", "a", "logs/a.log"),
    ]
    assert [mark.at for mark in timeline(rows, NS).marks] == [1, 2, 4, 5, 7]
    many = [event(number, "phase", str(number), "part") for number in range(MOST + 9)]
    assert (len(timeline(many, 0).marks), timeline(many, 0).marks_in_all) == (MOST, MOST + 9)


def test_the_timeline_speaks_the_pages_language_where_messages_were_kept() -> None:
    told = (message("ready in {zone}", zone="a"), message("taints: {taints}", taints="x:NoSchedule"))
    assert node_told("a", ["x:NoSchedule"], ready=True) == told
    [mark] = timeline([happened(NS, "node", "n1", told, {})], 0).marks
    assert english(mark.said) == "ready in a; taints: x:NoSchedule"
    assert language("ja").told(mark.said, "") == "aで準備完了。Taint: x:NoSchedule"


def test_memory_before_during_and_after() -> None:
    part = ScalingPart(name="m", kind=ScalingPartKind.HPA, title="", claims=(), hold=0.85)

    def sample(at_s: int, mib: float) -> SampleRow:
        return SampleRow(at_ns=at_s * NS, metric="memory_bytes", subject="pod/a", value=mib * MIB)

    samples = [sample(-10, 60), sample(190, 940), sample(290, 70)]
    loaded = Loaded(load_ns=0, end_ns=200 * NS)
    of = ScalingDetails(did={"m": loaded}), ScalingEvidence((), [], samples, [])
    told = {each.case: each.seen for each in of_part(part, *of, 999 * NS) if each.name == "memory.of_a_pod_mib"}
    assert told == {"before": 60, "loaded": 940, "after": 70}


def test_a_deployment_as_a_person_keeps_it() -> None:
    found = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "labels": {"a": "b"}, "uid": "1", "resourceVersion": "2", "annotations": {"r": "1"}},
        "spec": {"replicas": 2, "template": {}},
        "status": {"replicas": 2},
    }
    assert edited(found, 8) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "labels": {"a": "b"}},
        "spec": {"replicas": 8, "template": {}},
    }


def test_the_decisions_of_the_autoscaler_are_read_from_its_own_events_alone() -> None:
    told = "New size: 4; reason: cpu resource utilization (percentage of request) above target (2 times)"
    rows = [event(at_s, kind, "hpa", told) for at_s, kind in ((1, "autoscaler"), (2, "kubernetes"), (3, "component"))]
    why = "cpu resource utilization (percentage of request) above target"
    first, second = (Resize(at_ns=at_s * NS, size=4, reason=why) for at_s in (1, 2))
    assert resizes(rows, 1 * NS) == [first, second]
    assert resizes(rows, 2 * NS) == [second]
