"""Pods on their way out: from when to when each may cost calls, and which calls failed meanwhile."""

from __future__ import annotations

import pytest

from harness.base.clock import NS
from harness.model.evidence import EventRow, Window
from harness.rules.leaving import failed_meanwhile, failed_while_leaving, leaving
from tests.deploys.made import gathered, pod, probe


def left(*events: EventRow) -> list[tuple[float, float]]:
    """The spans of pods that left from 10 to 40 s, in seconds."""
    return [(first_ns / NS, last_ns / NS) for first_ns, last_ns in leaving(events, 10 * NS, 40 * NS)]


@pytest.mark.parametrize(
    ("events", "spans"),
    [
        ([pod(16, "a", "Terminating"), pod(18, "a", "Gone")], [(15, 28)]),
        ([pod(16, "a", "Ready"), pod(18, "a", "Gone")], [(17, 28)]),  # killed: of its end alone anybody was told
        ([pod(35, "a", "Terminating"), pod(45, "a", "Gone")], [(34, 40)]),
        ([pod(39.9, "a", "Terminating")], [(38.9, 40)]),
        ([pod(40, "a", "Terminating"), pod(41, "a", "Gone")], []),
        # One that began to leave before, and is on its way still.
        ([pod(4, "a", "Terminating"), pod(18, "a", "Gone")], [(3, 28)]),
        ([pod(4, "a", "Terminating")], [(3, 40)]),
        ([pod(4, "a", "Terminating"), pod(9.9, "a", "Gone")], []),
        ([pod(16, "a", "Terminating"), pod(17, "a", "Terminating"), pod(18, "a", "Gone")], [(15, 28)]),
    ],
)
def test_a_pod_leaves_from_when_it_is_told_until_every_node_has_forgotten_it(
    events: list[EventRow], spans: list[tuple[float, float]]
) -> None:
    assert left(*events) == spans


@pytest.mark.parametrize(("due_s", "count"), [(13.9, 0), (14.0, 1), (28, 1), (28.1, 0)])
def test_a_call_counts_that_failed_and_was_on_its_way_meanwhile(due_s: float, count: int) -> None:
    """One second long, and beside it one that was answered."""
    due_ns = round(due_s * NS)
    rows = [probe(1, due_ns, good=False, took_ns=NS), probe(2, due_ns, took_ns=NS)]
    assert failed_meanwhile(gathered(*rows).ledger.probes, [(15 * NS, 28 * NS), (16 * NS, 20 * NS)]) == count


def test_of_what_was_due_in_the_time_those_that_failed_as_a_pod_left_are_counted() -> None:
    """One failed before the time, one in it as a pod left, one in it when none did."""
    rows = [probe(number, at_s * NS, good=False) for number, at_s in enumerate((9, 16, 35))]
    went = [pod(8, "a", "Terminating"), pod(18, "a", "Gone")]
    found = gathered(*rows, *went)
    assert failed_while_leaving(found.ledger, found.events, Window(start_ns=10 * NS, end_ns=40 * NS)) == 1
    assert failed_while_leaving(found.ledger, (), Window(start_ns=10 * NS, end_ns=40 * NS)) == 0
