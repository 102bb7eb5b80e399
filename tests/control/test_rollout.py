"""The rolling replacement: own cases and a model of a cluster driven by hypothesis."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.control import deployment as controllers
from harness.control import rollout
from harness.control.amount import resolve
from harness.control.rollout import limits
from harness.model.cluster import PodView, ReplicaSet
from harness.model.manifests import Deployment, PodTemplate, RollingUpdate
from tests.session.examples import examples

S = 1_000_000_000


def _deployment(
    replicas: int,
    surge: int | str = "25%",
    unavailable: int | str = "25%",
    revision: str = "new",
    min_ready_s: float = 0,
) -> Deployment:
    return Deployment(
        name="api",
        replicas=replicas,
        template=PodTemplate(digest=revision, containers=()),
        strategy=RollingUpdate(max_surge=surge, max_unavailable=unavailable),
        min_ready_s=min_ready_s,
    )


def _pods(count: int, revision: str, *, ready: bool = True, first: int = 0) -> list[PodView]:
    return [
        PodView(
            name=f"{revision}-{i}", revision=revision, created_ns=i, ready=ready, ready_since_ns=0 if ready else None
        )
        for i in range(first, first + count)
    ]


class Made(msgspec.Struct, frozen=True):
    """A step as these cases tell it: new pods of the newest template, names to delete, whether all is done."""

    create: int
    delete: tuple[str, ...]
    complete: bool


def _sets(pods: list[PodView], deployment: Deployment, sizes: dict[str, int] | None = None) -> list[ReplicaSet]:
    """The sets that ``pods`` belong to, as large as they are, or as ``sizes`` says."""
    surge = limits(deployment)[0]
    counts: dict[str, int] = {}
    for pod in pods:
        counts[pod.revision] = counts.get(pod.revision, 0) + (not pod.terminating)
    return [
        ReplicaSet(
            revision=revision,
            created_ns=min(pod.created_ns for pod in pods if pod.revision == revision),
            replicas=(sizes or counts)[revision],
            desired=deployment.replicas,
            most=deployment.replicas + surge,
        )
        for revision in counts
    ]


def step(pods: list[PodView], deployment: Deployment, now_ns: int) -> Made:
    made = controllers.step(_sets(pods, deployment), pods, deployment, now_ns)
    assert set(made.create) <= {deployment.template.digest}
    return Made(sum(made.create.values()), made.delete, made.complete)


@pytest.mark.parametrize(
    ("value", "replicas", "up", "pods"),
    [
        ("25%", 2, True, 1),
        ("25%", 2, False, 0),
        ("25%", 4, False, 1),
        ("10%", 30, True, 3),
        ("100%", 7, True, 7),
        (3, 1, True, 3),
        ("0%", 9, True, 0),
        ("50%", 300, True, 150),
    ],
)
def test_resolve(value: int | str, replicas: int, up: bool, pods: int) -> None:
    assert resolve(value, replicas, round_up=up) == pods


@pytest.mark.parametrize("value", ["25", "-1%", "a%", "1.5%", -1, ""])
def test_resolve_refuses_what_is_neither(value: int | str) -> None:
    with pytest.raises(ValueError, match="25%"):
        resolve(value, 4, round_up=True)


def test_both_zero_lets_one_be_unavailable() -> None:
    assert limits(_deployment(4, 0, 0)) == (0, 1)
    assert limits(_deployment(4, 0, "10%")) == (0, 1)
    assert limits(_deployment(2)) == (1, 0)
    assert limits(_deployment(2, 1, 5)) == (1, 2)


def test_the_defaults_on_two_replicas_surge_first() -> None:
    old = _pods(2, "old")
    assert step(old, _deployment(2), S) == Made(create=1, delete=(), complete=False)
    assert step([*old, *_pods(1, "new", ready=False)], _deployment(2), S) == Made(create=0, delete=(), complete=False)
    ready = step([*old, *_pods(1, "new")], _deployment(2), S)
    assert (ready.create, len(ready.delete)) == (1, 1)  # sizes count, not processes: the successor starts at once


def test_no_surge_takes_an_old_one_away_first() -> None:
    made = step(_pods(3, "old"), _deployment(3, 0, 1), S)
    assert (made.create, len(made.delete)) == (1, 1)


def test_unready_old_pods_go_first_even_when_nothing_new_is_ready() -> None:
    pods = [*_pods(3, "old"), *_pods(1, "old", ready=False, first=3), *_pods(1, "new", ready=False)]
    assert step(pods, _deployment(4, 1, 1), S).delete == ("old-3",)


def test_a_new_pod_that_is_not_ready_yet_is_no_reason_to_clean_up() -> None:
    """Of 4 with maxUnavailable 1, three must stay; the unready old one may only go once the new one is available."""
    old = [*_pods(2, "old"), *_pods(2, "old", ready=False, first=2)]
    assert step([*old, *_pods(1, "new", ready=False)], _deployment(4, 1, 1), S).delete == ("old-2",)
    assert step([*old, *_pods(2, "new", ready=False)], _deployment(4, 2, 1), S).delete == ("old-2",)
    assert step([*old[:3], *_pods(2, "new", ready=False)], _deployment(4, 1, 1), S).delete == ()


def test_the_clean_up_has_one_budget_for_all_old_revisions() -> None:
    """Three may go (7 pods, 4 must stay): two of the oldest revision, one of the next."""
    oldest, old = _pods(2, "older", ready=False), _pods(3, "old", ready=False, first=10)
    pods = [*oldest, *old, *_pods(2, "new")]
    assert step(pods, _deployment(4, 3, 0), S).delete == ("older-0", "older-1", "old-10")


def test_min_ready_seconds_hold_the_replacement() -> None:
    deployment = _deployment(2, min_ready_s=10)
    pods = [*_pods(2, "old"), msgspec.structs.replace(_pods(1, "new")[0], ready_since_ns=5 * S)]
    assert step(pods, deployment, 14 * S).delete == ()
    assert len(step(pods, deployment, 15 * S).delete) == 1


def test_plain_scaling() -> None:
    assert step(_pods(2, "new"), _deployment(8), S) == Made(create=6, delete=(), complete=False)
    down = step(_pods(8, "new"), _deployment(2), S)
    assert (down.create, len(down.delete), down.complete) == (0, 6, False)
    assert step(_pods(2, "new"), _deployment(2), S) == Made(create=0, delete=(), complete=True)
    assert step([], _deployment(2), S) == Made(create=2, delete=(), complete=False)
    assert step([], _deployment(0), S) == Made(create=0, delete=(), complete=True)


def test_not_complete_before_the_last_pod_is_available() -> None:
    assert not step([*_pods(1, "new"), *_pods(1, "new", ready=False, first=1)], _deployment(2), S).complete


def test_a_broken_new_version_stops_the_replacement_with_enough_old_pods() -> None:
    pods = _pods(4, "old")
    deployment = _deployment(4)
    for second in range(20):
        made = step(pods, deployment, second * S)
        pods = [pod for pod in pods if pod.name not in made.delete]
        pods += _pods(made.create, "new", ready=False, first=100 + 10 * second)
    assert sum(pod.ready for pod in pods) == 3  # 4 - maxUnavailable 1
    assert len(pods) == 5  # 4 + maxSurge 1


AMOUNT = st.integers(0, 6) | st.sampled_from(["0%", "10%", "25%", "50%", "100%"])
POD = st.tuples(st.sampled_from(["older", "old", "new"]), st.booleans(), st.booleans())


@settings(max_examples=examples(300), deadline=None)
@given(st.data(), st.lists(POD, max_size=10), st.integers(0, 8), AMOUNT, AMOUNT, st.sampled_from([0, 3]))
def test_limits_hold_and_it_terminates(
    data: st.DataObject,
    drawn: list[tuple[str, bool, bool]],
    replicas: int,
    surge: int | str,
    unavailable: int | str,
    wait_s: float,
) -> None:
    """From any mixture of pods, with pods turning ready in any order, the replacement ends within its limits."""
    deployment = _deployment(replicas, surge, unavailable, min_ready_s=wait_s)
    max_surge, max_unavailable = limits(deployment)
    pods = [
        PodView(
            name=f"{revision}-{i}",
            revision=revision,
            created_ns=i,
            ready=ready,
            ready_since_ns=0 if ready else None,
            terminating=ending,
        )
        for i, (revision, ready, ending) in enumerate(drawn)
    ]
    serial = 100
    for second in range(10, 200):
        now_ns = second * S
        made = step(pods, deployment, now_ns)
        live = [pod for pod in pods if not pod.terminating]
        kept = [pod for pod in live if pod.name not in made.delete]
        assert set(made.delete) <= {pod.name for pod in live}
        assert len(set(made.delete)) == len(made.delete)
        if made.create:
            assert len(kept) + made.create <= replicas + max_surge
        before, after = (sum(rollout.available(pod, wait_s, now_ns) for pod in group) for group in (live, kept))
        assert after >= min(before, replicas - max_unavailable)  # never below the floor by our own doing
        if made.complete:
            assert not made.create
            assert not made.delete
            assert {pod.revision for pod in live} <= {"new"}
            assert len(live) == replicas
            return
        pods = kept + [PodView(name=f"new-{serial + i}", revision="new", created_ns=now_ns) for i in range(made.create)]
        serial += made.create
        # Starting new pods become ready in an order hypothesis picks; at least one a round, so that it must end.
        waiting = [pod.name for pod in pods if not pod.ready and pod.revision == "new"]
        ready = set(data.draw(st.lists(st.sampled_from(waiting), min_size=1, unique=True))) if waiting else set()
        pods = [msgspec.structs.replace(p, ready=True, ready_since_ns=now_ns) if p.name in ready else p for p in pods]
    raise AssertionError(f"not complete after 190 rounds: {pods}")


def _set(revision: str, replicas: int, *, desired: int, most: int) -> ReplicaSet:
    created = {"older": 0, "old": 1, "new": 2}[revision]
    return ReplicaSet(revision=revision, created_ns=created, replicas=replicas, desired=desired, most=most)


def _sizes(sets: list[ReplicaSet], available: dict[str, int], deployment: Deployment) -> dict[str, int]:
    return {each.revision: each.replicas for each in rollout.sync(sets, available, deployment, S)}


def test_scaling_in_mid_replacement_is_shared_in_proportion() -> None:
    """Kubernetes' documented example: 10 replicas, surge 3, unavailable 2: 8 old and 5 new; to 15: +3 and +2."""
    sets = [_set("old", 8, desired=10, most=13), _set("new", 5, desired=10, most=13)]
    assert _sizes(sets, {"old": 8}, _deployment(15, 3, 2)) == {"old": 11, "new": 7}
    assert _sizes(sets, {"old": 8}, _deployment(5, 3, 2)) == {"old": 5, "new": 3}
    assert _sizes(sets, {"old": 8}, _deployment(0, 3, 2)) == {"old": 0, "new": 0}


def test_what_rounding_leaves_goes_to_the_largest() -> None:
    sets = [
        _set("older", 4, desired=10, most=10),
        _set("old", 3, desired=10, most=10),
        _set("new", 3, desired=10, most=10),
    ]
    up = _sizes(sets, {}, _deployment(11, 0, 1))
    assert up == {"older": 5, "old": 3, "new": 3}  # 4.4, 3.3, 3.3
    down = _sizes(sets, {}, _deployment(5, 0, 1))
    assert down == {"older": 1, "old": 2, "new": 2}  # 2, 1.5 and 1.5, both rounded to 2; one too many left


def test_equal_sets_are_served_newer_first_up_and_older_first_down() -> None:
    sets = [_set("old", 5, desired=10, most=10), _set("new", 5, desired=10, most=10)]
    assert _sizes(sets, {}, _deployment(11, 0, 1)) == {"old": 5, "new": 6}
    assert _sizes(sets, {}, _deployment(9, 0, 1)) == {"old": 4, "new": 5}


def test_one_active_set_takes_all_of_a_scaling_whatever_the_template() -> None:
    sets = [_set("old", 4, desired=4, most=5)]
    assert _sizes(sets, {"old": 4}, _deployment(8, 1, 0)) == {"old": 8}


def test_a_saturated_newest_set_ends_the_old_ones() -> None:
    sets = [_set("old", 2, desired=3, most=4), _set("new", 4, desired=4, most=5)]
    assert _sizes(sets, {"new": 4, "old": 2}, _deployment(4, 1, 0)) == {"old": 0, "new": 4}


def test_sets_keep_what_they_were_last_sized_for() -> None:
    made = rollout.sync([_set("old", 4, desired=4, most=5)], {"old": 4}, _deployment(4, 2, 0), S)
    assert [(each.revision, each.replicas, each.desired, each.most) for each in made] == [
        ("old", 4, 4, 5),
        ("new", 2, 4, 6),
    ]


def test_a_lost_old_pod_is_made_anew_by_its_own_set() -> None:
    deployment = _deployment(4, 1, 0)
    pods = [*_pods(3, "old"), *_pods(1, "new", ready=False)]
    sets = _sets(pods, deployment, {"old": 4, "new": 1})
    assert controllers.step(sets, pods, deployment, S).create == {"old": 1}


def test_a_step_keeps_the_sets_and_when_the_newest_was_made() -> None:
    (made,) = controllers.step([], [], _deployment(2, 1, 0), 7 * S).sets
    assert made == ReplicaSet(revision="new", created_ns=7 * S, replicas=2, desired=2, most=3)


def test_a_new_set_begins_with_no_pod_where_there_is_no_room() -> None:
    sets = [_set("old", 2, desired=2, most=2)]
    assert _sizes(sets, {"old": 2}, _deployment(2, 0, 1)) == {"old": 1, "new": 0}


def test_a_set_that_changes_its_size_remembers_for_what() -> None:
    """The annotations of a set without pods are old; they are written anew when it grows, or shrinks."""
    back = [_set("old", 4, desired=4, most=5), _set("new", 0, desired=10, most=13)]
    grown = rollout.sync(back, {"old": 4}, _deployment(4, 2, 0), S)
    assert [(each.replicas, each.desired, each.most) for each in grown] == [(4, 4, 5), (2, 4, 6)]
    shrunk = rollout.sync([_set("old", 3, desired=4, most=5), _set("new", 4, desired=4, most=5)], {"new": 4, "old": 3},
                          _deployment(4, 3, 0), S)  # fmt: skip
    assert [(each.replicas, each.desired, each.most) for each in shrunk] == [(0, 4, 7), (4, 4, 5)]


def test_the_newest_set_grows_into_the_room_but_not_beyond_what_is_asked_for() -> None:
    sets = [_set("old", 1, desired=4, most=8), _set("new", 3, desired=4, most=8)]
    assert _sizes(sets, {"old": 1}, _deployment(4, 4, 0))["new"] == 4
    crowded = [_set("old", 4, desired=4, most=6), _set("new", 2, desired=4, most=6)]
    assert _sizes(crowded, {"old": 4}, _deployment(4, 1, 0))["new"] == 2  # maxSurge was 2: none is taken away for that


def test_pods_that_a_new_set_does_not_have_yet_are_no_available_ones() -> None:
    """6 pods, 3 must stay available, the 2 new ones are none: one of the two unavailable old ones may go."""
    assert _sizes([_set("old", 4, desired=4, most=5)], {"old": 2}, _deployment(4, 2, 1)) == {"old": 3, "new": 2}


def test_available_at_once_without_min_ready_seconds_and_not_before_them() -> None:
    (pod,) = _pods(1, "new")
    assert rollout.available(msgspec.structs.replace(pod, ready_since_ns=None), 0, S)
    assert not rollout.available(msgspec.structs.replace(pod, ready_since_ns=None), 1, S)
    assert [rollout.available(pod, 1, now_ns) for now_ns in (S - 1, S)] == [False, True]


def test_only_a_set_with_pods_tells_that_the_deployment_was_scaled() -> None:
    sets = [_set("older", 0, desired=9, most=9), _set("old", 3, desired=4, most=6), _set("new", 1, desired=4, most=6)]
    assert _sizes(sets, {"old": 3}, _deployment(4, 2, 0)) == {"older": 0, "old": 3, "new": 3}
    assert _sizes([_set("old", 1, desired=1, most=2)], {"old": 1}, _deployment(3, 1, 0)) == {"old": 3}


def test_scaled_sets_remember_for_what() -> None:
    alone = rollout.sync([_set("older", 0, desired=3, most=3), _set("old", 4, desired=4, most=5)], {"old": 4},
                         _deployment(8, 1, 0), S)  # fmt: skip
    assert [(each.replicas, each.desired, each.most) for each in alone] == [(0, 3, 3), (8, 8, 9)]
    done = [_set("old", 2, desired=3, most=4), _set("new", 4, desired=4, most=5)]
    ended = rollout.sync(done, {"new": 4, "old": 2}, _deployment(4, 2, 0), S)
    assert [(each.replicas, each.desired, each.most) for each in ended] == [(0, 4, 6), (4, 4, 5)]
    both = [_set("old", 8, desired=10, most=13), _set("new", 5, desired=10, most=13)]
    shared = rollout.sync(both, {"old": 8}, _deployment(15, 3, 2), S)
    assert [(each.desired, each.most) for each in shared] == [(15, 18), (15, 18)]


def test_sets_of_one_pod_have_their_share_and_the_newest_need_not_exist() -> None:
    sets = [_set("older", 9, desired=10, most=10), _set("old", 1, desired=10, most=10)]
    assert _sizes(sets, {}, _deployment(20, 0, 1)) == {"older": 18, "old": 2}
    last = [_set("old", 8, desired=10, most=13), _set("new", 5, desired=10, most=13)]
    assert _sizes(last, {}, _deployment(1, 3, 2)) == {"old": 2, "new": 2}  # of 4 with the surge: 2.5 and 1.5
    assert _sizes(last, {}, _deployment(11, 2, 2)) == {"old": 8, "new": 5}  # 13 as before


def test_the_last_one_to_add_goes_to_a_share_of_one_else_to_the_largest() -> None:
    sets = [_set("old", 8, desired=10, most=13), _set("new", 5, desired=10, most=13)]
    assert _sizes(sets, {}, _deployment(12, 3, 2)) == {"old": 9, "new": 6}  # 9.2 and 5.8
    three = [_set("older", 6, desired=10, most=10), _set("old", 2, desired=10, most=10),
             _set("new", 2, desired=10, most=10)]  # fmt: skip
    assert _sizes(three, {}, _deployment(12, 0, 1)) == {"older": 8, "old": 2, "new": 2}  # 7.2, 2.4 and 2.4
