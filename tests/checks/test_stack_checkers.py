"""Checkers of isolation, the disruption budget, endpoints, the flag's five minutes, and explained differences."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.clock import Anchor
from harness.base.ticks import NS
from harness.checks.budget import budget_kept
from harness.checks.dual_write import DocumentFlaw, compare
from harness.checks.endpoints import new_connections
from harness.checks.invariants import CLAIM, budget_result, connections_result, off_result, with_unknown
from harness.checks.isolation import CrossUserCall, Isolation, Reply, isolation, wrong_answers
from harness.checks.off_in_time import FLAG, not_whole_since, off_in_time
from harness.checks.reconciled import INJECTED, SCHEMA, STORAGE, UNDONE, outages, reconciled
from harness.checks.walk_results import BODIES, ISOLATION, STATUSES, isolation_results
from harness.control.disruption import GuardedPod, evict, status
from harness.model.evidence import EventRow, Operation, Outcome, ProbeRow, RequestRow, Side
from harness.model.judgement import Judgement, Verdict, outcome_word
from harness.model.manifests import Budget, UnhealthyPodEviction
from harness.model.message import Told, english, message
from harness.rules.judged import COUNTED
from tests.checks.stored import WALK, documents, walk
from tests.control.budgets import budgets
from tests.register import REGISTER

ONE = Budget(name="walk-api", min_available=1)
OTHER = WALK.replace("0b", "0c")


def event(at_s: float, kind: str, subject: str, message: str = "", **data: Any) -> EventRow:
    return EventRow(at_ns=round(at_s * NS), kind=kind, subject=subject, message=message, data=data)


def pod(at_s: float, name: str, state: str, restarts: int = 0) -> EventRow:
    return event(at_s, "pod", name, state=state, restarts=restarts)


def request(
    at_s: float, operation: Operation = Operation.GET_WALK, outcome: Outcome = Outcome.OK, user: str = "u1"
) -> RequestRow:
    at_ns = round(at_s * NS)
    return RequestRow(
        operation_id=f"{user}-00001", user=user, audience="all", side=Side.API, operation=operation, due_ns=at_ns,
        sent_ns=at_ns, done_ns=at_ns, status=200, outcome=outcome, acknowledged=False, payload_digest="", flag=True,
    )  # fmt: skip


def probe(at_s: float, name: str, took_s: float = 0, outcome: Outcome = Outcome.OK) -> ProbeRow:
    at_ns = round(at_s * NS)
    return ProbeRow(
        probe_id=1, user="c", method="GET", due_ns=at_ns, sent_ns=at_ns, done_ns=at_ns + round(took_s * NS), status=200,
        outcome=outcome, pod=name,
    )  # fmt: skip


def shown(told: Told) -> tuple[str, ...]:
    return tuple(map(str, told))


def service(at_s: float, *pods: str) -> EventRow:
    return event(at_s, "component", "service", pods=list(pods))


def test_an_eviction_beyond_the_budget_is_found_by_counting_ready_pods() -> None:
    two = [pod(0, "a", "Ready"), pod(0, "b", "Ready")]
    granted = [event(1, "eviction", "a", code=201), pod(1, "a", "Terminating")]
    kept = budget_kept([*two, *granted, event(2, "eviction", "b", code=429)], ONE, 2)
    assert (kept.granted, kept.refused, kept.beyond) == (1, 1, ())
    broken = budget_kept([*two, *granted, event(2, "eviction", "b", code=201)], ONE, 2)
    assert shown(broken.beyond) == ("b: 1 pods were ready, 1 must stay",)
    assert budget_result(broken).verdict is Verdict.FAIL
    assert budget_result(budget_kept(two, ONE, 2)).verdict is Verdict.NOT_EXERCISED
    none = Budget(name="walk-api", min_available=0)
    for unguarded in (None, none):
        untold = budget_result(budget_kept([*two, *granted, event(2, "eviction", "b", code=201)], unguarded, 2))
        assert untold.verdict is Verdict.NOT_EXERCISED
        assert untold.reason.startswith("no PodDisruptionBudget of the manifests keeps a pod ready"), untold.reason
    half = Budget(name="walk-api", max_unavailable="50%")
    assert budget_kept([*two, *granted, event(2, "eviction", "b", code=201)], half, 2).beyond != ()


@pytest.mark.parametrize("code", [0, 403, 404, 500])
def test_what_refused_an_eviction_and_was_not_the_budget_says_nothing_of_it(code: int) -> None:
    """500: two budgets cover the pod, and the API server asks neither. 403: whoever asked may not."""
    two = [pod(0, "a", "Ready"), pod(0, "b", "Ready")]
    found = budget_kept([*two, event(1, "eviction", "a", code=code)], ONE, 2)
    assert (found.granted, found.refused, budget_result(found).verdict) == (0, 0, Verdict.NOT_EXERCISED)
    asked = budget_kept([*two, event(1, "eviction", "a", code=code), event(2, "eviction", "a", code=429)], ONE, 2)
    assert (asked.refused, budget_result(asked).verdict) == (1, Verdict.PASS)


@pytest.mark.parametrize("watched", [False, True], ids=["answer first", "watch first"])
@pytest.mark.parametrize("state", ["Pending", "Running", "CrashLoopBackOff"])
def test_a_running_pod_that_is_not_ready_is_evicted_only_while_the_budget_is_met(state: str, watched: bool) -> None:
    went = [event(2, "eviction", "b", code=201), pod(2, "b", "Terminating")]
    course = [pod(0, "b", state), *(reversed(went) if watched else went)]
    always = msgspec.structs.replace(ONE, unhealthy=UnhealthyPodEviction.ALWAYS_ALLOW)
    two = Budget(name="walk-api", min_available=2)
    assert budget_kept([pod(0, "a", "Ready"), *course], ONE, 2).beyond == ()
    assert budget_kept(course, always, 2).beyond == budget_kept(course, None, 2).beyond == ()
    for budget, others in ((ONE, 0), (two, 1)):
        found = budget_kept([*[pod(0, "a", "Ready")] * others, *course], budget, 2)
        why = f"b: it ran and was not ready, {others} pods were ready, {others + 1} must be"
        assert shown(found.beyond) == (() if state == "Pending" else (why,))
        assert budget_result(found).verdict is (Verdict.PASS if state == "Pending" else Verdict.FAIL)


@given(st.lists(st.booleans(), min_size=1, max_size=4), budgets(*UnhealthyPodEviction))
def test_what_the_rule_of_kubernetes_grants_and_refuses_is_judged_alike(ready: list[bool], budget: Budget) -> None:
    pods = [GuardedPod(name=f"p{number}", ready=each) for number, each in enumerate(ready)]
    known = status(budget, pods, len(pods), {}, 0)
    course = [pod(0, each.name, "Ready" if each.ready else "Running") for each in pods]
    for each in pods:
        found = budget_kept([*course, event(1, "eviction", each.name, code=201)], budget, len(pods))
        assert (found.beyond == ()) is evict(each, [(budget, known)], 0).granted, each


def test_evictions_are_counted_also_when_the_watch_told_of_the_pod_before_the_answer_came() -> None:
    two = [pod(0, "a", "Ready"), pod(0, "b", "Ready")]
    first = [pod(1, "a", "Terminating"), event(1, "eviction", "a", code=201)]
    second = [pod(2, "b", "Terminating"), event(2, "eviction", "b", code=201)]
    assert budget_kept([*two, *first], ONE, 2).beyond == ()
    beyond = budget_kept([*two, *first, *second], ONE, 2).beyond
    assert shown(beyond) == ("b: 1 pods were ready, 1 must stay",)
    again = [pod(1.5, "c", "Ready"), *second]
    assert budget_kept([*two, *first, *again], ONE, 2).beyond == ()


def test_of_a_pod_that_no_event_tells_of_it_is_not_known_whether_its_eviction_was_beyond_the_budget() -> None:
    """One that is told of, and had not started, needed no budget."""
    granted = [event(1, "eviction", name, code=201) for name in ("a", "b")]
    found = budget_kept(granted, ONE, 2)
    assert (found.granted, found.beyond, found.untold) == (2, (), ("a", "b"))
    judged = budget_result(found)
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert judged.reason.endswith("; whether these pods had started or were ready nobody told: a, b")
    pending = [pod(0, "a", "Pending"), pod(0, "b", "Pending")]
    assert budget_kept([*pending, *granted], ONE, 2).untold == ()
    assert budget_kept(granted, None, 2).untold == ()


def test_an_eviction_of_a_pod_that_had_been_terminating_for_a_while_needs_no_budget() -> None:
    course = [pod(0, "a", "Ready"), pod(0, "b", "Running"), pod(1, "a", "Terminating")]
    late = budget_kept([*course, event(20, "eviction", "a", code=201)], ONE, 2)
    assert (late.granted, late.beyond, late.unclear) == (1, (), ())
    assert budget_kept([*course, event(2, "eviction", "a", code=201)], ONE, 2).beyond != ()
    twice = [event(0.5, "eviction", "b", code=201), *course[2:], event(1.1, "eviction", "a", code=201)]
    again = budget_kept([*course[:2], *twice, event(1.2, "eviction", "a", code=201)], ONE, 2)
    assert (again.granted, shown(again.beyond)) == (3, ("a: 1 pods were ready, 1 must stay",))


FOUR = [pod(10, name, "Ready") for name in "abcd"]
THREE_GO = [
    row
    for at_s, name in ((20, "a"), (21, "b"), (22, "c"))
    for row in (event(at_s, "eviction", name, code=201), pod(at_s, name, "Terminating"))
]
RELATIVE = (
    Budget(name="walk-api", max_unavailable=1),
    Budget(name="walk-api", max_unavailable="25%"),
    Budget(name="walk-api", min_available="75%"),
)


def sized(at_s: float, before: int, after: int, of: str = "x") -> EventRow:
    way = "up" if after > before else "down"
    told = f"ScalingReplicaSet: Scaled {way} replica set {of} from {before} to {after}"
    return event(at_s, "kubernetes", "deployment/walk-api", told)


def rescaled(at_s: float, size: int) -> EventRow:
    return event(at_s, "autoscaler", "walk-api", f"New size: {size}; reason: cpu resource above target")


@pytest.mark.parametrize("budget", RELATIVE)
@pytest.mark.parametrize("told", [[rescaled(5, 4)], [sized(0, 0, 2), sized(5, 2, 4)]], ids=["HPA", "by hand"])
def test_a_relative_budget_counts_from_the_scale_in_force(budget: Budget, told: list[EventRow]) -> None:
    found = budget_kept([*told, *FOUR, *THREE_GO], budget, 2)
    assert shown(found.beyond) == ("b: 3 pods were ready, 3 must stay", "c: 2 pods were ready, 3 must stay")
    assert budget_kept([*told, *FOUR, *THREE_GO[:2]], budget, 2).beyond == ()
    back = [rescaled(15, 2)] if told[0].kind == "autoscaler" else [sized(15, 4, 2)]
    down = [*back, pod(15, "c", "Terminating"), pod(15, "d", "Terminating"), event(20, "eviction", "a", code=201)]
    assert budget_kept([*told, *FOUR, *down], RELATIVE[0], 2).beyond == ()


@pytest.mark.parametrize("budget", RELATIVE)
def test_where_nobody_told_of_the_scale_a_relative_budget_is_no_pass(budget: Budget) -> None:
    found = budget_kept([*FOUR, *THREE_GO], budget, 2)
    assert found.unclear or found.beyond
    result = budget_result(found)
    assert result.verdict is not Verdict.PASS
    assert budget_result(budget_kept([*FOUR, *THREE_GO], ONE, 2)).verdict is Verdict.PASS


def test_a_scale_told_within_two_seconds_of_an_eviction_may_have_held_or_not() -> None:
    two = [pod(0, "a", "Ready"), pod(0, "b", "Ready")]
    budget = RELATIVE[0]
    for at_s, verdict in (
        (17, Verdict.FAIL),
        (19, Verdict.INCONCLUSIVE),
        (21, Verdict.INCONCLUSIVE),
        (23, Verdict.PASS),
    ):
        rows = sorted([*two, rescaled(at_s, 4), event(20, "eviction", "a", code=201)], key=lambda row: row.at_ns)
        found = budget_kept(rows, budget, 2)
        assert budget_result(found).verdict is verdict, at_s
    assert found.unclear == ()


def test_a_rolling_update_is_no_other_scale_and_a_scale_told_again_is_not_new() -> None:
    budget = RELATIVE[0]
    began = [sized(0, 0, 2), pod(1, "a", "Ready"), pod(1, "b", "Ready")]
    rolls = [sized(10, 0, 1, "y"), pod(12, "c", "Ready")]
    rolled = [sized(12, 2, 1), pod(12, "a", "Terminating"), sized(12, 1, 2, "y"), sized(14, 1, 0)]
    for rows in (rolls, [*rolls, *rolled]):
        found = budget_kept([*began, *rows, event(20, "eviction", "c", code=201)], budget, 2)
        assert (found.beyond, found.unclear) == ((), ()), rows
    again = [sized(3, 2, 4), sized(5, 4, 2), sized(9, 2, 4), event(20, "eviction", "a", code=201)]
    assert budget_kept([*began, *again], budget, 2).beyond == ()


def test_of_an_update_that_takes_all_old_pods_first_it_is_not_known_whether_it_is_over() -> None:
    began = [sized(0, 0, 3), *[pod(1, name, "Ready") for name in "abc"]]
    rolls = [sized(10, 0, 1, "y"), sized(10, 3, 0), pod(10, "b", "Terminating"), pod(10, "c", "Terminating")]
    found = budget_kept([*began, *rolls, event(20, "eviction", "a", code=201)], RELATIVE[0], 3)
    assert shown(found.unclear) == ("a: 1 pods were ready, and asked for was one of 1, 3",)
    done = [sized(11, 1, 3, "y"), event(20, "eviction", "a", code=201)]
    beyond = budget_kept([*began, *rolls, *done], RELATIVE[0], 3).beyond
    assert shown(beyond) == ("a: 1 pods were ready, 2 must stay",)


def test_a_new_connection_to_a_pod_that_left_is_found_after_two_seconds() -> None:
    course = [service(0, "a", "b"), service(10, "b"), service(20, "a", "b")]
    fine = new_connections(course, [probe(9, "a"), probe(11.9, "a"), probe(30, "a"), probe(15, "b")])
    assert (fine.probes, fine.left, fine.late) == (4, 1, ())
    (late,) = new_connections(course, [probe(12.5, "a"), probe(15, "b")]).late
    assert "a, 2.5 s after it left" in str(late)
    assert connections_result(new_connections(course, [probe(12.5, "a")])).verdict is Verdict.FAIL
    assert connections_result(new_connections(course[:1], [probe(1, "a")])).verdict is Verdict.NOT_EXERCISED
    # Before, at once, or once it is back: no connection could go wrong.
    early = connections_result(new_connections(course, [probe(9, "a"), probe(11.9, "b"), probe(23, "b")]))
    assert early.verdict is Verdict.NOT_EXERCISED and "later than 2 s after a pod had left" in early.reason


@pytest.mark.parametrize(("back_s", "accused"), [(12.4, False), (12.6, False), (14.4, False), (14.6, True)])
def test_a_pod_that_comes_back_while_a_probe_is_on_its_way_may_answer_it(back_s: float, accused: bool) -> None:
    """The probe is sent 2.5 s after the pod left and answered a second later; what tells the return may come a second late."""
    found = new_connections([*LEFT, service(back_s, "a", "b")], [probe(12.5, "a", 1), probe(15, "b")])
    assert bool(found.late) is accused


KEPT = [probe(number / 5, "b") for number in range(300)]
LEFT = [service(0, "a", "b"), service(10, "b")]


@pytest.mark.parametrize("outcome", [Outcome.TIMEOUT, Outcome.REFUSED, Outcome.BROKEN])
def test_a_probe_without_an_answer_may_have_gone_to_the_pod_that_left(outcome: Outcome) -> None:
    silent = [probe(at_s, "", 2, outcome) for at_s in (11.9, 12.1, 25.1, 41.1)]
    found = new_connections(LEFT, [*KEPT, *silent])
    assert (found.late, found.silent) == ((), 4)
    told = f"probe 1: {outcome_word(outcome)}, "
    assert [*map(str, found.perhaps)] == [f"{told}{since} s after a left" for since in ("2.1", "15.1")]
    assert connections_result(found).verdict is Verdict.INCONCLUSIVE
    late = connections_result(new_connections(LEFT, [*KEPT, *silent, probe(15, "a")]))
    assert late.verdict is Verdict.FAIL
    assert connections_result(new_connections(LEFT, KEPT)).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("more", "counted"),
    [
        ([], True),
        ([service(14, "a", "b")], False),
        ([service(14), service(14.5, "b")], False),
        ([service(26), service(26.5, "b")], False),
        ([event(20, "fault", "part_hang", f"{INJECTED}part hang auth")], False),
        ([event(20, "fault", "latency", f"{INJECTED}x"), event(21, "fault", "latency", f"{UNDONE}x")], False),
        ([event(1, "fault", "latency", f"{INJECTED}x"), event(2, "fault", "latency", f"{UNDONE}x")], True),
        ([event(20, "fault", "pod_kill", f"{INJECTED}pod kill")], False),
        ([event(10, "fault", "pod_kill", f"{INJECTED}x"), event(40, "fault", "pod_kill", f"{UNDONE}x")], True),
        ([service(22.9, "b", "c"), service(23.2, "b")], False),
        ([service(22.5, "b", "c"), service(23, "b")], True),
        ([service(25, "b", "c"), service(26, "b")], False),
        ([event(24, "fault", "database", "the server is dead")], False),
        ([pod(0, "b", "Ready"), pod(24, "b", "Pending", restarts=1)], False),
    ],
)
def test_a_probe_without_an_answer_that_something_else_explains_is_told_and_no_more(
    more: list[EventRow], counted: bool
) -> None:
    found = new_connections([*LEFT, *more], [*KEPT, probe(25.1, "", 2, Outcome.TIMEOUT)])
    assert (found.silent, len(found.perhaps)) == (1, int(counted))
    assert "1 probes got no answer" in connections_result(found).reason
    assert connections_result(found).verdict is (Verdict.INCONCLUSIVE if counted else Verdict.PASS)


def test_what_stops_the_whole_service_leads_no_probe_to_a_departed_pod() -> None:
    locked = [probe(number / 5, "b") for number in range(100)]
    locked += [probe(20 + number / 5, "", 2, Outcome.TIMEOUT) for number in range(40)]
    locked += [probe(28 + number / 5, "b", 1.5 - number / 5) for number in range(5)]
    stalled = [probe(20, ""), probe(20.2, "", 2, Outcome.TIMEOUT), probe(20.4, "b", 1.9), probe(20.6, "b", 1.7)]
    for probes in (locked, stalled):
        found = new_connections(LEFT, probes)
        assert found.silent and found.perhaps == ()
        assert connections_result(found).verdict is Verdict.PASS


LEAK = '{"user_id":"u9","title":"Walk"}'


def asked(get: int = 404, put: int = 404, *, shows: bool = False, changed: bool | None = False) -> CrossUserCall:
    got = Reply(method="GET", status=get, body=LEAK if shows else "", shows=shows)
    return CrossUserCall(
        user="u2", owner="u1", walk_id=WALK, get=got, put=Reply(method="PUT", status=put), changed=changed
    )


def judged(found: Isolation, unread: tuple[Verdict, Told] | None = None) -> dict[str, Judgement]:
    return {check.id: check for check in isolation_results(found, unread)}


def verdicts(found: Isolation, unread: tuple[Verdict, Told] | None = None) -> tuple[Verdict, ...]:
    """Of leaks, statuses and bodies."""
    checks = judged(found, unread)
    assert all(check.gates for check in checks.values())
    return checks[ISOLATION].verdict, checks[STATUSES].verdict, checks[BODIES].verdict


PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
ROWS = [request(0), request(1, Operation.LIST_WALKS), request(2, Operation.PUT_WALK)]


def test_what_is_refused_and_answered_as_the_contract_says_passes() -> None:
    found = isolation(wrong_answers(ROWS), [asked()])
    assert (found.answered, found.asked) == (3, 1)
    assert verdicts(found) == (PASS, PASS, PASS)


@pytest.mark.parametrize(
    ("planted", "expected"),
    [
        (asked(get=200, shows=True), (FAIL, FAIL, PASS)),  # handed out, and with a success
        (asked(get=403, shows=True), (FAIL, FAIL, PASS)),  # refused, and the refusal tells of it
        (asked(put=503, changed=True), (FAIL, UNKNOWN, PASS)),
        (asked(get=403), (PASS, FAIL, PASS)),
        (asked(put=200), (PASS, FAIL, PASS)),
        (asked(get=200), (PASS, FAIL, PASS)),  # a success that shows nothing
        (asked(changed=None), (Verdict.NOT_EXERCISED, PASS, PASS)),
        *((asked(code, code), (UNKNOWN, UNKNOWN, PASS)) for code in (0, 503, 429)),
    ],
)
def test_a_leak_and_a_wrong_status_are_two_findings(planted: CrossUserCall, expected: tuple[Verdict, ...]) -> None:
    found = isolation(wrong_answers(ROWS), [planted])
    assert verdicts(found) == expected
    for check in judged(found).values():
        call = f"/v1/walks/{WALK} of u1 asked by u2: "
        assert (call in check.reason) is (check.verdict is Verdict.FAIL), check.reason


@pytest.mark.parametrize(
    ("outcome", "status", "expected", "told"),
    [
        (Outcome.FOREIGN_ANSWER, 200, (FAIL, PASS, PASS), f"GET /v1/walks/{WALK} by u1 (u1-00001): 200 {LEAK}"),
        (
            Outcome.BAD_ANSWER,
            202,
            (PASS, FAIL, PASS),
            f"GET /v1/walks/{WALK} by u1 (u1-00001): 202 {LEAK}, must be 200",
        ),
        (Outcome.BAD_ANSWER, 200, (PASS, PASS, FAIL), f"GET /v1/walks/{WALK} by u1 (u1-00001): 200 {LEAK}"),
        (Outcome.UNEXPECTED_4XX, 403, (PASS, PASS, PASS), ""),  # the error ratio's
    ],
)
def test_a_phones_wrong_answer_is_one_finding_of_three(
    outcome: Outcome, status: int, expected: tuple[Verdict, ...], told: str
) -> None:
    wrong = msgspec.structs.replace(request(3, outcome=outcome), status=status, walk_id=WALK, shown=LEAK)
    found = isolation(wrong_answers([*ROWS, wrong]), [asked()])
    assert verdicts(found) == expected
    assert [check.reason for check in judged(found).values() if told and told in check.reason] == [
        check.reason for check in judged(found).values() if check.verdict is Verdict.FAIL
    ]


def test_a_database_that_was_not_read_holds_the_week_and_hides_no_leak() -> None:
    unread = Verdict.NOT_EXERCISED, (message("walks.user_id cannot be read"),)
    assert verdicts(isolation(wrong_answers(ROWS), [asked()]), unread) == (Verdict.NOT_EXERCISED, PASS, PASS)
    leaked = isolation(wrong_answers(ROWS), [asked(get=200, shows=True, changed=None)])
    assert verdicts(leaked, unread) == (FAIL, FAIL, PASS)
    assert "walks.user_id cannot be read" in judged(leaked, unread)[ISOLATION].reason


def test_the_three_findings_have_names_of_their_own() -> None:
    assert len({COUNTED[ISOLATION], COUNTED[STATUSES], COUNTED[BODIES]}) == 3


def test_no_more_is_said_of_bodies_than_was_looked_at() -> None:
    reason = judged(isolation(wrong_answers(ROWS), [asked()]))[BODIES].reason
    assert "id, owner, title and status" in reason and "conformance looks at the whole body" in reason


def test_a_client_on_the_api_after_the_limit_is_found_where_the_flag_stood_off() -> None:
    flags = [event(0, "flag", FLAG, on=10), event(100, "flag", FLAG, on=0)]
    good = off_in_time(flags, [request(50), request(399)], limit_s=300, end_ns=500 * NS, due=())
    assert (good.offs, good.late) == (1, ())
    assert off_result(good).verdict is Verdict.INCONCLUSIVE  # never seen on Firestore: the late request may be lost
    late = off_in_time(flags, [request(401, user="u7")], limit_s=300, end_ns=500 * NS, due=())
    assert late.late == ("u7",)
    assert off_result(late).verdict is Verdict.FAIL
    back = off_in_time([*flags, event(104, "flag", FLAG, on=10)], [request(450)], limit_s=300, end_ns=500 * NS, due=())
    assert (back.offs, back.short, back.late) == (0, 1, ())
    assert off_result(back).verdict is Verdict.NOT_EXERCISED


def test_a_flag_that_stood_off_before_anybody_was_on_the_api_shows_no_switch() -> None:
    """One population begins with everybody on Firestore: with ``--before 6min`` that was a roll back in time."""
    flags = [event(0, "flag", FLAG, on=0), event(360, "flag", FLAG, on=10)]
    rows = [*on_firestore(50, 350), request(400)]
    before = off_in_time(flags, rows, limit_s=300, end_ns=500 * NS, due=())
    assert (before.offs, before.late, before.unseen) == (1, (), ())
    assert off_result(before).verdict is Verdict.NOT_EXERCISED
    flags, rows = [*flags, event(410, "flag", FLAG, on=0)], [*rows, *on_firestore(430, 720)]
    after = off_in_time(flags, rows, limit_s=300, end_ns=730 * NS, due=())
    assert (after.offs, after.clients, off_result(after).verdict) == (2, 1, Verdict.PASS)


def test_of_whom_a_request_is_missing_before_one_that_was_sent_since_is_named() -> None:
    def numbered(user: str, *numbers: int) -> list[RequestRow]:
        return [
            msgspec.structs.replace(request(10 * each, user=user), operation_id=f"{user}-{each:05}") for each in numbers
        ]

    rows = [*numbered("a", 0, 1, 2, 3), *numbered("b", 0, 1, 3), *numbered("c", 0, 2), *numbered("d", 0, 3)]
    rows.append(msgspec.structs.replace(rows[0], operation_id="odd"))
    assert not_whole_since(rows, {"a", "b", "c"}, 25 * NS) == ("b",)
    assert not_whole_since(rows, {"a", "b", "c"}, 15 * NS) == ("b", "c")
    assert not_whole_since(rows, {"a", "b", "c"}, 30 * NS) == ()
    again = msgspec.structs.replace(request(30, user="b"), operation_id="b-00002-again-00003")
    assert not_whole_since([*rows, again], {"b"}, 25 * NS) == ("b",)  # what was sent once more is not that request


def on_firestore(*at_s: float) -> list[RequestRow]:
    return [msgspec.structs.replace(request(each), side=Side.FIRESTORE) for each in at_s]


def test_a_difference_is_explained_by_an_outage_of_what_the_mirror_needs_and_by_nothing_else() -> None:
    half = compare([walk(), walk(OTHER)], documents(walk()))
    hang = [
        event(100, "fault", "part_hang", "injected: part hang firestore"),
        event(120, "fault", "part_hang", "undone: part hang firestore"),
    ]
    for at_s, events, explained in (
        (110, hang, 1),
        (125, hang, 1),
        (200, hang, 0),
        (110, [event(100, "fault", "part_hang", "injected: part hang auth")], 0),
        (110, [event(100, "fault", "latency", "injected: latency 600 ms on 100 % of requests")], 0),
        (110, [event(100, "fault", "pod_kill", "injected: pod kill")], 1),
        # A container that ended of itself was no injected outage; one that a fault ended was.
        (110, [pod(100, "a", "Ready"), pod(112, "a", "Pending", restarts=1)], 0),
        (135, [*hang, pod(100, "a", "Ready"), pod(140, "a", "Pending", restarts=1)], 1),
        (205, [*hang, pod(100, "a", "Ready"), pod(200, "a", "Pending", restarts=1)], 0),
        (110, [], 0),
    ):
        found = reconciled(half, {OTHER: at_s * NS}, outages(events, 150 * NS))
        assert (len(found.explained), len(found.unexplained)) == (explained, 1 - explained), (at_s, events)


def test_a_pod_s_end_explains_a_lost_document_only_while_manifests_are_measured_as_they_are() -> None:
    half = compare([walk(), walk(OTHER)], documents(walk()))
    measured, after = event(105, "phase", "experiment", as_written=True), event(130, "phase", "experiment")
    ends = [pod(100, "a", "Ready"), pod(110, "a", "Terminating"), pod(112, "a", "Gone")]
    for at_s, events, as_written in (
        (110, [measured, *ends, after], 1),
        (121, [measured, *ends, after], 1),  # a mirror write may have waited so long
        (125, [measured, *ends, after], 0),
        (110, [event(111, "phase", "experiment", as_written=True), *ends], 0),  # it had begun to end before
        (110, [measured, event(109, "phase", "experiment", as_written=False), *ends], 0),
        (110, ends, 0),
        (110, [measured, *ends[:1]], 0),
        (140, [measured, *ends[:2], after], 1),  # never gone
    ):
        found = reconciled(half, {OTHER: at_s * NS}, outages(events, 150 * NS))
        assert (len(found.as_written), len(found.unexplained)) == (as_written, 1 - as_written), (at_s, events)
        assert not found.explained, "nobody injected anything"
    assert not outages([measured, *ends], 150 * NS, STORAGE), "a pod that ends removes no photo"


def test_an_outage_that_explains_is_named_with_its_time() -> None:
    hang = event(100, "fault", "part_hang", "injected: part hang firestore")
    anchor = Anchor(monotonic_ns=0, unix_ns=1_760_961_600 * NS)
    half = compare([walk(), walk(OTHER)], documents(walk()))
    found = reconciled(half, {OTHER: 110 * NS}, outages([hang], 150 * NS, anchor=anchor))
    assert "1 explained by an injected outage (part hang firestore at 2025-10-20T12:01:40.000Z)" in english(found.told)


def test_a_schema_that_the_target_cannot_read_is_an_outage_of_its_mirror() -> None:
    events = [event(50, "fault", SCHEMA, f"{INJECTED}RENAME"), event(60, "fault", SCHEMA, f"{UNDONE}RENAME")]
    half = compare([walk()], {})
    for at_s, explained in ((39, 0), (45, 1), (55, 1), (71, 0)):
        found = reconciled(half, {WALK: at_s * NS}, outages(events, 150 * NS))
        assert len(found.explained) == explained, at_s
    told = [event(50, "component", SCHEMA, "ALTER TABLE walks ADD COLUMN x text")]
    assert outages(told, 150 * NS) == ()


def test_a_document_written_wrong_doubled_or_of_no_walk_is_never_explained() -> None:
    always = outages([event(0, "fault", "database_cut", "injected: database cut")], 10**12)
    wrong = documents(walk())
    wrong[WALK.upper()]["title"] = wrong[WALK.upper()]["description"]
    assert len(reconciled(compare([walk()], wrong), {WALK: 1}, always).unexplained) == 1
    doubled = reconciled(compare([walk()], documents(walk())), {}, always, names=[WALK.upper(), WALK])
    assert doubled.doubled == (f"{WALK.upper()} and {WALK}",)
    extra = with_unknown(compare([walk()], documents(walk())), [WALK.upper(), OTHER.upper()], {WALK})
    assert [finding.flaw for finding in extra.findings] == [DocumentFlaw.EXTRA]


@pytest.mark.parametrize("claim", CLAIM.values())
def test_the_claims_are_in_the_register(claim: str) -> None:
    assert claim in REGISTER
