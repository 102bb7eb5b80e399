"""The document's tables: each printed figure comes out as the register says, a wrong one fails, a right one passes."""

from __future__ import annotations

import msgspec
import pytest
import yaml

from api.metrics import Metrics, Readings
from api.mirror import MirrorStats
from api.ports import PoolStats
from api.removals import RemovalStats
from api.unsettled import UnsettledStats
from harness.base import units
from harness.base.data import MONITORING, ROOT
from harness.base.units import DAY_S
from harness.model.judgement import Verdict
from harness.rehearsals.cost.month import bill
from harness.rehearsals.cost.month.savings import ranked
from harness.rehearsals.cost.rehearsal import CLAIMS, REHEARSAL
from harness.rehearsals.cost.types import CostPlan
from harness.rules.objectives.alerts import RATE_WINDOW_S
from harness.run.scenarios import index
from tests.cost.made import BUNDLED, PLAN, POD, changed, of_document
from tests.register import ERRATA, REGISTER
from tests.scenarios.document import seed_text

#: The erratum by which each printed figure is not as the unit prices have it; "" where it is.
SHOWN = {
    "cost.autopilot": "cost.priced_by_limits",
    "cost.assumption.billing": "cost.billed_by_requests",
    "cost.sidecar_left_out": "cost.sidecar_left_out",
    "cost.cluster_fee": "cost.cluster_fee",
    "cost.cloud_sql": "cost.cloud_sql_without_ha",
    "cost.storage": "cost.storage_by_photos",
    "cost.logging": "cost.logging_price",
    "cost.monitoring": "cost.monitoring_custom",
    "cost.load_balancer": "",
    "cost.total": "cost.total_from_wrong_parts",
    "checklist.cost.budget": "cost.total_from_wrong_parts",
    **{f"cost.replicas.{count}": "cost.total_from_wrong_parts" if count == 2 else "" for count in (2, 4, 8, 10)},
    "stack.monthly_cost": "cost.autopilot_150_or_225",
    "strategy.versus.cost": "",
    "strategy.merit.cost": "",
    "cost.saving.commitment": "cost.commitment_37",
    "cost.saving.budget_alert": "cost.budget_alert_too_high",
    "checklist.cost.alerts": "cost.budget_alert_too_high",
    "cost.saving.log_retention": "cost.retention_saves_nothing",
    "cost.savings": "",
}


def test_each_printed_figure_is_as_the_register_says() -> None:
    found = of_document()
    assert {name: each.erratum for name, each in found.items()} == SHOWN
    for each in found.values():
        assert each.verdict is (Verdict.ERRATUM_SHOWN if each.erratum else Verdict.PASS), each.id
    assert {claim for each in found.values() for claim in each.claims if claim in REGISTER} == set(CLAIMS)
    assert set(filter(None, SHOWN.values())) <= ERRATA.keys()


@pytest.mark.parametrize(
    ("claim", "plan"),
    [
        ("cost.saving.commitment", changed(savings__commitment=0.1)),
        ("cost.saving.log_retention", changed(savings__logs_saved=0.5, savings__logs_kept_s=90 * DAY_S)),
    ],
)
def test_a_wrong_saving_fails(claim: str, plan: CostPlan) -> None:
    found = of_document(plan)[claim]
    assert found.verdict is Verdict.FAIL and found.holds, found.reason


@pytest.mark.parametrize(
    ("claim", "plan"),
    [
        ("cost.saving.commitment", changed(savings__commitment=0.26)),
        ("cost.saving.budget_alert", changed(savings__budget_alert_usd=300.0)),
        ("checklist.cost.alerts", changed(savings__budget_alert_phase=2)),
        ("cost.saving.log_retention", changed(savings__logs_saved=0.0)),
    ],
)
def test_a_right_saving_passes(claim: str, plan: CostPlan) -> None:
    found = of_document(plan)[claim]
    assert found.verdict is Verdict.PASS and not found.erratum, found.reason


#: What rests on what a region charges.
ESTIMATED = ("cost.autopilot", "cost.cloud_sql", "cost.load_balancer")
#: What is a sum of the document's own parts, whatever they cost.
SUMS = ("cost.total", "checklist.cost.budget")
REGIONAL = (*ESTIMATED, *(f"cost.replicas.{count}" for count in (2, 4, 8, 10)))


#: What is shown whatever a region charges, of amounts that are by its prices.
ANYWHERE = (
    "cost.assumption.billing", "cost.sidecar_left_out", "cost.storage", "strategy.versus.cost", "strategy.merit.cost",
    "cost.saving.commitment",
)  # fmt: skip


def test_by_another_region_s_prices_nothing_is_known_but_what_holds_by_any() -> None:
    untried = "no prices of asia-northeast1, where the document runs, were given"
    by_those = "figures by the prices of us-central1 are for information; "
    found = of_document(BUNDLED)
    assert {name for name, each in found.items() if untried in each.reason} == set(REGIONAL)
    for each in (found[name] for name in REGIONAL):
        assert (each.verdict, each.gates, each.erratum) == (Verdict.NOT_EXERCISED, False, "")
        assert each.reason.startswith(untried) and f"{by_those}" in each.reason and "$" in each.reason, each.reason
    assert {name: each.erratum for name, each in found.items()} == {**SHOWN, **dict.fromkeys((*REGIONAL, *SUMS), "")}
    stands = {name for name, each in found.items() if each.verdict is Verdict.PASS}
    assert stands == {
        "strategy.versus.cost",
        "strategy.merit.cost",
        "cost.savings",
        *SUMS,
    }  # more pods cost more anywhere
    of_any = "the amounts are by prices of us-central1; what is shown holds by any"
    assert {name for name, each in found.items() if of_any in each.reason} == set(ANYWHERE)
    assert {name for name, each in found.items() if "us-central1" in each.reason} == {
        *REGIONAL,
        *ANYWHERE,
        "cost.savings",
    }
    assert not any("us-central1" in each.reason for each in of_document().values())


@pytest.mark.parametrize(
    ("printed", "verdict", "own"),
    [
        (0.20, Verdict.FAIL, Verdict.FAIL),
        (0.26, Verdict.PASS, Verdict.PASS),
        (0.29, Verdict.NOT_EXERCISED, Verdict.ERRATUM_SHOWN),  # of the pods alone it would be right
        (0.37, Verdict.ERRATUM_SHOWN, Verdict.ERRATUM_SHOWN),
    ],
)
def test_a_share_of_two_parts_is_known_where_it_is_the_same_of_either(
    printed: float, verdict: Verdict, own: Verdict
) -> None:
    for plan, wanted in ((BUNDLED, verdict), (PLAN, own)):
        assert of_document(changed(plan, savings__commitment=printed))["cost.saving.commitment"].verdict is wanted


@pytest.mark.parametrize("claim", (*ESTIMATED, *SUMS))
def test_a_figure_that_is_right_elsewhere_is_not_known_to_be_wrong(claim: str) -> None:
    """As a document that was corrected by Tokyo's prices has it."""
    field = {"cost.autopilot": "autopilot", "cost.cloud_sql": "cloud_sql", "cost.load_balancer": "load_balancer"}
    dear = {"autopilot": 69.0, "cloud_sql": 210.0, "load_balancer": 40.0}
    added = sum(dear.values()) - sum(getattr(PLAN.tables.printed, f"{name}_usd") for name in dear)
    fields = {f"printed__{name}_usd": amount for name, amount in dear.items()}
    plan = changed(BUNDLED, **fields, printed__total_usd=PLAN.tables.printed.total_usd + added)
    assert of_document(plan)[claim].verdict is (Verdict.PASS if claim in SUMS else Verdict.NOT_EXERCISED)
    own = of_document(changed(plan, prices__region=plan.tables.region))[claim]
    assert own.verdict is (Verdict.FAIL if claim in field else Verdict.ERRATUM_SHOWN), own.reason
    unsummed = of_document(changed(plan, printed__total_usd=1.0))
    assert unsummed["cost.total"].verdict is Verdict.FAIL, "its own sum, by whatever prices"


@pytest.mark.parametrize(
    ("claim", "plan"),
    [
        ("cost.autopilot", changed(BUNDLED, printed__autopilot_usd=54.0)),
        ("cost.cloud_sql", changed(BUNDLED, printed__cloud_sql_usd=161.0)),
        ("cost.storage", changed(BUNDLED, supposed__photo_bytes=5_000)),
    ],
)
def test_a_right_figure_passes_by_the_prices_of_the_document_s_region_alone(claim: str, plan: CostPlan) -> None:
    assert of_document(plan)[claim].verdict is Verdict.NOT_EXERCISED
    own = changed(plan, prices__region=plan.tables.region)
    assert of_document(own)[claim].verdict is Verdict.PASS, of_document(own)[claim].reason


def test_a_team_s_prices_decide() -> None:
    """Where a year's commitment is 37 % of both, the document is right; where logs are kept for a price, 7 days save."""
    plan = changed(prices__pods__commitment=0.37, prices__database__commitment=0.37)
    assert of_document(plan)["cost.saving.commitment"].verdict is Verdict.PASS
    dear = changed(
        prices__logging__included_s=0.0, prices__logging__kept_gib_usd=0.5, savings__logs_saved=23 / 30
    )  # fmt: skip
    assert of_document(dear)["cost.saving.log_retention"].verdict is Verdict.PASS


def test_figures_by_hand() -> None:
    """The register's own arithmetic (``scenarios/claims/07_costs.yaml``), by which it calls the figures wrong."""
    written, corrected = PLAN.as_written(), PLAN.corrected(POD)
    assert round(written.pods, 2) == round(3 * 730 * (0.5 * 0.0445 + 0.5 * 0.0049225), 2) == 54.12
    assert round(written.database, 2) == round(2 * 730 * (2 * 0.0413 + 4 * 0.007), 2) == 161.48
    assert round(corrected.pods, 2) == round(3 * 730 * (0.6 * 0.0445 + 0.625 * 0.0049225), 2) == 65.21
    assert round(corrected.database - written.database, 2) == 3.4  # 10 GiB, twice
    assert (written.cluster, corrected.cluster) == (0.0, 0.0)  # the one credit pays for the one cluster
    assert corrected.total == pytest.approx(sum(corrected.parts.values()))
    assert corrected.fixed == pytest.approx(corrected.total - corrected.pods)
    assert bill.logging(50.0, PLAN.prices) == 0.0 and bill.logging(60.0, PLAN.prices) == 5.0
    assert bill.kept(60.0, 60 * DAY_S, PLAN.prices) == pytest.approx(5.6)


def test_savings_are_in_their_order() -> None:
    amounts = [each.usd for each in ranked(PLAN, POD)]
    assert amounts == sorted(amounts, reverse=True) and amounts[-1] == 0.0  # shorter logs


def test_every_claim_of_the_plan_is_promised() -> None:
    assert [claim for part, claim in REHEARSAL.claims(PLAN) if part == "document"] == list(CLAIMS)


def test_the_series_of_the_bundled_api_are_those_that_are_priced() -> None:
    """Every route with every status that its OpenAPI has."""
    none = {
        name: form(**dict.fromkeys(form.__struct_fields__, 0))
        for name, form in {
            "mirror": MirrorStats, "removals": RemovalStats, "unsettled": UnsettledStats, "pool": PoolStats,
        }.items()
    }  # fmt: skip
    found = Metrics(lambda: Readings(**none, in_flight=0, log_lines_lost=0))
    for route, calls in msgspec.json.decode((ROOT / "api" / "openapi.json").read_bytes())["paths"].items():
        for method, call in calls.items():
            for status in call["responses"] if isinstance(call, dict) else ():
                found.observe(method.upper(), route, int(status), 0.01)
    series = [line for line in found.page().decode().splitlines() if not line.startswith("#")]
    assert len(series) == PLAN.tables.supposed.series_a_pod


def test_samples_are_priced_as_often_as_what_is_handed_over_scrapes_them() -> None:
    """A rate of the alerts' minute needs four, so that one that fails leaves it enough."""
    every_s = PLAN.tables.supposed.scrape_s
    found = [MONITORING / folder / "managed-prometheus" / "pod-monitoring.yaml" for folder in ("", "blackbox")]
    asked = [
        endpoint
        for path in found
        for each in yaml.safe_load_all(path.read_text())
        for endpoint in each["spec"]["endpoints"]
    ]
    own = yaml.safe_load((MONITORING / "prometheus" / "prometheus.yaml").read_text())["global"]["scrape_interval"]
    assert {units.seconds(each) for each in (own, *(endpoint["interval"] for endpoint in asked))} == {every_s}
    assert 4 * every_s == RATE_WINDOW_S


@pytest.mark.document
def test_the_tables_are_the_document_s() -> None:
    tables, texts = PLAN.tables, {block.place: block.text for block in index.blocks(seed_text())}

    def at(claim: str) -> str:
        return texts[REGISTER[claim].place].replace(",", "")

    printed = tables.printed
    for claim, amount in (
        ("cost.autopilot", printed.autopilot_usd), ("cost.cloud_sql", printed.cloud_sql_usd),
        ("cost.storage", printed.storage_usd), ("cost.logging", printed.logging_usd),
        ("cost.monitoring", printed.monitoring_usd), ("cost.load_balancer", printed.load_balancer_usd),
        ("cost.total", printed.total_usd), ("stack.monthly_cost", tables.comparison_usd),
        ("cost.saving.budget_alert", tables.savings.budget_alert_usd),
    ):  # fmt: skip
        text = at(claim)
        assert f"${amount:g}" in text or f"${amount:.2f}" in text, claim
    assert f"¥{printed.total_yen}" in at("cost.total")
    for each in tables.replicas:
        for amount in (each.autopilot_usd, each.cloud_sql_usd, each.total_usd):
            assert f"${amount:g}" in at(each.claim), each.claim
    assert f"{tables.savings.commitment:.0%}" in at("cost.saving.commitment")
