"""The files below ``deploy/monitoring`` that are ours to render, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from harness.base.yamltext import written
from harness.objectives import render
from harness.objectives.alerts import four
from harness.objectives.files import BLACKBOX, by_blackbox, defined
from harness.objectives.sealing import MADE
from harness.objectives.sloth import Objective

RULES = "prometheus/rules"


def _json(data: Any) -> str:
    return (msgspec.json.format(msgspec.json.encode(data), indent=2) + b"\n").decode()


def rendered() -> dict[str, str]:
    """The text of each by its path below ``deploy/monitoring``; below ``blackbox`` of those that are otherwise where
    blackbox exporter probes. Raises ``BadInput``."""
    found = _rendered(defined())
    other = {name: text for name, text in _rendered(by_blackbox()).items() if text != found[name]}
    return found | {f"{BLACKBOX.name}/{name}": text for name, text in other.items()}


def _rendered(known: Sequence[Objective]) -> dict[str, str]:
    alerts = tuple(four(known))
    policies = [render.policy(alert) for alert in alerts]
    policies += [render.burn_policy(each, pages=pages) for each in known for pages in (True, False)]
    return {
        f"{RULES}/as-written.yaml": MADE + written(render.rules(alerts)),
        "prometheus-adapter/config.yaml": MADE + written(render.external_metrics()),
        "grafana/objectives.json": _json(render.dashboard(known)),
        **{f"cloud-monitoring/{policy['displayName'].rpartition('/')[2]}.json": _json(policy) for policy in policies},
    }
