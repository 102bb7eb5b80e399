"""The victim order of a scale-down."""

from __future__ import annotations

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.control.deployment import manage, rank, victims
from harness.model.cluster import PodView, ReplicaSet

S = 1_000_000_000


def _pod(name: str, **fields: object) -> PodView:
    return PodView(**({"name": name, "revision": "1", "created_ns": 0} | fields))  # type: ignore[arg-type]


def test_each_rule_in_its_order() -> None:
    pods = [
        _pod("old", ready=True, ready_since_ns=0),
        _pod("young", ready=True, ready_since_ns=90 * S),
        _pod("unready", created_ns=1),
        _pod("crashing", restarts=3),
        _pod("pending", running=False),
        _pod("unscheduled", running=False, scheduled=False),
        _pod("ending", terminating=True),
    ]
    expected = ("unscheduled", "pending", "crashing", "unready", "young", "old")
    assert victims(pods, 99, 100 * S) == expected
    assert victims(pods, 2, 100 * S) == expected[:2]


def test_ages_of_one_power_of_two_fall_to_the_name() -> None:
    near = [_pod("b", ready=True, ready_since_ns=40 * S), _pod("a", ready=True, ready_since_ns=39 * S)]
    assert victims(near, 2, 100 * S) == ("a", "b")  # "b" is younger, but not by a power of two
    far = [_pod("b", ready=True, ready_since_ns=90 * S), _pod("a", ready=True, ready_since_ns=0)]
    assert victims(far, 2, 100 * S) == ("b", "a")


def test_equal_ready_times_fall_to_restarts() -> None:
    pods = [_pod("a", ready=True, ready_since_ns=5), _pod("b", ready=True, ready_since_ns=5, restarts=1)]
    assert victims(pods, 1, 100) == ("b",)


@st.composite
def pods_of(draw: st.DrawFn) -> list[PodView]:
    return [
        _pod(
            f"p{i}",
            created_ns=draw(st.integers(0, 100)),
            scheduled=draw(st.booleans()),
            running=draw(st.booleans()),
            ready=draw(st.booleans()),
            ready_since_ns=draw(st.none() | st.integers(0, 100)),
            terminating=draw(st.booleans()),
            restarts=draw(st.integers(0, 2)),
        )
        for i in range(draw(st.integers(0, 8)))
    ]


@settings(deadline=None)
@given(pods_of(), st.integers(-1, 9), st.randoms())
def test_the_answer_is_a_prefix_and_no_order_of_the_pods_changes_it(
    pods: list[PodView], count: int, dice: object
) -> None:
    chosen = victims(pods, count, 100)
    active = {pod.name for pod in pods if not pod.terminating}
    assert len(chosen) == len(set(chosen)) == min(max(count, 0), len(active))
    assert set(chosen) <= active
    assert victims(pods, 99, 100)[: len(chosen)] == chosen
    shuffled = list(pods)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    assert victims(shuffled, count, 100) == chosen


@settings(deadline=None)
@given(pods_of(), pods_of(), st.data())
def test_no_ready_running_pod_goes_while_a_worse_one_stays(
    some: list[PodView], more: list[PodView], data: st.DataObject
) -> None:
    """Some go and some stay: else there is nothing to compare."""
    pods = [msgspec.structs.replace(pod, name=f"p{place}") for place, pod in enumerate([*some, *more])]
    by_name = {pod.name: pod for pod in pods if not pod.terminating}
    assume(len(by_name) >= 2)
    chosen = set(victims(pods, data.draw(st.integers(1, len(by_name) - 1)), 100))
    worst_kept = min((pod.scheduled, pod.running, pod.ready) for name, pod in by_name.items() if name not in chosen)
    for name in chosen:
        pod = by_name[name]
        assert (pod.scheduled, pod.running, pod.ready) <= worst_kept


def test_a_lower_deletion_cost_goes_first_but_after_readiness() -> None:
    pods = [_pod("dear", ready=True, deletion_cost=10), _pod("cheap", ready=True, deletion_cost=-1), _pod("unready")]
    assert victims(pods, 3, S) == ("unready", "cheap", "dear")


def test_pods_that_share_a_node_with_more_of_the_deployment_go_first() -> None:
    pods = [_pod(name, ready=True, node=node, ready_since_ns=0) for name, node in (("a", "1"), ("b", "2"), ("c", "2"))]
    assert victims(pods, 1, S) == ("b",)
    others = [*pods, *(_pod(name, revision="2", node="1") for name in ("d", "e"))]
    assert victims(pods, 1, S, related=others) == ("a",)
    gone = [*pods, *(_pod(name, revision="2", node="1", terminating=True) for name in ("d", "e"))]
    assert victims(pods, 1, S, related=gone) == ("b",)


def test_sidecar_restarts_break_the_tie_of_regular_ones() -> None:
    pods = [_pod("a", restarts=1), _pod("b", restarts=1, sidecar_restarts=2), _pod("c", sidecar_restarts=9)]
    assert victims(pods, 3, S) == ("b", "a", "c")


def test_a_set_makes_what_is_missing_and_does_not_count_terminating_pods() -> None:
    own = ReplicaSet(revision="1", created_ns=0, replicas=2, desired=2, most=3)
    pods = [_pod("a", terminating=True), _pod("b"), _pod("c", revision="2")]
    assert manage(own, pods, S) == (1, ())
    assert manage(own, [*pods, _pod("d"), _pod("e", ready=True)], S) == (0, ("b",))


def test_restarts_weigh_more_than_age_and_age_more_than_the_name() -> None:
    assert victims([_pod("a", created_ns=90 * S), _pod("b", restarts=1)], 1, 100 * S) == ("b",)
    assert victims([_pod("a"), _pod("b", created_ns=90 * S)], 1, 100 * S) == ("b",)


def test_a_pod_ready_since_nobody_knows_when_goes_first() -> None:
    """``afterOrZero``."""
    for first, second in ("ab", "ba"):
        pods = [_pod(first, ready=True), _pod(second, ready=True, ready_since_ns=0)]
        assert victims(pods, 1, 100 * S) == (first,)


def test_an_age_is_ranked_by_its_power_of_two_and_none_is_below_all() -> None:
    assert [rank(age_ns) for age_ns in (-5, 0, 1, 2, 3, 4, 2**40)] == [-1, -1, 0, 1, 1, 2, 40]


def test_a_set_gives_up_pods_beside_others_of_the_deployment() -> None:
    own = ReplicaSet(revision="1", created_ns=0, replicas=1, desired=2, most=3)
    pods = [_pod(name, ready=True, ready_since_ns=0, node=name) for name in "ab"]
    assert manage(own, pods, S) == (0, ("a",))
    assert manage(own, [*pods, _pod("c", revision="2", node="b")], S) == (0, ("b",))
