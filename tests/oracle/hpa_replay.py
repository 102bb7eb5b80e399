"""Each decision of the real HPA controller against the rule's on the same samples.

A reconciliation reads each of its metrics once. When the first is read again, the one before has ended: what the
Deployment's scale then says is the decision on the sample served before.
"""

from __future__ import annotations

import random
import threading
import time

import msgspec

from harness.control.hpa.grouping import Settings
from harness.control.hpa.history import History, Recommendation, stored
from harness.control.hpa.proposal import Readings
from harness.control.hpa.sync import Look, ScaleOutcome, ScaleSubresource, sync
from harness.model.autoscaling import ConditionType, Hpa, HpaCondition, ScaledPod
from tests.oracle import hpa_cases as cases
from tests.oracle.control_plane import NAMESPACE, Client, Json

S = 10**9
#: Short enough that a run sees many scale-downs; the default is 5 minutes.
DOWNSCALE_S = 4
#: At most so long before it asks for its first metric the controller notes what there is.
BEFORE_ASKED_NS = S // 2
SETTINGS = Settings(downscale_stabilization_ns=DOWNSCALE_S * S)
FLAGS = (
    f"--horizontal-pod-autoscaler-downscale-stabilization={DOWNSCALE_S}s",
    "--horizontal-pod-autoscaler-sync-period=400ms",
    "--concurrent-horizontal-pod-autoscaler-syncs=30",
)


class Decision(msgspec.Struct, frozen=True):
    """One of the real controller, with what it saw: ``tests/control/hpa/decisions.json.xz`` keeps some."""

    look: Look
    before: History
    replicas: int
    conditions: dict[str, tuple[bool, str]]


class Tally(msgspec.Struct):
    """Decisions compared, by what came of them. ``kept`` are changes that no doubt about the time could alter."""

    kept: list[Decision] = []

    same: int = 0
    ambiguous: int = 0
    different: list[str] = []
    changed: int = 0
    lost: int = 0
    reasons: dict[str, int] = {}

    @property
    def total(self) -> int:
        return self.same + self.ambiguous + len(self.different)


class Statuses:
    """When each version of an HPA was seen: a reconciliation has decided before it writes its status."""

    def __init__(self, client: Client) -> None:
        self._seen: dict[str, list[tuple[int, int]]] = {}
        path = f"/apis/autoscaling/v2/namespaces/{NAMESPACE}/horizontalpodautoscalers?watch=1"
        # Ends with the API server.
        self._thread = threading.Thread(target=self._follow, args=(client, path), daemon=True)
        self._thread.start()

    def first_after(self, name: str, version: int) -> int | None:
        """The time at which a version after ``version`` was first seen."""
        return next((at_ns for each, at_ns in self._seen.get(name, []) if each > version), None)

    def _follow(self, client: Client, path: str) -> None:
        for row in client.lines(path):
            metadata = row["object"]["metadata"]
            seen = self._seen.get(metadata["name"], [])[-4:]
            self._seen[metadata["name"]] = [*seen, (int(metadata["resourceVersion"]), time.time_ns())]


class Subject:
    """One HPA, its Deployment and its pods, and the rule that follows it."""

    def __init__(self, client: Client, statuses: Statuses, dice: random.Random, name: str) -> None:
        self.hpa: Hpa = cases.an_hpa(dice, name)
        self.tally = Tally()
        self._client, self._dice, self._name = client, dice, name
        self._statuses, self._version = statuses, 0
        self._stale_pods: list[tuple[ScaledPod, ...]] = []  # what a late informer may still show
        self._pods: list[ScaledPod] = []
        # The controller reads its own clock after ours, at some moment until its reconciliation ends: two histories
        # with the same entries, at the earliest and the latest times possible.
        self._early = self._late = History()
        self._pending: Look | None = None
        self._replicas = self._some_replicas()
        self._scaled_by_hand: int | None = None
        self._conditions: dict[str, tuple[bool, str]] = {}
        self._reads = 0
        self._items: list[Json] = []
        self._external: dict[str, list[int]] = {}
        self._lock = threading.Lock()

    def make(self) -> None:
        """Writes all objects; the HPA last."""
        now_s = int(time.time())
        for number in range(self._dice.randint(1, 6)):
            pod = cases.a_pod(self._dice, f"{self._name}-{number}", now_s)
            pods = f"/api/v1/namespaces/{NAMESPACE}/pods"
            self._client.make(pods, cases.written_pod(pod, self._name))
            self._client.merge(f"{pods}/{pod.name}/status", cases.written_status(pod))
            if pod.terminating:
                self._client.call("DELETE", f"{pods}/{pod.name}")
            self._pods.append(pod)
        template = {
            "metadata": {"labels": {"app": self._name}},
            "spec": {"containers": [{"name": "api", "image": "none"}]},
        }
        spec = {"replicas": self._replicas, "selector": {"matchLabels": {"app": self._name}}, "template": template}
        self._client.make(self._path("apps/v1", "deployments", ""), {"metadata": {"name": self._name}, "spec": spec})
        path = self._path("autoscaling/v2", "horizontalpodautoscalers", "")
        self._version = int(self._client.make(path, cases.written_hpa(self.hpa))["metadata"]["resourceVersion"])

    def answer(self, metric: str) -> list[Json]:
        """The controller reads the external ``metric`` or, for "", those of the pods: a new sample at a
        reconciliation's first reading."""
        with self._lock:
            first = self._reads % len(self.hpa.metrics) == 0
            if self._reads == 0:
                self._begin(time.time_ns())
            self._reads += 1
            if first:
                self._judge()
                self._change_a_pod()
                time.sleep(self._dice.uniform(0, 0.2))  # else all readings lie on a grid, and windows end on it
                self._sample()
                self._scale_by_hand()
            return cases.written_external(self._external[metric], metric) if metric else self._items

    def _begin(self, asked_ns: int) -> None:
        """``recordInitialRecommendation`` comes before the first metric is asked for, not long before."""
        self._early, self._late = (
            History(recommendations=(Recommendation(at_ns, self._replicas),))
            for at_ns in (asked_ns - BEFORE_ASKED_NS, asked_ns)
        )

    def _sample(self) -> None:
        used = cases.usage(self._dice, self._pods, self.hpa)
        self._items = cases.written_usage(used)
        self._external = cases.external(self._dice, self.hpa)
        self._pending = Look(
            hpa=self.hpa,
            scale=ScaleSubresource(self._replicas, 0),
            pods=tuple(self._pods),
            readings=Readings(pods=used, custom=self._external),
            now_ns=time.time_ns(),
            settings=SETTINGS,
        )

    def _judge(self) -> None:
        """What the controller made of the last sample."""
        look = self._pending
        if look is None:
            return
        seen_ns = self._statuses.first_after(self._name, self._version)
        end_ns = max(look.now_ns, seen_ns or time.time_ns())
        written = self._client.get(self._path("autoscaling/v2", "horizontalpodautoscalers"))
        self._version = int(written["metadata"]["resourceVersion"])
        real: int = self._client.get(self._path("apps/v1", "deployments"))["spec"]["replicas"]
        late_look = msgspec.structs.replace(look, now_ns=end_ns)
        looks = [look, *(msgspec.structs.replace(look, pods=each) for each in self._stale_pods), late_look]
        found = [sync(at, history) for history in (self._early, self._late) for at in looks]
        possible = {self._left(outcome) for outcome in found}
        if possible == {real}:
            self.tally.same += 1
            self._judge_conditions(look, found, real, _conditions(written))
        elif real in possible:
            self.tally.ambiguous += 1
        else:
            told = (
                f"{self._name}: from {look.scale.spec_replicas} the controller went to {real}, the rule to {possible}"
            )
            self.tally.different.append(f"{told}\n{look}\n{self._early}")
        self._conditions = _conditions(written)
        self._follow(look, found, real)

    def _judge_conditions(
        self, look: Look, found: list[ScaleOutcome], replicas: int, real: dict[str, tuple[bool, str]]
    ) -> None:
        """The three conditions with their reasons. A status written in conflict is lost: it then stays as it was."""
        rules = [{each.type.value: (each.ok, each.reason) for each in one.history.conditions} for one in found]
        lost = real == self._conditions
        for kind, (ok, reason) in real.items():
            told = f"{kind}={ok} {reason}"
            self.tally.reasons[told] = self.tally.reasons.get(told, 0) + 1
        if real not in rules and not lost:
            self.tally.different.append(f"{self._name}: the controller's conditions {real}, the rule's {rules}")
        self.tally.lost += real not in rules and lost
        if not lost and self._scaled_by_hand is None and all(each == real for each in rules):
            self.tally.kept.append(Decision(look, self._early, replicas, real))

    def _follow(self, look: Look, found: list[ScaleOutcome], real: int) -> None:
        """Both histories go on with what the controller decided."""
        early, late = found[0], found[-1]
        decided = next((each.replicas for each in found if self._left(each) == real), real)
        self._early, self._late = (_corrected(look, each, decided, self._before(each, found)) for each in (early, late))
        self.tally.changed += decided != look.scale.spec_replicas
        # The controller keeps its conditions in the HPA's status: one that was lost is not carried on.
        kept = tuple(
            HpaCondition(type=ConditionType(kind), ok=ok, reason=reason, message="", since_ns=look.now_ns)
            for kind, (ok, reason) in self._conditions.items()
        )
        self._early = msgspec.structs.replace(self._early, conditions=kept)
        self._late = msgspec.structs.replace(self._late, conditions=kept)
        self._replicas, self._pending, self._scaled_by_hand = real, None, None

    def _before(self, outcome: ScaleOutcome, found: list[ScaleOutcome]) -> History:
        return self._early if outcome is found[0] else self._late

    def _left(self, outcome: ScaleOutcome) -> int:
        """What the scale says after ``outcome``: a decision overwrites the hand's number, no decision leaves it."""
        return outcome.replicas if outcome.rescale or self._scaled_by_hand is None else self._scaled_by_hand

    def _scale_by_hand(self) -> None:
        """Often another number than the HPA left. The controller has read the scale before its metrics, so this one
        is what it finds the next time, unless it decides now."""
        assert self._pending is not None
        number = self._some_replicas()
        # Else a decision and none would look alike.
        told_apart = number not in {sync(self._pending, each).replicas for each in (self._early, self._late)}
        if told_apart and self._dice.random() < 0.4:
            self._scaled_by_hand = number
            self._client.merge(self._path("apps/v1", "deployments"), {"spec": {"replicas": number}})

    def _some_replicas(self) -> int:
        return self._dice.randint(self.hpa.min_replicas, self.hpa.max_replicas)

    def _change_a_pod(self) -> None:
        """Now and then a pod turns ready or unready; the controller lists pods after it has read a metric."""
        self._stale_pods = []
        if self._dice.random() > 0.05:
            return
        self._stale_pods = [tuple(self._pods)]
        number = self._dice.randrange(len(self._pods))
        pod = cases.changed_pod(self._dice, self._pods[number], int(time.time()))
        self._client.merge(f"/api/v1/namespaces/{NAMESPACE}/pods/{pod.name}/status", cases.written_status(pod))
        self._pods[number] = pod
        time.sleep(0.5)  # until the controller's informer has seen it

    def _path(self, version: str, kind: str, name: str | None = None) -> str:
        end = self._name if name is None else name
        return f"/apis/{version}/namespaces/{NAMESPACE}/{kind}" + (f"/{end}" if end else "")


def _conditions(hpa: Json) -> dict[str, tuple[bool, str]]:
    found = hpa.get("status", {}).get("conditions", [])
    return {each["type"]: (each["status"] == "True", each["reason"]) for each in found}


def _corrected(look: Look, outcome: ScaleOutcome, decided: int, before: History) -> History:
    """``outcome``'s history as if it had decided what the controller did, where the time left that open."""
    behavior, current = look.hpa.behavior, look.scale.spec_replicas
    if outcome.replicas == decided or behavior is None:
        return outcome.history
    at_ns = outcome.history.recommendations[-1].at_ns
    changed = before if decided == current else stored(before, behavior, current, decided, at_ns)
    return msgspec.structs.replace(outcome.history, ups=changed.ups, downs=changed.downs)
