"""What a recovery rehearsal saw, judged against the document's claims and our own limits. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import msgspec

from harness.model.verdict import ErratumSeen, Verdict
from harness.rehearsals.dr_restore.losses import rpo, stall, within
from harness.rehearsals.dr_restore.result import CaseResult, Check, Finding, Prediction
from harness.rehearsals.dr_restore.schedule import ZONES, daily_time, next_backup, reach_by_count
from harness.rehearsals.dr_restore.sizes import Sizes
from harness.rehearsals.dr_restore.stack_result import OnStack, changed_nothing, managed_before
from harness.rehearsals.dr_restore.stall import Stalled
from harness.rehearsals.dr_restore.stall import told as stall_told
from harness.rehearsals.dr_restore.steps import rto_of, steps
from harness.rehearsals.dr_restore.types import RecoveryPlan
from harness.stack.local.postgres_programs import MAJOR, Programs

UNMANAGED = "dr.restored_instance_unmanaged"


class Observed(msgspec.Struct, kw_only=True):
    """What the parts of a rehearsal gave; ``None`` and empty where a part did not run."""

    cases: list[CaseResult] = []
    schedule: list[Check] | None = None
    points: list[Check] | None = None
    stalled: Stalled | None = None
    sizes: Sizes | None = None
    stack: OnStack | None = None
    own_network: bool = False  # the stack's instances have addresses of their own


def findings(plan: RecoveryPlan, seen: Observed) -> tuple[Finding, ...]:
    """Every finding the parts that ran allow."""
    parts = (
        rpo(plan, seen.cases),
        stall(plan, seen.stalled),
        _rto(plan, seen),
        _schedule(seen),
        steps(plan, seen.stack, own_network=seen.own_network),
    )
    return tuple(finding for part in parts for finding in part)


def _rto(plan: RecoveryPlan, seen: Observed) -> Iterator[Finding]:
    around_s = 0.0
    if seen.stack is not None:
        yield rto_of(plan, seen.stack)
        if seen.stack.corrected.first_good_s is not None:
            parts = seen.stack.case.rto_s
            around_s = parts["detect"] + parts["switch"] + parts["ready"]
    if seen.sizes is not None:
        yield from _by_size(plan, seen.sizes, around_s)


def _by_size(plan: RecoveryPlan, found: Sizes, around_s: float) -> Iterator[Finding]:
    """``around_s``: detect, switch and ready as the stack showed them; 0 where it gave no figures."""
    extra = found.overhead
    yield _predicted(plan, found.prediction, around_s)
    yield Finding(
        id="restore.overhead",
        claim="dr.restore.step1",
        verdict=within(extra.difference_s, plan.overhead_s),
        value=extra.difference_s,
        limit=plan.overhead_s,
        samples=1,
        reason=f"on this machine's disk, at {extra.size_bytes / 1024**2:g} MiB: "
        f"restore {extra.restore_s:.1f} + replay {extra.replay_s:.1f} + "
        f"switch {extra.switch_s:.1f} s; bare copy {extra.raw_copy_s:.1f} + replay {extra.raw_replay_s:.1f} s",
    )


def _predicted(plan: RecoveryPlan, guess: Prediction, around_s: float) -> Finding:
    expected_s = upper_s = None
    if guess.expected_s is None or guess.upper_s is None:
        verdict = Verdict.INCONCLUSIVE
        reason = (
            f"{guess.name}: nothing is predicted. The line through {len(guess.points)} sizes does not rise "
            f"({guess.seconds_per_gib:.2f} s a GiB), so what was measured is noise: larger --sizes rise above it"
        )
    else:
        expected_s, upper_s = guess.expected_s + around_s, guess.upper_s + around_s
        verdict = within(upper_s, plan.rto_s)
        if verdict is Verdict.FAIL and expected_s <= plan.rto_s:
            verdict = Verdict.INCONCLUSIVE
        reason = (
            f"{guess.name}: {guess.production_bytes / 1024**3:g} GiB on this machine's disk, by a line through "
            f"{len(guess.points)} sizes, 95 % prediction bound; a cloud disk of another speed has another line"
            + ("" if around_s else "; restore and replay alone, the stack gave no figures")
        )
    return Finding(
        id="rto.predicted",
        claim="dr.rto",
        verdict=verdict,
        value=expected_s,
        bound=upper_s,
        limit=plan.rto_s,
        samples=len(guess.points),
        reason=reason,
    )


def _schedule(seen: Observed) -> Iterator[Finding]:
    for claim, name, checks in (
        ("dr.backup.daily", "backup.schedule", (seen.schedule or [])[:1]),
        ("dr.backup.pitr", "backup.retention", (seen.schedule or [])[1:]),
        ("dr.backup.pitr", "restore.points", seen.points or []),
    ):
        if checks:
            bad = [f"{check.name}: {check.told}" for check in checks if not check.ok]
            yield Finding(
                id=name,
                claim=claim,
                verdict=Verdict.FAIL if bad else Verdict.PASS,
                samples=len(checks),
                reason="; ".join(bad) or "; ".join(f"{check.name}: {check.told}" for check in checks[:2]),
            )


def errata_seen(plan: RecoveryPlan, seen: Observed, now: datetime) -> tuple[ErratumSeen, ...]:
    """The errata that this rehearsal met, each with what was seen."""
    found = []
    if seen.schedule:
        due = next_backup(now, daily_time(plan.terraform_start_time, "UTC")).astimezone(ZONES[plan.backup_zone])
        told = f"start_time {plan.terraform_start_time} read as UTC starts the backup at {due:%H:%M} {plan.backup_zone}"
        found.append(ErratumSeen(id="dr.backup_hour_is_utc", seen=told))
        days = round(plan.retention_s / 86400)
        least, _most = reach_by_count(days)
        told = f"{days} daily backups kept by count reach back {least // timedelta(days=1)} days right "
        found.append(ErratumSeen(id="dr.backups_by_count", seen=f"{told}after a backup; this rehearsal keeps one more"))
    if seen.stalled is not None:
        found.append(ErratumSeen(id="dr.archive_age_unwatched", seen=stall_told(seen.stalled, plan.stall, plan.rpo_s)))
    if seen.stack is not None:
        found += _of_the_stack(seen.stack)
    return tuple(found)


def _of_the_stack(found: OnStack) -> Iterator[ErratumSeen]:
    if changed_nothing(found):
        written, corrected = found.written, found.corrected
        why = f" ({written.steps.why})" if written.steps.why else ""
        told = (
            f"as written ({written.steps.told}), watched for {written.watched_s:.0f} s: the restart did not "
            f"complete{why}, none of {written.seen.probes} probes was good, no pod had a session on the new instance; "
            f"corrected, {corrected.sessions} sessions, "
        )
        told += (
            f"no good answer in {corrected.waited_s:.0f} s"
            if corrected.first_good_s is None
            else f"the first good answer after {corrected.first_good_s:.1f} s"
        )
        yield ErratumSeen(id="dr.configmap_changes_nothing", seen=told)
    if managed_before(found) and found.restored_archiving == "off":
        told = (
            f"the lost instance had archive_mode {found.lost_archiving}, the restored one has it off: until somebody "
            "sets it, nothing backs it up"
        )
        yield ErratumSeen(id=UNMANAGED, seen=told)


def errata_not_exercised(seen: Observed) -> Iterator[tuple[str, str]]:
    """The errata that a part which ran had no occasion to show, and why."""
    if seen.stack is not None and not managed_before(seen.stack):
        why = "the stack's own PostgreSQL archives nothing (archive_mode off): a restored one loses nothing by it"
        yield UNMANAGED, why


def on_server(found: Iterable[Finding], programs: Programs) -> tuple[Finding, ...]:
    """The same; each says the server's version where that is not the document's."""
    if programs.major == MAJOR:
        return tuple(found)
    other = f"on {programs.named}, not the document's {MAJOR}"
    return tuple(msgspec.structs.replace(each, reason=f"{each.reason}; {other}") for each in found)
