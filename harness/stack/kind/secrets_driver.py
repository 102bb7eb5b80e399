"""The real Secrets Store CSI driver in a cluster, for the runs that ask for it: installed, removed, swept.

It is of the whole cluster, so one run at a time has it (``cluster_wide``).
"""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from harness.base.clock import Clock, MachineClock, polling
from harness.base.errors import StackNotStarted
from harness.model.message import Tell, message
from harness.stack.kind.cluster_wide import ClusterWide
from harness.stack.kind.commands import run
from harness.stack.kind.images import binaries
from harness.stack.kind.network import kubectl
from harness.stack.kind.record import Cluster

NAME = "secrets-store.csi.k8s.io"
ADDON = Path(__file__).parent / "addons" / "secrets-store.yaml"
MARKED = "secrets-store"  # the file in the cluster's folder
INSTALL_LIMIT_S = 300.0
UNUSED_LIMIT_S = 60.0
_POLL_S = 1.0
_MODULE = "sigs.k8s.io/secrets-store-csi-driver"
#: Of the module's ``deploy/``: its kinds, what it is for kubelet, its roles.
_OWN_FILES = (
    "secrets-store.csi.x-k8s.io_secretproviderclasses.yaml",
    "secrets-store.csi.x-k8s.io_secretproviderclasspodstatuses.yaml",
    "csidriver.yaml",
    "rbac-secretproviderclass.yaml",
    "rbac-secretproviderrotation.yaml",
    "rbac-secretprovidersyncing.yaml",
    "rbac-secretprovidertokenrequest.yaml",
)


class Driver:
    """The driver in one cluster, until ``remove``."""

    def __init__(self, made: Cluster, clock: Clock, progress: Tell) -> None:
        self._made = made
        self._clock = clock
        self._progress = progress
        self._place = ClusterWide(made.name, MARKED)

    @property
    def installed(self) -> bool:
        """Whether this run brought it into the cluster, or may have, and it is not removed yet."""
        return self._place.installed

    async def install(self, image: str, poll_s: float) -> None:
        """Installs it with ``image``, to look for new versions every ``poll_s``; returns when every worker has it.

        Waits while another run has the cluster's. Raises ``StackNotStarted``.
        """
        await self._place.take(self._clock, self._progress)
        text = await _manifests(image, poll_s)
        await self._kubectl("apply", "--filename=-", what="installing the CSI driver", stdin=text)
        await self._kubectl("wait", "--for=condition=Established", *_kinds(), what="waiting for the driver's kinds")
        waiting = ("--namespace=kube-system", "rollout", "status", "daemonset/csi-secrets-store")
        limit = f"--timeout={INSTALL_LIMIT_S:.0f}s"
        await self._kubectl(*waiting, limit, what="waiting for the CSI driver", limit_s=INSTALL_LIMIT_S + 10)
        self._progress(
            message(
                "the Secrets Store CSI driver {version} runs on every worker", version=binaries.SECRETS_STORE.version()
            )
        )

    async def remove(self) -> None:
        """Removes it, where it was installed, once no pod has a volume of it. Raises ``StackNotStarted``."""
        try:
            if self.installed:
                await _remove(self._made, self._clock)
                self._place.unmark()
        finally:
            await self._place.release()

    async def _kubectl(self, *arguments: str, what: str, limit_s: float = 60.0, stdin: str = "") -> str:
        return await kubectl(self._made.control_plane, *arguments, what=what, limit_s=limit_s, stdin=stdin)


async def sweep(found: Cluster, progress: Tell) -> None:
    """Removes the driver that a killed run left. Raises ``StackNotStarted``."""
    place = ClusterWide(found.name, MARKED)
    with place.left() as left:
        if left:
            await _remove(found, MachineClock())
            place.unmark()
            progress(message("removed the CSI driver from {cluster}", cluster=found.name))


async def _remove(made: Cluster, clock: Clock) -> None:
    """A pod whose volume nobody unmounts would never be gone: the driver stays until there is none."""
    again = polling(clock, limit_s=UNUSED_LIMIT_S, every_s=_POLL_S)
    while users := await _users(made):
        if not await again():
            raise StackNotStarted(
                message("the CSI driver stays: {count} pods have volumes of it", count=str(len(users))), where=users[0]
            )
    gone = ("delete", "--filename=-", "--ignore-not-found", "--timeout=60s")
    text = await _manifests("", 60)
    await kubectl(made.control_plane, *gone, what="removing the CSI driver", limit_s=90, stdin=text)


async def _users(made: Cluster) -> list[str]:
    what = "listing the pods with volumes of the CSI driver"
    listed = await kubectl(made.control_plane, "get", "pods", "--all-namespaces", "--output=json", what=what)
    return [
        f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        for pod in json.loads(listed)["items"]
        if any(volume.get("csi", {}).get("driver") == NAME for volume in pod["spec"].get("volumes", []))
        and "nodeName" in pod["spec"]
    ]


async def _manifests(image: str, poll_s: float) -> str:
    """The driver's own files of its module, and the DaemonSet with the rung's images."""
    command = [binaries.go("the CSI driver's kinds"), "list", "-m", "-f", "{{.Dir}}", _MODULE]
    where = await run(command, what="finding the driver's module", limit_s=60, folder=_module_folder())
    deploy = Path(where.strip()) / "deploy"
    return "\n---\n".join([*((deploy / name).read_text() for name in _OWN_FILES), daemon_set(image, poll_s)])


def daemon_set(image: str, poll_s: float) -> str:
    """The DaemonSet with ``image`` in each container and the poll interval."""
    document = yaml.safe_load(ADDON.read_text())
    for container in document["spec"]["template"]["spec"]["containers"]:
        container["image"] = image
        container["command"] = [word.replace("set-by-the-rung", f"{poll_s:g}s") for word in container["command"]]
    text: str = yaml.safe_dump(document)
    return text


def _kinds() -> list[str]:
    return [
        f"crd/{plural}.secrets-store.csi.x-k8s.io"
        for plural in ("secretproviderclasses", "secretproviderclasspodstatuses")
    ]


def _module_folder() -> Path:
    return binaries.SOURCES / binaries.SECRETS_STORE.name
