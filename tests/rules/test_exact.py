"""Rate and concurrency: passed, failed, not offered, no data, and at the boundary."""

from __future__ import annotations

import msgspec
import pytest

from harness.base.ticks import NS
from harness.base.units import Unit
from harness.model.evidence import Outcome, RequestRow, Row, SessionRow, Side
from harness.model.judgement import Verdict
from harness.model.message import worded
from tests.rules.evidence import (
    START_NS,
    SUCCESS_RATE,
    WEEKS,
    criterion,
    due_as,
    judged,
    one,
    request,
    requests,
    scenario,
    sessions,
)

WEEK2 = WEEKS[2]
USERS_250 = criterion("success", "concurrent_users", ">=", 250)
WEEK3 = scenario(USERS_250)


def test_a_rate_that_fails_by_a_hair_is_not_said_as_its_limit() -> None:
    """8,999 good answers where 9,000 are 3/s: "3/s, limit 3/s" was said of the fail."""
    week = scenario(SUCCESS_RATE, users=340, pace_s=100.0, window_s=3000.0)
    result = judged(week, requests(week, failed=1201))["success.request_rate"]
    assert (result.verdict, result.value) == (Verdict.FAIL, 8999 / 3000)
    assert "2.9997/s, limit 3/s" in result.reason
    few = scenario(SUCCESS_RATE, users=150, pace_s=45.46, window_s=3000.0)
    said = judged(few, requests(few), due=due_as(requests(few)))["success.request_rate"].reason
    assert "only 3.2997/s were offered; it is judged when at least 3.3/s are" in said


def test_rate_is_good_answers_in_the_window_over_the_window() -> None:
    result = judged(WEEK2, [*requests(WEEK2)])["success.request_rate"]
    assert result.verdict is Verdict.PASS
    assert result.value == result.bound == 400 / 120
    assert result.samples == 400
    assert result.reason == "400 good answers in 120 s: 3.333/s, limit 3/s"
    assert result.told[0].values["rate"] == worded("3.333/s", Unit.PER_SECOND)


@pytest.mark.parametrize(("failed", "verdict"), [(40, Verdict.PASS), (41, Verdict.FAIL)])
def test_rate_at_exactly_three_per_second(failed: int, verdict: Verdict) -> None:
    result = judged(WEEK2, [*requests(WEEK2, failed=failed)])["success.request_rate"]
    assert result.verdict is verdict
    assert result.value == (400 - failed) / 120


def test_an_answer_counts_when_it_comes() -> None:
    early = [request(-1, "early", latency_ms=1_000)]
    after = [request(119.99, "late", latency_ms=10)]
    middle = requests(WEEK2)
    assert judged(WEEK2, [*middle, *early])["success.request_rate"].samples == 401
    assert judged(WEEK2, [*middle, *after])["success.request_rate"].samples == 400
    firestore = [msgspec.structs.replace(row, side=Side.FIRESTORE) for row in middle]
    assert judged(WEEK2, [*middle, *firestore])["success.request_rate"].samples == 400


@pytest.mark.parametrize(("offered", "verdict"), [(395, Verdict.INCONCLUSIVE), (396, Verdict.PASS)])
def test_rate_is_judged_only_while_enough_is_offered(offered: int, verdict: Verdict) -> None:
    slower = msgspec.structs.replace(WEEK2.population, pace_s=150 * WEEK2.window_s / offered)
    less = msgspec.structs.replace(WEEK2, population=slower)
    result = judged(less, [*requests(less)])["success.request_rate"]
    assert (result.verdict, result.samples) == (verdict, offered)
    if verdict is Verdict.INCONCLUSIVE:
        assert result.reason == (
            "395 good answers in 120 s: 3.292/s, limit 3/s; "
            "only 3.292/s were offered; it is judged when at least 3.3/s are"
        )
        assert result.told[1].values["offered"] == worded("3.292/s", Unit.PER_SECOND)


def test_a_fail_of_the_rate_stands_only_where_what_is_missing_cannot_undo_it() -> None:
    bad = requests(WEEK2, failed=41)
    assert judged(WEEK2, [*bad])["success.request_rate"].verdict is Verdict.FAIL
    kept = [row for row in bad if row.outcome is Outcome.OK]
    without = judged(WEEK2, [*kept])["success.request_rate"]
    assert without.verdict is Verdict.INCONCLUSIVE
    assert without.reason.endswith(
        "void: 41 of the 400 planned are not in evidence, and were they good it would not fail"
    )
    hopeless = requests(WEEK2, failed=300)
    assert judged(WEEK2, [*hopeless[1:]])["success.request_rate"].verdict is Verdict.FAIL


def test_the_document_as_written_offers_exactly_three_per_second() -> None:
    """--pace 50s: the erratum's evidence."""
    as_written = msgspec.structs.replace(WEEK2, population=msgspec.structs.replace(WEEK2.population, pace_s=50.0))
    result = judged(as_written, [*requests(as_written)])["success.request_rate"]
    assert (result.verdict, result.value) == (Verdict.INCONCLUSIVE, 3.0)
    assert "only 3/s were offered" in result.reason


def test_rate_without_data() -> None:
    result = one(SUCCESS_RATE, [])
    assert (result.verdict, result.value) == (Verdict.INCONCLUSIVE, None)


def test_lag_voids_a_fail_of_the_rate() -> None:
    rows = requests(WEEK2)
    late = [
        msgspec.structs.replace(row, sent_ns=START_NS + 121 * NS, done_ns=START_NS + 122 * NS) for row in rows[-60:]
    ]
    result = judged(WEEK2, [*rows[:-60], *late])["success.request_rate"]
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reason.endswith("; void: 60 requests were sent late by the generator")
    just_out = [msgspec.structs.replace(row, done_ns=START_NS + 120 * NS, sent_ns=START_NS + 120 * NS) for row in late]
    assert judged(WEEK2, [*rows[:-60], *just_out])["success.request_rate"].reason == result.reason
    slow = [msgspec.structs.replace(row, done_ns=START_NS + 122 * NS) for row in rows[-60:]]
    assert judged(WEEK2, [*rows[:-60], *slow])["success.request_rate"].verdict is Verdict.FAIL
    # Ten late ones cannot explain fifty missing answers.
    few = [*rows[:-60], *slow[:50], *late[50:]]
    assert judged(WEEK2, [*few])["success.request_rate"].verdict is Verdict.FAIL
    # Nor can late ones that the plan does not hold: good, they would not have counted.
    failed = [msgspec.structs.replace(row, outcome=Outcome.SERVER_ERROR) for row in rows[-60:]]
    again = [msgspec.structs.replace(row, operation_id=f"{row.operation_id}-again-1") for row in late]
    due = due_as(rows)
    assert judged(WEEK2, [*rows[:-60], *failed, *again], due=due)["success.request_rate"].verdict is Verdict.FAIL
    assert judged(WEEK2, [*rows[:-60], *late], due=due)["success.request_rate"].reason == result.reason


# -- concurrency ---------------------------------------------------------------------------------------------------


def broken_for(users: int) -> list[RequestRow]:
    return [
        msgspec.structs.replace(row, outcome=Outcome.SERVER_ERROR) if int(row.user[1:]) < users else row
        for row in requests(WEEK3)
    ]


def test_every_user_served() -> None:
    result = one(USERS_250, [*sessions(WEEK3), *requests(WEEK3)])
    assert (result.verdict, result.value, result.bound, result.samples) == (Verdict.PASS, 250, 250, 250)
    assert result.reason == "250 users had a live session and a good answer in every 120 s, limit 250 users"


def test_one_user_without_a_good_answer_fails_and_is_named() -> None:
    result = one(USERS_250, [*sessions(WEEK3), *broken_for(1)])
    assert (result.verdict, result.value) == (Verdict.FAIL, 249)
    assert result.reason.endswith("without: u0000")
    four = one(USERS_250, [*sessions(WEEK3), *broken_for(4)])
    assert four.reason.endswith("without: u0000, u0001, u0002 and 1 more")
    many = one(USERS_250, [*sessions(WEEK3), *broken_for(7)])
    assert many.reason.endswith("without: u0000, u0001, u0002 and 4 more")


def test_firestore_answers_do_not_serve() -> None:
    rows = [
        msgspec.structs.replace(row, side=Side.FIRESTORE) if row.user == "u0007" else row for row in requests(WEEK3)
    ]
    result = one(USERS_250, [*sessions(WEEK3), *rows])
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reason.endswith("; the load offered only 249 such users")


@pytest.mark.parametrize(
    "changes",
    [
        [],
        [(1, True)],
        [(-5, True), (119.9, False)],
        [(-5, True), (60, False), (60.1, True)],
        [(-5, True), (-1, False)],
        [(0, True), (0, False)],
        [(0, False), (0, True)],
    ],
)
def test_a_session_that_was_not_live_throughout_does_not_count(changes: list[tuple[float, bool]]) -> None:
    others = [row for row in sessions(WEEK3) if isinstance(row, SessionRow) and row.user != "u0003"]
    own = [
        SessionRow(at_ns=START_NS + round(at_s * NS), user="u0003", audience="general", live=live)
        for at_s, live in changes
    ]
    result = one(USERS_250, [*others, *own, *requests(WEEK3)])
    assert (result.verdict, result.value) == (Verdict.INCONCLUSIVE, 249)


@pytest.mark.parametrize("changes", [[(0, True)], [(-9, True), (-8, False), (-7, True)], [(-5, True), (120, False)]])
def test_a_session_live_throughout(changes: list[tuple[float, bool]]) -> None:
    others = [row for row in sessions(WEEK3) if isinstance(row, SessionRow) and row.user != "u0003"]
    own = [
        SessionRow(at_ns=START_NS + round(at_s * NS), user="u0003", audience="general", live=live)
        for at_s, live in changes
    ]
    assert one(USERS_250, [*others, *own, *requests(WEEK3)]).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("answers_s", "served"),
    [
        ([0], False),  # 330 s of window: one answer cannot do
        ([119.999, 239.999], True),
        ([120, 239.999], False),  # [0, 120) is empty
        ([50, 170, 290], True),  # exactly 120 s apart
        ([50, 170.001, 290], False),
        ([100, 209.999], False),  # [210, 330) is empty
        ([100, 210], True),
        ([], False),
    ],
)
def test_a_good_answer_in_every_stretch(answers_s: list[float], served: bool) -> None:
    one_user = criterion("success", "concurrent_users", ">=", 1)
    rows: list[Row] = [SessionRow(at_ns=START_NS, user="u", audience="general", live=True)]
    rows += [request(at_s - 0.01, "u", latency_ms=10) for at_s in answers_s]
    # Requests every 50 s are offered, the others fail.
    rows += [request(at_s, "u", outcome=Outcome.TIMEOUT, latency_ms=10) for at_s in range(5, 330, 50)]
    result = one(one_user, rows, window_s=330.0, due=due_as(rows))
    assert result.value == int(served)
    assert result.verdict is (Verdict.PASS if result.value else Verdict.FAIL)


def test_lag_voids_a_fail_of_the_concurrency() -> None:
    rows = [
        msgspec.structs.replace(row, outcome=Outcome.TIMEOUT, sent_ns=row.due_ns + NS, done_ns=row.due_ns + 2 * NS)
        if row.user == "u0009"
        else row
        for row in requests(WEEK3)
    ]
    result = one(USERS_250, [*sessions(WEEK3), *rows])
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reason.endswith("; void: the generator sent the missing users' requests late")
    # None that the plan holds was late.
    failed = [
        msgspec.structs.replace(row, sent_ns=row.due_ns, done_ns=row.due_ns + NS // 10) if row.user == "u0009" else row
        for row in rows
    ]
    again = [msgspec.structs.replace(row, operation_id=f"{row.operation_id}-again-1") for row in rows]
    result = one(USERS_250, [*sessions(WEEK3), *failed, *again], due=due_as(failed))
    assert result.verdict is Verdict.FAIL


def test_concurrency_without_data() -> None:
    assert one(USERS_250, [*sessions(WEEK3)]).value is None
    assert one(USERS_250, [*requests(WEEK3)]).value is None
    assert one(USERS_250, []).verdict is Verdict.INCONCLUSIVE


def test_a_fail_of_the_concurrency_says_what_made_it_void() -> None:
    lost = [row for row in requests(WEEK3) if row.user != "u0009"]
    answered = [request(1 + number, "u0009", outcome=Outcome.TIMEOUT) for number in range(2)]
    result = one(USERS_250, [*sessions(WEEK3), *lost, *answered], due=due_as(requests(WEEK3)))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reason == (
        "249 users had a live session and a good answer in every 120 s, limit 250 users; "
        "void: 3 of the 600 planned are not in evidence, and were they good it would not fail"
    )


def test_more_than_so_many_users_are_not_reached_by_just_so_many() -> None:
    above = criterion("success", "concurrent_users", ">", 249)
    more = criterion("success", "concurrent_users", ">", 250)
    rows = [*sessions(WEEK3), *broken_for(1)]
    assert one(above, rows).verdict is Verdict.FAIL
    assert one(above, rows[:-1]).verdict is Verdict.INCONCLUSIVE
    assert one(more, rows).verdict is Verdict.INCONCLUSIVE
