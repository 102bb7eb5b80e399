"""Rehearsal of scaling: the plan as data, and what ``scaling.json`` publishes."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from harness.model.stack import Rung
from harness.model.verdict import Verdict

SCHEMA_VERSION = 1


class PartKind(StrEnum):
    """What a part does. All from ``TAKES_BACK`` on run with the autoscaler, which nothing takes away again."""

    MANUAL = "manual"  # low -> high -> low by ``kubectl scale``
    APPLY = "apply"  # scaled to high by hand, then the manifests with ``replicas: low`` are applied
    DRAIN = "drain"  # every pod evicted under the budget
    TAKES_BACK = "takes_back"  # scaled to high by hand under the autoscaler
    HPA = "hpa"  # low -> what the load asks for -> low
    COMMANDS = "commands"  # the document's commands, by kubectl, in the run's namespace


#: Without the autoscaler.
PLAIN = (PartKind.MANUAL, PartKind.APPLY, PartKind.DRAIN)


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

    ``wait_s`` bounds every wait of the part. ``in_flight`` requests are kept under way for ``load_s``.
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


class AnyPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Parts in their order."""

    name: str
    title: str
    parts: tuple[AnyPart, ...]


class ScalingPlan(AnyPlan, frozen=True, kw_only=True):
    """The parts in their order: those without the autoscaler first, the commands last."""

    parts: tuple[Part, ...]


class ScalingFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A claim judged in a part. ``value`` is as a person reads it, with its unit; "" without data."""

    claim: str
    verdict: Verdict
    value: str
    reason: str


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """A command that was run: ``status`` is its exit status, -1 when it was ended after its time."""

    command: str
    status: int
    output: str


class PartResult(msgspec.Struct, frozen=True, kw_only=True):
    """A part that was run, or was not: then ``findings`` say why. ``observed`` are sentences for the errata."""

    name: str
    title: str
    findings: tuple[ScalingFinding, ...]
    observed: tuple[str, ...] = ()
    start_ns: int = 0
    end_ns: int = 0


class ScalingReport(msgspec.Struct, frozen=True, kw_only=True):
    """``scaling.json``. ``cpu_factor`` is what requests and limits were multiplied by; timings in seconds."""

    schema_version: int
    run_id: str
    title: str
    rung: Rung
    target: str
    target_bundled: bool
    seed: int
    replay: str
    started_utc: str
    exit_status: int
    cpu_factor: float
    parts: tuple[PartResult, ...]
    timings: dict[str, float]
    leaks: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    errata: tuple[str, ...] = ()
