"""What happens to a Deployment in one round: made on the API server, and on the rules' state."""

from __future__ import annotations

import random

import msgspec

from harness.control.disruption import evict
from harness.model.manifests import Budget, UnhealthyPodEviction
from tests.oracle.control_plane import Client, Refused
from tests.oracle.workload import CORE, NEW, POLICY, S, State, Workload, guarded, known, now_s

NODES = ("n1", "n2", "n3")
AMOUNTS = (0, 1, 2, 3, "10%", "25%", "34%", "50%", "100%")


def a_budget(dice: random.Random) -> Budget:
    amount = dice.choice((0, 1, 2, 3, "10%", "34%", "50%", "75%", "100%"))
    policy = dice.choice(list(UnhealthyPodEviction))
    if dice.random() < 0.5:
        return Budget(name="b", min_available=amount, unhealthy=policy)
    return Budget(name="b", max_unavailable=amount, unhealthy=policy)


def move(work: Workload, state: State) -> State:
    """One change of the world; the rules' state with the same change in it."""
    dice = work.dice
    live = [pod for pod in state.pods if not pod.terminating]
    unready, ready = [pod for pod in live if not pod.ready], [pod for pod in live if pod.ready]
    kind = dice.random()
    if kind < 0.5 and unready:
        return _turn(work, state, dice.choice(unready).name, True)
    if kind < 0.6 and ready:
        return _turn(work, state, dice.choice(ready).name, False)
    return _ask(work, state, image=kind > 0.75, replicas=kind < 0.85)


def _turn(work: Workload, state: State, uid: str, ready: bool) -> State:
    """A pod becomes ready, or no longer is."""
    name, since_s, restarts = (
        state.names[uid],
        now_s() - work.dice.choice((0, 3, 40, 700)),
        work.dice.choice((0, 0, 1, 4)),
    )
    pod = next(pod for pod in state.pods if pod.name == uid)
    if not pod.scheduled:
        node, cost = work.dice.choice(NODES), work.dice.choice((0, 0, 0, -5, 7))
        work.bind(name, node, cost)
        state = state.pod(uid, scheduled=True, node=node, deletion_cost=cost)
    work.report(name, ready=ready, since_s=since_s, restarts=restarts)
    return state.pod(uid, running=True, ready=ready, ready_since_ns=since_s * S if ready else None, restarts=restarts)


def _ask(work: Workload, state: State, *, image: bool, replicas: bool) -> State:
    """Another template (sometimes an earlier one), another number of replicas, or both in one write."""
    dice, deployment = work.dice, state.deployment
    now = state.images.get(deployment.template.digest, "")
    wanted = dice.choice([*state.images.values(), f"v{len(state.images) + 1}"]) if image else now
    count = dice.choice((0, 1, 2, 3, 4, 5, 7, 9)) if replicas else deployment.replicas
    work.change(wanted, {"replicas": count})
    return state.ask(wanted, replicas=count)


def strategy(work: Workload, state: State) -> State:
    """Other limits. At rest they change nothing by themselves but what is held back."""
    surge, unavailable = work.dice.choice(AMOUNTS), work.dice.choice(AMOUNTS)
    if not str(surge).strip("0%") and not str(unavailable).strip("0%"):
        surge = 1
    image = state.images[state.deployment.template.digest]
    work.change(image, {"strategy": {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}})
    limits = type(state.deployment.strategy)(max_surge=surge, max_unavailable=unavailable)
    return state.ask(image, strategy=limits)


def eviction(work: Workload, state: State, budget: Budget) -> tuple[State, int, int]:
    """(state after it, the API server's code, the rule's) of the eviction of some pod."""
    uid = work.dice.choice([pod.name for pod in state.pods])
    pod = next(pod for pod in state.pods if pod.name == uid)
    status = known(state)
    assert status is not None
    twice = work.dice.random() < 0.1
    extra = f"{POLICY}/poddisruptionbudgets"
    if twice:
        spec = {"minAvailable": 0, "selector": {"matchLabels": {"app": work.name}}}
        work.client.make(extra, {"metadata": {"name": f"{work.name}-2"}, "spec": spec})
    budgets = [(budget, status)] * (2 if twice else 1)
    rule = evict(guarded(pod), budgets, now_s() * S)
    code = _evict(work.client, state.names[uid])
    if twice:
        work.client.call("DELETE", f"{extra}/{work.name}-2")
    if code != 201:
        return state, code, rule.code
    if pod.scheduled:
        return state.pod(uid, terminating=True), code, rule.code
    return _without(state, uid), code, rule.code


def _evict(client: Client, name: str) -> int:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    try:
        client.make(f"{CORE}/pods/{name}/eviction", body)
    except Refused as refused:
        return refused.status
    return 201


def _without(state: State, uid: str) -> State:
    return msgspec.structs.replace(state, pods=tuple(pod for pod in state.pods if pod.name != uid))


def translated(sizes: dict[str, int], state: State, image: str) -> dict[str, int]:
    """``sizes`` with the name that the new ReplicaSet got in ``state``."""
    name = next((name for name, each in state.images.items() if each == image), NEW)
    return {name if revision == NEW else revision: size for revision, size in sizes.items()}
