"""The judge of the network: bad evidence fails, missing evidence is inconclusive, good evidence alone passes."""

from __future__ import annotations

import pytest

from harness.judge.ledger import Calls, Ledger
from harness.model.evidence import EventRow, Operation, RequestRow, Side
from harness.model.evidence import Outcome as Answer
from harness.model.judgement import Judgement
from harness.model.message import english
from harness.model.verdict import Verdict
from harness.rehearsals.network import judge
from harness.rehearsals.network.types import Attempt, Client, NetworkPath, Place, Round
from harness.rehearsals.network.types_ingress import Outcome

ALLOWED = NetworkPath(client=Client.EDGE, place=Place.POD, allowed=True, why="in front")
REFUSED = NetworkPath(client=Client.STRANGER, place=Place.POD, allowed=False, why="no business")
S = 1_000_000_000


def asked(path: NetworkPath, *outcomes: Outcome) -> Round:
    attempts = tuple(
        Attempt(client=path.client, place=path.place, pod="p", address=f"10.0.0.{number}:8080", outcome=outcome)
        for number, outcome in enumerate(outcomes)
    )
    return Round(name="r", attempts=attempts)


def result(path: NetworkPath, before: Outcome, *under: Outcome) -> Judgement:
    return judge.path_judged(path, asked(path, before), asked(path, *under), asked(path, *under))


@pytest.mark.parametrize(
    ("path", "before", "under", "verdict"),
    [
        (ALLOWED, Outcome.ANSWERED, Outcome.ANSWERED, Verdict.PASS),
        (ALLOWED, Outcome.ANSWERED, Outcome.TIMED_OUT, Verdict.FAIL),
        (ALLOWED, Outcome.ANSWERED, Outcome.SILENT, Verdict.FAIL),
        (ALLOWED, Outcome.REFUSED, Outcome.REFUSED, Verdict.INCONCLUSIVE),
        (REFUSED, Outcome.ANSWERED, Outcome.REFUSED, Verdict.PASS),
        (REFUSED, Outcome.ANSWERED, Outcome.TIMED_OUT, Verdict.PASS),
        (REFUSED, Outcome.ANSWERED, Outcome.ANSWERED, Verdict.FAIL),
        (REFUSED, Outcome.ANSWERED, Outcome.SILENT, Verdict.FAIL),  # a connection was made
        (REFUSED, Outcome.ANSWERED, Outcome.CLOSED, Verdict.FAIL),
        (REFUSED, Outcome.REFUSED, Outcome.REFUSED, Verdict.INCONCLUSIVE),  # a refusal that proves nothing
        (REFUSED, Outcome.REFUSED, Outcome.ANSWERED, Verdict.FAIL),
    ],
)
def test_a_path(path: NetworkPath, before: Outcome, under: Outcome, verdict: Verdict) -> None:
    assert result(path, before, under).verdict is verdict


def test_one_address_of_many_let_through_fails() -> None:
    found = result(REFUSED, Outcome.ANSWERED, Outcome.REFUSED, Outcome.ANSWERED)
    assert found.verdict is Verdict.FAIL
    assert "let through under the policies: p to 10.0.0.1:8080 answered" in found.reason


def test_a_round_or_a_path_that_was_not_asked_is_inconclusive() -> None:
    good, other = asked(REFUSED, Outcome.ANSWERED), asked(REFUSED, Outcome.REFUSED)
    assert judge.path_judged(REFUSED, None, other, other).verdict is Verdict.INCONCLUSIVE
    assert judge.path_judged(REFUSED, good, other, None).verdict is Verdict.INCONCLUSIVE
    assert judge.path_judged(REFUSED, good, asked(ALLOWED, Outcome.ANSWERED), other).verdict is Verdict.INCONCLUSIVE


def test_all_paths_together_are_the_worst_of_them() -> None:
    good = result(REFUSED, Outcome.ANSWERED, Outcome.REFUSED)
    bad = result(REFUSED, Outcome.ANSWERED, Outcome.ANSWERED)
    vague = result(REFUSED, Outcome.REFUSED, Outcome.REFUSED)
    assert judge.paths([REFUSED] * 2, [good, good], allowed=False).verdict is Verdict.PASS
    found = judge.paths([REFUSED] * 3, [good, vague, bad], allowed=False)
    assert (found.verdict, english(found.shown)) == (Verdict.FAIL, "1 of 3")
    assert len(found.notes) == 2 and "let through" in str(found.notes[1])
    assert judge.paths([REFUSED] * 2, [good, vague], allowed=False).verdict is Verdict.INCONCLUSIVE
    assert judge.paths([REFUSED], [good], allowed=True).verdict is Verdict.INCONCLUSIVE  # there is none


def test_as_wanted_wants_every_path_asked() -> None:
    assert judge.as_wanted([REFUSED], asked(REFUSED, Outcome.TIMED_OUT))
    assert not judge.as_wanted([REFUSED], asked(REFUSED, Outcome.TIMED_OUT, Outcome.ANSWERED))
    assert not judge.as_wanted([REFUSED, ALLOWED], asked(REFUSED, Outcome.TIMED_OUT))


def pod(at_s: float, name: str, state: str) -> EventRow:
    return EventRow(at_ns=round(at_s * S), kind="pod", subject=name, message="", data={"state": state})


HEALTHY = [pod(1, "a", "Pending"), pod(5, "a", "Ready")]
REPLACED = [pod(50, "b", "Pending"), pod(60, "b", "Ready"), pod(61, "a", "Terminating")]


def test_the_kubelet_keeps_its_way() -> None:
    found = judge.kubelet([*HEALTHY, *REPLACED], 10 * S, 50 * S, wanted=1)
    assert found.verdict is Verdict.PASS
    assert "in 40 s" in found.reason


def test_a_pod_that_loses_its_readiness_fails() -> None:
    found = judge.kubelet([*HEALTHY, pod(40, "a", "Running"), *REPLACED], 10 * S, 50 * S, wanted=1)
    assert found.verdict is Verdict.FAIL
    assert judge.kubelet([*HEALTHY, pod(40, "a", "Running")], 10 * S, None, wanted=1).verdict is Verdict.FAIL


def test_new_pods_that_do_not_become_ready() -> None:
    assert judge.kubelet(HEALTHY, 10 * S, 50 * S, wanted=1, trouble="not ready").verdict is Verdict.FAIL
    assert judge.kubelet(HEALTHY, 10 * S, 50 * S, wanted=1).verdict is Verdict.INCONCLUSIVE
    assert judge.kubelet(HEALTHY, 10 * S, None, wanted=1).verdict is Verdict.INCONCLUSIVE
    assert judge.kubelet(HEALTHY, None, None, wanted=1).verdict is Verdict.INCONCLUSIVE


def calls(good: int, bad: int) -> Calls:
    found = Ledger()
    found.extend(
        RequestRow(
            operation_id=f"o{number}", user="u", audience="", side=Side.API, operation=Operation.LIST_WALKS,
            due_ns=S + number, sent_ns=S, done_ns=2 * S, status=200 if number < good else 0,
            outcome=Answer.OK if number < good else Answer.TIMEOUT, acknowledged=False, payload_digest="", flag=True,
        )
        for number in range(good + bad)
    )  # fmt: skip
    return found.requests


@pytest.mark.parametrize(
    ("good", "bad", "verdict"),
    [
        (400, 0, Verdict.PASS),
        (100, 0, Verdict.INCONCLUSIVE),  # too few to carry 1 %
        (380, 20, Verdict.FAIL),
        (397, 3, Verdict.INCONCLUSIVE),
        (0, 0, Verdict.INCONCLUSIVE),
    ],
)
def test_users_through_the_service(good: int, bad: int, verdict: Verdict) -> None:
    found = judge.users(calls(good, bad), [S + number for number in range(good + bad)], 0.01)
    assert found.verdict is verdict
    assert (found.samples, found.value) == (good + bad, bad / (good + bad) if good else None)


def test_only_requests_of_the_plan_and_failed_ones_count() -> None:
    assert judge.users(calls(400, 0), [], 0.01).verdict is Verdict.INCONCLUSIVE
    assert judge.users(calls(400, 20), [S + number for number in range(400)], 0.01).samples == 420
    found = judge.users(calls(400, 0), [S + 1000 + number for number in range(400)], 0.01)
    assert (found.verdict, found.samples) == (Verdict.INCONCLUSIVE, 0)
    assert "400 of the 400 planned are not in evidence" in english(found.notes)


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ([], ["deny", "dns"], Verdict.PASS),
        (["deny"], ["deny", "dns"], Verdict.FAIL),
        ([], ["deny"], Verdict.FAIL),
        (None, ["deny", "dns"], Verdict.INCONCLUSIVE),
        ([], None, Verdict.INCONCLUSIVE),
    ],
)
def test_opt_in(before: list[str] | None, after: list[str] | None, verdict: Verdict) -> None:
    assert judge.opt_in(before, after, ("dns", "deny")).verdict is verdict


def test_a_component_without_policies_is_none() -> None:
    assert judge.opt_in([], [], ()).verdict is Verdict.FAIL


def test_few_paths_are_needed() -> None:
    database = NetworkPath(client=Client.TARGET, place=Place.POSTGRES, allowed=True, why="")
    other = NetworkPath(client=Client.TARGET, place=Place.OTHER_POD, allowed=False, why="")
    good = [
        result(database, Outcome.ANSWERED, Outcome.ANSWERED),
        result(other, Outcome.ANSWERED, Outcome.REFUSED),
    ]
    found = judge.few_paths([database, other], good)
    assert (found.verdict, english(found.shown)) == (Verdict.PASS, "1 paths")
    open_ = [good[0], result(other, Outcome.ANSWERED, Outcome.ANSWERED)]
    assert judge.few_paths([database, other], open_).verdict is Verdict.FAIL
    assert judge.few_paths([], []).verdict is Verdict.INCONCLUSIVE
