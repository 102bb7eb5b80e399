"""Queries as Prometheus parses them, kept in ``parsed.json``: ``python -m tests.objectives.parsed`` asks it anew."""

from __future__ import annotations

import asyncio
import tempfile
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from harness.base.clock import MachineClock
from harness.rehearsals.alert_drill.watching import Program, prometheus_flags
from harness.rules.objectives.foreign.selectors import pruned
from harness.stack.kind.images import binaries
from tests.ports import free_port

FILE = Path(__file__).with_name("parsed.json")
_P95 = "histogram_quantile(0.95, sum by (job, le) (rate(http_request_duration_seconds_bucket{route=~'/v1/.*'}[1m])))"
_ALL = "sum(rate(http_requests_total[5m]))"
#: By what is the matter with it.
QUERIES = {
    "p95": f"{_P95} > 0.6",
    "share": 'sum(rate(http_requests_total{status=~"5.."}[5m])) / ' + _ALL + " > 0.03",
    "good share": '1 - (sum(rate(http_requests_total{status=~"5.."}[5m])) / ' + _ALL + ") < 0.97",
    "rate": 'sum(rate(http_requests_total{status=~"5.."}[5m])) > 0.03',
    "of recorded rate": "job:errors:rate5m > 0.03",
    "of recorded rate, chosen": 'job:errors:rate5m{slo="errors"} > 0.03',
    "recorded rate": 'sum by (job) (rate(http_requests_total{status=~"5.."}[5m]))',
    "no metric": "sum(rate(http_request_total[5m])) > 100",
    "no label": 'sum(rate(http_requests_total{code="500"}[5m])) > 100',
    "no value": 'sum(rate(http_requests_total{status="5xx"}[5m])) > 100',
    "no bucket": 'sum(rate(http_request_duration_seconds_bucket{le="0.55"}[5m])) < 1',
    "platform": "increase(kube_pod_container_status_restarts_total[10m]) > 3",
    "of one route": 'sum(rate(http_requests_total{route="/v1/walks",status=~"5.."}[5m])) / '
    'sum(rate(http_requests_total{route=~"/v1/.*"}[5m])) > 0.02',
    "growth": "sum(rate(http_requests_total[5m])) / sum(rate(http_requests_total[1h])) > 3",
    "few of another kind": 'sum(rate(mirror_writes_total{outcome="failed"}[5m])) > 0.1',
    "label made": 'sum by (kind) (label_replace(rate(http_requests_total[5m]), "kind", "$1", "route", "(.*)")) > 100',
    "of a day ago": "sum(rate(http_requests_total[5m] offset 1d)) > 100",
    "gauge": "max(database_pool_connections / database_pool_limit) > 0.9",
}  # fmt: skip


@cache
def kept() -> dict[str, Any]:
    """The tree of each."""
    found: dict[str, Any] = msgspec.json.decode(FILE.read_bytes())
    return found


async def asked(folder: Path) -> dict[str, Any]:
    """The same by Prometheus itself."""
    programs = await binaries.ensure(binaries.PROMETHEUS, print, only=("prometheus",))
    (folder / "prometheus.yaml").write_text("global: {}\n")
    program = Program("Prometheus", "parsed", folder / "prometheus.log", free_port())
    flags = prometheus_flags(folder / "prometheus.yaml", folder / "data", program.address.port)
    await program.start(programs / "prometheus", *flags)
    try:
        await program.ready(MachineClock())
        return {
            name: pruned((await program.ask(f"/api/v1/parse_query?query={quote(query)}"))["data"])
            for name, query in QUERIES.items()
        }
    finally:
        await program.down()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        FILE.write_bytes(msgspec.json.format(msgspec.json.encode(asyncio.run(asked(Path(made)))), indent=1) + b"\n")
