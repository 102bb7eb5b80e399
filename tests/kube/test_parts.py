"""What a run makes beside the target, as documents: named, marked, closed, and nothing that reaches out."""

from __future__ import annotations

import pytest

from harness.base.clock import MachineClock
from harness.model.stack import EnvironmentKind, Target
from harness.stack.environments.choice import cluster_images, overlay
from harness.stack.kube import beside
from harness.stack.kube.stack import closed
from harness.stack.kubernetes import labels
from harness.stack.kubernetes.api_server import Json
from harness.stack.kubernetes.compose import OUTSIDE, definitions
from harness.stack.kubernetes.documents import Images
from harness.stack.manifests import load

BUNDLED = Target(name="bundled", command=("python",), bundled=True)


def images(registry: str = "", target: Target = BUNDLED) -> Images:
    return cluster_images(target, registry, MachineClock())


def pods(found: Images) -> list[Json]:
    outside = [beside.outside_pod(part, definitions()[part], found, "secret") for part in OUTSIDE]
    return [*outside, beside.gateway_pod({"service": "10.0.0.1:80"}, found)]


def test_everything_is_marked_as_no_part_of_the_target() -> None:
    documents = [*pods(images()), beside.account(), beside.gateway_script(), beside.service("auth", 9099)]
    names = {document["metadata"]["name"] for document in documents}
    assert all(document["metadata"]["labels"][labels.PART].startswith("rehearsal-") for document in documents)
    assert {"rehearsal-postgres", "rehearsal-remote-config", "rehearsal-gateway"} <= names
    assert {document["kind"] for document in documents} == {"Pod", "ServiceAccount", "ConfigMap", "Service"}


def test_pods_have_no_rights_and_end_for_good() -> None:
    for pod in pods(images()):
        spec, container = pod["spec"], pod["spec"]["containers"][0]
        assert spec["restartPolicy"] == "Never"
        assert spec["automountServiceAccountToken"] is False
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["resources"]["limits"]["memory"]
        assert spec["securityContext"].get("runAsNonRoot") or pod["metadata"]["name"] == "rehearsal-postgres"


def test_the_password_is_the_database_s_alone() -> None:
    told = [pod["metadata"]["name"] for pod in pods(images()) if "secret" in str(pod)]
    assert told == ["rehearsal-postgres"]


def test_without_a_registry_nothing_is_ever_pulled_and_with_one_everything_is_of_it() -> None:
    assert {pod["spec"]["containers"][0]["imagePullPolicy"] for pod in pods(images())} == {"Never"}
    named = images("registry.example/x")
    assert {pod["spec"]["containers"][0]["imagePullPolicy"] for pod in pods(named)} == {"IfNotPresent"}
    every = [named.target, *(pod["spec"]["containers"][0]["image"] for pod in pods(named))]
    assert all(image.startswith("registry.example/x/tekutoko-rehearsal/") for image in every)


def test_a_target_of_one_s_own_keeps_its_name_and_may_be_pulled() -> None:
    found = images("registry.example/x", Target(name="mine", command=("serve",), image="mine:1"))
    assert (found.target, found.command, found.target_pull) == ("mine:1", ("serve",), "IfNotPresent")


@pytest.mark.parametrize("kind", ["LoadBalancer", "NodePort"])
def test_a_service_takes_no_port_of_the_nodes_and_no_load_balancer(kind: str) -> None:
    spec = {"type": kind, "externalTrafficPolicy": "Local", "ports": [{"port": 80, "nodePort": 30080}]}
    found = closed({"kind": "Service", "metadata": {"name": "x"}, "spec": spec})
    assert found["spec"] == {"type": "ClusterIP", "ports": [{"port": 80}]}


def test_the_overlay_is_closed_by_itself_and_changes_nothing_else() -> None:
    kube, kind = (
        load(overlay(EnvironmentKind.KUBE), EnvironmentKind.KUBE),
        load(overlay(EnvironmentKind.KIND), EnvironmentKind.KIND),
    )
    service = f"Service/{kube.deployment.name}"
    assert kube.documents.pop(service)["spec"]["type"] == "ClusterIP"
    del kind.documents[service]
    assert kube.documents == kind.documents
