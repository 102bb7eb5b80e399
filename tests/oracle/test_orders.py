"""What ``orders`` lets pass, and what it does not."""

from __future__ import annotations

from harness.model.cluster import PodView, ReplicaSet
from harness.model.manifests import Deployment, PodTemplate, RollingUpdate
from tests.oracle.orders import Seen, explained
from tests.oracle.workload import Kept, S, State, alike, rest

NOW_NS = 1000 * S + 300_000_000


def pod(name: str, revision: str, age_s: int, *, ready: bool = False) -> PodView:
    since_ns = (1000 - age_s) * S
    ready_since_ns = since_ns if ready else None
    return PodView(
        name=name, revision=revision, created_ns=since_ns, ready=ready, ready_since_ns=ready_since_ns,
        scheduled=ready, running=ready,
    )  # fmt: skip


def state(replicas: int, *pods: PodView, sizes: dict[str, int], was: int) -> State:
    """Of a Deployment that was asked for ``replicas``, and for ``b``, while it was at rest with ``was``."""
    sets = tuple(
        ReplicaSet(revision=name, created_ns=number, replicas=size, desired=was, most=was + 2)
        for number, (name, size) in enumerate(sizes.items())
    )
    deployment = Deployment(
        name="d",
        replicas=replicas,
        template=PodTemplate(digest="b", containers=()),
        strategy=RollingUpdate(max_surge=2, max_unavailable=0),
    )
    return State(deployment=deployment, sets=sets, pods=pods, names={}, images={}, budget=None)


def passes(of: State, sizes: dict[str, int], *kept: PodView) -> bool:
    left: Kept = alike(kept)
    return explained(of, Seen(sizes, left), NOW_NS, NOW_NS + S // 10)


SCALED = state(
    7,
    *(pod(f"a{number}", "a", 40) for number in range(7)),
    pod("a7", "a", 60, ready=True),
    pod("b0", "b", 40),
    pod("b1", "b", 40),
    pod("b2", "b", 40, ready=True),
    sizes={"a": 8, "b": 3},
    was=9,
)
AT_REST = {"a": 6, "b": 3}


def test_a_set_sized_down_and_up_again_may_have_replaced_a_pod() -> None:
    """Seen: proportional scaling takes one of b, the replacement gives it back; the rule, which waits, keeps all."""
    old = [each for each in SCALED.pods if each.name in ("a7", "a0", "a1", "a2", "a3", "a4")]
    new = [each for each in SCALED.pods if each.revision == "b"]
    assert rest(SCALED, NOW_NS).kept == alike([*old, *new])
    assert passes(SCALED, AT_REST, *old, *new)
    assert passes(SCALED, AT_REST, *old, new[0], new[2])


def test_a_ready_pod_that_went_before_an_unready_one_is_not_explained() -> None:
    old = [each for each in SCALED.pods if each.name in ("a0", "a1", "a2", "a3", "a4", "a5")]
    new = [each for each in SCALED.pods if each.revision == "b"]
    assert not passes(SCALED, AT_REST, *old, *new)
    assert not passes(SCALED, AT_REST, SCALED.pods[7], *old[:5], new[0], new[1])


def test_pods_of_one_rank_of_age_are_any_but_an_older_rank_stays() -> None:
    pods = [pod("b0", "b", 20), pod("b1", "b", 19), pod("b2", "b", 18), pod("b3", "b", 300)]
    shrunk = state(2, *pods, sizes={"b": 4}, was=4)
    for young in pods[:3]:
        assert passes(shrunk, {"b": 2}, young, pods[3])
    assert not passes(shrunk, {"b": 2}, pods[0], pods[1])
    assert not passes(shrunk, {"b": 2}, pods[0], pods[1], pods[3])


STALE = state(
    2,
    pod("a0", "a", 40, ready=True),
    *(pod(f"a{number}", "a", 40) for number in range(1, 7)),
    pod("b0", "b", 40, ready=True),
    pod("b1", "b", 40, ready=True),
    sizes={"a": 7, "b": 2},
    was=7,
)


def test_old_pods_may_go_for_a_new_one_that_is_gone_already() -> None:
    """Seen in CI: the status told of two available new pods, of which proportional scaling had taken one."""
    _a0, *_, b0, b1 = STALE.pods
    assert rest(STALE, NOW_NS).sizes == {"b": 2}
    assert passes(STALE, {"b": 2}, b0, b1)
    assert passes(STALE, {"b": 2}, b1)
    assert not passes(STALE, {"b": 2})
    assert not passes(STALE, {"b": 1}, b1)
