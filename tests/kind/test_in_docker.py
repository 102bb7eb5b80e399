"""What is looked for in Docker after a run on the cluster: found of that run, and of nobody else, by an engine's listings."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.stack.kind import record
from tests.kind.in_docker import left_in_docker, volumes_of

pytestmark = pytest.mark.process

#: An engine with a part of the run, a node of the run's own cluster, and what others have.
ENGINE = """#!/bin/sh
case "$1 $2 $*" in
"ps --all "*Mounts*) echo "one.database abc123,/srv/data"; echo "{cluster}-worker def456"; echo "two.database 789fff"; echo "idle ";;
"ps --all "*) echo one.database; echo {cluster}-worker; echo two.database; echo idle;;
"network ls "*) echo kind; echo {cluster}; echo bridge;;
"volume ls "*) echo abc123; echo 789fff; echo one.kept;;
esac
"""


def test_containers_networks_and_anonymous_volumes_of_one_run_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = record.name_of(record.run_label("one"))
    engine = tmp_path / "docker"
    engine.write_text(ENGINE.format(cluster=cluster))
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert volumes_of("one") == {"abc123", "def456"}
    assert volumes_of("three") == set()
    assert left_in_docker("one", {"abc123", "def456"}) == {
        "container one.database", f"container {cluster}-worker", f"network {cluster}", "volume abc123", "volume one.kept",
    }  # fmt: skip
    assert left_in_docker("two", {"def456"}) == {"container two.database"}
    assert left_in_docker("three", volumes_of("three")) == set()
