"""A plugin: what a worker of pytest-xdist tells of a test. Every message costs both processes as much as a small test
does, and of a test that passed there is one, not five. What did not pass is told when it is known, for nothing more is
heard of a worker that ends then.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import pytest
from _pytest.runner import runtestprotocol  # what a plugin that says what is logged has to call


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Runs a test, and tells what is not told yet."""
    for report in untold(runtestprotocol(item, log=False, nextitem=nextitem)):
        item.ihook.pytest_runtest_logreport(report=report)
    return True


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tells of a phase that did not pass."""
    report = yield
    if not report.passed:
        item.ihook.pytest_runtest_logreport(report=report)
    return report


def untold(reports: Sequence[pytest.TestReport]) -> Sequence[pytest.TestReport]:
    """Of a test that passed its call's report alone, with the seconds of all phases; else the phases that passed."""
    passed = [report for report in reports if report.passed]
    call = next((report for report in passed if report.when == "call"), None)
    if call is None or len(passed) < len(reports):
        return passed
    call.duration = sum(report.duration for report in reports)
    return [call]
