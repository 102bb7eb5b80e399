"""``run.json``: the published document of a run. Its JSON Schema is ``harness/report/run.schema.json``."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.model.evidence import Anchor
from harness.model.manifests import ManifestWarning, RepositoryErratum
from harness.model.stack import Rung
from harness.model.verdict import CheckResult, CriterionResult, Decision, ErratumSeen, FalseRollBack

SCHEMA_VERSION = 1


class WindowSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What every window carries beside its criteria. Latencies in ms from the due time; ratios 0..1."""

    name: str
    start_ns: int
    end_ns: int
    side: str  # "api" or "firestore"
    requests: int
    requests_per_s: float
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    latency_p99_ms: float | None
    ratio_4xx: float | None
    ratio_5xx: float | None
    error_ratio: float | None
    generator_lag_p99_ms: float | None
    cpu_cores_mean: float | None  # of all pods together; None on Firestore's side
    memory_bytes_max: float | None
    replicas_min: int | None
    replicas_max: int | None
    bad_seconds: int | None  # seconds in which a probe failed; None where no probes ran


class SwitchOver(msgspec.Struct, frozen=True, kw_only=True):
    """The roll back's measured switch: from the publish of ``false`` to each client's first request on Firestore."""

    clients: int
    switched: int
    last_s: float | None
    limit_s: float
    late_users: tuple[str, ...] = ()


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One finished run. ``timings`` are seconds by name (``stack_up``, ``decision``, ``tear_down``)."""

    schema_version: int
    run_id: str
    scenario: str
    title: str
    rung: Rung
    target: str
    target_bundled: bool
    seed: int
    replay: str
    started_utc: str
    anchor: Anchor
    decision: Decision | None  # None when the run broke before it could be judged
    exit_status: int
    criteria: tuple[CriterionResult, ...]
    windows: tuple[WindowSummary, ...]
    timings: dict[str, float]
    leaks: tuple[str, ...]
    claims: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    rung_changes: tuple[str, ...] = ()  # what the rung forced upon the manifests
    faults: tuple[str, ...] = ()
    switch_over: SwitchOver | None = None
    checks: tuple[CheckResult, ...] = ()
    errors: tuple[str, ...] = ()  # what broke, as the person was told
    errata: tuple[str, ...] = ()  # the ids of ``errata_seen``
    errata_seen: tuple[ErratumSeen, ...] = ()  # () in runs that were stored without it
    false_roll_backs: tuple[FalseRollBack, ...] = ()  # by chance alone, of the rollback limits on ratios
    environment: str = ""  # what the target is told to be: "staging"
    missing_manifests: tuple[str, ...] = ()  # kinds that Phase 2 requires and the folder does not have
    manifest_changes: tuple[str, ...] = ()  # what the rehearsal changes in the document's manifests, on every rung
    manifest_warnings: tuple[ManifestWarning, ...] = ()  # risks of the folder as it was written
    repository_errata: tuple[RepositoryErratum, ...] = ()  # the document's errata held against that folder
    options: dict[str, Any] = {}
