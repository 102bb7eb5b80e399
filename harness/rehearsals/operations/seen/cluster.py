"""A cluster as kubectl tells it: ``get``, ``top`` and ``logs`` of one namespace, and nothing that changes anything.

Lines of structured logs, counted. Pure.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.base.errors import NOT_JSON
from harness.model.command import Ran
from harness.model.stack import OwnCluster
from harness.rehearsals.operations.seen.facts import (
    AutoscalerNow,
    BudgetNow,
    LogsNow,
    ObservedCondition,
    ObservedStack,
    PodNow,
    Warned,
)
from harness.stack.kubernetes.kubectl_runner import by_context
from harness.stack.manifests.quantity import millicores, whole_bytes

_ERRORS = frozenset({"ERROR", "CRITICAL", "ALERT", "EMERGENCY"})  # Cloud Logging's severities from ERROR up
_MOST = 10


def counted(lines: Iterable[str], since: datetime | None = None) -> LogsNow:
    """By severity, and the messages of errors; a line that says that it is older than ``since`` is none."""
    severities, errors = Counter[str](), Counter[str]()
    for line in lines:
        found = _fields(line)
        if since is not None and (at := _at(found)) is not None and at < since:
            continue
        severity = str(found.get("severity", "")).upper()
        severities[severity] += 1
        if severity in _ERRORS:
            errors[str(found.get("message", ""))[:200]] += 1
    return LogsNow(lines=dict(severities), errors=tuple(errors.most_common(_MOST)))


def _at(fields: dict[str, Any]) -> datetime | None:
    """A structured line's moment; ``None`` of one that tells none, or not from where."""
    try:
        found = datetime.fromisoformat(str(fields.get("timestamp", "")))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _fields(line: str) -> dict[str, Any]:
    """Of a line that is a JSON object; {} of any other."""
    try:
        found = json.loads(line) if line.startswith("{") else {}
    except NOT_JSON:
        return {}
    return found if isinstance(found, dict) else {}


_LIMIT_S = 30.0
_BEGIN = re.compile(r"^\{", re.MULTILINE)
_WORDS = {"top", "logs"}  # all else is asked for as JSON
_KINDS = ("resource", "containerResource", "pods", "object", "external")  # of a metric of autoscaling/v2
_NAMED = ("name", "container", "metric", "describedObject")
_FIGURES = ("averageUtilization", "averageValue", "value")


def asked(selector: str) -> dict[str, tuple[str, ...]]:
    """What is typed, by what of the page is made of it."""
    pods = f"--selector={selector}"
    return {
        "pods": ("get", "pods", pods, "-o", "json"),
        "top": ("top", "pods", pods, "--no-headers"),
        "hpa": ("get", "hpa", "-o", "json"),
        "pdb": ("get", "pdb", "-o", "json"),
        "events": ("get", "events", "--field-selector", "type=Warning", "-o", "json"),
        "logs": ("logs", pods, "--all-containers", "--since=24h", "--tail=-1", "--max-log-requests=50"),
    }


async def observe(cluster: OwnCluster, namespace: str, selector: str, scratch: Path, now: datetime) -> ObservedStack:
    """Everything. Raises ``NotCapable`` where this machine has no kubectl."""
    said: dict[str, Ran] = {}
    for name, words in asked(selector).items():
        said[name] = await by_context(cluster, namespace, *words, limit_s=_LIMIT_S, scratch=scratch)
    return observed(f"{cluster.context}/{namespace}", said, now)


def observed(where: str, said: Mapping[str, Ran], now: datetime) -> ObservedStack:
    """From what the commands said. Pure."""
    ok = {
        name: ran.output for name, ran in said.items() if ran.status == 0 and (name in _WORDS or _document(ran.output))
    }
    used = dict(_used(ok.get("top", "")))
    return ObservedStack(
        where=where,
        pods=tuple(_pod(each, used, now) for each in _items(ok, "pods")),
        logs=counted(ok.get("logs", "").splitlines()),
        autoscalers=tuple(map(_autoscaler, _items(ok, "hpa"))) if "hpa" in ok else None,
        budgets=tuple(map(_budget, _items(ok, "pdb"))) if "pdb" in ok else None,
        warnings=tuple(map(_warned, _items(ok, "events"))) if "events" in ok else None,
        unread=tuple((ran.command, ran.output.strip()[-200:]) for name, ran in said.items() if name not in ok),
    )


def _items(ok: Mapping[str, str], name: str) -> Sequence[Mapping[str, Any]]:
    items: Sequence[Mapping[str, Any]] = _document(ok[name]).get("items") or () if name in ok else ()
    return items


def _document(output: str) -> Mapping[str, Any]:
    """The JSON in what kubectl said, around which it may warn; {} without one."""
    try:
        found, _ = json.JSONDecoder().raw_decode(output, next(_BEGIN.finditer(output)).start())
    except (ValueError, StopIteration):
        return {}
    return dict(found) if "items" in found else {}


def _used(top: str) -> Iterator[tuple[str, tuple[float, int]]]:
    """``kubectl top pods``: name, cores, memory."""
    for line in top.splitlines():
        words = line.split()
        if len(words) == 3:
            yield words[0], (millicores(words[1]) / 1000, whole_bytes(words[2]))


def _asked(spec: Mapping[str, Any], resource: str) -> list[str] | None:
    """What each container that runs as long as its pod requests, a sidecar among the init containers too. ``None``
    where one says nothing: what the pod uses is then no share of anything."""
    beside = [each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    asked = [each.get("resources", {}).get("requests", {}).get(resource) for each in (*beside, *spec["containers"])]
    return None if None in asked else asked


def _pod(item: Mapping[str, Any], used: Mapping[str, tuple[float, int]], now: datetime) -> PodNow:
    name, status = item["metadata"]["name"], item["status"]
    containers = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    ended = [each["lastState"]["terminated"] for each in containers if each.get("lastState", {}).get("terminated")]
    last = max(ended, key=lambda each: each.get("finishedAt") or "", default=None)
    ended_at = None if last is None else last.get("finishedAt")  # a runtime that lost a container knows no time
    asked_cores, asked_memory = (_asked(item["spec"], each) for each in ("cpu", "memory"))
    cores, memory = used.get(name, (None, None))
    return PodNow(
        name=name,
        phase="Terminating" if "deletionTimestamp" in item["metadata"] else status["phase"],
        ready=any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", [])),
        restarts=sum(each["restartCount"] for each in containers),
        restarted_s=None if ended_at is None else (now - datetime.fromisoformat(ended_at)).total_seconds(),
        why="" if last is None else f"{last.get('reason', '')} ({last['exitCode']})",
        node=item["spec"].get("nodeName", ""),
        cores=cores,
        memory_bytes=memory,
        asked_cores=None if asked_cores is None else sum(map(millicores, asked_cores)) / 1000,
        asked_memory_bytes=None if asked_memory is None else sum(map(whole_bytes, asked_memory)),
    )


def _autoscaler(item: Mapping[str, Any]) -> AutoscalerNow:
    spec, status = item["spec"], item.get("status", {})
    now = {_metric(each): each for each in status.get("currentMetrics") or ()}
    return AutoscalerNow(
        name=item["metadata"]["name"],
        least=spec.get("minReplicas", 1),
        most=spec["maxReplicas"],
        replicas=status.get("currentReplicas", 0),
        wanted=status.get("desiredReplicas", 0),
        uses=tuple(_use(each, now.get(_metric(each))) for each in spec.get("metrics") or ()),
        conditions=tuple(
            ObservedCondition(
                type=each["type"],
                status=each["status"],
                reason=each.get("reason", ""),
                said=each.get("message", "")[:200],
            )
            for each in status.get("conditions") or ()
        ),
    )


def _source(metric: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The kind of a metric of autoscaling/v2 and what stands below it; of one that the controller could not read,
    nothing does."""
    return next(((kind, metric[kind]) for kind in _KINDS if kind in metric), ("", {}))


def _metric(metric: Mapping[str, Any]) -> str:
    """What tells a metric from the others of its HPA, in spec and status alike: all but its figures."""
    kind, source = _source(metric)
    return json.dumps([kind, {name: source[name] for name in _NAMED if name in source}], sort_keys=True)


def _use(metric: Mapping[str, Any], now: Mapping[str, Any] | None) -> tuple[str, int | str | None, int | str]:
    """A metric's name, now, and its target: per cent of the request, a mean a pod, or a value."""
    _, source = _source(metric)
    target, current = source.get("target", {}), _source(now or {})[1].get("current", {})
    what = next((each for each in _FIGURES if each in target), "")
    of = source.get("describedObject") or {}
    names = (source.get("container"), f"{of['kind']}/{of['name']}" if of else "", source.get("name"),
             source.get("metric", {}).get("name"))  # fmt: skip
    return " ".join(filter(None, names)), current.get(what), target.get(what, "")


def _budget(item: Mapping[str, Any]) -> BudgetNow:
    status = item.get("status", {})
    return BudgetNow(
        name=item["metadata"]["name"],
        healthy=status.get("currentHealthy", 0),
        allowed=status.get("disruptionsAllowed", 0),
    )


def _warned(item: Mapping[str, Any]) -> Warned:
    about = item["involvedObject"]
    times = item.get("count") or (item.get("series") or {}).get("count") or 1  # events.k8s.io counts in a series
    return Warned(
        reason=item.get("reason", ""),
        about=f"{about['kind']}/{about['name']}",
        said=item.get("message", "")[:200],
        times=times,
    )
