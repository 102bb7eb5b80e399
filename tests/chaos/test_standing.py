"""Chaos Toolkit's own ``chaos run`` of a bundled experiment on a stack that is up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.base.data import ROOT
from harness.base.errors import Exit
from tests.session import workers
from tests.session.homes import WorkerHome

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
_LIMIT_S = 120.0


@pytest.fixture
def up(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """The only stack that is up: of a worker's own home, or of one that is made for it."""
    home = None if workers.is_one(request.config) else WorkerHome()
    line = [sys.executable, "-m", "harness", "stack", "up", "--on", "local", "--reports", str(tmp_path / "reports")]
    with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as stack:
        assert stack.stdout is not None
        try:
            assert "is up" in stack.stdout.readline()
            yield
        finally:
            stack.send_signal(signal.SIGINT)
            status = stack.wait(_LIMIT_S)
    assert status == Exit.OK
    assert home is None or home.leave() == []


@pytest.mark.usefixtures("up")
def test_an_experiment_is_made_and_ends_as_chaos_toolkit_says(tmp_path: Path) -> None:
    journal = tmp_path / "journal.json"
    program = str(Path(sys.executable).with_name("chaos"))
    words = (
        "--log-file",
        str(tmp_path / "log"),
        "run",
        "--journal-path",
        str(journal),
        "chaos/experiments/pod_kill.yaml",
    )
    at = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([program, *words], cwd=ROOT, env=at, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(journal.read_text())
    assert (found["status"], found["deviated"]) == ("completed", False)
    assert [(run["status"], run["output"]) for run in found["run"]] == [("succeeded", "pod kill"), ("succeeded", 1)]
