"""The plan and the result of the flag's proof."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from harness.model.manifests import ManifestWarning, RepositoryErratum
from harness.model.message import Told
from harness.model.verdict import Combined, Verdict


class Direction(StrEnum):
    """Which way the flag is flipped."""

    OFF_TO_ON = "off_to_on"
    ON_TO_OFF = "on_to_off"


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of client.

    ``session_s`` 0: it asks Remote Config at every request; else at the app's start only, and starts again that often.
    ``offline_s``: so long without network around the publish. ``late`` is the erratum by which it is expected to be
    late at every interval, "" when it is not.
    """

    name: str
    session_s: float = 0.0
    offline_s: float = 0.0
    late: str = ""


class FetchCase(msgspec.Struct, frozen=True, kw_only=True):
    """A minimum fetch interval; ``late`` is the erratum by which it is expected to be late."""

    fetch_interval_s: float
    real: bool = False
    late: str = ""


class RealPlan(msgspec.Struct, frozen=True, kw_only=True):
    """On real parts every time is divided by ``scale``; ``offline`` of the ``clients`` lose their network."""

    scale: float
    clients: int
    offline: int


class FlagPlan(msgspec.Struct, frozen=True, kw_only=True):
    """``scenarios/plans/flag_proof.yaml``, in seconds."""

    title: str
    claim: str
    limit_s: float
    pace_s: float
    clients: int
    cases: tuple[FetchCase, ...]
    kinds: tuple[Kind, ...]
    real: RealPlan


class Outcome(StrEnum):
    """Of one case. Only ``FAILED`` and ``MISSED`` are against the proof."""

    PASSED = "passed"
    ERRATUM_SHOWN = "erratum_shown"  # fails as the register of claims says it does
    FAILED = "failed"
    MISSED = "missed"  # an erratum that did not show itself

    @property
    def verdict(self) -> Verdict:
        """In the words that all commands share."""
        return {Outcome.PASSED: Verdict.PASS, Outcome.ERRATUM_SHOWN: Verdict.ERRATUM_SHOWN}.get(self, Verdict.FAIL)


class ProofCase(msgspec.Struct, frozen=True, kw_only=True):
    """One case. ``mode`` is ``virtual`` (the client's rule computed) or ``real`` (real parts, times scaled).

    Seconds from the publish; ``bound_s`` is what the rule cannot exceed, ``limit_s`` the document's; ``None`` where
    it does not apply. ``erratum`` is the one shown, or expected and missed.
    """

    id: str
    mode: str
    claim: str
    outcome: Outcome
    reason: str
    told: Told = ()  # the reason as messages, for the page's language
    erratum: str = ""
    clients: int = 0
    switched: int = 0
    last_s: float | None = None
    bound_s: float | None = None
    limit_s: float | None = None


class FlagProof(msgspec.Struct, frozen=True, kw_only=True):
    """``flag_proof.json``. ``proved`` when no case failed and no erratum was missed."""

    schema_version: int
    run_id: str
    started_utc: str
    rung: str
    target: str
    seed: int
    replay: str
    title: str
    proved: bool
    exit_status: int
    cases: tuple[ProofCase, ...]
    timings: dict[str, float]
    leaks: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    target_bundled: bool = False
    combined: Combined | None = None  # ``None`` in runs that were stored without it
    environment: str = ""  # what the target is told to be
    manifest_changes: tuple[str, ...] = ()  # what the rehearsal changes in the document's manifests
    manifest_warnings: tuple[ManifestWarning, ...] = ()  # risks of the folder as it was written
    repository_errata: tuple[RepositoryErratum, ...] = ()  # the document's errata held against that folder
