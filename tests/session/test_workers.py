"""pytest-xdist keeps together what has one group: a cluster is shared, and some modules share a stack in order."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.session.workers import leaves_the_cluster

pytestmark = pytest.mark.process

TESTS = """
import os, pathlib, time, pytest

@pytest.mark.parametrize("number", range(12))
@pytest.mark.xdist_group("one")
def test_together(number):
    _note("one")

@pytest.mark.parametrize("number", range(12))
def test_anywhere(number):
    _note("any")

def _note(what):
    time.sleep(0.05)
    pathlib.Path(what + "-" + os.environ["PYTEST_XDIST_WORKER"]).touch()
"""


def test_one_worker_has_a_group_and_others_have_the_rest(tmp_path: Path) -> None:
    (tmp_path / "test_groups.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "-p", "no:cacheprovider"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout
    workers = {path.name.partition("-")[2] for path in tmp_path.glob("*-gw*")}
    assert len(list(tmp_path.glob("one-*"))) == 1
    assert len(workers) == 2, "the others' worker need not be the group's"


@pytest.mark.parametrize(
    ("group", "following", "leaves"),
    [
        ("kind", "kind", False),
        ("compose", "kind", False),  # the cluster is not made yet, or the next asks for it
        ("kind", "stack", True),
        ("kind", "", True),
        ("stack", "process", False),
    ],
)
def test_the_cluster_goes_behind_its_last_test(group: str, following: str, leaves: bool) -> None:
    assert leaves_the_cluster(group, following) is leaves
