"""``kind-config.yaml`` as it is handed to kind: with this cluster's ports and node images."""

from __future__ import annotations

import copy
import socket
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from harness.base import planfile, yamltext
from harness.base.data import KIND_CONFIG
from harness.base.errors import BadInput, StackNotStarted
from harness.base.typed import PROGRAM
from harness.model.message import gettext_noop, message
from harness.stack.kind.images.offline import NodeImages
from harness.stack.kind.record import Cluster
from harness.stack.state.ports import HOST, can_bind

CONFIG = KIND_CONFIG
# Above the ranges of runs (harness/stack/state/ports.py), below the ephemeral ports: a kept cluster outlives runs.
FIRST_PORT = 32_100
LAST_PORT = 32_700
_CORRECT = gettext_noop("write it as https://kind.sigs.k8s.io/docs/user/configuration says, with its nodes")


class _Mapping(msgspec.Struct):
    containerPort: int  # noqa: N815 - kind's name


class _Node(msgspec.Struct):
    role: str
    extraPortMappings: tuple[_Mapping, ...] = ()  # noqa: N815


class _File(msgspec.Struct):
    """What is read of the file, in kind's words."""

    kind: Literal["Cluster"]
    nodes: Annotated[tuple[_Node, ...], msgspec.Meta(min_length=1)]
    networking: dict[str, Any] | None = None


def read(path: Path = CONFIG) -> dict[str, Any]:
    """The file. Raises ``BadInput`` when it is no kind configuration, or listens on other addresses than 127.0.0.1."""
    config, _ = planfile.mapping(yamltext.read(path), str(path), _CORRECT, merge_keys=True)
    try:
        msgspec.convert(config, _File)
    except msgspec.ValidationError as error:
        told = message("this is no kind configuration with nodes: {error}", error=str(error))
        raise BadInput(told, where=str(path), remedy=_CORRECT) from error
    listening = [(config.get("networking") or {}).get("apiServerAddress")]
    listening += [mapping.get("listenAddress") for mapping in _mappings(config)]
    if any(address != HOST for address in listening):
        raise BadInput(
            message("the API server and every extraPortMapping must listen on {host} only", host=HOST),
            where=str(path),
            remedy=message("set networking.apiServerAddress and each listenAddress to {host}", host=HOST),
        )
    return config


def merged(config: dict[str, Any], cluster: Cluster, images: NodeImages) -> dict[str, Any]:
    """``config`` with the cluster's name and ports, and the images."""
    made = copy.deepcopy(config)
    made["name"] = cluster.name
    made["networking"] = {**(made.get("networking") or {}), "apiServerPort": cluster.api_port}
    for mapping in _mappings(made):
        mapping["hostPort"] = cluster.ports[mapping["containerPort"]]
    for node in made["nodes"]:
        node["image"] = images.control_plane if node["role"] == "control-plane" else images.worker
    return made


def node_ports(config: dict[str, Any]) -> list[int]:
    """The NodePorts that are reached from this machine, in the file's order."""
    return [int(mapping["containerPort"]) for mapping in _mappings(config)]


def node_names(config: dict[str, Any], cluster: str) -> list[str]:
    """The containers that kind makes for the nodes, the control plane first: ``NAME-worker``, ``NAME-worker2``, ..."""
    counts: dict[str, int] = {}
    names = []
    for node in config["nodes"]:
        role = node["role"]
        counts[role] = counts.get(role, 0) + 1
        names.append(f"{cluster}-{role}" + (str(counts[role]) if counts[role] > 1 else ""))
    return sorted(names, key=lambda name: "control-plane" not in name)


def free_ports(count: int, taken: set[int]) -> list[int]:
    """``count`` ports that nobody listens on and no cluster of ours has (``taken``). Raises ``StackNotStarted``."""
    found: list[int] = []
    for port in range(FIRST_PORT, LAST_PORT):
        if port not in taken and can_bind(port):
            found.append(port)
        if len(found) == count:
            return found
    raise StackNotStarted(
        message(
            "fewer than {count} free ports from {first_port} to {last_port}",
            count=str(count),
            first_port=str(FIRST_PORT),
            last_port=str(LAST_PORT),
        ),
        where=socket.gethostname(),
        remedy=message("end programs that listen there, or delete clusters: {program} stack down", program=PROGRAM),
    )


def _mappings(config: dict[str, Any]) -> list[dict[str, Any]]:
    return [mapping for node in config["nodes"] for mapping in node.get("extraPortMappings", [])]
