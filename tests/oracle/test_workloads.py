"""Rolling updates, victims, budgets and evictions: the rules and the real controllers, one change at a time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from harness.control.disruption import status
from harness.model.manifests import Budget
from tests.oracle import moves
from tests.oracle.control_plane import Client, control_plane, until
from tests.oracle.orders import Seen, explained, instants
from tests.oracle.workload import NEW, Rest, State, Workload, alike, guarded, known, now_s, rest

pytestmark = [pytest.mark.oracle, pytest.mark.slow]

SEED = 6
WAIT_S = 15.0
ROUNDS_OF_ONE = 25
ENOUGH_FOR_REFUSALS = 2000
S = 10**9


class Tally(msgspec.Struct):
    """What was compared."""

    rounds: int = 0
    sizes_changed: int = 0
    victims: int = 0
    ambiguous_victims: int = 0
    other_orders: int = 0
    evictions: dict[int, int] = {}


@pytest.fixture(scope="module")
def client(programs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    controllers = ["deployment-controller", "replicaset-controller", "disruption-controller"]
    with control_plane(programs, tmp_path_factory.mktemp("workloads"), controllers) as made:
        yield made


@pytest.mark.timeout(3600)
def test_the_same_sizes_victims_budgets_and_evictions(client: Client, samples: int) -> None:
    tally = Tally()
    for number in range(max(4, samples // 200)):
        dice = random.Random(f"{SEED}/{number}")
        work, budget = Workload(client, dice, f"d{number}"), moves.a_budget(dice)
        work.make(budget)
        state = _wait(work, budget, lambda found: sum(each.replicas for each in found.sets) == 3, "the first pods")
        for _ in range(ROUNDS_OF_ONE):
            state = _round(work, budget, state, tally)
        client.call("DELETE", f"/apis/apps/v1/namespaces/default/deployments/{work.name}")
    print(f"\n{tally}")
    assert tally.sizes_changed > tally.rounds / 10
    assert tally.victims > 0
    assert 201 in tally.evictions
    if samples >= ENOUGH_FOR_REFUSALS:  # by chance: a few dozen evictions may all be granted
        assert 429 in tally.evictions
    assert tally.ambiguous_victims <= max(2, tally.rounds / 10)


def _round(work: Workload, budget: Budget, before: State, tally: Tally) -> State:
    """One change, and whether the controllers come to rest where the rules do."""
    began_ns, kind = time.time_ns(), work.dice.random()
    if kind < 0.2 and before.pods:
        after, code, rule = moves.eviction(work, before, budget)
        assert code == rule, f"eviction: the API server said {code}, the rule {rule}; {before}"
        tally.evictions[code] = tally.evictions.get(code, 0) + 1
    elif kind < 0.3 and not any(pod.revision != before.deployment.template.digest for pod in before.pods):
        after = moves.strategy(work, before)
    else:
        after = moves.move(work, before)
    expected = rest(after, began_ns)
    image = after.images.get(after.deployment.template.digest) or f"v{len(after.images) + 1}"
    told = f"{expected}\nafter {after}\nbefore {before}"
    try:
        state = _wait(work, budget, lambda found: found.observed and _is(found, expected, image), told)
    except AssertionError:  # at rest elsewhere: that has to be explained
        state = _wait(work, budget, lambda found: found.observed, told)
    _victims(after, expected, state, (began_ns, time.time_ns()), tally)
    tally.rounds += 1
    tally.sizes_changed += {each.revision: each.replicas for each in state.sets if each.replicas} != {
        each.revision: each.replicas for each in before.sets if each.replicas
    }
    tally.victims += sum(not pod.terminating for pod in after.pods) - len(expected.kept)
    return _ended(work, budget, state)


def _victims(after: State, expected: Rest, state: State, span_ns: tuple[int, int], tally: Tally) -> None:
    """The pods and sizes that the rules come to are there, or those that another order of the controllers' steps has."""
    names = {pod.name for pod in after.pods}
    kept = alike(pod for pod in state.pods if pod.name in names and not pod.terminating)
    sizes = {each.revision if each.revision in after.images else NEW: each.replicas for each in state.sets}
    sizes = {name: size for name, size in sizes.items() if size}
    by_rule = {rest(after, now_ns).kept for now_ns in instants(after, *span_ns)}  # ages are compared by powers of two
    other = sizes != expected.sizes or kept not in by_rule
    if other:
        told = f"{expected}\nafter {after}\nkept {kept}\nat the end {state}"
        assert explained(after, Seen(sizes, kept), *span_ns), told
    tally.other_orders += other
    tally.ambiguous_victims += len(by_rule) > 1 or other


def _ended(work: Workload, budget: Budget, state: State) -> State:
    """The kubelet ends what terminates, most of the time."""
    going = [state.names[pod.name] for pod in state.pods if pod.terminating]
    if not going or work.dice.random() < 0.3:
        return state
    for name in going:
        work.end(name)
    return _wait(work, budget, lambda found: not any(pod.terminating for pod in found.pods), "the end of pods")


def _is(found: State, expected: Rest, image: str) -> bool:
    live = [pod for pod in found.pods if not pod.terminating]
    active = {each: sum(pod.revision == each for pod in live) for each in {pod.revision for pod in live}}
    sizes = {each.revision: each.replicas for each in found.sets if each.replicas}
    wanted = moves.translated(expected.sizes, found, image), moves.translated(expected.active, found, image)
    return (sizes, active) == wanted


def _wait(work: Workload, budget: Budget, there: Callable[[State], bool], what: str) -> State:
    """The state once ``there`` holds, the budget's status is the rule's, and both still are a moment later."""

    def settled(found: State) -> bool:
        written = known(found)
        pods = [guarded(pod) for pod in found.pods]
        disrupted = {} if written is None else written.disrupted
        return there(found) and written == status(budget, pods, found.deployment.replicas, disrupted, now_s() * S)

    def look() -> State | None:
        if not settled(work.read()):
            return None
        time.sleep(0.15)
        found = work.read()
        return found if settled(found) else None

    try:
        state: State = until(f"{work.name}: {what}\nbudget {budget}", look, WAIT_S)
    except AssertionError as error:
        raise AssertionError(f"{error}\nat the end {work.read()}\nknown {known(work.read())}") from error
    return state
