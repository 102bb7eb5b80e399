"""One Deployment on the real controllers, as it is and as the rules see it. The tests are its kubelet."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from harness.control.deployment import step
from harness.control.disruption import GuardedPod
from harness.model.autoscaling import PodPhase
from harness.model.cluster import PodView, ReplicaSet
from harness.model.manifests import Budget, BudgetStatus, Deployment, PodTemplate, RollingUpdate
from tests.oracle.control_plane import NAMESPACE, Client, Json
from tests.oracle.hpa_cases import when

S = 10**9
Kept = tuple[PodView, ...]
NEW = "~new"  # the revision of a template that has no ReplicaSet yet; sorts behind every name
CORE = f"/api/v1/namespaces/{NAMESPACE}"
APPS = f"/apis/apps/v1/namespaces/{NAMESPACE}"
POLICY = f"/apis/policy/v1/namespaces/{NAMESPACE}"


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules read. Pods are named by UID, which the real order falls back to; ``names`` gives their names."""

    deployment: Deployment
    sets: tuple[ReplicaSet, ...]
    pods: tuple[PodView, ...]
    names: dict[str, str]
    images: dict[str, str]  # of each ReplicaSet's template
    budget: Json | None
    observed: bool = True  # the controllers have seen all that was written

    def pod(self, uid: str, **fields: Any) -> State:
        """With one pod changed."""
        pods = tuple(msgspec.structs.replace(pod, **fields) if pod.name == uid else pod for pod in self.pods)
        return msgspec.structs.replace(self, pods=pods)

    def ask(self, image: str, **fields: Any) -> State:
        """With another Deployment."""
        revision = next((name for name, each in self.images.items() if each == image), NEW)
        template = PodTemplate(digest=revision, containers=())
        deployment = msgspec.structs.replace(self.deployment, template=template, **fields)
        return msgspec.structs.replace(self, deployment=deployment)


class Rest(msgspec.Struct, frozen=True):
    """Where the controllers come to rest: each ReplicaSet's size and active pods, and the old pods that stay.

    ``kept`` leaves their names out: between pods that are alike in all the rest the real choice is any.
    """

    sizes: dict[str, int]
    active: dict[str, int]
    kept: Kept


def alike(pods: Iterable[PodView]) -> Kept:
    """``pods`` without their names, in an order."""
    return tuple(sorted((msgspec.structs.replace(pod, name="") for pod in pods), key=str))


def rest(state: State, now_ns: int) -> Rest:
    """By the rules: steps until nothing changes, pods dying at once and new ones starting as pending."""
    sets, pods, serial = state.sets, list(state.pods), 0
    while True:
        made = step(sets, pods, state.deployment, now_ns)
        sets = made.sets
        if not made.create and not made.delete:
            break
        pods = [pod for pod in pods if pod.name not in made.delete]
        for revision, count in made.create.items():
            for _ in range(count):
                serial += 1
                fresh = PodView(name=f"~{serial}", revision=revision, created_ns=now_ns, scheduled=False, running=False)
                pods.append(fresh)
    live = [pod for pod in pods if not pod.terminating]
    return Rest(
        sizes={each.revision: each.replicas for each in sets if each.replicas},
        active={each: sum(pod.revision == each for pod in live) for each in {pod.revision for pod in live}},
        kept=alike(pod for pod in live if not pod.name.startswith("~")),
    )


class Workload:
    """Reads and changes the Deployment ``name``."""

    def __init__(self, client: Client, dice: random.Random, name: str) -> None:
        self.client, self.dice, self.name = client, dice, name
        self._select = f"?labelSelector=app%3D{name}"

    def make(self, budget: Budget) -> None:
        """Writes the budget and the Deployment."""
        amounts = {"minAvailable": budget.min_available, "maxUnavailable": budget.max_unavailable}
        spec: Json = {key: value for key, value in amounts.items() if value is not None}
        spec |= {"selector": {"matchLabels": {"app": self.name}}, "unhealthyPodEvictionPolicy": budget.unhealthy.value}
        self.client.make(f"{POLICY}/poddisruptionbudgets", {"metadata": {"name": self.name}, "spec": spec})
        self.client.make(
            f"{APPS}/deployments",
            {
                "metadata": {"name": self.name},
                "spec": {
                    "replicas": 3,
                    "selector": {"matchLabels": {"app": self.name}},
                    "template": {
                        "metadata": {"labels": {"app": self.name}},
                        "spec": {"containers": [{"name": "api", "image": "v1"}]},
                    },
                },
            },
        )

    def read(self) -> State:
        """Everything as the API server has it now."""
        whole = self.client.get(f"{APPS}/deployments/{self.name}")
        deployment = whole["spec"]
        found = self.client.get(f"{APPS}/replicasets{self._select}")["items"]
        pods = self.client.get(f"{CORE}/pods{self._select}")["items"]
        images = {each["metadata"]["name"]: _image(each["spec"]) for each in found}
        rolling = deployment["strategy"]["rollingUpdate"]
        wanted = next((name for name, image in images.items() if image == _image(deployment)), NEW)
        return State(
            deployment=Deployment(
                name=self.name,
                replicas=deployment["replicas"],
                template=PodTemplate(digest=wanted, containers=()),
                strategy=RollingUpdate(max_surge=rolling["maxSurge"], max_unavailable=rolling["maxUnavailable"]),
            ),
            sets=tuple(_set(each) for each in found),
            pods=tuple(_pod(each) for each in pods),
            names={each["metadata"]["uid"]: each["metadata"]["name"] for each in pods},
            images=images,
            budget=self.client.get(f"{POLICY}/poddisruptionbudgets/{self.name}").get("status"),
            observed=_observed(whole) and all(_observed(each) and _acted(each) for each in found),
        )

    def change(self, image: str, spec: Json) -> None:
        """One write of the Deployment."""
        template = {"spec": {"containers": [{"name": "api", "image": image}]}}
        self.client.merge(f"{APPS}/deployments/{self.name}", {"spec": spec | {"template": template}})

    def bind(self, name: str, node: str, cost: int) -> None:
        """The scheduler's part, and the annotation of a deletion cost."""
        if cost:
            annotations = {"controller.kubernetes.io/pod-deletion-cost": str(cost)}
            self.client.merge(f"{CORE}/pods/{name}", {"metadata": {"annotations": annotations}})
        target = {"apiVersion": "v1", "kind": "Node", "name": node}
        self.client.make(f"{CORE}/pods/{name}/binding", {"metadata": {"name": name}, "target": target})

    def report(self, name: str, *, ready: bool, since_s: int, restarts: int) -> None:
        """The kubelet's part: a status."""
        condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": when(since_s * S)}
        container = {"name": "api", "restartCount": restarts, "ready": ready, "image": "x", "imageID": "x"}
        status = {"phase": "Running", "conditions": [condition], "containerStatuses": [container]}
        self.client.merge(f"{CORE}/pods/{name}/status", {"status": status})

    def end(self, name: str) -> None:
        """The kubelet has stopped a terminating pod."""
        self.client.call("DELETE", f"{CORE}/pods/{name}", {"gracePeriodSeconds": 0})


def guarded(pod: PodView) -> GuardedPod:
    """As a budget sees it."""
    phase = PodPhase.RUNNING if pod.running else PodPhase.PENDING
    return GuardedPod(name=pod.name, ready=pod.ready, phase=phase, terminating=pod.terminating)


def known(state: State) -> BudgetStatus | None:
    """The budget's status as the API server has it; ``None`` before the controller's first look."""
    found = state.budget
    if not found or "observedGeneration" not in found:
        return None
    names = {name: uid for uid, name in state.names.items()}
    return BudgetStatus(
        current_healthy=found["currentHealthy"],
        desired_healthy=found["desiredHealthy"],
        expected_pods=found["expectedPods"],
        disruptions_allowed=found["disruptionsAllowed"],
        disrupted={names[name]: _ns(at) for name, at in found.get("disruptedPods", {}).items() if name in names},
    )


def _image(spec: Json) -> str:
    image: str = spec["template"]["spec"]["containers"][0]["image"]
    return image


def _observed(found: Json) -> bool:
    """Whether its controller has seen the last write."""
    return bool(found.get("status", {}).get("observedGeneration", 0) >= found["metadata"]["generation"])


def _acted(replica_set: Json) -> bool:
    return bool(replica_set["status"].get("replicas", 0) == replica_set["spec"]["replicas"])


def _set(found: Json) -> ReplicaSet:
    notes = found["metadata"]["annotations"]
    return ReplicaSet(
        revision=found["metadata"]["name"],
        created_ns=_ns(found["metadata"]["creationTimestamp"]),
        replicas=found["spec"]["replicas"],
        desired=int(notes["deployment.kubernetes.io/desired-replicas"]),
        most=int(notes["deployment.kubernetes.io/max-replicas"]),
    )


def _pod(found: Json) -> PodView:
    metadata, status = found["metadata"], found["status"]
    ready = next((each for each in status.get("conditions", []) if each["type"] == "Ready"), None)
    is_ready = ready is not None and ready["status"] == "True"
    cost = metadata.get("annotations", {}).get("controller.kubernetes.io/pod-deletion-cost", "0")
    return PodView(
        name=metadata["uid"],
        revision=metadata["ownerReferences"][0]["name"],
        created_ns=_ns(metadata["creationTimestamp"]),
        ready=is_ready,
        ready_since_ns=_ns(ready["lastTransitionTime"]) if is_ready and ready is not None else None,
        scheduled="nodeName" in found["spec"],
        running=status["phase"] == "Running",
        terminating="deletionTimestamp" in metadata,
        restarts=max((each["restartCount"] for each in status.get("containerStatuses", [])), default=0),
        deletion_cost=int(cost),
        node=found["spec"].get("nodeName", ""),
    )


def _ns(text: str) -> int:
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()) * S


def now_s() -> int:
    return int(time.time())
