"""Where a target is asked for what the contract leaves open."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.model.stack import Address
from harness.rehearsals.conformance.rehearsal import extras
from harness.stack.target.scraping import ClientCertificate, PodMetrics

POD, SERVICE = (Address(host="127.0.0.1", port=port) for port in (1, 2))
BY = ClientCertificate(ca=Path("/run/ca"), certificate=Path("/run/certificate"), key=Path("/run/key"))


@pytest.mark.parametrize(("by", "asked"), [(None, [POD, SERVICE]), (BY, [SERVICE])])
async def test_pods_that_take_a_certificate_are_not_asked_by_plain_http(
    by: ClientCertificate | None, asked: list[Address], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the address is the API server's: it says 400 to any plain request."""
    metrics: list[Address] = []

    async def send(address: Address, _: str, path: str, **__: Any) -> SimpleNamespace:
        if path == "/metrics":
            metrics.append(address)
        return SimpleNamespace(status=200, headers={"content-type": "text/plain"})

    monkeypatch.setattr("harness.checks.contract.http.send", send)
    stack: Any = SimpleNamespace(
        endpoints=lambda: SimpleNamespace(service=SERVICE),
        metrics=lambda: [PodMetrics(pod="a", address=POD, path="/metrics")],
        credentials=lambda: by,
    )
    assert [each.offered for each in await extras(stack, "/metrics")] == [False, True]
    assert metrics == asked
