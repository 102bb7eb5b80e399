"""Asks every path of the plan once: which addresses a place has for a client now, and what came of asking them."""

from __future__ import annotations

import asyncio

import msgspec

from harness.base.clock import NS, Clock
from harness.rehearsals.network.clients import LISTENS, Asker, Clients, Dials, Json
from harness.rehearsals.network.types import FrontOutcome, NetworkClient, NetworkPath, NetworkPlace, PathAttempt, Round

API_PORT = 8080
_OUTSIDE = {
    NetworkPlace.POSTGRES: "postgres",
    NetworkPlace.AUTH: "auth",
    NetworkPlace.FIRESTORE: "firestore",
    NetworkPlace.STORAGE: "storage",
    NetworkPlace.REMOTE_CONFIG: "remote_config",
}
_HOW = {
    NetworkPlace.POSTGRES: "postgres",
    NetworkPlace.DNS_UDP: "dns_udp",
    NetworkPlace.DNS_TCP: "dns_tcp",
}  # the others: http
_DNS_METRICS_PORT = 9153


class Fixed(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses that stay for the whole run, ``host:port``; ``node_port`` is the Service's at a node without pods."""

    service: str
    dns: str
    api_server: str
    node_port: str
    outside: dict[str, str]


async def fixed(clients: Clients, service: str, outside: dict[str, str]) -> Fixed:
    """Asks the cluster. Raises ``StackNotStarted``."""
    own, dns, api, nodes = await asyncio.gather(
        clients.read("get", "service", service),
        clients.read("get", "service", "kube-dns", namespace="kube-system"),
        clients.read("get", "service", "kubernetes", namespace="default"),
        clients.read("get", "nodes", "--selector=node-role.kubernetes.io/control-plane"),
    )
    port = own["spec"]["ports"][0]
    node = next(each["address"] for each in nodes["items"][0]["status"]["addresses"] if each["type"] == "InternalIP")
    return Fixed(
        service=f"{own['spec']['clusterIP']}:{port['port']}",
        dns=dns["spec"]["clusterIP"],
        api_server=f"{api['spec']['clusterIP']}:{api['spec']['ports'][0]['port']}",
        node_port=f"{node}:{port.get('nodePort', 0)}",
        outside=outside,
    )


def addresses(asker: Asker, place: NetworkPlace, askers: list[Asker], known: Fixed) -> list[str]:
    """``host:port`` of each that ``place`` is, for ``asker``; [] when there is none now."""
    pods = [each.address for each in askers if each.client is NetworkClient.TARGET]
    if place in _OUTSIDE:
        found = known.outside.get(_OUTSIDE[place], "")
        return [found] if found else []
    many: dict[NetworkPlace, list[str]] = {
        NetworkPlace.POD: [f"{pod}:{API_PORT}" for pod in pods],
        NetworkPlace.POD_UNLISTED: [f"{pod}:{LISTENS}" for pod in pods],
        NetworkPlace.OTHER_POD: [f"{pod}:{API_PORT}" for pod in pods if pod != asker.address],
        NetworkPlace.SERVICE: [known.service],
        NetworkPlace.DNS_UDP: [f"{known.dns}:53"],
        NetworkPlace.DNS_TCP: [f"{known.dns}:53"],
        NetworkPlace.DNS_METRICS: [f"{known.dns}:{_DNS_METRICS_PORT}"],
        NetworkPlace.API_SERVER: [known.api_server],
        NetworkPlace.STRANGER: [
            f"{each.address}:{LISTENS}" for each in askers if each.client is NetworkClient.STRANGER
        ],
        NetworkPlace.FOREIGN: [f"{each.address}:{LISTENS}" for each in askers if each.client is NetworkClient.FOREIGN],
    }
    return many[place]


class Matrix:
    """Asks in rounds."""

    def __init__(self, clients: Clients, paths: tuple[NetworkPath, ...], known: Fixed, clock: Clock) -> None:
        self._clients = clients
        self._paths = paths
        self._known = known
        self._clock = clock

    async def ask(self, name: str, *, since_ns: int | None = None) -> Round:
        """One round. Raises ``StackNotStarted`` when a pod cannot be entered."""
        start_ns = self._clock.now_ns()
        askers = await self._clients.askers()
        await self._clients.listen(askers)
        found = await asyncio.gather(*(self._asked(asker, askers) for asker in askers))
        return Round(
            name=name,
            attempts=tuple(attempt for each in found for attempt in each),
            start_ns=start_ns,
            after_s=0.0 if since_ns is None else round((start_ns - since_ns) / NS, 1),
        )

    async def through_the_node_port(self) -> FrontOutcome:
        """What the stranger gets at the Service's NodePort of a node: there the client is the node."""
        stranger = next(each for each in await self._clients.askers() if each.client is NetworkClient.STRANGER)
        host, _, port = self._known.node_port.rpartition(":")
        said = await self._clients.ask(stranger, [("node_port", host, int(port), "http")])
        return FrontOutcome(said["node_port"])

    async def policies(self) -> list[str]:
        """The namespace's NetworkPolicies by name."""
        listed: Json = await self._clients.read("get", "networkpolicies")
        return sorted(item["metadata"]["name"] for item in listed["items"])

    async def _asked(self, asker: Asker, askers: list[Asker]) -> list[PathAttempt]:
        wanted = [
            (path, address)
            for path in self._paths
            if path.client is asker.client
            for address in addresses(asker, path.place, askers, self._known)
        ]
        dials: Dials = []
        for number, (path, address) in enumerate(wanted):
            host, _, port = address.rpartition(":")
            dials.append((str(number), host, int(port), _HOW.get(path.place, "http")))
        said = await self._clients.ask(asker, dials) if dials else {}
        return [
            PathAttempt(
                client=path.client, place=path.place, pod=asker.pod, address=address,
                outcome=FrontOutcome(said[str(number)]),
            )
            for number, (path, address) in enumerate(wanted)
        ]  # fmt: skip
