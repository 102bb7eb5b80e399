"""What a pod's status says: trouble that passes by itself is no reason to give up."""

from __future__ import annotations

import pytest

from harness.stack.kubernetes.watching import read


@pytest.mark.parametrize(
    ("reason", "message", "stuck"),
    [
        ("CreateContainerConfigError", 'secret "app-secret" not found', True),
        ("CreateContainerConfigError", "failed to sync configmap cache: timed out waiting for the condition", False),
        ("RunContainerError", "context deadline exceeded", False),
        ("ErrImageNeverPull", "Container image is not present with pull policy of Never", True),
        ("ContainerCreating", "", False),
    ],
)
def test_only_what_does_not_pass_by_itself_is_stuck(reason: str, message: str, stuck: bool) -> None:
    waiting = {"waiting": {"reason": reason, "message": message}}
    pod = read(
        {
            "metadata": {"name": "pod-1", "creationTimestamp": "2026-11-24T00:00:00Z"},
            "status": {"phase": "Pending", "containerStatuses": [{"name": "api", "state": waiting}]},
        }
    )
    assert pod.stuck is stuck
    assert (reason in pod.trouble) is (reason != "ContainerCreating"), "it is told all the same"
