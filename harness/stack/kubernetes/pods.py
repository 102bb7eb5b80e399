"""The run's pods as the API server tells of them: each change of phase, readiness or restarts is an event."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.model.message import Message, message
from harness.model.stack import PodState
from harness.stack.kubernetes.api_server import Json
from harness.stack.process.processes import Feed

#: Waiting reasons that end by themselves only when something else is changed.
STUCK = (
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
)
#: Words of a waiting message that the kubelet takes back by itself at its next look: a busy node, not a wrong manifest.
PASSING = ("timed out waiting for the condition", "context deadline exceeded", "failed to sync")


class RunningPod(msgspec.Struct, frozen=True, kw_only=True):
    """One pod as it is now. ``containers`` are the running ones' ids by name, as containerd has them."""

    name: str
    state: PodState
    node: str
    revision: str
    ready: bool
    restarts: int
    created: str
    containers: dict[str, str]
    trouble: str = ""  # why it is not ready, where Kubernetes says
    stuck: bool = False
    was_ready: bool = False


class WatchedPods:
    """Keeps the pods of the target; tells the feed what changed."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self.known: dict[str, RunningPod] = {}

    def ready(self) -> list[RunningPod]:
        """Those that are ready and not terminating, by name."""
        return sorted((pod for pod in self.known.values() if pod.ready), key=lambda pod: pod.name)

    def take(self, change: str, item: Json) -> RunningPod | None:
        """One change of the watch; the pod, or ``None`` when it is gone."""
        pod = read(item)
        before = self.known.get(pod.name)
        if change == "DELETED":
            if self.known.pop(pod.name, None) is not None:
                self._tell(pod, PodState.GONE, message("gone"))
            return None
        was_ready = pod.ready or (before is not None and before.was_ready)
        pod = self.known[pod.name] = msgspec.structs.replace(pod, was_ready=was_ready)
        if before is None or (before.state, before.restarts) != (pod.state, pod.restarts):
            self._tell(pod, pod.state, pod.trouble or _word(before, pod))
        return pod

    def _tell(self, pod: RunningPod, state: PodState, said: str | Message) -> None:
        self._feed.event(
            "pod",
            pod.name,
            said,
            state=state.value,
            restarts=pod.restarts,
            revision=pod.revision,
            node=pod.node,
        )


def read(item: Json) -> RunningPod:
    """A pod of the API server (core/v1 Pod)."""
    metadata, status = item["metadata"], item.get("status", {})
    # A native sidecar's status stands among those of the init containers.
    containers = [*status.get("containerStatuses", []), *status.get("initContainerStatuses", [])]
    conditions = {each["type"]: each for each in status.get("conditions", [])}
    terminating = "deletionTimestamp" in metadata
    ready = conditions.get("Ready", {}).get("status") == "True" and not terminating
    trouble, stuck = _trouble(containers, conditions)
    return RunningPod(
        name=metadata["name"],
        state=_state(status, containers, ready=ready, terminating=terminating),
        node=item.get("spec", {}).get("nodeName", ""),
        revision=metadata.get("labels", {}).get("pod-template-hash", ""),
        ready=ready,
        restarts=sum(each.get("restartCount", 0) for each in containers),
        created=metadata["creationTimestamp"],
        containers={
            each["name"]: each.get("containerID", "").rpartition("//")[2]
            for each in containers
            if "running" in each.get("state", {})
        },
        trouble="" if ready else trouble,
        stuck=stuck,
    )


def _state(status: Json, containers: list[Any], *, ready: bool, terminating: bool) -> PodState:
    if terminating:
        return PodState.TERMINATING
    if any(_waiting(each).get("reason") == "CrashLoopBackOff" for each in containers):
        return PodState.BACK_OFF
    if ready:
        return PodState.READY
    return PodState.RUNNING if status.get("phase") == "Running" else PodState.PENDING


def _trouble(containers: list[Any], conditions: dict[str, Any]) -> tuple[str, bool]:
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return f"{scheduled.get('reason')}: {scheduled.get('message', '')}", False
    for each in containers:
        waiting = _waiting(each)
        reason = waiting.get("reason", "")
        if reason and reason not in ("ContainerCreating", "PodInitializing"):
            message = waiting.get("message", "")
            stuck = reason in STUCK and not any(words in message for words in PASSING)
            return f"{each['name']}: {reason} {message}".rstrip(), stuck
        ended = each.get("state", {}).get("terminated")
        if ended:
            return f"{each['name']}: ended with {ended.get('exitCode')} ({ended.get('reason', '')})", False
    return "", False


def _waiting(container: Any) -> dict[str, Any]:
    waiting: dict[str, Any] = container.get("state", {}).get("waiting", {})
    return waiting


def _word(before: RunningPod | None, pod: RunningPod) -> str | Message:
    if before is None:
        return message("created")
    if pod.restarts > before.restarts:
        return message("a container was restarted")
    words = {
        PodState.PENDING: message("pending"),
        PodState.RUNNING: message("running"),
        PodState.READY: message("ready"),
        PodState.TERMINATING: message("terminating"),
    }
    return words.get(pod.state, pod.state.value.lower())
