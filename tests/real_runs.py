"""Two real runs on the local stack, each made once a session on first use: many tests look at the folder of each.

Whoever uses one is in its xdist group, so that one worker makes it and asks all of its questions.
"""

from __future__ import annotations

import pytest

from tests.hurried import QUICK_PROBES, hurried
from tests.main_job import Job, left_since, machine_state

ADVANCED, ROLLED_BACK = "advanced", "rolled_back"


class RealRun:
    """A job that has ended: its exit status, what it printed, and what was left of it when it had ended."""

    def __init__(self, job: Job, printed: str, status: int, left: dict[str, set[str]]) -> None:
        self.job = job
        self.printed = printed
        self.status = status
        self.left = left


def _made(factory: pytest.TempPathFactory, name: str, scenario: str, *words: str) -> RealRun:
    before = machine_state()
    job = Job(factory.mktemp(name) / "reports", *words, *QUICK_PROBES, scenario=scenario)
    assert job.process.stdout is not None
    printed = job.process.stdout.read()
    status = job.finish()
    return RealRun(job, printed, status, left_since(before, job))


@pytest.fixture(scope="session")
def advanced_run(tmp_path_factory: pytest.TempPathFactory) -> RealRun:
    """A healthy week 3, hurried: 42 s at one request in 14 s a user, 40 probes a second, which carry three
    failures: a machine that stands still for 2 s ends one or two that were under way."""
    scenario = hurried(3, tmp_path_factory.mktemp("week"))
    words = ("--window", "42s", "--pace", "14s", "--fetch-interval", "10s", "--json")
    return _made(tmp_path_factory, "advanced", scenario, *words)


@pytest.fixture(scope="session")
def rolled_back_run(tmp_path_factory: pytest.TempPathFactory) -> RealRun:
    """Week 3 with 12 % errors planted, and week 2's request rate among its criteria."""
    scenario = hurried(3, tmp_path_factory.mktemp("week"), rate_too=True)
    words = ("--fault", "errors=12%", "--pace", "14s", "--fetch-interval", "10s")
    return _made(tmp_path_factory, "rolled_back", scenario, *words)
