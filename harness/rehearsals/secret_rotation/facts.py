"""The facts of the Secret Manager CSI pattern: of the pods that were tried, of those that started, and of each rotation
under load. Pure.

The figures of a rotation under load: its phases, and its times from the publishing. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from harness.base.message import gettext_noop
from harness.base.ticks import NS
from harness.load.population.arrivals import due_of_step
from harness.model.evidence import Side, Window
from harness.model.message import Message, Told, message
from harness.model.parts import ended
from harness.model.secrets import Synced, VolumeTrial
from harness.rehearsals.secret_rotation.types import (
    ALONE,
    CLASSLESS,
    EXISTING,
    AsWritten,
    Rotated,
    Rotation,
    RotationCourse,
    RotationDetails,
    RotationPart,
    RotationPartKind,
    RotationPhase,
    RotationPlan,
    Started,
    step_of,
)
from harness.rules.ledger import Calls, Ledger, missing_samples
from harness.rules.rule import Fact, FactsOf


def calls_of(did: Rotated, ledger: Ledger) -> Calls:
    """The requests that were due while the load lasted."""
    end_ns = did.course.loaded_ns or did.origin_ns
    return ledger.requests_due(Window(start_ns=did.origin_ns, end_ns=end_ns), Side.API)


def rotation(course: RotationCourse, calls: Calls) -> Rotation:
    """The figures: phases between the steps that were reached, and times from the publishing."""
    marks = [("changed", course.begun_ns), ("published", course.published_ns)]
    later = {"old password out": course.revoked_ns, "synced": course.synced_ns, "restarted": course.restarted_ns}
    later["settled"] = course.settled_ns
    marks += [(name, at_ns) for name, at_ns in later.items() if at_ns is not None]
    marks.sort(key=lambda mark: mark[1])
    ends = [*(at_ns for _, at_ns in marks[1:]), course.loaded_ns or marks[-1][1]]
    phases = [_phase("before", calls, 0, course.begun_ns)]
    phases += [_phase(name, calls, at_ns, end_ns) for (name, at_ns), end_ns in zip(marks, ends, strict=True)]
    failed_ns = np.sort(calls["due_ns"][~calls["ok"]])
    return Rotation(
        files_after_s=after(course, course.files_ns),
        synced_after_s=after(course, course.synced_ns),
        settled_after_s=after(course, course.settled_ns),
        revoked_after_s=after(course, course.revoked_ns),
        outage_s=round(float(failed_ns[-1] - failed_ns[0]) / NS, 3) if len(failed_ns) else None,
        phases=tuple(phases),
    )


def _phase(name: str, calls: Calls, since_ns: int, until_ns: int) -> RotationPhase:
    rows = between(calls, since_ns, until_ns)
    start_ns = since_ns or (int(rows["due_ns"].min()) if len(rows) else until_ns)
    return RotationPhase(
        name=name, seconds=round((until_ns - start_ns) / NS, 3), requests=len(rows), failed=failed(rows)
    )


def between(calls: Calls, since_ns: int, until_ns: int) -> Calls:
    """Those due from one moment until before another."""
    rows: Calls = calls[(calls["due_ns"] >= since_ns) & (calls["due_ns"] < until_ns)]
    return rows


def failed(calls: Calls) -> int:
    """How many of them failed."""
    return int(np.count_nonzero(~calls["ok"]))


def after(course: RotationCourse, at_ns: int | None) -> float | None:
    """Seconds from the publishing to ``at_ns``."""
    return None if at_ns is None else round((at_ns - course.published_ns) / NS, 3)


#: Beyond the poll interval: the driver's work on its queue, the API server, and our own look twice a second.
SLACK_S = 10.0
_MOUNT_FAILED = "FailedMount"
_ROTATION_FAILED = "SecretRotationFailed"  # the driver's event, at every poll
#: Each fact, in a sentence.
PHRASES = {
    "trials.watched": gettext_noop("{seen} of {of} pods were watched"),
    "alone.driver": gettext_noop("the volume alone: {pod}, {driver}, its container has {mounts} mounts of secrets"),
    "alone.started": gettext_noop("the volume alone: {pod}, {driver}, its container has {mounts} mounts of secrets"),
    "classless.started": gettext_noop("with a mount and no class: {pod} within {seconds} s ({event})"),
    "classless.unexplained": gettext_noop("pods that did not start, without an event of a mount: {seen}"),
    "existing.taken_over": gettext_noop(
        "with the template applied first, the driver mounted the files and {left}; {pod} ({event})"
    ),
    "files.published": gettext_noop("pods whose files are of {version}: {seen} of {of}"),
    "variables.published": gettext_noop("pods whose DB_PASSWORD is the published one (by digest): {seen} of {of}"),
    "pods.asked": gettext_noop("{seen} pods were asked"),
    "followed_s": gettext_noop("{what}"),
    "allowed_s": gettext_noop("{seen} are allowed: the driver looks every {poll} s"),
    "variables.old": gettext_noop(
        "once synced, before a restart: {files} of {of} pods have the new file, {seen} the old DB_PASSWORD"
    ),
    "files.new": gettext_noop("{seen} of {of} pods have the new file"),
    "secret.synced": gettext_noop("Secrets that the new version reached in the time given: {seen}"),
    "load.past_s": gettext_noop("the load ended {seen} after the rotation did"),
    "calls.there": gettext_noop("{seen} requests are in evidence"),
    "calls.due": gettext_noop("{seen} requests were due"),
    "begun.failed": gettext_noop("{seen} had failed before the password was changed"),
    "sessions.ended": gettext_noop("{seen} old sessions were ended"),
    "gap.failed": gettext_noop(
        "{before} of {early} requests failed while the old sessions lived; {seen} of {all} once {sessions} of them "
        "were ended, until the restart with the synced Secret was complete ({seconds} s)"
    ),
    "gap.failed_before_restart": gettext_noop("{seen} of {of} of them before the restart began"),
    "after.failed": gettext_noop("{seen} of {of} failed after it"),
    "calls.failed": gettext_noop("{seen} of {of} requests failed from before the first step to after the last"),
    "phase.failed": gettext_noop("{seen} of {of} requests failed in the {seconds} s from {since} on"),
    "trial.events": gettext_noop("{name}: {events}"),
    "steps.missing": gettext_noop("steps that were not reached: {seen}; the old role is refused: {refused}"),
}  # fmt: skip
#: What a phase begins with.
PHASE = {
    "before": message("before the first step"),
    "changed": message("the first step"),
    "published": message("the new version published"),
    "old password out": message("the old password out"),
    "synced": message("the Secret synced"),
    "restarted": message("the restart begun"),
    "settled": message("the restart complete"),
}
_UNASKED = message("the running pods could not be asked for their file and variable")


def facts(plan: RotationPlan, details: RotationDetails, ledger: Ledger) -> Iterator[Fact]:
    """Of every part that was carried through."""
    yield FactsOf(PHRASES)("allowed_s", plan.poll_s + SLACK_S, poll=f"{plan.poll_s:g}")
    for part, _, _ in ended(plan.parts, details.runs):
        match details.did.get(part.name):
            case Rotated() as did:
                yield from rotated(part, did.course, calls_of(did, ledger))
            case AsWritten() | Started() as did:
                yield from of_part(part, did)


def of_part(part: RotationPart, did: AsWritten | Started) -> Iterator[Fact]:
    """Of a part without load."""
    fact = FactsOf(PHRASES, part.name)
    for each in did.trials if isinstance(did, AsWritten) else ():
        of_trial = FactsOf(PHRASES, part.name, each.name)
        yield of_trial("trial.events", len(each.events), name=each.name, events="; ".join(each.events) or "–")
    yield from _as_written(fact, did) if isinstance(did, AsWritten) else _started(fact, did)


def _as_written(fact: FactsOf, did: AsWritten) -> Iterator[Fact]:
    """The document's volume, and a Secret that is there already."""
    found = {each.name: each for each in did.trials}
    alone, classless, existing = (found.get(name) for name in (ALONE, CLASSLESS, EXISTING))
    watched = [each is not None and each.watched_s > 0 for each in (alone, classless)]
    yield fact("trials.watched", sum(watched), of=2)
    others = [] if classless is None else [*_classless(fact, classless)]
    if alone is not None:
        driver = message("the driver was asked") if alone.asked else message("the driver was never asked")
        words: dict[str, Any] = {"pod": _pod(alone), "driver": driver, "mounts": str(len(alone.mounts))}
        yield fact("alone.driver", int(alone.asked or alone.managed), **words)
        besides = tuple(said for each in others[:1] for said in each.told)
        yield fact("alone.started", int(alone.started), besides=besides, **words)
    yield from others
    yield _existing(fact, existing)


def _pod(trial: VolumeTrial) -> Message:
    return message("the pod started") if trial.started else message("the pod did not start")


def _classless(fact: FactsOf, trial: VolumeTrial) -> Iterator[Fact]:
    failures = [event for event in trial.events if _MOUNT_FAILED in event]
    event = failures[-1][:300] if failures else message("without an event of a mount")
    seconds = f"{trial.watched_s:.0f}"
    yield fact("classless.started", int(trial.started), pod=_pod(trial), seconds=seconds, event=event)
    yield fact("classless.unexplained", int(not trial.started and not failures))


def _existing(fact: FactsOf, trial: VolumeTrial | None) -> Fact:
    if trial is None or not trial.asked:
        nothing = message("the driver gave no volume to the pod that was to show it")
        return fact("existing.taken_over", void=(nothing,), left="–", pod="–", event="–")
    left = message("left the Secret as it was")
    if trial.managed:
        left = message("took the Secret over")
    events = [event[:200] for event in trial.events if _ROTATION_FAILED in event]
    event = events[0] if events else message("no event about the Secret")
    return fact("existing.taken_over", int(trial.managed), left=left, pod=_pod(trial), event=event)


def _started(fact: FactsOf, did: Started) -> Iterator[Fact]:
    """The corrected pods. One that cannot be asked may have the variable, and the files that the driver says."""
    seen, digest = did.seen, did.digest
    if len(seen) < did.wanted or not did.published:
        few = message("{some} of {all} pods could be asked", some=str(len(seen)), all=str(did.wanted))
        yield fact.every(void=(few,))
        return
    blind = [not each.file and not each.variable for each in seen]
    by_driver = [did.versions.get(each.pod) == did.published for each in seen]
    files = [each.file == digest and driver for each, driver in zip(seen, by_driver, strict=True)]
    may = [no and driver for no, driver in zip(blind, by_driver, strict=True)]
    variables = [each.variable == digest for each in seen]
    yield fact("pods.asked", len(seen))
    yield _of_pods(fact, "files.published", files, may, version=did.published)
    yield _of_pods(fact, "variables.published", variables, blind)
    synced = did.synced
    right = synced is not None and synced.managed and synced.digest == digest
    there = message("there is {secret}, without the published password", secret=_made(synced))
    if right:
        there = message("there is {secret}, with the published password", secret=_made(synced))
    # It was looked at once: it is there, or nobody waits for it.
    at_s = 0.0 if right else math.inf
    yield fact("followed_s", low=at_s, high=at_s, what=there)


def _of_pods(fact: FactsOf, name: str, right: Sequence[bool], may: Sequence[bool], **words: Any) -> Fact:
    """``right`` by pod, of which those that ``may`` be so cannot be asked."""
    some, besides = sum(right), (_UNASKED,) if any(may) else ()
    return fact(name, some, high=some + sum(may), of=len(right), besides=besides, **words)


def _made(synced: Synced | None) -> Message:
    if synced is None:
        return message("no Secret")
    return message("a Secret of the driver's") if synced.managed else message("a Secret of others")


def rotated(part: RotationPart, course: RotationCourse, calls: Calls) -> Iterator[Fact]:
    """Of a rotation under load: whether its requests can carry a pass, then what its kind shows."""
    fact = FactsOf(PHRASES, part.name)
    last_ns = max(at_ns or 0 for at_ns in (course.begun_ns, course.settled_ns, course.revoked_ns))
    ends_ns = [course.loaded_ns or 0, *([int(calls["due_ns"].max())] if len(calls) else [])]
    past_s = (min(ends_ns) - last_ns) / NS
    there, due = _counted(part, course, calls)
    yield fact("load.past_s", past_s)
    yield fact("calls.there", there)
    yield fact("calls.due", due)
    for each in rotation(course, calls).phases:
        since, seconds = PHASE[each.name], f"{each.seconds:.1f}"
        of_phase = FactsOf(PHRASES, part.name, each.name)
        yield of_phase("phase.failed", each.failed, of=each.requests, since=since, seconds=seconds)
    if part.kind is RotationPartKind.NAIVE:
        yield from _gap(fact, course, calls)
        yield from _renewed(fact, course)
    else:
        why = message("the load ended before the rotation did")
        if past_s > 0:
            why = message("{there} requests are in evidence, and {due} were due", there=str(there), due=str(due))
        open_ = (why,) if past_s <= 0 or there < due else ()
        yield from _two_roles(fact, course, calls, missing=max(0, due - there), open_=open_)


def _counted(part: RotationPart, course: RotationCourse, calls: Calls) -> tuple[int, int]:
    """How many requests of the plan are in evidence, and how many have to be."""
    step = step_of(part)
    due_ns = due_of_step(step, 0, (course.loaded_ns or 0) - round(step.seconds * NS)) or []
    there = len(due_ns) - len(missing_samples(due_ns, calls["due_ns"].tolist()))
    return there, max(part.least_requests, len(due_ns))


def _gap(fact: FactsOf, course: RotationCourse, calls: Calls) -> Iterator[Fact]:
    """By what failed before the restart began: pods that are replaced may lose requests by themselves."""
    missing = sum(each is None for each in (course.revoked_ns, course.settled_ns))
    refused = message("not asked")
    yield fact("steps.missing", missing, refused=refused)
    yield fact("begun.failed", failed(calls[calls["due_ns"] < course.begun_ns]))
    yield fact("sessions.ended", course.sessions_ended)
    revoked_ns, settled_ns = course.revoked_ns or course.begun_ns, course.settled_ns or course.begun_ns
    gap, later = between(calls, revoked_ns, settled_ns), between(calls, settled_ns, course.loaded_ns or settled_ns)
    lived = between(calls, course.begun_ns, revoked_ns)
    yield fact(
        "gap.failed",
        failed(gap),
        of=len(calls),
        all=str(len(gap)),
        before=str(failed(lived)),
        early=str(len(lived)),
        sessions=str(course.sessions_ended),
        seconds=f"{(settled_ns - revoked_ns) / NS:.0f}",
    )
    early = between(calls, revoked_ns, course.restarted_ns or revoked_ns)
    yield fact("gap.failed_before_restart", failed(early), of=len(early))
    yield fact("after.failed", failed(later), of=len(later))


def _renewed(fact: FactsOf, course: RotationCourse) -> Iterator[Fact]:
    """What the running pods had before a restart. Files that had not followed by then may do so yet."""
    seen = course.variables_before_restart
    blind = not seen or any(not each.variable or not each.file for each in seen) or not course.new_digest
    void = (_UNASKED,) if blind else ()
    old = sum(each.variable == course.old_digest for each in seen)
    files = sum(each.file == course.new_digest for each in seen)
    early = old == len(seen) and None in {course.synced_ns, course.files_ns}
    yield fact("pods.asked", len(seen))
    yield fact("variables.old", old, of=len(seen), void=void, files=str(files))
    yield fact("files.new", files, high=len(seen) if early else files, of=len(seen), void=void)
    yield fact("secret.synced", int(course.synced_ns is not None))


def _two_roles(fact: FactsOf, course: RotationCourse, calls: Calls, *, missing: int, open_: Told) -> Iterator[Fact]:
    """Nothing may fail, and each request that is missing may have failed. Where those in evidence cannot carry a pass,
    which ``open_`` says, steps that were not reached show nothing either. The old role must be out, and the new version
    be found in time."""
    lost = failed(calls)
    yield fact("calls.failed", lost, high=lost + missing, of=len(calls))
    steps = sum(each is None for each in (course.settled_ns, course.revoked_ns)) + (not course.old_refused)
    refused = message("yes") if course.old_refused else message("no")
    yield fact("steps.missing", steps, void=open_, refused=refused)
    files_s, synced_s = after(course, course.files_ns), after(course, course.synced_ns)
    if files_s is None or synced_s is None:
        late = message("the new version did not reach the Secret in the time given")
        if files_s is None:
            late = message("the new version did not reach the files in the time given")
        yield fact("followed_s", low=math.inf, high=math.inf, what=late)
        return
    told = message(
        "from the publishing: every pod's file after {files} s, the Secret after {secret} s",
        files=f"{files_s:.1f}",
        secret=f"{synced_s:.1f}",
    )
    yield fact("followed_s", max(files_s, synced_s), what=told)
