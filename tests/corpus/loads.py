"""The runs in parts of before: ``load.json``, ``scaling.json`` (of zones, too), ``secret_rotation.json``, ``network.json``.

Where a document kept words alone, what was done is read from the evidence, or from the phases that it kept; a plan that
lay in a test's folder stands here as it was.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from harness.base import planfile
from harness.base.units import Unit
from harness.evidence.gathered import Gathered
from harness.judge.window import NS
from harness.model.evidence import EventRow, Operation, Outcome, RequestRow, Side
from harness.model.judgement import Judgement, Kind
from harness.model.manifests import Manifests
from harness.model.parts import PartRun, Runs
from harness.model.secrets import Seen as PodSeen
from harness.model.secrets import Synced, Trial
from harness.rehearsals.load_stages.judge import steps_of
from harness.rehearsals.load_stages.types import LoadStagesDetails, LoadStagesPlan, Made, sized
from harness.rehearsals.network.types import NetworkDetails, NetworkPlan
from harness.rehearsals.scaling.types import Did, Drained, Manual, ScalingDetails, ScalingPlan
from harness.rehearsals.secret_rotation.types import AsWritten, Course, Rotated, RotationDetails, RotationPlan, Started
from harness.rehearsals.secret_rotation.types import Did as RotationDid
from tests.corpus import again
from tests.corpus.again import Again, Json

T = TypeVar("T")
STAGES = """
title: "A short look"
claims: [load.target_qps, load.pod_capacity, load.stages, manifest.hpa.max]
accounts: 500
pods: 2
p95_limit: 500ms
error_limit: 1%
users: {pace: 50s, stages: [{users: 500, window: 8s}]}
capacity: {rate: 25/s, window: 5s}
in_flight: {window: 4s, stages: [20]}
knee: {pods: [2, 3], warm_up: 6s, step: 4s, most_rate: 25/s, precision: 10%, photos: {rate: 1/s, bytes: 1000000}}
"""
PARTS = """
title: A short plan
parts:
- {name: manual, kind: manual, title: By hand, high: 3, pods: 3, up_within: 60s, down_within: 15s,
   claims: [scaling.time.manual_up, scaling.time.manual_down]}
- {name: drain, kind: drain, title: A drain, claims: [manifest.pdb]}
- {name: commands, kind: commands, title: kubectl, claims: [monitoring.commands], needs: [real_kubernetes]}
"""


def planned(plan: type[T], name: str, text: str) -> T:
    """The plan of that text, named as its file was."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}.yaml"
        file.write_text(text)
        return planfile.load(file, plan)


def manifests() -> Manifests:
    """Those of ``tests/quick`` as they were then, which a week kept."""
    return msgspec.convert(again.read("week3_advance", "manifests.json"), Manifests)


def load_stages(run: str) -> Again:
    """Every step that was made; figures and verdicts are of the evidence again."""
    old = again.document(run)
    made = [
        {**{name: each["figures"][name] for name in _BESIDE}, "step": each["step"], "pods": each["pods"],
         "start_ns": each["start_ns"]}
        for each in old["steps"]
    ]  # fmt: skip
    details = LoadStagesDetails(
        made=msgspec.convert(made, list[Made]),
        sized=sized(manifests(), old["knee_cpu_factor"]),
        knee_cpu_factor=old["knee_cpu_factor"],
    )
    return Again("load_stages", planned(LoadStagesPlan, "plan", STAGES), again.seen(run, details))


def steps(found: Again) -> tuple[Judgement, ...]:
    """Every step as it is judged today: no judgement of the run's, for the claims rest on them."""
    if found.rehearsal != "load_stages":
        return ()
    return tuple(
        Judgement(
            id=each.step.name, part="steps", kind=Kind.OBSERVATION, gates=False, verdict=each.verdict, told=each.told,
            value=each.figures.latency_p95_ms, bound=each.figures.latency_p95_upper_ms, limit=found.plan.p95_limit_ms,
            unit=Unit.MILLISECONDS, samples=each.figures.requests,
        )
        for each in steps_of(found.plan, found.seen.details, found.seen.evidence.ledger, found.seen.facts.seed)
    )  # fmt: skip


_BESIDE = (
    "generator_cpu_cores", "machine_cpu_ratio", "database_connections", "database_limit", "photos_uploaded", "histogram",
)  # fmt: skip


def runs_of(plan: Any, old: Json) -> Runs:
    """When each part was run; one without a time broke. Of one that lacked something nothing is stored."""
    found = {}
    for part in plan.parts:
        kept = next((each for each in old["parts"] if each["name"] == part.name), None)
        if kept is not None and set(part.needs) <= set(old["capabilities"]):
            found[part.name] = PartRun(start_ns=kept["start_ns"], end_ns=kept["end_ns"])
    return found


def scaling(run: str) -> Again:
    """By hand and a drain: the moments are those of the evidence."""
    old, evidence = again.document(run), again.evidence_of(run)
    plan = planned(ScalingPlan, "plan_scaling", PARTS)
    runs = runs_of(plan, old)
    resized = [each for each in evidence.events if each.kind == "deployment" and each.at_ns >= runs["manual"].start_ns]
    up, down = resized
    drained = _drained(evidence.events, runs["drain"])
    did: dict[str, Did] = {"manual": Manual(up_ns=up.at_ns, down_ns=down.at_ns), "drain": drained}
    details = ScalingDetails(cpu_factor=old["cpu_factor"], runs=runs, did=did)
    return Again("scaling", plan, again.seen(run, details, evidence))


def _drained(events: list[EventRow], part: PartRun) -> Drained:
    asked = [each for each in events if each.kind == "eviction"]
    granted = sum(each.data["code"] == 201 for each in asked)
    assert part.end_ns is not None
    gone_ns = max(each.at_ns for each in events if each.kind == "pod" and each.data["state"] == "Gone")
    return Drained(
        since_ns=part.start_ns,
        until_ns=part.end_ns,
        least=1,
        granted=granted,
        refused=len(asked) - granted,
        took_s=(gone_ns - part.start_ns) / NS,
    )


def zones(run: str) -> Again:
    """A run where there are no zones."""
    old, plan = again.document(run), planfile.bundled("zone_loss", ScalingPlan)
    details = ScalingDetails(cpu_factor=old["cpu_factor"], runs=runs_of(plan, old))
    return Again("scaling", plan, again.seen(run, details))


def without_secrets(run: str) -> Again:
    """A run where there is no store of secrets."""
    old, plan = again.document(run), planfile.bundled("secret_rotation", RotationPlan)
    details = RotationDetails(cpu_factor=old["cpu_factor"], runs=runs_of(plan, old))
    return Again("secret_rotation", plan, again.seen(run, details))


def rotation(run: str) -> Again:
    """A rotation that a test had planted: pods as they were tried, requests as the phases counted them."""
    old, plan = again.document(run), planfile.bundled("secret_rotation", RotationPlan)
    loaded = tuple(msgspec.structs.replace(part, load_s=100.0) if part.load_s else part for part in plan.parts)
    ran = {part.name: PartRun(start_ns=1 + number, end_ns=2 + number) for number, part in enumerate(plan.parts)}
    started = Started(
        wanted=2,
        versions={"a": "v1", "b": "v1"},
        seen=tuple(PodSeen(pod=pod, variable="d", file="d") for pod in ("a", "b")),
        synced=Synced(user="u", digest="d", managed=True),
        published="v1",
        digest="d",
    )
    naive, two_roles = old["rotations"]
    evidence = Gathered()
    evidence.see(_requests(naive, 0))
    evidence.see(_requests(two_roles, _APART_NS))
    did: dict[str, RotationDid] = {
        "as_written": AsWritten(trials=msgspec.convert(old["trials"], tuple[Trial, ...])),
        "start": started,
        "naive": Rotated(origin_ns=0, course=_course(naive, 0)),
        "two_roles": Rotated(origin_ns=_APART_NS, course=_course(two_roles, _APART_NS)),
    }
    details = RotationDetails(cpu_factor=old["cpu_factor"], runs=ran, did=did)
    plan = msgspec.structs.replace(plan, parts=loaded)
    return Again("secret_rotation", plan, again.seen(run, details, evidence))


_APART_NS = 1000 * NS


def _course(old: Json, origin_ns: int) -> Course:
    """The steps where the phases began: each is named by the step that began it."""
    at_ns, begun = origin_ns, {}
    for phase in old["phases"]:
        begun[phase["name"]] = at_ns
        at_ns += round(phase["seconds"] * NS)
    return Course(
        begun_ns=begun["changed"],
        published_ns=begun["published"],
        files_ns=begun["published"] + round(old["files_after_s"] * NS),
        synced_ns=begun["synced"],
        restarted_ns=begun["restarted"],
        settled_ns=begun["settled"],
        revoked_ns=begun["old password out"],
        loaded_ns=at_ns,
        old_refused=True,
        variables_before_restart=tuple(PodSeen(pod=pod, variable="old", file="new") for pod in ("a", "b")),
        old_digest="old",
        new_digest="new",
        sessions_ended=8,
    )


def _requests(old: Json, origin_ns: int) -> Iterator[RequestRow]:
    """As many in each phase as it counted, evenly; those that failed came last where it began well, else first."""
    at_ns, failing = origin_ns, False
    for phase in old["phases"]:
        count, failed = phase["requests"], phase["failed"]
        for number in range(count):
            bad = number < failed if failing or phase["name"] == "restarted" else number >= count - failed
            due_ns = at_ns + round(number * phase["seconds"] * NS / count)
            yield RequestRow(
                operation_id=f"u0001-{due_ns // NS:05}-{number}", user="u0001", audience="general", side=Side.API,
                operation=Operation.LIST_WALKS, due_ns=due_ns, sent_ns=due_ns, done_ns=due_ns + 1, flag=True,
                status=503 if bad else 200, outcome=Outcome.SERVER_ERROR if bad else Outcome.OK, acknowledged=False,
                payload_digest="",
            )  # fmt: skip
        failing = failed > 0
        at_ns += round(phase["seconds"] * NS)


def network(run: str) -> Again:
    """A run that came to nothing: no cluster, or an interrupt while the stack came up."""
    return Again("network", planfile.bundled("network", NetworkPlan), again.seen(run, NetworkDetails()))


RUNS: dict[str, Callable[[str], Again]] = {
    "load_stages_passes": load_stages,
    "scaling_parts": scaling,
    "zone_loss_nothing": zones,
    "secret_rotation_nothing": without_secrets,
    "secret_rotation_judged": rotation,
    "network_nothing": network,
    "network_interrupted": network,
}
