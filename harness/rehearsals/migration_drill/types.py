"""The plan of a migration drill, and what a run of it leaves to be judged."""

from __future__ import annotations

import msgspec

from harness.model.judgement import Judgement
from harness.model.message import Message, Told, gettext_noop, message, raw_text
from harness.model.scenario import AudiencePlan, PopulationPlan, Scenario

CLAIM_SCRIPT = "phase2.migration"
CLAIM_PLAN = "checklist.migration.script"
CLAIMS = (CLAIM_SCRIPT, CLAIM_PLAN, "migration.stepwise", "migration.firestore_read_only")
#: What every drill is judged by, each with its claim.
JUDGED = {
    **dict.fromkeys(("migration.whole", "migration.odd", "migration.people"), CLAIM_SCRIPT),
    **dict.fromkeys(("migration.killed", "migration.overwritten"), CLAIM_PLAN),
}


class DrillPlan(msgspec.Struct, frozen=True, kw_only=True):
    """``walks`` of ``locations`` each on average lie in Firestore; the migrator is killed ``kills`` times.

    ``migrator`` is a command of the team's own, () for ours. ``racing`` of the walks are written through the API while
    they are moved, one every ``race_every_s``. ``limit_s`` is how long the migrator may take in all, and
    ``stay_limit_s`` how long the load then goes on at most, until enough was seen of those who stay on Firestore.
    ``week`` is run on what was moved (``None``: none is)."""

    name: str = "migration_drill"
    title: str = gettext_noop("The migration from Firestore to PostgreSQL under live traffic")
    claims: tuple[str, ...] = CLAIMS
    migrator: tuple[str, ...] = ()
    walks: int = 10_000
    locations: int = 100
    kills: int = 3
    racing: int = 40
    race_every_s: float = 0.2
    limit_s: float = 2_400.0
    stay_limit_s: float = 120.0
    week: Scenario | None = None
    population: PopulationPlan = PopulationPlan(
        audiences=(AudiencePlan(name="general", users=40, flag_on=20),), pace_s=5.0
    )


class MigratorAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One process of the migrator: ``walks`` were in PostgreSQL when it ended, or was ``killed``; ``least`` are the
    fewest that were seen there while it ran, ``None`` where nobody looked."""

    seconds: float
    walks: int
    killed: bool
    status: int
    least: int | None = None


class OddDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A planted document out of the ordinary: what must become of it, what became; ``named``: among the rejects."""

    name: str
    refused: bool
    there: bool
    named: bool
    wrong: str | Message = ""

    @property
    def good(self) -> bool:
        """Moved as it must be, or refused and named."""
        return not self.wrong and self.there != self.refused and self.named == self.refused

    @property
    def became(self) -> Message:
        """What became of it, for people."""
        if self.wrong:
            return self.wrong if isinstance(self.wrong, Message) else raw_text(self.wrong)
        if self.there:
            return message("moved, and named among the rejects") if self.named else message("moved")
        return message("refused and named") if self.named else message("vanished without a line")


class ComparedStores(msgspec.Struct, frozen=True, kw_only=True):
    """Every document against its walk, by the checkers, once the load has ended and both stores are still.

    ``later``: PostgreSQL has a later write of the API's than the document, which is the mirror's affair. ``stamped``:
    equal but for a later ``updated_at``, and the API wrote nothing. ``older``: the document is later than the walk.
    ``missing``: in no PostgreSQL, and in Firestore or planted. ``alone``: in PostgreSQL, without a document;
    ``strange`` ones were deleted through the API, or neither made by it nor deleted in Firestore. ``unseen`` were
    planted, and have no document, though nobody deleted it."""

    documents: int
    walks: int
    equal: int
    later: int
    missing: int
    older: int
    different: int
    alone: int
    stamped: int = 0
    strange: int = 0
    unseen: int | None = None
    examples: tuple[str | Message, ...] = ()


class Race(msgspec.Struct, frozen=True, kw_only=True):
    """Writes that the API acknowledged while walks were moved; ``lost`` are walks that at any time did not show their
    last one."""

    walks: int
    written: int
    lost: tuple[str | Message, ...] = ()


class WeekSeen(msgspec.Struct, frozen=True, kw_only=True):
    """Week 1 on what was moved: its ``criteria`` as judged, how many moved walks their owners ``asked`` the API for,
    and how many of them were ``wrong``, not as moved; of ``unread`` no answer said what became of them."""

    criteria: tuple[Judgement, ...]
    asked: int
    wrong: int = 0
    unread: int = 0
    examples: tuple[str | Message, ...] = ()


class DrillDetails(msgspec.Struct, kw_only=True):
    """The facts of a run; ``None``: not come to. ``users`` and ``consents`` that PostgreSQL lacks are named, how those
    there differ, and why they were not read. The schedule began at ``origin_ns``; what was due until ``sent_ns`` was
    sent before the load was ended (monotonic)."""

    origin_ns: int | None = None
    sent_ns: int | None = None
    planted: int = 0
    attempts: list[MigratorAttempt] = []
    odd: list[OddDocument] = []
    compared: ComparedStores | None = None
    race: Race | None = None
    users_missing: tuple[str, ...] | None = None
    consents: int = 0
    consents_missing: tuple[str, ...] | None = None
    consents_different: Told | None = None
    consents_unread: Told = ()
    week: WeekSeen | None = None
