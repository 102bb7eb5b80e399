"""A rule of a team's own: a Prometheus rule, or a condition of a Cloud Monitoring policy."""

from __future__ import annotations

import msgspec


class PrometheusRule(msgspec.Struct, frozen=True, kw_only=True):
    """An alert, or a recording (``records``). ``where`` is its file and line, such as ``alerts.yaml:12``.

    ``expr`` is PromQL, "" where the condition is written otherwise; ``metric`` is then the Prometheus metric that its
    filter names, "" for none. It is evaluated every ``every_s`` and fires once it has held for ``for_s``. ``channels``
    are a policy's; ``None``: whom it reaches is Alertmanager's to say. ``enabled`` is false of what is switched off.
    """

    name: str
    where: str
    expr: str
    metric: str = ""
    records: bool = False
    for_s: float = 0.0
    every_s: float = 15.0
    labels: dict[str, str] = {}
    channels: tuple[str, ...] | None = None
    enabled: bool = True
