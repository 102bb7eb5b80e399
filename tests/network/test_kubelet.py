"""What a pod's readiness says of policies: what they block is blocked for good."""

from __future__ import annotations

import pytest

from harness.base import planfile
from harness.judge.window import NS
from harness.model.evidence import EventRow
from harness.model.verdict import Verdict
from harness.rehearsal.conclude import judged
from harness.rehearsals.network.rehearsal import REHEARSAL
from harness.rehearsals.network.types import NetworkDetails, NetworkPlan
from tests.rehearsal.made import by_id, seen

PLAN = planfile.bundled("network", NetworkPlan)
DETAILS = NetworkDetails(replicas=1, applied_ns=100 * NS, replaced_ns=130 * NS)


def pod(at_s: float, name: str, state: str) -> EventRow:
    return EventRow(at_ns=round(at_s * NS), kind="pod", subject=name, message="", data={"state": state})


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([], Verdict.PASS),
        ([(110, "Running"), (111, "Ready")], Verdict.PASS),  # for 1 s of 30
        ([(50, "Running"), (51, "Ready"), (110, "Running"), (111, "Ready")], Verdict.PASS),
        ([(110, "Running")], Verdict.FAIL),
        ([(50, "Running"), (51, "Ready"), (110, "Running")], Verdict.INCONCLUSIVE),  # it does so without policies, too
        ([(105, "Running"), (125, "Ready")], Verdict.INCONCLUSIVE),
    ],
)
def test_a_pod_that_policies_cut_off_does_not_come_back(rows: list[tuple[float, str]], verdict: Verdict) -> None:
    events = [pod(1, "old", "Ready"), *(pod(at_s, "old", state) for at_s, state in rows), pod(140, "new", "Ready")]
    found = by_id(judged(REHEARSAL, PLAN, seen(DETAILS, events)))["kubelet.probes"]
    assert (found.verdict, found.holds) == (verdict, verdict is not Verdict.PASS), found.reason
