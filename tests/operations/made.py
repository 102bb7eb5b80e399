"""A healthy cluster as kubectl tells it, and what is read of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from harness.model.command import Ran
from harness.rehearsals.operations.seen.cluster import asked, observed
from harness.rehearsals.operations.seen.facts import ObservedStack
from harness.rehearsals.operations.types import OperationsDetails, OperationsPlan, Task

NOW = datetime(2026, 1, 2, tzinfo=UTC)
DAILY = OperationsPlan(task=Task.DAILY, context="prod")


def pod(name: str, **status: Any) -> dict[str, Any]:
    """As ``kubectl get pods -o json`` lists it: of two containers, one of which ended a week ago."""
    ended = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2025-12-26T00:00:00Z"}}
    return {
        "metadata": {"name": name},
        "spec": {
            "nodeName": "worker",
            "containers": [
                {"resources": {"requests": {"cpu": "500m", "memory": "512Mi"}}},
                {"resources": {"requests": {"cpu": "100m", "memory": "128Mi"}}},
            ],
        },
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"restartCount": 1, "lastState": ended}, {"restartCount": 0, "lastState": {}}],
            **status,
        },
    }


HPA = {
    "metadata": {"name": "tekutoko-api-hpa"},
    "spec": {
        "minReplicas": 2,
        "maxReplicas": 10,
        "metrics": [
            {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 70}}},
            {"type": "Resource", "resource": {"name": "memory", "target": {"averageUtilization": 80}}},
        ],
    },
    "status": {
        "currentReplicas": 2,
        "desiredReplicas": 2,
        "currentMetrics": [
            {"resource": {"name": "cpu", "current": {"averageUtilization": 12}}},
            {"resource": {"name": "memory", "current": {"averageUtilization": 30}}},
        ],
        "conditions": [
            {"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale", "message": "recommended size"},
            {"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound", "message": "from cpu"},
            {"type": "ScalingLimited", "status": "True", "reason": "TooFewReplicas", "message": "at its least"},
        ],
    },
}


def scaler(
    conditions: Mapping[str, tuple[str, ...]] | None = None, metrics: Mapping[str, tuple[Any, Any]] | None = None
) -> dict[str, Any]:
    """The HPA with other ``conditions``, a status and a reason by their types (() leaves one out), and with ``metrics``
    alone: by its kind what the spec and the status hold of each, ``None`` where the controller could not read it.
    """
    made: dict[str, Any] = json.loads(json.dumps(HPA))
    for type_, said in (conditions or {}).items():
        made["status"]["conditions"] = [each for each in made["status"]["conditions"] if each["type"] != type_]
        if said:
            made["status"]["conditions"].append({"type": type_, "status": said[0], "reason": said[1], "message": "so"})
    if metrics:
        made["spec"]["metrics"] = [{kind: asked} for kind, (asked, _) in metrics.items()]
        made["status"]["currentMetrics"] = [
            {"type": ""} if now is None else {kind: now} for kind, (_, now) in metrics.items()
        ]
    return made


PDB = {"metadata": {"name": "tekutoko-api-pdb"}, "status": {"currentHealthy": 2, "disruptionsAllowed": 1}}
LOGS = '{"severity": "INFO", "message": "Walk created"}\n{"severity": "INFO", "message": "Walk listed"}\nplain\n'
HEALTHY: dict[str, Any] = {
    "pods": [pod("api-1"), pod("api-2")],
    "top": "api-1   12m   90Mi\napi-2   8m    80Mi\n",
    "hpa": [HPA],
    "pdb": [PDB],
    "events": [],
    "logs": LOGS,
}


def seen(**said: Any) -> ObservedStack:
    """The healthy cluster, but for what is ``said`` instead; ``None`` for a command that did not end well."""
    ran = {}
    for name, words in asked("app=tekutoko-api").items():
        found = said.get(name, HEALTHY[name])
        output = "refused" if found is None else found if isinstance(found, str) else json.dumps({"items": found})
        ran[name] = Ran(command=" ".join(("kubectl", *words)), status=int(found is None), output=output)
    return observed("prod/default", ran, NOW)


def details(**changes: Any) -> OperationsDetails:
    """Of a run that saw the healthy cluster, but for ``changes`` in what was seen."""
    return OperationsDetails(observed=msgspec.structs.replace(seen(), **changes))
