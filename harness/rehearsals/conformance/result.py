"""What the checks answer, and ``conformance.json``."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from harness.model.manifests import ManifestWarning, RepositoryErratum
from harness.model.verdict import Combined, Verdict
from harness.rehearsals.conformance.grade import Finding, Grade, Source

SCHEMA_VERSION = 2  # 2: grade, finding and source of each check; the outcome ``advice``


class Outcome(StrEnum):
    """Of one check."""

    PASSED = "passed"
    DEVIATION = "deviation"
    ADVICE = "advice"  # nothing is broken, and somebody may trip over it
    NOT_EXERCISED = "not_exercised"  # what the check builds on is missing or deviates; ``reason`` says what
    MEASUREMENT_ERROR = "measurement_error"  # the rehearsal's own parts failed: nothing is said of the target

    @property
    def verdict(self) -> Verdict:
        """In the words that all commands share."""
        return _VERDICT[self]


_VERDICT = {
    Outcome.PASSED: Verdict.PASS,
    Outcome.DEVIATION: Verdict.FAIL,
    Outcome.ADVICE: Verdict.PASS,
    Outcome.NOT_EXERCISED: Verdict.NOT_EXERCISED,
    Outcome.MEASUREMENT_ERROR: Verdict.INCONCLUSIVE,
}


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """One check. ``sentence`` is that of ``source``; ``curl`` and ``request_file`` (raw bytes) show a deviation.

    ``grade`` and ``finding`` are of a deviation or an advice. ``decided`` are the sentences of the team's OpenAPI file
    that stood in the place of the contract's. A target may do without what is ``allowed`` to be not exercised.
    """

    id: str
    sentence: str
    outcome: Outcome
    expected: str = ""
    got: str = ""
    reason: str = ""
    curl: str = ""
    request_file: str = ""
    duration_s: float = 0.0
    source: Source | None = None
    grade: Grade | None = None
    finding: Finding | None = None
    decided: tuple[str, ...] = ()
    allowed: bool = False

    @property
    def holds(self) -> bool:
        """Whether it keeps the target from conforming."""
        return not (self.outcome in (Outcome.PASSED, Outcome.ADVICE) or self.allowed)


class Extra(msgspec.Struct, frozen=True, kw_only=True):
    """Something beyond the contract. ``without`` is what the rehearsal then cannot tell."""

    name: str
    offered: bool
    without: str


class Fuzz(msgspec.Struct, frozen=True, kw_only=True):
    """What ``--fuzz`` sent: how many requests, how many of each status ("0": no answer), schemathesis' exit status."""

    cases: int
    statuses: dict[str, int]
    seconds: float
    exit: int

    def __str__(self) -> str:
        """As a person reads it."""
        told = ", ".join(f"{status}: {count}" for status, count in self.statuses.items())
        return f"{self.cases} requests in {self.seconds:g} s ({told})"


class TargetFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The target as it was run."""

    name: str
    bundled: bool
    command: tuple[str, ...]
    folder: str
    environment: tuple[str, ...]  # names only: a value may be a secret of the team's
    migrations: tuple[str, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """``conformance.json``. ``conforms`` is true when no check holds; times are seconds."""

    schema_version: int
    run_id: str
    started_utc: str
    rung: str
    seed: int
    replay: str
    target: TargetFacts
    conforms: bool
    exit_status: int
    checks: tuple[CheckResult, ...]
    not_covered: tuple[str, ...]
    extras: tuple[Extra, ...] = ()
    fuzz: Fuzz | None = None  # with ``--fuzz``
    timings: dict[str, float]
    leaks: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    combined: Combined | None = None  # ``None`` in runs that were stored without it
    environment: str = ""  # what the target is told to be
    manifest_changes: tuple[str, ...] = ()  # what the rehearsal changes in the document's manifests
    manifest_warnings: tuple[ManifestWarning, ...] = ()  # risks of the folder as it was written
    repository_errata: tuple[RepositoryErratum, ...] = ()  # the document's errata held against that folder

    def graded(self, grade: Grade) -> int:
        """How many checks have that grade."""
        return sum(check.grade is grade for check in self.checks)

    def count(self, outcome: Outcome) -> int:
        """How many checks ended so."""
        return sum(check.outcome is outcome for check in self.checks)
