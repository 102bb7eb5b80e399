"""Pairs of harnesses in two containers on the real Docker engine, where the session's cluster is somebody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.stack.kind import cluster, docker, record
from harness.stack.kind.record import Cluster
from harness.stack.kubernetes import labels
from harness.stack.state.lease import home_mark
from tests.session.needs import needs_spaces
from tests.test_ownership import pair

pytestmark = [pytest.mark.kind, pytest.mark.nightly]
ROUNDS = 2


def ours() -> list[str]:
    """The containers on the engine that are of this folder of state."""
    found = asyncio.run(docker.containers("looking for what is left", {}))
    return [
        each.name
        for each in found
        if each.labels.get(labels.HOME) == home_mark() or each.name.startswith(record.mark())
    ]


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind_cluster: Cluster) -> Iterator[Cluster]:
    """Another folder of state than the cluster's; what a pair that failed left on the engine goes."""
    monkeypatch.setenv("TEKUTOKO_REHEARSAL_HOME", str(tmp_path / "home"))
    yield kind_cluster
    asyncio.run(docker.remove(ours(), what="removing what is left", limit_s=60))


@needs_spaces
@pytest.mark.parametrize("number", range(20))
def test_twenty_pairs_on_a_real_engine_do_each_other_no_harm(tmp_path: Path, own_home: Cluster, number: int) -> None:
    """And none to the cluster of another folder of state. Their containers are of its nodes' image, which is here."""
    answered = asyncio.run(cluster.answers(own_home))
    image = ["--entrypoint", "sleep", own_home.images[0], "600"]
    assert pair(tmp_path / f"pair-{number}", ROUNDS, {}, image) == []
    assert ours() == [] and record.recorded() == []
    assert answered and asyncio.run(cluster.answers(own_home))
