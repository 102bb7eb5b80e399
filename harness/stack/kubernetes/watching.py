"""What the cluster tells of a run: pods, endpoints, the HPA and events by watch; replicas and usage by asking.

The API server's time stamps on the run's one clock.
The first unplanned end of a part that is no pod of the target: an error while the stack comes up, and afterwards.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from harness.base.clock import NS, Anchor, Clock
from harness.base.errors import PartDied, RehearsalError
from harness.model.evidence import SampleRow
from harness.model.message import Message, message, of_error
from harness.model.stack import PodState
from harness.stack.kubernetes import labels
from harness.stack.kubernetes.api_server import NOT_FOUND, ApiServer, ApiServerError, Json
from harness.stack.manifests import quantity
from harness.stack.process.processes import Feed, Process, endpoints_told

# The run's pods as the API server tells of them: each change of phase, readiness or restarts is an event.

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
            "pod", pod.name, said, state=state.value, restarts=pod.restarts, revision=pod.revision, node=pod.node
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


def monotonic_ns(anchor: Anchor, stamp: str) -> int:
    """An RFC 3339 time stamp of the cluster, whose clock is this machine's."""
    return anchor.monotonic_ns + int(datetime.fromisoformat(stamp).timestamp() * NS) - anchor.unix_ns


class FailureMonitor:
    """``death`` gets the error of the first; ``close`` when ends are no surprise any more."""

    def __init__(self, feed: Feed) -> None:
        self.death: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._feed = feed
        self._tasks: list[asyncio.Task[None]] = []
        self._ending = False
        self._planned: set[int] = set()

    def guard(self, process: Process) -> None:
        """Notices its end."""
        self._feed.event("log", process.part, f"logs/{process.log.name}")
        self.keep(self._notice(process))

    def plan(self, process: Process | None) -> None:
        """The end of ``process`` is no surprise any more."""
        if process is not None:
            self._planned.add(process.pid)

    def keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs ``work`` until ``close``; what it raises is a part's end."""
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    async def close(self) -> None:
        """Ends all watching."""
        self._ending = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if not self.death.done():
            self.death.cancel()

    async def _notice(self, process: Process) -> None:
        await process.wait()
        if process.pid not in self._planned:
            raise process.part_died()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self._ending or task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, RehearsalError):
            self._feed.event("component", error.what.partition(" ")[0].rstrip(":"), message("died"))
        self._feed.fail_with(error)
        if not self.death.done():
            self.death.set_exception(error)
            self.death.exception()  # read here: nobody may be waiting for it


#: What is followed besides events: what the manifests made, and nothing that a rung put beside it.
OF_THE_TARGET = f"!{labels.PART}"
SAMPLE_EVERY_S = 2.0
USAGE_EVERY_S = 5.0  # metrics-server has a new figure every 15 s; sooner than that one is not missed
FIRST_USAGE_EVERY_S = 1.0  # while a ready pod has none: who brings the stack up waits for it
SILENT_LIMIT_S = 45  # longer than two asks that time out (20 s each): on a crowded machine one alone is no death
OF_A_DEPLOYMENT = "pod-template-hash"  # a label that the Deployment's controller gives


class TargetPlace(msgspec.Struct, frozen=True):
    """Where the target is: its namespace, its Deployment, and the containers in it; ``sidecar`` is "" without one."""

    namespace: str
    deployment: str
    container: str
    sidecar: str = ""


class News:
    """Of what a watch lists, what was not told already: after each of its ends it lists all that is there."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def __call__(self, item: Json) -> bool:
        """Whether ``item`` is new, or changed."""
        uid, version = item["metadata"]["uid"], item["metadata"]["resourceVersion"]
        known, self._told[uid] = self._told.get(uid), version
        return bool(known != version)


class Watching:
    """Follows one namespace; ``works`` are run side by side until cancelled."""

    def __init__(self, api: ApiServer, place: TargetPlace, feed: Feed, clock: Clock) -> None:
        self._api = api
        self._namespace = place.namespace
        self._deployment = place.deployment
        self._feed = feed
        self._clock = clock
        self._hpa: Message | None = None
        self._conditions: dict[str, str] = {}
        self._endpoints: tuple[str, ...] | None = None
        self._slices: dict[str, Json] = {}
        self._measured: dict[str, tuple[str, list[Json]]] = {}
        self.pods = WatchedPods(feed)
        self.endpoints_ready = 0  # addresses that the Service sends to

    def works(self, pod_changed: Callable[[RunningPod], None]) -> list[Coroutine[Any, Any, None]]:
        """Each is to run in a task of its own; what one raises is the stack's failure."""
        core, apps = f"/api/v1/namespaces/{self._namespace}", "/apis"
        return [
            self._watch_pods(f"{core}/pods", pod_changed),
            self._watch_slices(f"{apps}/discovery.k8s.io/v1/namespaces/{self._namespace}/endpointslices"),
            self._watch_hpa(f"{apps}/autoscaling/v2/namespaces/{self._namespace}/horizontalpodautoscalers"),
            self._watch_events(f"{core}/events"),
            self._sample(f"{apps}/apps/v1/namespaces/{self._namespace}/deployments/{self._deployment}"),
            self._sample_usage(f"{apps}/metrics.k8s.io/v1beta1/namespaces/{self._namespace}/pods"),
        ]

    @property
    def metrics_flow(self) -> bool:
        """Whether metrics-server has told the usage of every ready pod."""
        ready = {pod.name for pod in self.pods.ready()}
        return bool(ready) and ready <= self._measured.keys()

    async def _watch_pods(self, path: str, changed: Callable[[RunningPod], None]) -> None:
        async for change, item in self._api.watch(path, labelSelector=OF_THE_TARGET):
            if OF_A_DEPLOYMENT not in item["metadata"].get("labels", {}):
                continue  # a pod of its own, beside the target's
            pod = self.pods.take(change, item)
            if pod is not None:
                changed(pod)

    async def _watch_slices(self, path: str) -> None:
        async for change, item in self._api.watch(path, labelSelector=OF_THE_TARGET):
            if change == "DELETED":
                self._slices.pop(item["metadata"]["name"], None)
            else:
                self._slices[item["metadata"]["name"]] = item
            ready = [
                each["targetRef"]["name"]
                for piece in self._slices.values()
                for each in piece.get("endpoints") or []
                if each.get("conditions", {}).get("ready") and "targetRef" in each
            ]
            names = tuple(sorted(ready))
            self.endpoints_ready = len(names)
            if names != self._endpoints:
                self._endpoints = names
                self._feed.event("component", "service", endpoints_told(names), pods=names)

    async def _watch_hpa(self, path: str) -> None:
        async for change, item in self._api.watch(path):
            status = item.get("status", {})
            current, desired = status.get("currentReplicas", 0), status.get("desiredReplicas", 0)
            name = item["metadata"]["name"]
            metrics = list(filter(None, (metric_read(each) for each in status.get("currentMetrics") or [])))
            words = ", ".join(map(_shown, metrics))
            said = message(
                "{change}: wants {desired} of {current} replicas; {metrics}",
                change=change, desired=str(desired), current=str(current), metrics=words or message("no metrics yet"),
            )  # fmt: skip
            if said != self._hpa:
                self._hpa = said
                self._feed.event("component", f"hpa/{name}", said, current=current, desired=desired, metrics=metrics)
            for condition in status.get("conditions") or []:
                self._tell(name, condition)
            self._put("hpa_desired_replicas", name, desired)

    def _tell(self, hpa: str, condition: Json) -> None:
        """A condition of the HPA, when its status or its reason changed."""
        kind, reason = condition["type"], condition.get("reason", "")
        stands = f"{condition['status']} {reason}"
        if self._conditions.get(kind) != stands:
            self._conditions[kind] = stands
            said = f"{kind} is {condition['status']}: {condition.get('message', '')}"
            self._feed.event("autoscaler", hpa, said, reason=reason)

    async def _watch_events(self, path: str) -> None:
        """Kubernetes' own events; a repeated one is told again with its count."""
        is_news = News()
        async for change, item in self._api.watch(path):
            if change == "DELETED" or not is_news(item):
                continue
            about = item.get("involvedObject", {})
            count = item.get("count") or 1
            said = f"{item.get('reason', '')}: {item.get('message', '')}" + (f" ({count} times)" if count > 1 else "")
            subject = f"{about.get('kind', '').lower()}/{about.get('name', '')}"
            self._feed.event("kubernetes", subject, said, type=item.get("type", ""), reason=item.get("reason", ""))

    async def _sample(self, path: str) -> None:
        heard_ns = self._clock.now_ns()
        while True:
            try:
                status = (await self._api.get(path)).get("status", {})
            except ApiServerError as error:
                if error.status not in (0, NOT_FOUND):
                    raise
                if error.status == 0 and self._clock.now_ns() > heard_ns + SILENT_LIMIT_S * NS:
                    raise PartDied(
                        message("the API server is silent: {what}", what=of_error(error)), where=error.given[1]
                    ) from error
            else:
                heard_ns = self._clock.now_ns()
                self._put("replicas", self._deployment, status.get("replicas", 0))
                self._put("ready_replicas", self._deployment, status.get("readyReplicas", 0))
            await self._clock.sleep(SAMPLE_EVERY_S)

    async def _sample_usage(self, path: str) -> None:
        """As ``kubectl top pod``: all containers of a pod together, at the time that metrics-server says."""
        while True:
            try:
                listed = (await self._api.get(path, labelSelector=OF_THE_TARGET)).get("items", [])
            except ApiServerError:  # metrics-server is not ready yet, or busy: there is no figure, so none is written
                listed = []
            for item in listed:
                name = item["metadata"]["name"]
                figure = (item["timestamp"], item["containers"])  # the time is that of one container alone
                if self._measured.get(name) == figure or not item["containers"]:
                    continue
                self._measured[name] = figure
                usages = [container["usage"] for container in item["containers"]]
                at_ns = monotonic_ns(self._clock.anchor, item["timestamp"])
                cores = float(sum(quantity.parse(usage["cpu"]) for usage in usages))
                memory = float(sum(quantity.parse(usage["memory"]) for usage in usages))
                self._feed.publish(SampleRow(at_ns=at_ns, metric="cpu_cores", subject=f"pod/{name}", value=cores))
                self._feed.publish(SampleRow(at_ns=at_ns, metric="memory_bytes", subject=f"pod/{name}", value=memory))
            await self._clock.sleep(USAGE_EVERY_S if self.metrics_flow else FIRST_USAGE_EVERY_S)

    def _put(self, metric: str, subject: str, value: float) -> None:
        self._feed.publish(SampleRow(at_ns=self._clock.now_ns(), metric=metric, subject=subject, value=float(value)))


def metric_read(each: Json) -> Json | None:
    """``status.currentMetrics[]``: of a resource, percent of the requests, and the mean a pod in milli-units; of an
    external metric, its value in milli-units. ``None`` for one without a figure."""
    resource, external = each.get("resource", {}), each.get("external", {})
    current = resource.get("current", {})
    if "averageUtilization" in current:
        average_m = int(quantity.parse(current.get("averageValue", "0")) * 1000)
        return {"name": resource["name"], "utilization": current["averageUtilization"], "average_m": average_m}
    if "value" in external.get("current", {}):
        return {"name": external["metric"]["name"], "value_m": int(quantity.parse(external["current"]["value"]) * 1000)}
    return None


def _shown(metric: Json) -> str:
    figure = f"{metric['utilization']} %" if "utilization" in metric else f"{metric['value_m']}m"
    return f"{metric['name']} {figure}"


# The pods' logs, followed into the report's folder as long as their containers live.

_AGAIN_S = 1.0
_SERVER_ERROR = 500
#: The runtime's stamp before each line, RFC 3339; a fraction has no zeros at its end.
_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(\S*)")


class PodLogs:
    """Writes ``<pod>.log`` for the first container and ``<pod>.<container>.log`` for each other."""

    def __init__(self, api: ApiServer, place: TargetPlace, folder: Path, feed: Feed, clock: Clock) -> None:
        self._api = api
        self._namespace = place.namespace
        self._target = place.container
        self._folder = folder
        self._feed = feed
        self._clock = clock
        self._followed: set[str] = set()
        self._now: dict[str, dict[str, str]] = {}  # each pod's containers, with their ids
        self._tasks: set[asyncio.Task[None]] = set()

    def follow(self, pod: RunningPod) -> None:
        """Begins to follow what is not followed yet: a restarted container has a new id."""
        self._now[pod.name] = dict(pod.containers)
        for container, container_id in pod.containers.items():
            if container_id not in self._followed:
                self._followed.add(container_id)
                task = asyncio.ensure_future(self._copy(pod.name, container, container_id))
                self._tasks.add(task)
                task.add_done_callback(self._ended)

    def path(self, pod: str, container: str) -> Path:
        """Where a container's log is written."""
        return self._folder / (f"{pod}.log" if container == self._target else f"{pod}.{container}.log")

    def first(self, pod: str) -> Path:
        """The target's log of a pod."""
        return self.path(pod, self._target)

    async def close(self) -> None:
        """Ends all."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _copy(self, pod: str, container: str, container_id: str) -> None:
        """To its end. A stream that breaks while the container lives is taken up behind the last line that came."""
        path = self.path(pod, container)
        if not path.exists():
            self._feed.event("log", path.stem, f"logs/{path.name}")
        place = f"/api/v1/namespaces/{self._namespace}/pods/{pod}/log"
        last = known = (b"", b"", b"")
        with path.open("ab", buffering=0) as file:
            while True:
                since = {"sinceTime": (last[0] + last[2]).decode()} if last[0] else {}
                lines = self._api.lines(place, container=container, follow="true", timestamps="true", **since)
                try:
                    async for line in lines:
                        came, said = _stamped(line)
                        if came is None or came > known:
                            file.write(said + b"\n")
                        last = max(last, came or last)
                except ApiServerError as error:
                    if 0 < error.status < _SERVER_ERROR:
                        raise
                else:
                    return
                known = last
                await self._clock.sleep(_AGAIN_S)
                if self._now[pod].get(container) != container_id:
                    return

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if not isinstance(error, ApiServerError):  # a pod that is gone takes its log with it
            self._feed.fail_with(error)


def _stamped(line: bytes) -> tuple[tuple[bytes, bytes, bytes] | None, bytes]:
    """The second, the nanoseconds and the zone of its stamp, which can be compared with those of its node, and what was
    said; ``None`` and all of a line without one, as the kubelet's own are."""
    stamp, _, said = line.partition(b" ")
    found = _STAMP.fullmatch(stamp)
    if found is None:
        return None, line
    return (found[1], (found[2] or b"").ljust(9, b"0"), found[3]), said
