"""The plan of a recovery rehearsal: what the document promises, and what is done to see it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from harness.base.message import message
from harness.base.planfile import RuleError, once
from harness.base.units import Bytes, PerSecond, Ratio, Seconds
from harness.model.scenario import AudiencePlan, PopulationPlan, ProbePlan, Span
from harness.rehearsals.dr_restore.schedule import daily_time
from scenarios.claims import ClaimId

PARTS = ("disasters", "schedule", "stall", "points", "sizes", "stack")
#: By then an apply of the procedure as written is out; the rest of ``written_limit_s`` is the restart's.
APPLY_LIMIT_S = 5.0
SMALLEST_BYTES, LARGEST_BYTES = 4 * 1024**2, 2 * 1024**3
MOST_POINTS = 200


class Disaster(StrEnum):
    """What happens to the database, or to what it is to be restored from."""

    DROPPED_TABLE = "dropped_table"
    LOST_DATA_FOLDER = "lost_data_folder"
    BAD_MIGRATION = "bad_migration"
    CORRUPTED_BACKUP = "corrupted_backup"
    MISSING_WAL_SEGMENT = "missing_wal_segment"


class LimitsPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The document's, but ``streaming_rpo_s`` and ``overhead_s``: ours."""

    rto_s: Seconds
    rpo_s: Seconds
    restart_s: Seconds
    streaming_rpo_s: Seconds
    overhead_s: Seconds


class BackupPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Backups at ``at`` ("03:00") in ``zone``, kept for ``retention_s``, looked at for ``days`` of moved time.
    ``terraform_start_time`` is as the document's Terraform has it; Cloud SQL reads it as UTC."""

    at: str
    zone: str
    terraform_start_time: str
    retention_s: Seconds
    days: Annotated[int, msgspec.Meta(ge=1, le=60)]

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for what is no time of day."""
        daily_time(self.at, self.zone)
        daily_time(self.terraform_start_time, "UTC")


class StallPlan(msgspec.Struct, frozen=True, kw_only=True):
    """An archiver that stalls: nothing leaves the server for ``stall_s``, then its disk is lost. Moved time."""

    archive_timeout_s: Seconds
    healthy_s: Seconds
    stall_s: Seconds
    commit_every_s: Seconds

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for a stall that no archiver has."""
        if not 0 < self.stall_s <= 86400:
            raise RuleError("a stall lies within a day, and is one", "stall_s")
        if self.commit_every_s > self.archive_timeout_s:
            raise RuleError("commit_every is longer than archive_timeout", "commit_every_s")


class SizesPlan(
    msgspec.Struct, frozen=True, kw_only=True, rename={"sizes_bytes": "sizes", "production_bytes": "production_size"}
):
    """Restores at ``sizes_bytes``; WAL of ``wal_share`` of the size is replayed; predicted for ``production_bytes``."""

    sizes_bytes: tuple[Bytes, ...]
    wal_share: Ratio
    production_name: str
    production_bytes: Bytes

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for sizes that predict nothing, or that one machine cannot hold."""
        sizes = self.sizes_bytes
        if len(set(sizes)) < 4:
            raise RuleError("at least four different ones for a prediction (--only leaves parts out)", "sizes")
        if any(not SMALLEST_BYTES <= each <= LARGEST_BYTES for each in sizes):
            raise RuleError("sizes lie between 4 MiB and 2 GiB", "sizes")


class TrafficPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The users and probes of the rehearsal on the stack; the windows before and after the disaster.

    ``errors_below`` is the users' own, as the rollout's criterion. ``written_limit_s`` is how long the procedure as
    written is watched: a rollout that cannot end would be waited for in vain.
    """

    users: Annotated[int, msgspec.Meta(ge=1, le=500)]
    pace_s: Span
    probe_rate_per_s: Annotated[PerSecond, msgspec.Meta(gt=0, le=10, description="above 0, at most 10/s")]
    before_s: Seconds
    after_s: Seconds
    available_above: Ratio
    errors_below: Ratio
    written_limit_s: Seconds

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for a load or a limit that could show nothing."""
        if not self.written_limit_s > APPLY_LIMIT_S:
            what = message(
                "written_limit is {limit} s; the apply alone may take {apply} s of it, and nothing would be left for "
                "the restart",
                limit=f"{self.written_limit_s:g}",
                apply=f"{APPLY_LIMIT_S:g}",
            )
            raise RuleError(what, "written_limit_s")
        if not 0 < self.errors_below < 1:
            raise RuleError("errors_below lies between 0 and 100 %", "errors_below")
        _ = self.population, self.probes  # which refuse more than there may be

    @property
    def population(self) -> PopulationPlan:
        """Everybody on the API."""
        return PopulationPlan(
            audiences=(AudiencePlan(name="general", users=self.users, flag_on=self.users),), pace_s=self.pace_s
        )

    @property
    def probes(self) -> ProbePlan:
        """The probe stream."""
        return ProbePlan(rate_per_s=self.probe_rate_per_s)


class RecoveryPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything in seconds and bytes; ``parts`` are those that are run."""

    name: str
    title: str
    parts: tuple[str, ...] = PARTS
    claims: tuple[ClaimId, ...]
    limits: LimitsPlan
    sentinel_every_s: Annotated[Seconds, msgspec.Meta(ge=0.01, le=10, description="between 10ms and 10s")]
    backup: BackupPlan
    disasters: tuple[Disaster, ...]
    points: int
    stall: StallPlan
    sizes: SizesPlan
    traffic: TrafficPlan

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for what cannot be carried out on one machine."""
        if unknown := [part for part in self.parts if part not in PARTS]:
            known = ", ".join(PARTS)
            told = message("unknown part {part}; the parts are {parts}", part=repr(unknown[0]), parts=known)
            raise RuleError(told, "parts")
        if not self.disasters:
            what = "disasters: none, and a part that does nothing would be told as done (--only leaves parts out)"
            raise RuleError(what, "disasters")
        once(self.disasters)
        if not 1 <= self.points <= MOST_POINTS:
            given = {"points": str(self.points), "most": str(MOST_POINTS)}
            told = message("points is {points}, outside 1..{most} (--only leaves parts out)", **given)
            raise RuleError(told, "points")
