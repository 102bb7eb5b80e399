"""The window's summary against figures worked out by hand."""

from __future__ import annotations

from harness.base.ticks import NS
from harness.model.evidence import Outcome, Row, SampleRow, Side
from harness.rules.ledger import Ledger
from harness.rules.summary import summarise
from tests.rules.evidence import START_NS, WEEKS, ledger, probe, request, window

SPAN = window(WEEKS[3])


def sample(at_s: float, metric: str, subject: str, value: float) -> SampleRow:
    return SampleRow(at_ns=START_NS + round(at_s * NS), metric=metric, subject=subject, value=value)


def test_figures_of_a_side() -> None:
    rows: list[Row] = [request(n, f"u{n}", latency_ms=n + 1, lag_ms=n / 10) for n in range(100)]
    rows += [request(100, "a", status=429, outcome=Outcome.RATE_LIMITED, latency_ms=200)]
    rows += [request(101, "b", status=503, outcome=Outcome.SERVER_ERROR, latency_ms=201)]
    rows += [
        request(102, "c", status=404, latency_ms=202),
        request(103, "d", status=0, outcome=Outcome.TIMEOUT, latency_ms=10_000),
    ]
    rows += [
        request(120, "e"),
        request(-1, "f"),
        request(5, "g", side=Side.FIRESTORE, status=14, outcome=Outcome.REFUSED),
    ]
    api = summarise(ledger(*rows), SPAN, Side.API)
    assert (api.name, api.side, api.start_ns, api.end_ns) == ("window", "api", SPAN.start_ns, SPAN.end_ns)
    assert (api.requests, api.requests_per_s) == (104, 104 / 120)
    assert (api.latency_p50_ms, api.latency_p95_ms, api.latency_p99_ms) == (52, 99, 202)
    assert (api.ratio_4xx, api.ratio_5xx, api.error_ratio) == (2 / 104, 1 / 104, 3 / 104)
    assert api.generator_lag_p99_ms == 9.8
    firestore = summarise(ledger(*rows), SPAN, Side.FIRESTORE, name="after")
    assert (firestore.name, firestore.side, firestore.requests, firestore.error_ratio) == ("after", "firestore", 1, 1.0)
    assert firestore.ratio_4xx is firestore.ratio_5xx is firestore.bad_seconds is None


def test_nothing_is_none_not_zero() -> None:
    nothing = summarise(Ledger(), SPAN, Side.API)
    assert (nothing.requests, nothing.requests_per_s) == (0, 0)
    assert {
        nothing.latency_p50_ms,
        nothing.error_ratio,
        nothing.ratio_4xx,
        nothing.generator_lag_p99_ms,
        nothing.cpu_cores_mean,
        nothing.memory_bytes_max,
        nothing.replicas_min,
        nothing.replicas_max,
        nothing.bad_seconds,
    } == {None}


def test_bad_seconds() -> None:
    rows = [probe(n / 10, good=n not in {0, 1, 25, 29, 30}, number=n) for n in range(100)]
    assert summarise(ledger(*rows), SPAN, Side.API).bad_seconds == 3
    assert summarise(ledger(probe(3)), SPAN, Side.API).bad_seconds == 0


def test_cpu_and_memory_of_all_pods_together() -> None:
    rows = [
        sample(-1, "cpu_cores", "pod/a", 9),
        *(sample(t, "cpu_cores", "pod/a", 0.2) for t in (0, 2, 4, 6)),
        *(sample(t + 0.001, "cpu_cores", "pod/b", 0.4) for t in (0, 2)),
        *(sample(t, "cpu_cores", "pod/c", 0.8) for t in (4, 6)),  # replaced b
        sample(4, "cpu_cores", "envoy", 5),
        sample(120, "cpu_cores", "pod/a", 9),
        sample(0, "memory_bytes", "pod/a", 100),
        sample(0, "memory_bytes", "pod/b", 50),
        sample(2, "memory_bytes", "pod/a", 120),
    ]
    found = summarise(ledger(*rows), SPAN, Side.API)
    assert found.cpu_cores_mean is not None
    assert abs(found.cpu_cores_mean - (0.6 + 0.6 + 1.0 + 1.0) / 4) < 1e-12
    assert found.memory_bytes_max == 150
    assert summarise(ledger(*rows), SPAN, Side.FIRESTORE).cpu_cores_mean is None


def test_pods_by_bare_names() -> None:
    rows = [sample(1, "cpu_cores", "a", 0.5), sample(1, "cpu_cores", "b", 0.25), sample(2, "cpu_cores", "a", 0.25)]
    assert summarise(ledger(*rows), SPAN, Side.API).cpu_cores_mean == 0.5


def test_replicas_hold_until_the_next_reading() -> None:
    before = [sample(-9, "replicas", "deployment", 5), sample(-3, "replicas", "deployment", 2)]
    assert [
        summarise(ledger(*before), SPAN, Side.API).replicas_min,
        summarise(ledger(*before), SPAN, Side.API).replicas_max,
    ] == [2, 2]
    more = [
        *before,
        sample(5, "replicas", "deployment", 4),
        sample(9, "replicas", "deployment", 3),
        sample(120, "replicas", "deployment", 9),
    ]
    found = summarise(ledger(*more), SPAN, Side.API)
    assert (found.replicas_min, found.replicas_max) == (2, 4)
    at_once = summarise(ledger(*before, sample(0, "replicas", "deployment", 4)), SPAN, Side.API)
    assert (at_once.replicas_min, at_once.replicas_max) == (2, 4), "the one before held until then"
    ready = [sample(5, "ready_replicas", "deployment", 1)]
    assert summarise(ledger(*ready), SPAN, Side.API).replicas_max == 1
    assert summarise(ledger(*ready, *before), SPAN, Side.API).replicas_max == 2
