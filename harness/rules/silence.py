"""Stretches of the probe stream without a good answer: a blackout, or a generator that fell silent. Pure."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.base.ticks import NS
from harness.model.evidence import Window
from harness.model.scenario import ProbePlan
from harness.rules.ledger import Calls

#: With no probe under way for this long, or for two of them where they are rarer, none was being made: what lies before
#: is no part of a blackout.
IDLE_NS = NS
#: A probe without a good answer that is told so long past its timeout was held up by a generator that stood still, from
#: nobody knows when: it says no more than that it was sent.
HELD_NS = NS // 2
_FEWEST = 2  # failed probes make a blackout, however rarely it is asked


_PLAN = ProbePlan()


class Blackout(msgspec.Struct, frozen=True, kw_only=True):
    """Probes were made and none was good for ``length_s``, first known at ``at_ns``."""

    at_ns: int
    length_s: float
    failed: int


def blackout(probes: Calls, start_ns: int, limit_s: float, plan: ProbePlan = _PLAN) -> Blackout | None:
    """The first stretch of at least ``limit_s`` without one good probe, while probes were being made.

    A stretch begins with the last good answer, the window's start, or where the generator resumed after it had no
    probe under way for ``IDLE_NS``; a failed probe that ends ``limit_s`` or more later makes it known. ``plan`` is how
    often they are made, and their timeout.
    """
    if probes["ok"].all():  # none at all, too
        return None
    order = np.lexsort((probes["done_ns"], probes["sent_ns"]))
    sent_ns, done_ns, ok = probes["sent_ns"][order], _done_ns(probes, plan.timeout_s)[order], probes["ok"][order]
    answered_ns = np.maximum.accumulate(done_ns)
    resumed = np.ones(len(order), dtype=bool)
    resumed[1:] = sent_ns[1:] - answered_ns[:-1] > max(IDLE_NS, 2 * NS / plan.rate_per_s)
    begun_ns = np.maximum(np.maximum.accumulate(np.where(resumed, sent_ns, 0)), start_ns)
    good_ns = np.sort(done_ns[ok])
    earlier = np.searchsorted(good_ns, done_ns, side="right")
    last_good_ns = np.concatenate(([start_ns], good_ns))[earlier]
    since_ns = np.maximum(begun_ns, last_good_ns)
    failed_ns = np.sort(done_ns[~ok])
    so_far = np.searchsorted(failed_ns, done_ns, side="right") - np.searchsorted(failed_ns, since_ns, side="right")
    dark = ~ok & (done_ns - since_ns >= round(limit_s * NS)) & (so_far >= _FEWEST)
    if not dark.any():
        return None
    at_ns = int(done_ns[dark].min())
    since = int(since_ns[dark & (done_ns == at_ns)].min())
    failed = int(np.count_nonzero((done_ns > since) & (done_ns <= at_ns) & ~ok))
    return Blackout(at_ns=at_ns, length_s=(at_ns - since) / NS, failed=failed)


def _done_ns(probes: Calls, timeout_s: float) -> NDArray[np.int64]:
    """When each was over; of one that was held up, when it was sent."""
    sent_ns, done_ns = probes["sent_ns"], probes["done_ns"]
    held = ~probes["ok"] & (done_ns > sent_ns + round(timeout_s * NS) + HELD_NS)
    over_ns: NDArray[np.int64] = np.where(held, sent_ns, done_ns)
    return over_ns


def longest_dark_s(probes: Calls, window: Window) -> float:
    """The longest time of ``window`` without a good answer to a probe, in seconds."""
    good_ns = np.sort(probes["done_ns"][probes["ok"]])
    inside = good_ns[(good_ns > window.start_ns) & (good_ns < window.end_ns)]
    return float(np.diff(np.concatenate(([window.start_ns], inside, [window.end_ns]))).max()) / NS


def silent_s(probes: Calls, window: Window, limit_s: float, timeout_s: float) -> float | None:
    """The longest time of ``window`` in which no probe was under way, if it exceeds ``limit_s``; else ``None``.

    At the window's end ``timeout_s`` is allowed on top: the answers of the last probes may still be awaited.
    A silent generator is an error of the measurement: it says nothing about the target.
    """
    if not len(probes):
        return None
    order = np.argsort(probes["sent_ns"], kind="stable")
    busy_until_ns = np.concatenate(([window.start_ns], np.maximum.accumulate(_done_ns(probes, timeout_s)[order])))
    idle_ns = np.concatenate((probes["sent_ns"][order], [window.end_ns - round(timeout_s * NS)])) - busy_until_ns
    longest_s = float(idle_ns.max()) / NS
    return longest_s if longest_s > limit_s else None
