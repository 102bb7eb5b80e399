"""What a recovery rehearsal saw, judged against the document's claims and our own limits. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from harness.base.clock import NS
from harness.base.units import Unit
from harness.judge.claimed import not_exercised
from harness.model.expected import Expected
from harness.model.judgement import Judgement, observation
from harness.model.message import Message, Told, message
from harness.model.verdict import Verdict
from harness.rehearsals.dr_restore.facts import ON_STACK, RTO_PARTS, Check, Prediction
from harness.rehearsals.dr_restore.judge_losses import CHECKS, STREAMED, not_ok, rpo, stall, within
from harness.rehearsals.dr_restore.judge_steps import rto_of, steps
from harness.rehearsals.dr_restore.schedule import ZONES, daily_time, next_backup, reach_by_count
from harness.rehearsals.dr_restore.sizes import Sizes
from harness.rehearsals.dr_restore.stack_result import RecoveryDetails, managed_before
from harness.rehearsals.dr_restore.stall import expected as computed
from harness.rehearsals.dr_restore.stall import told as stall_told
from harness.rehearsals.dr_restore.types import RecoveryPlan
from harness.stack.local.postgres_programs import MAJOR

UNMANAGED = "dr.restored_instance_unmanaged"
REGION = "dr.backup.cross_region"
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


def judged(plan: RecoveryPlan, seen: RecoveryDetails, anchor_unix_ns: int) -> Iterator[Judgement]:
    """All that the parts that ran allow. ``anchor_unix_ns``: the run's day, for the next backup."""
    yield from on_server(findings(plan, seen), seen)
    yield from errata(plan, seen, datetime.fromtimestamp(anchor_unix_ns / NS, tz=UTC))
    if REGION in plan.claims:
        told = message("the rehearsal has one machine: the loss of a region is outside it (Phase 4)")
        yield not_exercised("", REGION, told)


def findings(plan: RecoveryPlan, seen: RecoveryDetails) -> tuple[Judgement, ...]:
    """Every verdict that the parts that ran allow."""
    parts = (
        rpo(plan, seen.cases),
        stall(plan, seen.stalled),
        _rto(plan, seen),
        _schedule(seen),
        steps(plan, seen.stack, own_network=seen.own_network),
    )
    return tuple(each for part in parts for each in part)


def _rto(plan: RecoveryPlan, seen: RecoveryDetails) -> Iterator[Judgement]:
    around_s = 0.0
    if seen.stack is not None and {*seen.stack.case.rto_s} == {*RTO_PARTS}:
        yield rto_of(plan, seen.stack)
        if seen.stack.corrected.first_good_s is not None:
            parts = seen.stack.case.rto_s
            around_s = parts["detect"] + parts["switch"] + parts["ready"]
    if seen.sizes is not None:
        yield from _by_size(plan, seen.sizes, around_s)


def _by_size(plan: RecoveryPlan, found: Sizes, around_s: float) -> Iterator[Judgement]:
    """``around_s``: detect, switch and ready as the stack showed them; 0 where it gave no figures."""
    extra = found.overhead
    yield _predicted(plan, found.prediction, around_s)
    told = message(
        "on this machine's disk, at {size} MiB: restore {restore} + replay {replay} + switch {switch} s; bare copy "
        "{copy} + replay {raw} s",
        size=f"{extra.size_bytes / 1024**2:g}",
        restore=f"{extra.restore_s:.1f}",
        replay=f"{extra.replay_s:.1f}",
        switch=f"{extra.switch_s:.1f}",
        copy=f"{extra.raw_copy_s:.1f}",
        raw=f"{extra.raw_replay_s:.1f}",
    )
    yield Judgement(
        id="restore.overhead",
        claim="dr.restore.step1",
        verdict=within(extra.difference_s, plan.limits.overhead_s),
        told=(told,),
        value=extra.difference_s,
        limit=plan.limits.overhead_s,
        unit=Unit.SECONDS,
        samples=1,
    )


def _predicted(plan: RecoveryPlan, guess: Prediction, around_s: float) -> Judgement:
    expected_s = upper_s = None
    count = str(len(guess.points))
    told: Told
    if guess.expected_s is None or guess.upper_s is None:
        verdict = Verdict.INCONCLUSIVE
        told = (
            message(
                "{name}: nothing is predicted. The line through {count} sizes does not rise ({slope} s a GiB), so what "
                "was measured is noise: larger --sizes rise above it",
                name=guess.name,
                count=count,
                slope=f"{guess.seconds_per_gib:.2f}",
            ),
        )
    else:
        expected_s, upper_s = guess.expected_s + around_s, guess.upper_s + around_s
        verdict = within(upper_s, plan.limits.rto_s)
        if verdict is Verdict.FAIL and expected_s <= plan.limits.rto_s:
            verdict = Verdict.INCONCLUSIVE
        told = (
            message(
                "{name}: {size} GiB on this machine's disk, by a line through {count} sizes, 95 % prediction bound; a "
                "cloud disk of another speed has another line",
                name=guess.name,
                size=f"{guess.production_bytes / 1024**3:g}",
                count=count,
            ),
        )
        if not around_s:
            told = (*told, message("restore and replay alone, the stack gave no figures"))
    return Judgement(
        id="rto.predicted",
        claim="dr.rto",
        verdict=verdict,
        told=told,
        value=expected_s,
        bound=upper_s,
        limit=plan.limits.rto_s,
        unit=Unit.SECONDS,
        samples=len(guess.points),
    )


def _schedule(seen: RecoveryDetails) -> Iterator[Judgement]:
    for claim, name, checks in (
        ("dr.backup.daily", "backup.schedule", (seen.schedule or [])[:1]),
        ("dr.backup.pitr", "backup.retention", (seen.schedule or [])[1:]),
        ("dr.backup.pitr", "restore.points", seen.points or []),
    ):
        if checks:
            bad = not_ok(checks)
            yield Judgement(
                id=name,
                claim=claim,
                verdict=Verdict.FAIL if bad else Verdict.PASS,
                told=bad or tuple(map(_check, checks[:2])),
                samples=len(checks),
            )


def _check(check: Check) -> Message:
    return message("{name}: {told}", name=check.name, told=check.told)


def _seen(erratum: str, *told: Message) -> Judgement:
    return observation(f"erratum:{erratum}", told, erratum=erratum)


def errata(plan: RecoveryPlan, seen: RecoveryDetails, now: datetime) -> Iterator[Judgement]:
    """The errata that this rehearsal met beside its verdicts, each with what was seen."""
    if seen.schedule:
        due = next_backup(now, daily_time(plan.backup.terraform_start_time, "UTC")).astimezone(ZONES[plan.backup.zone])
        told = message(
            "start_time {start} read as UTC starts the backup at {due} {zone}",
            start=plan.backup.terraform_start_time,
            due=f"{due:%H:%M}",
            zone=plan.backup.zone,
        )
        yield _seen("dr.backup_hour_is_utc", told)
        days = round(plan.backup.retention_s / 86400)
        least, _most = reach_by_count(days)
        told = message(
            "{days} daily backups kept by count reach back {least} days right after a backup; this rehearsal keeps one "
            "more",
            days=str(days),
            least=str(least // timedelta(days=1)),
        )
        yield _seen("dr.backups_by_count", told)
    if seen.stalled is not None and computed(plan.stall)[1].holds(seen.stalled.stalled_rpo_s):
        yield _seen("dr.archive_age_unwatched", *stall_told(seen.stalled, plan.stall, plan.limits.rpo_s))
    if seen.stack is not None and not managed_before(seen.stack):
        told = message(
            "the stack's own PostgreSQL archives nothing (archive_mode off): a restored one loses nothing by it"
        )
        yield observation(UNMANAGED, (told,), verdict=Verdict.NOT_EXERCISED)
    elif seen.stack is not None and seen.stack.restored_archiving == "off":
        told = message(
            "the lost instance had archive_mode {mode}, the restored one has it off: until somebody sets it, nothing "
            "backs it up",
            mode=seen.stack.lost_archiving,
        )
        yield _seen(UNMANAGED, told)


def on_server(found: Iterable[Judgement], seen: RecoveryDetails) -> Iterator[Judgement]:
    """The same; each says the server's version where that is not the document's."""
    for each in found:
        if seen.database_major in (0, MAJOR):
            yield each
        else:
            other = message("on {database}, not the document's {major}", database=seen.database, major=str(MAJOR))
            yield msgspec.structs.replace(each, notes=(*each.notes, other))
