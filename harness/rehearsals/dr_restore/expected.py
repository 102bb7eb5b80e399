"""What each part of a recovery is to be judged by. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.model.expected import Expected
from harness.rehearsals.dr_restore.cases import ON_STACK
from harness.rehearsals.dr_restore.types import Disaster, RecoveryPlan

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
