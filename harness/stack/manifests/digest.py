"""Digests of manifests: of a folder as it is written, and of a pod's template.

That of a template changes exactly when Kubernetes would replace the pods.

A Deployment rolls when ``spec.template`` changes after defaulting (apps/v1: ``EqualIgnoreHash``), so a quantity
written differently or a default written out is no change; neither is a new value in a ConfigMap or Secret.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.base.data import OVERLAYS
from harness.model.manifests import keys_alone
from harness.stack.manifests import kustomize, quantity

_POD_DEFAULTS = {
    "restartPolicy": "Always",
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
    "terminationGracePeriodSeconds": 30,
    "securityContext": {},
    "serviceAccountName": "default",
    "volumes": [],
    "initContainers": [],
}
_CONTAINER_DEFAULTS = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "args": [],
    "command": [],
    "env": [],
    "ports": [],
    "resources": {},
}
_PROBE_DEFAULTS = {
    "initialDelaySeconds": 0,
    "periodSeconds": 10,
    "timeoutSeconds": 1,
    "successThreshold": 1,
    "failureThreshold": 3,
}


def written(folder: Path) -> str:
    """``sha256:...`` of the folder's manifests before a rung changes them, but for the API's image, which is the
    program's, and for Secrets' values. An overlay of ours stands for all of its environment, which runs take in turn.
    Raises ``BadInput``."""
    ours = (
        sorted(OVERLAYS.glob(f"{folder.name.partition('-')[0]}*")) if folder.resolve().parent == OVERLAYS else [folder]
    )
    read = [{key: _written(each) for key, each in kustomize.render(one).documents.items()} for one in ours]
    return f"sha256:{hashlib.sha256(json.dumps(read, sort_keys=True, default=str).encode()).hexdigest()}"


def _written(document: dict[str, Any]) -> dict[str, Any]:
    if document["kind"] == "Secret":
        return keys_alone(document)
    if document["kind"] == "Deployment":
        with suppress(LookupError, TypeError, ValueError):  # of another form it stands as it is
            template = document["spec"]["template"]
            first, *others = template["spec"]["containers"]
            pod = {**template["spec"], "containers": [{**first, "image": ""}, *others]}
            return {**document, "spec": {**document["spec"], "template": {**template, "spec": pod}}}
    return document


def of(template: dict[str, Any]) -> str:
    """A short digest of ``template``, a Deployment's ``spec.template``."""
    pod = template["spec"]
    canonical = {
        "labels": template.get("metadata", {}).get("labels", {}),
        "annotations": template.get("metadata", {}).get("annotations", {}),
        "spec": _without(pod, _POD_DEFAULTS) | {"containers": [_container(each) for each in pod["containers"]]},
    }
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _container(container: dict[str, Any]) -> dict[str, Any]:
    result = _without(container, _CONTAINER_DEFAULTS)
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if probe in result:
            result[probe] = _without(result[probe], _PROBE_DEFAULTS)
            if "httpGet" in result[probe]:
                result[probe]["httpGet"] = _without(result[probe]["httpGet"], {"scheme": "HTTP"})
    if "ports" in result:
        result["ports"] = [_without(port, {"protocol": "TCP"}) for port in result["ports"]]
    resources = result.get("resources", {})
    requests = resources.get("limits", {}) | resources.get("requests", {})  # a missing request is the limit
    if resources:
        result["resources"] = {
            "requests": {key: str(quantity.parse(value).normalize()) for key, value in requests.items()},
            "limits": {
                key: str(quantity.parse(value).normalize()) for key, value in resources.get("limits", {}).items()
            },
        }
    return result


def _without(mapping: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key not in defaults or value != defaults[key]}
