"""The pod template's digest: it changes exactly when Kubernetes would replace the pods.

A Deployment rolls when ``spec.template`` changes after defaulting (apps/v1: ``EqualIgnoreHash``), so a quantity
written differently or a default written out is no change; neither is a new value in a ConfigMap or Secret.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from harness.stack.manifests import quantity

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
