"""What each test of a run cost and how it ended, as a JSON file (``--record FILE``) and as lines at the run's end.

A test's seconds are those of its set-up, call and tear-down together; the first user of a shared fixture pays for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

SLOWEST = 15
_WORST_LAST = ("passed", "skipped", "failed", "error")
FAILED = frozenset({"failed", "error"})


class Done(msgspec.Struct):
    """One test that was run or skipped; ``reason`` says why it was skipped. ``second_try``: it failed beside others, and
    the outcome is that of a second try with nothing beside it."""

    id: str
    group: str
    seconds: float = 0.0
    outcome: str = "passed"
    reason: str = ""
    second_try: bool = False


class Record(msgspec.Struct):
    """One run of pytest, or several joined."""

    wall_s: float
    tests: list[Done]

    def outcomes(self) -> Counter[str]:
        """How many tests passed, failed, were skipped or had an error outside the test itself."""
        return Counter(test.outcome for test in self.tests)


def read(path: Path) -> Record:
    """The record in a file; raises ``OSError`` or ``msgspec.DecodeError``."""
    return msgspec.json.decode(path.read_bytes(), type=Record)


def encoded(record: Record) -> bytes:
    """The record as the file has it."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1)


def joined(records: Iterable[Record]) -> Record:
    """Several runs as one; their walls are added, for they ran one after the other."""
    several = list(records)
    return Record(wall_s=sum(each.wall_s for each in several), tests=[test for each in several for test in each.tests])


def minutes(record: Record) -> list[str]:
    """The minutes of each group, then the slowest tests, as lines."""
    spent: Counter[str] = Counter()
    for test in record.tests:
        spent[test.group] += test.seconds  # type: ignore[assignment]
    number = Counter(test.group for test in record.tests)
    lines = [f"{group:<9}{number[group]:>6} tests {of / 60:>7.1f} min" for group, of in spent.most_common()]
    slowest = sorted(record.tests, key=lambda test: -test.seconds)[:SLOWEST]
    return [*lines, *(f"{test.seconds:>8.1f} s  {test.id}" for test in slowest if test.seconds >= 1)]


class Recorder:
    """The plugin: hears the report of each phase, of workers too, and writes the file when all have ended."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tests: dict[str, Done] = {}
        self._wall_s = 0.0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Adds one phase to its test."""
        properties: dict[str, Any] = dict(report.user_properties)
        name = (
            report.nodeid.rpartition("@")[0] if report.nodeid.rfind("@") > report.nodeid.rfind("]") else report.nodeid
        )
        test = self._tests.setdefault(name, Done(id=name, group=str(properties.get("group", ""))))
        test.seconds += report.duration
        outcome = "error" if report.failed and report.when != "call" else report.outcome
        test.outcome = max(test.outcome, outcome, key=_WORST_LAST.index)
        if report.skipped and isinstance(report.longrepr, tuple):
            test.reason = report.longrepr[2].removeprefix("Skipped: ")

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Writes the file, and prints the minutes a group and the slowest tests."""
        wall_s = terminalreporter._session_start.elapsed().seconds
        record = Record(wall_s=wall_s, tests=list(self._tests.values()))
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_bytes(encoded(record))
        terminalreporter.section(f"time by group, of tests that may run side by side ({self._path})")
        for line in minutes(record):
            terminalreporter.write_line(line)
