"""Load stages and the search for the knee: the plan as data, the facts that a run leaves, and what is read of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec

from harness.base.planfile import RuleError, once
from harness.base.units import Milliseconds, PerSecond, Ratio
from harness.control.rollout import limits
from harness.model.autoscaling import Hpa
from harness.model.judgement import Verdict
from harness.model.manifests import Manifests
from harness.model.message import Message, Told
from harness.model.scenario import CAPACITY, MOST_USERS, RATE_LIMIT_PER_MIN, Arrivals, Rate, Span, Step, StepSpan
from harness.rules.register import ClaimId

MOST_PODS = 20
Pods = Annotated[int, msgspec.Meta(ge=1, le=MOST_PODS, examples=[2])]


class UsersStage(msgspec.Struct, frozen=True, kw_only=True):
    """So many users for ``window_s`` seconds."""

    users: int
    window_s: StepSpan


class UsersStages(msgspec.Struct, frozen=True, kw_only=True):
    """Users at one request in ``pace_s`` each, stage by stage."""

    pace_s: Span
    stages: tuple[UsersStage, ...]


class CapacityStage(msgspec.Struct, frozen=True, kw_only=True):
    """What the document says the pods carry; the search for the knee begins there."""

    rate_per_s: Rate
    window_s: StepSpan


class InFlightStages(msgspec.Struct, frozen=True, kw_only=True):
    """So many requests in flight at once, each number for ``window_s`` seconds."""

    window_s: StepSpan
    stages: tuple[int, ...]


class PhotosPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Uploads of so many ``bytes`` each."""

    rate_per_s: Annotated[PerSecond, msgspec.Meta(gt=0, le=50, description="above 0, at most 50/s")]
    bytes: Annotated[int, msgspec.Meta(ge=1, le=5_000_000, examples=[5000000])]


class BenchPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Apache Bench, ``ab -n REQUESTS -c AT_ONCE``."""

    requests: Annotated[int, msgspec.Meta(ge=1, le=5000, examples=[300])]
    at_once: Annotated[int, msgspec.Meta(ge=1, le=500, examples=[10])]


class Benched(msgspec.Struct, frozen=True, kw_only=True):
    """``answered`` of the requests, ``not_2xx`` of these; ``limited``: the 429 seen, ``None``: not looked for."""

    program: str
    requests: int
    at_once: int
    answered: int
    not_2xx: int
    limited: int | None = None


class KneePlan(msgspec.Struct, frozen=True, kw_only=True, rename={"cpu_share": "cpu"}):
    """The search for the highest rate that keeps the limits, for each number of pods: doubled from the capacity's
    until a rate fails twice, then halved geometrically until the bracket is narrower than ``precision`` (0.1 = 10 %).
    Before it, in ``warm_up_s``, every user opens a connection anew and makes one request, which nothing judges: the
    first ones of a new pod take far longer than those after them. With ``photos`` the first number of pods is searched
    once more, with them as interference.

    ``cpu_share`` of the machine's cores is all that the most pods may use together (their limits are scaled down to
    it), so that generator and database keep the rest and the pods are what breaks; 0 leaves the manifests' limits.
    """

    pods: tuple[Pods, ...]
    warm_up_s: StepSpan
    step_s: StepSpan
    most_rate_per_s: Rate
    precision: Annotated[Ratio, msgspec.Meta(gt=0, description="above 0%")]
    photos: PhotosPlan | None = None
    cpu_share: Ratio = 0.0

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for a search that would be made twice."""
        once(self.pods)


class LoadStagesPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The whole plan. ``pods`` is the number of replicas of the stages; ``accounts`` that of the users' tokens, which
    ``workers`` processes share. Of the stages, those of ``arrivals`` are made."""

    name: str
    title: str
    claims: tuple[ClaimId, ...]
    accounts: Annotated[int, msgspec.Meta(ge=1, le=MOST_USERS)]
    pods: Pods
    users: UsersStages
    capacity: CapacityStage
    in_flight: InFlightStages
    knee: KneePlan
    apache_bench: BenchPlan | None = None
    p95_limit_ms: Milliseconds
    error_limit: Ratio
    request_timeout_s: Span = 10.0
    workers: int = 1
    arrivals: tuple[Arrivals, ...] = (Arrivals.EVEN, Arrivals.POISSON, Arrivals.CLOSED)

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for a load that the accounts cannot make, or whose limit would not be the pods'."""
        once(f"users: {stage.users}" for stage in self.users.stages)
        for count in (*(stage.users for stage in self.users.stages), *self.in_flight.stages):
            if not 1 <= count <= self.accounts:
                raise ValueError(f"{count} at once need as many accounts; there are {self.accounts}")
        for step in self._steps():
            _below_the_limiter(step.name, step.rate_per_s, step.users)
        _below_the_limiter("knee: most_rate", self.knee.most_rate_per_s, self.accounts)
        if self.capacity.rate_per_s > self.knee.most_rate_per_s:
            raise RuleError("the capacity's rate, where the knee's search begins, is above most_rate", "capacity")

    @property
    def stages(self) -> tuple[Step, ...]:
        """The steps that are made before the knees, in their order."""
        return tuple(step for step in self._steps() if step.arrivals in self.arrivals)

    def _steps(self) -> Iterator[Step]:
        for stage in self.users.stages:
            yield Step(
                name=f"users_{stage.users}",
                arrivals=Arrivals.EVEN,
                rate_per_s=stage.users / self.users.pace_s,
                users=stage.users,
                seconds=stage.window_s,
            )
        yield Step(
            name=CAPACITY,
            arrivals=Arrivals.POISSON,
            rate_per_s=self.capacity.rate_per_s,
            users=self.accounts,
            seconds=self.capacity.window_s,
        )
        for count in self.in_flight.stages:
            yield Step(
                name=f"in_flight_{count}",
                arrivals=Arrivals.CLOSED,
                in_flight=count,
                users=self.accounts,
                seconds=self.in_flight.window_s,
            )


def _below_the_limiter(what: str, rate_per_s: float, accounts: int) -> None:
    """The API refuses each user beyond a rate (docs/contract/walk-api.md#rate-limit): that limit is not the pods'."""
    if rate_per_s * 60 >= RATE_LIMIT_PER_MIN * accounts:
        raise ValueError(
            f"{what}: {rate_per_s:g}/s from {accounts} accounts reach the API's rate limiter ({RATE_LIMIT_PER_MIN} "
            "requests a minute each); more accounts are needed, or a lower rate"
        )


class StepFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured in a step. Latencies in ms from the due time, exact; ratios 0..1; CPU in cores.

    ``generator_cpu_cores`` is that of the busiest worker; ``machine_cpu_ratio`` of all cores of the machine: both over
    the step's own seconds. ``database_connections`` are the most seen of the ``database_limit``, which is what
    ``max_connections`` leaves to roles that are no superuser's.
    ``requests_by_pod`` counts the answers that name their pod. ``photos_uploaded`` of ``photos_due`` beside the step.
    ``missing`` requests of an open loop were due beside those in evidence: the lower bound of p95 takes them as quick,
    the upper ones as failed (of p95 ``None`` where they reach it).
    """

    offered_per_s: float
    answered_per_s: float
    requests: int
    failed: int
    statuses: dict[str, int]
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    latency_p99_ms: float | None
    latency_p95_lower_ms: float | None
    latency_p95_upper_ms: float | None
    lag_p99_ms: float | None
    generator_cpu_cores: float | None
    machine_cpu_ratio: float | None
    pods_cpu_cores: float | None
    pods_memory_bytes: float | None
    database_connections: int | None
    requests_by_pod: dict[str, int] = {}
    database_limit: int | None = None
    photos_due: int = 0
    photos_uploaded: int = 0
    missing: int = 0


class StepResult(msgspec.Struct, frozen=True, kw_only=True):
    """A step judged: ``pass`` when p95 and errors keep their limits, ``fail`` when one is broken; ``inconclusive`` when
    the sample cannot tell, what is missing of it could, the generator was the limit, the load was not spread over the
    pods, the API's rate limiter answered, or the photos beside it were not uploaded. ``mute``: why it says nothing of
    the target (or of it beside photos), however it looks."""

    step: Step
    pods: int
    figures: StepFigures
    verdict: Verdict
    told: Told
    start_ns: int
    mute: Message | None = None


class ContainerResources(msgspec.Struct, frozen=True, kw_only=True):
    """What a container asks for and may use; ``None`` where the manifest is silent. CPU in millicores."""

    request_cpu_m: int | None
    request_memory_bytes: int | None
    limit_cpu_m: int | None
    limit_memory_bytes: int | None


class Sized(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of the manifests: the HPA, a pod's containers as written (the target's own first) and as they were
    while the knees were searched, and how many pods more than the HPA's most a rollout makes."""

    hpa: Hpa | None
    containers: tuple[ContainerResources, ...]
    searched: tuple[ContainerResources, ...]
    surge: int = 0


def sized(manifests: Manifests, knee_cpu_factor: float) -> Sized:
    """Of ``manifests`` as written, whose CPU was multiplied by ``knee_cpu_factor`` for the search."""
    surge, hpa = 0, manifests.hpa
    if hpa is not None:
        surge, _ = limits(msgspec.structs.replace(manifests.deployment, replicas=hpa.max_replicas))
    from harness.stack.manifests.quantity import scaled  # a help of the command is to load none of it

    searched = scaled(manifests, knee_cpu_factor)
    return Sized(hpa=hpa, containers=_asked(manifests), searched=_asked(searched), surge=surge)


def _asked(manifests: Manifests) -> tuple[ContainerResources, ...]:
    return msgspec.convert(
        manifests.deployment.template.containers, tuple[ContainerResources, ...], from_attributes=True
    )


class MadeStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step that was made from ``start_ns`` on, and what was read beside its requests; ``None`` where it could not be.

    ``histogram`` is the HDR histogram of its latencies in microseconds, in its own base64 form: whoever reads the
    result can add them up.
    """

    step: Step
    pods: int
    start_ns: int
    generator_cpu_cores: float | None = None
    machine_cpu_ratio: float | None = None
    database_connections: int | None = None
    database_limit: int | None = None
    photos_uploaded: int = 0
    histogram: str = ""


class LoadStagesDetails(msgspec.Struct, kw_only=True):
    """The facts of a run beside its evidence. ``knee_cpu_factor`` multiplied CPU requests and limits for the search of
    the knees."""

    made: list[MadeStep] = msgspec.field(default_factory=list)
    sized: Sized | None = None
    knee_cpu_factor: float = 1.0
    benched: Benched | None = None
