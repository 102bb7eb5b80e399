"""What there is to be asked for: the metrics of the contract and of the probes; and who asks for another. Pure.

Of a metric the labels that its series have, of each label the values that were seen; () of one may be anything.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from harness.model.message import Message, message
from harness.rules.objectives.foreign.selectors import Recorded, SeriesSelector, chosen

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
_SHOWN_VALUES = 16


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


def unknown_metric(metric: str, emitted: Emitted, recorded: Recorded) -> Iterator[Message]:
    """Yield that nobody emits or records the metric, and which is near to it."""
    known = [*emitted, *(each.name for each in recorded)]
    if not metric or metric in known or of_platform(metric):
        return
    near = difflib.get_close_matches(metric, known, n=1, cutoff=0.8)
    if near:
        yield message("nobody emits the metric {metric}; there is {near}", metric=metric, near=near[0])
    else:
        yield message("nobody emits the metric {metric}", metric=metric)


def unemitted(asked: Iterable[SeriesSelector], emitted: Emitted, recorded: Recorded) -> Iterator[Message]:
    """Yield of each selector why it selects no series: its metric, a label, or a label's value is never there."""
    for each in asked:
        yield from unknown_metric(each.metric, emitted, recorded)
        if any(each.metric == one.name for one in recorded):
            if not any(chosen(each, recorded)):
                matchers = ", ".join(sorted(map(str, each.matchers)))
                yield message("no series of {metric} has {matcher}", metric=each.metric, matcher=matchers)
        elif each.metric in emitted:
            yield from _unmatched(each, emitted[each.metric])


def _unmatched(asked: SeriesSelector, labels: Labels) -> Iterator[Message]:
    for each in sorted(asked.matchers, key=str):
        values = possible(each.label, labels.get(each.label, ()))
        if each.label not in SCRAPED.union(labels):
            yield message("no series of {metric} has the label {label}", metric=asked.metric, label=each.label)
        elif each.op in ("=", "=~") and values and not any(map(each.allows, values)):
            said = {"metric": asked.metric, "matcher": str(each)}
            if len(values) > _SHOWN_VALUES:
                yield message("no series of {metric} has {matcher}", **said)
            else:
                shown = ", ".join(values)
                yield message("no series of {metric} has {matcher}: there are {values}", values=shown, **said)
