"""The document's kubectl commands, as written, in the run's namespace. The last ones break the run's Deployment."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.model.scaling import Ran
from harness.progress import Progress
from harness.stack.protocol import ByKubectl

#: The seven that the document names; its folder's kustomization.yaml is ours.
SEVEN = ("deployment", "service", "serviceaccount", "configmap", "secret", "hpa", "poddisruptionbudget")
_FOLLOWED_S = 5.0  # of `logs -f`, which never ends by itself
_STATUS_S = 25.0  # of a rollout that never ends; the document's own waits out the deadline of 600 s
_UNDONE_S = 150.0


async def run_commands(stack: ByKubectl, name: str, document: str, folder: str, progress: Progress) -> dict[str, Ran]:
    """Each by a short name, in the order run; ``folder`` gets what each said, and the copy that was applied.

    A command that goes on by its nature is ended, and counts as status 0 when it had said something.
    """
    copy = copied(Path(document), Path(folder) / "base")
    said = Path(folder) / "kubectl.txt"
    ran: dict[str, Ran] = {}

    async def do(key: str, *words: str, limit_s: float = 60.0, with_copy: bool = False) -> None:
        progress(f"kubectl {' '.join(words)}")
        one = ran[key] = await stack.kubectl(*words, limit_s=limit_s, folder=copy if with_copy else None)
        with said.open("a") as file:
            file.write(f"$ {one.command}\n{one.output}\n# status {one.status}\n\n")

    deployment = f"deployment/{name}"
    await do("get pods", "get", "pods")
    await do("logs", "logs", "-f", deployment, limit_s=_FOLLOWED_S)
    if ran["logs"].status == -1:
        ran["logs"] = Ran(command=ran["logs"].command, status=0, output=ran["logs"].output)
    await do("top pods", "top", "pods")
    await do("get hpa", "get", "hpa")
    await do("get events", "get", "events", "--sort-by=.lastTimestamp")
    await do("apply hpa", "apply", "-f", "base/hpa.yaml", with_copy=True)
    await do("set image", "set", "image", deployment, "api=gcr.io/PROJECT_ID/tekutoko-api:0000000")
    await do("rollout status", "rollout", "status", deployment, limit_s=_STATUS_S)
    await do("rollout undo", "rollout", "undo", deployment)
    await do("status after undo", "rollout", "status", deployment, limit_s=_UNDONE_S)
    await do("apply folder", "apply", "-f", "base/", with_copy=True)
    await do("get all", "get", "all")
    return ran


def copied(document: Path, to: Path) -> Path:
    """The seven files, byte for byte, in a folder of their own."""
    to.mkdir(parents=True)
    for name in SEVEN:
        shutil.copyfile(document / f"{name}.yaml", to / f"{name}.yaml")
    return to
