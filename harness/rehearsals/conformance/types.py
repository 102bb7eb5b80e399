"""What a run of the checks leaves to be judged, and what it was asked for."""

from __future__ import annotations

import msgspec

from harness.model.message import Message, marked
from harness.rehearsals.conformance.grade import Finding, Grade, Source


class ConformancePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is tried. ``only`` are patterns of check ids, all when there is none; ``fuzz_s`` is for how long requests
    are drawn (seconds; 0: none); ``openapi`` is the path of the team's own OpenAPI file, "" without one.
    """

    name: str = "conformance"
    title: str = marked("Conformance to the contract")
    only: tuple[str, ...] = ()
    fuzz_s: int = 0
    openapi: str = ""


class Deviation(msgspec.Struct, frozen=True, kw_only=True):
    """What a target did otherwise than a sentence says."""

    expected: str
    got: str
    grade: Grade
    finding: Finding


class CheckRun(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One check as it ran; one without ``deviation``, ``lacking`` and ``broken`` found nothing wrong.

    ``sentence`` is that of ``source``. ``lacking`` says why it could not be tried (what it builds on is missing or
    deviates), which holds nothing up where it is ``allowed``; ``broken`` what failed of the rehearsal's own parts.
    ``curl`` and ``request_file`` (raw bytes) show a deviation. ``decided`` are the sentences of the team's OpenAPI file
    that stood in the place of the contract's.
    """

    id: str
    sentence: str
    source: Source | None = None
    deviation: Deviation | None = None
    lacking: Message | None = None
    allowed: bool = False
    broken: str = ""
    curl: str = ""
    request_file: str = ""
    seconds: float = 0.0
    decided: tuple[str, ...] = ()


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

    command: tuple[str, ...]
    folder: str
    environment: tuple[str, ...]  # names only: a value may be a secret of the team's
    migrations: tuple[str, ...]


class ConformanceDetails(msgspec.Struct, kw_only=True):
    """The facts of a run. ``checks`` stand in the order in which they ran."""

    target: TargetFacts | None = None
    checks: list[CheckRun] = []
    extras: list[Extra] = []
    fuzz: Fuzz | None = None
