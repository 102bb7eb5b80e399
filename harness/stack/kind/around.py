"""What the cluster tells beside the run's own namespace: its nodes with their zones, their events and their usage."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from harness.base.clock import Clock
from harness.model.evidence import SampleRow
from harness.model.message import Told, message
from harness.stack.feed import Feed
from harness.stack.kubernetes.api_server import ApiServer, Json, Refused
from harness.stack.kubernetes.labels import ZONE
from harness.stack.kubernetes.times import monotonic_ns
from harness.stack.kubernetes.watching import News
from harness.stack.manifests import quantity

USAGE_EVERY_S = 5.0


class Around:
    """Follows the nodes; ``works`` are run side by side until cancelled."""

    def __init__(self, api: ApiServer, feed: Feed, clock: Clock) -> None:
        self._api = api
        self._feed = feed
        self._clock = clock
        self._told: dict[str, Told] = {}
        self._measured: dict[str, str] = {}

    def works(self) -> list[Coroutine[Any, Any, None]]:
        """Each is to run in a task of its own."""
        return [self._watch_nodes(), self._watch_events(), self._sample_usage()]

    async def _watch_nodes(self) -> None:
        async for change, item in self._api.watch("/api/v1/nodes"):
            name, zone = item["metadata"]["name"], item["metadata"]["labels"].get(ZONE, "")
            ready = change != "DELETED" and is_ready(item)
            taints = sorted(f"{taint['key']}:{taint['effect']}" for taint in item["spec"].get("taints") or [])
            said = node_told(zone, taints, ready=ready)
            if self._told.get(name) != said:
                # What is there at first is no news for the timeline.
                kind, subject = ("node", name) if name in self._told else ("component", f"node/{name}")
                self._told[name] = said
                self._feed.event(kind, subject, said, node=name, zone=zone, ready=ready, taints=taints)

    async def _watch_events(self) -> None:
        """Kubernetes' own events about nodes, from now on: they lie in the namespace default."""
        since_ns, is_news = self._clock.now_ns(), News()
        path = "/api/v1/namespaces/default/events"
        async for change, item in self._api.watch(path, fieldSelector="involvedObject.kind=Node"):
            stamp = item.get("lastTimestamp") or item.get("eventTime")
            if change == "DELETED" or not is_news(item):
                continue
            if not stamp or monotonic_ns(self._clock.anchor, stamp) < since_ns:
                continue
            reason = item.get("reason", "")
            said = f"{reason}: {item.get('message', '')}"
            subject = f"node/{item['involvedObject']['name']}"
            self._feed.event("kubernetes", subject, said, type=item.get("type", ""), reason=reason)

    async def _sample_usage(self) -> None:
        """As ``kubectl top node``, at the time that metrics-server says."""
        while True:
            try:
                listed = (await self._api.get("/apis/metrics.k8s.io/v1beta1/nodes")).get("items", [])
            except Refused:  # metrics-server has nothing yet, or is busy: no figure is written
                listed = []
            for item in listed:
                name, stamp = item["metadata"]["name"], item["timestamp"]
                if self._measured.get(name) != stamp:
                    self._measured[name] = stamp
                    at_ns = monotonic_ns(self._clock.anchor, stamp)
                    for metric, resource in (("node_cpu_cores", "cpu"), ("node_memory_bytes", "memory")):
                        value = float(quantity.parse(item["usage"][resource]))
                        self._feed.publish(SampleRow(at_ns=at_ns, metric=metric, subject=f"node/{name}", value=value))
            await self._clock.sleep(USAGE_EVERY_S)


def is_ready(node: Json) -> bool:
    """The node's condition Ready (core/v1 Node)."""
    conditions = node.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def node_told(zone: str, taints: list[str], *, ready: bool) -> Told:
    """A node's state, as an event says it."""
    if zone:
        state = message("ready in {zone}", zone=zone) if ready else message("not ready in {zone}", zone=zone)
    else:
        state = message("ready") if ready else message("not ready")
    return (state, message("taints: {taints}", taints=", ".join(taints))) if taints else (state,)
