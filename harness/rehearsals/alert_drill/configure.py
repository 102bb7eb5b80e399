"""The configurations of ``deploy/monitoring`` with the drill's addresses, and with its seconds for their minutes. Pure.

Nothing else of them changes: routes, receivers, templates and rules are what the team would run.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from harness.base.units import seconds
from harness.objectives import render
from harness.objectives.alerts import Alert, four, promql_duration
from harness.objectives.sloth import Objective
from harness.rehearsals.alert_drill.receivers import HOST, PAGERDUTY_PATH, ROUTING_KEY, SLACK_PATH
from harness.rehearsals.alert_drill.types import PROBES, SIDECARS, TARGET, USERS, AlertDrillPlan
from harness.stack.scraping import ClientCertificate, PodMetrics

_SCALED = ("group_wait", "group_interval", "repeat_interval")
_RESENT = "1m"  # Prometheus' own --rules.alert.resend-delay
_UNIT = {"m": "min"}


def scaled(text: str, scale: float) -> str:
    """Such as ``1m`` at 15: ``4s``."""
    unit = text[-1]
    return promql_duration(round(seconds(text[:-1] + _UNIT.get(unit, unit)) / scale, 3))


def seen_by_users(promql: str) -> str:
    """The same queries of what users saw: what the drill breaks in front of the pods the target never counts."""
    return promql.replace(f'job="{TARGET}"', f'job="{USERS}"').replace("5..|429", "5..|429|0")


def alerts(objectives: Iterable[Objective], scale: float) -> tuple[Alert, ...]:
    """The alerts as written, those on budgets of requests by what users saw."""
    seen = [
        msgspec.structs.replace(each, bad=seen_by_users(each.bad), total=seen_by_users(each.total))
        for each in objectives
    ]
    return tuple(four(seen, scale))


def rules(objectives: Iterable[Objective], plan: AlertDrillPlan) -> dict[str, Any]:
    """The rules of the four alerts."""
    return render.rules(alerts(objectives, plan.scale), plan.scaled(plan.evaluate_s))


def resent(plan: AlertDrillPlan) -> str:
    """The flag by which Prometheus tells Alertmanager again of what fires: its own minute, in the drill's minutes.
    What it tells before it has found its Alertmanager is lost, and never told sooner (prometheus/prometheus#10457)."""
    return f"--rules.alert.resend-delay={scaled(_RESENT, plan.scale)}"


def prometheus(
    theirs: Mapping[str, Any], plan: AlertDrillPlan, *, alertmanager: int, pages: int,
    by: ClientCertificate | None = None,
) -> dict[str, Any]:  # fmt: skip
    """``prometheus.yaml``: the pods from files, asked ``by`` credentials where there are any; what users and probes saw
    from the port ``pages``."""
    found = copy.deepcopy(dict(theirs))
    found["global"] = {
        "scrape_interval": promql_duration(plan.scaled(plan.scrape_s)),
        "evaluation_interval": promql_duration(plan.scaled(plan.evaluate_s)),
    }
    found["alerting"]["alertmanagers"][0]["static_configs"] = [{"targets": [f"{HOST}:{alertmanager}"]}]
    harness = [
        {
            "job_name": job,
            "metrics_path": f"/{job}",
            "static_configs": [{"targets": [f"{HOST}:{pages}"], "labels": {"instance": "harness"}}],
        }
        for job in (USERS, PROBES)
    ]
    kept = [each | _tls(by) for each in found["scrape_configs"] if each["job_name"] not in (USERS, PROBES)]
    found["scrape_configs"] = [*kept, *harness]
    return found


def _tls(by: ClientCertificate | None) -> dict[str, Any]:
    """How the pods of a cluster are asked: by HTTPS, of its API server."""
    if by is None:
        return {}
    files = {"ca_file": str(by.ca), "cert_file": str(by.certificate), "key_file": str(by.key)}
    return {"scheme": "https", "tls_config": files}


def targets(found: Iterable[PodMetrics]) -> dict[str, list[dict[str, Any]]]:
    """The content of each file of pods (``file_sd_configs``), by its job: an instance by its pod's name."""
    groups: dict[str, list[dict[str, Any]]] = {TARGET: [], SIDECARS: []}
    for each in found:
        labels = {"__metrics_path__": each.path, "instance": each.pod}
        groups[SIDECARS if each.sidecar else TARGET].append({"targets": [str(each.address)], "labels": labels})
    return groups


def places(found: Mapping[str, list[dict[str, Any]]]) -> dict[str, str]:
    """Of each of those files that names a pod, by its job, where the first is asked: host, port and path."""
    first = {job: groups[0] for job, groups in found.items() if groups}
    return {job: f"{each['targets'][0]}{each['labels']['__metrics_path__']}" for job, each in first.items()}


def alertmanager(theirs: Mapping[str, Any], plan: AlertDrillPlan, *, pages: int, smtp: int) -> dict[str, Any]:
    """``alertmanager.yaml``: the same receivers at local addresses."""
    found = copy.deepcopy(dict(theirs))
    base = f"http://{HOST}:{pages}"
    known = {key: value for key, value in found["global"].items() if not key.startswith("slack_api_url")}
    found["global"] = known | {
        "slack_api_url": base + SLACK_PATH,
        "pagerduty_url": base + PAGERDUTY_PATH,
        "smtp_smarthost": f"{HOST}:{smtp}",
        "smtp_require_tls": False,
    }
    for key in _SCALED:
        found["route"][key] = scaled(found["route"][key], plan.scale)
    for receiver in found["receivers"]:
        for pager in receiver.get("pagerduty_configs", ()):
            pager.pop("routing_key_file", None)
            pager["routing_key"] = ROUTING_KEY
    return found


def waits_s(theirs: Mapping[str, Any], plan: AlertDrillPlan) -> tuple[float, float]:
    """How long Alertmanager may hold a first notification, and one of a group that it knows, in the drill."""
    route = theirs["route"]
    wait, interval = (seconds(route[key].replace("m", "min")) / plan.scale for key in _SCALED[:2])
    return wait, interval
