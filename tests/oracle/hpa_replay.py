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
from harness.control.hpa.history import History
from harness.control.hpa.proposal import Readings
from harness.control.hpa.sync import Look, Outcome, Scale, sync
from harness.model.autoscaling import Hpa, ScaledPod
from tests.oracle import hpa_cases as cases
from tests.oracle.control_plane import NAMESPACE, Client, Json

S = 10**9
#: The controller reads its own clock several times in a reconciliation, and writes in between.
CLOCK_DOUBT_NS = S // 5
#: Short enough that a run sees many scale-downs; the default is 5 minutes.
DOWNSCALE_S = 8
SETTINGS = Settings(downscale_stabilization_ns=DOWNSCALE_S * S)
FLAGS = (
    f"--horizontal-pod-autoscaler-downscale-stabilization={DOWNSCALE_S}s",
    "--horizontal-pod-autoscaler-sync-period=400ms",
    "--concurrent-horizontal-pod-autoscaler-syncs=10",
)


class Tally(msgspec.Struct):
    """Decisions compared, by what came of them."""

    same: int = 0
    ambiguous: int = 0
    different: list[str] = []
    changed: int = 0
    reasons: dict[str, int] = {}

    @property
    def total(self) -> int:
        return self.same + self.ambiguous + len(self.different)


class Subject:
    """One HPA, its Deployment and its pods, and the rule that follows it."""

    def __init__(self, client: Client, dice: random.Random, name: str) -> None:
        self.hpa: Hpa = cases.an_hpa(dice, name)
        self.tally = Tally()
        self._client, self._dice, self._name = client, dice, name
        self._pods: list[ScaledPod] = []
        self._history = History()
        self._pending: Look | None = None
        self._replicas = dice.randint(self.hpa.min_replicas, self.hpa.max_replicas)
        self._reads = 0
        self._items: list[Json] | None = []
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
        self._client.make(self._path("autoscaling/v2", "horizontalpodautoscalers", ""), cases.written_hpa(self.hpa))

    def answer(self) -> list[Json] | None:
        """The controller reads a metric: a new sample at a reconciliation's first reading."""
        with self._lock:
            first = self._reads % len(self.hpa.metrics) == 0
            self._reads += 1
            if first:
                self._judge()
                self._change_a_pod()
                time.sleep(self._dice.uniform(0, 0.2))  # else all readings lie on a grid, and windows end on it
                self._sample()
            return self._items

    def _sample(self) -> None:
        used = cases.usage(self._dice, self._pods, self.hpa)
        self._items = cases.written_usage(used)
        self._pending = Look(
            hpa=self.hpa,
            scale=Scale(self._replicas, 0),
            pods=tuple(self._pods),
            readings=Readings(pods=used),
            now_ns=time.time_ns(),
            settings=SETTINGS,
        )

    def _judge(self) -> None:
        """What the controller made of the last sample."""
        look = self._pending
        if look is None:
            return
        real: int = self._client.get(self._path("apps/v1", "deployments"))["spec"]["replicas"]
        found = [self._outcome(look, doubt_ns) for doubt_ns in (0, CLOCK_DOUBT_NS, -CLOCK_DOUBT_NS)]
        fitting = [outcome for outcome in found if outcome.replicas == real]
        if not fitting:
            was = look.scale.spec_replicas
            told = f"{self._name}: from {was} the controller went to {real}, the rule to {found[0].replicas}"
            self.tally.different.append(f"{told}\n{look}\n{self._history}")
        elif len({outcome.replicas for outcome in found}) > 1:
            self.tally.ambiguous += 1
        else:
            self.tally.same += 1
            self._judge_conditions(found[0])
        self._follow(look, (fitting or found)[0], real)

    def _outcome(self, look: Look, doubt_ns: int) -> Outcome:
        return sync(msgspec.structs.replace(look, now_ns=look.now_ns + doubt_ns), self._history)

    def _judge_conditions(self, outcome: Outcome) -> None:
        """The controller's reasons; its status may lag behind a conflict, so they are counted and not required."""
        status = self._client.get(self._path("autoscaling/v2", "horizontalpodautoscalers"))["status"]
        real = {each["type"]: (each["status"] == "True", each["reason"]) for each in status.get("conditions", [])}
        rule = {each.type.value: (each.ok, each.reason) for each in outcome.history.conditions}
        for kind, (ok, reason) in rule.items():
            key = f"{kind}={ok} {reason}"
            same = real.get(kind) == (ok, reason)
            self.tally.reasons[key if same else f"{key}, but {real.get(kind)}"] = (
                self.tally.reasons.get(key if same else f"{key}, but {real.get(kind)}", 0) + 1
            )

    def _follow(self, look: Look, outcome: Outcome, real: int) -> None:
        self.tally.changed += real != look.scale.spec_replicas
        self._history, self._replicas, self._pending = outcome.history, real, None

    def _change_a_pod(self) -> None:
        """Now and then a pod turns ready or unready; the controller lists pods after it has read a metric."""
        if self._dice.random() > 0.05:
            return
        number = self._dice.randrange(len(self._pods))
        pod = cases.changed_pod(self._dice, self._pods[number], int(time.time()))
        self._client.merge(f"/api/v1/namespaces/{NAMESPACE}/pods/{pod.name}/status", cases.written_status(pod))
        self._pods[number] = pod
        time.sleep(0.5)  # until the controller's informer has seen it

    def _path(self, version: str, kind: str, name: str | None = None) -> str:
        end = self._name if name is None else name
        return f"/apis/{version}/namespaces/{NAMESPACE}/{kind}" + (f"/{end}" if end else "")
