"""What evidence depends on: what a change of manifests, of the program or of the cluster voids, and what is made again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base.data import OVERLAYS
from harness.base.planfile import bundled
from harness.cli.stored.evidence import due_of
from harness.model.claim import Dependency, ShownOn
from harness.model.judgement import Verdict
from harness.model.message import english, message
from harness.model.stack import EnvironmentKind
from harness.report.signoff.document import CommandDue, EvidencePlan, document, told
from harness.report.signoff.states import runs, standings
from harness.report.signoff.types import ClaimState, StoredResult
from harness.run import dependencies
from harness.run.registry import MODULES, rehearsal
from harness.stack.kind import at_hand
from harness.stack.manifests.digest import written
from tests import register as claims
from tests.signoff.made import ASKED, judgement, stored

CPU, REPLICAS, COST = "deploy.rolling.no_downtime", "manifest.deployment.replicas", "cost.cloud_sql"
KIND = OVERLAYS / "kind"


def ran(folder: str, command: str, rung: EnvironmentKind, *about: str, **more: Any) -> StoredResult:
    """A run of today that passed all that it judges."""
    name = command if command in MODULES else "scaling"
    cluster = "" if rung is EnvironmentKind.LOCAL else "1.34"
    overlay = OVERLAYS / rung
    facts: dict[str, Any] = {
        "rung": rung, "manifests": str(overlay), "replay": f"python3 -m harness {command}",
        "rests_on": dependencies.rests_on(rehearsal(name), overlay, cluster), "took_s": 120.0,
    }  # fmt: skip
    passed = [judgement(claim, Verdict.PASS) for claim in about]
    return stored(folder, *passed, rehearsal=name, **{**facts, **more})


@pytest.fixture(scope="module")
def whole() -> list[StoredResult]:
    """A run of each command of the whole plan, of every claim that it judges there."""
    found = []
    for number, each in enumerate(due([])):
        if each.cannot is None:
            command, rung = each.words[0], EnvironmentKind(each.environment)
            names = {command, "rollout"} if command == "run" else {command}
            about = [claim.id for claim in claims.REGISTER.values() if not names.isdisjoint(claim.judged_by)]
            begun = f"2026-01-09T00:{number:02}:00.000Z"
            found.append(ran(f"{number}", command, rung, *about, replay=each.replay, started_utc=begun))
    return found


def due(found: list[StoredResult], asked: Any = ASKED) -> list[CommandDue]:
    with pytest.MonkeyPatch.context() as docker:
        docker.setattr(at_hand, "docker_answers", lambda: True)
        plan = bundled("signoff", EvidencePlan)
        given: dict[str, Any] = {"target": None, "reports": Path("/reports"), "lang": "en"}
        return due_of(plan, found, asked, register=claims.REGISTER, **given)


def left(found: list[StoredResult], asked: Any = ASKED) -> set[str]:
    return {f"{each.words[0]} {each.environment}" for each in due(found, asked) if each.left}


LOCAL = {"conformance", "alert_drill", "flag_proof", "infrastructure"}


def test_while_nothing_changed_nothing_is_made_again(whole: list[StoredResult]) -> None:
    assert left([*dependencies.since(whole)]) == set()


def test_a_change_of_the_manifests_alone_has_what_depends_on_them_made_again_and_says_how_long(
    whole: list[StoredResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where those of kind alone changed, what was seen on local stands."""
    monkeypatch.setattr(dependencies, "written", lambda folder: "new" if folder == KIND else written(folder))
    some = left([*dependencies.since(whole)])
    assert some and all(each.endswith(" kind") or each.startswith("operations") for each in some)
    monkeypatch.setattr(dependencies, "written", lambda _: "new")
    plan, found = bundled("signoff", EvidencePlan), due([*dependencies.since(whole)])
    again = [each for each in found if each.left]
    kept = {each.words[0] for each in found if each.held}
    assert kept == LOCAL and not kept & {each.words[0] for each in again}
    lines = [english((line,)) for line in told(plan, found)]
    assert lines[0].endswith(f"{len(again)} of {len(found)} commands are to be run, about {2 * len(again)} min")
    why = f"    its last run does not count: the manifests in {OVERLAYS / 'local'} have changed since the run"
    assert why in lines and sum("its last run does not count" in line for line in lines) == len(again)


def test_a_new_build_voids_what_depends_on_the_program_alone(whole: list[StoredResult]) -> None:
    build = msgspec.structs.replace(ASKED, digests=("sha256:2222",))
    today = [*dependencies.since(whole)]
    kept = {each.words[0] for each in due(today, build) if each.held}
    assert kept == {"infrastructure", "network"}
    for each in standings(claims.REGISTER, today, build):
        claim = claims.REGISTER[each.claim]
        if Dependency.PROGRAM in claim.rests_on:
            assert each.state is not ClaimState.SHOWN, claim.id
        elif claim.shown_on is ShownOn.ARITHMETIC:
            assert each.state is ClaimState.SHOWN, claim.id


def changed(run: StoredResult, *what: Dependency) -> StoredResult:
    why = {each: message("{what} changed", what=str(each)) for each in what}
    return msgspec.structs.replace(run, changed=why)


def state(run: StoredResult, claim: str) -> ClaimState:
    return standings({claim: claims.REGISTER[claim]}, [run], ASKED)[0].state


@pytest.mark.parametrize("what", Dependency)
@pytest.mark.parametrize(
    ("claim", "on"), [(CPU, "program manifests cluster"), (REPLICAS, "manifests"), (COST, "document rules")]
)
def test_a_claim_is_voided_by_what_it_depends_on_and_by_nothing_else(what: Dependency, claim: str, on: str) -> None:
    run = stored("run", judgement(claim, Verdict.PASS))
    assert state(run, claim) is ClaimState.SHOWN
    assert (state(changed(run, what), claim) is ClaimState.NOT_SHOWN) is (what in on.split())


def test_page_and_terminal_say_why_a_run_does_not_count_any_more() -> None:
    run = changed(stored("run", judgement(CPU, Verdict.PASS), judgement(COST, Verdict.PASS)), Dependency.CLUSTER)
    made = document(claims.REGISTER, [run], ASKED)
    by_id = {each.claim: each for each in made.standings}
    assert english(by_id[CPU].told).endswith("that counts; cluster changed")
    assert by_id[COST].state is ClaimState.SHOWN
    assert made.runs[0].left_out == () and english(made.runs[0].limits) == (
        "cluster changed: it shows nothing that depends on it"
    )
    void = runs([changed(stored("run", judgement(CPU, Verdict.PASS)), Dependency.CLUSTER)], ASKED, claims.REGISTER)
    assert english(void[0].left_out) == "cluster changed"


# -- what has changed ------------------------------------------------------------------------------------------------


def reasons(run: StoredResult) -> dict[str, str]:
    return {str(what): english((told_,)) for what, told_ in dependencies.since([run])[0].changed.items()}


@pytest.mark.parametrize(
    ("kind", "told_"),
    [
        (Dependency.MANIFESTS, f"the manifests in {KIND} have changed since the run"),
        (Dependency.CLUSTER, "the cluster is Kubernetes 1.34 today, and was old in the run"),
        (Dependency.DOCUMENT, "what the document says has changed since the run"),
        (Dependency.RULES, "the rules or figures of cost have changed since the run"),
    ],
)
def test_what_is_not_as_the_run_had_it_is_told(kind: Dependency, told_: str) -> None:
    run = ran("run", "cost", EnvironmentKind.KIND)
    assert reasons(run) == {}
    facts = msgspec.structs.replace(run.result.facts, rests_on={**run.result.facts.rests_on, kind: "old"})
    old = msgspec.structs.replace(run, result=msgspec.structs.replace(run.result, facts=facts))
    assert reasons(old) == {str(kind): told_}
    before = msgspec.structs.replace(facts, rests_on={})  # a run of before it was kept
    assert reasons(msgspec.structs.replace(run, result=msgspec.structs.replace(run.result, facts=before))) == {}


def test_the_newest_run_on_a_team_s_cluster_tells_its_version() -> None:
    old = ran("old", "scaling", EnvironmentKind.KUBE, rests_on={Dependency.CLUSTER: "v1.33.1"})
    new = ran(
        "new", "scaling", EnvironmentKind.KUBE,
        rests_on={Dependency.CLUSTER: "v1.34.0"}, started_utc="2026-01-09T12:00:00.000Z",
    )  # fmt: skip
    found = dependencies.since([new, old])
    assert found[0].changed == {} and [*found[1].changed] == [Dependency.CLUSTER]


DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  replicas: 2
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec: {containers: [{name: api, image: "api:1"}, {name: proxy, image: "proxy:1"}]}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {password: one}
"""


@pytest.mark.process
@pytest.mark.parametrize(
    ("was", "now", "differs"),
    [
        ("replicas: 2", "replicas: 3", True),
        ("proxy:1", "proxy:2", True),
        ("password:", "passwords:", True),
        ("api:1", "api:2", False),
        ("password: one", "password: two", False),
        ("replicas: 2", "replicas: 2 # two", False),
    ],
)
def test_manifests_are_others_by_what_they_say(was: str, now: str, differs: bool, tmp_path: Path) -> None:
    """The image is the program's, and what a Secret holds is nobody's to know."""
    (tmp_path / "kustomization.yaml").write_text("resources: [all.yaml]\n")
    (tmp_path / "all.yaml").write_text(DEPLOYMENT)
    before = written(tmp_path)
    (tmp_path / "all.yaml").write_text(DEPLOYMENT.replace(was, now, 1))
    assert (written(tmp_path) != before) is differs


def test_a_team_s_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    run = ran("run", "scaling", EnvironmentKind.KIND, manifests=str(tmp_path / "k8s"), in_place=("--manifests k8s",))
    assert "cannot be read: no kustomization.yaml" in reasons(run)["manifests"]
