"""Every planted hole is found by its own probes, and none is found on the bundled API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.base.errors import NotCapable
from harness.checks.contract.run import CheckRun
from harness.model.command import Ran
from harness.rehearsals.security.checks import ALL
from harness.rehearsals.security.checks.tokens import IN_PRODUCTION
from harness.rehearsals.security.mutations import EMULATED
from harness.rehearsals.security.privileges import carries_api_token, policies, unrestricted
from tests.conformance.front import Answer, Call
from tests.conformance.in_process import Target
from tests.conformance.outcomes import Outcome, ended
from tests.conformance.plants.planting import Planted
from tests.security import plants
from tests.security.deployed import DEPLOYED, HARMLESS, Deployed, in_context, kubectl_of, of_policy, with_token
from tests.security.in_process import CHECKS, checked, of
from tests.security.plants import pods_of

PLANTS = tuple(plants.PLANTS)
#: What our own manifests are told, which the document prints so: no secret is out, and a pod may do more than it needs.
OF_OUR_OWN = {"privilege.context", "privilege.api_token", "privilege.policy"}
#: What nothing here can show: our manifests of Phase 2 have no NetworkPolicy.
NOT_HERE = {"privilege.policy_open"}


def wrong_in(found: dict[str, CheckRun]) -> set[str]:
    """What was found, advice too, but for what is found where nothing is planted."""
    return (ended(found, Outcome.DEVIATION) | ended(found, Outcome.ADVICE)) - OF_OUR_OWN


def test_there_are_as_many_as_were_asked_for() -> None:
    assert len(EMULATED) >= 40
    assert len(IN_PRODUCTION) >= 40
    assert len(PLANTS) + len(DEPLOYED) >= 20
    ids = [check.id for check in ALL]
    assert len(ids) == len(set(ids))
    assert len({planted.name for planted in PLANTS}) == len(PLANTS)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.nightly)])
def test_nothing_is_found_where_nothing_is_planted(tmp_path: Path, seed: int) -> None:
    found = checked(CHECKS, [], tmp_path, seed, **kubectl_of())
    assert len(found) == len(CHECKS)
    assert ended(found, Outcome.ADVICE) == OF_OUR_OWN
    assert ended(found, Outcome.NOT_EXERCISED) == NOT_HERE
    assert ended(found, Outcome.PASSED) == {check.id for check in CHECKS} - OF_OUR_OWN - NOT_HERE, wrong_in(found)


@pytest.mark.parametrize("planted", PLANTS, ids=lambda planted: planted.name)
def test_a_hole_is_found_by_its_probes(planted: Planted, tmp_path: Path) -> None:
    asked = of(*planted.finds)
    assert {check.id for check in asked} == planted.finds
    if planted.finds == {"secret.answers"}:  # which looks at all answers
        asked = [*asked, *of("identity.user.get.absent", "injection.sql.path")]
    found = checked(asked, [planted.plant], tmp_path)
    assert wrong_in(found) == planted.finds, found
    for id_ in planted.finds:
        deviation = found[id_].deviation
        assert deviation is not None
        assert deviation.expected
        assert deviation.got


@pytest.mark.parametrize("deployed", DEPLOYED, ids=lambda deployed: deployed.name)
def test_a_hole_of_the_deployment_is_found(deployed: Deployed, tmp_path: Path) -> None:
    checks = [check for check in CHECKS if check.id.startswith("privilege.") or check.id == deployed.finds]
    found = checked(checks, [], tmp_path, **(kubectl_of() | deployed.parts()))
    assert wrong_in(found) == {deployed.finds}, found


@pytest.mark.parametrize("harmless", HARMLESS, ids=lambda harmless: harmless.name)
def test_what_is_no_hole_of_the_deployment_is_not_found(harmless: Deployed, tmp_path: Path) -> None:
    checks = [check for check in CHECKS if check.id.startswith("privilege.")]
    found = checked(checks, [], tmp_path, **(kubectl_of() | harmless.parts()))
    assert wrong_in(found) == set() and harmless.finds in found, found


def test_without_a_kubectl_nobody_knows_what_the_account_may(tmp_path: Path) -> None:
    """A cluster of the team's own is asked by this machine's."""

    async def none(*_: str) -> Ran:
        raise NotCapable("this machine has no kubectl")

    found = checked(of("privilege.can_i"), [], tmp_path, kubectl=none)
    assert wrong_in(found) == set()
    assert "this machine has no kubectl" in str(found["privilege.can_i"].lacking)


def test_pods_that_each_keep_their_limit_are_not_found(tmp_path: Path) -> None:
    found = checked(of("heavy.rate"), [pods_of(2, 0)], tmp_path, pods=2)
    assert ended(found, Outcome.PASSED) == {"heavy.rate"}, found


def test_one_pod_of_two_that_limits_hides_no_other(tmp_path: Path) -> None:
    found = checked(of("heavy.rate"), [pods_of(1, 1)], tmp_path, pods=2)
    assert wrong_in(found) == {"heavy.rate"}
    deviation = found["heavy.rate"].deviation
    assert deviation is not None and "401 of" in str(deviation.got)


@pytest.mark.parametrize(
    ("spec", "restricted"),
    [
        ({}, {"Ingress"}),
        ({"egress": []}, {"Ingress"}),
        ({"egress": [{"to": [{"podSelector": {}}]}]}, {"Ingress", "Egress"}),
        ({"egress": [{}], "policyTypes": ["Ingress"]}, {"Ingress"}),
        ({"policyTypes": ["Egress"]}, {"Egress"}),
    ],
)
def test_a_policy_restricts_what_kubernetes_says(spec: dict[str, Any], restricted: set[str]) -> None:
    """SetDefaults_NetworkPolicy of k8s.io/kubernetes: Egress by itself where there are rules of it."""
    assert policies(of_policy(**spec)) == {"NetworkPolicy/x": restricted}


@pytest.mark.parametrize(
    ("operator", "key", "values", "selected"),
    [
        ("In", "app", ["tekutoko-api"], True), ("In", "app", ["other"], False), ("In", "none", ["x"], False),
        ("NotIn", "app", ["tekutoko-api"], False), ("NotIn", "app", ["other"], True), ("NotIn", "none", ["x"], True),
        ("Exists", "app", None, True), ("Exists", "none", None, False),
        ("DoesNotExist", "app", None, False), ("DoesNotExist", "none", None, True),
    ],
)  # fmt: skip
def test_expressions_of_a_selector_are_kubernetes_own(
    operator: str, key: str, values: list[str] | None, selected: bool
) -> None:
    selector = {"matchExpressions": [{"key": key, "operator": operator, "values": values}]}
    assert bool(policies(of_policy(podSelector=selector))) is selected


def test_what_a_pod_s_context_leaves_open(tmp_path: Path) -> None:
    """A container's own words go before its pod's; a token for another audience is none of the API server's."""
    kept = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    pod = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert [*unrestricted(in_context(pod, kept))] == []
    for own in ({"runAsNonRoot": False}, {"runAsUser": 0}):
        wrong = [*unrestricted(in_context(pod, kept | own))]
        assert wrong and all("runAsNonRoot" in each for each in wrong)
    assert all("seccompProfile" in each for each in unrestricted(in_context({"runAsNonRoot": True}, kept)))
    assert carries_api_token(with_token({})) and not carries_api_token(with_token({"audience": "sts"}))


def test_an_answer_that_no_cache_may_keep_is_not_told_to_be_kept(tmp_path: Path) -> None:
    def plant(target: Target) -> None:
        def after(call: Call, answer: Answer) -> None:
            answer.headers["cache-control"] = "no-cache, no-store, must-revalidate"

        target.front.after.append(after)

    assert ended(checked(of("injection.cached"), [plant], tmp_path), Outcome.PASSED) == {"injection.cached"}


def test_what_shows_a_finding_holds_no_token(tmp_path: Path) -> None:
    planted = next(each for each in PLANTS if each.name == "audience_in_a_list")
    found = checked(of("token.aud_list"), [planted.plant], tmp_path)["token.aud_list"]
    assert "Authorization: <aud that is a list with the project>" in found.curl
    kept = (tmp_path / found.request_file).read_text()
    assert "<aud that is a list with the project>" in kept
    assert "eyJ" not in found.curl + kept


@pytest.mark.parametrize("name", ["cookie_logged", "body_logged"])
def test_what_shows_a_leak_holds_no_planted_secret(name: str, tmp_path: Path) -> None:
    planted = next(each for each in PLANTS if each.name == name)
    found = checked(of(*planted.finds, "secret.folder"), [planted.plant], tmp_path)
    assert wrong_in(found) == planted.finds
    assert "canary-" not in str(found.values())


@pytest.mark.nightly
@pytest.mark.parametrize("planted", PLANTS, ids=lambda planted: planted.name)
def test_a_hole_is_found_among_all_checks(planted: Planted, tmp_path: Path) -> None:
    found = checked(CHECKS, [planted.plant], tmp_path, **kubectl_of())
    assert planted.finds <= wrong_in(found)
    assert ended(found, Outcome.MEASUREMENT_ERROR) == set()
