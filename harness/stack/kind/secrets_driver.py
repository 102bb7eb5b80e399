"""The real Secrets Store CSI driver in a cluster, for the runs that ask for it: installed, removed, swept.

It is of the whole cluster, so one run at a time has it: a lock in the cluster's folder. A mark beside it says that it
is (or may be) installed; whoever finds the mark without the lock removes the driver.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
from pathlib import Path

import yaml

from harness.clock import NS, Clock, MachineClock
from harness.model.errors import StackNotStarted
from harness.stack.kind import record
from harness.stack.kind.commands import Progress, run
from harness.stack.kind.images import binaries
from harness.stack.kind.lock import locked
from harness.stack.kind.network import kubectl
from harness.stack.kind.record import Cluster

NAME = "secrets-store.csi.k8s.io"
ADDON = Path(__file__).parent / "addons" / "secrets-store.yaml"
MARKED = "secrets-store"  # the file in the cluster's folder
INSTALL_LIMIT_S = 300.0
UNUSED_LIMIT_S = 60.0
LOCK_LIMIT_S = 900.0  # another run's whole rehearsal
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

    def __init__(self, made: Cluster, clock: Clock, progress: Progress) -> None:
        self._made = made
        self._clock = clock
        self._progress = progress
        self._held = contextlib.AsyncExitStack()

    @property
    def installed(self) -> bool:
        """Whether it is in the cluster, or may be."""
        return _mark(self._made.name).exists()

    async def install(self, image: str, poll_s: float) -> None:
        """Installs it with ``image``, to look for new versions every ``poll_s``; returns when every worker has it.

        Waits while another run has the cluster's. Raises ``StackNotStarted``.
        """
        lock = locked(_lock(self._made.name), self._clock, self._progress, limit_s=LOCK_LIMIT_S)
        await self._held.enter_async_context(lock)
        _mark(self._made.name).touch()
        text = await _manifests(image, poll_s)
        await self._kubectl("apply", "--filename=-", what="installing the CSI driver", stdin=text)
        await self._kubectl("wait", "--for=condition=Established", *_kinds(), what="waiting for the driver's kinds")
        waiting = ("--namespace=kube-system", "rollout", "status", "daemonset/csi-secrets-store")
        limit = f"--timeout={INSTALL_LIMIT_S:.0f}s"
        await self._kubectl(*waiting, limit, what="waiting for the CSI driver", limit_s=INSTALL_LIMIT_S + 10)
        self._progress(f"the Secrets Store CSI driver {binaries.SECRETS_STORE.version()} runs on every worker")

    async def remove(self) -> None:
        """Removes it, where it was installed, once no pod has a volume of it. Raises ``StackNotStarted``."""
        try:
            if self.installed:
                await _remove(self._made, self._clock)
        finally:
            await self._held.aclose()

    async def _kubectl(self, *arguments: str, what: str, limit_s: float = 60.0, stdin: str = "") -> str:
        return await kubectl(self._made.control_plane, *arguments, what=what, limit_s=limit_s, stdin=stdin)


async def sweep(found: Cluster, progress: Progress) -> None:
    """Removes the driver that a killed run left. Raises ``StackNotStarted``."""
    if not _mark(found.name).exists():
        return
    with _lock(found.name).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return  # a run has it
        await _remove(found, MachineClock())
    progress(f"removed the CSI driver from {found.name}")


async def _remove(made: Cluster, clock: Clock) -> None:
    """A pod whose volume nobody unmounts would never be gone: the driver stays until there is none."""
    give_up_ns = clock.now_ns() + round(UNUSED_LIMIT_S * NS)
    while users := await _users(made):
        if clock.now_ns() > give_up_ns:
            raise StackNotStarted(f"the CSI driver stays: {len(users)} pods have volumes of it", where=users[0])
        await clock.sleep(_POLL_S)
    gone = ("delete", "--filename=-", "--ignore-not-found", "--timeout=60s")
    text = await _manifests("", 60)
    await kubectl(made.control_plane, *gone, what="removing the CSI driver", limit_s=90, stdin=text)
    _unmark(made.name)


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


def _lock(name: str) -> Path:
    return record.folder(name) / f"{MARKED}.lock"


def _mark(name: str) -> Path:
    return record.folder(name) / MARKED


def _unmark(name: str) -> None:
    _mark(name).unlink(missing_ok=True)
