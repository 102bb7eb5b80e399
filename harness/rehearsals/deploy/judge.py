"""A deploy from the evidence: what users met while versions changed, and how the pods came and went. Pure.

Rows are in the order they were seen; all times are of one clock. A pod is new when it came since the deploy began.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np

from harness.judge.figures import MS, latencies_ms
from harness.judge.ledger import Calls, Ledger
from harness.judge.planned import planned_in
from harness.judge.scaling import held
from harness.judge.scaling import shown as as_erratum
from harness.judge.window import NS, Window
from harness.model.due import DueList
from harness.model.evidence import EventRow, Operation, Outcome, ProbeRow, RequestRow, Side
from harness.model.scaling import Ran, ScalingFinding
from harness.model.scenario import Criterion, Metric
from harness.model.stack import PodState
from harness.model.verdict import CriterionResult, Verdict

#: Seconds after a pod is told to be gone in which a client still hears that its kept connection ended.
CLOSED_S = 1.0
#: CREATEs that one pod's end may cost. Each pod closes its kept connections once, and a CREATE is lost when it is sent
#: in the milliseconds in which that end is on its way: of 75 requests a second the ends of 12 pods broke 3. Five or
#: more from two pods, at a quarter each, come by chance in one rollout of 6,000.
LOST_PER_POD = 2


#: The erratum of the document's "no downtime" that no order of endpoints and signals mends.
CREATE_LOST = "deploy.create_lost_at_close"


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Users' requests to the API and probes that were due in a window; the first and the last bad answer came when.

    ``missing`` are planned and not in evidence: they count as failed where that would be a pass.
    """

    calls: int
    failed: int
    missing: int = 0
    first_ns: int | None = None
    last_ns: int | None = None

    @property
    def bad_s(self) -> float | None:
        """From the first bad answer to the last."""
        return None if self.first_ns is None or self.last_ns is None else (self.last_ns - self.first_ns) / NS

    @property
    def sentence(self) -> str:
        """All counts, for people."""
        told = f"{self.failed} of {self.calls} requests and probes failed"
        told = told if self.bad_s is None else f"{told}, {self.bad_s:.1f} s from the first to the last"
        return f"{told}, {self.missing} more that were due are not in evidence" if self.missing else told


class Pods(msgspec.Struct, frozen=True, kw_only=True):
    """The pods in a stretch of time: the most that lived at once (terminating ones count nowhere, as in Kubernetes),
    the fewest that were ready, the names of the new ones, when those became ready, and at its end the ready ones and
    all that were not gone.
    """

    most: int
    fewest_ready: int
    new: tuple[str, ...]
    new_ready_ns: Mapping[str, int]
    ready: tuple[str, ...]
    left: frozenset[str]


def tally(ledger: Ledger, start_ns: int, end_ns: int, slow_ms: float | None = None, *, due: DueList) -> Tally:
    """Bad is what failed, and what took longer than ``slow_ms`` where that is given; ``due`` is the plan's."""
    window = Window(start_ns=start_ns, end_ns=max(end_ns, start_ns + 1))
    missing = sum(each.missing for each in planned_in(ledger, due, window))
    rows: Calls = np.concatenate([ledger.probe_rows_due(window), ledger.requests_due(window, Side.API)])
    bad = ~rows["ok"] if slow_ms is None else ~rows["ok"] | (latencies_ms(rows) > slow_ms)
    done_ns = rows["done_ns"][bad]
    if not len(done_ns):
        return Tally(calls=len(rows), failed=0, missing=missing)
    first_ns, last_ns = int(done_ns.min()), int(done_ns.max())
    return Tally(calls=len(rows), failed=len(done_ns), missing=missing, first_ns=first_ns, last_ns=last_ns)


def slow_answers(
    rows: Iterable[RequestRow | ProbeRow], of: Iterable[str], start_ns: int, end_ns: int, slow_ms: float
) -> Tally:
    """As ``tally``, but an answer is bad when it failed or came late from a pod of ``of``: on a busy machine others
    are slow too, and no version's doing.
    """
    of, calls, bad_ns = set(of), 0, list[int]()
    for row in rows:
        if start_ns <= row.due_ns < end_ns and (isinstance(row, ProbeRow) or row.side is Side.API):
            calls += 1
            late = row.pod in of and (row.done_ns - row.due_ns) / MS > slow_ms
            bad_ns += [row.done_ns] if late or row.outcome is not Outcome.OK else []
    if not bad_ns:
        return Tally(calls=calls, failed=0)
    return Tally(calls=calls, failed=len(bad_ns), first_ns=min(bad_ns), last_ns=max(bad_ns))


def lost_at_close(
    requests: Iterable[RequestRow], events: Iterable[EventRow], start_ns: int, end_ns: int
) -> tuple[int, int]:
    """CREATEs due from ``start_ns`` to ``end_ns`` whose kept connection ended with a pod, and how many pods ended then.

    HTTP/1.1 lets either side close an idle connection at any time, and no client may send a request again by itself
    that is not idempotent (RFC 9112, 9.3.1 and 9.5): no order of endpoints and signals spares a CREATE that was on its
    way. All CREATEs broken while a pod ended count, or none when they are more than ``LOST_PER_POD`` a pod explain.
    """
    spans = _ends(events, start_ns)
    lost = sum(
        row.side is Side.API
        and (row.operation, row.outcome) == (Operation.CREATE_WALK, Outcome.BROKEN)
        and start_ns <= row.due_ns < end_ns
        and any(first_ns <= row.done_ns <= last_ns for first_ns, last_ns in spans)
        for row in requests
    )
    return (lost if lost <= LOST_PER_POD * len(spans) else 0), len(spans)


def _ends(events: Iterable[EventRow], start_ns: int) -> list[tuple[int, int]]:
    """Of each pod that ended since: from when it was told to leave until its clients have heard that it is gone."""
    leaving: dict[str, int] = {}
    spans: list[tuple[int, int]] = []
    for row in events:
        if row.kind != "pod" or row.at_ns < start_ns:
            continue
        if row.data["state"] == PodState.TERMINATING:
            leaving.setdefault(row.subject, row.at_ns)
        elif row.data["state"] == PodState.GONE and row.subject in leaving:
            spans.append((leaving.pop(row.subject), row.at_ns + round(CLOSED_S * NS)))
    return spans


def pods(rows: Iterable[EventRow], since_ns: int, until_ns: int) -> Pods:
    """Of the events of ``kind`` pod."""
    states: dict[str, str] = {}
    before: set[str] = set()
    new_ready_ns: dict[str, int] = {}
    new: list[str] = []
    counts: list[tuple[int, int]] = []
    began = False
    for row in rows:
        if row.kind != "pod" or row.at_ns >= until_ns:
            continue
        if row.at_ns >= since_ns and not began:
            began, before = True, set(states)
            counts.append(_counts(states))
        state = row.data["state"]
        if state == PodState.GONE:
            states.pop(row.subject, None)
        else:
            states[row.subject] = state
        if began:
            counts.append(_counts(states))
            if row.subject not in before and row.subject not in new:
                new.append(row.subject)
            if row.subject in new and state == PodState.READY:
                new_ready_ns.setdefault(row.subject, row.at_ns)
    return Pods(
        most=max((live for live, _ in counts), default=0),
        fewest_ready=min((ready for _, ready in counts), default=0),
        new=tuple(new),
        new_ready_ns=new_ready_ns,
        ready=tuple(sorted(name for name, state in states.items() if state == PodState.READY)),
        left=frozenset(states),
    )


def released(
    claims: Iterable[str],
    ran: Sequence[Ran],
    seen: Pods,
    met: Tally,
    *,
    replicas: int,
    surge: int,
    least_calls: int,
    races: bool,
    lost_creates: int = 0,
) -> list[ScalingFinding]:
    """A good version: the commands, the pods one by one, and what users met.

    ``races``: endpoints and signals race, as on a real cluster; else downtime that is not seen was not to be seen.
    ``lost_creates`` are those of ``lost_at_close`` among ``met``: a finding of their own, and no downtime.
    """
    told = "; ".join(f"`{one.command}` ended in {one.status}" for one in ran)
    wrong = [name for name in seen.ready if name not in seen.new]
    no_pods = "no pod was seen to come" if not seen.new else ""
    lost = "deploy.downtime_without_prestop"
    known = {
        "cicd.set_image": held("cicd.set_image", all(one.status == 0 for one in ran), f"{len(ran)} commands", told),
        "deploy.rolling.one_up": _known(
            no_pods, "deploy.rolling.one_up", seen.most <= replicas + surge, f"{seen.most} pods",
            f"at most {seen.most} pods at once, terminating ones aside; replicas {replicas}, maxSurge {surge}",
        ),
        "deploy.rolling.one_down": _known(
            no_pods, "deploy.rolling.one_down", seen.fewest_ready >= replicas, f"{seen.fewest_ready} ready",
            f"never fewer than {seen.fewest_ready} pods ready; replicas {replicas}, maxUnavailable 0",
        ),
        "deploy.rolling.complete": _known(
            no_pods, "deploy.rolling.complete", not wrong and len(seen.ready) == replicas,
            f"{len(seen.ready) - len(wrong)} new",
            f"ready at the end: {', '.join(seen.ready) or 'none'}; old ones among them: {', '.join(wrong) or 'none'}",
        ),
        "deploy.rolling.no_downtime": undisturbed("deploy.rolling.no_downtime", met, least_calls, lost_creates),
        lost: shown(lost, met.failed > lost_creates, f"{met.failed - lost_creates} failed", met.sentence),
        CREATE_LOST: create_lost(met, lost_creates),
    }  # fmt: skip
    if not races and met.failed == lost_creates:
        reason = (
            f"{met.sentence}; the environment signals a pod once the endpoints have left it (unless --signals-at-once)"
        )
        known[lost] = ScalingFinding(claim=lost, verdict=Verdict.NOT_EXERCISED, value="", reason=reason)
    return [known[claim] for claim in claims if claim in known]


def undisturbed(claim: str, met: Tally, least_calls: int, lost_creates: int = 0) -> ScalingFinding:
    """Nobody noticed: no call failed, of enough and all in evidence, but CREATEs that ``lost_at_close`` explains."""
    if met.calls < least_calls:
        reason = f"{met.calls} requests and probes were due, and {least_calls} are needed"
        return ScalingFinding(claim=claim, verdict=Verdict.INCONCLUSIVE, value="", reason=reason)
    failed = met.failed - lost_creates
    if not failed and met.missing:
        return ScalingFinding(claim=claim, verdict=Verdict.INCONCLUSIVE, value="", reason=met.sentence)
    aside = f"; {lost_creates} of them CREATEs on kept connections, judged as {CREATE_LOST}" if lost_creates else ""
    return held(claim, failed == 0, f"{failed} failed", met.sentence + aside)


def create_lost(met: Tally, lost_creates: int) -> ScalingFinding:
    """The erratum: a CREATE lost with a kept connection. Without one it was not met: the milliseconds are few."""
    if lost_creates:
        reason = f"{lost_creates} CREATEs of {met.calls} calls were lost with the kept connections of pods that ended"
        return shown(CREATE_LOST, True, f"{lost_creates} lost", reason)
    reason = f"no CREATE met the end of a kept connection; {met.sentence}"
    return ScalingFinding(claim=CREATE_LOST, verdict=Verdict.NOT_EXERCISED, value="", reason=reason)


def shown(erratum: str, seen: bool, value: str, reason: str) -> ScalingFinding:
    """An erratum of the document; not seen proves nothing."""
    if seen:
        return as_erratum(erratum, value, f"shown: {reason}")
    return ScalingFinding(claim=erratum, verdict=Verdict.INCONCLUSIVE, value=value, reason=f"not seen: {reason}")


def never_ready(
    status: Ran, undo: Ran, after: Ran, *, before_undo: Pods, seen: Pods, met: Tally, replicas: int, least_calls: int
) -> list[ScalingFinding]:
    """``status`` has to fail, and ``undo`` to bring everything back before anybody notices.

    ``before_undo`` are the pods until the undo began, with a while after ``status`` in which nothing was done by hand.
    """
    said = status.output.strip().splitlines()[-1:] or ["nothing"]
    waits = [name for name in before_undo.new if name not in before_undo.new_ready_ns]
    kept = seen.fewest_ready >= replicas and not seen.new_ready_ns and len(seen.ready) == replicas
    noticed = undisturbed("phase2.cicd", met, least_calls)
    reason = (
        f"undo ended in {undo.status}, rollout status after it in {after.status}; never fewer than "
        f"{seen.fewest_ready} of {replicas} pods ready; {noticed.reason}"
    )
    undone = undo.status == 0 and after.status == 0 and kept
    if noticed.verdict is not Verdict.INCONCLUSIVE or not undone:
        noticed = held("phase2.cicd", undone and met.failed == 0, f"{met.failed} failed", reason)
    return [
        held("cicd.rollout_status", status.status > 0, f"status {status.status}", f"`{status.command}`: {said[0]}"),
        shown(
            "cicd.no_undo",
            status.status > 0 and bool(waits),
            f"{len(waits)} pods left",
            f"the workflow had ended, and {', '.join(waits) or 'no pod'} still waited to be ready: nothing undid it",
        ),
        noticed,
    ]


class Undone(msgspec.Struct, frozen=True, kw_only=True):
    """What the judge did: which limit fired and when, when the undo was said, and when it was complete."""

    fired: CriterionResult | None
    undo_ns: int | None = None
    done_ns: int | None = None
    ran: tuple[Ran, ...] = ()


def broke(fired: Iterable[CriterionResult]) -> CriterionResult | None:
    """The limit that fired first."""
    found = [each for each in fired if each.verdict is Verdict.FAIL]
    return min(found, key=lambda each: each.fired_at_ns or 0, default=None)


def slow_limit_ms(limits: Iterable[Criterion], fired: CriterionResult | None) -> float | None:
    """Above what an answer is bad, where a limit of latency fired."""
    latency = [each.threshold for each in limits if fired is not None and each.id == fired.id
               and each.metric is Metric.LATENCY_P95]  # fmt: skip
    return latency[0] if latency else None


def limit_broken(
    claim: str, undone: Undone, met: Tally, after: Tally, *, within_s: float, least_after: int
) -> ScalingFinding:
    """A version that is ready and bad: its last answer within ``within_s`` of its first bad one, and ``after`` it was
    gone nothing bad, or, where a p95 fired, not more than a twentieth.
    """
    if met.first_ns is None:
        reason = f"the version gave no bad answer among {met.calls}"
        return ScalingFinding(claim=claim, verdict=Verdict.INCONCLUSIVE, value="", reason=reason)
    if undone.fired is None or undone.fired.fired_at_ns is None or undone.undo_ns is None or undone.done_ns is None:
        return held(claim, False, "never", f"no limit fired, though {met.sentence}")
    bad_s = met.bad_s or 0.0
    fired_s = (undone.fired.fired_at_ns - met.first_ns) / NS
    undo_s = (undone.done_ns - undone.undo_ns) / NS
    reason = (
        f"{undone.fired.id} {undone.fired.reason}; fired {fired_s:.1f} s after the first bad answer, undo "
        f"complete after {undo_s:.1f} s, last bad answer {bad_s:.1f} s after the first: "
        f"{met.failed} of {met.calls} were bad; then {after.sentence}"
    )
    if after.calls < least_after:
        return ScalingFinding(claim=claim, verdict=Verdict.INCONCLUSIVE, value=f"{bad_s:.1f} s", reason=reason)
    usual = after.calls // 20 if undone.fired.metric == Metric.LATENCY_P95 else 0
    good = all(one.status == 0 for one in undone.ran) and after.failed <= usual and bad_s <= within_s
    if good and after.failed + after.missing > usual:
        return ScalingFinding(claim=claim, verdict=Verdict.INCONCLUSIVE, value=f"{bad_s:.1f} s", reason=reason)
    return held(claim, good, f"{bad_s:.1f} s", reason)


def breaking_schema(
    claim: str, undone: Undone, *, met: Tally, past_undo: Tally, mended: Tally, least_calls: int
) -> ScalingFinding:
    """The erratum: old pods fail, undo does not help, only the schema taken back does."""
    reason = (
        f"{met.sentence}; after the undo was complete {past_undo.failed} of {past_undo.calls} still failed; with the "
        f"schema taken back {mended.sentence}"
    )
    if mended.calls < least_calls or mended.missing:
        return ScalingFinding(claim=claim, verdict=Verdict.INCONCLUSIVE, value="", reason=reason)
    seen = undone.fired is not None and undone.done_ns is not None and past_undo.failed > 0 and mended.failed == 0
    return shown(claim, seen, f"{met.failed} failed", reason)


def side_by_side(written: Mapping[str, int], old: Iterable[str], new: Iterable[str]) -> str:
    """Who wrote into the new column, for people; ``written`` by pod."""
    old, new = set(old), set(new)
    by_old = sum(count for pod, count in written.items() if pod in old)
    by_new = sum(count for pod, count in written.items() if pod in new)
    return f"rows with the new column: {by_old} inserted by old pods, {by_new} by new ones"


def _known(why_not: str, claim: str, kept: bool, value: str, reason: str) -> ScalingFinding:
    if why_not:
        return ScalingFinding(claim=claim, verdict=Verdict.INCONCLUSIVE, value="", reason=why_not)
    return held(claim, kept, value, reason)


def _counts(states: Mapping[str, str]) -> tuple[int, int]:
    """Pods that live, and of them the ready ones."""
    live = [state for state in states.values() if state != PodState.TERMINATING]
    return len(live), live.count(PodState.READY)
