"""The real Secrets Store CSI driver in a cluster, for the runs that ask for it: installed, removed, swept.

It is of the whole cluster, so one run at a time has it (``addon``).
"""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from harness.base.clock import MachineClock, polling
from harness.base.errors import StackNotStarted
from harness.model.message import gettext_noop, message
from harness.stack.kind.addon import Brought, Wide
from harness.stack.kind.images import binaries
from harness.stack.kind.network import kubectl
from harness.stack.kind.record import Cluster

NAME = "secrets-store.csi.k8s.io"
ADDON = Path(__file__).parent / "addons" / "secrets-store.yaml"
MARKED = "secrets-store"  # the file in the cluster's folder
INSTALL_LIMIT_S = 300.0
UNUSED_LIMIT_S = 60.0
_POLL_S = 1.0
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


class _Driver(Wide, frozen=True):
    """Its files are its module's own, so ``things`` names none."""

    async def delete(self, made: Cluster) -> None:
        """A pod whose volume nobody unmounts would never be gone: the driver stays until there is none.

        Raises ``StackNotStarted``.
        """
        again = polling(MachineClock(), limit_s=UNUSED_LIMIT_S, every_s=_POLL_S)
        while users := await _users(made):
            if not await again():
                raise StackNotStarted(
                    message("the CSI driver stays: {count} pods have volumes of it", count=str(len(users))),
                    where=users[0],
                )
        gone = ("delete", "--filename=-", "--ignore-not-found", "--timeout=60s")
        text = await _manifests("", 60)
        await kubectl(made.control_plane, *gone, what="removing the CSI driver", limit_s=90, stdin=text)


WIDE = _Driver(mark=MARKED, told=gettext_noop("the CSI driver"), things=())


class Driver(Brought):
    """The driver in one cluster, until ``remove``."""

    wide = WIDE

    async def install(self, image: str, poll_s: float) -> None:
        """Installs it with ``image``, to look for new versions every ``poll_s``; returns when every worker has it.

        Waits while another run has the cluster's. Raises ``StackNotStarted``.
        """
        await self._place.take(self._clock, self._progress)
        text = await _manifests(image, poll_s)
        await self.kubectl("apply", "--filename=-", what="installing the CSI driver", stdin=text)
        await self.kubectl("wait", "--for=condition=Established", *_kinds(), what="waiting for the driver's kinds")
        waiting = ("--namespace=kube-system", "rollout", "status", "daemonset/csi-secrets-store")
        limit = f"--timeout={INSTALL_LIMIT_S:.0f}s"
        await self.kubectl(*waiting, limit, what="waiting for the CSI driver", limit_s=INSTALL_LIMIT_S + 10)
        self._progress(
            message(
                "the Secrets Store CSI driver {version} runs on every worker", version=binaries.SECRETS_STORE.version()
            )
        )


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
    deploy = await binaries.source(binaries.SECRETS_STORE) / "deploy"
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
