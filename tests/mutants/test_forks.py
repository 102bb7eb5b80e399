"""A mutant's tests, as they run without pytest's reports: what fails there is told from what does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutants.kept import ROOT

TESTS = """
import pytest

def test_good(tmp_path):
    (tmp_path / "file").write_text("")

def test_bad(tmp_path):
    assert list(tmp_path.iterdir())

def test_skipped():
    pytest.skip("not here")

def test_endless():
    while True:
        pass
"""
RUN = """
import sys
import pytest
from tests.mutants import forks

class Loop:
    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session):
        forks.ENDLESS_CPU_S = 0.2
        forks._under = lambda mutant: None
        print([forks._judged("mutant", {item: 0.0}) for item in session.items])
        good = session.items[0]
        good.config.hook.pytest_runtest_protocol(item=good, nextitem=None)
        print("once more:", forks._judged("mutant", {good: 0.0}))
        return True

sys.exit(pytest.main(["-q", "-s", "-p", "no:cacheprovider", sys.argv[1]], plugins=[Loop()]))
"""


@pytest.mark.process
def test_what_fails_is_told_from_what_does_not(tmp_path: Path) -> None:
    """A test with ``tmp_path`` once failed always, as it was taken down, and noticed every mutant that it reached."""
    file = tmp_path / "test_some.py"
    file.write_text(TESTS)
    found = subprocess.run(
        [sys.executable, "-c", RUN, str(file)], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "[0, 1, 0, 36]" in found.stdout, found.stdout + found.stderr
    assert "once more: 0" in found.stdout, "as where it is learned what a test reaches, when it has just run"
