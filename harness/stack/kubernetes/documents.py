"""The manifests as they are applied: what only the rung knows filled in, and CPU scaled where the machine is small."""

from __future__ import annotations

import base64
import copy
import functools
import ipaddress
from typing import Any

import msgspec

from harness.base.errors import BadInput
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.stack.kubernetes import labels
from harness.stack.kubernetes.api_server import Json
from harness.stack.manifests import quantity
from harness.stack.manifests.forced.work import BY_THE_RUNG, PASSWORD, SIDECAR_IMAGE, TARGET_IMAGE, containers
from harness.stack.manifests.quantity import scale_targets

SECRET_MANAGER = "secret_manager"  # noqa: S105 - no service of compose.yaml: only the rehearsal of secrets has it


class Images(msgspec.Struct, frozen=True, kw_only=True):
    """Names as the nodes know them. ``command`` is what the target's container runs, () for the image's own.

    ``pull`` is the pull policy of our images, ``target_pull`` the target's, where the manifests' own do not serve:
    ``Never`` where no registry is named, so that nobody's image of the same name is fetched from a public one.
    """

    target: str
    command: tuple[str, ...]
    sidecar: str
    by_service: dict[str, str]  # of compose.yaml, and Secret Manager's stand-in
    load: str = ""  # the load's processes, where the cluster has any
    pull: str = ""
    target_pull: str = ""


class ClusterFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What only the rung knows. Addresses are those on the cluster's network, ``host:port``."""

    image: str
    sidecar_image: str
    command: tuple[str, ...]  # of the target's container; () leaves the image's own
    environment: dict[str, str]
    outside: dict[str, str]  # by part
    database_password: str
    node_port: int = 0  # of the Service; 0 leaves it as it is
    cpu_factor: float
    instances: dict[str, str] = {}  # database instances that sidecars may name in their last argument
    nodes: tuple[str, ...] = ()  # the nodes' addresses there
    namespace: str = ""  # the run's own
    service: str = ""  # the name of the target's Service; "" for any
    deployment: str = ""  # the name of the target's; "" for any


def prepared(manifests: Manifests, facts: ClusterFacts) -> list[Json]:
    """The documents in the order they are applied: what others need comes first."""
    order = (
        "ServiceAccount",
        "Role",
        "RoleBinding",
        "ConfigMap",
        "Secret",
        "SecretProviderClass",
        "Job",
        "Service",
        "Deployment",
    )
    documents = [_prepared(copy.deepcopy(document), facts) for document in manifests.documents.values()]
    for document in documents:
        if (document["kind"], document["metadata"]["name"]) == ("Deployment", manifests.deployment.name):
            document["spec"]["replicas"] = manifests.deployment.replicas  # a scenario may ask for another than the file
    rank = {kind: place for place, kind in enumerate(order)}
    return sorted(documents, key=lambda document: rank.get(document["kind"], len(order)))


def _prepared(document: Json, facts: ClusterFacts) -> Json:
    document.setdefault("metadata", {}).setdefault("labels", {})[labels.MANAGED] = labels.MANAGER
    name = document["metadata"].get("name", "")
    match document["kind"]:
        case "ConfigMap":
            _fill(document.get("data", {}), facts)
        case "Secret":
            _encode(document, facts)
        case "RoleBinding":
            for subject in document.get("subjects") or []:
                _fill(subject, facts)
        case "SecretProviderClass":
            if "endpoint" in (parameters := document["spec"].get("parameters", {})):
                parameters["endpoint"] = facts.outside.get(SECRET_MANAGER, "")
        case "Service":
            if facts.node_port and document["spec"].get("type") != "ClusterIP" and name == (facts.service or name):
                document["spec"]["ports"][0]["nodePort"] = facts.node_port
        case "Deployment" | "Job":
            target = document["kind"] == "Deployment" and name == (facts.deployment or name)
            _pods(document["spec"]["template"]["spec"], facts, target=target)
        case "HorizontalPodAutoscaler" if facts.cpu_factor != 1:
            scale_targets(document, facts.cpu_factor)
        case "NetworkPolicy":
            _blocks(document, facts)
    return document


def _blocks(policy: Json, facts: ClusterFacts) -> None:
    """Puts addresses where a policy names a part: ``set-by-the-rung/postgres``, or every node's ``.../nodes``."""
    known = {name: (address.rpartition(":")[0],) for name, address in facts.outside.items()} | {"nodes": facts.nodes}
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for rule in policy["spec"].get(direction) or []:
            if peers in rule:
                rule[peers] = [made for peer in rule[peers] for made in _peers(peer, known, policy)]


def _peers(peer: Json, known: dict[str, tuple[str, ...]], policy: Json) -> list[Json]:
    if "ipBlock" not in peer:
        return [peer]
    where = f"NetworkPolicy/{policy['metadata']['name']}"
    _, by_the_rung, name = (cidr := str(peer["ipBlock"].get("cidr", ""))).partition(BY_THE_RUNG)
    if not by_the_rung:
        try:
            ipaddress.ip_network(cidr)
        except ValueError as error:
            remedy = "write the range there, for example 10.0.0.0/8"
            raise BadInput(
                message("{cidr} is no range of addresses", cidr=repr(cidr)), where=where, remedy=remedy
            ) from error
        return [peer]
    if name not in known:
        what = message("the environment has no address of {name}", name=repr(name))
        raise BadInput(what, where=where, remedy=message("it has those of: {names}", names=", ".join(known)))
    return [{"ipBlock": {"cidr": f"{address}/32"}} for address in known[name]]


def _values(facts: ClusterFacts) -> dict[str, str]:
    """What stands behind ``set-by-the-rung/``."""
    host, _, port = facts.outside["postgres"].rpartition(":")
    return {
        "database_host": host,
        "database_port": port,
        "auth": facts.outside["auth"],
        "firestore": facts.outside["firestore"],
        "storage": f"http://{facts.outside['storage']}",
        "namespace": facts.namespace,
        PASSWORD: facts.database_password,
    }


def _fill(data: dict[str, Any], facts: ClusterFacts) -> None:
    """Puts the values in the place of their names."""
    for key, value in data.items():
        if isinstance(value, str) and BY_THE_RUNG in value:
            data[key] = functools.reduce(
                lambda text, known: text.replace(f"{BY_THE_RUNG}{known[0]}", known[1]), _values(facts).items(), value
            )


def _encode(secret: Json, facts: ClusterFacts) -> None:
    """A Secret's plain values as the API server keeps them."""
    plain = secret.pop("stringData", None) or {}
    _fill(plain, facts)
    encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in plain.items()}
    if encoded or "data" in secret:
        secret["data"] = {**(secret.get("data") or {}), **encoded}


def _pods(pod: dict[str, Any], facts: ClusterFacts, *, target: bool) -> None:
    if target:
        _target(pod["containers"][0], facts)
    for container in containers(pod):
        if container.get("image") == TARGET_IMAGE:
            container["image"] = facts.image
        elif container.get("image") == SIDECAR_IMAGE:
            container["image"] = facts.sidecar_image
            if (led := facts.instances.get(container["args"][-1])) is not None:
                container["args"][1:3] = led.split(":")
        for amounts in (container.get("resources") or {}).values():
            if "cpu" in amounts and facts.cpu_factor != 1:
                amounts["cpu"] = f"{round(quantity.millicores(amounts['cpu']) * facts.cpu_factor)}m"


def _target(container: dict[str, Any], facts: ClusterFacts) -> None:
    container["image"] = facts.image
    if facts.command:
        container["command"] = list(facts.command)
    kept = [variable for variable in container.get("env", []) if variable["name"] not in facts.environment]
    container["env"] = kept + [{"name": name, "value": value} for name, value in facts.environment.items()]
