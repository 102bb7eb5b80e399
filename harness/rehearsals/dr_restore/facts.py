"""The facts of a recovery: what was lost, how long it took, and what the document's steps did on the stack. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from harness.base.message import gettext_noop
from harness.model.message import Message, Told, message, raw_text
from harness.rehearsals.dr_restore.keeper import Stalled, expected
from harness.rehearsals.dr_restore.on_stack import RecoveryDetails, Restart, StackShown
from harness.rehearsals.dr_restore.procedure import Calls, Reached
from harness.rehearsals.dr_restore.restore import Sizes
from harness.rehearsals.dr_restore.types import (
    RTO_PARTS,
    STREAMED,
    ZONES,
    BackupPlan,
    CaseCheck,
    CaseResult,
    Prediction,
    RecoveryPlan,
    StallPlan,
    daily_time,
    next_backup,
    reach_by_count,
)
from harness.report.words import VERDICT
from harness.rules.bounds import ratio_lower, ratio_upper
from harness.rules.planned import lost_words
from harness.rules.rule import Fact, FactsOf

#: Each fact of a recovery, in a sentence.
PHRASES = {
    "disasters.lost_s": gettext_noop("the worst of {of} disasters: {which}"),
    "disaster.rpo_s": gettext_noop("{disaster}: restored to {point}; {lost} of {of} commits lost, RPO {seen}"),
    "disaster.rto_s": gettext_noop("{disaster}: {verdict}, RTO {seen}"),
    "streamed.lost_s": gettext_noop(
        "WAL streamed; a sentinel every {every} ms; counted to when the server was known dead, so the loss is at most "
        "this; the limit is ours, tighter than the document's"
    ),
    "restored.wrong": gettext_noop(
        "{seen} of {of} comparisons failed: of backups with their manifests, of restored instances with the "
        "acknowledged commits, of counts and content with what was written"
    ),
    "schedule.wrong": gettext_noop("{seen} of {of} checks of when backups are made failed"),
    "retention.wrong": gettext_noop("{seen} of {of} checks of how long backups are kept failed"),
    "points.wrong": gettext_noop("{seen} of {of} checks of the restore points failed"),
    "backup.off_s": gettext_noop("start_time {start} read as UTC starts the backup at {due} {zone}"),
    "backups.kept": gettext_noop("backups of {seen} days are kept"),
    "backups.reach": gettext_noop(
        "{days} daily backups kept by count reach back {seen} days right after a backup; this rehearsal keeps one more"
    ),
    "alone.lost_s": gettext_noop(
        "archive alone, the disk lost just before a segment was due; the plan's own number, an archive_timeout of "
        "{timeout} s, decides this verdict; by a moved clock"
    ),
    "stalled.lost_s": gettext_noop(
        "an archiver stalled for {stall} loses the stall and what was not yet switched; {recovered} of {of} commits "
        "recovered; the limit holds up to a stall of {safe}; no alert of the document sees one; the plan's own number, "
        "a stall of {seconds} s, decides this verdict: nothing in the document bounds one; by a moved clock"
    ),
    "law.lost_s": gettext_noop(
        "{seen} were lost; computed beforehand: {least} to {most} s, by an archive_timeout of {timeout} s, a stall of "
        "{stall} s after {healthy} s, a commit every {every} s"
    ),
    "law.least_s": gettext_noop("at least {seen} were computed beforehand"),
    "law.most_s": gettext_noop("at most {seen} were computed beforehand"),
    "predicted_s": gettext_noop(
        "{name}: {size} GiB on this machine's disk, by a line through {of} sizes, 95 % prediction bound; a cloud disk "
        "of another speed has another line"
    ),
    "overhead_s": gettext_noop(
        "on this machine's disk, at {size} MiB: restore {restore} + replay {replay} + switch {switch} s; bare copy "
        "{copy} + replay {raw} s"
    ),
    "rto_s": gettext_noop(
        "detect + restore + replay + switch (the new instance made known to the sidecars in {register} s of it) + "
        "ready, a small database under load, on this machine's disk; left out: nobody had to be woken, the {verify} s "
        "of looking at the restored instance before traffic, the {written} s of the procedure as written"
    ),
    "restored.unmanaged": gettext_noop(
        "the lost instance had archive_mode {lost}, the restored one has it {restored}: until somebody sets it, "
        "nothing backs it up"
    ),
    "written.asked": gettext_noop("as written, watched for {seconds} s: {seen} restarts were asked for"),
    "written.completed": gettext_noop("as written, {seen} restarts completed"),
    "written.good": gettext_noop(
        "written was the proxy's endpoint, by which pods reach any instance; watched for {seconds} s, {seen} of {of} "
        "probes were good"
    ),
    "written.sessions": gettext_noop("as written, the pods had {seen} sessions on the new instance"),
    "own_address.written": gettext_noop("the new instance's own address was written into db_host {seen} times"),
    "corrected.waited_s": gettext_noop("an answer was waited for {seen}"),
    "corrected.answered_s": gettext_noop(
        "the sidecar's instance changed in the Deployment, the first good answer after: {seen}"
    ),
    "corrected.good": gettext_noop("{seen} of {of} probes were good once it was changed"),
    "corrected.sessions": gettext_noop("once it was changed, the pods had {seen} sessions on the new instance"),
    "restart_s": gettext_noop(
        "restarted under load in: {seen}; 5-10 min has room for images and nodes, which this environment does not fetch"
    ),
    "restart.failed_ratio": gettext_noop("{errors} of {requests} requests failed in the restart"),
    "probes.good_ratio": gettext_noop("{good} of {of} probes good"),
    "users.failed_ratio": gettext_noop(
        "{errors} of {of} requests of the users failed; the limit is the rollout's of week 1"
    ),
    "region.lost": gettext_noop("{seen} regions were lost"),
}  # fmt: skip
_NOT_REACHED = message("not reached: as corrected, no good answer came")


def facts(plan: RecoveryPlan, details: RecoveryDetails, now: datetime) -> Iterator[Fact]:
    """The facts of the parts that ran. ``now``: the run's day, for the next backup."""
    fact = FactsOf(PHRASES)
    far = message("the rehearsal has one machine: the loss of a region is outside it (Phase 4)")
    yield fact("region.lost", 0, lacks=(far,))
    yield from _losses(fact, plan, details.cases)
    if details.schedule:
        yield from _checks(fact, "schedule.wrong", details.schedule[:1])
        yield from _checks(fact, "retention.wrong", details.schedule[1:])
        yield from _kept(fact, plan.backup, now)
    yield from _checks(fact, "points.wrong", details.points or [])
    if details.stalled is not None:
        yield from _stall(fact, plan.stall, details.stalled, plan.limits.rpo_s)
    if details.sizes is not None:
        yield from _by_size(fact, details.sizes, details.stack)
    if details.stack is not None:
        yield from _steps(fact, details.stack, own_network=details.own_network)


def _losses(fact: FactsOf, plan: RecoveryPlan, cases: Sequence[CaseResult]) -> Iterator[Fact]:
    """What the disasters lost, and whether what was restored is what was written."""
    if not cases:
        return
    yield _lost(fact, "disasters.lost_s", cases)
    for case in cases:
        of, lost = FactsOf(PHRASES, case=case.id), str(case.loss.lost)
        words: dict[str, Any] = {"disaster": case.title, "point": case.point, "lost": lost}
        yield of("disaster.rpo_s", case.loss.rpo_s, of=case.loss.acknowledged, **words)
        word = case.word or Message(text=VERDICT[case.verdict])
        besides = tuple(map(checked, case.checks))
        yield of("disaster.rto_s", case.total_s, disaster=case.title, verdict=word, besides=besides)
    if streamed := [case for case in cases if case.id in STREAMED]:
        yield _lost(fact, "streamed.lost_s", streamed, every=f"{plan.sentinel_every_s * 1000:g}")
    checks = [(case, check) for case in cases for check in case.checks]
    unchecked = [message("nothing was checked of: {names}", names=case.id) for case in cases if not case.checks]
    bad = [message("{case}: {what}", case=case.id, what=_told(check)) for case, check in checks if not check.ok]
    yield _wrong(fact, "restored.wrong", [check for _, check in checks], [*bad, *unchecked], len(unchecked))


def checked(check: CaseCheck) -> Message:
    """A check with its sign."""
    sign = "✓" if check.ok else "?" if check.unknown else "✗"
    return message("{sign} {name}: {told}", sign=sign, name=check.name, told=check.told)


def _lost(fact: FactsOf, name: str, cases: Sequence[CaseResult], **words: Any) -> Fact:
    """The worst loss of ``cases``.

    A disaster takes its time, so each loss is known between two figures only. A negative one is no measurement: a
    commit sent after the data was gone cannot have been recovered. Where commits before the last one recovered are
    missing, more was lost than that one says.
    """
    known = [case.loss.rpo_s for case in cases if case.loss.rpo_s is not None]
    holed = tuple(
        message("{case}: {count} commits before the last one recovered are missing",
                case=case.id, count=str(len(case.loss.holes)))
        for case in cases if case.loss.holes
    )  # fmt: skip
    if len(known) < len(cases):
        none = message("a restore held no sentinel")
        return fact(name, low=0.0, high=math.inf, of=len(cases), besides=holed, which=none, **words)
    worst = max(cases, key=lambda case: case.loss.rpo_s or 0.0)
    low, high = max(case.loss.rpo_least_s or 0.0 for case in cases), math.inf if holed else max(known)
    if min(known) < 0:
        low, high = 0.0, math.inf
    return fact(name, max(known), low=low, high=high, of=len(cases), besides=holed, which=worst.id, **words)


def _told(check: CaseCheck) -> Message:
    return message("{name}: {told}", name=check.name, told=check.told)


def _checks(fact: FactsOf, name: str, checks: Sequence[CaseCheck]) -> Iterator[Fact]:
    """Those that do not hold are told; where all do, the first two."""
    if checks:
        bad = [each for each in checks if not each.ok]
        yield _wrong(fact, name, checks, [_told(each) for each in bad or checks[:2]])


def _wrong(fact: FactsOf, name: str, checks: Sequence[CaseCheck], told: Iterable[Message], more: int = 0) -> Fact:
    """How many of ``checks`` do not hold; of those unknown, and of ``more``, nobody can tell."""
    wrong = sum(not each.ok and not each.unknown for each in checks)
    high = wrong + more + sum(not each.ok and each.unknown for each in checks)
    return fact(name, wrong, high=high, of=len(checks), besides=tuple(told))


def _kept(fact: FactsOf, backup: BackupPlan, now: datetime) -> Iterator[Fact]:
    """The document's start_time as Cloud SQL reads it, and its backups kept by their number."""
    zone = ZONES[backup.zone]
    due = next_backup(now, daily_time(backup.terraform_start_time, "UTC")).astimezone(zone)
    off = zone.utcoffset(due) or timedelta()
    start = backup.terraform_start_time
    yield fact("backup.off_s", off.total_seconds(), start=start, due=f"{due:%H:%M}", zone=backup.zone)
    days = round(backup.retention_s / 86400)
    yield fact("backups.kept", days)
    yield fact("backups.reach", reach_by_count(days)[0] // timedelta(days=1), days=str(days))


def _stall(fact: FactsOf, plan: StallPlan, found: Stalled, rpo_s: float) -> Iterator[Fact]:
    """The archive alone. Where less was lost than a stall must cost, segments left the server: more may be lost.
    Moved time is whole nanoseconds, a plan's seconds are not: what differs by less than a millisecond is the same."""
    safe = timedelta(seconds=max(0.0, rpo_s - plan.archive_timeout_s))
    words: dict[str, dict[str, Any]] = {
        "alone.lost_s": {"timeout": f"{plan.archive_timeout_s:g}"},
        "stalled.lost_s": {
            "stall": str(timedelta(seconds=plan.stall_s)), "recovered": str(found.recovered), "safe": str(safe),
            "seconds": f"{plan.stall_s:g}",
        },
    }  # fmt: skip
    lost_s = [round(each, 3) for each in (found.healthy_rpo_s, found.stalled_rpo_s)]
    begun, must = expected(plan)
    for name, value, range_ in zip(words, lost_s, (begun, must), strict=True):
        leaked = value < round(range_.least_s, 3)
        less = message(
            "less than the {least} s that it must cost: segments left the server meanwhile", least=f"{range_.least_s:g}"
        )
        high, besides = (math.inf, (less,)) if leaked else (None, ())
        yield fact(name, value, high=high, of=found.commits, besides=besides, **words[name])
    least_s, most_s = round(must.least_s, 3), round(must.most_s, 3)
    yield fact(
        "law.lost_s",
        lost_s[-1],
        of=found.commits,
        least=f"{least_s:g}",
        most=f"{most_s:g}",
        timeout=f"{plan.archive_timeout_s:g}",
        stall=f"{plan.stall_s:g}",
        healthy=f"{plan.healthy_s:g}",
        every=f"{plan.commit_every_s:g}",
    )
    yield fact("law.least_s", least_s)
    yield fact("law.most_s", most_s)


def _by_size(fact: FactsOf, found: Sizes, stack: StackShown | None) -> Iterator[Fact]:
    """With detect, switch and ready as the stack showed them, where it gave them."""
    extra, around_s = found.overhead, 0.0
    if stack is not None and {*stack.case.rto_s} == {*RTO_PARTS} and stack.corrected.first_good_s is not None:
        around_s = sum(stack.case.rto_s[part] for part in ("detect", "switch", "ready"))
    yield _predicted(fact, found.prediction, around_s)
    yield fact(
        "overhead_s",
        extra.difference_s,
        of=1,
        size=f"{extra.size_bytes / 1024**2:g}",
        restore=f"{extra.restore_s:.1f}",
        replay=f"{extra.replay_s:.1f}",
        switch=f"{extra.switch_s:.1f}",
        copy=f"{extra.raw_copy_s:.1f}",
        raw=f"{extra.raw_replay_s:.1f}",
    )


def _predicted(fact: FactsOf, guess: Prediction, around_s: float) -> Fact:
    count = len(guess.points)
    words: dict[str, Any] = {"name": guess.name, "size": f"{guess.production_bytes / 1024**3:g}"}
    if guess.expected_s is None or guess.upper_s is None:
        flat = message(
            "nothing is predicted. The line does not rise ({slope} s a GiB), so what was measured is noise: larger "
            "--sizes rise above it",
            slope=f"{guess.seconds_per_gib:.2f}",
        )
        return fact("predicted_s", low=0.0, high=math.inf, of=count, besides=(flat,), **words)
    alone = () if around_s else (message("restore and replay alone, the stack gave no figures"),)
    expected_s, upper_s = guess.expected_s + around_s, guess.upper_s + around_s
    return fact("predicted_s", expected_s, high=upper_s, bound=upper_s, of=count, besides=alone, **words)


def _steps(fact: FactsOf, found: StackShown, *, own_network: bool) -> Iterator[Fact]:
    """Of the document's steps. ``own_network``: instances have addresses of their own, as in a cluster."""
    if {*found.case.rto_s} == {*RTO_PARTS}:
        yield _rto(fact, found)
    managed = () if found.lost_archiving != "off" else (
        message("the stack's own PostgreSQL archives nothing (archive_mode off): a restored one loses nothing by it"),
    )  # fmt: skip
    words: dict[str, Any] = {"lost": found.lost_archiving, "restored": found.restored_archiving}
    yield fact("restored.unmanaged", int(found.restored_archiving == "off"), lacks=managed, **words)
    yield from _as_written(fact, found)
    yield fact("own_address.written", 0, lacks=_no_own_address(own_network))
    yield from _as_corrected(fact, found)
    yield from _restart(fact, found.restart)
    yield from _traffic(fact, found.after)


def _rto(fact: FactsOf, found: StackShown) -> Fact:
    """Without a good answer the RTO is only known to be longer than what was waited."""
    total_s, waited = found.case.total_s, f"{found.corrected.waited_s:.0f}"
    longer = message("no good answer in {seconds} s, so it is longer than this", seconds=waited)
    words: dict[str, Any] = {
        "register": f"{found.register_s:.2f}", "verify": f"{found.verify_s:.2f}",
        "written": f"{found.written.watched_s:.0f}",
    }  # fmt: skip
    if found.corrected.first_good_s is None:
        return fact("rto_s", low=total_s, high=math.inf, bound=total_s, of=1, besides=(longer,), **words)
    return fact("rto_s", total_s, of=1, **words)


def _as_written(fact: FactsOf, found: StackShown) -> Iterator[Fact]:
    """The endpoint that a container behind the proxy has, written as the document has it. Where most probes are not in
    evidence, nobody can tell."""
    written, seen = found.written, found.written.seen
    watched = f"{written.watched_s:.0f}"
    yield fact("written.asked", int(written.steps.reached is not Reached.APPLY), seconds=watched)
    yield fact("written.completed", int(written.steps.reached is Reached.READY))
    why = (raw_text(written.steps.why),) if written.steps.why else ()
    corrected = message("corrected, {sessions} sessions", sessions=str(found.corrected.sessions))
    high, lost = seen.good + seen.probes_missing * _unseen(seen), lost_words(seen.probes_missing, seen.probes)
    besides = (*written.steps.told, *why, *lost, corrected)
    yield fact("written.good", seen.good, high=high, of=seen.probes, besides=besides, seconds=watched)
    yield fact("written.sessions", written.sessions)


def _no_own_address(own_network: bool) -> Told:
    """The other thing that the step may mean, the new instance's own address in db_host, which passes the proxy by."""
    why = message(
        "every instance here has the address 127.0.0.1 and a port of its own, and the step names no port: the new "
        "instance's address is that of the lost one"
    )
    if own_network:
        why = message(
            "Cloud SQL lets a client in by that address from authorised networks and by its own certificates alone; "
            "the PostgreSQL that stands in here asks for neither, so that pods reach it would say nothing"
        )
    return message("the new instance's own address in db_host was not written"), why


def _unseen(calls: Calls) -> bool:
    """Whether most probes are not in evidence."""
    return calls.probes_missing > calls.probes


def _as_corrected(fact: FactsOf, found: StackShown) -> Iterator[Fact]:
    """A good answer has to come, and more of them after the restart."""
    corrected, first_s = found.corrected, found.corrected.first_good_s
    last = corrected.seen if first_s is None or found.after is None else found.after
    good = last.good if last is found.after else 0
    blind = _unseen(last) and (first_s is None or found.after is not None)
    unseen = (message("of that time most probes are not in evidence"),) if blind else ()
    low, high = (0, good + last.probes_missing) if blind else (good, good)
    waited_s = max(corrected.waited_s, first_s or 0.0)
    yield fact("corrected.waited_s", waited_s)
    late = None if first_s is not None else math.inf
    yield fact("corrected.answered_s", first_s, low=waited_s if late else None, high=late, of=last.probes)
    yield fact("corrected.good", good, low=low, high=high, of=last.probes, besides=unseen)
    yield fact("corrected.sessions", corrected.sessions)


def _restart(fact: FactsOf, restart: Restart | None) -> Iterator[Fact]:
    """One that did not complete is only known to take longer, as with the RTO. With most requests failing it is an
    outage, and no restart: the document says of it how long it takes."""
    if restart is None:
        yield fact("restart_s", low=0.0, high=math.inf, besides=(_NOT_REACHED,))
        yield fact("restart.failed_ratio", low=0.0, high=1.0, errors="0", requests="0")
        return
    seen, took_s = restart.seen, restart.took_s
    if restart.why:
        longer = message("not complete in {seconds} s, so it takes longer than this", seconds=f"{took_s:.0f}")
        why = (longer, raw_text(restart.why))
        yield fact("restart_s", low=took_s, high=math.inf, bound=took_s, of=seen.requests, besides=why)
    else:
        yield fact("restart_s", took_s, of=seen.requests)
    due = seen.requests + seen.requests_missing
    yield fact(
        "restart.failed_ratio",
        seen.errors / due if due else None,
        low=ratio_lower(seen.errors, due) if due else 0.0,
        high=(seen.errors + seen.requests_missing) / due if due else 1.0,
        of=due,
        besides=lost_words(seen.requests_missing, seen.requests),
        errors=str(seen.errors),
        requests=str(seen.requests),
    )


def _traffic(fact: FactsOf, after: Calls | None) -> Iterator[Fact]:
    """Probes and users by their bounds, with what is missing once as good and once as bad. Without any, and where the
    correction brought no answer, every share is possible."""
    why = (_NOT_REACHED,) if after is None else ()
    after = after or Calls(probes=0, good=0, bound=None, requests=0, errors=0)
    due, asked = after.probes + after.probes_missing, after.requests + after.requests_missing
    yield fact(
        "probes.good_ratio",
        after.availability,
        low=after.bound or 0.0,
        high=ratio_upper(after.good + after.probes_missing, due) if after.probes else 1.0,
        bound=after.bound,
        of=after.probes,
        besides=(*why, *lost_words(after.probes_missing, after.probes)),
        good=str(after.good),
    )
    upper = ratio_upper(after.errors + after.requests_missing, asked) if after.requests else None
    yield fact(
        "users.failed_ratio",
        after.errors / after.requests if after.requests else None,
        low=ratio_lower(after.errors, asked) if after.requests else 0.0,
        high=1.0 if upper is None else upper,
        bound=upper,
        of=after.requests,
        besides=(*why, *lost_words(after.requests_missing, after.requests)),
        errors=str(after.errors),
    )
