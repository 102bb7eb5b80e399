"""Budgets and evictions: cases worked out from the documented rules, and what must hold in any order of evictions."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.control.disruption import GuardedPod, evict, status
from harness.model.autoscaling import PodPhase
from harness.model.manifests import Budget, BudgetStatus, Eviction, UnhealthyPodEviction
from tests.control.budgets import budgets
from tests.session.examples import examples

S = 10**9


def _pods(ready: int, unready: int = 0) -> list[GuardedPod]:
    return [GuardedPod(name=f"api-{i}", ready=i < ready) for i in range(ready + unready)]


def _status(budget: Budget, pods: list[GuardedPod], scale: int | None = None, now_s: float = 0) -> BudgetStatus:
    return status(budget, pods, len(pods) if scale is None else scale, {}, round(now_s * S))


@pytest.mark.parametrize(
    ("amounts", "ready", "scale", "desired", "allowed"),
    [
        ({"min_available": 1}, 2, 2, 1, 1),  # the document's
        ({"min_available": 1}, 1, 2, 1, 0),
        ({"min_available": 2}, 2, 10, 2, 0),
        ({"min_available": "50%"}, 7, 7, 4, 3),  # 3.5, rounded up
        ({"min_available": "50%"}, 4, 7, 4, 0),
        ({"max_unavailable": 1}, 5, 5, 4, 1),
        ({"max_unavailable": 1}, 4, 5, 4, 0),
        ({"max_unavailable": "30%"}, 7, 7, 4, 3),  # 2.1, rounded up: three may be away
        ({"max_unavailable": "10%"}, 2, 2, 1, 1),  # rounded up, so that a drain can end
        ({"max_unavailable": 9}, 3, 3, 0, 3),
        ({"min_available": 5}, 3, 3, 5, 0),
    ],
)
def test_disruptions_allowed(amounts: dict[str, int | str], ready: int, scale: int, desired: int, allowed: int) -> None:
    budget = msgspec.convert({"name": "api", **amounts}, Budget)
    found = _status(budget, _pods(ready), scale)
    assert (found.desired_healthy, found.disruptions_allowed, found.current_healthy) == (desired, allowed, ready)


def test_a_number_counts_the_pods_and_a_share_their_controller_s_scale() -> None:
    terminating = GuardedPod(name="old", ready=True, terminating=True)
    pods = [*_pods(2), terminating]
    assert _status(Budget(name="api", min_available=1), pods, 2).expected_pods == 3
    assert _status(Budget(name="api", min_available="50%"), pods, 2).expected_pods == 2
    assert _status(Budget(name="api", max_unavailable=1), pods, 2).current_healthy == 2


def test_without_pods_nothing_may_be_disrupted() -> None:
    for budget in (Budget(name="api", max_unavailable=1), Budget(name="api", min_available=0)):
        assert _status(budget, [], 3).disruptions_allowed == 0
    assert _status(Budget(name="api", max_unavailable=1), [], 3).expected_pods == 0
    # Scaled to zero, its pods not yet on their way: two are healthy, none is expected.
    assert _status(Budget(name="api", max_unavailable=1), _pods(2), 0).disruptions_allowed == 0


def test_an_eviction_is_paid_and_remembered_until_the_pod_terminates() -> None:
    budget, pods = Budget(name="api", min_available=1), _pods(2)
    first = evict(pods[0], [(budget, _status(budget, pods))], S)
    assert first.code == 201 and first.status is not None
    assert (first.status.disruptions_allowed, first.status.disrupted) == (0, {"api-0": S})
    again = evict(pods[1], [(budget, first.status)], S)
    assert (again.code, again.granted) == (429, False)
    assert "needs 1 healthy pods and has 2 currently" in again.message
    # The controller looks before the pod is deleted: still one healthy.
    looked = status(budget, pods, 2, first.status.disrupted, 2 * S)
    assert (looked.current_healthy, looked.disruptions_allowed, looked.disrupted) == (1, 0, {"api-0": S})
    going = [msgspec.structs.replace(pods[0], terminating=True), pods[1]]
    assert status(budget, going, 2, looked.disrupted, 3 * S).disrupted == {}


def test_an_evicted_pod_that_never_terminates_counts_again_after_two_minutes() -> None:
    budget, pods = Budget(name="api", min_available=1), _pods(2)
    at = [status(budget, pods, 2, {"api-0": 0}, now_ns) for now_ns in (119 * S, 120 * S, 121 * S)]
    assert [each.current_healthy for each in at] == [1, 2, 2]
    assert [bool(each.disrupted) for each in at] == [True, True, False]


@pytest.mark.parametrize("phase", [PodPhase.PENDING, PodPhase.SUCCEEDED, PodPhase.FAILED])
def test_a_pod_that_does_not_run_goes_unasked(phase: PodPhase) -> None:
    budget = Budget(name="api", min_available=5)
    pod = GuardedPod(name="api-0", ready=False, phase=phase)
    # Nobody is asked: neither does the budget pay, nor do two of them make an error.
    assert evict(pod, [(budget, _status(budget, [pod]))], 0) == Eviction(code=201)
    assert evict(pod, [(budget, _status(budget, [pod]))] * 2, 0) == Eviction(code=201)


def test_a_terminating_pod_goes_unasked() -> None:
    budget = Budget(name="api", min_available=5)
    pod = GuardedPod(name="api-0", ready=True, terminating=True)
    assert evict(pod, [(budget, _status(budget, [pod]))], 0).code == 201


def test_an_unready_pod_goes_without_cost_while_the_budget_is_met() -> None:
    budget = Budget(name="api", min_available=2)
    met, short = _pods(2, 1), _pods(1, 1)
    assert evict(met[2], [(budget, _status(budget, met))], 0).code == 201
    assert evict(met[2], [(budget, _status(budget, met))], 0).status is None
    assert evict(short[1], [(budget, _status(budget, short))], 0).code == 429
    always = msgspec.structs.replace(budget, unhealthy=UnhealthyPodEviction.ALWAYS_ALLOW)
    assert evict(short[1], [(always, _status(always, short))], 0).code == 201
    assert evict(short[0], [(always, _status(always, short))], 0).code == 429  # a ready one is guarded all the same


def test_an_unready_pod_of_a_budget_that_asks_for_nobody_is_paid() -> None:
    """``desiredHealthy`` 0: the free way is closed, so it costs one of the disruptions allowed."""
    budget, pods = Budget(name="api", max_unavailable=2), _pods(1, 1)
    found = evict(pods[1], [(budget, _status(budget, pods))], 0)
    assert found.status is not None and found.status.disruptions_allowed == 0


def test_two_budgets_are_an_error_and_an_unseen_one_forbids() -> None:
    """To the word, as ``kubectl drain`` shows it (``pkg/registry/core/pod/storage/eviction.go``)."""
    budget, pods = Budget(name="api", min_available=1), _pods(3)
    known = _status(budget, pods)
    two = evict(pods[0], [(budget, known), (budget, known)], 0)
    assert two.code == 500 and two.message.startswith("This pod has more than one PodDisruptionBudget")
    unseen = evict(pods[0], [(budget, msgspec.structs.replace(known, observed=False))], 0)
    assert unseen == Eviction(
        code=429,
        message="Cannot evict pod as it would violate the pod's disruption budget. "
        "The disruption budget api is still being processed by the server.",
    )
    full = [msgspec.structs.replace(known, disrupted={f"gone-{i}": 0 for i in range(count)}) for count in (2000, 2001)]
    assert evict(pods[0], [(budget, full[0])], 0).code == 201
    assert evict(pods[0], [(budget, full[1])], 0) == Eviction(
        code=403, message="DisruptedPods map too big - too many evictions not confirmed by PDB controller"
    )
    assert evict(pods[0], [], 0).code == 201


def test_a_budget_that_asks_for_nothing_expects_nobody() -> None:
    found = _status(Budget(name="api"), _pods(2))
    assert (found.expected_pods, found.desired_healthy) == (0, 0)


@settings(max_examples=examples(200), deadline=None)
@given(budgets(), st.lists(st.booleans(), min_size=1, max_size=10), st.lists(st.integers(0, 9), max_size=20), st.data())
def test_no_order_of_evictions_takes_the_healthy_below_the_budget(
    budget: Budget, ready: list[bool], order: list[int], data: st.DataObject
) -> None:
    pods = {f"api-{i}": GuardedPod(name=f"api-{i}", ready=each) for i, each in enumerate(ready)}
    scale = len(pods)
    known = status(budget, pods.values(), scale, {}, 0)
    desired = known.desired_healthy
    healthy = known.current_healthy
    for number in order:
        pod = pods[f"api-{number % scale}"]
        answer = evict(pod, [(budget, known)], 0)
        known = answer.status or known
        if answer.granted:
            if pod.ready and not pod.terminating:
                healthy -= 1
                assert healthy >= desired
            pods[pod.name] = msgspec.structs.replace(pod, terminating=True)
        if data.draw(st.booleans()):  # the controller may look, or be late
            known = status(budget, pods.values(), scale, known.disrupted, 0)
            assert known.current_healthy == healthy
