"""The run's checks of the flag: what is planted is found, and a healthy week passes."""

from __future__ import annotations

import msgspec
import pytest

from harness.base.units import Unit
from harness.model.evidence import Due, FlagRow, Operation, Outcome, RequestRow, Row, SessionRow, Side
from harness.model.judgement import Judgement, Kind, Verdict
from harness.model.scenario import AudiencePlan, PopulationPlan, Scenario
from harness.rules.flag_log import FlagLog, of_rows
from harness.rules.judged import counted

SCENARIO = Scenario(
    name="week",
    title="week",
    claims=("rollout.schedule.week2", "migration.shares"),
    population=PopulationPlan(audiences=(AudiencePlan(name="general", users=10, flag_on=3),)),
    criteria=(),
    window_s=100.0,
)
USERS = [f"u{number}" for number in range(10)]
ON = set(USERS[:3])
END = 1_000


def request(user: str, sent_ns: int, side: Side) -> RequestRow:
    return RequestRow(
        operation_id=f"{user}-{sent_ns}",
        user=user,
        audience="general",
        side=side,
        operation=Operation.LIST_WALKS,
        due_ns=sent_ns,
        sent_ns=sent_ns,
        done_ns=sent_ns + 1,
        status=200,
        outcome=Outcome.OK,
        acknowledged=False,
        payload_digest="",
        flag=side is Side.API,
    )


def fetch(user: str, at_ns: int, value: bool, version: int = 1) -> FlagRow:
    return FlagRow(at_ns=at_ns, user=user, value=value, template_version=version, fetched=True)


def healthy() -> list[Row]:
    rows: list[Row] = [SessionRow(at_ns=1, user=user, audience="general", live=True) for user in USERS]
    rows += [fetch(user, at_ns, user in ON) for user in USERS for at_ns in (10, 60)]
    rows += [
        request(user, at_ns, Side.API if user in ON else Side.FIRESTORE) for user in USERS for at_ns in (20, 70, 120)
    ]
    return rows


def found(rows: list[Row], at_ns: int = END, scenario: Scenario = SCENARIO) -> tuple[Judgement, Judgement]:
    log = FlagLog()
    for row in rows:
        log.add(row)
    share, steady = log.results(scenario, at_ns)
    return share, steady


def test_of_calls_that_came_twice_both_the_ledger_and_the_log_have_the_first() -> None:
    ledger, log = of_rows([*healthy(), *healthy()])
    once = of_rows(healthy())[1].results(SCENARIO, END)
    assert len(ledger.calls) == 30 and log.results(SCENARIO, END)[1] == once[1]
    assert once[1].samples == 30


def test_a_healthy_week_passes_in_whatever_order_its_rows_come() -> None:
    for rows in (healthy(), healthy()[::-1]):
        share, steady = found(rows)
        assert (share.verdict, share.value, share.limit, share.samples) == (Verdict.PASS, 0.3, 0.3, 10)
        assert share == Judgement(
            id="flag.share", kind=Kind.CHECK, asked=counted("flag.share"), claim="rollout.schedule.week2",
            also=("migration.shares",), verdict=Verdict.PASS, value=0.3, limit=0.3, unit=Unit.RATIO, samples=10,
            told=share.told,
        )  # fmt: skip
        assert share.reason == (
            "flag on for 3 of 10 users; general users 3 of 10 (planned 3); "
            "of 10 users who sent requests, 3 sent to the API"
        )
        assert steady == Judgement(
            id="flag.steady", kind=Kind.CHECK, asked=counted("flag.steady"), claim="flag.remote_config",
            verdict=Verdict.PASS, value=0.0, limit=0.0, unit=Unit.USERS, samples=30, told=steady.told,
        )  # fmt: skip
        assert steady.reason == "nobody moved without a change of the template, in 30 requests"


@pytest.mark.parametrize("user", ["u0", "u9"])
def test_a_planted_wrong_share_fails(user: str) -> None:
    rows = [msgspec.structs.replace(r, value=not r.value) if isinstance(r, FlagRow) and r.user == user else r for r in healthy()]  # fmt: skip
    share, _ = found(rows)
    assert share.verdict is Verdict.FAIL
    assert share.value in {0.2, 0.4}


def test_a_user_who_never_fetched_fails_the_share() -> None:
    share, _ = found([row for row in healthy() if not (isinstance(row, FlagRow) and row.user == "u4")])
    assert share.verdict is Verdict.FAIL
    assert share.reason == (
        "flag on for 3 of 10 users; general users 3 of 10 (planned 3); 1 users never fetched it; "
        "of 10 users who sent requests, 3 sent to the API"
    )


def test_a_user_who_moves_under_one_version_is_named() -> None:
    _, steady = found([*healthy(), request("u1", 200, Side.FIRESTORE)])
    assert (steady.verdict, steady.value) == (Verdict.FAIL, 1.0)
    assert steady.reason == (
        "1 users sent requests to both sides under one version: u1; "
        "1 users sent a request to the side that their flag did not say: u1"
    )


def test_a_value_that_flips_under_one_version_is_named() -> None:
    _, steady = found([*healthy(), fetch("u2", 90, False), fetch("u2", 95, True)])
    assert steady.verdict is Verdict.FAIL
    assert steady.reason == "1 users held both values under one version of the template: u2"


def test_requests_to_the_side_that_the_flag_does_not_say_are_named() -> None:
    rows = [row for row in healthy() if not (isinstance(row, RequestRow) and row.user == "u9")]
    _, steady = found([*rows, request("u9", 30, Side.API), request("u9", 80, Side.API)])
    assert steady.verdict is Verdict.FAIL
    assert steady.value == 1.0
    assert "the side that their flag did not say: u9" in steady.reason


def test_moving_with_a_new_version_is_no_fault() -> None:
    moved: list[Row] = [fetch("u0", 150, False, version=2), request("u0", 160, Side.FIRESTORE)]
    assert found([*healthy(), *moved])[1].verdict is Verdict.PASS
    # Sent before the new value was held: still the old version's.
    late: list[Row] = [fetch("u0", 150, False, version=2), request("u0", 149, Side.API)]
    assert found([*healthy(), *late])[1].verdict is Verdict.PASS


def test_what_comes_after_the_judged_moment_does_not_count() -> None:
    after: list[Row] = [fetch("u0", END + 5, False), request("u0", END + 9, Side.FIRESTORE)]
    assert [check.verdict for check in found([*healthy(), *after])] == [Verdict.PASS, Verdict.PASS]


def test_what_comes_at_the_judged_moment_counts() -> None:
    flipped: list[Row] = [fetch("u0", END, False), request("u1", END, Side.FIRESTORE)]
    share, steady = found([*healthy(), *flipped])
    assert (share.verdict, share.value) == (Verdict.FAIL, 0.2)
    assert (steady.verdict, steady.value, steady.samples) == (Verdict.FAIL, 2.0, 31)


@pytest.mark.parametrize(("moved_under_one", "verdict"), [(False, Verdict.INCONCLUSIVE), (True, Verdict.FAIL)])
def test_a_request_that_was_due_and_is_not_there_may_have_gone_to_the_other_side(
    moved_under_one: bool, verdict: Verdict
) -> None:
    rows = healthy()
    due = [Due(id=row.operation_id, user=row.user, due_ns=row.due_ns) for row in rows if isinstance(row, RequestRow)]
    rows += [request(USERS[0], 130, Side.FIRESTORE)] if moved_under_one else []
    log = FlagLog()
    for row in rows:
        log.add(row)
    assert log.results(SCENARIO, END, due)[1].verdict is (Verdict.FAIL if moved_under_one else Verdict.PASS)
    share, steady = log.results(SCENARIO, END, [*due, Due(id="lost", user=USERS[-1], due_ns=150)])
    assert (share.verdict, steady.verdict) == (Verdict.PASS, verdict)
    lost = f"1 of {len(due) + 1} requests that were due are not in evidence: nobody knows to which side they went"
    assert lost in steady.reason


def test_nothing_seen_is_inconclusive() -> None:
    share, steady = found([])
    assert (share.verdict, share.reason) == (Verdict.INCONCLUSIVE, "nobody's fetch of the flag is in the evidence")
    assert (steady.verdict, steady.reason) == (Verdict.INCONCLUSIVE, "no request is in the evidence")
    assert (share.value, steady.value) == (None, None)


def test_a_week_of_the_team_s_own_is_judged_by_the_diagram_s_shares_and_names_its_audiences() -> None:
    own = AudiencePlan(name="testers", users=10, flag_on=3)
    scenario = msgspec.structs.replace(SCENARIO, claims=(), population=PopulationPlan(audiences=(own,)))
    rows = [msgspec.structs.replace(r, audience="testers") if isinstance(r, SessionRow) else r for r in healthy()]
    share, _ = found(rows, scenario=scenario)
    assert (share.claim, share.also, share.verdict) == ("migration.shares", (), Verdict.PASS)
    assert "testers 3 of 10 (planned 3)" in share.reason


def test_users_of_no_planned_audience_are_named_the_first_five_of_them() -> None:
    for strangers, named in ((5, "s0, s1, s2, s3, s4"), (7, "s0, s1, s2, s3, s4 and 2 more")):
        share, _ = found([*healthy(), *(fetch(f"s{number}", 10, False) for number in range(strangers))])
        assert share.verdict is Verdict.FAIL
        assert f"in no planned audience: {named}; of 10 users" in share.reason


def test_who_sent_before_any_fetch_holds_the_flag_off() -> None:
    """The app's default (iOS側実装): Firestore until a fetch says otherwise."""
    early: list[Row] = [request("u9", 5, Side.FIRESTORE), request("u8", 5, Side.API)]
    _, steady = found([*healthy(), *early])
    assert steady.reason == "1 users sent a request to the side that their flag did not say: u8"


def test_who_has_fetched_a_version_or_a_later_one() -> None:
    log = FlagLog()
    for row in (fetch("a", 1, True, 3), fetch("a", 2, True, 2), fetch("b", 1, True, 1), fetch("c", 1, True, 2)):
        log.add(row)
    log.add(FlagRow(at_ns=1, user="d", value=True, template_version=9, fetched=False))
    assert [log.fetched(version) for version in (1, 2, 3, 4)] == [{"a", "b", "c"}, {"a", "c"}, {"a"}, set()]
    log.add(fetch("e", 1, True, 0))
    assert log.fetched(1) == {"a", "b", "c"}
