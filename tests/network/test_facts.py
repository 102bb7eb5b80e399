"""What a run of the network shows: bad evidence fails, missing evidence is inconclusive, good evidence alone passes."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest

from harness.base import planfile
from harness.model.evidence import EventRow, Operation, RequestRow, Side
from harness.model.evidence import Outcome as Answer
from harness.model.judgement import Expected, Judgement, Verdict
from harness.model.message import english
from harness.rehearsals.network import facts
from harness.rehearsals.network.rehearsal import REHEARSAL
from harness.rehearsals.network.types import (
    FrontOutcome,
    NetworkClient,
    NetworkDetails,
    NetworkPath,
    NetworkPlace,
    NetworkPlan,
    PathAttempt,
    Round,
)
from harness.rules import engine
from harness.rules.ledger import Calls, Ledger
from harness.rules.rule import Fact
from tests.rehearsal.made import by_id, seen

PASS, FAIL, OPEN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
PLAN = planfile.bundled("network", NetworkPlan)
ALLOWED = NetworkPath(client=NetworkClient.EDGE, place=NetworkPlace.POD, allowed=True, why="in front")
REFUSED = NetworkPath(client=NetworkClient.STRANGER, place=NetworkPlace.POD, allowed=False, why="no business")
DATABASE = NetworkPath(client=NetworkClient.TARGET, place=NetworkPlace.POSTGRES, allowed=True, why="")
OTHER = NetworkPath(client=NetworkClient.TARGET, place=NetworkPlace.OTHER_POD, allowed=False, why="")
WORKS, KEPT_OUT = FrontOutcome.ANSWERED, FrontOutcome.TIMED_OUT
S = 1_000_000_000


def by_rule(check: str, found: Iterable[Fact]) -> Judgement:
    (one,) = engine.judged([Expected("", check)], REHEARSAL.rules, found, PLAN, ())
    return one


def judged(
    check: str, details: NetworkDetails, rows: Iterable[EventRow | RequestRow] = (), *paths: NetworkPath
) -> Judgement:
    plan = msgspec.structs.replace(PLAN)
    msgspec.structs.force_setattr(plan, "paths", paths or PLAN.paths)  # a plan itself has both kinds
    return by_id(REHEARSAL.by_rules(plan, seen(details, rows)))[check]


# -- paths -----------------------------------------------------------------------------------------------------------


def asked(*paths: tuple[NetworkPath, FrontOutcome]) -> Round:
    return Round(
        name="r",
        attempts=tuple(
            PathAttempt(client=path.client, place=path.place, pod="p", address=f"10.0.0.{number}:8080", outcome=outcome)
            for number, (path, outcome) in enumerate(paths)
        ),
    )


def over(path: NetworkPath, before: FrontOutcome, *under: FrontOutcome) -> NetworkDetails:
    """Under the policies it is asked twice: of the same pods, and of new ones."""
    later = asked(*((path, each) for each in under))
    return NetworkDetails(rounds={"before": asked((path, before)), "after": later, "replaced": later})


@pytest.mark.parametrize(
    ("path", "before", "under", "verdict", "why"),
    [
        (ALLOWED, WORKS, [WORKS], PASS, "it works"),
        (ALLOWED, WORKS, [KEPT_OUT], FAIL, "kept out under the policies: p to 10.0.0.0:8080 timed out and 1 more"),
        (ALLOWED, WORKS, [FrontOutcome.SILENT], FAIL, "kept out under"),
        (
            ALLOWED,
            FrontOutcome.REFUSED,
            [FrontOutcome.SILENT],
            OPEN,
            "without the policies either: p to 10.0.0.0:8080 refused",
        ),
        (ALLOWED, FrontOutcome.REFUSED, [WORKS], PASS, "it works"),
        (REFUSED, WORKS, [FrontOutcome.REFUSED], PASS, "it worked without the policies and is refused under them"),
        (REFUSED, WORKS, [KEPT_OUT], PASS, "is refused under them"),
        (REFUSED, WORKS, [WORKS], FAIL, "let through under"),
        (REFUSED, WORKS, [FrontOutcome.SILENT], FAIL, "let through under"),  # a connection was made
        (REFUSED, WORKS, [FrontOutcome.CLOSED], FAIL, "let through under"),
        (REFUSED, WORKS, [FrontOutcome.REFUSED, WORKS], FAIL, "p to 10.0.0.1:8080 answered and 1 more"),
        (
            REFUSED,
            FrontOutcome.REFUSED,
            [FrontOutcome.REFUSED],
            OPEN,
            "did not work without the policies",
        ),  # proves nothing
        (REFUSED, FrontOutcome.REFUSED, [WORKS], FAIL, "let through under"),
    ],
)
def test_a_path(path: NetworkPath, before: FrontOutcome, under: list[FrontOutcome], verdict: Verdict, why: str) -> None:
    details = over(path, before, *under)
    found = judged("paths.allowed" if path.allowed else "paths.refused", details, (), path)
    assert (found.verdict, found.samples) == (verdict, 1)
    (row,) = facts.paths([path], details)
    assert why in str(row.why)
    assert verdict is PASS or f"{path.name}: {row.why}" in found.reason


@pytest.mark.parametrize("gone", ["before", "after", "replaced"])
def test_a_round_or_a_path_that_was_not_asked_is_inconclusive(gone: str) -> None:
    details = over(REFUSED, WORKS, KEPT_OUT)
    details.rounds[gone] = asked((ALLOWED, WORKS))
    assert judged("paths.refused", details, (), REFUSED).verdict is OPEN
    del details.rounds[gone]
    found = judged("paths.refused", details, (), REFUSED)
    assert found.verdict is OPEN and "not asked" in found.reason


def test_all_paths_together_are_the_worst_of_them() -> None:
    twice = msgspec.structs.replace(REFUSED, place=NetworkPlace.SERVICE)
    under = asked((REFUSED, KEPT_OUT), (twice, WORKS), (ALLOWED, WORKS))
    before = asked((REFUSED, FrontOutcome.REFUSED), (twice, WORKS), (ALLOWED, WORKS))
    details = NetworkDetails(rounds={"before": before, "after": under, "replaced": under})
    assert judged("paths.refused", details, (), REFUSED, twice, ALLOWED).verdict is FAIL
    assert judged("paths.refused", details, (), REFUSED, ALLOWED).verdict is OPEN
    assert judged("paths.allowed", details, (), REFUSED, twice, ALLOWED).verdict is PASS
    assert judged("paths.allowed", details, (), REFUSED).verdict is OPEN  # there is none


def test_as_wanted_wants_every_path_asked() -> None:
    assert facts.as_wanted([REFUSED], asked((REFUSED, KEPT_OUT)))
    assert not facts.as_wanted([REFUSED], asked((REFUSED, KEPT_OUT), (REFUSED, WORKS)))
    assert not facts.as_wanted([REFUSED, ALLOWED], asked((REFUSED, KEPT_OUT)))
    assert facts.as_wanted([ALLOWED], asked((ALLOWED, WORKS), (ALLOWED, FrontOutcome.CLOSED)))
    assert not facts.as_wanted([ALLOWED], asked((ALLOWED, WORKS), (ALLOWED, KEPT_OUT)))


@pytest.mark.parametrize(
    ("other", "paths", "verdict", "why"),
    [
        (KEPT_OUT, (DATABASE, OTHER), PASS, "the target's pods need postgres; "),
        (WORKS, (DATABASE, OTHER), FAIL, "target → other_pod: let through"),
        (KEPT_OUT, (OTHER,), PASS, "need none"),
        (KEPT_OUT, (ALLOWED,), OPEN, "too few"),
    ],
)
def test_few_paths_are_needed(other: FrontOutcome, paths: tuple[NetworkPath, ...], verdict: Verdict, why: str) -> None:
    before, under = asked((DATABASE, WORKS), (OTHER, WORKS)), asked((DATABASE, WORKS), (OTHER, other))
    details = NetworkDetails(rounds={"before": before, "after": under, "replaced": under})
    found = judged("paths.needed", details, (), *paths)
    assert found.verdict is verdict and why in found.reason


def test_what_the_service_s_port_at_a_node_answered_is_told_with_why() -> None:
    asked_it = "a pod without the label asked the Service's NodePort at a node"
    assert english(facts.node_port_told(KEPT_OUT)) == f"{asked_it}: timed out"
    assert english(facts.node_port_told(WORKS)).startswith(
        f"{asked_it}: answered; there the pods see the node's address"
    )


# -- pods ------------------------------------------------------------------------------------------------------------


def pod(at_s: float, name: str, state: str) -> EventRow:
    return EventRow(at_ns=round(at_s * S), kind="pod", subject=name, message="", data={"state": state})


OLD = [pod(1, "a", "Pending"), pod(5, "a", "Ready")]
NEW = [pod(50, "b", "Pending"), pod(60, "b", "Ready"), pod(61, "a", "Terminating")]
APPLIED = NetworkDetails(replicas=1, applied_ns=10 * S, replaced_ns=50 * S)


@pytest.mark.parametrize(
    ("rows", "verdict", "why"),
    [
        ([], PASS, "1 pods that were started under the policies became ready"),
        ([(40, "a", "Running"), (41, "a", "Ready")], PASS, ""),  # for 1 s of 40
        ([(6, "a", "Running"), (7, "a", "Ready"), (40, "a", "Running"), (41, "a", "Ready")], PASS, ""),
        ([(40, "a", "Running")], FAIL, "not ready any more under the policies: 1 (a)"),
        ([(5, "c", "Ready"), (40, "c", "Running"), (41, "a", "Running")], FAIL, "2 (c, a)"),
        ([(6, "a", "Running"), (7, "a", "Ready"), (40, "a", "Running")], OPEN, "lost before them, too: a"),
        ([(15, "a", "Running"), (35, "a", "Ready")], OPEN, "for more than 10 s"),
        ([(9.9, "a", "Running")], PASS, ""),  # the policies were applied at 10 s, new pods came at 50 s
        ([(10, "a", "Running")], FAIL, ""),
        ([(49.9, "a", "Running")], FAIL, ""),
        ([(50, "a", "Running")], PASS, ""),
        ([(70, "b", "Running")], FAIL, "1 (b)"),  # its paths are asked at 80 s
        ([(80, "b", "CrashLoopBackOff")], FAIL, "1 (b)"),
        ([(80.1, "b", "Running")], PASS, ""),  # later it may be that the database is taken down
        ([(70, "b", "Terminating")], PASS, ""),
    ],
)
def test_a_pod_that_policies_cut_off_does_not_come_back(
    rows: list[tuple[float, str, str]], verdict: Verdict, why: str
) -> None:
    events = sorted([*OLD, *NEW, *(pod(*each) for each in rows)], key=lambda row: row.at_ns)
    last = Round(name="replaced", attempts=(), start_ns=80 * S)
    found = judged("kubelet.probes", msgspec.structs.replace(APPLIED, rounds={"replaced": last}), events)
    assert (found.verdict, found.holds) == (verdict, verdict is not PASS), found.reason
    assert why in found.reason


def test_what_is_no_pod_s_is_no_loss_of_readiness_and_what_comes_behind_the_ingress_is_not_looked_at() -> None:
    step = EventRow(at_ns=6 * S, kind="step", subject="a", message="", data={})
    assert judged("kubelet.probes", APPLIED, [*OLD, step, *NEW]).verdict is PASS
    fronted = msgspec.structs.replace(APPLIED, fronted_ns=40 * S)
    assert judged("kubelet.probes", fronted, [*OLD, pod(40, "a", "Running"), *NEW]).verdict is OPEN


@pytest.mark.parametrize(
    ("changed", "rows", "verdict", "why"),
    [
        ({"trouble": "not ready"}, OLD, FAIL, "pods started under the policies did not become ready: not ready"),
        (
            {"trouble": "not ready"}, [*OLD, pod(15, "a", "Running"), pod(35, "a", "Ready")], OPEN,
            "for more than 10 s",  # it may be theirs
        ),
        ({}, [*OLD, pod(50, "b", "Pending"), pod(60, "b", "Running")], OPEN, "0 pods that were started"),
        ({"replaced_ns": None}, OLD, OPEN, "no pod was started under the policies"),
        ({"applied_ns": None}, OLD, OPEN, "the policies were not applied"),
    ],
)  # fmt: skip
def test_new_pods_that_do_not_become_ready(
    changed: dict[str, object], rows: list[EventRow], verdict: Verdict, why: str
) -> None:
    found = judged("kubelet.probes", msgspec.structs.replace(APPLIED, **changed), rows)
    assert found.verdict is verdict and why in found.reason


# -- users and the component -----------------------------------------------------------------------------------------


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


def users(good: int, bad: int, due_ns: Iterable[int]) -> Judgement:
    return by_rule("users.service", [facts.users(calls(good, bad), [*due_ns])])


@pytest.mark.parametrize(
    ("good", "bad", "verdict", "bound"),
    [
        (400, 0, PASS, 0.0075),
        (100, 0, OPEN, 0.0295),  # too few to carry 1 %
        (380, 20, FAIL, 0.0334),
        (397, 3, OPEN, 0.0193),
        (0, 0, OPEN, None),
    ],
)
def test_users_through_the_service(good: int, bad: int, verdict: Verdict, bound: float | None) -> None:
    found = users(good, bad, (S + number for number in range(good + bad)))
    assert found.verdict is verdict
    assert (found.samples, found.value) == (good + bad, bad / (good + bad) if good else None)
    assert found.bound == (pytest.approx(bound, abs=1e-4) if bound else None)
    assert not good or (found.limit, str(found.unit)) == (0.01, "ratio")


def test_only_requests_of_the_plan_and_failed_ones_count() -> None:
    assert users(400, 0, ()).verdict is OPEN
    assert users(400, 20, range(S, S + 400)).samples == 420
    found = users(400, 0, range(S + 1000, S + 1400))
    assert (found.verdict, found.samples) == (OPEN, 0)
    assert "no request was sent under the policies" in found.reason
    assert "400 of the 400 planned are not in evidence" in found.reason


@pytest.mark.parametrize(
    ("before", "after", "wanted", "verdict"),
    [
        ((), ("deny", "dns"), ("dns", "deny"), PASS),
        (("deny",), ("deny", "dns"), ("dns", "deny"), FAIL),
        ((), ("deny",), ("dns", "deny"), FAIL),
        (None, ("deny", "dns"), ("dns", "deny"), OPEN),
        ((), None, ("dns", "deny"), OPEN),
        ((), (), (), FAIL),  # a component without policies is none
    ],
)
def test_the_component_is_opt_in(
    before: tuple[str, ...] | None, after: tuple[str, ...] | None, wanted: tuple[str, ...], verdict: Verdict
) -> None:
    listed = {name: names for name, names in (("before", before), ("after", after)) if names is not None}
    assert judged("component.opt_in", NetworkDetails(policies=wanted, listed=listed)).verdict is verdict


def test_users_are_due_from_the_moment_their_load_began() -> None:
    """Ten a second for 50 s, as the plan says; a load that was not carried through has none."""
    details = NetworkDetails(loaded_ns=(7 * S, 60 * S))
    assert "500 of the 500 planned are not in evidence" in judged("users.service", details).reason
    assert "planned" not in judged("users.service", NetworkDetails(loaded_ns=(7 * S, 0))).reason


@pytest.mark.parametrize(("until_ns", "missing"), [(60 * S, 499), (0, 0)])
def test_what_the_users_saw_lacks_what_the_plan_has_due(until_ns: int, missing: int) -> None:
    """Of one who asked once; a load that was not carried through has nothing due."""
    found = judged("reads.acknowledged", NetworkDetails(loaded_ns=(S, until_ns)), [row(0, True)])
    assert (f"{missing} requests that were due have no row" in found.reason) is bool(missing), found.reason
