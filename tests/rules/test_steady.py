"""The steady state before a fault and after it: what breaks it, and what of the stretch before it does not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.base.ticks import NS
from harness.model.evidence import Due, Outcome, ProbeRow, Row, SampleRow, Side, Window, probe_call
from harness.model.scenario import Criterion
from harness.rules.steady import LEAST_FOR_P95, not_steady
from tests.rules.evidence import START_NS, criterion, ledger, probe, request

NOW_NS = START_NS + 8 * NS
SETTLE_S = 2.0  # so the state is of the seconds 1 to 6


def probes(*, failed: Sequence[int] = (), lacking: Sequence[int] = ()) -> list[ProbeRow]:
    """One each half second from 0 s to 8 s; ``failed`` and ``lacking`` by the number in that order."""
    return [probe(number / 2, good=number not in failed) for number in range(16) if number not in lacking]


def planned(window: Window) -> list[Due]:
    """The probes that ``probes`` has in the window."""
    within = [row for row in probes() if window.start_ns <= row.due_ns < window.end_ns]
    return [Due(id=probe_call(row.probe_id), user=row.user, due_ns=row.due_ns, operation=None) for row in within]


def why(rows: Sequence[Row], *, wanted: int | None = None, criteria: Sequence[Criterion] = ()) -> str:
    """Why it is not steady, in words; "" where it is."""
    found = not_steady(ledger(*rows), NOW_NS, due=planned, wanted=wanted, settle_s=SETTLE_S, criteria=criteria)
    return "" if found is None else str(found)


def ready(*values: int) -> list[Row]:
    return [
        SampleRow(at_ns=START_NS + number * NS, metric="ready_replicas", subject="deployment", value=float(value))
        for number, value in enumerate(values)
    ]


def test_five_seconds_without_a_failure_are_steady() -> None:
    assert why([*probes(), request(2.0)]) == ""


def test_what_failed_before_the_five_seconds_or_is_still_to_settle_does_not_count() -> None:
    assert why([*probes(failed=(0, 1, 12, 15)), request(0.5, outcome=Outcome.TIMEOUT)]) == ""
    assert why(probes(failed=(2,))) == why(probes(failed=(11,))) == "1 failed in the last 5 s"


def test_probes_and_requests_of_the_api_that_failed_are_counted_together() -> None:
    bad = [request(2.0, outcome=Outcome.SERVER_ERROR), request(3.0, "u0001", outcome=Outcome.TIMEOUT)]
    assert why([*probes(failed=(5,)), *bad]) == "3 failed in the last 5 s"
    assert why([*probes(failed=(5, 6)), *bad]) == "4 failed in the last 5 s"
    assert why([*probes(), *bad]) == "2 failed in the last 5 s"
    assert why([*probes(), request(2.0, side=Side.FIRESTORE, outcome=Outcome.TIMEOUT)]) == ""


def test_a_probe_that_is_due_and_not_in_evidence_breaks_it() -> None:
    assert why(probes(lacking=(4,))) == "only 9 of 10 probes are in evidence"
    assert why(probes(lacking=range(16))) == "only 0 of 10 probes are in evidence"
    assert not_steady(ledger(), NOW_NS, due=lambda _: [], wanted=None, settle_s=SETTLE_S) is not None


@pytest.mark.parametrize(
    ("sizes", "wanted", "said"),
    [
        ((2,), 2, ""),
        ((3,), 2, ""),
        ((1, 2), 2, ""),
        ((2, 1), 2, "1 of 2 pods are ready"),
        ((2, 1), None, ""),
        ((), 2, ""),
    ],
)
def test_every_pod_is_ready_by_the_last_sample(sizes: Sequence[int], wanted: int | None, said: str) -> None:
    assert why([*probes(), *ready(*sizes)], wanted=wanted) == said


P95 = criterion("success", "latency_p95", "<", 500.0)


def slow(count: int) -> list[Row]:
    return [request(1.0 + number / 10, f"u{number:04}", latency_ms=700.0) for number in range(count)]


def test_the_criteria_are_kept_by_their_values() -> None:
    kept = criterion("success", "latency_p95", "<", 800.0)
    assert why([*probes(), *slow(30)], criteria=[kept]) == ""
    said = why([*probes(), *slow(30)], criteria=[kept, P95])
    assert said.endswith(" in the last 5 s (claim.latency_p95)") and "700 ms" in said
    available = criterion("success", "availability", ">", 0.995)
    assert why([*probes(), *slow(30)], criteria=[available]) == ""


def test_a_share_is_of_what_its_metric_is_about() -> None:
    """Probes speak of availability, requests of everything else: here a share that no sample without a failure has."""
    never = criterion("success", "availability", ">", 1.0)
    assert why([*probes(), *slow(3)], criteria=[never]).startswith("0 of 10 probes failed in the last 5 s")
    no_errors = criterion("success", "error_ratio", "<", 0.0)
    assert why([*probes(), *slow(3)], criteria=[no_errors]).startswith("0 of 3 requests failed in the last 5 s")


def test_too_few_answers_have_no_p95_and_the_criteria_after_it_are_still_read() -> None:
    assert why([*probes(), *slow(LEAST_FOR_P95 - 1)], criteria=[P95]) == ""
    assert why([*probes(), *slow(LEAST_FOR_P95)], criteria=[P95]) != ""
    never = criterion("success", "availability", ">", 1.0)
    assert "probes" in why([*probes(), *slow(3)], criteria=[P95, never])
