"""Load stages and the search for the knee: the plan as data, and what ``load.json`` publishes."""

from __future__ import annotations

import msgspec

from harness.model.message import Told
from harness.model.run_report import RunReport
from harness.model.step import Step
from harness.model.verdict import Verdict

SCHEMA_VERSION = 1


class KneePlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The search for the highest rate that keeps the limits, for each number of pods: doubled from ``first_rate_per_s``
    until a rate fails twice, then halved geometrically until the bracket is narrower than ``precision`` (0.1 = 10 %).
    Before it, in ``warm_up_s``, every user opens a connection anew and makes one request, which nothing judges: the
    first ones of a new pod take far longer than those after them.

    ``cpu_share`` of the machine's cores is all that the most pods may use together (their limits are scaled down to
    it), so that generator and database keep the rest and the pods are what breaks; 0 leaves the manifests' limits.
    """

    pods: tuple[int, ...]
    warm_up_s: float
    step_s: float
    first_rate_per_s: float
    most_rate_per_s: float
    precision: float
    photos_per_s: float = 0.0  # the first number of pods is searched once more with photos as interference
    photo_bytes: int = 0
    cpu_share: float = 0.0


class LoadStagesPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole plan. ``pods`` is the number of replicas of the stages; ``accounts`` that of the users' tokens."""

    name: str
    title: str
    claims: tuple[str, ...]
    accounts: int
    pods: int
    stages: tuple[Step, ...]
    knee: KneePlan
    p95_limit_ms: float
    error_limit: float
    request_timeout_s: float = 10.0


class StepFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured in a step. Latencies in ms from the due time, exact; ratios 0..1; CPU in cores.

    ``generator_cpu_cores`` is that of the busiest worker; ``machine_cpu_ratio`` of all cores of the machine: both over
    the step's own seconds. ``database_connections`` are the most seen of the ``database_limit`` (``max_connections``).
    ``requests_by_pod`` counts the answers that name their pod. ``photos_uploaded`` of ``photos_due`` beside the step.
    ``histogram`` is the step's HDR histogram of latencies in microseconds, in its own base64 form.
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
    error_upper: float | None
    lag_p99_ms: float | None
    generator_cpu_cores: float | None
    machine_cpu_ratio: float | None
    pods_cpu_cores: float | None
    pods_memory_bytes: float | None
    database_connections: int | None
    histogram: str
    requests_by_pod: dict[str, int] = {}
    database_limit: int | None = None
    photos_due: int = 0
    photos_uploaded: int = 0


class StepResult(msgspec.Struct, frozen=True, kw_only=True):
    """A step judged: ``pass`` when p95 and errors keep their limits, ``fail`` when one is broken; ``inconclusive`` when
    the sample cannot tell, the generator was the limit, the load was not spread over the pods, the API's rate limiter
    answered, or the photos beside it were not uploaded."""

    step: Step
    pods: int
    figures: StepFigures
    verdict: Verdict
    reason: str
    start_ns: int


class Knee(msgspec.Struct, frozen=True, kw_only=True):
    """The knee of a number of pods: ``rate_per_s`` is the highest rate that passed, ``broken_per_s`` the lowest that
    did not in two tries. ``verdict`` is ``pass`` when both are known, ``fail`` when no rate was kept, else
    ``inconclusive``, with the reason."""

    pods: int
    rate_per_s: float | None
    broken_per_s: float | None
    verdict: Verdict
    reason: str
    photos_per_s: float = 0.0
    told: Told = ()  # the reason as messages, for the page's language


class ClaimResult(msgspec.Struct, frozen=True, kw_only=True):
    """A claim of the document against what was measured. ``of_target``: what it states, asked of the target at hand,
    where the claim itself is about another (the Go backend). ``erratum`` is the one that the reason shows; "" when
    none was seen."""

    claim: str
    verdict: Verdict
    value: str
    reason: str
    told: Told = ()  # the reason as messages
    of_target: bool = False
    erratum: str = ""


class LoadReport(RunReport, frozen=True, kw_only=True):
    """``load.json``. ``timings`` are seconds by name; ``knee_cpu_factor`` multiplied CPU requests and limits for the
    search of the knees."""

    scenario: str
    title: str
    p95_limit_ms: float
    error_limit: float
    steps: tuple[StepResult, ...]
    knees: tuple[Knee, ...]
    claims: tuple[ClaimResult, ...]
    errata: tuple[str, ...] = ()  # the ids of ``errata_seen``
    knee_cpu_factor: float = 1.0
