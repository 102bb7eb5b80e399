"""How many requests and probes a series of killed pods can break at most, computed before it begins. Pure.

A pod deleted with grace 0 is killed while its leaving spreads: the EndpointSlice's and kube-proxy's way in a cluster,
a delay of the same kind on the rung ``local``. What can break then:

* a probe that is on its way: each has a connection of its own and is not repeated;
* a new connection, until the leaving has been detected everywhere: every probe's, and that of each user whose kept
  connection was to the killed pod, one in ``replicas``. Which pod it meets is chance, so all of them can break and one
  in ``replicas`` does: with two pods half of the number, between the quarter and the whole that are held to;
* of users, a CREATE that is on its way: a phone repeats a GET, PUT or DELETE once whose kept connection broke before
  the answer, and opens a kept connection that was closed meanwhile anew, so only a POST is lost;
* everything, from a kill until a pod is ready again, if the successor takes longer to be ready than the next kill.

Requests on their way are rate x latency (Little's law).

In a cluster each detection is another (the kubelet, the EndpointSlice controller and kube-proxy, which syncs at most
once a second, race), so a few trials know its mean over a series only within bounds; the quarter is taken of what the
lower bound brings, the whole of what the upper one does. Where every detection is alike the bounds are one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

import msgspec

from harness.model.message import Message, message

#: Of a user's requests, CREATE is one in twenty (docs/contract/walk-api.md#real-use).
CREATE_SHARE = 0.05
#: Of each bound of the detection, one-sided.
_CONFIDENCE = 0.95


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds until no new connection is sent to a killed pod, on average over a series; and the average's bounds."""

    mean_s: float = 0.0
    least_s: float = 0.0
    most_s: float = 0.0


def detection(trials: Sequence[float], times: int) -> Detection:
    """Of a series of ``times`` kills, from at least two trials in seconds: mean and prediction bounds of its mean.

    The bounds are Student's for the mean of ``times`` further values, never below 0.
    """
    from scipy.special import stdtrit  # slow to import, and rarely needed

    mean_s, count = fmean(trials), len(trials)
    half_s = float(stdtrit(count - 1, _CONFIDENCE)) * stdev(trials) * math.sqrt(1 / count + 1 / times)
    return Detection(mean_s=mean_s, least_s=max(0.0, mean_s - half_s), most_s=mean_s + half_s)


class KillSeries(msgspec.Struct, frozen=True, kw_only=True):
    """Rates per second; times in seconds. ``latency_s`` is the mean of the steady state before, users' and probes'.

    ``ready_after_s`` is from a kill until the successor serves, ``detection`` until no new connection is sent to the
    killed pod once it is dead: both as seen before the series begins.
    """

    times: int
    every_s: float
    replicas: int
    user_rate_per_s: float
    probe_rate_per_s: float
    latency_s: float
    detection: Detection
    ready_after_s: float


class ExpectedFailures(msgspec.Struct, frozen=True, kw_only=True):
    """Failures by cause; ``least`` and ``most`` are the limits that a measured number is held against."""

    in_flight: float
    undetected: float
    undetected_least: float
    undetected_most: float
    none_ready: float

    @property
    def total(self) -> float:
        """All causes."""
        return self.in_flight + self.undetected + self.none_ready

    @property
    def least(self) -> int:
        """A quarter, in whole requests, of what the shortest detection brings."""
        return math.floor((self.in_flight + self.undetected_least + self.none_ready) / 4)

    @property
    def most(self) -> int:
        """All, in whole requests, with the longest detection."""
        return math.ceil(self.in_flight + self.undetected_most + self.none_ready)

    @property
    def told(self) -> Message:
        """For people."""
        return message(
            "{total} failures at most, computed beforehand: {in_flight} on their way when a pod is killed, "
            "{undetected} new connections until that is detected ({undetected_least} to {undetected_most}, as trials "
            "differ), {none_ready} while no pod is ready",
            total=f"{self.total:.1f}",
            in_flight=f"{self.in_flight:.1f}",
            undetected=f"{self.undetected:.1f}",
            undetected_least=f"{self.undetected_least:.1f}",
            undetected_most=f"{self.undetected_most:.1f}",
            none_ready=f"{self.none_ready:.1f}",
        )


def expected(series: KillSeries) -> ExpectedFailures:
    """The most failures that the series can bring."""
    breakable_per_s = series.probe_rate_per_s + CREATE_SHARE * series.user_rate_per_s
    connecting_per_s = series.probe_rate_per_s + series.user_rate_per_s / series.replicas
    every_per_s = series.probe_rate_per_s + series.user_rate_per_s
    # With r replicas a pod is killed again r intervals later: there is none only if its successors are all late.
    gap_s = max(0.0, series.ready_after_s - (series.replicas - 1) * series.every_s)
    connecting = series.times * connecting_per_s
    return ExpectedFailures(
        in_flight=series.times * breakable_per_s * series.latency_s,
        undetected=connecting * series.detection.mean_s,
        undetected_least=connecting * series.detection.least_s,
        undetected_most=connecting * series.detection.most_s,
        none_ready=series.times * every_per_s * gap_s,
    )
