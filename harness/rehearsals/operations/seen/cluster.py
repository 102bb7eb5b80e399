"""A cluster as kubectl tells it: ``get``, ``top`` and ``logs`` of one namespace, and nothing that changes anything."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.model.command import Ran
from harness.model.stack import OwnCluster
from harness.rehearsals.operations.seen import logs
from harness.rehearsals.operations.seen.facts import AutoscalerNow, BudgetNow, Observed, PodNow, Warned
from harness.stack.kube.kubectl_runner import run_kubectl
from harness.stack.manifests.quantity import millicores, whole_bytes

_LIMIT_S = 30.0
_APP = "app=tekutoko-api"  # the label that the document's manifests give the pods
#: What is asked, by what of the page is made of it.
ASKED: dict[str, tuple[str, ...]] = {
    "pods": ("get", "pods", "-l", _APP, "-o", "json"),
    "top": ("top", "pods", "-l", _APP, "--no-headers"),
    "hpa": ("get", "hpa", "-o", "json"),
    "pdb": ("get", "pdb", "-o", "json"),
    "events": ("get", "events", "--field-selector", "type=Warning", "-o", "json"),
    "logs": ("logs", "-l", _APP, "--all-containers", "--since=24h", "--tail=-1", "--max-log-requests=50"),
}


async def observe(cluster: OwnCluster, namespace: str, scratch: Path, now: datetime) -> Observed:
    """Everything. Raises ``NotCapable`` where this machine has no kubectl."""
    said: dict[str, Ran] = {}
    for name, words in ASKED.items():
        said[name] = await run_kubectl(cluster, namespace, *words, limit_s=_LIMIT_S, scratch=scratch)
    return observed(f"{cluster.context}/{namespace}", said, now)


def observed(where: str, said: Mapping[str, Ran], now: datetime) -> Observed:
    """From what the commands said. Pure."""
    ok = {name: ran.output for name, ran in said.items() if ran.status == 0}
    used = dict(_used(ok.get("top", "")))
    return Observed(
        where=where,
        pods=tuple(_pod(each, used, now) for each in _items(ok, "pods")),
        logs=logs.counted(ok.get("logs", "").splitlines()),
        autoscalers=tuple(map(_autoscaler, _items(ok, "hpa"))) if "hpa" in ok else None,
        budgets=tuple(map(_budget, _items(ok, "pdb"))) if "pdb" in ok else None,
        warnings=tuple(map(_warned, _items(ok, "events"))) if "events" in ok else None,
        unread=tuple((ran.command, ran.output.strip()[-200:]) for ran in said.values() if ran.status != 0),
    )


def _items(ok: Mapping[str, str], name: str) -> Sequence[Mapping[str, Any]]:
    items: Sequence[Mapping[str, Any]] = json.loads(ok[name])["items"] if name in ok else ()
    return items


def _used(top: str) -> Iterator[tuple[str, tuple[float, int]]]:
    """``kubectl top pods``: name, cores, memory."""
    for line in top.splitlines():
        words = line.split()
        if len(words) == 3:
            yield words[0], (millicores(words[1]) / 1000, whole_bytes(words[2]))


def _pod(item: Mapping[str, Any], used: Mapping[str, tuple[float, int]], now: datetime) -> PodNow:
    name, status = item["metadata"]["name"], item["status"]
    containers = status.get("containerStatuses", [])
    ended = [each["lastState"]["terminated"] for each in containers if each.get("lastState", {}).get("terminated")]
    last = max(ended, key=lambda each: each["finishedAt"], default=None)
    asked = [each.get("resources", {}).get("requests", {}) for each in item["spec"]["containers"]]
    cores, memory = used.get(name, (None, None))
    return PodNow(
        name=name,
        phase="Terminating" if "deletionTimestamp" in item["metadata"] else status["phase"],
        ready=any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", [])),
        restarts=sum(each["restartCount"] for each in containers),
        restarted_s=None if last is None else (now - datetime.fromisoformat(last["finishedAt"])).total_seconds(),
        why="" if last is None else f"{last.get('reason', '')} ({last['exitCode']})",
        node=item["spec"].get("nodeName", ""),
        cores=cores,
        memory_bytes=memory,
        asked_cores=sum(millicores(each.get("cpu", "0")) for each in asked) / 1000,
        asked_memory_bytes=sum(whole_bytes(each.get("memory", "0")) for each in asked),
    )


def _autoscaler(item: Mapping[str, Any]) -> AutoscalerNow:
    spec, status = item["spec"], item.get("status", {})
    now = {
        each["resource"]["name"]: each["resource"]["current"].get("averageUtilization")
        for each in status.get("currentMetrics") or ()
        if "resource" in each
    }
    targets = [each["resource"] for each in spec.get("metrics", ()) if "resource" in each]
    return AutoscalerNow(
        name=item["metadata"]["name"],
        least=spec.get("minReplicas", 1),
        most=spec["maxReplicas"],
        replicas=status.get("currentReplicas", 0),
        wanted=status.get("desiredReplicas", 0),
        uses=tuple((each["name"], now.get(each["name"]), each["target"]["averageUtilization"]) for each in targets),
    )


def _budget(item: Mapping[str, Any]) -> BudgetNow:
    status = item.get("status", {})
    return BudgetNow(
        name=item["metadata"]["name"],
        healthy=status.get("currentHealthy", 0),
        allowed=status.get("disruptionsAllowed", 0),
    )


def _warned(item: Mapping[str, Any]) -> Warned:
    about = item["involvedObject"]
    return Warned(
        reason=item.get("reason", ""),
        about=f"{about['kind']}/{about['name']}",
        said=item.get("message", "")[:200],
        times=item.get("count") or 1,
    )
