"""One part of the bundled deploy plan, and what a run of it leaves: pods, probes, and how it was followed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from harness.base.clock import NS
from harness.model.command import Ran
from harness.model.evidence import EventRow, Outcome, ProbeRow
from harness.rehearsals.deploy.plan import load
from harness.rehearsals.deploy.types import DeployDetails, DeployPart, DeployPlan, Followed, PartKind


def pod(at_s: float, name: str, state: str) -> EventRow:
    return EventRow(at_ns=round(at_s * NS), kind="pod", subject=name, message="", data={"state": state})


def one(kind: PartKind, **changed: Any) -> DeployPlan:
    """The bundled plan's first part of this kind alone, for which ten calls are enough."""
    plan = load()
    part = next(each for each in plan.parts if each.kind is kind)
    return msgspec.structs.replace(plan, parts=(msgspec.structs.replace(part, **{"least_calls": 10} | changed),))


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


def details(*followed: Followed, versions: tuple[str, ...] | None = ("v1",), **changed: Any) -> DeployDetails:
    return DeployDetails(versions=versions, followed=[*followed], **changed)


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
