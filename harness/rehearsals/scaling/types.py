"""Rehearsal of scaling: the plan as data, and what ``scaling.json`` publishes."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from harness.model.errors import Exit
from harness.model.message import Told
from harness.model.run_report import RunReport
from harness.model.stack import Rung
from harness.model.verdict import ErratumSeen, Verdict

SCHEMA_VERSION = 1


class PartKind(StrEnum):
    """What a part does. All from ``TAKES_BACK`` on run with the autoscaler, which nothing takes away again."""

    MANUAL = "manual"  # low -> high -> low by ``kubectl scale``
    APPLY = "apply"  # scaled to high by hand, then the manifests with ``replicas: low`` are applied
    DRAIN = "drain"  # every pod evicted under the budget
    TAKES_BACK = "takes_back"  # scaled to high by hand under the autoscaler
    HPA = "hpa"  # low -> what the load asks for -> low
    ZONE = "zone"  # every node of a zone frozen, on a cluster of the run's own, without the autoscaler
    COMMANDS = "commands"  # the document's commands, by kubectl, in the run's namespace


#: Without the autoscaler.
PLAIN = (PartKind.MANUAL, PartKind.APPLY, PartKind.DRAIN, PartKind.ZONE)


class AnyPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a plan whatever it does.

    ``pods`` is how many fit the machine: CPU requests and limits are scaled by one factor so that they do.
    """

    name: str
    title: str
    claims: tuple[str, ...]
    needs: tuple[str, ...] = ()
    pods: int = 3


class Part(AnyPart, frozen=True, kw_only=True):
    """One part of the plan, with the limits it is judged by. Times in seconds.

    ``wait_s`` bounds every wait of the part. For ``load_s`` there are ``in_flight`` requests under way, each on a
    connection of its own, or ``rate_per_s`` that come evenly, or the first ``held`` pods that become ready hold the
    share ``hold`` of their memory limit. ``component`` names the overlay beside the rung's own, as in
    ``overlays/kind-spread``.
    """

    kind: PartKind
    low: int = 2
    high: int = 2
    up_within_s: float = 0.0
    down_after_s: float = 0.0
    down_within_s: float = 0.0
    wait_s: float = 300.0
    load_s: float = 0.0
    in_flight: int = 0
    hold: float = 0.0
    held: int = 0
    rate_per_s: float = 0.0
    component: str = ""


class AnyPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Parts in their order."""

    name: str
    title: str
    parts: tuple[AnyPart, ...]


class ScalingPlan(AnyPlan, frozen=True, kw_only=True):
    """The parts in their order: those without the autoscaler first, the commands last."""

    parts: tuple[Part, ...]


class ScalingFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A claim judged in a part. ``value`` is as a person reads it, with its unit; "" without data. ``erratum`` is the
    one that the reason shows, whatever the verdict; "" when none was seen."""

    claim: str
    verdict: Verdict
    value: str
    reason: str
    erratum: str = ""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A change of size by the autoscaler, beside the sizes that the rule allows for what it can have read; () when
    nothing was measured."""

    at_ns: int
    before: int
    size: int
    reason: str
    allowed: tuple[int, ...]


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What a command that sets a number of pods came to: ``after_s`` seconds until exactly ``pods`` were ready
    endpoints, ``None`` when they were not within the wait. ``autoscaler``: an HPA was there. It was run ``at_ns``."""

    command: str
    autoscaler: bool
    pods: int
    after_s: float | None
    at_ns: int = 0


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """So many pods at ``at_s``, seconds from the part's load (from its beginning where it has none). ``why`` is the
    autoscaler's reason; "" for the Service's endpoints."""

    at_s: float
    pods: int
    why: str = ""


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """Endpoints over time, and the autoscaler's decisions."""

    endpoints: tuple[Size, ...] = ()
    decisions: tuple[Size, ...] = ()


class PartResult(msgspec.Struct, frozen=True, kw_only=True):
    """A part that was run, or was not: then ``findings`` say why. ``observed`` are sentences beside the claims,
    ``errata`` what was seen of errata that no finding is about. ``load_s`` is how long its load lasted, 0 without
    one."""

    name: str
    title: str
    findings: tuple[ScalingFinding, ...]
    observed: tuple[str, ...] = ()
    errata: tuple[ErratumSeen, ...] = ()
    start_ns: int = 0
    end_ns: int = 0
    load_s: float = 0.0
    course: Course = Course()


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """Something the cluster, the stack or the run told: ``at_s`` from the run's begin."""

    at_s: float
    kind: str
    subject: str
    message: str
    told: Told = ()  # the same as messages, for the page's language


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of two runs that are compared."""

    run_id: str
    rung: Rung
    target: str
    seed: int
    started_utc: str
    cpu_factor: float


class ReachedSize(msgspec.Struct, frozen=True, kw_only=True):
    """When a number of pods was reached, in seconds from the begin of the load, or ``down`` from its end; ``None``:
    never. ``decided_*`` is when the autoscaler had set it or more (less)."""

    pods: int
    down: bool
    a_s: float | None
    b_s: float | None
    decided_a_s: float | None
    decided_b_s: float | None


class ComparedClaim(msgspec.Struct, frozen=True, kw_only=True):
    """A claim's verdict and value in both runs."""

    claim: str
    a: Verdict
    b: Verdict
    a_value: str
    b_value: str


class ComparedPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part that both runs have."""

    name: str
    title: str
    sizes: tuple[ReachedSize, ...]
    claims: tuple[ComparedClaim, ...]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two runs of scaling beside each other. ``unlike`` says what is not the same in both."""

    a: Side
    b: Side
    unlike: tuple[str, ...]
    parts: tuple[ComparedPart, ...]

    @property
    def exit_status(self) -> int:
        """10 when a claim was kept (or its erratum shown) in the first and not in the second."""
        worse = any(each.a.good and not each.b.good for part in self.parts for each in part.claims)
        return Exit.HOLD if worse else Exit.OK


class ScalingReport(RunReport, frozen=True, kw_only=True):
    """``scaling.json``. ``cpu_factor`` is what requests and limits were multiplied by; timings in seconds;
    ``timeline`` the moments that the page lists; ``errata`` the ids of ``errata_seen``."""

    title: str
    cpu_factor: float
    parts: tuple[PartResult, ...]
    errata: tuple[str, ...] = ()
    timeline: tuple[Moment, ...] = ()
