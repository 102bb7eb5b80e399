"""What a run of the checks leaves to be judged, and what it was asked for."""

from __future__ import annotations

import msgspec

from harness.checks.contract.run import CheckRun
from harness.model.message import gettext_noop


class ConformancePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is tried. ``only`` are patterns of check ids, all when there is none; ``fuzz_s`` is for how long requests
    are drawn (seconds; 0: none); ``openapi`` is the path of the team's own OpenAPI file, "" without one.
    """

    name: str = "conformance"
    title: str = gettext_noop("Conformance to the contract")
    only: tuple[str, ...] = ()
    fuzz_s: int = 0
    openapi: str = ""


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
