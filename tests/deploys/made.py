"""One part of the bundled deploy plan, and what a run of it leaves: pods, probes, and how it was followed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from harness.base.clock import NS
from harness.evidence.store import Gathered
from harness.model.command import Ran
from harness.model.evidence import EventRow, Outcome, ProbeRow, Row
from harness.model.judgement import Judgement, Kind, Verdict
from harness.model.message import raw_text
from harness.rehearsals.deploy.plan import load
from harness.rehearsals.deploy.types import DeployDetails, DeployPart, DeployPartKind, DeployPlan, Followed


def pod(at_s: float, name: str, state: str) -> EventRow:
    return EventRow(at_ns=round(at_s * NS), kind="pod", subject=name, message="", data={"state": state})


def one(kind: DeployPartKind, **changed: Any) -> DeployPlan:
    """The bundled plan's first part of this kind alone, for which ten calls are enough."""
    plan = load()
    part = next(each for each in plan.parts if each.kind is kind)
    plain = msgspec.structs.replace(plan.scenario.probes, lifelike=False)  # of canaries named as ``probe`` names them
    return msgspec.structs.replace(
        plan,
        scenario=msgspec.structs.replace(plan.scenario, probes=plain),
        parts=(msgspec.structs.replace(part, **{"least_calls": 10} | changed),),
    )


def only(plan: DeployPlan) -> DeployPart:
    (part,) = plan.parts
    return part


def release(**changed: Any) -> Followed:
    """A version rolled out from 10 s on; users looked at until 40 s."""
    ran = tuple(Ran(command=command, status=0, output="said") for command in ("set image", "rollout status"))
    given: dict[str, Any] = {
        "name": "as_written", "manifests": "kind", "replicas": 1, "surge": 1, "begun_ns": 5 * NS, "since_ns": 10 * NS,
        "end_ns": 50 * NS, "ran": ran, "looked_ns": 40 * NS, "pods_ns": 43 * NS,
    }  # fmt: skip
    return Followed(**{**given, **changed})


def details(*followed: Followed, versions: tuple[str, ...] | None = ("v1",)) -> DeployDetails:
    """Of a load that began behind all of it: nothing of it was due meanwhile."""
    return DeployDetails(origin_ns=99 * NS, versions=versions, followed=[*followed])


def probe(number: int, due_ns: int, *, good: bool = True, took_ns: int = 5, pod: str = "") -> ProbeRow:
    return ProbeRow(
        probe_id=number, user=f"canary{number // 2 % 8 + 1:02d}", method="GET", due_ns=due_ns, sent_ns=due_ns, done_ns=due_ns + took_ns,
        status=200 if good else 503, outcome=Outcome.OK if good else Outcome.SERVER_ERROR, pod=pod,
    )  # fmt: skip


def probes(until_s: int, *bad_s: tuple[float, float], **changed: Any) -> Iterator[ProbeRow]:
    """Ten a second from 0 s on; those due in a stretch of ``bad_s`` failed, or are ``changed``."""
    for number in range(until_s * 10):
        struck = any(first <= number / 10 < last for first, last in bad_s)
        yield probe(number, number * NS // 10, **(changed or {"good": False}) if struck else {})


def gathered(*rows: Row) -> Gathered:
    found = Gathered()
    found.see(rows)
    return found


def followed(plan: DeployPlan, **changed: Any) -> DeployDetails:
    """The plan's part, followed, of a target that every version can be put in front of."""
    name = only(plan).name
    return details(release(name=name, **changed), versions=(only(plan).version.name,))


#: A pod replaced by another; and one that comes when nobody looks any more.
PODS = [
    pod(1, "a", "Ready"), pod(12, "n", "Pending"), pod(15, "n", "Ready"), pod(16, "a", "Terminating"), pod(18, "a", "Gone"),
    pod(44, "late", "Pending"),
]  # fmt: skip

#: An answer that is late, of the new pod.
SLOW = {"took_ns": 700_000_000, "pod": "n"}

FINE, BAD = Ran(command="rollout status", status=0, output="said"), Ran(command="undo", status=1, output="error: late")
#: A version that was undone at 15 s and gone at 22: the undo and the status after it count.
UNDONE: dict[str, Any] = {
    "undo_ns": 15 * NS, "done_ns": 20 * NS, "gone_ns": 22 * NS, "looked_ns": None, "pods_ns": None, "end_ns": 60 * NS,
    "ran": (BAD, FINE, FINE),
}  # fmt: skip


def fired(limit: str = "rollback.error_ratio") -> Judgement:
    return Judgement(
        id=limit, kind=Kind.ROLLBACK_LIMIT, verdict=Verdict.FAIL, told=(raw_text("fired"),), fired_at_ns=14 * NS
    )  # fmt: skip
