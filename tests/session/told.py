"""What a worker of pytest-xdist tells of a test: every message costs both processes as much as a small test does."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from _pytest.runner import runtestprotocol  # what a plugin that says what is logged has to call


def run(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Runs a test in a worker and tells of it."""
    for report in needed(runtestprotocol(item, log=False, nextitem=nextitem)):
        item.ihook.pytest_runtest_logreport(report=report)
    return True


def needed(reports: Sequence[pytest.TestReport]) -> Sequence[pytest.TestReport]:
    """Of a test that passed its call's report alone, with the seconds of all phases; else every phase's."""
    if not all(report.passed for report in reports):
        return reports
    (call,) = (report for report in reports if report.when == "call")
    call.duration = sum(report.duration for report in reports)
    return [call]
