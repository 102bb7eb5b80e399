"""Rehearsal of scaling: the plan as data, and the facts that a run leaves for its judge."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from harness.base.message import message
from harness.base.planfile import RuleError, once
from harness.base.units import Milliseconds, PerSecond, Ratio, ReadBy, Seconds
from harness.model.autoscaling import ContainerRequests, Hpa
from harness.model.command import Ran
from harness.model.manifests import Manifests
from harness.model.parts import PartsDetails
from harness.model.scenario import ACCOUNTS, MOST_RATE_PER_S, MOST_STEP_S, MOST_USERS, Arrivals, Step
from harness.model.stack import Capability
from harness.rules.register import ClaimOrErratumId

Pods = Annotated[int, msgspec.Meta(ge=1, le=40, examples=[2])]
#: Of the memory limit; the target itself needs the rest.
Hold = Annotated[Ratio, msgspec.Meta(le=0.9, description="at most 90%")]
Rate = Annotated[PerSecond, msgspec.Meta(ge=0, le=MOST_RATE_PER_S, description="at most 2000/s")]


class ScalingPartKind(StrEnum):
    """What a part does. All but those of ``PLAIN`` run with the autoscaler, which nothing takes away again."""

    MANUAL = "manual"  # low -> high -> low by ``kubectl scale``
    APPLY = "apply"  # scaled to high by hand, then the manifests with ``replicas: low`` are applied
    DRAIN = "drain"  # every pod evicted under the budget, under light load where the part has a rate
    TAKES_BACK = "takes_back"  # scaled to high by hand under the autoscaler
    HPA = "hpa"  # low -> what the load asks for -> low
    HPA_LATENCY = "hpa_latency"  # under light load, while the database is slow; by the overlay ``component``
    ZONE = "zone"  # every node of a zone frozen, on a cluster of the run's own, without the autoscaler
    COMMANDS = "commands"  # the document's commands, by kubectl, in the run's namespace


#: Without the autoscaler.
PLAIN = (ScalingPartKind.MANUAL, ScalingPartKind.APPLY, ScalingPartKind.DRAIN, ScalingPartKind.ZONE)
_WAITING = ReadBy(tuple(each for each in ScalingPartKind if each is not ScalingPartKind.ZONE))
_SIZED = ReadBy(
    tuple(each for each in ScalingPartKind if each is not ScalingPartKind.DRAIN)
)  # which evicts the pods that there are
_HPA = ReadBy((ScalingPartKind.HPA,))
_FALLING = ReadBy((ScalingPartKind.HPA, ScalingPartKind.HPA_LATENCY))
_LOADED = ReadBy((ScalingPartKind.DRAIN, ScalingPartKind.ZONE, *_FALLING.kinds))


class ScalingPart(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the plan, with the limits it is judged by. Times in seconds.

    ``pods`` is how many fit the machine: CPU requests and limits are scaled by one factor so that they do. ``wait_s``
    bounds every wait of the part. ``up_after_s`` is the least that the document prints for the way up: sooner is
    good, and told. For ``load_s`` there are ``in_flight`` requests under way, each on a connection of its own, or
    ``rate_per_s`` that come evenly, or the first ``held`` pods that become ready hold the share ``hold`` of their
    memory limit; of ``drain`` again and again, until it is over. All tables are locked for ``delay_ms``, again and
    again, so long. ``component`` names the overlay beside the environment's own, as in ``overlays/kind-spread``.
    """

    name: str
    kind: ScalingPartKind
    title: str
    claims: tuple[ClaimOrErratumId, ...]
    needs: tuple[Capability, ...] = ()
    pods: Pods = 3
    low: Annotated[Pods, _SIZED] = 2
    high: Annotated[Pods, _SIZED] = 2
    up_after_s: Annotated[Seconds, _HPA] = 0.0
    up_within_s: Annotated[Seconds, ReadBy((ScalingPartKind.MANUAL, ScalingPartKind.ZONE, *_FALLING.kinds))] = 300.0
    down_after_s: Annotated[Seconds, _FALLING] = 0.0
    down_within_s: Annotated[Seconds, ReadBy((ScalingPartKind.MANUAL, *_FALLING.kinds))] = 300.0
    wait_s: Annotated[Seconds, _WAITING] = 300.0
    load_s: Annotated[Seconds, msgspec.Meta(ge=0, le=MOST_STEP_S, description="at most 10min"), _LOADED] = 0.0
    in_flight: Annotated[int, msgspec.Meta(ge=0, le=MOST_USERS), ReadBy((ScalingPartKind.ZONE, *_FALLING.kinds))] = 0
    hold: Annotated[Hold, _HPA] = 0.0
    held: Annotated[int, _HPA] = 0
    rate_per_s: Annotated[Rate, _LOADED] = 0.0
    delay_ms: Annotated[Milliseconds, ReadBy((ScalingPartKind.HPA_LATENCY,))] = 0.0
    component: Annotated[str, ReadBy((ScalingPartKind.HPA_LATENCY, ScalingPartKind.ZONE))] = ""

    def __post_init__(self) -> None:
        """Raises ``RuleError`` for fewest pods above the most, a drain's load that never lasts, and two loads."""
        if self.low > self.high:
            what = message("low is {low}, above high, {high}", low=str(self.low), high=str(self.high))
            raise RuleError(what, "low")
        if self.kind is ScalingPartKind.DRAIN and self.rate_per_s and self.load_s < 1:
            raise RuleError("the load of a drain needs a length of at least 1 s", "load")
        loads = [field for field in ("hold", "rate_per_s", "in_flight") if getattr(self, field)]
        if len(loads) > 1:
            raise RuleError("a part has one load: hold, rate or in_flight", loads[-1])

    @property
    def corrected(self) -> str:
        """The component that the document does not print: one for latency only prints what the document names."""
        return self.component if self.kind is ScalingPartKind.ZONE else ""

    @property
    def resource(self) -> str:
        """The one that the part loads."""
        return "memory" if self.hold else "cpu"


def step_of(part: ScalingPart) -> Step:
    """The part's load. Each request is on a connection of its own, as phones that ask once in 50 s: a kept one stays
    with its pod, and new pods would get nothing of the load."""
    return Step(
        name=part.name,
        arrivals=Arrivals.EVEN if part.rate_per_s else Arrivals.CLOSED,
        seconds=part.load_s,
        users=ACCOUNTS,
        rate_per_s=part.rate_per_s,
        in_flight=part.in_flight,
        new_connections=True,
    )


class ScalingPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The parts in their order: those without the autoscaler first, the commands last."""

    name: str
    title: str
    parts: Annotated[tuple[ScalingPart, ...], msgspec.Meta(min_length=1)]

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for another order: nothing takes the autoscaler away again."""
        kinds = [part.kind for part in self.parts]
        with_it = [kind not in PLAIN for kind in kinds]
        if with_it != sorted(with_it) or ScalingPartKind.COMMANDS in kinds[:-1]:
            raise ValueError("the order is: manual, apply, drain, zone; then takes_back, hpa; commands last, once")
        once(part.name for part in self.parts)


class Controlled(msgspec.Struct, frozen=True, kw_only=True):
    """What the autoscaler reads of the manifests as applied: the HPA, and what the containers of a pod ask for,
    scaled as the pods' are; the target's own comes first."""

    hpa: Hpa
    containers: tuple[ContainerRequests, ...]

    def requests_m(self, resource: str) -> int:
        """Milli-units that a pod asks for, all its containers together."""
        return sum(each.requests_m.get(resource, 0) for each in self.containers)

    def alone_m(self, resource: str) -> int:
        """Milli-units that the target's container asks for."""
        return self.containers[0].requests_m.get(resource, 0)


def controlled(manifests: Manifests) -> Controlled | None:
    """What the autoscaler reads of ``manifests``; ``None`` without an HPA."""
    if manifests.hpa is None:
        return None
    containers = tuple(
        ContainerRequests(
            name=each.name,
            requests_m=_known(
                cpu=each.request_cpu_m,
                memory=None if each.request_memory_bytes is None else each.request_memory_bytes * 1000,
            ),
        )
        for each in manifests.deployment.template.containers
    )
    return Controlled(hpa=manifests.hpa, containers=containers)


def _known(**amounts: int | None) -> dict[str, int]:
    return {resource: amount for resource, amount in amounts.items() if amount is not None}


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What a command that sets a number of pods came to: ``after_s`` seconds until exactly ``pods`` were ready
    endpoints, ``None`` when they were not within the wait. ``autoscaler``: an HPA was there. It was run ``at_ns``."""

    command: str
    autoscaler: bool
    pods: int
    after_s: float | None
    at_ns: int = 0


class Manual(msgspec.Struct, frozen=True, kw_only=True, tag="manual"):
    """When ``high`` pods were asked for, and when ``low``."""

    up_ns: int
    down_ns: int


class Applied(msgspec.Struct, frozen=True, kw_only=True, tag="apply"):
    """When the manifests with so many ``replicas`` were applied."""

    applied_ns: int
    replicas: int


class Drained(msgspec.Struct, frozen=True, kw_only=True, tag="drain"):
    """A drain: ``least`` pods have to stay ready; so many evictions were ``granted`` and ``refused``."""

    since_ns: int
    until_ns: int
    least: int
    granted: int
    refused: int
    took_s: float


class TakenBack(msgspec.Struct, frozen=True, kw_only=True, tag="takes_back"):
    """When ``high`` pods were set by hand under the autoscaler."""

    scaled_ns: int


class Loaded(msgspec.Struct, frozen=True, kw_only=True, tag="hpa"):
    """When the load began and ended."""

    load_ns: int
    end_ns: int


class Slowed(Loaded, frozen=True, kw_only=True, tag="hpa_latency"):
    """When answers were slow, by the database, under the HPA of ``controlled``; never, without an external metric."""

    controlled: Controlled | None = None


class ZoneLost(msgspec.Struct, frozen=True, kw_only=True, tag="zone"):
    """Which zone was lost when. ``spread``: the Deployment asks for a spread over zones. The load began at ``load_ns``;
    ``None`` of a run stored before that was kept."""

    zone: str
    load_ns: int | None = None
    lost_ns: int
    end_ns: int
    spread: bool


class Commanded(msgspec.Struct, frozen=True, kw_only=True, tag="commands"):
    """The commands by a short name, and what those came to that set a number of pods."""

    begun_ns: int
    ran: dict[str, Ran]
    effects: tuple[Effect, ...] = ()


Did = Manual | Applied | Drained | TakenBack | Loaded | Slowed | ZoneLost | Commanded


class ScalingDetails(PartsDetails, kw_only=True):
    """The facts of a run beside its evidence; ``did`` says by part what was done when."""

    did: dict[str, Did] = msgspec.field(default_factory=dict)
    controlled: Controlled | None = None
