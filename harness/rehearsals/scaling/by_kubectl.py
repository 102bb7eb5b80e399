"""The document's kubectl commands, as written, in the run's namespace. The last ones break the run's Deployment."""

from __future__ import annotations

import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from harness.model.command import Ran
from harness.model.message import Tell, verbatim
from harness.rehearsals.scaling.types import Effect, Part
from harness.stack.protocol import ByKubectl

#: The seven that the document names; its folder's kustomization.yaml is ours.
SEVEN = ("deployment", "service", "serviceaccount", "configmap", "secret", "hpa", "poddisruptionbudget")
_FOLLOWED_S = 5.0  # of `logs -f`, which never ends by itself
_STATUS_S = 25.0  # of a rollout that never ends; the document's own waits out the deadline of 600 s
_UNDONE_S = 150.0
_ENDED = -1
_KEPT = 4000  # characters of what a command said, in kubectl.txt
#: What the API server adds to an object; a person who edits a file has none of it.
_SERVERS = ("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields", "selfLink")

Reached = Callable[[int], Awaitable[tuple[int, float | None]]]


class Commands:
    """Runs them in an order that shows what they do to each other; ``ran`` and ``effects`` grow.

    ``folder`` gets what each said, and the manifests that were applied. ``reached`` waits until so many pods are
    endpoints, and tells since when and after how many seconds they were, or ``None``.
    """

    def __init__(
        self, stack: ByKubectl, part: Part, name: str, *, document: Path, folder: Path, say: Tell,
        reached: Reached,
    ) -> None:  # fmt: skip
        self.ran: dict[str, Ran] = {}
        self.effects: list[Effect] = []
        self._stack = stack
        self._part = part
        self._name = name
        self._folder = folder
        self._copy = copied(document, self._folder / "base")
        self._say = say
        self._reached = reached

    async def run(self) -> None:
        """All of them. One that goes on by its nature is ended, and counts as status 0 when it had said something.

        Raises what the stack raises, never for what kubectl says.
        """
        await self._monitoring()
        await self._do("delete hpa", "delete", "hpa", "--all")
        await self._do("scale before", "scale", "deployment", self._name, f"--replicas={self._part.low}")
        at_ns, low_s = await self._reached(self._part.low)
        if low_s is not None:
            await self._numbers(autoscaler=False)
        else:  # what is set next would show nothing; that this was not reached does
            command = self.ran["scale before"].command
            self.effects.append(
                Effect(command=command, autoscaler=False, pods=self._part.low, after_s=None, at_ns=at_ns)
            )
        await self._do("apply hpa", "apply", "-f", "base/hpa.yaml", folder=self._copy)
        await self._numbers(autoscaler=True)
        await self._versions()
        await self._do("apply folder", "apply", "-f", "base/", folder=self._copy)
        await self._do("get all", "get", "all")
        await self._do("get svc", "get", "svc", self._name)

    async def _monitoring(self) -> None:
        await self._do("get pods", "get", "pods")
        await self._do("logs", "logs", "-f", f"deployment/{self._name}", limit_s=_FOLLOWED_S)
        logs = self.ran["logs"]
        if logs.status == _ENDED and logs.output.strip():
            self.ran["logs"] = Ran(command=logs.command, status=0, output=logs.output)
        await self._do("top pods", "top", "pods")
        await self._do("get hpa", "get", "hpa")
        await self._do("get events", "get", "events", "--sort-by=.lastTimestamp")

    async def _numbers(self, *, autoscaler: bool) -> None:
        """Both of the document's ways to another number of pods, up and down."""
        part, hpa = self._part, "on" if autoscaler else "off"
        await self._do(f"scale, HPA {hpa}", "scale", "deployment", self._name, f"--replicas={part.high}")
        await self._effect(part.high, autoscaler=autoscaler)
        for replicas in (part.low, part.high, part.low):
            file = await self._edited(replicas)
            key = f"apply replicas {replicas}, HPA {hpa}"
            await self._do(key, "apply", "-f", f"{file.parent.name}/{file.name}", folder=file.parent)
            await self._effect(replicas, autoscaler=autoscaler)

    async def _effect(self, pods: int, *, autoscaler: bool) -> None:
        command = list(self.ran.values())[-1].command
        if f"replicas={pods}" not in command:
            command += f" (replicas: {pods})"
        at_ns, after_s = await self._reached(pods)
        self.effects.append(Effect(command=command, autoscaler=autoscaler, pods=pods, after_s=after_s, at_ns=at_ns))

    async def _edited(self, replicas: int) -> Path:
        """The Deployment as a person keeps it in a file, with another number: as it runs here, not as the document
        prints it, whose image no cluster but the author's can pull."""
        found = await self._do("get deployment", "get", "deployment", self._name, "--output=json")
        file = self._folder / "edited" / "deployment.yaml"
        file.parent.mkdir(exist_ok=True)
        if found.status == 0:
            file.write_text(json.dumps(edited(json.loads(found.output), replicas), indent=2))  # JSON is YAML
        return file

    async def _versions(self) -> None:
        deployment = f"deployment/{self._name}"
        await self._do("set image", "set", "image", deployment, "api=gcr.io/PROJECT_ID/tekutoko-api:0000000")
        await self._do("rollout status", "rollout", "status", deployment, limit_s=_STATUS_S)
        await self._do("rollout undo", "rollout", "undo", deployment)
        await self._do("status after undo", "rollout", "status", deployment, limit_s=_UNDONE_S)

    async def _do(self, key: str, *words: str, limit_s: float = 60.0, folder: Path | None = None) -> Ran:
        self._say(verbatim(f"kubectl {' '.join(words)}"))
        one = self.ran[key] = await self._stack.kubectl(*words, limit_s=limit_s, folder=folder)
        with (self._folder / "kubectl.txt").open("a") as file:
            file.write(f"$ {one.command}\n{one.output[:_KEPT]}\n# status {one.status}\n\n")
        return one


def edited(deployment: dict[str, Any], replicas: int) -> dict[str, Any]:
    """What the API server says of a Deployment as a manifest again, with ``replicas``."""
    metadata = {name: value for name, value in deployment["metadata"].items() if name not in _SERVERS}
    metadata.pop("annotations", None)
    spec = {**deployment["spec"], "replicas": replicas}
    return {"apiVersion": deployment["apiVersion"], "kind": deployment["kind"], "metadata": metadata, "spec": spec}


def copied(document: Path, to: Path) -> Path:
    """The seven files, byte for byte, in a folder of their own."""
    to.mkdir(parents=True)
    for name in SEVEN:
        shutil.copyfile(document / f"{name}.yaml", to / f"{name}.yaml")
    return to
