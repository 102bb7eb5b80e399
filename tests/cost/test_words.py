"""Each printed figure to the word: verdict, figure, what is due, and reason; right, wrong, and at the very edge."""

from __future__ import annotations

import msgspec
import pytest

from harness.base.units import Unit
from harness.model.judgement import Judgement
from harness.model.verdict import Verdict
from harness.rehearsals.cost.judge import judged
from harness.rehearsals.cost.month.bill import Size
from harness.rehearsals.cost.types import CostPlan, PodSizes
from tests.cost.made import PLAN, POD, changed, of_document
from tests.rehearsal.made import by_id

PASS, FAIL, SHOWN = Verdict.PASS, Verdict.FAIL, Verdict.ERRATUM_SHOWN
Words = tuple[Verdict, float | None, float | None, str]

_PRICED = "the unit prices give {}, the document prints {}"
_INSTEAD = "; {} is what the erratum says is printed instead"
_STORED = "{} leave {} GB for downloads; they are full after {} walks of 10 photos, {} for each of 500 users"
_LOGGED = _PRICED + "; without the free part it would be {}"
_SAMPLES = (
    "the API's own metrics make 76.2 million samples a month, which cost $4.57; the document prints {}"  # 145 each 15 s
)
_ADDED = "the printed parts add up to {}, printed is {}; 34,000 yen are {} yen a dollar"
_ROW = "${}.00 for the pods, $85.00 for the database and $30.50 of the estimate's other parts are {}, printed is {}"
_COMPARED = "the comparison says {}, the estimate $225.50: the same cluster"
_SPLIT = "one application of 2 pods costs $239.65, {} services of 2 pods each {}, at one database and one load balancer"
_STANDING = "$196.17 of it are there whatever the pods, and the least pods are $43.47; "
_CORRECTED = "; the corrected parts add up to $262.91"
_COMMITTED = (
    "a year's commitment takes 28% off the pods and 25% off the database, 26% of the two together; the document says {}"
)
_ALERT = "the alert is at {}; a doubled bill is $451.00, the most pods all month $468.00"
_PHASES = "the alert is there from phase {} in the chapter on costs, from phase {} in the checklist"
_KEPT = "46.6 GiB cost {} kept for 30 days, and {} less kept for 7: the price is for taking them in, and {} days are included"
_SAVINGS = "committed use of the database, one year: 25%: $40.37 a month; one pod less on average: $21.74 a month; "
_BY_PODS = "committed use of the pods, one year: 28%: $18.26 a month"

#: Of the document's own tables.
PRINTED: dict[str, Words] = {
    "cost.autopilot": (SHOWN, 110.0, 54.12, (_PRICED + _INSTEAD).format("$54.12", "$110.00", "$108.24")),
    "cost.assumption.billing": (
        SHOWN, 108.24, 54.12, "by requests $54.12, by limits $108.24: Autopilot bills requests",
    ),
    "cost.sidecar_left_out": (
        SHOWN, 65.21, 54.12,
        "with its sidecar a pod asks for 0.6 cores and 0.625 GiB, and 3 of them cost $65.21; the container that is priced "
        "alone $54.12",
    ),
    "cost.cluster_fee": (
        SHOWN, 144.6, None,
        "one cluster costs $0.00 of fees after the free credit, 3 cost $144.60; the table has none",
    ),
    "cost.cloud_sql": (SHOWN, 85.0, 161.48, (_PRICED + _INSTEAD).format("$161.48", "$85.00", "$80.74")),
    "cost.storage": (SHOWN, 10.0, 2.47, "100 GB cost $2.47; the printed " + _STORED.format("$10.00", 63, "2,000", 4)),
    "cost.logging": (SHOWN, 2.5, 0.0, _LOGGED.format("$0.00", "$2.50", "$23.28")),
    "cost.monitoring": (SHOWN, 0.0, 4.57, _SAMPLES.format("$0.00")),
    "cost.load_balancer": (PASS, 18.0, 18.25, _PRICED.format("$18.25", "$18.00")),
    "cost.total": (SHOWN, 225.5, 262.91, _ADDED.format("$225.50", "$225.50", 150.8) + _CORRECTED),
    "checklist.cost.budget": (SHOWN, 225.5, 262.91, _ADDED.format("$225.50", "$225.50", 150.8) + _CORRECTED),
    **{
        f"cost.replicas.{count}": (
            verdict, total, due,
            _ROW.format(pods, f"${total + 2.5:.2f}", f"${total:.2f}") + f"; the corrected parts add up to ${due}",
        )
        for count, pods, total, due, verdict in (
            (2, 75, 188.0, 239.65, SHOWN), (4, 145, 258.0, 286.17, PASS),
            (8, 285, 398.0, 379.22, PASS), (10, 355, 468.0, 425.74, PASS),
        )
    },
    "stack.monthly_cost": (SHOWN, 150.0, 225.5, _COMPARED.format("$150.00")),
    "strategy.versus.cost": (PASS, 239.65, 332.69, _SPLIT.format(3, "$332.69")),
    "strategy.merit.cost": (PASS, 239.65, 332.69, _STANDING + _SPLIT.format(3, "$332.69")),
    "cost.saving.commitment": (SHOWN, 0.37, 0.2586, _COMMITTED.format("37%")),
    "cost.saving.budget_alert": (SHOWN, 500.0, 468.0, _ALERT.format("$500.00")),
    "checklist.cost.alerts": (SHOWN, None, None, _PHASES.format(4, 2)),
    "cost.saving.log_retention": (SHOWN, 0.5, 0.0, _KEPT.format("$0.00", "$0.00", 30)),
    "cost.savings": (PASS, None, None, f"{_SAVINGS}{_BY_PODS}; logs kept for 7 days: $0.00 a month"),
}  # fmt: skip


def words(judgement: Judgement) -> Words:
    """All that is said of a figure, which is one of the document and in dollars."""
    assert judgement.part == "document"
    return judgement.verdict, judgement.value, judgement.limit, judgement.reason


def test_what_is_said_of_the_document_s_tables() -> None:
    found = of_document()
    assert {name: words(each) for name, each in found.items()} == PRINTED
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
    return changed(
        prices__logging__included_s=0.0, prices__logging__kept_gib_usd=0.6, savings__logs_saved=saved
    )  # fmt: skip


_ADDS_UP = changed(printed__cloud_sql_usd=120.0, printed__total_usd=260.5)


@pytest.mark.parametrize(
    ("claim", "plan", "verdict", "value", "due", "told"),
    [
        # An estimate is as good as what is due within a tenth of it: 54.12 up to 59.52, and 225.50 down to 202.95.
        ("cost.autopilot", changed(printed__autopilot_usd=54.0), PASS, 54.0, 54.12, _PRICED.format("$54.12", "$54.00")),
        ("cost.autopilot", changed(printed__autopilot_usd=59.52), PASS, 59.52, 54.12, ""),
        ("cost.autopilot", changed(printed__autopilot_usd=59.54), FAIL, 59.54, 54.12, ""),
        ("cost.autopilot", changed(printed__autopilot_usd=75.0), FAIL, 75.0, 54.12, _PRICED.format("$54.12", "$75.00")),
        ("cost.autopilot", changed(printed__autopilot_usd=97.4), FAIL, 97.4, 54.12, ""),  # a tenth below 108.23: 97.41
        ("cost.autopilot", changed(printed__autopilot_usd=97.5), SHOWN, 97.5, 54.12, ""),
        # Near enough to what is due it is kept, whatever else it is near to.
        ("cost.autopilot", changed(tolerance=0.5, printed__autopilot_usd=80.0), PASS, 80.0, 54.12, ""),
        ("cost.cloud_sql", changed(printed__cloud_sql_usd=161.0), PASS, 161.0, 161.48, ""),
        ("cost.cloud_sql", changed(printed__cloud_sql_usd=120.0), FAIL, 120.0, 161.48, ""),
        ("cost.load_balancer", changed(printed__load_balancer_usd=25.0), FAIL, 25.0, 18.25, ""),
        (
            "cost.cluster_fee", changed(supposed__clusters=2), SHOWN, 71.6, None,  # two of $73 less one credit of $74.40
            "one cluster costs $0.00 of fees after the free credit, 2 cost $71.60; the table has none",
        ),
        ("cost.cluster_fee", changed(prices__cluster__credit_usd=218.5), SHOWN, 0.5, None, ""),  # any fee at all
        # So many walks as the users make are room enough; what is kept may cost all that is printed, and not more.
        ("cost.storage", changed(supposed__walks_a_user=4), PASS, 10.0, 2.47, PRINTED["cost.storage"][3]),
        ("cost.storage", changed(supposed__walks_a_user=5), SHOWN, 10.0, 2.47, ""),
        (
            "cost.storage", changed(printed__storage_usd=2.0), FAIL, 2.0, 2.47,
            "100 GB cost $2.47; the printed " + _STORED.format("$2.00", 0, "2,000", 4),
        ),
        (
            "cost.storage", changed(quantities__storage_gb=5.0, printed__storage_usd=0.0), SHOWN, 0.0, 0.0,
            "5 GB cost $0.00; the printed " + _STORED.format("$0.00", 0, "100", 0.2),
        ),
        (
            "cost.storage", changed(quantities__storage_gb=5.0, printed__storage_usd=0.0, supposed__photo_bytes=10_000),
            PASS, 0.0, 0.0, "5 GB cost $0.00; the printed " + _STORED.format("$0.00", 0, "50,000", 100),
        ),
        ("cost.logging", changed(printed__logging_usd=0.0), PASS, 0.0, 0.0, _LOGGED.format("$0.00", "$0.00", "$23.28")),
        ("cost.logging", changed(printed__logging_usd=23.0), FAIL, 23.0, 0.0, ""),  # as if none were free
        ("cost.logging", changed(printed__logging_usd=70.0), FAIL, 70.0, 0.0, _LOGGED.format("$0.00", "$70.00", "$23.28")),
        (
            "cost.logging", changed(quantities__log_gb=80.0, printed__logging_usd=12.0), PASS, 12.0, 12.25,
            _LOGGED.format("$12.25", "$12.00", "$37.25"),  # 74.5 GiB, of which 50 are free
        ),
        ("cost.monitoring", changed(printed__monitoring_usd=4.6), PASS, 4.6, 4.57, _SAMPLES.format("$4.60")),
        ("cost.monitoring", changed(printed__monitoring_usd=9.0), FAIL, 9.0, 4.57, _SAMPLES.format("$9.00")),
        ("cost.total", changed(printed__storage_usd=11.0), FAIL, 225.5, 226.5, ""),
        *(
            case for claim in ("cost.total", "checklist.cost.budget") for case in (
                (claim, changed(printed__total_usd=226.0), FAIL, 226.0, 225.5, _ADDED.format("$225.50", "$226.00", 150.4)),
                (claim, _ADDS_UP, PASS, 260.5, 262.91, _ADDED.format("$260.50", "$260.50", 130.5) + _CORRECTED),
            )
        ),
        ("cost.replicas.4", row(234.4), FAIL, 234.4, 260.5, _ROW.format(145, "$260.50", "$234.40")),  # below a tenth less
        ("cost.replicas.4", row(234.5), SHOWN, 234.5, 286.17, ""),
        ("cost.replicas.4", row(286.5), PASS, 286.5, 286.17, ""),
        ("cost.replicas.4", row(286.6), FAIL, 286.6, 260.5, ""),  # as the corrected parts have it, and not its own
        ("cost.replicas.4", changed(printed__monitoring_usd=30.0), FAIL, 258.0, 290.5, ""),  # a part like the others
        ("stack.monthly_cost", changed(comparison_usd=203.0), PASS, 203.0, 225.5, _COMPARED.format("$203.00")),
        ("stack.monthly_cost", changed(comparison_usd=202.9), SHOWN, 202.9, 225.5, ""),
        ("stack.monthly_cost", changed(comparison_usd=300.0), FAIL, 300.0, 225.5, _COMPARED.format("$300.00")),
        ("strategy.versus.cost", changed(supposed__services=1), FAIL, 239.65, 239.65, _SPLIT.format(1, "$239.65")),
        ("strategy.merit.cost", changed(supposed__services=1), FAIL, 239.65, 239.65, ""),  # as many pods are no saving
        ("cost.saving.commitment", changed(savings__commitment=0.26), PASS, 0.26, 0.2586, _COMMITTED.format("26%")),
        ("cost.saving.commitment", changed(savings__commitment=0.1), FAIL, 0.1, 0.2586, _COMMITTED.format("10%")),
        # An alert that a bill just reaches is given.
        ("cost.saving.budget_alert", changed(savings__budget_alert_usd=468.0), PASS, 468.0, 468.0, _ALERT.format("$468.00")),
        ("checklist.cost.alerts", changed(savings__budget_alert_phase=2), PASS, None, None, _PHASES.format(2, 2)),
        ("cost.saving.log_retention", dear(0.77), PASS, 0.77, 0.7667, _KEPT.format("$27.94", "$21.42", 0)),  # 23 of 30 days
        ("cost.saving.log_retention", dear(0.5), FAIL, 0.5, 0.7667, _KEPT.format("$27.94", "$21.42", 0)),
        ("cost.savings", dear(0.5), PASS, None, None, f"{_SAVINGS}logs kept for 7 days: $21.42 a month; {_BY_PODS}"),
    ],
)  # fmt: skip
def test_what_is_said_of_other_tables(
    claim: str, plan: CostPlan, verdict: Verdict, value: float | None, due: float | None, told: str
) -> None:
    """ "" for what is told elsewhere in the table."""
    found = of_document(plan)[claim]
    assert (*words(found)[:3], bool(found.erratum)) == (verdict, value, due, verdict is SHOWN)
    assert found.holds is (verdict is FAIL) and told in {"", found.reason}, found.reason


def test_a_pod_that_asks_for_what_it_may_use_is_billed_by_either_and_has_no_sidecar() -> None:
    half = Size(cores=0.5, gib=0.5)
    found = by_id(judged(PLAN, PodSizes(requested=half, api_limits=half)))
    assert words(found["cost.assumption.billing"]) == (
        PASS, 54.12, 54.12, "by requests $54.12, by limits $54.12: Autopilot bills requests",
    )  # fmt: skip
    assert words(found["cost.autopilot"])[:3] == (FAIL, 110.0, 54.12), "twice the price, and no limits to explain it"
    assert "cost.sidecar_left_out" not in found


def test_without_a_fee_none_is_missing() -> None:
    assert "cost.cluster_fee" not in of_document(changed(supposed__clusters=1))
    assert "cost.cluster_fee" not in of_document(changed(prices__cluster__credit_usd=300.0))
    assert POD.api_limits == Size(cores=1.0, gib=1.0)
