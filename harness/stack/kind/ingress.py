"""A real Ingress controller in a run's namespace, for the runs that ask for it: Contour and the Envoy it leads.

It may read nothing but that namespace and goes with it. Contour's own kinds, without which it does not start, are of
the whole cluster, so one run at a time has it (``addon``).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

import yaml

from harness.base.clock import Clock
from harness.model.entry import IngressEntry
from harness.model.message import ProgressCallback, gettext_noop
from harness.model.stack import Address
from harness.stack.kind.addon import Addon, Wide
from harness.stack.kind.images import binaries, recipes
from harness.stack.kind.record import Cluster
from harness.stack.kubernetes import labels
from harness.stack.kubernetes.api_server import Json
from harness.stack.kubernetes.namespace_session import NamespaceSession

ADDON = Path(__file__).parent / "addons" / "ingress.yaml"
NAME = "ingress-controller"
_KINDS = ("httpproxies.projectcontour.io", "tlscertificatedelegations.projectcontour.io")
WIDE = Wide(
    mark="ingress", told=gettext_noop("the Ingress controller's kinds"), things=tuple(f"crd/{name}" for name in _KINDS)
)
_KINDS_FILE = "examples/contour/01-crds.yaml"  # of Contour's module
_CLASS = "--ingress-class-name="
_BY_THE_RUNG = "set-by-the-rung"


class KindIngress(Addon):
    """The controller of one run, until ``remove``."""

    wide, name = WIDE, NAME

    def __init__(
        self, made: Cluster, inside: NamespaceSession, *, scratch: Path, clock: Clock, progress: ProgressCallback
    ) -> None:
        super().__init__(made, inside, scratch=scratch, clock=clock, progress=progress)
        self._image = ""
        self._node_port = 0

    async def start(self, ingress_class: str, pod_labels: Mapping[str, str]) -> IngressEntry:
        """Makes it, or changes its class and its pod's labels; where it answers.

        Waits while another run has the cluster's. Raises ``StackNotStarted``.
        """
        if not self._image:
            self._image = await self.take(recipes.ingress())
            text = await _kinds()
            await self.kubectl("apply", "--server-side", "--filename=-", what="adding Contour's kinds", stdin=text)
            await self.kubectl("wait", "--for=condition=Established", *WIDE.things, what="waiting for Contour's kinds")
        documents_ = documents(self._image, ingress_class, pod_labels)
        (service,) = (each for each in documents_ if each["kind"] == "Service")
        if not self._node_port:
            ports = list(self._made.ports)
            self._node_port = await self._inside.workload.take_node_port(ports, service, self._progress)
        service["spec"]["ports"][0]["nodePort"] = self._node_port
        await self._inside.workload.apply(documents_)
        await self.ready(f"the Ingress controller (Contour {binaries.CONTOUR.version()})")
        made = await self._inside.api.get(f"/api/v1/namespaces/{self._inside.namespace}/services/{NAME}")
        plain = next(port["port"] for port in made["spec"]["ports"] if port["name"] == "http")
        return IngressEntry(
            https=Address(host="127.0.0.1", port=self._made.ports[self._node_port]),
            plain=f"{made['spec']['clusterIP']}:{plain}",
        )

    async def put_certificate(self, name: str, chain: bytes, key: bytes) -> None:
        """The Secret ``name`` with a certificate chain and its key, both PEM."""
        data = {"tls.crt": base64.b64encode(chain).decode(), "tls.key": base64.b64encode(key).decode()}
        metadata = {"name": name, "labels": {labels.PART: WIDE.mark}}
        secret = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": metadata}
        await self._inside.workload.apply([{**secret, "data": data}])


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
    known = yaml.safe_load_all((await binaries.source(binaries.CONTOUR) / _KINDS_FILE).read_text())
    return yaml.safe_dump_all([each for each in known if each["metadata"]["name"] in _KINDS])
