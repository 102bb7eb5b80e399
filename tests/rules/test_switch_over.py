"""The switch of each client after the flag is off."""

from __future__ import annotations

import random

import pytest

from harness.model.evidence import RequestRow, Side
from harness.rules.ledger import Ledger
from harness.rules.switch_over import switch_over
from tests.rules.evidence import START_NS, ledger, request

F, A = Side.FIRESTORE, Side.API


def calls(user: str, *sent: tuple[float, Side]) -> list[RequestRow]:
    return [request(at_s, user, side=side) for at_s, side in sent]


def test_the_first_firestore_request_after_the_last_of_the_api() -> None:
    rows = [
        *calls("a", (-20, A), (30, F), (80, F)),
        *calls("b", (-10, A), (40, A), (90, F), (140, F)),
        *calls("c", (-5, A), (20, F), (45, A), (95, F)),  # went back once: 95 s counts
    ]
    for order in range(5):
        random.Random(order).shuffle(rows)
        found = switch_over(ledger(*rows), START_NS, ("a", "b", "c"), 300)
        assert (found.clients, found.switched, found.last_s, found.late_users) == (3, 3, 95.0, ())
        assert found.limit_s == 300


@pytest.mark.parametrize(("at_s", "late"), [(300, ()), (300.001, ("a",))])
def test_within_the_limit(at_s: float, late: tuple[str, ...]) -> None:
    found = switch_over(ledger(*calls("a", (at_s, F))), START_NS, ("a",), 300)
    assert (found.switched, found.late_users) == (1, late)


def test_who_never_switched_or_was_never_heard_of_is_late() -> None:
    rows = [
        *calls("stuck", (10, F), (60, A)),
        *calls("silent", (-30, A)),
        *calls("good", (10, F)),
        *calls("old", (-9, F)),
    ]
    found = switch_over(ledger(*rows), START_NS, ["stuck", "silent", "good", "unknown", "old"], 300)
    assert (found.clients, found.switched, found.last_s) == (5, 1, 10.0)
    assert found.late_users == ("old", "silent", "stuck", "unknown")


def test_others_do_not_count() -> None:
    rows = [*calls("a", (10, F)), *calls("never-on-the-api", (250, F))]
    found = switch_over(ledger(*rows), START_NS, ("a", "a"), 300)
    assert (found.clients, found.last_s) == (1, 10.0)


def test_what_counts_is_when_a_request_was_sent() -> None:
    late = request(-1, "a", side=A, lag_ms=2_000, latency_ms=2_100)  # due before, sent after the publish
    found = switch_over(ledger(late, *calls("a", (0.5, F), (10, F))), START_NS, ("a",), 300)
    assert found.last_s == 10.0


def test_a_request_sent_just_as_the_flag_goes_off_counts_and_of_two_at_once_firestore_is_not_the_later() -> None:
    assert switch_over(ledger(*calls("a", (0, F))), START_NS, ("a",), 300).last_s == 0.0
    both = calls("a", (10, A), (10, F), (60, F))
    assert switch_over(ledger(*both), START_NS, ("a",), 300).last_s == 60.0


def test_who_is_not_in_evidence_has_nobody_else_s_switch() -> None:
    rows = [*calls("a", (10, F)), *calls("b", (20, F)), *calls("c", (30, F))]
    found = switch_over(ledger(*rows), START_NS, ("a", "b", "c", "stranger"), 300)
    assert (found.switched, found.late_users) == (3, ("stranger",))


def test_no_evidence_and_nobody() -> None:
    assert switch_over(Ledger(), START_NS, ("a",), 300).late_users == ("a",)
    nobody = switch_over(Ledger(), START_NS, (), 300)
    assert (nobody.clients, nobody.switched, nobody.last_s, nobody.late_users) == (0, 0, None, ())
