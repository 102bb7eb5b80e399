"""The plan of the network rehearsal: strict, able to fail; its policies name what the plan lets through."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base import planfile
from harness.base.data import ROOT
from harness.base.errors import BadInput
from harness.model.evidence import EventRow
from harness.model.judgement import Decision, Kind, Verdict
from harness.model.section import Table
from harness.model.stack import EnvironmentKind
from harness.rehearsals.network.clients import EDGE
from harness.rehearsals.network.rehearsal import REHEARSAL
from harness.rehearsals.network.types import (
    FrontOutcome,
    NetworkClient,
    NetworkDetails,
    NetworkPlan,
    PathAttempt,
    Round,
)
from harness.rules.judged import combine
from harness.run.result import judged
from harness.stack.kubernetes import documents
from harness.stack.manifests import load as load_manifests
from harness.stack.manifests.change import policies, without_policies
from tests.rehearsal.made import by_id, seen
from tests.rehearsal.refused import refused

OVERLAY = ROOT / "deploy" / "kubernetes" / "overlays" / "kind-networkpolicy"


def test_the_bundled_plan() -> None:
    plan = planfile.bundled("network", NetworkPlan)
    assert sum(path.allowed for path in plan.paths) == 8
    assert sum(not path.allowed for path in plan.paths) == 12
    assert plan.hold_s * plan.rate_per_s >= 473  # so many carry "< 1 %" with one failure
    assert {path.client for path in plan.paths} == set(NetworkClient)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("from: edge, to: pod,", "from: edgy, to: pod,", "'edgy' is none of edge, "),
        ("to: api_server", "to: api_servers", "did you mean 'api_server'"),
        ("from: target, to: auth,", "from: target, to: postgres,", "is there twice"),
        ("from: edge, to: pod,", "from: edge, to: other_pod,", "only the target's pods"),
        ("from: stranger, to: pod,", "from: stranger, to: stranger,", "asks itself"),
        ("rate: 10/s", "rate: 1000/s", "out of range .above 0, at most 50/s"),
        ("allowed: false", "allowed: true", "allowed paths and refused ones"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert re.search(told, refused("network", NetworkPlan, tmp_path, old, new))


def prepared() -> dict[str, dict[str, Any]]:
    facts = documents.ClusterFacts(
        image="api", sidecar_image="sidecar", command=(), environment={}, database_password="p", node_port=30080,
        cpu_factor=1.0, nodes=("172.18.0.2", "172.18.0.3"),
        outside={
            "postgres": "172.18.0.10:5432", "auth": "172.18.0.11:9099", "firestore": "172.18.0.12:8080",
            "storage": "172.18.0.13:9199", "remote_config": "172.18.0.14:9299",
        },
    )  # fmt: skip
    return {each["kind"]: each for each in documents.prepared(load_manifests(OVERLAY, EnvironmentKind.KIND), facts)}


def test_the_rung_fills_in_addresses() -> None:
    found = prepared()
    users = found["NetworkPolicy"]["spec"]["ingress"][0]["from"]
    assert [each["ipBlock"]["cidr"] for each in users] == ["172.18.0.2/32", "172.18.0.3/32"]
    google = found["NetworkPolicy"]["spec"]["egress"][2:]
    assert [(rule["to"][0]["ipBlock"]["cidr"], rule["ports"][0]["port"]) for rule in google] == [
        ("172.18.0.11/32", 9099),
        ("172.18.0.12/32", 8080),
        ("172.18.0.13/32", 9199),
    ]
    assert "set-by-the-rung" not in str([each["spec"] for each in found.values() if each["kind"] == "NetworkPolicy"])


def test_an_address_that_the_rung_has_not_is_named() -> None:
    manifests = load_manifests(OVERLAY, EnvironmentKind.KIND)
    broken = msgspec.json.decode(
        msgspec.json.encode(manifests.documents).replace(b"set-by-the-rung/auth", b"set-by-the-rung/mail")
    )
    facts = documents.ClusterFacts(
        image="", sidecar_image="", command=(), environment={}, outside={"postgres": "1.2.3.4:5"}, node_port=1,
        database_password="", cpu_factor=1.0,
    )  # fmt: skip
    only = {key: each for key, each in broken.items() if key == "NetworkPolicy/tekutoko-api"}
    with pytest.raises(BadInput, match="no address of 'mail'"):
        documents.prepared(msgspec.structs.replace(manifests, documents=only), facts)


def test_a_placeholder_of_the_component_is_named() -> None:
    manifests = load_manifests(OVERLAY, EnvironmentKind.KIND)
    policy = {
        "kind": "NetworkPolicy",
        "metadata": {"name": "users"},
        "spec": {"ingress": [{"from": [{"ipBlock": {"cidr": "NODE_RANGE"}}]}]},
    }
    facts = documents.ClusterFacts(
        image="", sidecar_image="", command=(), environment={}, outside={"postgres": "1.2.3.4:5"}, node_port=1,
        database_password="", cpu_factor=1.0,
    )  # fmt: skip
    with pytest.raises(BadInput, match="'NODE_RANGE' is no range of addresses"):
        documents.prepared(msgspec.structs.replace(manifests, documents={"NetworkPolicy/users": policy}), facts)


def test_the_default_is_to_deny_and_the_edge_has_the_clients_label() -> None:
    found = prepared()
    spec = found["NetworkPolicy"]["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]  # what no rule lets through is denied
    (peer,) = spec["ingress"][1]["from"]
    assert peer == {"podSelector": {"matchLabels": EDGE}}


def test_the_component_is_opt_in() -> None:
    manifests = load_manifests(OVERLAY, EnvironmentKind.KIND)
    assert policies(manifests) == ("tekutoko-api",)
    plain = load_manifests(OVERLAY.with_name("kind"), EnvironmentKind.KIND)
    assert policies(plain) == policies(without_policies(manifests)) == ()
    assert without_policies(manifests).documents == plain.documents


def asked(plan: NetworkPlan, *, under: bool) -> Round:
    """Every path as it is wanted, without the policies or ``under`` them."""
    return Round(
        name="asked",
        attempts=tuple(
            PathAttempt(
                client=path.client, place=path.place, pod="p", address="a:1",
                outcome=FrontOutcome.ANSWERED if path.allowed or not under else FrontOutcome.REFUSED,
            )
            for path in plan.paths
        ),
    )  # fmt: skip


def good(plan: NetworkPlan) -> NetworkDetails:
    """A run in which all was well; nobody loaded it."""
    rounds = {name: asked(plan, under=name != "before") for name in ("before", "after", "replaced")}
    return NetworkDetails(
        policies=("tekutoko-api",), replicas=1, brings_ingress=True, rounds=rounds,
        listed={"before": (), "after": ("tekutoko-api",)}, applied_ns=10, replaced_ns=20, loaded_ns=(10, 20),
        node_port=FrontOutcome.ANSWERED,
    )  # fmt: skip


def pod(at_ns: int, name: str, state: str) -> EventRow:
    return EventRow(at_ns=at_ns, kind="pod", subject=name, message="", data={"state": state})


def test_a_run_is_judged_by_its_details_and_evidence_and_every_claim_has_a_verdict() -> None:
    plan = planfile.bundled("network", NetworkPlan)
    rows = [pod(1, "a", "Ready"), pod(21, "b", "Pending"), pod(25, "b", "Ready")]
    found = judged(REHEARSAL, plan, seen(good(plan), rows))
    verdicts = {each.id: each.verdict for each in found}
    assert verdicts.pop("users.service") is Verdict.INCONCLUSIVE, "of the load that was put on it no row is there"
    assert verdicts.pop("reads.acknowledged") is Verdict.INCONCLUSIVE
    by_https = {verdicts.pop(check) for check in list(verdicts) if check.startswith("ingress.")}
    assert by_https == {Verdict.NOT_EXERCISED}
    assert set(verdicts.values()) == {Verdict.PASS} and "node_port" in verdicts
    observed = {each.id for each in found if each.kind is Kind.OBSERVATION}
    assert {each.id for each in found} - observed == {
        each.id for each in REHEARSAL.expected(plan, seen(good(plan)).facts)
    }


def test_a_policy_that_lets_everybody_in_holds_the_run() -> None:
    plan = planfile.bundled("network", NetworkPlan)
    details = good(plan)
    details.rounds["after"] = asked(plan, under=False)
    found = by_id(judged(REHEARSAL, plan, seen(details)))
    assert found["paths.refused"].verdict is Verdict.FAIL and combine([*found.values()]) is Decision.HOLD
    (table,) = (each for each in REHEARSAL.sections(plan, seen(details)) if isinstance(each, Table))
    let_in = [row for row in table.rows if row.verdict is Verdict.FAIL]
    assert len(let_in) == 12 and "let through under the policies" in str(let_in[0].lines[1])


def test_an_ingress_that_was_asked_for_and_never_seen_is_inconclusive() -> None:
    plan = msgspec.structs.replace(planfile.bundled("network", NetworkPlan), with_ingress=True)
    found = by_id(judged(REHEARSAL, plan, seen(good(plan))))
    assert found["ingress.routes"].verdict is Verdict.INCONCLUSIVE
    details = good(plan)
    details.brings_ingress = False
    found = by_id(judged(REHEARSAL, plan, seen(details)))
    assert found["ingress.routes"].verdict is Verdict.NOT_EXERCISED and not found["ingress.routes"].gates
