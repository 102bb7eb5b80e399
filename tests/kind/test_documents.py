"""The documents as the rung applies them: which PostgreSQL a sidecar is led to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.model.manifests import Manifests
from harness.model.stack import EnvironmentKind
from harness.rehearsals.dr_restore.procedure import INSTANCE, led_to
from harness.stack.kubernetes.documents import ClusterFacts, prepared
from harness.stack.manifests import load

OVERLAYS = Path(__file__).resolve().parents[2] / "deploy/kubernetes/overlays"
FACTS = ClusterFacts(
    image="target:1",
    sidecar_image="sidecar:1",
    command=(),
    environment={},
    outside=dict.fromkeys(("auth", "firestore", "remote_config", "storage"), "10.0.0.9:80")
    | {"postgres": "10.0.0.5:5432"},
    database_password="p",
    node_port=30000,
    cpu_factor=1.0,
)

FACTS_WITH_NODES = msgspec.structs.replace(FACTS, nodes=("10.0.0.2",))


def sidecar(manifests: Manifests, facts: ClusterFacts) -> list[str]:
    """The sidecar's arguments as applied."""
    (deployment,) = (each for each in prepared(manifests, facts) if each["kind"] == "Deployment")
    pod: dict[str, Any] = deployment["spec"]["template"]["spec"]
    everything = (*pod["containers"], *pod.get("initContainers", []))
    (arguments,) = (each["args"] for each in everything if each["image"] == facts.sidecar_image)
    return list(arguments)


@pytest.mark.parametrize("overlay", ["kind", "kind-graceful"])
def test_a_sidecar_is_led_to_the_instance_it_names_once_that_is_registered(overlay: str) -> None:
    manifests = load(OVERLAYS / overlay, EnvironmentKind.KIND, fronted=True)
    registered = msgspec.structs.replace(FACTS, instances={INSTANCE: "10.0.0.7:5432"})
    as_written = sidecar(manifests, registered)
    assert as_written[:3] == ["5432", "$(DATABASE_HOST)", "$(DATABASE_PORT)"]
    assert as_written[-1] == "PROJECT_ID:REGION:INSTANCE_NAME"
    moved = led_to(manifests, INSTANCE)
    assert sidecar(moved, registered)[:3] == ["5432", "10.0.0.7", "5432"]
    assert sidecar(moved, FACTS)[:3] == as_written[:3]  # nobody registered it: the instance of the beginning
    assert sidecar(manifests, registered) == as_written  # the manifests themselves are unchanged


def test_the_pods_read_the_databases_address_from_the_config_map() -> None:
    found = prepared(load(OVERLAYS / "kind", EnvironmentKind.KIND), FACTS)
    (config,) = (each for each in found if each["metadata"]["name"] == "rehearsal-outside")
    assert config["data"]["database_host"] == "10.0.0.5"


@pytest.mark.parametrize(("overlay", "node_port"), [("kind", 30000), ("kind-ingress", None)])
def test_a_service_that_only_the_ingress_leads_to_has_no_node_port(overlay: str, node_port: int | None) -> None:
    (service,) = (
        each
        for each in prepared(load(OVERLAYS / overlay, EnvironmentKind.KIND, fronted=True), FACTS_WITH_NODES)
        if each["kind"] == "Service"
    )
    assert service["spec"]["ports"][0].get("nodePort") == node_port
