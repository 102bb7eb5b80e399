"""Faults in a scenario file: what they mean, and what is refused of them, by line and key."""

from __future__ import annotations

import pytest

from harness.base.errors import BadInput
from harness.model.stack import Fault, FaultKind
from harness.run.scenarios.load import parse
from tests.scenarios.test_criteria import HEAD

TEXT = HEAD + "success: [availability > 99.5%]\nfaults:\n"
FIRST = TEXT.count("\n") + 1


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("- errors=12%", Fault(kind=FaultKind.ERRORS, share=0.12)),
        ("- errors=12%@30s+20s", Fault(kind=FaultKind.ERRORS, share=0.12, after_s=30, for_s=20)),
        (
            "- {kind: errors, share: 12%, at: 30s, for: 20s}",
            Fault(kind=FaultKind.ERRORS, share=0.12, after_s=30, for_s=20),
        ),
        ("- latency=600ms:10%", Fault(kind=FaultKind.LATENCY, delay_ms=600, share=0.1)),
        ("- {kind: latency, delay: 600ms, share: 10%}", Fault(kind=FaultKind.LATENCY, delay_ms=600, share=0.1)),
        ("- {kind: unavailable, for: 2min}", Fault(kind=FaultKind.UNAVAILABLE, for_s=120)),
        ("- pod_crash@5s", Fault(kind=FaultKind.POD_CRASH, after_s=5)),
    ],
)
def test_a_fault_of_a_scenario(text: str, fault: Fault) -> None:
    assert parse(TEXT + text, "plan.yaml", "plan").faults == (fault,)


@pytest.mark.parametrize(
    ("text", "what", "where", "remedy"),
    [
        ("- errors=12%@30s+0s", "lasts no time", f"plan.yaml:{FIRST}, faults[0]", "+20s"),
        ("- {kind: errors, share: 12%, for: 0s}", "above 0", "faults[0].for", "for: 120s"),
        ("- errors=12%@120s", "begins 120 s into a window of 120 s", f"plan.yaml:{FIRST}, faults[0]", "earlier"),
        ("- pod_crash\n- errors=12%@100s+21s", "ends 121 s into", f"plan.yaml:{FIRST + 1}, faults[1]", "earlier"),
        ("- {kind: errors, at: 130s}", "begins 130 s into", "faults[0]", "window longer"),
        ("- errors=12", "not a percentage", f"plan.yaml:{FIRST}, faults[0]", "errors=12%"),
        ("- pod_kill", "is an experiment", "faults[0]", "python3 -m harness chaos"),
        ("- eror=12%", "is no fault", "faults[0]", "errors=12%"),
        ("- {kind: eror}", "'eror' is none of errors, latency", "faults[0].kind", "kind: errors"),
        ("- {kind: errors, share: 0%}", "hits nothing", "faults[0].share", "share: 12%"),
        ("- errors=0%", "hits nothing", f"plan.yaml:{FIRST}, faults[0]", "share: 12%"),
        ("- {kind: latency}", "a latency has a delay", "faults[0]", "delay: 600ms"),
        ("- {kind: errors, delay: 1s}", "errors has no delay", "faults[0]", "leave `delay` out"),
        ("- {kind: pod_crash, for: 5s}", "restarted by itself", "faults[0]", "leave"),
        ("- {kind: errors, til: 5s}", "unknown key 'til'", "faults[0].til", "kind, share, delay, at, for"),
        ("- {kind: errors, at: 30}", "30 is not a duration", "faults[0].at", "at: 120s"),
    ],
)
def test_what_would_never_be_is_refused_at_its_line(text: str, what: str, where: str, remedy: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse(TEXT + text, "plan.yaml", "plan")
    assert what in caught.value.what
    assert where in caught.value.where
    assert remedy in caught.value.remedy
