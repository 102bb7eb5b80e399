"""Manifests changed as people change them: another environment, a fixed number of pods."""

from __future__ import annotations

import copy
import hashlib

import msgspec

from harness.model.manifests import EnvVar, Manifests
from harness.model.variables import PRODUCTION
from harness.stack.manifests.forced import reasons

ALLOW_HTTP = "kubernetes.io/ingress.allow-http"


def with_env(manifests: Manifests, **variables: str) -> Manifests:
    """The first container's environment with ``variables`` set; a change makes the pods due for replacement."""
    deployment, template = manifests.deployment, manifests.deployment.template
    first = template.containers[0]
    if variables.items() <= {each.name: each.value for each in first.env}.items():
        return manifests
    kept = tuple(each for each in first.env if each.name not in variables)
    env = (*kept, *(EnvVar(name=name, value=value, source="value") for name, value in sorted(variables.items())))
    text = template.digest + "".join(f"\n{each.name}={each.value}" for each in env)
    template = msgspec.structs.replace(
        template,
        containers=(msgspec.structs.replace(first, env=env), *template.containers[1:]),
        digest=hashlib.sha256(text.encode()).hexdigest()[:16],
    )
    return msgspec.structs.replace(manifests, deployment=msgspec.structs.replace(deployment, template=template))


def environment_as_written(manifests: Manifests) -> str:
    """Return what the folder tells its pods to be, before the patch that tells them otherwise for a rehearsal: that one
    takes the place of production alone."""
    taken = any(each.reason.startswith(reasons.ENVIRONMENT) for each in manifests.patches)
    return PRODUCTION[0] if taken else manifests.config.get("environment", "")


def without_autoscaler(manifests: Manifests, replicas: int) -> Manifests:
    """With a fixed number of pods and no HPA: what is measured a pod must not stand on a number that changes."""
    documents = {name: doc for name, doc in manifests.documents.items() if not name.startswith("HorizontalPodAuto")}
    deployment = msgspec.structs.replace(manifests.deployment, replicas=replicas)
    return msgspec.structs.replace(manifests, documents=documents, hpa=None, deployment=deployment)


def without_policies(manifests: Manifests) -> Manifests:
    """Without NetworkPolicies: every pod reaches every other, as by default."""
    documents = {name: doc for name, doc in manifests.documents.items() if not name.startswith("NetworkPolicy/")}
    return msgspec.structs.replace(manifests, documents=documents)


def policies(manifests: Manifests) -> tuple[str, ...]:
    """The NetworkPolicies by name."""
    return tuple(key.partition("/")[2] for key in manifests.documents if key.startswith("NetworkPolicy/"))


def ingresses(manifests: Manifests) -> tuple[str, ...]:
    """The Ingresses by name."""
    return tuple(key.partition("/")[2] for key in manifests.documents if key.startswith("Ingress/"))


def without_ingress(manifests: Manifests) -> Manifests:
    """Without Ingresses: users come to the Service, which has a way in of its own again."""
    documents = {name: doc for name, doc in _reachable(manifests).documents.items() if not name.startswith("Ingress/")}
    return msgspec.structs.replace(manifests, documents=documents)


def http_allowed(manifests: Manifests) -> Manifests:
    """With Ingresses that do not forbid plain HTTP, and the Service reachable beside them: on the way from one to the
    other."""
    documents = copy.deepcopy(_reachable(manifests).documents)
    for key, document in documents.items():
        if key.startswith("Ingress/"):
            document["metadata"].get("annotations", {}).pop(ALLOW_HTTP, None)
    return msgspec.structs.replace(manifests, documents=documents)


def _reachable(manifests: Manifests) -> Manifests:
    """A Service that only an Ingress leads to gets the rung's way in, a NodePort."""
    documents = dict(manifests.documents)
    if ingresses(manifests):
        for key, document in manifests.documents.items():
            if key.startswith("Service/") and document["spec"].get("type") == "ClusterIP":
                documents[key] = {**document, "spec": {**document["spec"], "type": "NodePort"}}
    return msgspec.structs.replace(manifests, documents=documents)


def spreads_over_zones(manifests: Manifests) -> bool:
    """Whether the Deployment asks that its pods be spread over zones (topologySpreadConstraints)."""
    spec = manifests.documents[f"Deployment/{manifests.deployment.name}"]["spec"]["template"]["spec"]
    keys = (each.get("topologyKey") for each in spec.get("topologySpreadConstraints", ()))
    return "topology.kubernetes.io/zone" in keys
