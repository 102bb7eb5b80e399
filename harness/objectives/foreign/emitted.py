"""What there is to be asked for: the metrics of the target's contract and of the probes, with their labels. Pure.

Of a metric the labels that its series have, of each label the values that were seen; () of one may be anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

Labels: TypeAlias = Mapping[str, tuple[str, ...]]
Emitted: TypeAlias = Mapping[str, Labels]

_MIRROR = ("submitted", "requeued", "coalesced", "written", "failed", "dropped", "skipped", "overtaken")
_HISTOGRAM = "http_request_duration_seconds"
#: The table "Metrics" of docs/contract/environment.md, and what this harness' probes count.
CONTRACT: Emitted = {
    "http_requests_total": {"method": (), "route": (), "status": ()},
    "http_requests_refused_total": {"status": ()},
    "http_requests_in_flight": {},
    f"{_HISTOGRAM}_bucket": {"route": (), "le": ()},
    f"{_HISTOGRAM}_count": {"route": ()},
    f"{_HISTOGRAM}_sum": {"route": ()},
    "mirror_writes_total": {"outcome": _MIRROR},
    "mirror_queue": {},
    "unsettled_writes_total": {"outcome": ("noted", "settled", "dropped")},
    "unsettled_writes": {},
    "photo_removals_total": {"outcome": ("submitted", "removed", "failed", "dropped")},
    "photo_removal_queue": {},
    "database_pool_connections": {},
    "database_pool_idle": {},
    "database_pool_limit": {},
    "log_lines_lost_total": {},
    "availability_probes_total": {"outcome": ("good", "bad")},
}
#: What whoever scrapes puts on every series: Prometheus, its operator, Google's Managed Service.
SCRAPED = frozenset(
    ("job", "instance", "namespace", "pod", "container", "service", "endpoint", "node", "cluster", "location")
) | {"project_id"}
#: Whose metrics these are is the platform's, and no run of the harness holds them.
_PLATFORM = re.compile(
    r"^(up$|ALERTS|scrape_|kube_|container_|node_|kubelet_|machine_|apiserver_|process_|go_|python_|nodejs_|jvm_"
    r"|prometheus_|alertmanager_|promhttp_|cloudsqlconn_|probe_|blackbox_|pg_|pgbouncer_|nginx_|envoy_|istio_"
    r"|[a-z0-9_]+(_googleapis_com|_io):)"
)
#: Labels whose values are all known: what is asked for and is none of them is never there.
CLOSED = ("le", "outcome", "status")
STATUSES = tuple(map(str, range(100, 600)))


def of_platform(metric: str) -> bool:
    """Whether a metric is Kubernetes', the cloud's, a runtime's, a proxy's or an exporter's."""
    return _PLATFORM.match(metric) is not None


def merged(*parts: Emitted) -> dict[str, dict[str, tuple[str, ...]]]:
    """Everything that any of them has; of a label's values all, once each."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for part in parts:
        for metric, labels in part.items():
            known = found.setdefault(metric, {})
            for label, values in labels.items():
                known[label] = tuple(sorted({*known.get(label, ()), *values}))
    return found


def possible(label: str, seen: tuple[str, ...]) -> tuple[str, ...]:
    """Every value that the label can have; () where that is not known."""
    if label == "status":
        return tuple(sorted({*seen, *STATUSES}))
    return seen if label in CLOSED else ()
