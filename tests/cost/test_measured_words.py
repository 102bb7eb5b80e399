"""Each finding of a measured run to the word: verdict, figure, limit and reason; enough, too much, and not told."""

from __future__ import annotations

from typing import Any

import pytest

from harness.base.units import Unit
from harness.model.judgement import Kind
from harness.model.verdict import Verdict
from harness.rehearsals.cost.judge_measured import CLAIMS, judged
from harness.rehearsals.cost.types import Measured
from tests.cost.made import FACTS, PLAN, POD, changed, of_run

PASS, FAIL, SHOWN, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.ERRATUM_SHOWN, Verdict.INCONCLUSIVE
PODS, LOGGING, SIZE, BILL, STORED = (
    "cost.autopilot", "cost.logging", "cost.assumption.database_size", "cost.of_the_run", "cost.stored_bytes",
)  # fmt: skip

_PODS = (
    "with 500 users there were {} pods on average in 330 s, supposed are 3; with their sidecars they cost {} a month"
)
_LOGGED = (
    "{} bytes are logged a request (3,300 requests); 10 requests a second all month are {} GiB, which cost {}; supposed "
    "are 46.6 GiB"
)
_KEPT = "; kept for 30 days they cost {}, for 7 days {}"
_HELD = "with {} users the database had {} connections when the load had ended, of at most {}"
_BILL = "by the run's pods, logs and stores a month costs {}, the document's estimate is $225.50; {} connections were in use when the load had ended"
_WALKS = "400 walks were created; the database held {}, Storage {}"
_EACH = (
    "; of a walk that was kept: 10.0 requests, {} bytes in the database, {} of photos; the bill has 15,000 such walks a "
    "month: {} GiB of disk, {} GB of photos, 0.0559 GiB of logs"
)
_FEWER = "; of {} users, and 500 are supposed"
_LACKS = "the run that was read does not say {}"
#: 2,100 bytes a request are 51.4 GiB a month, of which 50 are free.
_CHATTY = {"log_bytes": 3300 * 2100}
#: Logs whose price includes no time: a cent a GiB and month.
_DEAR = changed(prices__logging__included_s=0.0)
#: Twice the GiB a walk that fit on the disk of 10 GiB: 15,000 of 1 MiB and a half.
_LARGE = {"database_bytes": 330 * 3 * 2**19, "photo_bytes": 400 * 2**20}


@pytest.mark.parametrize(
    ("fields", "claim", "verdict", "value", "limit", "told"),
    [
        ({}, PODS, PASS, 2.5, 3.0, _PODS.format("2.50", "$54.34")),
        ({"pods": 3.0}, PODS, PASS, 3.0, 3.0, _PODS.format("3.00", "$65.21")),
        ({"pods": 3.0004}, PODS, FAIL, 3.0004, 3.0, _PODS.format("3.00", "$65.22")),
        ({"pods": 3.2}, PODS, FAIL, 3.2, 3.0, _PODS.format("3.20", "$69.56")),
        ({"pods": 2.0625, "users": 7, "seconds": 12.6}, PODS, UNKNOWN, 2.0625, 3.0,
         "with 7 users there were 2.06 pods on average in 13 s, supposed are 3; with their sidecars they cost $44.83 a month"
         + _FEWER.format(7)),
        ({"pods": 3.2, "users": 499}, PODS, FAIL, 3.2, 3.0, _PODS.format("3.20", "$69.56").replace("500", "499")),
        ({"pods": 0.0}, PODS, UNKNOWN, None, None, _LACKS.format("how many pods there were")),
        ({"pods": None}, PODS, UNKNOWN, None, None, _LACKS.format("how many pods there were")),
        ({}, LOGGING, PASS, 9.790063, 46.566129, _LOGGED.format(400, 9.8, "$0.00") + _KEPT.format("$0.00", "$0.00")),
        (_CHATTY, LOGGING, FAIL, 51.397830, 46.566129, _LOGGED.format(2100, 51.4, "$0.70") + _KEPT.format("$0.70", "$0.70")),
        ({"users": 499}, LOGGING, UNKNOWN, 9.790063, 46.566129,
         _LOGGED.format(400, 9.8, "$0.00") + _KEPT.format("$0.00", "$0.00") + _FEWER.format(499)),
        ({"log_bytes": None}, LOGGING, UNKNOWN, None, None, _LACKS.format("how much its pods logged")),
        ({}, SIZE, SHOWN, 20.0, 500.0, _HELD.format(500, 20, 100)),
        ({"connections": 499}, SIZE, SHOWN, 499.0, 500.0, _HELD.format(500, 499, 100)),
        ({"connections": 500}, SIZE, PASS, 500.0, 500.0, _HELD.format(500, 500, 100)),
        ({"users": 499, "max_connections": None}, SIZE, UNKNOWN, 20.0, 499.0, _HELD.format(499, 20, "?")),
        ({"connections": None}, SIZE, UNKNOWN, None, None, _LACKS.format("how many connections the database had")),
        ({"connections": 0}, SIZE, UNKNOWN, None, None, _LACKS.format("how many connections the database had")),
        ({}, BILL, PASS, None, None, _BILL.format("$248.81", 20)),
        ({"pods": 3.2, "connections": 30}, BILL, PASS, None, None, _BILL.format("$265.09", 30)),
        ({}, STORED, PASS, None, None,
         _WALKS.format("4.8 MiB", "0.2 MiB") + _EACH.format("15,152", "500", "10", "0.0075")),
        ({"photo_bytes": None}, STORED, PASS, None, None,
         _WALKS.format("4.8 MiB", "?") + _EACH.format("15,152", "?", "10", "100")),
        ({"database_bytes": None}, STORED, PASS, None, None,
         _WALKS.format("?", "0.2 MiB") + _EACH.format("?", "500", "10", "0.0075")),
        (_LARGE, STORED, PASS, None, None,
         _WALKS.format("495.0 MiB", "400.0 MiB") + _EACH.format("1,572,864", "1,048,576", "22", "15.7")),
        ({"kept_walks": 0}, STORED, PASS, None, None, _WALKS.format("4.8 MiB", "0.2 MiB")),
    ],
)  # fmt: skip
def test_what_is_said_of_a_run(
    fields: dict[str, Any], claim: str, verdict: Verdict, value: float | None, limit: float | None, told: str
) -> None:
    each = of_run(**fields)[claim]
    assert (each.verdict, each.reason) == (verdict, told)
    assert each.value == pytest.approx(value) and each.limit == pytest.approx(limit)
    assert each.erratum == ("cost.users_are_not_connections" if verdict is SHOWN else "")
    of_users = claim == SIZE and value is not None
    assert each.samples == (fields.get("users", 500) if of_users else 0)
    assert (each.id, each.part, each.unit) == (claim, "measured", Unit.NONE)
    observed = claim in {BILL, STORED}  # what a team decides by, and no verdict
    assert (each.kind is Kind.OBSERVATION, each.claims) == (observed, () if observed else (claim,))


def test_of_logs_that_are_kept_for_a_price_a_week_costs_less_than_a_month() -> None:
    each = of_run(_DEAR, **_CHATTY)[LOGGING]
    assert each.reason == _LOGGED.format(2100, 51.4, "$0.70") + _KEPT.format("$1.21", "$0.82")  # 51 cents, and 12


def test_logs_that_come_to_what_is_supposed_are_no_more_than_that() -> None:
    """A thousand bytes a request, ten a second, 730 hours: 26.28 GB."""
    each = of_run(changed(quantities__log_gb=26.28), log_bytes=3300 * 1000)[LOGGING]
    assert each.verdict is PASS
    assert each.value == each.limit == pytest.approx(24.475157)


def test_of_stores_that_the_run_did_not_keep_nothing_is_said() -> None:
    assert set(of_run(database_bytes=None, photo_bytes=None)) == {PODS, LOGGING, SIZE, BILL}


_READ = "the run that was read "


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"rung": "sim", "target": "another"}, _READ + "is simulated: no evidence for a sign-off"),  # the first of two
        ({"target": "another"}, _READ + "is of another target, program or image: another "),
        (
            {"target_digest": "sha256:0123456789abcdef"},
            _READ + "is of another target, program or image: bundled sha256:0123456789ab",
        ),
        ({"broke": True}, _READ + "broke, was killed, lacks evidence, or was less than a whole plan"),
        ({"injected": True}, _READ + "injected faults: what failed before the pods cost them nothing"),
        (
            {"failed": 33},
            "in the run that was read 33 of 3,300 requests failed: it is not known what they cost well answered",
        ),
        ({"started_utc": "2025-12-20T00:00:00Z"}, _READ + "is 12.0 days old, and at most 7 count"),
        ({"started_utc": "2025-12-24T23:59:59Z"}, _READ + "is 7.0 days old, and at most 7 count"),
        ({"started_utc": "2999-01-01T00:00:00Z"}, _READ + "began later than this one: 2999-01-01T00:00:00Z"),
        ({"requests": 99}, _READ + "made 99 requests to the API"),
    ],
)
def test_a_run_that_is_no_evidence_judges_nothing(fields: dict[str, Any], why: str) -> None:
    of = of_run(**fields)
    assert {name: (each.verdict, each.reason, each.gates, each.part) for name, each in of.items()} == dict.fromkeys(
        CLAIMS, (Verdict.NOT_EXERCISED, why, False, "measured")
    )


@pytest.mark.parametrize(
    "fields",
    [{"started_utc": "2025-12-25T00:00:00Z"}, {"started_utc": FACTS.started_utc}, {"requests": 100}, {"failed": 32}],
)
def test_a_run_of_seven_days_one_of_this_moment_and_one_of_a_hundred_requests_are_evidence(
    fields: dict[str, Any],
) -> None:
    assert of_run(**fields)[PODS].verdict is PASS


def test_without_a_run_it_is_said_which_is_looked_for() -> None:
    none: Measured | None = None
    why = "no stored run of rollout_week4 lies in the reports folder: run it, or name another by --of"
    assert [(each.id, each.reason) for each in judged(PLAN, POD, none, FACTS)] == [(claim, why) for claim in CLAIMS]
