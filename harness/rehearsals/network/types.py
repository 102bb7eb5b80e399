"""Rehearsal of the pods' network: who may reach whom as data, and what a run saw of it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from harness.base.planfile import once
from harness.base.units import Ratio, Seconds
from harness.model.step import Arrivals, Step
from harness.rehearsals.network.types_ingress import IngressEvidence, IngressPlan, LowRate, Outcome

ACCOUNTS = 20  # a user's share of 10/s is 30 a minute, below the rate limit


class Client(StrEnum):
    """Who asks, each a real pod."""

    EDGE = "edge"  # in the target's namespace, with the label that the policy lets in
    STRANGER = "stranger"  # in the same namespace, without the label
    FOREIGN = "foreign"  # in another namespace, with the label: a podSelector alone means the policy's own namespace
    TARGET = "target"  # each of the target's pods


class Place(StrEnum):
    """Where is asked. ``pod``, ``pod_unlisted`` and ``other_pod`` are each of the target's pods."""

    POD = "pod"  # its port of the API
    POD_UNLISTED = "pod_unlisted"  # another port of it, where a listener waits
    OTHER_POD = "other_pod"  # asked by the target's pods: the others' port of the API
    SERVICE = "service"  # the Service's cluster IP
    POSTGRES = "postgres"
    AUTH = "auth"
    FIRESTORE = "firestore"
    STORAGE = "storage"
    REMOTE_CONFIG = "remote_config"  # the phones' affair: no pod needs it
    DNS_UDP = "dns_udp"
    DNS_TCP = "dns_tcp"
    DNS_METRICS = "dns_metrics"  # a listed address, an unlisted port
    API_SERVER = "api_server"
    STRANGER = "stranger"
    FOREIGN = "foreign"


class NetworkPath(msgspec.Struct, frozen=True, kw_only=True, rename={"client": "from", "place": "to"}):
    """From a client to a place, and whether the policy lets it; ``why`` says for whom."""

    client: Client
    place: Place
    allowed: bool
    why: str

    @property
    def name(self) -> str:
        """As reports name it."""
        return f"{self.client} → {self.place}"


class NetworkPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The plan. Times in seconds; ``enforced_within_s`` bounds the wait for a policy to act, ``hold_s`` is how long
    users load the service under it before the pods are replaced. ``with_ingress``: a controller is brought, and asked
    through by HTTPS."""

    name: str
    title: str
    paths: tuple[NetworkPath, ...]
    enforced_within_s: Seconds
    hold_s: Seconds
    rate_per_s: LowRate
    most_failed: Ratio  # of the users' requests under the policy, 0..1
    ingress: IngressPlan
    with_ingress: bool = False

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for a plan that could not fail: it has both kinds of paths, each once, and only places
        that a client can ask."""
        once(path.name for path in self.paths)
        if {path.allowed for path in self.paths} != {True, False}:
            raise ValueError("a plan has allowed paths and refused ones")
        for path in self.paths:
            if path.place is Place.OTHER_POD and path.client is not Client.TARGET:
                raise ValueError(f"{path.name}: only the target's pods have others of their kind")
            if path.place.value == path.client.value:
                raise ValueError(f"{path.name}: a pod that asks itself asks no network")


def step_of(plan: NetworkPlan) -> Step:
    """The users' load while the policies come into force."""
    return Step(
        name="policies", arrivals=Arrivals.EVEN, seconds=plan.hold_s, users=ACCOUNTS, rate_per_s=plan.rate_per_s
    )


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One client asked one address. ``pod`` is the pod that asked, ``address`` host:port."""

    client: Client
    place: Place
    pod: str
    address: str
    outcome: Outcome


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """Every path asked once, from ``start_ns`` on; ``after_s`` is the time since the policies were applied."""

    name: str
    attempts: tuple[Attempt, ...]
    start_ns: int = 0
    after_s: float = 0.0


class NetworkDetails(msgspec.Struct, kw_only=True):
    """What a run saw. Times are monotonic ns, ``None`` for what was not come to.

    ``rounds`` and ``listed`` (the namespace's NetworkPolicies) are by the rounds' names; ``policies`` are those that
    were applied, ``replicas`` the pods wanted. ``loaded_ns`` is when users loaded the service, from and until;
    ``trouble`` why new pods did not become ready, in the stack's words; ``node_port`` what a pod without the label got
    at a node. ``fronted_ns`` is when the Ingress was begun with; ``brings_ingress``: the environment can.
    """

    policies: tuple[str, ...] = ()
    replicas: int = 0
    brings_ingress: bool | None = None
    rounds: dict[str, Round] = {}
    listed: dict[str, tuple[str, ...]] = {}
    applied_ns: int | None = None
    replaced_ns: int | None = None
    fronted_ns: int | None = None
    loaded_ns: tuple[int, int] = (0, 0)
    trouble: str = ""
    node_port: Outcome | None = None
    ingress: IngressEvidence | None = None
