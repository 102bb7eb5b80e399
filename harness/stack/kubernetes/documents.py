"""The manifests as they are applied: what only the rung knows filled in, and CPU scaled where the machine is small."""

from __future__ import annotations

import base64
import copy
import ipaddress
from typing import Any

import msgspec

from harness.manifests import quantity
from harness.model.errors import BadInput
from harness.model.manifests import Manifests
from harness.stack.kubernetes import labels
from harness.stack.kubernetes.api_server import Json

BY_THE_RUNG = "set-by-the-rung/"
SECRET_MANAGER = "secret_manager"  # noqa: S105 - no service of compose.yaml: only the rehearsal of secrets has it


class Facts(msgspec.Struct, frozen=True, kw_only=True):
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


def prepared(manifests: Manifests, facts: Facts) -> list[Json]:
    """The documents in the order they are applied: what others need comes first."""
    order = ("ServiceAccount", "ConfigMap", "Secret", "SecretProviderClass", "Service", "Deployment")
    documents = [_prepared(copy.deepcopy(document), facts) for document in manifests.documents.values()]
    for document in documents:
        if document["kind"] == "Deployment":  # a scenario may ask for another number than the file
            document["spec"]["replicas"] = manifests.deployment.replicas
    rank = {kind: place for place, kind in enumerate(order)}
    return sorted(documents, key=lambda document: rank.get(document["kind"], len(order)))


def _prepared(document: Json, facts: Facts) -> Json:
    document.setdefault("metadata", {}).setdefault("labels", {})[labels.MANAGED] = labels.MANAGER
    match document["kind"]:
        case "ConfigMap":
            _fill(document.get("data", {}), _values(facts))
        case "Secret":
            encoded = base64.b64encode(facts.database_password.encode()).decode()
            _fill(document.get("data", {}), {"db_password": encoded})
        case "SecretProviderClass":
            _fill(document["spec"].get("parameters", {}), {"endpoint": facts.outside.get(SECRET_MANAGER, "")})
        case "Service":
            if facts.node_port and document["spec"].get("type") != "ClusterIP":
                document["spec"]["ports"][0]["nodePort"] = facts.node_port
        case "Deployment":
            _pods(document["spec"]["template"]["spec"], facts)
        case "NetworkPolicy":
            _blocks(document, facts)
    return document


def _blocks(policy: Json, facts: Facts) -> None:
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
            remedy = "patch it for this environment, as deploy/kubernetes/overlays/kind-networkpolicy does"
            raise BadInput(f"{cidr!r} is no range of addresses", where=where, remedy=remedy) from error
        return [peer]
    if name not in known:
        what = f"the environment has no address of {name!r}"
        raise BadInput(what, where=where, remedy=f"it has those of: {', '.join(known)}")
    return [{"ipBlock": {"cidr": f"{address}/32"}} for address in known[name]]


def _values(facts: Facts) -> dict[str, str]:
    host, _, port = facts.outside["postgres"].partition(":")
    return {
        "outside_database_host": host,
        "outside_database_port": port,
        "outside_auth": facts.outside["auth"],
        "outside_firestore": facts.outside["firestore"],
        "outside_storage": f"http://{facts.outside['storage']}",
    }


def _fill(data: dict[str, str], values: dict[str, str]) -> None:
    data.update({name: value for name, value in values.items() if name in data})


def _pods(pod: dict[str, Any], facts: Facts) -> None:
    target, *others = pod["containers"]
    target["image"] = facts.image
    if facts.command:
        target["command"] = list(facts.command)
    kept = [variable for variable in target.get("env", []) if variable["name"] not in facts.environment]
    target["env"] = kept + [{"name": name, "value": value} for name, value in facts.environment.items()]
    others += pod.get("initContainers", [])
    for container in others:
        if container["image"].startswith("tekutoko-rehearsal/database-sidecar:"):
            container["image"] = facts.sidecar_image
            if (led := facts.instances.get(container["args"][-1])) is not None:
                container["args"][1:3] = led.split(":")
    for container in (target, *others):
        for amounts in container.get("resources", {}).values():
            if "cpu" in amounts and facts.cpu_factor != 1:
                amounts["cpu"] = f"{round(quantity.millicores(amounts['cpu']) * facts.cpu_factor)}m"
