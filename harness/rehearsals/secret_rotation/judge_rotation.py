"""Judges the Secret Manager CSI pattern and a rotation under load. Pure.

An erratum that was shown is no failure; one that was contradicted is.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import or_

import numpy as np

from harness.judge.claimed import held, seconds, shown_or_not, unknown
from harness.judge.lacking import lacking
from harness.judge.ledger import Calls
from harness.judge.window import NS
from harness.load.population.arrivals import due_of_step
from harness.model.judgement import Judgement
from harness.model.message import Message, message
from harness.model.secrets import Synced, Trial
from harness.rehearsals.secret_rotation.types import (
    ALONE,
    CLASSLESS,
    EXISTING,
    AsWritten,
    Course,
    Phase,
    Rotation,
    RotationPart,
    Started,
    step_of,
)

#: Beyond the poll interval: the driver's work on its queue, the API server, and our own look twice a second.
SLACK_S = 10.0
_MOUNT_FAILED = "FailedMount"
_ROTATION_FAILED = "SecretRotationFailed"  # the driver's event, at every poll


def as_written(part: RotationPart, did: AsWritten) -> list[Judgement]:
    """The document's volume, and a Secret that is there already."""
    found = {each.name: each for each in did.trials}
    return [
        volume_alone(part, found.get(ALONE), found.get(CLASSLESS)),
        existing(part, found.get(EXISTING)),
    ]


def volume_alone(part: RotationPart, alone: Trial | None, classless: Trial | None) -> Judgement:
    """The erratum ``security.csi.volume_alone``: alone the volume is passed over, with a mount no pod starts."""
    claim = "security.csi.volume_alone"
    if alone is None or classless is None or not alone.watched_s or not classless.watched_s:
        return unknown(part.name, claim, message("the pods were not watched"))
    failures = [event for event in classless.events if _MOUNT_FAILED in event]
    told = [
        message("the volume alone: {pod}, {driver}, its container has {mounts} mounts of secrets",
                pod=_pod(alone), driver=_driver(alone), mounts=str(len(alone.mounts))),
        message("with a mount and no class: {pod} within {seconds} s ({event})",
                pod=_pod(classless), seconds=f"{classless.watched_s:.0f}",
                event=failures[-1][:300] if failures else message("without an event of a mount")),
    ]  # fmt: skip
    passed_over = not alone.asked and not alone.managed and not classless.started
    if (not classless.started and not failures) or (passed_over and not alone.started):  # it hung, and nothing says why
        return unknown(part.name, claim, *told)
    return shown_or_not(part.name, claim, passed_over, *told, shown=(_pod(alone),))


def _pod(trial: Trial) -> Message:
    return message("the pod started") if trial.started else message("the pod did not start")


def _driver(trial: Trial) -> Message:
    return message("the driver was asked") if trial.asked else message("the driver was never asked")


def existing(part: RotationPart, trial: Trial | None) -> Judgement:
    """The erratum ``iac.csi_existing_secret``: a Secret that is there already is not taken over."""
    claim = "iac.csi_existing_secret"
    if trial is None or not trial.asked:
        nothing = message("the driver gave no volume to the pod that was to show it")
        return unknown(part.name, claim, nothing)
    left = message("left the Secret as it was")
    if trial.managed:
        left = message("took the Secret over")
    events = [event[:200] for event in trial.events if _ROTATION_FAILED in event]
    told = message(
        "with the template applied first, the driver mounted the files and {left}; {pod} ({event})",
        left=left,
        pod=_pod(trial),
        event=events[0] if events else message("no event about the Secret"),
    )
    shown = message("taken over") if trial.managed else message("left")
    return shown_or_not(part.name, claim, not trial.managed, told, shown=(shown,))


def started(part: RotationPart, did: Started) -> list[Judgement]:
    """The corrected pods: as many as wanted, with files and variables of the version that was published."""
    claims = ("security.csi.volume", "manifest.secret.from_secret_manager", "iac.secrets.csi")
    seen, digest = did.seen, did.digest
    if len(seen) < did.wanted or not did.published:
        words = {"some": str(len(seen)), "all": str(did.wanted)}
        return [unknown(part.name, claim, message("{some} of {all} pods could be asked", **words)) for claim in claims]
    blind = [not each.file and not each.variable for each in seen]
    files = [each.file == digest and did.versions.get(each.pod) == did.published for each in seen]
    # A pod that cannot be asked has files of the version that the driver says.
    perhaps = [did.versions.get(each.pod) == did.published for each in seen]
    variables = [each.variable == digest for each in seen]
    of_files = message("pods whose files are of {version}", version=did.published)
    of_variables = message("pods whose DB_PASSWORD is the published one (by digest)")
    return [
        _of_pods(part, claims[0], files, [no and may for no, may in zip(blind, perhaps, strict=True)], of_files),
        _of_pods(part, claims[1], variables, blind, of_variables),
        _corrected_secret(part, claims[2], did),
    ]


def _of_pods(part: RotationPart, claim: str, right: Sequence[bool], blind: Sequence[bool], what: Message) -> Judgement:
    """``right`` by pod, of which those that are ``blind`` may be so."""
    if any(blind) and all(map(or_, right, blind)):
        return unknown(part.name, claim, message("the running pods could not be asked for their file and variable"))
    return held(part.name, claim, all(right), what, shown=_some(sum(right), len(right)))


def _corrected_secret(part: RotationPart, claim: str, did: Started) -> Judgement:
    synced = did.synced
    right = synced is not None and synced.managed and synced.digest == did.digest
    there = message("there is {secret}, without the published password", secret=_made(synced))
    if right:
        there = message("there is {secret}, with the published password", secret=_made(synced))
    return held(part.name, claim, right, there, shown=(_made(synced),))


def _some(some: int, every: int) -> tuple[Message, ...]:
    return (message("{some} of {all}", some=str(some), all=str(every)),)


def _made(synced: Synced | None) -> Message:
    if synced is None:
        return message("no Secret")
    return message("a Secret of the driver's") if synced.managed else message("a Secret of others")


def rotation(course: Course, calls: Calls) -> Rotation:
    """The figures: phases between the steps that were reached, and times from the publishing."""
    marks = [("changed", course.begun_ns), ("published", course.published_ns)]
    later = {"old password out": course.revoked_ns, "synced": course.synced_ns, "restarted": course.restarted_ns}
    later["settled"] = course.settled_ns
    marks += [(name, at_ns) for name, at_ns in later.items() if at_ns is not None]
    marks.sort(key=lambda mark: mark[1])
    ends = [*(at_ns for _, at_ns in marks[1:]), course.loaded_ns or marks[-1][1]]
    phases = [_phase("before", calls, 0, course.begun_ns)]
    phases += [_phase(name, calls, at_ns, end_ns) for (name, at_ns), end_ns in zip(marks, ends, strict=True)]
    failed = np.sort(calls["due_ns"][~calls["ok"]])
    return Rotation(
        files_after_s=_after(course, course.files_ns),
        synced_after_s=_after(course, course.synced_ns),
        settled_after_s=_after(course, course.settled_ns),
        revoked_after_s=_after(course, course.revoked_ns),
        outage_s=round(float(failed[-1] - failed[0]) / NS, 3) if len(failed) else None,
        phases=tuple(phases),
    )


def naive(part: RotationPart, course: Course, calls: Calls) -> list[Judgement]:
    """The errata that the document plans no rotation, and that variables are not renewed: each shown, or not."""
    return [_gap(part, course, calls), renewed(part, course)]


def two_roles(part: RotationPart, course: Course, calls: Calls, poll_s: float) -> list[Judgement]:
    """Nothing may fail, the old role must be out, and the new version be found within the poll interval."""
    return [_loses_nothing(part, course, calls), found_in_time(part, course, poll_s)]


def renewed(part: RotationPart, course: Course) -> Judgement:
    """The erratum ``iac.csi_mounts_files``: synced, the running pods have a new file and an old variable."""
    claim, seen = "iac.csi_mounts_files", course.variables_before_restart
    if not seen or any(not each.variable or not each.file for each in seen) or not course.new_digest:
        unasked = message("the running pods could not be asked for their file and variable")
        return unknown(part.name, claim, unasked)
    files = sum(each.file == course.new_digest for each in seen)
    old = sum(each.variable == course.old_digest for each in seen)
    if course.synced_ns is None and old == len(seen):
        return unknown(part.name, claim, message("the new version did not reach the Secret in the time given"))
    if course.files_ns is None and files < len(seen) and old == len(seen):
        return unknown(part.name, claim, message("the new version did not reach the files in the time given"))
    told = message(
        "once synced, before a restart: {files} of {all} pods have the new file, {old} the old DB_PASSWORD",
        files=str(files),
        all=str(len(seen)),
        old=str(old),
    )
    both = files == len(seen) and old == len(seen)
    return shown_or_not(part.name, claim, both, told, shown=_some(old, len(seen)))


def found_in_time(part: RotationPart, course: Course, poll_s: float) -> Judgement:
    """``iac.secrets.csi``: files and Secret follow a new version within the poll interval."""
    claim, limit = "iac.secrets.csi", poll_s + SLACK_S
    files_s, synced_s = _after(course, course.files_ns), _after(course, course.synced_ns)
    if files_s is None:
        late = message("the new version did not reach the files in the time given")
        return held(part.name, claim, False, late, **seconds(None, limit))
    if synced_s is None:
        late = message("the new version did not reach the Secret in the time given")
        return held(part.name, claim, False, late, **seconds(None, limit))
    told = message(
        "from the publishing: every pod's file after {files} s, the Secret after {secret} s; the driver looks every "
        "{poll} s",
        files=f"{files_s:.1f}",
        secret=f"{synced_s:.1f}",
        poll=f"{poll_s:g}",
    )
    last_s = max(files_s, synced_s)
    return held(part.name, claim, last_s <= limit, told, **seconds(last_s, limit))


def _gap(part: RotationPart, course: Course, calls: Calls) -> Judgement:
    """By what failed before the restart began: pods that are replaced may lose requests by themselves."""
    claim = "iac.csi_rotation_gap"
    if (why := _incomplete(part, course, calls)) or course.revoked_ns is None or course.settled_ns is None:
        return unknown(part.name, claim, why or message("the rotation did not finish"))
    before = _between(calls, course.begun_ns, course.revoked_ns)
    gap = _between(calls, course.revoked_ns, course.settled_ns)
    after = _between(calls, course.settled_ns, course.loaded_ns or course.settled_ns)
    lost = _failed(gap)
    told = [
        message("{failed} of {all} requests failed while the old sessions lived",
                failed=str(_failed(before)), all=str(len(before))),
        message("{failed} of {all} once {sessions} of them were ended, until the restart with the synced Secret was "
                "complete ({seconds} s)", failed=str(lost), all=str(len(gap)), sessions=str(course.sessions_ended),
                seconds=f"{(course.settled_ns - course.revoked_ns) / NS:.0f}"),
        message("{failed} of {all} after it", failed=str(_failed(after)), all=str(len(after))),
    ]  # fmt: skip
    if failed := _failed(calls[calls["due_ns"] < course.begun_ns]):
        told.insert(0, message("{count} had failed before the password was changed", count=str(failed)))
    if failed or _failed(after) or not course.sessions_ended:
        return unknown(part.name, claim, *told)
    if lost and not _failed(_between(calls, course.revoked_ns, course.restarted_ns or course.revoked_ns)):
        return unknown(part.name, claim, *told, message("none of them before the restart began"))
    return shown_or_not(part.name, claim, lost > 0, *told, shown=_lost(lost), samples=len(calls))


def _lost(failed: int) -> tuple[Message, ...]:
    return (message("{count} failed", count=str(failed)),)


def _loses_nothing(part: RotationPart, course: Course, calls: Calls) -> Judgement:
    claim = "checklist.security.csi"
    failed = _failed(calls)
    if (why := _incomplete(part, course, calls)) and not failed:
        return unknown(part.name, claim, why)
    measured = {"shown": _lost(failed), "samples": len(calls)}
    count = {"failed": str(failed), "all": str(len(calls))}
    if course.settled_ns is None or course.revoked_ns is None or not course.old_refused:
        step = message("not every step was reached")
        if course.old_refused is False:
            step = message("the old role still logs in")
        return held(part.name, claim, False, message("{failed} of {all} requests failed", **count), step, **measured)
    told = [
        message("{failed} of {all} requests failed from before the first step to after the last", **count),
        message("the old role was out {seconds} s after the publishing, and is refused",
                seconds=f"{(course.revoked_ns - course.published_ns) / NS:.0f}"),
    ]  # fmt: skip
    return held(part.name, claim, failed == 0, *told, **measured)


def _incomplete(part: RotationPart, course: Course, calls: Calls) -> Message | None:
    """Why the requests in evidence cannot carry a pass; ``None`` when they can.

    Every request of the plan must be there: one that is not counts as failed, and none may fail.
    """
    last_ns = max(at_ns or 0 for at_ns in (course.begun_ns, course.settled_ns, course.revoked_ns))
    if course.loaded_ns is None or course.loaded_ns <= last_ns or (len(calls) and calls["due_ns"].max() <= last_ns):
        return message("the load ended before the rotation did")
    step = step_of(part)
    due_ns = due_of_step(step, 0, course.loaded_ns - round(step.seconds * NS)) or []
    there, wanted = len(due_ns) - len(lacking(due_ns, calls["due_ns"].tolist())), max(part.least_requests, len(due_ns))
    if there < wanted:
        return message("{there} requests are in evidence, and {due} were due", there=str(there), due=str(wanted))
    return None


def _phase(name: str, calls: Calls, since_ns: int, until_ns: int) -> Phase:
    rows = _between(calls, since_ns, until_ns)
    start_ns = since_ns or (int(rows["due_ns"].min()) if len(rows) else until_ns)
    return Phase(name=name, seconds=round((until_ns - start_ns) / NS, 3), requests=len(rows), failed=_failed(rows))


def _between(calls: Calls, since_ns: int, until_ns: int) -> Calls:
    rows: Calls = calls[(calls["due_ns"] >= since_ns) & (calls["due_ns"] < until_ns)]
    return rows


def _failed(calls: Calls) -> int:
    return int(np.count_nonzero(~calls["ok"]))


def _after(course: Course, at_ns: int | None) -> float | None:
    return None if at_ns is None else round((at_ns - course.published_ns) / NS, 3)
