"""What a recovery rehearsal saw, judged against the document's claims and our own limits. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from harness.model.recovery import RecoveryPlan
from harness.model.verdict import Verdict
from harness.recovery.losses import rpo, stall, within
from harness.recovery.result import CaseResult, Check, ErratumSeen, Finding, Prediction
from harness.recovery.schedule import ZONES, daily_time, next_backup, reach_by_count
from harness.recovery.sizes import Sizes
from harness.recovery.stack_result import OnStack, changed_nothing
from harness.recovery.stall import Stalled
from harness.recovery.stall import told as stall_told


class Observed(msgspec.Struct, kw_only=True):
    """What the parts of a rehearsal gave; ``None`` and empty where a part did not run."""

    cases: list[CaseResult] = []
    schedule: list[Check] | None = None
    points: list[Check] | None = None
    stalled: Stalled | None = None
    sizes: Sizes | None = None
    stack: OnStack | None = None


def findings(plan: RecoveryPlan, seen: Observed) -> tuple[Finding, ...]:
    """Every finding the parts that ran allow."""
    parts = (rpo(plan, seen.cases), stall(plan, seen.stalled), _rto(plan, seen), _schedule(seen), _stack(plan, seen))
    return tuple(finding for part in parts for finding in part)


def _rto(plan: RecoveryPlan, seen: Observed) -> Iterator[Finding]:
    around_s = 0.0
    if seen.stack is not None:
        parts = seen.stack.case.rto_s
        around_s = parts["detect"] + parts["switch"] + parts["ready"]
        yield Finding(
            id="rto.measured",
            claim="dr.rto",
            verdict=within(seen.stack.case.total_s, plan.rto_s),
            value=seen.stack.case.total_s,
            limit=plan.rto_s,
            samples=1,
            reason="detect + restore + replay + switch (the new instance made known to the sidecars in "
            f"{seen.stack.register_s:.2f} s of it) + ready, a small database under load; left out: nobody had to be "
            f"woken, the {seen.stack.verify_s:.2f} s of looking at the restored instance before traffic, the "
            f"{seen.stack.written_s:.0f} s of the procedure as written",
        )
    if seen.sizes is not None:
        yield from _by_size(plan, seen.sizes, around_s)


def _by_size(plan: RecoveryPlan, found: Sizes, around_s: float) -> Iterator[Finding]:
    """``around_s``: detect, switch and ready as the stack showed them; 0 where it did not run."""
    extra = found.overhead
    yield _predicted(plan, found.prediction, around_s)
    yield Finding(
        id="restore.overhead",
        claim="dr.restore.step1",
        verdict=within(extra.difference_s, plan.overhead_s),
        value=extra.difference_s,
        limit=plan.overhead_s,
        samples=1,
        reason=f"at {extra.size_bytes / 1024**2:g} MiB: restore {extra.restore_s:.1f} + replay {extra.replay_s:.1f} + "
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
            + ("" if around_s else "; restore and replay alone, the stack did not run")
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


def _stack(plan: RecoveryPlan, seen: Observed) -> Iterator[Finding]:
    found = seen.stack
    if found is None:
        return
    yield Finding(
        id="procedure.as_corrected",
        claim="dr.restore.step2",
        verdict=Verdict.PASS if found.after.good else Verdict.FAIL,
        value=found.case.rto_s["switch"],
        samples=found.after.probes,
        reason="the sidecar's instance changed in the Deployment: the first good answer after so long",
    )
    yield Finding(
        id="procedure.restart",
        claim="dr.restore.step3",
        verdict=within(found.restart_s, plan.restart_s),
        value=found.restart_s,
        limit=plan.restart_s,
        samples=found.restart_seen.requests,
        reason=f"restarted in order under load, {found.restart_seen.errors} of {found.restart_seen.requests} requests "
        "failed; 5-10 min has room for images and nodes, which this rung does not fetch",
    )
    bound, wanted = found.after.bound, plan.traffic.available_above
    verdict = Verdict.INCONCLUSIVE
    if bound is not None and bound > wanted:
        verdict = Verdict.PASS
    elif found.after.availability is not None and found.after.availability < wanted:
        verdict = Verdict.FAIL
    yield Finding(
        id="traffic.after",
        claim="dr.restore.step3",
        verdict=verdict,
        value=found.after.availability,
        bound=bound,
        limit=wanted,
        unit="ratio",
        samples=found.after.probes,
        reason=f"{found.after.good} of {found.after.probes} probes good; users: {found.after.errors} of "
        f"{found.after.requests} requests failed",
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
        if changed_nothing(seen.stack):
            told = (
                f"as written ({seen.stack.written_told}), watched for {seen.stack.written_s:.0f} s: the restart did "
                f"not complete, none of {seen.stack.written_seen.probes} probes was good, no pod had a session on "
                f"the new instance; corrected, {seen.stack.corrected_sessions} sessions, the first good answer after "
                f"{seen.stack.case.rto_s['switch']:.1f} s"
            )
            found.append(ErratumSeen(id="dr.configmap_changes_nothing", seen=told))
        if seen.stack.restored_archiving == "off":
            told = "the restored instance has archive_mode off: until somebody sets it, nothing backs it up"
            found.append(ErratumSeen(id="dr.restored_instance_unmanaged", seen=told))
    return tuple(found)
