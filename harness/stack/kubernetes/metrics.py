"""Where the metrics of pods are: in the cluster, and from outside by the API server's proxy (``pods/proxy``).

The API server asks the pod from the control plane's node, on any port of it, whether the pod names that port or not. A
NetworkPolicy that lets nobody to that port refuses it, as it would a Prometheus of the team's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlsplit

import msgspec

from harness.model.manifests import Manifests
from harness.model.stack import Address, Target
from harness.model.variables import Meaning, names
from harness.stack.manifests.forced.sidecar import metrics_port
from harness.stack.target.scraping import PodMetrics

_IMAGE_METRICS_PORT = 9090  # of the bundled API's image
_SIDECAR_PATH = "/metrics"


class Scraped(msgspec.Struct, frozen=True, kw_only=True):
    """Where metrics are: of the pods with the labels ``selector``, at ``port`` and ``path``."""

    selector: str
    port: int
    path: str


def scraped(manifests: Manifests, target: Target) -> Scraped:
    """Of the target's Deployment: its metrics have a port of their own (``METRICS_PORT``, or the target file's variable
    for it), or the API's."""
    deployment = manifests.deployment
    container = deployment.template.containers[0]
    written = {each.name: each.value for each in container.env}
    said = (written.get(name, "") for name in names(Meaning.METRICS_PORT, written, target.variables))
    chosen = next((int(each) for each in said if each.isdigit() and int(each)), None)
    usual = _IMAGE_METRICS_PORT if target.bundled else container.port or 0
    spec = manifests.documents[f"Deployment/{deployment.name}"]["spec"]
    found: Mapping[str, str] = spec["selector"].get("matchLabels") or spec["template"]["metadata"]["labels"]
    return Scraped(
        selector=",".join(f"{name}={value}" for name, value in sorted(found.items())),
        port=usual if chosen is None else chosen,
        path=target.metrics_path,
    )


def by_proxy(
    server: str, namespace: str, pods: Iterable[str], manifests: Manifests, target: Target
) -> Iterator[PodMetrics]:
    """Of each of the pods by name, its target's and its sidecar's, at the API server ``server`` (a URL)."""
    url = urlsplit(server)
    address = Address(host=url.hostname or "", port=url.port or 443)
    own = scraped(manifests, target)
    places = [(False, own.port, own.path)]
    places += [(True, metrics_port(each.args), _SIDECAR_PATH) for each in manifests.deployment.template.containers
               if each.name == manifests.sidecar]  # fmt: skip
    for pod in pods:
        for sidecar, port, path in places:
            inside = f"/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy{path}"
            yield PodMetrics(pod=pod, address=address, path=url.path.rstrip("/") + inside, sidecar=sidecar)
