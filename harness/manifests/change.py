"""Manifests changed as people change them: another environment, a fixed number of pods."""

from __future__ import annotations

import hashlib

import msgspec

from harness.model.manifests import EnvVar, Manifests


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
