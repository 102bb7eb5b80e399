"""``mirror_stop.json``: what a stepwise stop of the mirror showed."""

from __future__ import annotations

import msgspec

from harness.model.manifests import ManifestWarning, RepositoryErratum
from harness.model.message import Told
from harness.model.verdict import Combined, Verdict

SCHEMA_VERSION = 1


class UserLoss(msgspec.Struct, frozen=True, kw_only=True):
    """What one user would lose by a flag-off: walks missing or of an earlier state, and the locations they lack."""

    user: str
    walks: int
    locations: int


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One share, after its time under load. ``written`` walks changed in it, of which ``mirrored`` reached Firestore.

    The rest counts all walks of the run: ``missing`` and ``stale`` documents, deleted walks that would ``come_back``,
    and documents that are of the last write and ``different`` from it.
    """

    share_percent: int
    walks: int
    written: int
    mirrored: int
    missing: int
    stale: int
    come_back: int
    different: int
    lost_locations: int
    losses: tuple[UserLoss, ...]
    examples: tuple[str, ...]


class KilledPod(msgspec.Struct, frozen=True, kw_only=True):
    """A pod killed while its mirror queue was full. ``lost`` of the walks it acknowledged are not in Firestore.

    ``queued`` is the length it logged last; up to ``under_way`` of those were on the wire already and may have arrived.
    """

    pod: str
    acknowledged: int
    in_postgresql: int
    queued: int
    under_way: int
    lost: int
    lost_by_others: int

    @property
    def counted(self) -> bool:
        """Whether loss and log agree: every acknowledged walk is in PostgreSQL, and what was queued is what is lost."""
        agree = self.queued - self.under_way <= self.lost <= self.queued
        return self.queued > self.under_way and agree and self.in_postgresql == self.acknowledged


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """One claim judged as written. ``erratum`` is the one of the register that the reason shows; "" when none was."""

    id: str
    claim: str
    verdict: Verdict
    reason: str
    told: Told = ()  # the reason as messages, for the page's language
    erratum: str = ""


class MirrorStopResult(msgspec.Struct, frozen=True, kw_only=True):
    """The whole document."""

    schema_version: int
    run_id: str
    started_utc: str
    seed: int
    rung: str
    target: str
    replay: str
    killed_pod: KilledPod | None
    steps: tuple[Step, ...]
    judgements: tuple[Judgement, ...]
    exit_status: int
    timings: dict[str, float]
    leaks: tuple[str, ...]
    errors: tuple[str, ...]
    combined: Combined | None = None  # ``None`` in runs that were stored without it
    environment: str = ""  # what the target is told to be
    manifest_changes: tuple[str, ...] = ()  # what the rehearsal changes in the document's manifests
    manifest_warnings: tuple[ManifestWarning, ...] = ()  # risks of the folder as it was written
    repository_errata: tuple[RepositoryErratum, ...] = ()  # the document's errata held against that folder
