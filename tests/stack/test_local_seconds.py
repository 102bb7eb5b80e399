"""What the local HPA is told of pods has whole seconds of UTC, as Kubernetes' API has; a decision may hang on them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.base.clock import NS, Anchor
from harness.control.hpa.grouping import Groups, Settings, group, of_pods
from harness.control.metrics_server import ContainerCounters
from harness.model.autoscaling import PodUsage
from harness.stack.local.controllers import MetricsServer, _seen

#: UTC is 0.4 s ahead of a whole second when the run's clock is 0.
CLOCK = cast("Any", SimpleNamespace(anchor=Anchor(monotonic_ns=0, unix_ns=1_790_000_000_400_000_000), now_ns=lambda: 0))


def pod(created_s: float, ready_s: float) -> Any:
    view = SimpleNamespace(running=True, terminating=False, created_ns=round(created_s * NS))
    return SimpleNamespace(
        name="p", view=lambda: view, ready=True, ready_changed_ns=round(ready_s * NS),
        template=SimpleNamespace(containers=()),
    )  # fmt: skip


def usage(at_s: float) -> list[PodUsage]:
    """Of two readings, the later at ``at_s`` of the run's clock."""
    server = MetricsServer(cast("Any", SimpleNamespace(pods={"p": None})), CLOCK)
    later = round(at_s * NS)
    server._before = {"p": {"api": ContainerCounters(later - 15 * NS, 0, 1.0, 1)}}
    server._last = {"p": {"api": ContainerCounters(later, 0, 2.0, 1)}}
    return list(server.readings().pods)


def test_moments_are_cut_to_whole_seconds_of_utc() -> None:
    told = _seen(pod(1.0, 10.5), CLOCK)
    assert (told.started_ns, told.ready_changed_ns) == (600_000_000, 9_600_000_000)
    [found] = usage(25.7)
    assert (found.at_ns, found.window_ns) == (25_600_000_000, 15 * NS)


@pytest.mark.parametrize(
    ("ready_s", "at_s", "starting"),
    [
        (11.5, 26.0, False),  # by nanoseconds the window began half a second before it was ready
        (10.7, 25.5, True),  # as by nanoseconds: the window began before
        (10.5, 25.7, False),
    ],
)
def test_a_window_that_began_in_the_second_of_readiness_counts(ready_s: float, at_s: float, starting: bool) -> None:
    found = group([_seen(pod(1.0, ready_s), CLOCK)], of_pods(usage(at_s), "cpu"), "cpu", Settings(), round(30 * NS))
    waits = frozenset({"p"} if starting else ())
    assert found == Groups(int(not starting), waits, frozenset(), frozenset())
