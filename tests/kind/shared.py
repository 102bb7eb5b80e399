"""The one cluster that all tests of a session share: made on first use, deleted at the end.

Runs that tests start use it too, as they would a kept one, each in a namespace of its own.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.base.clock import MachineClock
from harness.base.errors import StackNotStarted
from harness.base.progress import Progress
from harness.stack.kind import at_hand, cluster, docker
from harness.stack.kind.ground import KEPT
from harness.stack.kind.images import choice
from harness.stack.kind.record import Cluster

KEEP = "TEKUTOKO_KEEP_CLUSTER"  # set: the cluster stays, and the next session reuses it
#: Where the cluster stands: closed, it is deleted. tests/conftest.py closes it behind a worker's last test of it.
STANDING = pytest.StashKey[ExitStack]()
LABEL = "tests" if os.environ.get(KEEP) else f"tests-{os.getpid()}"


def has_go() -> bool:
    """Whether a Go is where ``tools/offline-kind`` looks for one."""
    return shutil.which("go") is not None or Path("/usr/local/go/bin/go").exists()


def cannot_build() -> str:
    """Why images that Docker lacks cannot be made here; "" when they can, or are there."""
    lacking = ""
    if shutil.which("mmdebstrap") is None:
        lacking = "no mmdebstrap to make base images with"
    elif at_hand.node_image() is None and not has_go():
        lacking = "no Go to build the node image with"
    if not lacking or asyncio.run(choice.registry_answers()):
        return ""
    return f"no registry answers, and there is {lacking} here"


@pytest.fixture(scope="session")
def kind_cluster(pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """A ready cluster. First use builds images where none can be pulled; see ``harness.stack.kind.cluster.ensure``."""
    clock = MachineClock()
    progress = Progress(clock)
    try:
        asyncio.run(docker.engine())
    except StackNotStarted as error:
        pytest.skip(f"no Docker: {error}")
    if lacking := cannot_build():
        pytest.skip(lacking)
    made = asyncio.run(cluster.ensure(LABEL, clock, progress, kept=bool(os.environ.get(KEEP))))
    os.environ[KEPT] = LABEL
    with ExitStack() as standing:
        standing.callback(_give_up, made, progress)
        pytestconfig.stash[STANDING] = standing
        yield made


def _give_up(made: Cluster, progress: Progress) -> None:
    del os.environ[KEPT]
    if not os.environ.get(KEEP):
        asyncio.run(cluster.delete(made.name, progress))
        assert asyncio.run(cluster.leaks(made.name)) == []
