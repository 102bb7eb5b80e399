"""The plan of a recovery rehearsal: what the document promises, and what is done to see it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from harness.model.scenario import PopulationPlan, ProbePlan

PARTS = ("disasters", "schedule", "stall", "points", "sizes", "stack")
#: By then an apply of the procedure as written is out; the rest of ``written_limit_s`` is the restart's.
APPLY_LIMIT_S = 5.0


class Disaster(StrEnum):
    """What happens to the database, or to what it is to be restored from."""

    DROPPED_TABLE = "dropped_table"
    LOST_DATA_FOLDER = "lost_data_folder"
    BAD_MIGRATION = "bad_migration"
    CORRUPTED_BACKUP = "corrupted_backup"
    MISSING_WAL_SEGMENT = "missing_wal_segment"


class StallPlan(msgspec.Struct, frozen=True, kw_only=True):
    """An archiver that stalls: nothing leaves the server for ``stall_s``, then its disk is lost. Moved time."""

    archive_timeout_s: float
    healthy_s: float
    stall_s: float
    commit_every_s: float


class SizesPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Restores at ``sizes_bytes``; WAL of ``wal_share`` of the size is replayed; predicted for ``production_bytes``."""

    sizes_bytes: tuple[int, ...]
    wal_share: float
    production_name: str
    production_bytes: int


class TrafficPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The users and probes of the rehearsal on the stack; the windows before and after the disaster."""

    population: PopulationPlan
    probes: ProbePlan
    before_s: float
    after_s: float
    available_above: float
    errors_below: float  # the users' own, as the rollout's criterion
    #: How long the procedure as written is watched: a rollout that cannot end would be waited for in vain.
    written_limit_s: float


class RecoveryPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything in seconds and bytes; ``parts`` are those that are run. Limits are the document's, but
    ``streaming_rpo_s`` and ``overhead_s``: ours.
    """

    name: str
    title: str
    parts: tuple[str, ...] = PARTS
    claims: tuple[str, ...]
    rto_s: float
    rpo_s: float
    streaming_rpo_s: float
    overhead_s: float
    restart_s: float
    sentinel_every_s: float
    backup_at: str  # "03:00" in ``backup_zone``
    backup_zone: str
    terraform_start_time: str  # as the document's Terraform has it; Cloud SQL reads it as UTC
    retention_s: float
    days: int
    disasters: tuple[Disaster, ...]
    points: int
    stall: StallPlan
    sizes: SizesPlan
    traffic: TrafficPlan
