"""The bill of a run: what is read of it, what it says of the claims, and that a run which is no evidence says nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.errors import BadInput, Exit
from harness.cli.main import parse
from harness.evidence.store import Gathered
from harness.model.evidence import Operation, Outcome, RequestRow, SampleRow, Side, happened
from harness.model.judgement import Kind, Verdict
from harness.model.message import message
from harness.model.result import Result
from harness.model.stack import EnvironmentKind
from harness.rehearsals.cost import reading
from harness.rehearsals.cost.command import CostCommand
from harness.rehearsals.cost.month import bill
from harness.rehearsals.cost.month.bill import MonthUsage
from harness.rehearsals.cost.rehearsal import OF_A_RUN, REHEARSAL
from harness.rehearsals.cost.types import MeasuredUsage
from harness.report.language import language
from harness.report.published import RESULT
from harness.report.words import figure
from harness.run.result import judged as accounted
from tests.cost.made import BUNDLED, FACTS, PLAN, POD, RUN, details, of_run
from tests.rehearsal.made import by_id, result_in, seen
from tests.stored.conftest import main

_S = 1_000_000_000


def test_a_run_s_bill() -> None:
    verdicts = {name: each.verdict for name, each in of_run().items()}
    assert verdicts == {
        "cost.autopilot": Verdict.PASS,
        "cost.logging": Verdict.PASS,
        "cost.assumption.database_size": Verdict.ERRATUM_SHOWN,
        "cost.of_the_run": Verdict.PASS,
        "cost.stored_bytes": Verdict.PASS,
    }
    assert of_run()["cost.assumption.database_size"].erratum == "cost.users_are_not_connections"
    of = PLAN.by_run(POD, RUN)
    assert of.pods == pytest.approx(PLAN.corrected(POD, 2.5).pods)
    assert of_run(kept_walks=1)["cost.logging"] == of_run()["cost.logging"], "the claim is on the rate that is aimed at"
    assert PLAN.month_log_gib(RUN) == pytest.approx(400 * 10 * 730 * 3600 / 2**30)


_SUPPOSED = PLAN.tables.quantities
_BYTES_A_MONTH = PLAN.tables.supposed.rate_per_s * 730 * 3600  # by one byte of each request


@pytest.mark.parametrize(
    ("claim", "fields"),
    [
        ("cost.autopilot", {"pods": _SUPPOSED.pods + 0.0004}),
        ("cost.logging", {"log_bytes": int(_SUPPOSED.log_gb * 1e9 / _BYTES_A_MONTH * RUN.requests) + 1}),
    ],
)
def test_a_hair_too_much_is_not_shown_as_the_limit(claim: str, fields: dict[str, Any]) -> None:
    found = of_run(**fields)[claim]
    assert found.verdict is Verdict.FAIL and found.value is not None and found.limit is not None
    assert found.value > found.limit
    assert figure(found, found.value, language("en")) != figure(found, found.limit, language("en"))


def used_by(run: MeasuredUsage) -> MonthUsage:
    return bill.measured(PLAN.tables, PLAN.prices, POD.requested, run.rates)


#: 500 users record 30 walks each.
_WALKS = 15_000


def test_what_a_walk_takes_is_taken_by_the_document_s_walks() -> None:
    """10 requests and 400 bytes of logs each, 15,151.5 bytes of the database, 500 of photos."""
    used = used_by(RUN)
    assert used.log_gib == pytest.approx(10 * 400 * _WALKS / 2**30)
    assert used.storage_gb == pytest.approx(500 * _WALKS / 1e9)
    assert used.database_gib == 10.0, "no smaller disk is sold"
    told = of_run()["cost.stored_bytes"].reason
    assert "10.0 requests, 15,152 bytes in the database, 500 of photos" in told and "15,000 such walks" in told


@pytest.mark.parametrize(
    ("fields", "part", "dearer"),
    [
        ({"database_bytes": 330 * 2 * 2**20}, "database", (2 * 2**20 * _WALKS / 2**30 - 10) * 0.17 * 2),
        ({"photo_bytes": 400 * 50_000_000}, "storage", (50_000_000 * _WALKS / 1e9 - 5) * 0.026),
        (
            {"requests": 330 * 9_000, "log_bytes": 330 * 9_000 * 400},
            "logging",
            (9_000 * 400 * _WALKS / 2**30 - 50) * 0.5,
        ),
    ],
)
def test_each_that_the_run_measured_enters_the_bill(fields: dict[str, Any], part: str, dearer: float) -> None:
    before = PLAN.by_run(POD, RUN)
    after = PLAN.by_run(POD, msgspec.structs.replace(RUN, **fields))
    differ = {name: after.parts[name] - before.parts[name] for name in after.parts}
    assert differ.pop(part) == pytest.approx(dearer)
    assert set(differ.values()) == {0.0}


def test_what_the_run_did_not_measure_is_the_document_s() -> None:
    bare = msgspec.structs.replace(RUN, database_bytes=None, photo_bytes=None)
    used = used_by(bare)
    assert (used.storage_gb, used.database_gib) == (100.0, 10.0)
    assert used_by(msgspec.structs.replace(RUN, photo_bytes=0)).storage_gb == 100.0, "no photo was measured"
    before = msgspec.structs.replace(RUN, kept_walks=0, photo_walks=0)  # read before walks were counted
    assert used_by(before).storage_gb == 100.0
    assert used_by(before).log_gib == pytest.approx(PLAN.month_log_gib(RUN))
    assert "of a walk" not in of_run(run=before)["cost.stored_bytes"].reason


def test_what_is_a_team_s_to_decide_is_told_and_ready_by_no_figure() -> None:
    whole = of_run()
    assert not {"checklist.operations.log_retention", "checklist.cost.sizing"} & {
        claim for each in whole.values() for claim in each.claims
    }
    bill_of_run = whole["cost.of_the_run"]
    assert (bill_of_run.kind, bill_of_run.claims) == (Kind.OBSERVATION, ())
    assert "the document's estimate is" in bill_of_run.reason
    assert "kept for 30 days they cost" in whole["cost.logging"].reason
    for lacking in (of_run(pods=None), of_run(connections=None), of_run(log_bytes=None)):
        assert "cost.of_the_run" not in lacking, "a bill of which a part was not measured is none"


def test_without_a_run_its_claims_are_not_exercised() -> None:
    of = by_id(REHEARSAL.by_rules(PLAN, seen(details(None))), part="measured")
    assert {each.verdict for each in of.values()} == {Verdict.NOT_EXERCISED} and set(of) == set(OF_A_RUN)


def test_a_run_that_the_plan_names_and_that_is_gone_leaves_its_claims_open() -> None:
    plan = msgspec.structs.replace(PLAN, of="/reports/week")
    of = {each.id: each for each in accounted(REHEARSAL, plan, seen(details(None))) if each.part == "measured"}
    assert {(each.verdict, each.holds) for each in of.values()} == {(Verdict.INCONCLUSIVE, True)}
    assert set(of) == set(OF_A_RUN)


def test_the_plan_names_the_newest_run_that_there_is(tmp_path: Path) -> None:
    asked = CostCommand(reports=tmp_path)
    assert asked.planned().of == ""
    folder = tmp_path / "1-rollout_week4"
    folder.mkdir()
    RESULT.write(folder, result())
    assert asked.planned().of == str(folder.resolve())


def sample(at_s: float, value: float, metric: str = "replicas", subject: str = "tekutoko-api") -> SampleRow:
    return SampleRow(at_ns=round(at_s * _S), metric=metric, subject=subject, value=value)


@pytest.mark.parametrize(
    ("rows", "mean"),
    [
        ([], None),
        ([(0, 2)], 2.0),
        ([(12, 4)], 4.0),  # the first says what was there before it
        ([(0, 2), (15, 4)], 3.0),
        ([(0, 9), (5, 2), (12.5, 6)], 5.0),
        ([(0, 2), (20, 8)], 2.0),  # at the end, and so not in the time
    ],
)
def test_the_mean_counts_each_sample_until_the_next(rows: list[tuple[float, float]], mean: float | None) -> None:
    of = reading.mean([sample(*row) for row in rows], "replicas", 10 * _S, 20 * _S)
    assert of == pytest.approx(mean)


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 10)), min_size=1))
def test_the_mean_lies_among_the_samples(rows: list[tuple[float, int]]) -> None:
    of = reading.mean([sample(*row) for row in rows], "replicas", 10 * _S, 20 * _S)
    assert of is None or min(value for _, value in rows) - 1e-9 <= of <= max(value for _, value in rows) + 1e-9


def request(
    at_s: float,
    user: str,
    *,
    side: Side = Side.API,
    operation: Operation = Operation.CREATE_WALK,
    walk_id: str = "",
    acknowledged: bool = True,
) -> RequestRow:
    at_ns = round(at_s * _S)
    return RequestRow(
        operation_id=f"{user}-{at_s}", user=user, audience="general", side=side, operation=operation, due_ns=at_ns,
        sent_ns=at_ns, done_ns=at_ns + _S, status=201, outcome=Outcome.OK, acknowledged=acknowledged,
        payload_digest="d", flag=True, walk_id=walk_id,
    )  # fmt: skip


def result() -> Result:
    """Of a run that ended well."""
    return Result(
        rehearsal="rollout_week", plan="rollout_week4", title=REHEARSAL.title(PLAN), run_id="run", decides=True,
        decision=None, exit_status=0, facts=FACTS, parts=(), judgements=(), sections=(),
    )  # fmt: skip


def test_a_run_whose_pods_refused_everything_says_nothing_of_what_logs_cost() -> None:
    """A week that was rolled back: an API that is down logs nothing, and needs no more pods than there are."""
    evidence = Gathered()
    down = (msgspec.structs.replace(request(10 + at, f"u{at}"), outcome=Outcome.REFUSED, status=0) for at in range(400))
    evidence.see([sample(0, 2), *down])
    run = reading.measured(result(), evidence, 4_000)
    assert (run.requests, run.failed) == (400, 400)
    of = of_run(run=run, users=500, started_utc=RUN.started_utc)
    assert {each.verdict for each in of.values()} == {Verdict.NOT_EXERCISED}
    assert all("400 of 400 requests failed" in each.reason for each in of.values())


@pytest.mark.parametrize(
    "facts",
    [{"own": ("--plan mine.yaml",)}, {"smaller": ("--pace 300s",)},
     {"only": ("a",)}, {"errors": ("x",)}, {"leaks": ("x",)}],
    ids=lambda each: next(iter(each)),
)  # fmt: skip
def test_a_run_that_is_less_than_a_whole_one_is_no_bill(facts: dict[str, Any]) -> None:
    less = msgspec.structs.replace(result(), facts=msgspec.structs.replace(FACTS, **facts))
    assert reading.measured(less, Gathered(), 0).broke
    assert not reading.measured(result(), Gathered(), 0).broke
    lost = Gathered()
    lost.lacks(message("rows of evidence"))
    assert reading.measured(result(), lost, 0).broke


def test_what_is_read_of_a_run(tmp_path: Path) -> None:
    evidence = Gathered()
    evidence.see(
        [
            happened(0, "pod", "api-1", "ready", {}),
            sample(0, 2),
            request(10, "a", walk_id="1"),
            request(10.2, "a", operation=Operation.PUT_WALK, walk_id="1"),
            request(10.3, "a", operation=Operation.PUT_WALK, walk_id="2"),
            request(10.4, "a", operation=Operation.DELETE_WALK, walk_id="2"),
            request(10.5, "a", operation=Operation.PUT_WALK, walk_id="3", acknowledged=False),
            request(15, "b", operation=Operation.GET_WALK),
            request(40, "c", side=Side.FIRESTORE, walk_id="4"),
            request(19, "a", walk_id="5"),
            sample(30, 4_000, "stored_bytes", "database"),
            sample(30, 7, "connections", "database"),
        ]
    )
    (tmp_path / "logs").mkdir()
    for name, size in (("api-1.log", 100), ("api-1.cloud-sql-proxy.log", 20), ("api-10.log", 999), ("envoy.log", 999)):
        (tmp_path / "logs" / name).write_bytes(b"x" * size)
    log_bytes = reading.logged(tmp_path, evidence)
    assert log_bytes == 120
    of = reading.measured(result(), evidence, log_bytes)
    assert (of.seconds, of.users, of.requests, of.walks, of.pods) == (10.0, 2, 7, 2, 2.0)
    assert (of.kept_walks, of.photo_walks) == (2, 3), "one was deleted, one never answered"
    assert (of.database_bytes, of.photo_bytes, of.connections, of.max_connections) == (4_000, None, 7, None)
    assert of.log_bytes_a_request == pytest.approx(120 / 7) and not of.broke
    assert reading.logged(tmp_path / "nowhere", evidence) is None
    assert reading.logged(tmp_path, Gathered()) is None
    evidence.see([happened(1, "pod", "api-2", "told", {"state": state}) for state in ("Pending", "Gone")])
    assert reading.logged(tmp_path, evidence) == 120, "one that never ran has no log"
    evidence.see([happened(1, "pod", "api-2", "ready", {"state": "Ready"})])
    assert reading.logged(tmp_path, evidence) is None, "what api-2 logged is not known"


def test_the_newest_real_run_is_taken(tmp_path: Path) -> None:
    def put(folder: str, started: str, **fields: Any) -> None:
        (tmp_path / folder).mkdir(parents=True)
        more = {"rung": fields.pop("rung", EnvironmentKind.LOCAL), "injected": fields.pop("injected", ())}
        facts = msgspec.structs.replace(FACTS, started_utc=started, **more)
        RESULT.write(tmp_path / folder, msgspec.structs.replace(result(), facts=facts, **fields))

    assert reading.newest(tmp_path, "rollout_week4") is None
    put("1-rollout_week4", "2026-01-01T00:00:00Z")
    put("0-rollout/2-rollout_week4", "2026-01-02T00:00:00Z")
    put("3-rollout_week4", "2026-01-03T00:00:00Z", rung=EnvironmentKind.SIM)
    put("4-rollout_week4", "2026-01-04T00:00:00Z", exit_status=None)
    put("5-rollout_week3", "2026-01-05T00:00:00Z", plan="rollout_week3")
    put("7-rollout_week4", "2026-01-06T00:00:00Z", injected=(message("errors=12%"),))
    (tmp_path / "6-rollout_week4").mkdir()
    (tmp_path / "6-rollout_week4" / "result.json").write_text("{")
    assert reading.newest(tmp_path, "rollout_week4") == tmp_path / "0-rollout" / "2-rollout_week4"


def test_a_run_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no stored run 'gone'"):
        parse(["cost", "--of", "gone", "--reports", str(tmp_path)]).run()


@pytest.mark.process
def test_the_command_needs_no_stack(tmp_path: Path) -> None:
    assert main(["cost", "--reports", str(tmp_path)]) == Exit.OK
    of = result_in((tmp_path / "latest").resolve())
    shown = {each.erratum for each in of.judgements if each.verdict is Verdict.ERRATUM_SHOWN} - {""}
    assert of.exercised and len(shown) >= 10  # but for those that rest on what another region charges
    assert of.details["measured"] is None


def test_so_few_pods_keep_the_estimate_only_at_the_price_of_where_they_run() -> None:
    """Else the claim would be ready by its pods, whatever they cost; that there were more of them holds by any price."""
    few, many = (of_run(BUNDLED, pods=pods) for pods in (2.5, 4.0))
    assert (
        few["cost.autopilot"].verdict is Verdict.NOT_EXERCISED
        and "no prices of asia-northeast1" in few["cost.autopilot"].reason
    )
    assert many["cost.autopilot"].verdict is Verdict.FAIL and many["cost.autopilot"].holds
    assert [of_run(pods=pods)["cost.autopilot"].verdict for pods in (2.5, 4.0)] == [Verdict.PASS, Verdict.FAIL]
    told = {name for name, each in few.items() if "us-central1" in each.reason}
    assert told == {"cost.autopilot", "cost.of_the_run"}


@pytest.mark.parametrize(
    ("fields", "verdict", "why"),
    [
        ({"pods": 4.0}, Verdict.FAIL, "a month; the amounts are by prices of us-central1; what is shown holds by any"),
        ({"users": 7}, Verdict.INCONCLUSIVE, "a month; the amounts are by prices of us-central1"),
        ({"pods": None}, Verdict.INCONCLUSIVE, "does not say how many pods there were"),
    ],
)
def test_an_amount_for_pods_says_by_whose_prices_it_is(fields: dict[str, Any], verdict: Verdict, why: str) -> None:
    each = of_run(BUNDLED, **fields)["cost.autopilot"]
    assert each.verdict is verdict and why in each.reason, each.reason
