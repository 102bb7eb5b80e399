"""A run that a test starts ends with the test, also one that does not hear Ctrl-C, and with all it started."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.base.home import runs_folder
from harness.stack.state.processes import identify, wait_gone
from tests import main_job

pytestmark = pytest.mark.process

#: In the place of Python and the harness: says that it is there, hears no Ctrl-C, and has a child in its group.
DEAF = """#!/bin/sh
trap '' INT
sleep 60 &
echo $! >&2
sleep 60
"""


@pytest.fixture
def deaf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "deaf"
    program.write_text(DEAF)
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(main_job, "INTERRUPTED_WITHIN_S", 0.3)


@pytest.mark.usefixtures("deaf")
def test_what_a_test_left_under_way_is_ended_with_its_children_and_named(tmp_path: Path) -> None:
    job = main_job.Job(tmp_path / "reports")
    until = time.monotonic() + 20
    while not job.lines and time.monotonic() < until:
        time.sleep(0.02)
    child = int(job.lines[0])
    (left,) = main_job.end_all()
    assert "-m harness run rollout_week3" in left
    assert job.process.returncode == -9
    assert wait_gone(filter(None, [identify(child)]), 5) == []
    assert not job.temporary.exists()
    assert main_job.end_all() == []


@pytest.mark.usefixtures("deaf")
def test_what_a_killed_one_left_in_its_own_temporary_folder_is_seen(tmp_path: Path) -> None:
    before = main_job.machine_state()
    job = main_job.Job(tmp_path / "reports")
    (tmp_path / "reports" / "run").mkdir(parents=True)
    (job.temporary / "left").touch()
    job.end()
    job.temporary.mkdir()
    (job.temporary / "left").touch()
    try:
        assert main_job.left_since(before, job) == {"temporary": {str(job.temporary / "left")}}
    finally:
        job.end()
    assert main_job.left_since(before, job) == {}


def test_what_a_run_left_that_no_job_was_of_is_seen() -> None:
    """A process with its marker, and a folder of its database; not those of another run."""
    folder = runs_folder() / "left-behind-db"
    folder.mkdir(parents=True)
    marker = {"TEKUTOKO_RUN_ID": "left-behind"}
    with subprocess.Popen(["sleep", "60"], env={**os.environ, **marker}) as process:
        try:
            assert main_job.left_of("left-behind") == {f"{process.pid} left-behind: sleep 60", folder.name}
            assert main_job.left_of("another") == set()
        finally:
            process.kill()
    folder.rmdir()
    assert main_job.left_of("left-behind") == set()
