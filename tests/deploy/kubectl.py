"""The kubectl of this machine, whose rendering ours is compared with."""

from __future__ import annotations

import pytest

from harness.stack.manifests import by_kubectl


def kubectl() -> str:
    """Its path; the test is skipped where there is none."""
    found = by_kubectl.program()
    if found is None:
        pytest.skip("no kubectl is at hand")
    return found
