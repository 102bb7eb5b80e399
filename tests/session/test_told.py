"""What a worker tells of a test: nothing but a test that passed may be told in short."""

from __future__ import annotations

from typing import Literal

import pytest

from tests.session.told import needed

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
    (told,) = needed([report("setup"), report("call", duration_s=0.5), report("teardown", duration_s=0.25)])
    assert (told.when, told.outcome, told.duration) == ("call", "passed", 1.75)


@pytest.mark.parametrize("wrong", ["setup", "call", "teardown"])
@pytest.mark.parametrize("outcome", ["failed", "skipped"])
def test_whatever_did_not_pass_is_told_whole(wrong: When, outcome: Outcome) -> None:
    phases: tuple[When, ...] = ("setup", "call", "teardown")
    reports = [report(when, outcome if when == wrong else "passed") for when in phases]
    assert needed(reports) is reports


def test_a_set_up_that_failed_has_no_call_and_is_told() -> None:
    reports = [report("setup", "failed"), report("teardown")]
    assert needed(reports) is reports
