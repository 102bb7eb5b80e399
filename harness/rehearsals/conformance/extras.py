"""What a target may offer beyond the contract: no check asks for it, but what is read from it needs it."""

from __future__ import annotations

from harness.contract import http
from harness.model.message import marked
from harness.model.stack import Address
from harness.rehearsals.conformance.types import Extra
from harness.stack.protocol import Stack
from harness.stack.scraping import WithMetrics


async def extras(stack: Stack, path: str) -> tuple[Extra, ...]:
    """A few requests, without a token. Metrics are asked of the first pod, where pods are asked by HTTP, and of the
    service, at ``path``."""
    service = stack.endpoints().service
    pods = stack.metrics() if isinstance(stack, WithMetrics) and stack.credentials() is None else []
    asked = (*(each.address for each in pods[:1]), service)
    health = await http.send(service, "GET", "/health", headers={})
    return (
        Extra(
            name="X-Pod-Name",
            offered="x-pod-name" in health.headers,
            without=marked("the evidence does not tell which pod answered a request"),
        ),
        Extra(
            name=f"GET {path}",
            offered=any([await _prometheus(address, path) for address in asked]),
            without=marked("a criterion on the target's own metrics (mirror queue, pool) is not exercised"),
        ),
    )


async def _prometheus(address: Address, path: str) -> bool:
    answer = await http.send(address, "GET", path, headers={})
    return answer.status == 200 and answer.headers.get("content-type", "").startswith("text/plain")
