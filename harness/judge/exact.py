"""The exact criteria: counted over the whole window, so that the count is its own bound. "Rate" and "Concurrency".

A pass is counted on calls that the schedule holds; a fail stands only where what is due and not in evidence cannot
undo it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.base.units import Unit
from harness.judge.figures import clears
from harness.judge.finding import Finding, nothing
from harness.judge.ledger import Calls, those
from harness.judge.planned import undone_words
from harness.judge.view import View
from harness.judge.window import NS, Window
from harness.judge.words import NONE_IN_EVIDENCE, as_written, beside, count, limit_quantity
from harness.model.message import message, worded
from harness.model.scenario import Criterion, Sample
from harness.model.verdict import Verdict

_NAMED_USERS = 3


def request_rate(criterion: Criterion, view: View) -> Finding:
    """Good answers of the API that came in the window, over the window; judged only while enough was offered."""
    window_s = view.window.seconds
    if not len(view.requests):
        return nothing(NONE_IN_EVIDENCE[Sample.USERS])
    good = len(_good_answers(view))
    value = good / window_s
    planned = view.planned(criterion.asks)
    offered = planned.count / window_s
    finding = Finding(
        verdict=Verdict.PASS if clears(criterion.comparison, value, criterion.threshold) else Verdict.FAIL,
        value=value,
        bound=value,
        samples=good,
        told=(
            message(
                "{good} good answers in {seconds} s: {rate}, limit {limit}",
                good=count(good),
                seconds=f"{window_s:g}",
                rate=worded(beside(value, criterion.threshold, Unit.PER_SECOND), Unit.PER_SECOND),
                limit=limit_quantity(criterion),
            ),
        ),
    )
    wanted = view.scenario.offered_rate_per_s
    if offered < wanted:
        return finding.void(
            message(
                "only {offered} were offered; it is judged when at least {wanted} are",
                offered=worded(beside(offered, wanted, Unit.PER_SECOND), Unit.PER_SECOND),
                wanted=worded(as_written(wanted, Unit.PER_SECOND), Unit.PER_SECOND),
            )
        )
    if finding.verdict is Verdict.FAIL:
        if clears(criterion.comparison, (good + planned.missing) / window_s, criterion.threshold):
            return finding.void(undone_words(planned))
        late = _late(criterion, view)
        lost = planned.missing + int(np.count_nonzero(~(late["ok"] & (late["done_ns"] < view.window.end_ns))))
        if clears(criterion.comparison, (good + lost) / window_s, criterion.threshold):
            return finding.void(message("void: {late} requests were sent late by the generator", late=count(lost)))
    return finding


def concurrent_users(criterion: Criterion, view: View) -> Finding:
    """Users with a live session for the whole window and a good answer of the API in every stretch of it."""
    window = view.window
    live = view.ledger.live_throughout(window)
    if not live.any() or not len(view.requests):
        return nothing(message("no live session with requests in evidence"))
    stretch_ns = round(view.scenario.good_answer_every_s * NS)
    good = _good_answers(view)
    offered = live & _covered(view.requests["user"], view.requests["due_ns"], window, stretch_ns, len(live))
    served = live & _covered(good["user"], good["done_ns"], window, stretch_ns, len(live))
    value = int(np.count_nonzero(served))
    finding = Finding(
        verdict=Verdict.PASS if clears(criterion.comparison, value, criterion.threshold) else Verdict.FAIL,
        value=float(value),
        bound=float(value),
        samples=int(np.count_nonzero(offered)),
        told=(
            message(
                "{users} users had a live session and a good answer in every {seconds} s, limit {limit}",
                users=count(value),
                seconds=f"{view.scenario.good_answer_every_s:g}",
                limit=limit_quantity(criterion),
            ),
        ),
    )
    if finding.verdict is Verdict.PASS:
        return finding
    if not clears(criterion.comparison, finding.samples, criterion.threshold):
        return finding.void(message("the load offered only {users} such users", users=count(finding.samples)))
    planned = view.planned(criterion.asks)
    if clears(criterion.comparison, value + planned.missing, criterion.threshold):  # each may be a user's good answer
        return finding.void(undone_words(planned))
    late = _late(criterion, view)
    users = np.concatenate((good["user"], late["user"]))
    times = np.concatenate((good["done_ns"], late["due_ns"]))
    spared = live & _covered(users, times, window, stretch_ns, len(live))
    if clears(criterion.comparison, int(np.count_nonzero(spared)), criterion.threshold):
        return finding.void(message("void: the generator sent the missing users' requests late"))
    return _naming(finding, view, offered & ~served)


def _good_answers(view: View) -> Calls:
    """Good answers of the API that came in the window, to what the schedule holds; without a due list, to anything."""
    rows = view.planned(Sample.USERS).listed
    rows = view.ledger.requests if rows is None else rows
    done = (rows["done_ns"] >= view.window.start_ns) & (rows["done_ns"] < view.window.end_ns)
    return those(rows, done & rows["api"] & rows["ok"])


def _late(criterion: Criterion, view: View) -> Calls:
    """Of the requests whose good answer would have counted, those that the generator did not send on time."""
    late, listed = view.late(criterion), view.planned(criterion.asks).listed
    return late if listed is None else those(late, np.isin(late["id"], listed["id"]))


def _covered(
    user: NDArray[np.int32], at_ns: NDArray[np.int64], window: Window, stretch_ns: int, users: int
) -> NDArray[np.bool_]:
    """By user's number: whether the user's times leave no stretch of ``window`` empty; at least one time each."""
    order = np.lexsort((at_ns, user))
    user, at_ns = user[order], at_ns[order]
    first, last = np.ones((2, len(user)), dtype=bool)
    first[1:] = last[:-1] = user[1:] != user[:-1]
    # Half-open stretches: one that begins with the window is empty when the first time lies a whole stretch on.
    gap = first & (at_ns - window.start_ns >= stretch_ns)
    gap |= last & (window.end_ns - at_ns > stretch_ns)
    gap[1:] |= ~first[1:] & (at_ns[1:] - at_ns[:-1] > stretch_ns)
    covered = np.zeros(users, dtype=bool)
    covered[user] = True
    covered[user[gap]] = False
    return covered


def _naming(finding: Finding, view: View, missing: NDArray[np.bool_]) -> Finding:
    names = sorted(name for name, number in view.ledger.users.items() if missing[number])
    if not names:
        return finding
    named, more = ", ".join(names[:_NAMED_USERS]), len(names) - _NAMED_USERS
    if more > 0:
        return finding.adding(message("without: {users} and {more} more", users=named, more=str(more)))
    return finding.adding(message("without: {users}", users=named))
