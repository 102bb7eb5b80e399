"""The plan of a recovery rehearsal, what its parts leave to be judged, and by what each is judged.

Times of backups are aware of their zone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta, timezone
from enum import StrEnum
from typing import Annotated

import msgspec

from harness.base.errors import BadInput, Exit, RehearsalError
from harness.base.planfile import RuleError, once
from harness.base.units import Bytes, PerSecond, Ratio, Seconds
from harness.model.judgement import Expected, Verdict
from harness.model.message import Message, message
from harness.model.scenario import AudiencePlan, PopulationPlan, ProbePlan, Span
from harness.rules.register import ClaimId

#: The case of the part on the stack; the others are named as their disasters are.
ON_STACK = "stack_lost_data_folder"
#: The parts of an RTO, in order. What looks at a restored instance before traffic is no part of it, and told apart.
RTO_PARTS = ("detect", "restore", "replay", "switch", "ready")


class CaseCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at; ``told`` is what was seen. ``unknown``: what was seen does not say whether it holds."""

    name: Message
    ok: bool
    told: Message
    unknown: bool = False


def verdict_of(checks: Sequence[CaseCheck]) -> Verdict:
    """Whether all of ``checks`` hold; inconclusive of none."""
    if any(not check.ok and not check.unknown for check in checks):
        return Verdict.FAIL
    return Verdict.PASS if checks and all(check.ok for check in checks) else Verdict.INCONCLUSIVE


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

    @property
    def told(self) -> Message:
        """For people."""
        return message(
            "{recovered} of {acknowledged} recovered, {holes} holes, {unknown} unknown",
            recovered=str(self.recovered),
            acknowledged=str(self.acknowledged),
            holes=str(len(self.holes)),
            unknown=str(len(self.unknown)),
        )


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """A disaster and its recovery. ``rto_s`` by part, seconds; ``with_stack``: under the users' traffic."""

    id: str
    title: Message
    with_stack: bool
    point: Message
    loss: Loss
    rto_s: dict[str, float]
    checks: tuple[CaseCheck, ...]

    @property
    def verdict(self) -> Verdict:
        """Whether every check holds."""
        return verdict_of(self.checks)

    @property
    def word(self) -> Message:
        """The same, for people."""
        if self.verdict is Verdict.INCONCLUSIVE:
            return message("not known whether all hold")
        return message("all hold") if self.verdict is Verdict.PASS else message("not all hold")

    @property
    def total_s(self) -> float:
        """The RTO."""
        return sum(self.rto_s.values())


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


ZONES = {"UTC": UTC, "JST": timezone(timedelta(hours=9), "JST")}


def daily_time(text: str, zone: str) -> time:
    """``"03:00"`` in ``"JST"``. Raises ``ValueError``."""
    try:
        return time.fromisoformat(text).replace(tzinfo=ZONES[zone])
    except (ValueError, KeyError) as error:
        raise ValueError(f"{text!r} {zone} is no time of day; write for example '03:00' and JST") from error


def next_backup(now: datetime, at: time) -> datetime:
    """The first ``at`` after ``now``, in UTC."""
    local = now.astimezone(at.tzinfo)
    due = datetime.combine(local.date(), at)
    if due <= local:
        due += timedelta(days=1)
    return due.astimezone(UTC)


def expired(taken: Sequence[datetime], now: datetime, keep: timedelta) -> list[datetime]:
    """The backups no point of the last ``keep`` needs: all before the newest one that is at least ``keep`` old.

    A point is restored from the last backup before it, so the backup just outside the window still serves its
    oldest points.
    """
    old = [each for each in taken if each <= now - keep]
    return [each for each in old if each < max(old)]


def backup_for(taken: Sequence[datetime], point: datetime) -> datetime:
    """The newest backup not after ``point``. Raises ``BadInput`` for a point before the oldest."""
    before = [each for each in taken if each <= point]
    if not before:
        oldest = min(taken, default=None)
        raise BadInput(
            message("{point} UTC lies before the oldest backup kept", point=f"{point:%Y-%m-%d %H:%M}"),
            remedy=f"the earliest point is {oldest:%Y-%m-%d %H:%M} UTC" if oldest else "there is no backup",
        )
    return max(before)


def reach_by_count(count: int) -> tuple[timedelta, timedelta]:
    """How far daily backups kept by ``count`` reach back: right after a backup, and just before the next."""
    return timedelta(days=count - 1), timedelta(days=count)


class NotInTime(RehearsalError):  # noqa: N818 - as the tree of harness.base.errors
    """The rehearsal cannot go on: what it waits for was not seen within its limit."""

    exit = Exit.RUN_BROKEN


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


#: The judgements that each part makes, each with its claim.
JUDGED = {
    "disasters": {"rpo.disasters": "dr.rpo", "rpo.streaming": "dr.rpo", "restore.verified": "dr.restore.step1"},
    "schedule": {"backup.schedule": "dr.backup.daily", "backup.retention": "dr.backup.pitr"},
    "stall": dict.fromkeys(("rpo.archive_only", "rpo.stalled_archiver", "rpo.follows_the_stall"), "dr.rpo"),
    "points": {"restore.points": "dr.backup.pitr"},
    "sizes": {"rto.predicted": "dr.rto", "restore.overhead": "dr.restore.step1"},
    "stack": {
        "rpo.disasters": "dr.rpo", "rpo.streaming": "dr.rpo", "restore.verified": "dr.restore.step1",
        "rto.measured": "dr.rto", **dict.fromkeys(
            ("procedure.as_written", "procedure.own_address", "procedure.as_corrected"), "dr.restore.step2"
        ), **dict.fromkeys(("procedure.restart", "traffic.after", "traffic.users"), "dr.restore.step3"),
    },
}  # fmt: skip
#: The claims that each part judges.
CLAIMS = {part: tuple(dict.fromkeys(its.values())) for part, its in JUDGED.items()}
#: The disasters in which everything up to the last moment can be recovered: the data folder is lost, the WAL is not.
STREAMED = {Disaster.LOST_DATA_FOLDER.value, Disaster.CORRUPTED_BACKUP.value, ON_STACK}
#: How many things are looked at in each case: three of what was restored, and what the disaster has of its own.
CHECKS = {
    **dict.fromkeys((each.value for each in Disaster), 3), Disaster.CORRUPTED_BACKUP.value: 5,
    Disaster.MISSING_WAL_SEGMENT.value: 6, ON_STACK: 4,
}  # fmt: skip


def expected(plan: RecoveryPlan) -> Iterator[Expected]:
    """What each part is to be judged by, and by how many samples."""
    run = plan.parts
    made = [each.value for each in plan.disasters if "disasters" in run] + [ON_STACK] * ("stack" in run)
    least = {
        "rpo.disasters": len(made),
        "rpo.streaming": sum(each in STREAMED for each in made),
        "restore.verified": sum(CHECKS[each] for each in made),
        "backup.retention": 4,
        "restore.points": 1 + plan.points,  # the archive's own first
        "rto.predicted": len(plan.sizes.sizes_bytes),
    }
    yield from (Expected("", id_, claim, least.get(id_, 0)) for part in run for id_, claim in JUDGED[part].items())
    of_parts = {claim for its in CLAIMS.values() for claim in its}
    yield from (Expected("", claim, claim) for claim in plan.claims if claim not in of_parts)
