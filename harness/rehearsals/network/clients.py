"""The pods that ask: an edge and a stranger beside the target, a foreigner in a namespace of its own.

They run the database sidecar's image, which has a python3 and is in the nodes already. The other namespace carries the
run's own marks, so that a later run sweeps it when this one was killed.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec

from harness.base.errors import BadInput, StackNotStarted
from harness.model.message import message
from harness.rehearsals.network.types import NetworkClient
from harness.stack.kubernetes import labels
from harness.stack.protocol import ByKubectl

EDGE = {"tekutoko.example/edge": "true"}  # as the component networkpolicy lets in
MARK = "tekutoko.example/client"
LISTENS = 9000
SIDECAR = "tekutoko-rehearsal/database-sidecar:"  # as every image of the rung is named
DIAL = (Path(__file__).parent / "dial.py").read_text()
DIAL_TIMEOUT_S = 2.0
_READY_S = 60
_GONE_S = 90
_EXEC_S = 30.0
_LONGEST = 63  # RFC 1123 label
_LISTEN_S = 900
_OTHER = "-other"

Json = dict[str, Any]
Dials = list[tuple[str, str, int, str]]  # name, host, port, how (see ``dial.py``)


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """A pod that can ask. ``namespace`` "" is the run's own."""

    client: NetworkClient
    pod: str
    address: str
    container: str
    namespace: str = ""


class Clients:
    """``start`` once the stack is up; ``stop`` before it is taken down, whatever became of ``start``."""

    def __init__(self, stack: ByKubectl, deployment: str, folder: Path) -> None:
        self._stack = stack
        self._deployment = deployment
        self._folder = folder
        self._listening: set[str] = set()
        self._image = ""
        self._container = ""
        self._other = ""

    async def start(self) -> None:
        """Returns when the pods are ready. Raises ``StackNotStarted``, ``BadInput``."""
        deployment = await self.read("get", "deployment", self._deployment)
        pod = deployment["spec"]["template"]["spec"]
        ours = [each for each in (*pod["containers"], *pod.get("initContainers", [])) if SIDECAR in each["image"]]
        if not ours:
            raise BadInput(
                "no container of the pod runs the rehearsal's database sidecar: nothing there can ask",
                where=f"Deployment/{self._deployment}",
                remedy="give the pods a proxy to the database, as Cloud SQL Proxy is one",
            )
        self._image, self._container = ours[0]["image"], ours[0]["name"]
        own = await self.read("get", "namespace", deployment["metadata"]["namespace"])
        self._other = own["metadata"]["name"][: _LONGEST - len(_OTHER)].rstrip("-") + _OTHER
        await self._apply(
            "own", [self._namespace(own), self._pod(NetworkClient.EDGE, EDGE), self._pod(NetworkClient.STRANGER, {})]
        )
        await self._apply("other", [self._pod(NetworkClient.FOREIGN, EDGE)], self._other)
        for namespace in ("", self._other):
            await self.do(
                "wait", "pods", f"--selector={MARK}", "--for=condition=Ready", f"--timeout={_READY_S}s",
                namespace=namespace, limit_s=_READY_S + 10,
            )  # fmt: skip

    async def stop(self) -> None:
        """Removes the other namespace; the run's own goes with the stack. Raises ``StackNotStarted``."""
        if self._other:
            words = ("delete", "namespace", self._other, "--ignore-not-found", f"--timeout={_GONE_S}s")
            await self.do(*words, limit_s=_GONE_S + 10)

    async def askers(self) -> list[Asker]:
        """Every pod that can ask now: the clients, and the target's ready pods."""
        own, other = await asyncio.gather(
            self.read("get", "pods"), self.read("get", "pods", f"--selector={MARK}", namespace=self._other)
        )
        found = [_client(item) for item in own["items"] if MARK in item["metadata"]["labels"]]
        found += [_client(item, self._other) for item in other["items"]]
        targets = [item for item in own["items"] if _of_the_target(item)]
        return found + [
            Asker(
                client=NetworkClient.TARGET, pod=item["metadata"]["name"], address=item["status"]["podIP"],
                container=self._container,
            )
            for item in targets
        ]  # fmt: skip

    async def ask(self, asker: Asker, dials: Dials) -> dict[str, str]:
        """What came of each dial, by its name. Raises ``StackNotStarted`` when the pod cannot be entered."""
        text = json.dumps([DIAL_TIMEOUT_S, dials])
        said = await self._enter(asker, "ask", text)
        found: dict[str, str] = msgspec.json.decode(said.strip().rpartition("\n")[2])
        return found

    async def listen(self, askers: list[Asker]) -> None:
        """From now on the target's pods listen on a port that is nobody's, too."""
        fresh = [each for each in askers if each.client is NetworkClient.TARGET and each.pod not in self._listening]
        await asyncio.gather(*(self._enter(each, "listen", str(LISTENS), str(_LISTEN_S)) for each in fresh))
        self._listening |= {each.pod for each in fresh}

    async def read(self, *words: str, namespace: str = "") -> Json:
        """What kubectl says as JSON. Raises ``StackNotStarted``."""
        found: Json = json.loads(await self.do(*words, "--output=json", namespace=namespace))
        return found

    async def do(self, *words: str, namespace: str = "", limit_s: float = _EXEC_S, folder: Path | None = None) -> str:
        """Runs kubectl; what it says. Raises ``StackNotStarted`` when it ends in anything but 0."""
        where = (f"--namespace={namespace}",) if namespace else ()
        ran = await self._stack.kubectl(*where, *words, limit_s=limit_s, folder=folder)
        if ran.status != 0:
            raise StackNotStarted(
                message(
                    "kubectl {command} ended in {status}: {output}",
                    command=" ".join(words[:3]),
                    status=str(ran.status),
                    output=ran.output.strip()[-500:],
                ),
                where=namespace or "the run's namespace",
                remedy="see the pods' events in the report",
            )
        return ran.output

    async def _enter(self, asker: Asker, *arguments: str) -> str:
        inside = ("python3", "-I", "-S", "-c", DIAL, *arguments)
        words = ("exec", asker.pod, f"--container={asker.container}", "--", *inside)
        return await self.do(*words, namespace=asker.namespace)

    async def _apply(self, name: str, documents: list[Json], namespace: str = "") -> None:
        folder = self._folder / "clients" / name
        folder.mkdir(parents=True)
        listed = {"apiVersion": "v1", "kind": "List", "items": documents}
        (folder / "clients.json").write_text(json.dumps(listed, indent=2) + "\n")
        await self.do("apply", f"--filename={name}/", namespace=namespace, folder=folder)

    def _namespace(self, own: Json) -> Json:
        marks = {"labels": own["metadata"]["labels"], "annotations": own["metadata"]["annotations"]}
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self._other, **marks}}

    def _pod(self, client: NetworkClient, labels: dict[str, str]) -> Json:
        container = {
            "name": "asks",
            "image": self._image,
            "imagePullPolicy": "Never",
            "command": ["python3", "-I", "-S", "-c", DIAL, "listen", str(LISTENS)],
            "resources": {"requests": {"cpu": "5m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        }
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": client.value, "labels": {MARK: client.value, **labels}},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
        }


def _client(item: Json, namespace: str = "") -> Asker:
    metadata = item["metadata"]
    return Asker(
        client=NetworkClient(metadata["labels"][MARK]), pod=metadata["name"], address=item["status"].get("podIP", ""),
        container="asks", namespace=namespace,
    )  # fmt: skip


def _of_the_target(item: Json) -> bool:
    metadata, status = item["metadata"], item.get("status", {})
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", []))
    labels_ = metadata.get("labels", {})
    of_it = "pod-template-hash" in labels_ and labels.PART not in labels_
    return of_it and "deletionTimestamp" not in metadata and ready
