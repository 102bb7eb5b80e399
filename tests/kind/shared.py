"""The one cluster that all tests of a session share: made on first use, deleted at the end.

Runs that tests start use it too, as they would a kept one, each in a namespace of its own.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest

from harness.clock import MachineClock
from harness.model.errors import StackNotStarted
from harness.progress import Progress
from harness.stack.kind import cluster, docker
from harness.stack.kind.ground import KEPT
from harness.stack.kind.record import Cluster

KEEP = "TEKUTOKO_KEEP_CLUSTER"  # set: the cluster stays, and the next session reuses it
LABEL = "tests" if os.environ.get(KEEP) else f"tests-{os.getpid()}"


@pytest.fixture(scope="session")
def kind_cluster() -> Iterator[Cluster]:
    """A ready cluster. First use builds images where none can be pulled; see ``harness.stack.kind.cluster.ensure``."""
    clock = MachineClock()
    progress = Progress(clock)
    try:
        asyncio.run(docker.engine())
    except StackNotStarted as error:
        pytest.skip(f"no Docker: {error}")
    kept = bool(os.environ.get(KEEP))
    made = asyncio.run(cluster.ensure(LABEL, clock, progress, kept=kept))
    os.environ[KEPT] = LABEL
    yield made
    del os.environ[KEPT]
    if not kept:
        asyncio.run(cluster.delete(made.name, progress))
        assert asyncio.run(cluster.leaks(made.name)) == []
