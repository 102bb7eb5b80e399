"""Secrets from outside on the rung kind: versions of the one in Secret Manager's stand-in, and what becomes of them."""

from __future__ import annotations

import base64
import binascii
import copy
import shlex
from collections.abc import Callable, Sequence

import msgspec

from harness.base.clock import NS, Clock, polling
from harness.base.errors import StackNotStarted
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.secrets import Credentials, SecretSeen, Synced, VolumeTrial
from harness.model.stack import Address
from harness.stack.firebase.rest import request
from harness.stack.kind.network import on_control_plane
from harness.stack.kubernetes import labels
from harness.stack.kubernetes.api_server import NOT_FOUND, ApiServer, ApiServerError, Json
from harness.stack.kubernetes.compose import new_password
from harness.stack.kubernetes.workload import GONE_LIMIT_S
from harness.stack.state import Lease

SECRET = "tekutoko-database"  # noqa: S105 - its name in Secret Manager
SYNCED = "app-secret"
MOUNTED = "/var/run/secrets/tekutoko"
MANAGED = "secrets-store.csi.k8s.io/managed"  # the label of a Secret that the driver made
_STATUSES = "/apis/secrets-store.csi.x-k8s.io/v1/namespaces/{}/secretproviderclasspodstatuses"
_TRIED = ("ServiceAccount", "ConfigMap", "Secret", "SecretProviderClass", "Deployment")
_POLL_S = 0.5
_EXEC_LIMIT_S = 20.0
_LONGEST = 63


class KindSecretStore:
    """``SecretStore`` of the protocol. ``documents`` renders manifests as the stack applies them."""

    def __init__(
        self, api: ApiServer, lease: Lease, *, address: Address, control_plane: str, project: str, container: str,
        documents: Callable[[Manifests], list[Json]], clock: Clock,
    ) -> None:  # fmt: skip
        self._api = api
        self._lease = lease
        self._address = address
        self._control_plane = control_plane
        self._project = project
        self._container = container
        self._documents = documents
        self._clock = clock
        self._namespace = labels.namespace(lease.run_id)
        self._trials: list[str] = []

    def new_password(self) -> str:
        """Another secret."""
        return new_password()

    async def publish(self, credentials: Credentials) -> str:
        """Adds a version; its name."""
        return await publish(self._address, self._project, credentials)

    async def synced(self) -> Synced | None:
        """The Kubernetes Secret as it is now; ``None`` when there is none."""
        return await self._secret(self._namespace)

    async def versions(self) -> dict[str, str]:
        """By pod: the version of the secret in its mounted files, as the driver tells it."""
        listed = await self._api.get(_STATUSES.format(self._namespace))
        found = {}
        for item in listed["items"]:
            status = item.get("status", {})
            versions = {each["version"] for each in status.get("objects") or []}
            found[status.get("podName", "")] = versions.pop() if len(versions) == 1 else ""
        return found

    async def seen(self, pods: Sequence[str]) -> tuple[SecretSeen, ...]:
        """What the target's container of each has; "" where it cannot be asked."""
        return tuple([await self._seen(pod) for pod in pods])

    async def trial(self, name: str, manifests: Manifests, watch_s: float) -> VolumeTrial:
        """One pod of ``manifests`` in a namespace of its own, watched for ``watch_s``, then removed."""
        namespace = f"{self._namespace[: _LONGEST - len(name) - 1]}-{name}"
        self._trials.append(namespace)
        await self._api.apply(self._marked(namespace), namespace)
        documents = [document for document in self._documents(manifests) if document["kind"] in _TRIED]
        for document in copy.deepcopy(documents):
            if document["kind"] == "Deployment":
                document["spec"]["replicas"] = 1
            await self._api.apply(document, namespace)
        start_ns = self._clock.now_ns()
        while self._clock.now_ns() < start_ns + round(watch_s * NS):
            await self._clock.sleep(_POLL_S)
        try:
            return await self._trial(name, namespace, (self._clock.now_ns() - start_ns) / NS)
        finally:
            await self._api.delete(f"/api/v1/namespaces/{namespace}")

    async def remove_trials(self) -> None:
        """Returns when the namespaces of all trials are gone. Raises ``StackNotStarted`` after 60 s."""
        again = polling(self._clock, limit_s=GONE_LIMIT_S, every_s=_POLL_S)
        for namespace in self._trials:
            await self._api.delete(f"/api/v1/namespaces/{namespace}")
            while await self._there(namespace):
                if not await again():
                    raise StackNotStarted(
                        message(
                            "namespace {namespace} is not gone after {gone_limit_s} s",
                            namespace=namespace,
                            gone_limit_s=f"{GONE_LIMIT_S:g}",
                        )
                    )

    async def _there(self, namespace: str) -> bool:
        try:
            await self._api.get(f"/api/v1/namespaces/{namespace}")
        except ApiServerError as error:
            if error.status != NOT_FOUND:
                raise
            return False
        return True

    async def _trial(self, name: str, namespace: str, watched_s: float) -> VolumeTrial:
        pods = (await self._api.get(f"/api/v1/namespaces/{namespace}/pods"))["items"]
        events = (await self._api.get(f"/api/v1/namespaces/{namespace}/events"))["items"]
        statuses = (await self._api.get(_STATUSES.format(namespace)))["items"]
        secret = await self._secret(namespace)
        pod: Json = pods[0] if pods else {"metadata": {"name": ""}, "status": {}}
        containers = [each for each in pod["status"].get("containerStatuses", []) if each["name"] == self._container]
        started = any(each.get("started") and "running" in each.get("state", {}) for each in containers)
        mounts = await self._mounts(namespace, pod["metadata"]["name"]) if started else ()
        told = {
            f"{event.get('type')} {event.get('reason')}: {event.get('message')}": None
            for event in sorted(events, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime")))
            if event.get("involvedObject", {}).get("kind") == "Pod"
        }
        return VolumeTrial(
            name=name,
            watched_s=round(watched_s, 1),
            started=started,
            ready=any(each.get("ready") for each in containers),
            asked=bool(statuses),
            managed=secret is not None and secret.managed,
            events=tuple(told),
            mounts=mounts,
        )

    async def _secret(self, namespace: str) -> Synced | None:
        try:
            found = await self._api.get(f"/api/v1/namespaces/{namespace}/secrets/{SYNCED}")
        except ApiServerError as error:
            if error.status == NOT_FOUND:
                return None
            raise
        data = {key: _decoded(value) for key, value in (found.get("data") or {}).items()}
        credentials = Credentials(user=data.get("db_user", ""), password=data.get("db_password", ""))
        managed = found["metadata"].get("labels", {}).get(MANAGED) == "true"
        return Synced(user=credentials.user, digest=credentials.digest, managed=managed)

    async def _seen(self, pod: str) -> SecretSeen:
        asked = f'printf %s "$DB_PASSWORD" | sha256sum; sha256sum <{shlex.quote(MOUNTED)}/db_password'
        lines = (await self._in_container(self._namespace, pod, asked)).splitlines()
        digests = [line.split()[0] if line.split() and len(line.split()[0]) == 64 else "" for line in lines]
        variable, file, *_ = [*digests, "", ""]
        return SecretSeen(pod=pod, variable=variable, file=file)

    async def _mounts(self, namespace: str, pod: str) -> tuple[str, ...]:
        lines = (await self._in_container(namespace, pod, "cat /proc/self/mounts")).splitlines()
        points = [line.split()[1] for line in lines if len(line.split()) > 2 and "kubernetes.io" not in line]
        return tuple(
            point for point in points if point.startswith("/var/run/secrets") or point.startswith("/run/secrets")
        )

    async def _in_container(self, namespace: str, pod: str, script: str) -> str:
        words = ("exec", pod, f"--container={self._container}", "--", "sh", "-c", script)
        ran = await on_control_plane(self._control_plane, namespace, *words, limit_s=_EXEC_LIMIT_S)
        return ran.output if ran.status == 0 else ""

    def _marked(self, namespace: str) -> Json:
        """As the run's own: a sweep knows its owner."""
        metadata = {
            "name": namespace,
            "labels": {labels.MANAGED: labels.MANAGER},
            "annotations": labels.marks(self._lease),
        }
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


async def publish(address: Address, project: str, credentials: Credentials) -> str:
    """Adds a version of the secret as Secret Manager's REST API has it; its name. Raises ``StackNotStarted``."""
    payload = msgspec.json.encode({"user": credentials.user, "password": credentials.password})
    body = msgspec.json.encode({"payload": {"data": base64.b64encode(payload).decode()}})
    path = f"/v1/projects/{project}/secrets/{SECRET}:addVersion"
    try:
        answer = await request(address, "POST", path, body=body)
    except OSError as error:
        raise StackNotStarted(
            message("Secret Manager's stand-in does not answer: {error}", error=str(error)), where=str(address)
        ) from error
    if answer.status != 200:
        raise StackNotStarted(
            message("Secret Manager's stand-in answered {status}", status=str(answer.status)), where=f"{address}{path}"
        )
    name: str = msgspec.json.decode(answer.body)["name"]
    return name


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
