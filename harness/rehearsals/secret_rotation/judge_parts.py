"""Judges the Secret Manager CSI pattern and a rotation under load. Pure.

An erratum that was shown is no failure, as in ``harness.judge.scaling``; one that was contradicted is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.judge.ledger import Calls
from harness.judge.window import NS
from harness.model.secrets import Seen, Synced, Trial
from harness.model.verdict import Verdict
from harness.rehearsals.scaling.judge_parts import held, shown
from harness.rehearsals.scaling.types import ScalingFinding
from harness.rehearsals.secret_rotation.types import Course, Phase, Rotation, RotationPart

#: Beyond the poll interval: the driver's work on its queue, the API server, and our own look twice a second.
SLACK_S = 10.0
_MOUNT_FAILED = "FailedMount"
_ROTATION_FAILED = "SecretRotationFailed"  # the driver's event, at every poll


def as_written(alone: Trial | None, classless: Trial | None) -> ScalingFinding:
    """The erratum ``security.csi.volume_alone``: alone the volume is passed over, with a mount no pod starts."""
    claim = "security.csi.volume_alone"
    if alone is None or classless is None or not alone.watched_s or not classless.watched_s:
        return _nothing(claim, "the pods were not watched")
    failures = [event for event in classless.events if _MOUNT_FAILED in event]
    how = "started" if alone.started else "did not start"
    reason = (
        f"the volume alone: the pod {how}, the driver was {'' if alone.asked else 'never '}asked, its container has "
        f"{len(alone.mounts)} mounts of secrets; with a mount and no class: the pod "
        f"{'started' if classless.started else 'did not start'} within {classless.watched_s:.0f} s "
        f"({failures[-1][:300] if failures else 'without an event of a mount'})"
    )
    if not classless.started and not failures:
        return _nothing(claim, reason)
    unread = not alone.asked and not alone.managed
    return _erratum(claim, unread and not classless.started, how, reason)


def existing(trial: Trial | None) -> ScalingFinding:
    """The erratum ``iac.csi_existing_secret``: a Secret that is there already is not taken over."""
    claim = "iac.csi_existing_secret"
    if trial is None or not trial.asked:
        return _nothing(claim, "the driver gave no volume to the pod that was to show it")
    left = "took the Secret over" if trial.managed else "left the Secret as it was"
    reason = (
        f"with the template applied first, the driver mounted the files and {left}; "
        f"the pod {'started' if trial.started else 'did not start'} "
        f"({next((event for event in trial.events if _ROTATION_FAILED in event), 'no event about the Secret')[:200]})"
    )
    return _erratum(claim, not trial.managed, "left" if not trial.managed else "taken over", reason)


def started(
    wanted: int, versions: dict[str, str], seen: Sequence[Seen], synced: Synced | None, *, published: str, digest: str
) -> list[ScalingFinding]:
    """The corrected pods: ``wanted`` of them, with files and variables of the version ``published``."""
    claims = ("security.csi.volume", "manifest.secret.from_secret_manager", "iac.secrets.csi")
    if len(seen) < wanted or not published:
        return [_nothing(claim, f"{len(seen)} of {wanted} pods could be asked") for claim in claims]
    files = [each for each in seen if each.file == digest and versions.get(each.pod) == published]
    variables = [each for each in seen if each.variable == digest]
    made = "no Secret" if synced is None else "a Secret of the driver's" if synced.managed else "a Secret of others"
    right = synced is not None and synced.managed and synced.digest == digest
    return [
        held(
            claims[0], len(files) == len(seen), f"{len(files)} of {len(seen)}", f"pods whose files are of {published}"
        ),
        held(
            claims[1],
            len(variables) == len(seen),
            f"{len(variables)} of {len(seen)}",
            "pods whose DB_PASSWORD is the published one (by digest)",
        ),
        held(claims[2], right, made, f"there is {made}, {'with' if right else 'without'} the published password"),
    ]


def rotation(part: RotationPart, course: Course, calls: Calls) -> Rotation:
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
        part=part.name,
        files_after_s=_after(course, course.files_ns),
        synced_after_s=_after(course, course.synced_ns),
        settled_after_s=_after(course, course.settled_ns),
        revoked_after_s=_after(course, course.revoked_ns),
        outage_s=round(float(failed[-1] - failed[0]) / NS, 3) if len(failed) else None,
        phases=tuple(phases),
    )


def naive(part: RotationPart, course: Course, calls: Calls) -> list[ScalingFinding]:
    """The errata that the document plans no rotation, and that variables are not renewed: each shown, or not."""
    return [_gap(part, course, calls), renewed(course)]


def two_roles(part: RotationPart, course: Course, calls: Calls, poll_s: float) -> list[ScalingFinding]:
    """Nothing may fail, the old role must be out, and the new version be found within the poll interval."""
    return [_loses_nothing(part, course, calls), found_in_time(course, poll_s)]


def renewed(course: Course) -> ScalingFinding:
    """The erratum ``iac.csi_mounts_files``: synced, the running pods have a new file and an old variable."""
    claim, seen = "iac.csi_mounts_files", course.variables_before_restart
    if not seen or any(not each.variable or not each.file for each in seen) or not course.new_digest:
        return _nothing(claim, "the running pods could not be asked for their file and variable")
    files = sum(each.file == course.new_digest for each in seen)
    old = sum(each.variable == course.old_digest for each in seen)
    reason = f"once synced, before a restart: {files} of {len(seen)} pods have the new file, {old} the old DB_PASSWORD"
    return _erratum(claim, files == len(seen) and old == len(seen), f"{old} of {len(seen)}", reason)


def found_in_time(course: Course, poll_s: float) -> ScalingFinding:
    """``iac.secrets.csi``: files and Secret follow a new version within the poll interval."""
    claim = "iac.secrets.csi"
    files_s, synced_s = _after(course, course.files_ns), _after(course, course.synced_ns)
    if files_s is None or synced_s is None:
        missing = "files" if files_s is None else "Secret"
        return held(claim, False, "never", f"the new version did not reach the {missing} in the time given")
    reason = (
        f"from the publishing: every pod's file after {files_s:.1f} s, the Secret after {synced_s:.1f} s; "
        f"the driver looks every {poll_s:g} s"
    )
    return held(claim, max(files_s, synced_s) <= poll_s + SLACK_S, f"{max(files_s, synced_s):.1f} s", reason)


def _gap(part: RotationPart, course: Course, calls: Calls) -> ScalingFinding:
    claim = "iac.csi_rotation_gap"
    if (why := _incomplete(part, course, calls)) or course.revoked_ns is None or course.settled_ns is None:
        return _nothing(claim, why or "the rotation did not finish")
    before = _between(calls, course.begun_ns, course.revoked_ns)
    gap = _between(calls, course.revoked_ns, course.settled_ns)
    after = _between(calls, course.settled_ns, course.loaded_ns or course.settled_ns)
    lost = _failed(gap)
    reason = (
        f"{_failed(before)} of {len(before)} requests failed while the old sessions lived, {lost} of {len(gap)} once "
        f"{course.sessions_ended} of them were ended, until the restart with the synced Secret was complete "
        f"({(course.settled_ns - course.revoked_ns) / NS:.0f} s); {_failed(after)} of {len(after)} after it"
    )
    if _failed(after):
        return _nothing(claim, reason)
    return _erratum(claim, lost > 0, f"{lost} failed", reason)


def _loses_nothing(part: RotationPart, course: Course, calls: Calls) -> ScalingFinding:
    claim = "checklist.security.csi"
    failed = _failed(calls)
    if (why := _incomplete(part, course, calls)) and not failed:
        return _nothing(claim, why)
    told = f"{failed} of {len(calls)} requests failed"
    if course.settled_ns is None or course.revoked_ns is None or not course.old_refused:
        step = "the old role still logs in" if course.old_refused is False else "not every step was reached"
        return held(claim, False, told, f"{told}; {step}")
    reason = (
        f"{told} from before the first step to after the last; the old role was out "
        f"{(course.revoked_ns - course.published_ns) / NS:.0f} s after the publishing, and is refused"
    )
    return held(claim, failed == 0, f"{failed} failed", reason)


def planned(part: RotationPart) -> int:
    """How many requests are due in the part's load, which come evenly (``harness.population.arrivals``)."""
    return math.ceil(round(part.rate_per_s * part.load_s, 6))


def _incomplete(part: RotationPart, course: Course, calls: Calls) -> str:
    """Why the requests in evidence cannot carry a pass; "" when they can. Every request of the plan must be there: one
    that is not counts as failed, and none may fail.
    """
    wanted = max(part.least_requests, 1, planned(part))
    last_ns = max(at_ns or 0 for at_ns in (course.begun_ns, course.settled_ns, course.revoked_ns))
    if len(calls) < wanted:
        return f"{len(calls)} requests are in evidence, and {wanted} were due"
    if course.loaded_ns is None or course.loaded_ns <= last_ns:
        return "the load ended before the rotation did"
    return ""


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


def _erratum(erratum: str, seen: bool, value: str, reason: str) -> ScalingFinding:
    return shown(erratum, value, reason) if seen else held(erratum, False, value, reason)


def _nothing(claim: str, reason: str) -> ScalingFinding:
    return ScalingFinding(claim=claim, verdict=Verdict.INCONCLUSIVE, value="", reason=reason)
