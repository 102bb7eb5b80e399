"""What a target may offer beyond the contract: no check asks for it, but what is read from it needs it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.contract import http
from harness.model.message import marked
from harness.model.stack import Address
from harness.rehearsals.conformance.types import Extra
from harness.stack.scraping import PodMetrics


async def extras(service: Address, pods: Sequence[PodMetrics], path: str) -> tuple[Extra, ...]:
    """A few requests, without a token. ``pods`` says where those may serve metrics, the target's of the first pod
    first; ``path`` is where the service may."""
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
