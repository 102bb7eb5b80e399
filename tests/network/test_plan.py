"""The plan of the network rehearsal: strict, able to fail; its policies name what the plan lets through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from junitparser import JUnitXml

from harness.cli import main
from harness.manifests import load as load_manifests
from harness.manifests.change import policies, without_policies
from harness.model.errors import BadInput, Exit
from harness.model.stack import Rung
from harness.model.verdict import Combined, Verdict
from harness.rehearsals.network import judge
from harness.rehearsals.network.clients import EDGE
from harness.rehearsals.network.plan import PLAN, load
from harness.rehearsals.network.report import write_report
from harness.rehearsals.network.types import (
    Attempt,
    Client,
    NetworkFinding,
    NetworkReport,
    Outcome,
    PathResult,
    Place,
    Round,
)
from harness.report.language import language
from harness.stack.kubernetes import documents
from harness.targets import ROOT

OVERLAY = ROOT / "deploy" / "kubernetes" / "overlays" / "kind-networkpolicy"


def test_the_bundled_plan() -> None:
    plan = load()
    assert sum(path.allowed for path in plan.paths) == 8
    assert sum(not path.allowed for path in plan.paths) == 12
    assert plan.hold_s * plan.rate_per_s >= 473  # so many carry "< 1 %" with one failure
    assert {path.client for path in plan.paths} == set(Client)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("from: edge, to: pod,", "from: edgy, to: pod,", "Invalid enum value 'edgy'"),
        ("to: api_server", "to: api_servers", "Invalid enum value"),
        ("from: target, to: auth,", "from: target, to: postgres,", "is there twice"),
        ("from: edge, to: pod,", "from: edge, to: other_pod,", "only the target's pods"),
        ("from: stranger, to: pod,", "from: stranger, to: stranger,", "asks itself"),
        ("rate: 10/s", "rate: 1000/s", "not within"),
        ("allowed: false", "allowed: true", "allowed paths and refused ones"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.read_text().replace(old, new))
    with pytest.raises(BadInput, match=told):
        load(path)


def prepared() -> dict[str, dict[str, Any]]:
    facts = documents.Facts(
        image="api", sidecar_image="sidecar", command=(), environment={}, database_password="p", node_port=30080,
        cpu_factor=1.0, nodes=("172.18.0.2", "172.18.0.3"),
        outside={
            "postgres": "172.18.0.10:5432", "auth": "172.18.0.11:9099", "firestore": "172.18.0.12:8080",
            "storage": "172.18.0.13:9199", "remote_config": "172.18.0.14:9299",
        },
    )  # fmt: skip
    return {each["kind"]: each for each in documents.prepared(load_manifests(OVERLAY, Rung.KIND), facts)}


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
    manifests = load_manifests(OVERLAY, Rung.KIND)
    broken = msgspec.json.decode(
        msgspec.json.encode(manifests.documents).replace(b"set-by-the-rung/auth", b"set-by-the-rung/mail")
    )
    facts = documents.Facts(
        image="", sidecar_image="", command=(), environment={}, outside={"postgres": "1.2.3.4:5"}, node_port=1,
        database_password="", cpu_factor=1.0,
    )  # fmt: skip
    only = {key: each for key, each in broken.items() if key == "NetworkPolicy/tekutoko-api"}
    with pytest.raises(BadInput, match="no address of 'mail'"):
        documents.prepared(msgspec.structs.replace(manifests, documents=only), facts)


def test_a_placeholder_of_the_component_is_named() -> None:
    manifests = load_manifests(OVERLAY, Rung.KIND)
    policy = {
        "kind": "NetworkPolicy",
        "metadata": {"name": "users"},
        "spec": {"ingress": [{"from": [{"ipBlock": {"cidr": "NODE_RANGE"}}]}]},
    }
    facts = documents.Facts(
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
    manifests = load_manifests(OVERLAY, Rung.KIND)
    assert policies(manifests) == ("tekutoko-api",)
    plain = load_manifests(OVERLAY.with_name("kind"), Rung.KIND)
    assert policies(plain) == policies(without_policies(manifests)) == ()
    assert without_policies(manifests).documents == plain.documents


def test_every_verdict_is_in_every_report(tmp_path: Path) -> None:
    findings = tuple(
        NetworkFinding(
            check=f"check.{verdict}", claim=judge.POLICY, verdict=verdict, value="1 of 2", reason="<why> | so",
            examples=("one",),
        )
        for verdict in Verdict
    )  # fmt: skip
    attempt = Attempt(client=Client.EDGE, place=Place.POD, pod="edge", address="a:1", outcome=Outcome.ANSWERED)
    path = PathResult(
        path="edge → pod", allowed=True, why="front", verdict=Verdict.PASS, before="answered", after="answered",
        replaced="",
    )  # fmt: skip
    report = NetworkReport(
        schema_version=1, run_id="r", title="Network", rung=Rung.KIND, target="t", target_bundled=True, seed=1,
        replay="python", started_utc="2026-01-01T00:00:00Z", exit_status=10, manifests="kind-networkpolicy",
        findings=findings, paths=(path,), rounds=(Round(name="before", attempts=(attempt,)),), timings={},
        observed=("seen",), errors=("broke",),
    )  # fmt: skip
    for code, word in (("en", "Paths between pods"), ("ja", "Pod間の経路")):
        write_report(tmp_path, report, language(code))
        page = (tmp_path / "report.html").read_text()
        assert "&lt;why&gt;" in page and "<script" not in page and word in page
        assert word in (tmp_path / "summary.md").read_text()
    suite = JUnitXml.fromfile(str(tmp_path / "junit.xml"))
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (8, 2, 1, 1)


@pytest.mark.process
def test_on_local_it_is_not_exercised_and_says_why(tmp_path: Path) -> None:
    assert main(["network", "--on", "local", "--reports", str(tmp_path)]) == Exit.HOLD
    report = msgspec.json.decode((tmp_path / "latest" / "network.json").read_bytes(), type=NetworkReport)
    assert {each.verdict for each in report.findings} == {Verdict.NOT_EXERCISED}
    assert all(
        "need a real cluster" in each.reason for each in report.findings if not each.check.startswith("ingress.")
    )
    assert report.paths == () and report.leaks == () and report.errata == ()
    assert report.combined is Combined.NOTHING_EXERCISED
    page = (tmp_path / "latest" / "report.html").read_text()
    assert "Nothing exercised" in page and "All passed" not in page
    assert "Nothing exercised" in (tmp_path / "latest" / "summary.md").read_text()
    suite = JUnitXml.fromfile(str(tmp_path / "latest" / "junit.xml"))
    assert suite.failures == 1  # a page that shows skipped cases as green would say that all is well


def test_manifests_without_a_policy_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["network", "--on", "kind", "--manifests", str(OVERLAY.with_name("kind")), "--reports", str(tmp_path)]
    assert main(words) == Exit.USAGE
    assert "the manifests have no NetworkPolicy" in capsys.readouterr().err
