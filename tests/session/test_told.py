"""What a worker tells of a test: nothing but a test that passed may be told in short."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

from harness.base.data import ROOT
from tests.session.told import untold

Outcome = Literal["passed", "failed", "skipped"]
When = Literal["setup", "call", "teardown"]


def report(when: When, outcome: Outcome = "passed", duration_s: float = 1.0) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid="tests/test_it.py::test_it",
        location=("tests/test_it.py", 1, "test_it"),
        keywords={},
        outcome=outcome,
        longrepr=None,
        when=when,
        duration=duration_s,
    )


def test_a_test_that_passed_is_told_once_with_the_seconds_of_all_its_phases() -> None:
    (told,) = untold([report("setup"), report("call", duration_s=0.5), report("teardown", duration_s=0.25)])
    assert (told.when, told.outcome, told.duration) == ("call", "passed", 1.75)


@pytest.mark.parametrize("wrong", ["setup", "call", "teardown"])
@pytest.mark.parametrize("outcome", ["failed", "skipped"])
def test_of_any_other_what_passed_is_left_to_tell(wrong: When, outcome: Outcome) -> None:
    phases: tuple[When, ...] = ("setup", "call", "teardown")
    reports = [report(when, outcome if when == wrong else "passed") for when in phases]
    assert [told.when for told in untold(reports)] == [when for when in phases if when != wrong]


def test_a_test_of_which_the_set_up_alone_was_asked_for_is_told() -> None:
    reports = [report("setup"), report("teardown")]
    assert untold(reports) == reports


TESTS = """
import os, pytest

def test_that_passes(): pass

@pytest.fixture
def ends():
    yield
    os._exit(9)

def test_that_fails_before_its_worker_ends(ends): assert 1 == 2, "this is why"
"""


@pytest.mark.process
def test_why_a_test_failed_is_known_though_its_worker_ended_then(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-n", "1", "-p", "no:cacheprovider", "-p", "tests.session.told"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert "this is why" in done.stdout and "crashed" in done.stdout, done.stdout
    assert "2 failed, 1 passed" in done.stdout, done.stdout
