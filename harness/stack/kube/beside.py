"""The parts beside the target while they run: made, followed, their first unplanned end noticed.

The kube rung's PostgreSQL as its operator sees it.
What a run puts beside the target in its namespace: PostgreSQL, the Firebase parts, the gateway. As documents.

Pods of their own and no Deployments: a database that were started anew elsewhere would be an empty one, so an end is an
end. Everything carries the label ``labels.PART``, which keeps it out of what the target's watchers count.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.base.clock import Clock, polling
from harness.base.errors import NotCapable, PartDied, StackNotStarted
from harness.base.typed import PROGRAM
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.stack import Address, DatabaseAccess
from harness.stack.kube import mux
from harness.stack.kubernetes import labels, load_job
from harness.stack.kubernetes.api_server import ApiServer, ApiServerError, Json
from harness.stack.kubernetes.compose import DATABASE, OUTSIDE, Definition, definitions
from harness.stack.kubernetes.documents import Images
from harness.stack.kubernetes.watching import PodLogs, RunningPod, TargetPlace, read
from harness.stack.process.processes import Feed, tail
from harness.stack.process.waiting import together


class KubeDatabase:
    """``Database`` of the protocol."""

    def __init__(self, beside: KubeBeside, address: Address, password: str) -> None:
        self._beside = beside
        self._address = address
        self._password = password

    def access(self) -> DatabaseAccess:
        """The instance that the stack was brought up with, at its loopback port."""
        return DatabaseAccess(address=self._address, superuser="postgres", password=self._password, database="tekutoko")

    async def register(self, instance: str, address: Address) -> None:  # noqa: ARG002 - the protocol's
        """Raises ``NotCapable``: the cluster's pods do not reach this machine."""
        raise NotCapable(
            message(
                "the instance {instance} cannot be registered on kube: its pods do not reach this machine",
                instance=instance,
            ),
            remedy="rehearse the restore with --on local",
        )

    async def lose(self) -> None:
        """The pod killed, its data gone with it."""
        await self._beside.lose_database()

    def standby(self) -> DatabaseAccess | None:
        """There never is one."""
        return None

    async def start_standby(self) -> DatabaseAccess:
        """Raises ``NotCapable``: one pod is all the database there is in somebody's cluster."""
        raise _no_standby()

    async def end_standby(self) -> None:
        """There is none to end."""

    async def kill(self) -> int:
        """Raises ``NotCapable``: nothing could take over."""
        raise _no_standby()

    async def take_over(self) -> None:
        """Raises ``NotCapable``."""
        raise _no_standby()


def _no_standby() -> NotCapable:
    return NotCapable(
        "the environment kube has no standby of PostgreSQL", remedy="rehearse the failover with --on local or kind"
    )


GATEWAY = "gateway"
SERVICE = "service"  # the target's, as the gateway knows it
ACCOUNT = "parts"
GATEWAY_PORT = 9000
CONTAINER = "part"
_MOUNT = "/etc/rehearsal"
_NUMBERED_USER: Json = {"runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532}
_MEMORY = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"cpu": "2", "memory": "1Gi"}}


def name_of(part: str) -> str:
    """The name of a part's pod and Service."""
    return f"rehearsal-{part.replace('_', '-')}"


def account() -> Json:
    """The parts' own service account, without a right: the namespace's default one comes a moment after it."""
    metadata = _metadata(ACCOUNT)
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, "automountServiceAccountToken": False}


def service(part: str, port: int) -> Json:
    """The Service of an outside service."""
    spec = {"selector": {labels.PART: name_of(part)}, "ports": [{"port": port, "targetPort": port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _metadata(part), "spec": spec}


def outside_pod(part: str, definition: Definition, images: Images, password: str) -> Json:
    """The pod of an outside service, as compose.yaml has it."""
    database = part == DATABASE
    variables = {**definition.environment, **({"POSTGRES_PASSWORD": password} if database else {})}
    container = {
        "image": images.by_service[part],
        "args": definition.command,
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "ports": [{"containerPort": definition.port}],
    }
    if not database:  # PostgreSQL's image names its user, and a kubelet cannot tell that a name is not root's
        return _pod(part, container, images, user=_NUMBERED_USER)
    container["volumeMounts"] = [{"name": "shm", "mountPath": "/dev/shm"}]  # noqa: S108 - the pod's
    shm = {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "128Mi"}}
    return _pod(part, container, images, volumes=[shm])


def gateway_script() -> Json:
    """The gateway's program as a ConfigMap, so that it needs no image but the sidecar's, which has Python."""
    program = Path(mux.__file__)
    data = {program.name: program.read_text()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(GATEWAY), "data": data}


def gateway_pod(addresses: dict[str, str], images: Images) -> Json:
    """The gateway, which leads to ``addresses`` (``host:port`` by name) and nowhere else."""
    named = [f"{name}={address}" for name, address in addresses.items()]
    container = {
        "image": images.sidecar,
        "command": ["python3", "-I", "-S", f"{_MOUNT}/{Path(mux.__file__).name}", str(GATEWAY_PORT), *named],
        "volumeMounts": [{"name": "script", "mountPath": _MOUNT}],
    }
    script = {"name": "script", "configMap": {"name": name_of(GATEWAY)}}
    return _pod(GATEWAY, container, images, volumes=[script], user=_NUMBERED_USER)


def hosted(address: str, port: int) -> str:
    """``host:port``, an IPv6 address in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _metadata(part: str) -> Json:
    return {"name": name_of(part), "labels": {labels.MANAGED: labels.MANAGER, labels.PART: name_of(part)}}


def _pod(
    part: str, container: Json, images: Images, *, volumes: list[Any] | None = None, user: Json | None = None
) -> Json:
    closed = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    spec = {
        "containers": [
            {
                "name": CONTAINER,
                "imagePullPolicy": images.pull,
                "resources": _MEMORY,
                "securityContext": closed,
                **container,
            }
        ],
        "restartPolicy": "Never",
        "serviceAccountName": name_of(ACCOUNT),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}, **(user or {})},
        "volumes": volumes or [],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": _metadata(part), "spec": spec}


RUNNING_LIMIT_S = 180.0  # images may have to be pulled
IMAGES = (
    "name the registry that the nodes pull from with --image-registry and fill it once "
    f"({PROGRAM} images --push REGISTRY); a kind cluster takes them by --load NAME"
)
_POLL_S = 0.25


class KubeBeside:
    """``make`` once, after the namespace is there; ``follow`` beside it until cancelled."""

    def __init__(self, api: ApiServer, namespace: str, *, images: Images, logs: Path, feed: Feed, clock: Clock) -> None:
        self.inside: dict[str, str] = {}  # host:port in the cluster, by part, after ``make``
        self._api = api
        self._core = f"/api/v1/namespaces/{namespace}"
        self._images = images
        self._logs = PodLogs(api, TargetPlace(namespace, "", CONTAINER), logs, feed, clock)
        self._feed = feed
        self._clock = clock
        self._known: dict[str, RunningPod] = {}
        self._planned: set[str] = set()

    async def make(self, manifests: Manifests, target_service: Json, password: str) -> None:
        """Services, pods, gateway; returns when all pods run. Raises ``StackNotStarted``, ``ApiServerError``."""
        await self._api.post(f"{self._core}/serviceaccounts", account())
        await together(*(self._outside(part, password) for part in OUTSIDE))
        address = hosted(target_service["spec"]["clusterIP"], manifests.service_port)
        await self._api.post(f"{self._core}/configmaps", gateway_script())
        await self._pod(gateway_pod({SERVICE: address, **self.inside}, self._images))
        await self._all_run({name_of(part) for part in (*OUTSIDE, GATEWAY)})

    async def lose_database(self) -> None:
        """The pod killed and its data with it."""
        self._planned.add(name_of(DATABASE))
        await self._api.delete(f"{self._core}/pods/{name_of(DATABASE)}", gracePeriodSeconds=0)

    async def follow(self) -> None:
        """Notices what becomes of the pods. Raises ``StackNotStarted``, ``PartDied``."""
        async for change, item in self._api.watch(f"{self._core}/pods", labelSelector=labels.PART):
            pod = read(item)
            if pod.name in self._planned or item["metadata"]["labels"][labels.PART] == load_job.NAME:
                continue  # the load's own pods end when it does; that one is lost the load itself tells
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

    async def _outside(self, part: str, password: str) -> None:
        """One outside service: where the cluster reaches it, and its pod."""
        definition = definitions()[part]
        made = await self._api.post(f"{self._core}/services", service(part, definition.port))
        self.inside[part] = hosted(made["spec"]["clusterIP"], definition.port)
        await self._pod(outside_pod(part, definition, self._images, password))

    async def _pod(self, document: Json) -> None:
        try:
            await self._api.post(f"{self._core}/pods", document)
        except ApiServerError as error:
            name = document["metadata"]["name"]
            raise StackNotStarted(
                message("the cluster does not take the pod {name}: {message}", name=name, message=error.message),
                where=error.where,
                remedy="its admission rules (quota, pod security) must let in what harness/stack/kube/beside.py makes",
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

    def _died(self, pod: RunningPod, item: Json) -> PartDied:
        log = self._logs.first(pod.name)
        why = pod.trouble or item.get("status", {}).get("reason") or "deleted"
        return PartDied(
            message("{what}\n{log}", what=message("{part} died: {why}", part=pod.name, why=why), log=tail(log)),
            where=str(log),
            remedy="run again",
        )


def _image(item: Json) -> str:
    return f"image {item['spec']['containers'][0]['image']}"
