"""Who a Deployment says holds it up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from harness.base.clock import MachineClock
from harness.base.errors import StackNotStarted
from harness.stack.local.deployment import RESTARTS_LIMIT, DeploymentController
from harness.stack.local.pod import PodResources
from tests.stack.rungs import manifests


def pod(name: str, *, restarts: int, backing_off: bool, trouble: str) -> SimpleNamespace:
    """Not ready, and never was."""
    return SimpleNamespace(
        name=name,
        revision=manifests().deployment.template.digest,
        ready=False,
        was_ready=False,
        terminating=False,
        backing_off=backing_off,
        target=SimpleNamespace(spec=SimpleNamespace(log=f"logs/{name}.log")),
        trouble=lambda: trouble,
        view=lambda: SimpleNamespace(restarts=restarts),
    )


def test_the_pod_that_ends_again_and_again_is_the_one_whose_trouble_is_told() -> None:
    """Not another of the same Deployment that runs at that moment, whose readiness probe does not pass yet."""
    ground = cast(PodResources, SimpleNamespace(clock=MachineClock(), feed=None))
    controller = DeploymentController(manifests().deployment, ground, cast("object", None))  # type: ignore[arg-type]
    runs = pod("api-1", restarts=RESTARTS_LIMIT - 1, backing_off=False, trouble="runs")
    ends = pod("api-2", restarts=RESTARTS_LIMIT, backing_off=True, trouble="exit code 3")
    controller.pods = {each.name: each for each in (runs, ends)}  # type: ignore[misc]
    with pytest.raises(StackNotStarted) as told:
        controller._refuse_crash_loop()
    assert "api-2 ends again and again" in str(told.value) and str(told.value).count("exit code 3") == 1
    assert str(told.value.where).endswith("api-2.log")
