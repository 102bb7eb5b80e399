"""A real Ingress controller in a run's namespace, for the runs that ask for it: Contour and the Envoy it leads.

It may read nothing but that namespace and goes with it. Contour's own kinds, without which it does not start, are of
the whole cluster, so one run at a time has it (``cluster_wide``).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

import yaml

from harness.base.clock import Clock
from harness.base.errors import StackNotStarted
from harness.model.entry import IngressEntry
from harness.model.stack import Address
from harness.stack.kind.cluster_wide import ClusterWide
from harness.stack.kind.commands import Progress, run
from harness.stack.kind.images import binaries, recipes
from harness.stack.kind.images.build import ensure
from harness.stack.kind.images.load import load
from harness.stack.kind.kubectl_runner import run_kubectl
from harness.stack.kind.network import kubectl
from harness.stack.kind.record import Cluster
from harness.stack.kubernetes import labels
from harness.stack.kubernetes.api_server import Json
from harness.stack.kubernetes.inside import Inside

ADDON = Path(__file__).parent / "addons" / "ingress.yaml"
NAME = "ingress-controller"
MARKED = "ingress"  # the file in the cluster's folder
READY_LIMIT_S = 120.0
_KINDS = ("httpproxies.projectcontour.io", "tlscertificatedelegations.projectcontour.io")
_KINDS_FILE = "examples/contour/01-crds.yaml"  # of Contour's module
_CLASS = "--ingress-class-name="
_BY_THE_RUNG = "set-by-the-rung"


class KindIngress:
    """The controller of one run, until ``remove``. ``scratch`` holds what is only needed meanwhile."""

    def __init__(self, made: Cluster, inside: Inside, *, scratch: Path, clock: Clock, progress: Progress) -> None:
        self._made = made
        self._inside = inside
        self._scratch = scratch
        self._clock = clock
        self._progress = progress
        self._place = ClusterWide(made.name, MARKED)
        self._image = ""
        self._node_port = 0

    @property
    def installed(self) -> bool:
        """Whether this run brought its kinds into the cluster, or may have, and they are not removed yet."""
        return self._place.installed

    async def start(self, ingress_class: str, pod_labels: Mapping[str, str]) -> IngressEntry:
        """Makes it, or changes its class and its pod's labels; where it answers.

        Waits while another run has the cluster's. Raises ``StackNotStarted``.
        """
        if not self._image:
            self._image = await ensure(recipes.ingress(self._clock), self._clock, self._progress)
            await self._place.take(self._clock, self._progress)
            await load(self._made.nodes[1:], [self._image], self._scratch, self._progress)
            text = await _kinds()
            await self._kubectl("apply", "--server-side", "--filename=-", what="adding Contour's kinds", stdin=text)
            established = ("wait", "--for=condition=Established", *(f"crd/{name}" for name in _KINDS))
            await self._kubectl(*established, what="waiting for Contour's kinds")
        documents_ = documents(self._image, ingress_class, pod_labels)
        (service,) = (each for each in documents_ if each["kind"] == "Service")
        if not self._node_port:
            ports = list(self._made.ports)
            self._node_port = await self._inside.workload.take_node_port(ports, service, self._progress)
        service["spec"]["ports"][0]["nodePort"] = self._node_port
        await self._inside.workload.apply(documents_)
        await self._ready()
        made = await self._inside.api.get(f"/api/v1/namespaces/{self._inside.namespace}/services/{NAME}")
        plain = next(port["port"] for port in made["spec"]["ports"] if port["name"] == "http")
        return IngressEntry(
            https=Address(host="127.0.0.1", port=self._made.ports[self._node_port]),
            plain=f"{made['spec']['clusterIP']}:{plain}",
        )

    async def put_certificate(self, name: str, chain: bytes, key: bytes) -> None:
        """The Secret ``name`` with a certificate chain and its key, both PEM."""
        data = {"tls.crt": base64.b64encode(chain).decode(), "tls.key": base64.b64encode(key).decode()}
        metadata = {"name": name, "labels": {labels.PART: MARKED}}
        secret = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": metadata}
        await self._inside.workload.apply([{**secret, "data": data}])

    async def log(self) -> str:
        """What the controller has said."""
        return (await self._in_namespace("logs", f"deployment/{NAME}", "--all-containers", "--prefix", "--tail=2000"))[
            1
        ]

    async def keep_log(self, folder: Path) -> None:
        """``folder/ingress.log``."""
        (folder / "ingress.log").write_text(await self.log())

    async def remove(self, *, whole_cluster_goes: bool) -> None:
        """Removes its kinds, unless the cluster goes; the rest went with the namespace. Raises ``StackNotStarted``."""
        try:
            if self.installed and not whole_cluster_goes:
                await _remove(self._made)
                self._place.unmark()
        finally:
            await self._place.release()

    async def _ready(self) -> None:
        limit = f"--timeout={READY_LIMIT_S:g}s"
        status, said = await self._in_namespace(
            "rollout", "status", f"deployment/{NAME}", limit, limit_s=READY_LIMIT_S + 10
        )
        if status != 0:
            log = await self.log()
            raise StackNotStarted(
                f"the Ingress controller is not ready after {READY_LIMIT_S:g} s: {said.strip()}\n{log[-1500:]}",
                where=f"{self._inside.namespace}: deployment/{NAME}",
                remedy="see the events of its pod in the report",
            )
        self._progress(f"the Ingress controller (Contour {binaries.CONTOUR.version()}) is ready")

    async def _in_namespace(self, *words: str, limit_s: float = 30.0) -> tuple[int, str]:
        ran = await run_kubectl(self._made.control_plane, self._inside.namespace, *words, limit_s=limit_s)
        return ran.status, ran.output

    async def _kubectl(self, *arguments: str, what: str, stdin: str = "") -> str:
        return await kubectl(self._made.control_plane, *arguments, what=what, limit_s=60, stdin=stdin)


async def sweep(found: Cluster, progress: Progress) -> None:
    """Removes the kinds that a killed run left. Raises ``StackNotStarted``."""
    place = ClusterWide(found.name, MARKED)
    with place.left() as left:
        if left:
            await _remove(found)
            place.unmark()
            progress(f"removed the Ingress controller's kinds from {found.name}")


def documents(image: str, ingress_class: str, pod_labels: Mapping[str, str]) -> list[Json]:
    """The controller's documents, for one class of Ingresses."""
    found: list[Json] = list(yaml.safe_load_all(ADDON.read_text()))
    (deployment,) = (each for each in found if each["kind"] == "Deployment")
    template = deployment["spec"]["template"]
    template["metadata"]["labels"] |= pod_labels
    for container in (*template["spec"]["initContainers"], *template["spec"]["containers"]):
        container["image"] = image
        container["command"] = [
            f"{_CLASS}{ingress_class}" if word == f"{_CLASS}{_BY_THE_RUNG}" else word for word in container["command"]
        ]
    return found


async def _kinds() -> str:
    """The two of Contour's kinds that it needs, from its module."""
    module = binaries.CONTOUR
    command = [binaries.go("Contour's kinds"), "list", "-m", "-f", "{{.Dir}}", module.version_of]
    where = await run(command, what="finding Contour's module", limit_s=60, folder=binaries.SOURCES / module.name)
    known = yaml.safe_load_all((Path(where.strip()) / _KINDS_FILE).read_text())
    return yaml.safe_dump_all([each for each in known if each["metadata"]["name"] in _KINDS])


async def _remove(made: Cluster) -> None:
    gone = ("delete", "crd", *_KINDS, "--ignore-not-found", "--timeout=60s")
    await kubectl(made.control_plane, *gone, what="removing Contour's kinds", limit_s=90)
