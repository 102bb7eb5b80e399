"""The figures of a rotation under load: its phases, and its times from the publishing. Pure."""

from __future__ import annotations

import numpy as np

from harness.judge.ledger import Calls, Ledger
from harness.judge.window import NS, Window
from harness.model.evidence import Side
from harness.rehearsals.secret_rotation.types import Course, Phase, Rotated, Rotation


def calls_of(did: Rotated, ledger: Ledger) -> Calls:
    """The requests that were due while the load lasted."""
    end_ns = did.course.loaded_ns or did.origin_ns
    return ledger.requests_due(Window(start_ns=did.origin_ns, end_ns=end_ns), Side.API)


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
    failed_ns = np.sort(calls["due_ns"][~calls["ok"]])
    return Rotation(
        files_after_s=after(course, course.files_ns),
        synced_after_s=after(course, course.synced_ns),
        settled_after_s=after(course, course.settled_ns),
        revoked_after_s=after(course, course.revoked_ns),
        outage_s=round(float(failed_ns[-1] - failed_ns[0]) / NS, 3) if len(failed_ns) else None,
        phases=tuple(phases),
    )


def _phase(name: str, calls: Calls, since_ns: int, until_ns: int) -> Phase:
    rows = between(calls, since_ns, until_ns)
    start_ns = since_ns or (int(rows["due_ns"].min()) if len(rows) else until_ns)
    return Phase(name=name, seconds=round((until_ns - start_ns) / NS, 3), requests=len(rows), failed=failed(rows))


def between(calls: Calls, since_ns: int, until_ns: int) -> Calls:
    """Those due from one moment until before another."""
    rows: Calls = calls[(calls["due_ns"] >= since_ns) & (calls["due_ns"] < until_ns)]
    return rows


def failed(calls: Calls) -> int:
    """How many of them failed."""
    return int(np.count_nonzero(~calls["ok"]))


def after(course: Course, at_ns: int | None) -> float | None:
    """Seconds from the publishing to ``at_ns``."""
    return None if at_ns is None else round((at_ns - course.published_ns) / NS, 3)
