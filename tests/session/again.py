"""Tests that failed beside others are tried again with nothing beside them.

Two workers share two cores, and other tenants of the machine take their part: a test that starts pods, emulators and
hundreds of users then fails for want of a machine, and its output says nothing about the code. What it says alone
counts. The first failure stays in the output, and the closing line tells how many tests passed at their second try.
Nothing in process is tried again, nothing that failed alone, and nothing when more than ``MOST`` failed: that is no
shortage of a machine. So that a push need not wait for a quiet machine: a night, and runs that are repeated to see
whether a test ever fails, take it for the failure that it was.
"""

from __future__ import annotations

import msgspec

from tests.session import groups
from tests.session.record import FAILED, Record

MOST = 5


def worth(run: Record) -> list[str]:
    """The ids of the tests to try again; none when there were none, too many, or one of them is in process."""
    failed = [test for test in run.tests if test.outcome in FAILED]
    if len(failed) > MOST or any(test.group in groups.IN_PROCESS for test in failed):
        return []
    return [test.id for test in failed]


def settled(first: Record, second: Record) -> Record:
    """One run of both: each test once, one that was tried again as it ended then, with the seconds of both tries."""
    tried = {test.id: test for test in second.tests}
    tests = [
        msgspec.structs.replace(
            test, outcome=tried[test.id].outcome, seconds=test.seconds + tried[test.id].seconds, second_try=True
        )
        if test.id in tried
        else test
        for test in first.tests
    ]
    return Record(wall_s=first.wall_s + second.wall_s, tests=tests)


def needed(run: Record) -> list[str]:
    """What is wrong with a run of which no test may need its second try, as sentences; one that failed then, too, is
    wrong anyway."""
    passed = (test.id for test in run.tests if test.second_try and test.outcome == "passed")
    return [f"{name} failed beside others; that it passed alone counts at a push only" for name in passed]
