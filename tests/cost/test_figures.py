"""Each figure of the costs: verdict, figure and what is due; right, wrong, and at the very edge."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.base.units import Unit
from harness.model.judgement import Judgement, Kind, Verdict
from harness.rehearsals.cost.month.bill import MachineSize
from harness.rehearsals.cost.rehearsal import OF_A_RUN
from harness.rehearsals.cost.types import CostPlan, PodSizes
from tests.cost.made import FACTS, PLAN, changed, of_document, of_run

PASS, FAIL, SHOWN, OPEN, NONE = (
    Verdict.PASS, Verdict.FAIL, Verdict.ERRATUM_SHOWN, Verdict.INCONCLUSIVE, Verdict.NOT_EXERCISED,
)  # fmt: skip
Figures = tuple[Verdict, float | None, float | None]

#: Of the document's own tables.
PRINTED: dict[str, Figures] = {
    "cost.autopilot": (SHOWN, 110.0, 54.12),
    "cost.assumption.billing": (SHOWN, 108.24, 54.12),
    "cost.sidecar_left_out": (SHOWN, 65.21, 54.12),
    "cost.cluster_fee": (SHOWN, 144.6, 0.0),
    "cost.cloud_sql": (SHOWN, 85.0, 161.48),
    "cost.storage": (SHOWN, 10.0, 2.47),
    "cost.logging": (SHOWN, 2.5, 0.0),
    "cost.monitoring": (SHOWN, 0.0, 4.57),
    "cost.load_balancer": (PASS, 18.0, 18.25),
    "cost.total": (SHOWN, 225.5, 262.91),
    "checklist.cost.budget": (SHOWN, 225.5, 262.91),
    "cost.replicas.2": (SHOWN, 188.0, 239.65),
    "cost.replicas.4": (PASS, 258.0, 286.17),
    "cost.replicas.8": (PASS, 398.0, 379.22),
    "cost.replicas.10": (PASS, 468.0, 425.74),
    "stack.monthly_cost": (SHOWN, 150.0, 225.5),
    "strategy.versus.cost": (PASS, 239.65, 332.69),
    "strategy.merit.cost": (PASS, 239.65, 332.69),
    "cost.saving.commitment": (SHOWN, 0.37, 0.2586),
    "cost.saving.budget_alert": (SHOWN, 500.0, 468.0),
    "checklist.cost.alerts": (SHOWN, 4, 2),
    "cost.saving.log_retention": (SHOWN, 0.5, 0.0),
    "cost.savings": (PASS, None, None),
}
#: What stands in the sentences besides, each worked out elsewhere than in a figure.
TOLD = {
    "cost.autopilot": "the unit prices give $54.12 by requests and $108.24 by limits, the document prints $110.00",
    "cost.sidecar_left_out": "asks for 0.6 cores and 0.625 GiB, and 3 of them cost $65.21",
    "cost.cluster_fee": "one cluster costs $0.00 of fees after the free credit, 3 cost $144.60",
    "cost.cloud_sql": "$161.48, and $80.74 without a standby",
    "cost.storage": "leave 63 GB for downloads; they are full after 2,000 walks of 10 photos, 4 for each of 500 users",
    "cost.logging": "without the free part it would be $23.28",
    "cost.monitoring": "make 76.2 million samples a month, which cost $4.57",  # 145 each 15 s
    "cost.total": "34,000 yen are 150.8 yen a dollar; the corrected parts add up to $262.91",
    "strategy.merit.cost": "$196.17 of it are there whatever the pods, and the least pods are $43.47",
    "cost.saving.commitment": "28% off the pods and 25% off the database, 26% of the two together",
    "cost.saving.budget_alert": "a doubled bill is $451.00, the most pods all month $468.00",
    "cost.saving.log_retention": "46.6 GiB cost $0.00 kept for 30 days, and $0.00 less kept for 7",
    "cost.savings": "committed use of the database, one year: 25%: $40.37 a month; one pod less on average: $21.74 a month; "
    "committed use of the pods, one year: 28%: $18.26 a month; logs kept for 7 days: $0.00 a month",
}  # fmt: skip


def figures(judgement: Judgement) -> Figures:
    return judgement.verdict, judgement.value, judgement.limit


def test_the_document_s_tables() -> None:
    found = of_document()
    assert {name: figures(each) for name, each in found.items()} == PRINTED
    assert [name for name, words in TOLD.items() if words not in found[name].reason] == []
    assert {each.part for each in found.values()} == {"document"}
    dollars = {name for name, each in found.items() if each.unit is Unit.DOLLARS}
    assert dollars == {name for name in PRINTED if not name.startswith(("cost.saving", "checklist.cost."))} | {
        "checklist.cost.budget", "cost.saving.budget_alert",
    }  # fmt: skip


def row(total: float) -> CostPlan:
    """The tables with another total in the row of four replicas."""
    rows = tuple(
        msgspec.structs.replace(each, total_usd=total) if each.replicas == 4 else each for each in PLAN.tables.replicas
    )
    return changed(replicas=rows)


def dear(saved: float) -> CostPlan:
    """At 60 cents a GiB for each month that logs are kept, of which ``saved`` are said to be saved by keeping them for a
    week."""
    return changed(prices__logging__included_s=0.0, prices__logging__kept_gib_usd=0.6, savings__logs_saved=saved)


_ADDS_UP = changed(printed__cloud_sql_usd=120.0, printed__total_usd=260.5)
_SMALL: dict[str, Any] = {"quantities__storage_gb": 5.0, "printed__storage_usd": 0.0}


@pytest.mark.parametrize(
    ("claim", "plan", "verdict", "value", "due"),
    [
        # An estimate is as good as what is due within a tenth of it: 54.12 up to 59.52, and 225.50 down to 202.95.
        ("cost.autopilot", changed(printed__autopilot_usd=54.0), PASS, 54.0, 54.12),
        ("cost.autopilot", changed(printed__autopilot_usd=59.52), PASS, 59.52, 54.12),
        ("cost.autopilot", changed(printed__autopilot_usd=59.54), FAIL, 59.54, 54.12),
        ("cost.autopilot", changed(printed__autopilot_usd=75.0), FAIL, 75.0, 54.12),
        ("cost.autopilot", changed(printed__autopilot_usd=97.4), FAIL, 97.4, 54.12),  # a tenth below 108.23: 97.41
        ("cost.autopilot", changed(printed__autopilot_usd=97.5), SHOWN, 97.5, 54.12),
        # Near enough to what is due it is kept, whatever else it is near to.
        ("cost.autopilot", changed(tolerance=0.5, printed__autopilot_usd=80.0), PASS, 80.0, 54.12),
        ("cost.cloud_sql", changed(printed__cloud_sql_usd=161.0), PASS, 161.0, 161.48),
        ("cost.cloud_sql", changed(printed__cloud_sql_usd=120.0), FAIL, 120.0, 161.48),
        ("cost.load_balancer", changed(printed__load_balancer_usd=25.0), FAIL, 25.0, 18.25),
        ("cost.cluster_fee", changed(supposed__clusters=2), SHOWN, 71.6, 0.0),  # two of $73 less one credit of $74.40
        ("cost.cluster_fee", changed(prices__cluster__credit_usd=218.5), SHOWN, 0.5, 0.0),  # any fee at all
        ("cost.cluster_fee", changed(supposed__clusters=1), NONE, None, None),
        ("cost.cluster_fee", changed(prices__cluster__credit_usd=300.0), NONE, None, None),
        # So many walks as the users make are room enough; what is kept may cost all that is printed, and not more.
        ("cost.storage", changed(supposed__walks_a_user=4), PASS, 10.0, 2.47),
        ("cost.storage", changed(supposed__walks_a_user=5), SHOWN, 10.0, 2.47),
        ("cost.storage", changed(printed__storage_usd=2.0), FAIL, 2.0, 2.47),
        ("cost.storage", changed(**_SMALL), SHOWN, 0.0, 0.0),
        ("cost.storage", changed(**_SMALL, supposed__photo_bytes=10_000), PASS, 0.0, 0.0),
        ("cost.logging", changed(printed__logging_usd=0.0), PASS, 0.0, 0.0),
        ("cost.logging", changed(printed__logging_usd=23.0), FAIL, 23.0, 0.0),  # as if none were free
        ("cost.logging", changed(printed__logging_usd=70.0), FAIL, 70.0, 0.0),
        # 74.5 GiB, of which 50 are free
        ("cost.logging", changed(quantities__log_gb=80.0, printed__logging_usd=12.0), PASS, 12.0, 12.25),
        ("cost.monitoring", changed(printed__monitoring_usd=4.6), PASS, 4.6, 4.57),
        ("cost.monitoring", changed(printed__monitoring_usd=9.0), FAIL, 9.0, 4.57),
        ("cost.total", changed(printed__storage_usd=11.0), FAIL, 225.5, 226.5),
        *(
            case
            for claim in ("cost.total", "checklist.cost.budget")
            for case in (
                (claim, changed(printed__total_usd=226.0), FAIL, 226.0, 225.5),
                (claim, _ADDS_UP, PASS, 260.5, 262.91),
            )
        ),
        ("cost.replicas.4", row(234.4), FAIL, 234.4, 260.5),  # below a tenth less
        ("cost.replicas.4", row(234.5), SHOWN, 234.5, 286.17),
        ("cost.replicas.4", row(286.5), PASS, 286.5, 286.17),
        ("cost.replicas.4", row(286.6), FAIL, 286.6, 260.5),  # as the corrected parts have it, and not its own
        ("cost.replicas.4", changed(printed__monitoring_usd=30.0), FAIL, 258.0, 290.5),  # a part like the others
        ("stack.monthly_cost", changed(comparison_usd=203.0), PASS, 203.0, 225.5),
        ("stack.monthly_cost", changed(comparison_usd=202.9), SHOWN, 202.9, 225.5),
        ("stack.monthly_cost", changed(comparison_usd=300.0), FAIL, 300.0, 225.5),
        ("strategy.versus.cost", changed(supposed__services=1), FAIL, 239.65, 239.65),
        ("strategy.merit.cost", changed(supposed__services=1), FAIL, 239.65, 239.65),  # as many pods are no saving
        ("cost.saving.commitment", changed(savings__commitment=0.26), PASS, 0.26, 0.2586),
        ("cost.saving.commitment", changed(savings__commitment=0.1), FAIL, 0.1, 0.2586),
        # An alert that a bill just reaches is given.
        ("cost.saving.budget_alert", changed(savings__budget_alert_usd=468.0), PASS, 468.0, 468.0),
        ("checklist.cost.alerts", changed(savings__budget_alert_phase=2), PASS, 2, 2),
        ("cost.saving.log_retention", dear(0.77), PASS, 0.77, 0.7667),  # 23 of 30 days
        ("cost.saving.log_retention", dear(0.5), FAIL, 0.5, 0.7667),
    ],
)
def test_other_tables(claim: str, plan: CostPlan, verdict: Verdict, value: float | None, due: float | None) -> None:
    found = of_document(plan)[claim]
    assert (figures(found), bool(found.erratum)) == ((verdict, value, due), verdict is SHOWN)
    assert found.holds is (verdict is FAIL)


def test_a_pod_that_asks_for_what_it_may_use_is_billed_by_either_and_has_no_sidecar() -> None:
    half = MachineSize(cores=0.5, gib=0.5)
    found = of_document(pod=PodSizes(requested=half, api_limits=half))
    assert figures(found["cost.assumption.billing"]) == (PASS, 54.12, 54.12)
    assert figures(found["cost.autopilot"]) == (FAIL, 110.0, 54.12), "twice the price, and no limits to explain it"
    assert found["cost.sidecar_left_out"].verdict is NONE


# -- by a run --------------------------------------------------------------------------------------------------------

PODS, LOGGING, SIZE, BILL, STORED = (
    "cost.autopilot", "cost.logging", "cost.assumption.database_size", "cost.of_the_run", "cost.stored_bytes",
)  # fmt: skip
_UNSAID = "the run that was read does not say "
#: 2,100 bytes a request are 51.4 GiB a month, of which 50 are free.
_CHATTY: dict[str, Any] = {"log_bytes": 3300 * 2100}
#: Logs whose price includes no time: a cent a GiB and month.
_DEAR = changed(prices__logging__included_s=0.0)
#: Twice the GiB a walk that fit on the disk of 10 GiB: 15,000 of 1 MiB and a half.
_LARGE = {"database_bytes": 330 * 3 * 2**19, "photo_bytes": 400 * 2**20}


@pytest.mark.parametrize(
    ("fields", "claim", "verdict", "value", "limit", "told"),
    [
        ({}, PODS, PASS, 2.5, 3.0, "with 500 users there were 2.50 pods on average in 330 s, supposed are 3; with their "
         "sidecars they cost $54.34 a month"),
        ({"pods": 3.0}, PODS, PASS, 3.0, 3.0, "$65.21"),
        ({"pods": 3.0004}, PODS, FAIL, 3.0004, 3.0, "$65.22"),
        ({"pods": 2.0625, "users": 7}, PODS, OPEN, 2.0625, 3.0, "of 7 users, and 500 are supposed"),
        ({"pods": 3.2, "users": 499}, PODS, FAIL, 3.2, 3.0, "3.20 pods"),
        ({"pods": 0.0}, PODS, OPEN, None, None, _UNSAID + "how many pods there were"),
        ({"pods": None}, PODS, OPEN, None, None, _UNSAID + "how many pods there were"),
        ({}, LOGGING, PASS, 9.790063, 46.566129, "400 bytes are logged a request (3,300 requests); 10 requests a second "
         "all month are 9.8 GiB, which cost $0.00"),
        (_CHATTY, LOGGING, FAIL, 51.397830, 46.566129, "kept for 30 days they cost $0.70, for 7 days $0.70"),
        ({"users": 499}, LOGGING, OPEN, 9.790063, 46.566129, "of 499 users"),
        ({"log_bytes": None}, LOGGING, OPEN, None, None, _UNSAID + "how much its pods logged"),
        ({}, SIZE, SHOWN, 20.0, 500.0, "with 500 users the database had 20 connections"),
        ({"connections": 499}, SIZE, SHOWN, 499.0, 500.0, "of at most 100"),
        ({"connections": 500}, SIZE, PASS, 500.0, 500.0, ""),
        ({"users": 499, "max_connections": None}, SIZE, OPEN, 20.0, 499.0, "of 499 users"),
        ({"connections": None}, SIZE, OPEN, None, None, _UNSAID + "how many connections the database had"),
        ({"connections": 0}, SIZE, OPEN, None, None, _UNSAID + "how many connections the database had"),
        ({}, BILL, PASS, None, None, "a month costs $248.81, the document's estimate is $225.50; 20 connections"),
        ({"pods": 3.2, "connections": 30}, BILL, PASS, None, None, "a month costs $265.09"),
        ({}, STORED, PASS, None, None, "the database held 4.8 MiB, Storage 0.2 MiB; of a walk that was kept: 10.0 "
         "requests, 15,152 bytes in the database, 500 of photos; the bill has 15,000 such walks a month: 10 GiB of disk, "
         "0.0075 GB of photos, 0.0559 GiB of logs"),
        ({"photo_bytes": None}, STORED, PASS, None, None, "15,152 bytes in the database, ? of photos"),
        ({"database_bytes": None}, STORED, PASS, None, None, "? bytes in the database, 500 of photos"),
        (_LARGE, STORED, PASS, None, None, "22 GiB of disk, 15.7 GB of photos"),
        ({"kept_walks": 0}, STORED, PASS, None, None, "400 walks were created"),
    ],
)  # fmt: skip
def test_a_run(
    fields: dict[str, Any], claim: str, verdict: Verdict, value: float | None, limit: float | None, told: str
) -> None:
    each = of_run(**fields)[claim]
    assert each.verdict is verdict and told in each.reason, each.reason
    assert each.value == pytest.approx(value) and each.limit == pytest.approx(limit)
    assert each.erratum == ("cost.users_are_not_connections" if verdict is SHOWN else "")
    observed = claim in {BILL, STORED}  # what a team decides by, and no verdict
    assert (each.kind is Kind.OBSERVATION, each.claims) == (observed, () if observed else (claim,))


def test_of_logs_that_are_kept_for_a_price_a_week_costs_less_than_a_month() -> None:
    assert (
        "for 30 days they cost $1.21, for 7 days $0.82" in of_run(_DEAR, **_CHATTY)[LOGGING].reason
    )  # 51 cents, and 12


def test_logs_that_come_to_what_is_supposed_are_no_more_than_that() -> None:
    """A thousand bytes a request, ten a second, 730 hours: 26.28 GB."""
    each = of_run(changed(quantities__log_gb=26.28), log_bytes=3300 * 1000)[LOGGING]
    assert each.verdict is PASS
    assert each.value == each.limit == pytest.approx(24.475157)


def test_of_stores_that_the_run_did_not_keep_nothing_is_said() -> None:
    assert set(of_run(database_bytes=None, photo_bytes=None)) == {PODS, LOGGING, SIZE, BILL}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"rung": "sim", "target": "another"}, "is simulated: no evidence for a sign-off"),  # the first of two
        ({"target": "another"}, "is of another target, program or image: another "),
        ({"target_digest": "sha256:0123456789abcdef"}, "another target, program or image: bundled sha256:0123456789ab"),
        ({"broke": True}, "broke, was killed, lacks evidence, or was less than a whole plan"),
        ({"injected": True}, "injected faults: what failed before the pods cost them nothing"),
        ({"failed": 33}, "33 of 3,300 requests failed: it is not known what they cost well answered"),
        ({"started_utc": "2025-12-20T00:00:00Z"}, "is 12.0 days old, and at most 7 count"),
        ({"started_utc": "2025-12-24T23:59:59Z"}, "is 7.0 days old, and at most 7 count"),
        ({"started_utc": "2999-01-01T00:00:00Z"}, "began later than this one: 2999-01-01T00:00:00Z"),
        ({"requests": 99}, "made 99 requests to the API"),
    ],
)
def test_a_run_that_is_no_evidence_judges_nothing(fields: dict[str, Any], why: str) -> None:
    found = of_run(**fields)
    assert {name: (each.verdict, each.gates) for name, each in found.items()} == dict.fromkeys(OF_A_RUN, (NONE, False))
    assert all(each.reason.endswith(why) for each in found.values())


@pytest.mark.parametrize(
    "fields",
    [{"started_utc": "2025-12-25T00:00:00Z"}, {"started_utc": FACTS.started_utc}, {"requests": 100}, {"failed": 32}],
)
def test_a_run_of_seven_days_one_of_this_moment_and_one_of_a_hundred_requests_are_evidence(
    fields: dict[str, Any],
) -> None:
    assert of_run(**fields)[PODS].verdict is PASS


def test_without_a_run_it_is_said_which_is_looked_for() -> None:
    why = "no stored run of rollout_week4 lies in the reports folder: run it, or name another by --of"
    assert {name: each.reason for name, each in of_run(run=None).items()} == dict.fromkeys(OF_A_RUN, why)
