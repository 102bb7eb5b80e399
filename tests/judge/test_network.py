"""The judge of the network: bad evidence fails, missing evidence is inconclusive, good evidence alone passes."""

from __future__ import annotations

import pytest

from harness.base import planfile
from harness.base.units import Unit
from harness.judge.ledger import Calls, Ledger
from harness.model.evidence import EventRow, Operation, RequestRow, Side
from harness.model.evidence import Outcome as Answer
from harness.model.judgement import Judgement
from harness.model.message import english
from harness.model.verdict import Verdict
from harness.rehearsals.network import judge
from harness.rehearsals.network.types import Attempt, Client, NetworkDetails, NetworkPath, NetworkPlan, Place, Round
from harness.rehearsals.network.types_ingress import Outcome
from tests.rehearsal.made import facts

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


@pytest.mark.parametrize(
    ("path", "before", "under", "why"),
    [
        (ALLOWED, Outcome.REFUSED, [Outcome.SILENT],
         "it did not work without the policies either: p to 10.0.0.0:8080 refused"),
        (ALLOWED, Outcome.ANSWERED, [Outcome.TIMED_OUT],
         "kept out under the policies: p to 10.0.0.0:8080 timed out and 1 more"),
        (ALLOWED, Outcome.REFUSED, [Outcome.ANSWERED], "it works"),
        (REFUSED, Outcome.ANSWERED, [Outcome.REFUSED, Outcome.ANSWERED, Outcome.CLOSED],
         "let through under the policies: p to 10.0.0.1:8080 answered and 3 more"),
        (REFUSED, Outcome.REFUSED, [Outcome.REFUSED],
         "it did not work without the policies: p to 10.0.0.0:8080 refused"),
        (REFUSED, Outcome.ANSWERED, [Outcome.REFUSED], "it worked without the policies and is refused under them"),
    ],
)  # fmt: skip
def test_a_path_is_told_by_its_first_example(
    path: NetworkPath, before: Outcome, under: list[Outcome], why: str
) -> None:
    """Under the policies it is asked twice: of the same pods, and of new ones."""
    found = result(path, before, *under)
    assert (found.id, found.part, found.reason) == (path.name, "paths", why)


def test_a_round_or_a_path_that_was_not_asked_is_inconclusive() -> None:
    good, other = asked(REFUSED, Outcome.ANSWERED), asked(REFUSED, Outcome.REFUSED)
    assert judge.path_judged(REFUSED, None, other, other).verdict is Verdict.INCONCLUSIVE
    assert judge.path_judged(REFUSED, good, other, None).verdict is Verdict.INCONCLUSIVE
    assert judge.path_judged(REFUSED, good, asked(ALLOWED, Outcome.ANSWERED), other).verdict is Verdict.INCONCLUSIVE


def test_all_paths_together_are_the_worst_of_them() -> None:
    good = result(REFUSED, Outcome.ANSWERED, Outcome.REFUSED)
    bad = result(REFUSED, Outcome.ANSWERED, Outcome.ANSWERED)
    vague = result(REFUSED, Outcome.REFUSED, Outcome.REFUSED)
    whole = judge.paths([REFUSED] * 2, [good, good], allowed=False)
    assert (whole.verdict, whole.reason) == (Verdict.PASS, "2 of 2 paths are refused, and worked before")
    works = judge.paths([ALLOWED, REFUSED], [result(ALLOWED, Outcome.ANSWERED, Outcome.ANSWERED), bad], allowed=True)
    assert (works.id, works.verdict, works.reason) == ("paths.allowed", Verdict.PASS, "1 of 1 paths work")
    found = judge.paths([REFUSED] * 3, [good, vague, bad], allowed=False)
    assert (found.verdict, english(found.shown)) == (Verdict.FAIL, "1 of 3")
    assert [str(each) for each in found.notes] == [
        "stranger → pod: it did not work without the policies: p to 10.0.0.0:8080 refused",
        "stranger → pod: let through under the policies: p to 10.0.0.0:8080 answered and 1 more",
    ]
    assert judge.paths([REFUSED] * 2, [good, vague], allowed=False).verdict is Verdict.INCONCLUSIVE
    assert judge.paths([REFUSED], [good], allowed=True).verdict is Verdict.INCONCLUSIVE  # there is none


def test_as_wanted_wants_every_path_asked() -> None:
    assert judge.as_wanted([REFUSED], asked(REFUSED, Outcome.TIMED_OUT))
    assert not judge.as_wanted([REFUSED], asked(REFUSED, Outcome.TIMED_OUT, Outcome.ANSWERED))
    assert not judge.as_wanted([REFUSED, ALLOWED], asked(REFUSED, Outcome.TIMED_OUT))
    assert judge.as_wanted([ALLOWED], asked(ALLOWED, Outcome.ANSWERED, Outcome.CLOSED))
    assert not judge.as_wanted([ALLOWED], asked(ALLOWED, Outcome.ANSWERED, Outcome.TIMED_OUT))


def test_what_came_of_a_path_is_told_in_words() -> None:
    assert str(judge.outcomes([Outcome.ANSWERED, Outcome.TIMED_OUT])) == "answered, timed out"
    assert judge.outcomes([]) == "–"


def pod(at_s: float, name: str, state: str) -> EventRow:
    return EventRow(at_ns=round(at_s * S), kind="pod", subject=name, message="", data={"state": state})


HEALTHY = [pod(1, "a", "Pending"), pod(5, "a", "Ready")]
REPLACED = [pod(50, "b", "Pending"), pod(60, "b", "Ready"), pod(61, "a", "Terminating")]


def test_the_kubelet_keeps_its_way() -> None:
    found = judge.kubelet([*HEALTHY, *REPLACED], 10 * S, 50 * S, wanted=1)
    assert (found.verdict, english(found.shown), found.claim) == (Verdict.PASS, "1 pods", judge.POLICY)
    assert found.reason == (
        "no pod lost its readiness in 40 s under the policies; 1 of 1 pods started under them became ready, which needs "
        "the kubelet's probe and the database behind /ready"
    )


def test_a_pod_that_loses_its_readiness_fails() -> None:
    found = judge.kubelet([*HEALTHY, pod(40, "a", "Running"), *REPLACED], 10 * S, 50 * S, wanted=1)
    assert found.verdict is Verdict.FAIL
    both = [*HEALTHY, pod(5, "c", "Ready"), pod(40, "c", "Running"), pod(41, "a", "Running"), pod(42, "a", "Running")]
    found = judge.kubelet(both, 10 * S, None, wanted=1)
    assert (found.verdict, found.reason) == (Verdict.FAIL, "not ready any more under the policies: c, a")
    assert english(found.shown) == "2 pods"


@pytest.mark.parametrize(
    ("state", "at_s", "verdict"),
    [
        ("Running", 70, Verdict.FAIL),
        ("CrashLoopBackOff", 80, Verdict.FAIL),
        ("Running", 80.1, Verdict.PASS),  # later it may be that the database is taken down
        ("Terminating", 70, Verdict.PASS),
    ],
)
def test_a_new_pod_that_is_not_ready_any_more_when_the_paths_are_asked_fails_the_kubelets_probes(
    state: str, at_s: float, verdict: Verdict
) -> None:
    """Who enforces the policies may come to a new pod seconds after it began. The pods are asked at 80 s."""
    rows = [*HEALTHY, *REPLACED, pod(at_s, "b", state), pod(79, "c", "Ready")]
    found = judge.kubelet(sorted(rows, key=lambda row: row.at_ns), 10 * S, 50 * S, wanted=1, asked_ns=80 * S)
    assert found.verdict is verdict
    assert verdict is Verdict.PASS or found.reason == "not ready any more under the policies: b"


@pytest.mark.parametrize(
    ("at_s", "lost"),
    [(9.9, False), (10, True), (49.9, True), (50, False)],  # the policies were applied at 10 s, new pods came at 50 s
)
def test_readiness_counts_from_the_policies_until_the_pods_are_replaced(at_s: float, lost: bool) -> None:
    found = judge.kubelet([*HEALTHY, pod(at_s, "a", "Running"), *REPLACED], 10 * S, 50 * S, wanted=1)
    assert found.verdict is (Verdict.FAIL if lost else Verdict.PASS)


def test_what_is_no_pod_s_is_no_loss_of_readiness() -> None:
    step = EventRow(at_ns=6 * S, kind="step", subject="a", message="", data={})
    found = judge.kubelet([*HEALTHY, step, pod(40, "a", "Running")], 10 * S, 50 * S, wanted=1)
    assert found.reason == "not ready any more under the policies: a"


def test_new_pods_that_do_not_become_ready() -> None:
    found = judge.kubelet(HEALTHY, 10 * S, 50 * S, wanted=1, trouble="not ready")
    assert (found.verdict, found.reason, english(found.shown)) == (
        Verdict.FAIL, "pods started under the policies did not become ready: not ready", "0 pods",
    )  # fmt: skip
    found = judge.kubelet([*HEALTHY, pod(50, "b", "Pending"), pod(60, "b", "Running")], 10 * S, 50 * S, wanted=1)
    assert (found.verdict, english(found.shown)) == (Verdict.INCONCLUSIVE, "0 pods")
    found = judge.kubelet(HEALTHY, 10 * S, None, wanted=1)
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "no pod was started under the policies")
    found = judge.kubelet(HEALTHY, None, None, wanted=1)
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "the policies were not applied")


def row(number: int, good: bool) -> RequestRow:
    return RequestRow(
        operation_id=f"o{number}", user="u", audience="", side=Side.API, operation=Operation.LIST_WALKS,
        due_ns=S + number, sent_ns=S, done_ns=2 * S, status=200 if good else 0,
        outcome=Answer.OK if good else Answer.TIMEOUT, acknowledged=False, payload_digest="", flag=True,
    )  # fmt: skip


def calls(good: int, bad: int) -> Calls:
    found = Ledger()
    found.extend(row(number, number < good) for number in range(good + bad))
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


def test_the_share_of_failed_requests_is_told_with_its_bound() -> None:
    found = judge.users(calls(397, 3), [S + number for number in range(400)], 0.01)
    assert found.reason == (
        "3 of 400 requests through the Service failed while the policies came into force and held (at most 1.93 % at "
        "95 %, limit 1 %)"
    )
    assert english(found.shown) == "3 of 400"
    assert (found.id, found.claim, found.limit, found.unit) == ("users.service", judge.POLICY, 0.01, Unit.RATIO)


def test_only_requests_of_the_plan_and_failed_ones_count() -> None:
    assert judge.users(calls(400, 0), [], 0.01).verdict is Verdict.INCONCLUSIVE
    assert judge.users(calls(400, 20), [S + number for number in range(400)], 0.01).samples == 420
    found = judge.users(calls(400, 0), [S + 1000 + number for number in range(400)], 0.01)
    assert (found.verdict, found.samples) == (Verdict.INCONCLUSIVE, 0)
    assert "400 of the 400 planned are not in evidence" in english(found.notes)
    assert found.reason == "no request was sent under the policies"


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
    found = judge.few_paths([database, other], open_)
    assert (found.verdict, found.reason) == (
        Verdict.FAIL, "not every path that they need works, or one to another pod is open; see the paths",
    )  # fmt: skip
    assert judge.few_paths([], []).verdict is Verdict.INCONCLUSIVE
    found = judge.few_paths([other], [good[1]])
    assert (found.verdict, found.reason) == (
        Verdict.PASS, "the target's pods need: nothing; no way to any other pod but DNS",
    )  # fmt: skip


def test_what_the_service_s_port_at_a_node_answered_is_told_with_why() -> None:
    asked_it = "a pod without the label asked the Service's NodePort at a node"
    assert english(judge.node_port_told(Outcome.TIMED_OUT)) == f"{asked_it}: timed out"
    assert english(judge.node_port_told(Outcome.ANSWERED)) == (
        f"{asked_it}: answered; there the pods see the node's address, which the load balancer's users have too; no "
        "policy tells the two apart while externalTrafficPolicy is Cluster"
    )


def test_policies_are_listed_one_after_the_other() -> None:
    found = judge.opt_in([], ["deny", "dns"], ("dns", "deny"))
    assert (found.reason, english(found.shown)) == ("without the component: none; with it: deny, dns", "2 policies")
    assert judge.opt_in(None, [], ()).reason == "the policies were not listed"


NETWORK = planfile.bundled("network", NetworkPlan)


def test_users_are_due_from_the_moment_their_load_began() -> None:
    """Ten a second for 50 s, as the plan says; a load that was not carried through has none."""
    due = judge.due_of(NETWORK, NetworkDetails(loaded_ns=(7 * S, 60 * S)))
    assert (len(due), due[0], due[-1]) == (500, 7 * S, 7 * S + 499 * S // 10)
    assert judge.due_of(NETWORK, NetworkDetails(loaded_ns=(7 * S, 0))) == []


@pytest.mark.parametrize(("until_ns", "missing"), [(60 * S, 499), (0, 0)])
def test_what_the_users_saw_lacks_what_the_plan_has_due(until_ns: int, missing: int) -> None:
    """Of one who asked once; a load that was not carried through has nothing due."""
    one = row(0, True)
    (found,) = judge.reads(NETWORK, NetworkDetails(loaded_ns=(S, until_ns)), [one], facts())
    assert (f"{missing} requests that were due have no row" in found.reason) is bool(missing), found.reason
