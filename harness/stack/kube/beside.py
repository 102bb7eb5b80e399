"""The parts beside the target while they run: made, followed, their first unplanned end noticed."""

from __future__ import annotations

from pathlib import Path

from harness.base.clock import Clock, polling
from harness.base.errors import PartDied, StackNotStarted
from harness.base.typed import PROGRAM
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.stack.feed import Feed
from harness.stack.kube import parts
from harness.stack.kube.parts import GATEWAY, SERVICE, Images
from harness.stack.kubernetes import labels
from harness.stack.kubernetes.api_server import ApiServer, Json, Refused
from harness.stack.kubernetes.compose import DATABASE, OUTSIDE, definitions
from harness.stack.kubernetes.logs import PodLogs
from harness.stack.kubernetes.pods import Pod, read
from harness.stack.kubernetes.watching import Place
from harness.stack.processes import tail
from harness.stack.waiting import together

RUNNING_LIMIT_S = 180.0  # images may have to be pulled
IMAGES = (
    "name the registry that the nodes pull from with --image-registry and fill it once "
    f"({PROGRAM} images --push REGISTRY); a kind cluster takes them by --load NAME"
)
_POLL_S = 0.25


class Beside:
    """``make`` once, after the namespace is there; ``follow`` beside it until cancelled."""

    def __init__(self, api: ApiServer, namespace: str, *, images: Images, logs: Path, feed: Feed, clock: Clock) -> None:
        self.password = ""
        self.inside: dict[str, str] = {}  # host:port in the cluster, by part, after ``make``
        self._api = api
        self._core = f"/api/v1/namespaces/{namespace}"
        self._images = images
        self._logs = PodLogs(api, Place(namespace, "", parts.CONTAINER), logs, feed, clock)
        self._feed = feed
        self._clock = clock
        self._known: dict[str, Pod] = {}
        self._planned: set[str] = set()

    async def make(self, manifests: Manifests, target_service: Json, password: str) -> None:
        """Services, pods, gateway; returns when all pods run. Raises ``StackNotStarted``, ``Refused``."""
        self.password = password
        await self._api.post(f"{self._core}/serviceaccounts", parts.account())
        await together(*(self._outside(part) for part in OUTSIDE))
        address = parts.hosted(target_service["spec"]["clusterIP"], manifests.service_port)
        await self._api.post(f"{self._core}/configmaps", parts.gateway_script())
        await self._pod(parts.gateway_pod({SERVICE: address, **self.inside}, self._images))
        await self._all_run({parts.name_of(part) for part in (*OUTSIDE, GATEWAY)})

    async def lose_database(self) -> None:
        """The pod killed and its data with it."""
        self._planned.add(parts.name_of(DATABASE))
        await self._api.delete(f"{self._core}/pods/{parts.name_of(DATABASE)}", gracePeriodSeconds=0)

    async def follow(self) -> None:
        """Notices what becomes of the pods. Raises ``StackNotStarted``, ``PartDied``."""
        async for change, item in self._api.watch(f"{self._core}/pods", labelSelector=labels.PART):
            pod = read(item)
            if pod.name in self._planned:
                continue
            if change == "DELETED" or item.get("status", {}).get("phase") in ("Failed", "Succeeded"):
                raise self._died(pod, item)
            before = self._known.get(pod.name)
            self._known[pod.name] = pod
            self._logs.follow(pod)
            if pod.stuck:
                raise StackNotStarted(
                    message("{name} cannot start: {trouble}", name=pod.name, trouble=pod.trouble),
                    where=_image(item),
                    remedy=IMAGES,
                )
            if pod.ready and not (before is not None and before.ready):
                self._feed.event("component", pod.name, message("runs"), node=pod.node)

    async def close(self) -> None:
        """Ends the logs."""
        await self._logs.close()

    async def _outside(self, part: str) -> None:
        """One outside service: where the cluster reaches it, and its pod."""
        definition = definitions()[part]
        made = await self._api.post(f"{self._core}/services", parts.service(part, definition.port))
        self.inside[part] = parts.hosted(made["spec"]["clusterIP"], definition.port)
        await self._pod(parts.outside_pod(part, definition, self._images, self.password))

    async def _pod(self, document: Json) -> None:
        try:
            await self._api.post(f"{self._core}/pods", document)
        except Refused as error:
            name = document["metadata"]["name"]
            raise StackNotStarted(
                message("the cluster does not take the pod {name}: {message}", name=name, message=error.message),
                where=error.where,
                remedy="its admission rules (quota, pod security) must let in what harness/stack/kube/parts.py makes",
            ) from error

    async def _all_run(self, names: set[str]) -> None:
        again = polling(self._clock, limit_s=RUNNING_LIMIT_S, every_s=_POLL_S)
        while waiting := [name for name in sorted(names) if not (name in self._known and self._known[name].ready)]:
            if not await again():
                troubles = [self._known[name].trouble for name in waiting if name in self._known]
                why = "; ".join(filter(None, troubles))
                raise StackNotStarted(
                    message(
                        "not running after {running_limit_s} s: {names}\n  {why}",
                        running_limit_s=f"{RUNNING_LIMIT_S:g}",
                        names=", ".join(waiting),
                        why=why,
                    ),
                    where=self._core,
                    remedy="has the cluster room for them? the report has the pods' events",
                )

    def _died(self, pod: Pod, item: Json) -> PartDied:
        log = self._logs.first(pod.name)
        why = pod.trouble or item.get("status", {}).get("reason") or "deleted"
        return PartDied(
            message("{what}\n{log}", what=message("{part} died: {why}", part=pod.name, why=why), log=tail(log)),
            where=str(log),
            remedy="run again",
        )


def _image(item: Json) -> str:
    return f"image {item['spec']['containers'][0]['image']}"
