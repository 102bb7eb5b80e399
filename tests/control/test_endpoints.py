"""Endpoints by readiness."""

from __future__ import annotations

from harness.control.endpoints import ready_endpoints
from harness.model.cluster import PodView


def test_only_ready_pods_that_do_not_end() -> None:
    pods = [
        PodView(name="c", revision="1", created_ns=0, ready=True),
        PodView(name="a", revision="2", created_ns=0, ready=True),
        PodView(name="b", revision="1", created_ns=0, ready=False),
        PodView(name="d", revision="1", created_ns=0, ready=True, terminating=True),
    ]
    assert ready_endpoints(pods) == ("a", "c")
    assert ready_endpoints([]) == ()
