"""What every window carries beside its criteria: the document's SLIs, from raw values. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.base.ticks import NS
from harness.model.evidence import Side, Window
from harness.rules.bounds import nearest_rank
from harness.rules.figures import MS, latencies_ms
from harness.rules.ledger import Ledger, lag_ns


class WindowSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What every window carries beside its criteria. Latencies in ms from the due time; ratios 0..1."""

    name: str
    start_ns: int
    end_ns: int
    side: Side
    requests: int
    requests_per_s: float
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    latency_p99_ms: float | None
    ratio_4xx: float | None
    ratio_5xx: float | None
    error_ratio: float | None
    generator_lag_p99_ms: float | None
    cpu_cores_mean: float | None  # of all pods together; None on Firestore's side
    memory_bytes_max: float | None
    replicas_min: int | None
    replicas_max: int | None
    bad_seconds: int | None  # seconds in which a probe failed; None where no probes ran


def summarise(ledger: Ledger, window: Window, side: Side, *, name: str = "window") -> WindowSummary:
    """The summary of one side. Requests count by due time; percentiles are the values of nearest rank.

    4xx and 5xx are shares of HTTP statuses, as the document's SLIs are; Firestore's statuses are gRPC codes and have
    neither. CPU and memory are those of all pods together: their mean over the window and their highest.
    """
    rows = ledger.requests
    due = (rows["due_ns"] >= window.start_ns) & (rows["due_ns"] < window.end_ns)
    chosen = due & (rows["api"] == (side is Side.API))
    calls = ledger.requests_due(window, side)
    total = len(calls)
    latency = np.sort(latencies_ms(calls))
    lag = np.sort(lag_ns(rows)[chosen] / MS)
    api = side is Side.API
    cpu = together(ledger.samples["cpu_cores"], window) if api else []
    memory = together(ledger.samples["memory_bytes"], window) if api else []
    replicas = _replicas(ledger, window) if api else []
    return WindowSummary(
        name=name,
        start_ns=window.start_ns,
        end_ns=window.end_ns,
        side=side,
        requests=total,
        requests_per_s=total / window.seconds if window.end_ns > window.start_ns else 0.0,
        latency_p50_ms=_percentile(latency, 0.5),
        latency_p95_ms=_percentile(latency, 0.95),
        latency_p99_ms=_percentile(latency, 0.99),
        ratio_4xx=_share(calls["status"] // 100 == 4) if api else None,
        ratio_5xx=_share(calls["status"] // 100 == 5) if api else None,
        error_ratio=_share(~calls["ok"]),
        generator_lag_p99_ms=_percentile(lag, 0.99),
        cpu_cores_mean=sum(cpu) / len(cpu) if cpu else None,
        memory_bytes_max=max(memory, default=None),
        replicas_min=min(replicas, default=None),
        replicas_max=max(replicas, default=None),
        bad_seconds=_bad_seconds(ledger, window) if api else None,
    )


def _percentile(ascending: NDArray[np.float64], quantile: float) -> float | None:
    return float(ascending[nearest_rank(len(ascending), quantile) - 1]) if len(ascending) else None


def _share(chosen: NDArray[np.bool_]) -> float | None:
    return float(np.count_nonzero(chosen)) / len(chosen) if len(chosen) else None


def _bad_seconds(ledger: Ledger, window: Window) -> int | None:
    """Seconds of the window in which a probe that failed was due; ``None`` when no probe was."""
    probes = ledger.probe_rows_due(window)
    if not len(probes):
        return None
    return len(np.unique((probes["due_ns"][~probes["ok"]] - window.start_ns) // NS))


def together(samples: Iterable[tuple[int, str, float]], window: Window) -> list[float]:
    """The pods' sum at each reading of the window. A reading ends where a pod would be read a second time.

    Pods are the subjects ``pod/...``; where the evidence names none, every subject is taken for one.
    """
    within = sorted(sample for sample in samples if window.start_ns <= sample[0] < window.end_ns)
    sums: list[float] = []
    read: set[str] = set()
    for _, subject, value in [sample for sample in within if sample[1].startswith("pod/")] or within:
        if not sums or subject in read:
            sums.append(0.0)
            read.clear()
        read.add(subject)
        sums[-1] += value
    return sums


def _replicas(ledger: Ledger, window: Window) -> list[int]:
    """The replicas read in the window, and the last reading before it, which still held when it began."""
    samples = sorted(ledger.samples["replicas"] or ledger.samples["ready_replicas"])
    within = [round(value) for at_ns, _, value in samples if window.start_ns <= at_ns < window.end_ns]
    before = [round(value) for at_ns, _, value in samples if at_ns < window.start_ns]
    return before[-1:] + within
