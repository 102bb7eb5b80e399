"""The ledger: by due time, in any order of arrival, a row at a time as all at once, and cheap enough to ask each second."""

from __future__ import annotations

import random

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.base.ticks import NS
from harness.model.evidence import EventRow, FlagRow, Outcome, Row, SampleRow, Side, Window, probe_call
from harness.model.scenario import Scenario
from harness.rules.criteria import judge
from harness.rules.ledger import Ledger, lag_ns
from harness.rules.silence import blackout
from harness.rules.summary import summarise
from tests.rules.evidence import (
    START_NS,
    criterion,
    error,
    every_criterion,
    ledger,
    probe,
    probes,
    request,
    requests,
    sessions,
    window,
)
from tests.session.examples import examples

ALL = every_criterion(users=150, pace_s=45)


def mixed(of: Scenario, seed: int) -> list[Row]:
    """Evidence with some of everything bad, from a seed."""
    dice = random.Random(seed)
    rows: list[Row] = [*sessions(of)]
    for row in requests(of):
        lag_ms = dice.choice([0, 0, 0, 80])
        rows.append(
            request(
                (row.due_ns - START_NS) / NS,
                row.user,
                latency_ms=dice.lognormvariate(5.5, 0.5) + lag_ms,
                lag_ms=lag_ms,
                outcome=dice.choices([Outcome.OK, Outcome.TIMEOUT], [40, dice.choice([0, 1, 4])])[0],
                side=dice.choice([Side.API, Side.API, Side.FIRESTORE]),
            )
        )
    broken = dice.choice([0.0, 0.002, 0.02])
    rows += [
        probe(
            (row.due_ns - START_NS) / NS,
            good=dice.random() >= broken,
            latency_ms=dice.uniform(1, 300),
            number=row.probe_id,
        )
        for row in probes(of)
    ]
    return rows + [error(30, "load")] * dice.choice([0, 0, 0, 1])


@given(st.integers(0, 2**32))
@settings(max_examples=examples(25), deadline=None)
def test_the_order_of_arrival_changes_nothing(seed: int) -> None:
    rows = mixed(ALL, seed)
    span = window(ALL)
    expected = judge(ALL, ledger(*rows), span, span.end_ns)
    random.Random(seed).shuffle(rows)
    assert judge(ALL, ledger(*rows), span, span.end_ns) == expected


@given(st.integers(0, 2**32))
@settings(max_examples=examples(40), deadline=None)
def test_a_ledger_that_was_asked_while_it_grew_answers_as_a_new_one(seed: int) -> None:
    rows = mixed(ALL, seed)
    span = window(ALL)
    growing = Ledger()
    for number, row in enumerate(rows):
        growing.add(row)
        if number % 193 == seed % 193:  # at other moments in each example
            now_ns = START_NS + number * 10**8
            assert judge(ALL, growing, span, now_ns) == judge(ALL, ledger(*rows[: number + 1]), span, now_ns)
    assert judge(ALL, growing, span, span.end_ns) == judge(ALL, ledger(*rows), span, span.end_ns)
    for side in Side:
        assert summarise(growing, span, side) == summarise(ledger(*rows), span, side)


def test_rows_of_a_window_by_due_time_half_open() -> None:
    book = ledger(*(probe(at_s) for at_s in (-0.1, 0, 1, 2, 3)), *(request(at_s) for at_s in (0, 1, 2)))
    book.add(request(1, side=Side.FIRESTORE))
    span = Window(start_ns=START_NS, end_ns=START_NS + 2 * NS)
    assert len(book.probe_rows_due(span)) == 2
    assert len(book.requests_due(span, Side.API)) == 2
    assert len(book.requests_due(span, Side.FIRESTORE)) == 1


def test_every_field_is_kept() -> None:
    book = ledger(request(1, "a", latency_ms=30, lag_ms=5, status=503, outcome=Outcome.SERVER_ERROR), request(2, "b"))
    row = book.requests[0]
    assert row["due_ns"] == START_NS + NS
    assert row["sent_ns"] == START_NS + NS + 5_000_000
    assert row["done_ns"] == START_NS + NS + 30_000_000
    assert (row["status"], row["ok"], row["api"], row["user"]) == (503, False, True, book.users["a"])
    assert book.users["a"] != book.users["b"]


def test_answers_are_counted_by_the_pod_that_named_itself() -> None:
    book = ledger(request(-1, pod="a"), request(0, pod="a"), request(1, pod="b"), request(1.1, pod="a"), request(1.2))
    assert book.pods_due(Window(start_ns=START_NS, end_ns=START_NS + 2 * NS)) == {"a": 2, "b": 1}
    assert book.pods_due(Window(start_ns=START_NS - 2 * NS, end_ns=START_NS)) == {"a": 1}
    assert ledger(request(1)).pods_due(Window(start_ns=START_NS, end_ns=START_NS + 2 * NS)) == {}


def test_grows_past_its_first_block() -> None:
    book = Ledger()
    for number in range(5_000):
        book.add(probe(number / 100, number=number))
        if number % 999 == 0:
            assert len(book.probes) == number + 1
    assert list(book.probes["due_ns"]) == [START_NS + number * 10**7 for number in range(5_000)]


def test_what_is_not_the_judges_is_passed_over() -> None:
    book = ledger(
        FlagRow(at_ns=1, user="u", value=True, template_version=1, fetched=True),
        EventRow(at_ns=1, kind="pod", subject="a", message="Ready"),
        SampleRow(at_ns=1, metric="connections", subject="database", value=3),
    )
    assert not book.users
    assert not book.samples
    assert not book.measurement_errors


def test_lag_is_counted_from_when_a_request_could_be_sent() -> None:
    book = ledger(
        request(0, "a", latency_ms=3_000),
        request(1, "a", latency_ms=2_100, lag_ms=2_010),  # waited until 3.000 for its own earlier answer
        request(1, "b", latency_ms=2_100, lag_ms=2_010),
        request(5, "a", lag_ms=0),
        request(6, "a", lag_ms=-1),
    )
    assert list(lag_ns(book.requests) // 1_000_000) == [0, 10, 2_010, 0, 0]
    assert len(lag_ns(Ledger().requests)) == 0


def test_a_blackout_of_no_probes_is_none() -> None:
    assert blackout(Ledger().probes, START_NS, 5) is None


@given(st.lists(st.booleans(), min_size=1, max_size=120))
@settings(max_examples=examples(100), deadline=None)
def test_a_blackout_is_a_run_of_failed_probes(goods: list[bool]) -> None:
    """Probes every 0.5 s: dark from the last good answer (or the start) for five seconds is ten failures on end."""
    book = ledger(*(probe(n / 2, good=good, latency_ms=0, number=n) for n, good in enumerate(goods)))
    found = blackout(book.probes, START_NS, 5)
    expected = None
    last_s = 0.0
    for n, good in enumerate(goods):
        if good:
            last_s = n / 2
        elif n / 2 - last_s >= 5 and expected is None:
            expected = n / 2
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert found.at_ns == START_NS + round(expected * NS)
        assert found.length_s == 5.0
        assert found.failed in (10, 11)  # 11 when the first of all lies at the very start
    shuffled = book.probes[np.random.default_rng(0).permutation(len(goods))]
    assert blackout(shuffled, START_NS, 5) == found


def test_the_criteria_of_all_weeks_are_in_the_property() -> None:
    assert {what.metric for what in ALL.criteria} == {*criterion("success", "availability", ">", 0.9).metric.__class__}


def test_a_row_that_comes_again_counts_once_and_is_no_error() -> None:
    for row in (request(1), probe(1)):
        again = msgspec.structs.replace(row)
        book = ledger(row, row, again, row)
        assert len(book.requests) + len(book.probes) == 1
        assert book.measurement_errors == []


def test_an_answer_from_before_it_was_asked_for_is_an_error_of_its_generator() -> None:
    """A line that was cut and joined with another: nobody knows which of its times is right."""
    for row, generator, call in (
        (request(1), "load", request(1).operation_id),
        (probe(1, number=7), "probes", probe_call(7)),
    ):
        at_once = msgspec.structs.replace(row, done_ns=row.sent_ns)
        assert ledger(row).measurement_errors == ledger(at_once).measurement_errors == []
        before = msgspec.structs.replace(row, done_ns=row.sent_ns - 1)
        told = [
            (each.at_ns, each.kind, each.subject, each.message) for each in ledger(before, before).measurement_errors
        ]
        assert told == [(row.due_ns, "measurement_error", generator, f"{call} was answered before it was sent")]


def test_a_call_that_says_two_things_is_an_error_of_its_generator_at_both_times() -> None:
    later = {"due_ns": START_NS + 3 * NS}
    for row, generator, call in (
        (request(1), "load", request(1).operation_id),
        (probe(1, number=7), "probes", probe_call(7)),
    ):
        book = ledger(row, msgspec.structs.replace(row, **later))
        assert len(book.requests) + len(book.probes) == 1
        told = sorted((each.at_ns, each.kind, each.subject, each.message) for each in book.measurement_errors)
        words = f"{call} is in evidence twice, and not the same"
        assert told == [(START_NS + at_s * NS, "measurement_error", generator, words) for at_s in (1, 3)]
