"""What a target may offer beyond the contract: no check asks for it, but what is read from it needs it."""

from __future__ import annotations

from harness.conformance import http
from harness.conformance.result import Extra
from harness.model.message import marked
from harness.model.stack import Address


async def extras(service: Address) -> tuple[Extra, ...]:
    """Two requests, without a token."""
    health = await http.send(service, "GET", "/health", headers={})
    metrics = await http.send(service, "GET", "/metrics", headers={})
    prometheus = metrics.status == 200 and metrics.headers.get("content-type", "").startswith("text/plain")
    return (
        Extra(
            name="X-Pod-Name",
            offered="x-pod-name" in health.headers,
            without=marked("the evidence does not tell which pod answered a request"),
        ),
        Extra(
            name="GET /metrics",
            offered=prometheus,
            without=marked("a criterion on the target's own metrics (mirror queue, pool) is not exercised"),
        ),
    )
