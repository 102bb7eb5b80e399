"""Rehearsal of a deploy: the plan as data, and what ``deploy.json`` publishes."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from harness.model.run_report import RunReport
from harness.model.scaling import Ran, ScalingFinding
from harness.model.scenario import Criterion
from harness.model.stack import Version
from harness.rehearsals.chaos.types import CheckSummary

SCHEMA_VERSION = 1


class PartKind(StrEnum):
    """What a part does; all by ``set image``, ``rollout status`` and ``rollout undo``."""

    RELEASE = "release"  # a good version; with ``expand``, the schema changed before it
    NEVER_READY = "never_ready"  # status fails, then undo
    BREAKS_LIMIT = "breaks_limit"  # becomes ready, and the judge has it undone
    BREAKING_SCHEMA = "breaking_schema"  # the schema changed so that the old version cannot live with it


class DeployPart(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the plan. Times in seconds.

    ``graceful``: with the component ``graceful``, else with the manifests as they are. ``status_s`` is the timeout of
    ``rollout status``; ``watch_s`` bounds how long a limit is waited for; ``within_s`` from the first bad answer to the
    last. Fewer than ``least_calls`` requests and probes cannot tell. ``expand``, ``breaking`` and ``back`` are SQL,
    run as the application's own user.
    """

    name: str
    kind: PartKind
    title: str
    claims: tuple[str, ...]
    version: Version
    graceful: bool = True
    least_calls: int = 300
    status_s: float = 180.0
    watch_s: float = 120.0
    within_s: float = 60.0
    expand: str = ""
    breaking: str = ""
    back: str = ""
    written_by: str = ""


class DeployPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The parts in their order; ``limits`` are the rollback criteria that a version may not break."""

    name: str
    title: str
    limits: tuple[Criterion, ...]
    parts: tuple[DeployPart, ...]


class PartResult(msgspec.Struct, frozen=True, kw_only=True):
    """A part that was run. ``calls`` are users' requests to the API and probes together, from the first command until
    the part was over; ``bad_s`` is the time between the first bad answer and the last; ``observed`` are sentences."""

    name: str
    title: str
    manifests: str
    version: Version
    findings: tuple[ScalingFinding, ...]
    ran: tuple[Ran, ...] = ()
    observed: tuple[str, ...] = ()
    calls: int = 0
    failed: int = 0
    bad_s: float | None = None
    start_ns: int = 0
    end_ns: int = 0


class DeployReport(RunReport, frozen=True, kw_only=True):
    """``deploy.json``. ``timings`` are seconds by name."""

    title: str
    parts: tuple[PartResult, ...]
    checks: tuple[CheckSummary, ...]
