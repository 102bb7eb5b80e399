"""The counters that the objectives and alerts read, as series for promtool: with planted shares of bad events."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

PROBES = 'availability_probes_total{outcome="%s",job="probes"}'
REQUESTS = 'http_requests_total{job="tekutoko-api",method="GET",route="/v1/walks",status="%s"}'
BUCKETS = 'http_request_duration_seconds_bucket{job="tekutoko-api",route="/v1/walks",le="%s"}'
Series = dict[str, Sequence[float]]


def counted(shares: Sequence[float], each: float) -> tuple[list[float], list[float]]:
    """Two counters, bad and good, of ``each`` events a sample of which that share is bad."""
    bad, good = [0.0], [0.0]
    for part in shares:
        wrong = round(each * part)
        bad.append(bad[-1] + wrong)
        good.append(good[-1] + each - wrong)
    return bad, good


def both_of(bad: Sequence[float], good: Sequence[float]) -> list[float]:
    """All events."""
    return [a + b for a, b in zip(bad, good, strict=True)]


def slowness(good: Sequence[float], both: Sequence[float]) -> Series:
    """A histogram whose good requests took less than 0.5 s, and the others 0.6 to 0.8."""
    buckets: Series = {"0.5": good, "0.6": good, "0.8": both, "+Inf": both}
    count = BUCKETS.replace("_bucket", "_count").replace(',le="%s"', "")
    return {BUCKETS % bound: values for bound, values in buckets.items()} | {count: both}


def series_of(objective: str, bad: Sequence[float], good: Sequence[float]) -> Series:
    """What the objective of that name reads."""
    if objective == "availability":
        return {PROBES % "bad": bad, PROBES % "good": good}
    if objective == "errors":
        return {REQUESTS % "503": bad, REQUESTS % "200": good}
    return slowness(good, both_of(bad, good))


def drawn(chance: Random, count: int) -> list[float]:
    """So many shares that stay for a while and jump, with a pause in which nobody asks now and then."""
    shares: list[float] = []
    while len(shares) < count:
        level = chance.choice([0.0, 0.0, 0.01, 0.025, 0.035, 0.049, 0.06, 0.2, 1.0])
        shares += [min(1.0, level * chance.uniform(0.8, 1.2)) for _ in range(chance.randrange(2, 70))]
    return shares[:count]
