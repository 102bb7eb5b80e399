"""What a recovery rehearsal answers, and ``dr.json``."""

from __future__ import annotations

import msgspec

from harness.model.manifests import ManifestWarning, RepositoryErratum
from harness.model.verdict import Combined, ErratumSeen, Verdict

SCHEMA_VERSION = 2
#: The parts of an RTO, in order. What looks at a restored instance before traffic is no part of it, and told apart.
RTO_PARTS = ("detect", "restore", "replay", "switch", "ready")


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at; ``told`` is what was seen."""

    name: str
    ok: bool
    told: str


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """What the restore lost, by the sentinels. Disaster minus commit of the last one recovered lies between
    ``rpo_least_s`` (the disaster begun, the commit acknowledged) and ``rpo_s`` (known to have happened, the commit
    sent). ``holes``: acknowledged before it, and not there. ``unknown``: there, and never sent.
    """

    rpo_s: float | None
    rpo_least_s: float | None
    acknowledged: int
    recovered: int
    lost: int
    holes: tuple[int, ...] = ()
    unknown: tuple[int, ...] = ()

    @property
    def exact(self) -> bool:
        """The restore holds a prefix of what was acknowledged, and nothing else."""
        return not self.holes and not self.unknown


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """A disaster and its recovery. ``rto_s`` by part, seconds; ``with_stack``: under the users' traffic."""

    id: str
    title: str
    with_stack: bool
    point: str
    loss: Loss
    rto_s: dict[str, float]
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Every check holds."""
        return all(check.ok for check in self.checks)

    @property
    def total_s(self) -> float:
        """The RTO."""
        return sum(self.rto_s.values())


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A claim judged. ``value`` and ``limit`` in ``unit`` (seconds, unless it says another)."""

    id: str
    claim: str
    verdict: Verdict
    reason: str
    value: float | None = None
    bound: float | None = None
    limit: float | None = None
    unit: str = "s"
    samples: int = 0


class SizePoint(msgspec.Struct, frozen=True, kw_only=True):
    """One measured restore."""

    size_bytes: int
    wal_bytes: int
    restore_s: float
    replay_s: float


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """Restore + replay for ``production_bytes`` by the line through ``points``; ``upper_s``: 95 % prediction bound.

    ``None`` where the line does not rise: then size explains nothing, and nothing is said of a larger one.
    """

    name: str
    production_bytes: int
    points: tuple[SizePoint, ...]
    seconds_per_gib: float
    fixed_s: float
    expected_s: float | None
    upper_s: float | None
    machine: str


class Overhead(msgspec.Struct, frozen=True, kw_only=True):
    """Ours against the bare work on the same backup in the same run, seconds."""

    size_bytes: int
    restore_s: float
    replay_s: float
    switch_s: float
    raw_copy_s: float
    raw_replay_s: float

    @property
    def difference_s(self) -> float:
        """Restore + replay + switch, minus raw copy + replay."""
        return self.restore_s + self.replay_s + self.switch_s - self.raw_copy_s - self.raw_replay_s


class RecoveryReport(msgspec.Struct, frozen=True, kw_only=True):
    """``dr.json``. ``not_exercised``: a claim or part of the plan, and why. ``database``: the PostgreSQL it ran on."""

    schema_version: int
    run_id: str
    scenario: str
    title: str
    started_utc: str
    rung: str
    seed: int
    replay: str
    target: str
    machine: str
    database: str
    passed: bool
    exit_status: int
    combined: Combined | None = None  # ``None`` in runs that were stored without it
    environment: str = ""  # what the target is told to be
    manifest_changes: tuple[str, ...] = ()  # what the rehearsal changes in the document's manifests
    manifest_warnings: tuple[ManifestWarning, ...] = ()  # risks of the folder as it was written
    repository_errata: tuple[RepositoryErratum, ...] = ()  # the document's errata held against that folder
    findings: tuple[Finding, ...]
    cases: tuple[CaseResult, ...]
    prediction: Prediction | None
    overhead: Overhead | None
    errata: tuple[ErratumSeen, ...]
    not_exercised: tuple[tuple[str, str], ...]
    timings: dict[str, float]
    leaks: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
