"""Whether a run of all tests ran all of them: no group fewer than its known number, and no test skipped in silence.

``known.json`` beside this file has the numbers; ``python -m tests.session.gate --renew`` counts again after tests were
added or taken away. A skipped test was not run. It is forgiven only where the machine lacks something that ``LACKS``
names, or ``TEKUTOKO_LACKS`` does with a reason (``kind=no root on this machine; browser=...``).
"""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec
import pytest

from harness.stack.kind import at_hand
from harness.stack.state import processes
from tests.session import groups, reasons
from tests.session.record import Done, Record

KNOWN = Path(__file__).with_name("known.json")
VARIABLE = "TEKUTOKO_LACKS"
ROOT = Path(__file__).resolve().parents[2]
SEED = ROOT.parent / "shared" / "seed"


class Lack(msgspec.Struct, frozen=True):
    """Something a machine may not have, that nobody can build there: a group of tests, why, and whether it is so here.

    Without a group it is whatever was skipped for that very reason (``tests.session.reasons``).
    """

    group: str
    reason: str
    here: Callable[[], bool]

    def covers(self, test: Done) -> bool:
        """Whether it explains that this test was skipped."""
        return test.group == self.group if self.group else test.reason == self.reason


def _no_engine() -> bool:
    return os.geteuid() != 0 and not at_hand.docker_answers()


def _no_browser() -> bool:
    return os.geteuid() != 0 and not (shutil.which("chromium") and shutil.which("chromedriver"))


def _no_root() -> bool:
    return os.geteuid() != 0


def _no_groups() -> bool:
    """Not as the rung asks: where it could make them and does not, its tests must not be forgiven."""
    return not any(os.access(processes.ROOT / controller, os.W_OK) for controller in ("", "cpu"))


#: What cannot be had everywhere. A lack of what .ci/run can install or build is none.
LACKS = (
    Lack("document", "the design document is not published with the repository", lambda: not any(SEED.glob("*.txt"))),
    Lack("", reasons.NO_ROOT, _no_root),
    Lack("", reasons.NO_LIMITS, _no_groups),
    Lack("kind", "no Docker engine answers, and only root can start one", _no_engine),
    Lack("compose", "no Docker engine answers, and only root can start one", _no_engine),
    Lack("browser", "no Chromium, and only root can install one", _no_browser),
)


def lacks_here(environment: Mapping[str, str]) -> list[Lack]:
    """The lacks of this machine: of the table, and what its owner lists with a reason.

    Raises ``ValueError`` for an entry of ``TEKUTOKO_LACKS`` that has no group or no reason.
    """
    return [*(lack for lack in LACKS if lack.here()), *listed(environment)]


def listed(environment: Mapping[str, str]) -> list[Lack]:
    """The lacks that ``TEKUTOKO_LACKS`` lists; raises ``ValueError`` as ``lacks_here``."""
    found = []
    for entry in filter(None, (each.strip() for each in environment.get(VARIABLE, "").split(";"))):
        group, _, reason = (part.strip() for part in entry.partition("="))
        if group not in groups.ALL or not reason:
            raise ValueError(f"{VARIABLE}: {entry!r} is not GROUP=REASON; the groups are {', '.join(groups.ALL)}")
        found.append(Lack(group, reason, lambda: True))
    return found


def findings(record: Record, known: Mapping[str, int], lacks: Iterable[Lack]) -> tuple[list[str], list[str]]:
    """What is wrong with a run, and what was forgiven, each as sentences; a run is whole when nothing is wrong."""
    here = list(lacks)
    skipped = [test for test in record.tests if test.outcome == "skipped"]
    excuse = {test.id: next((lack for lack in here if lack.covers(test)), None) for test in skipped}
    ran = Counter(test.group for test in record.tests if test.outcome != "skipped")
    forgiven = Counter(test.group for test in skipped if excuse[test.id])
    wrong = [
        f"group {group}: {ran[group]} of {number} known tests ran"
        for group, number in known.items()
        if ran[group] + forgiven[group] < number
    ]
    wrong += [f"{test.id} was skipped: {test.reason}" for test in skipped if not excuse[test.id]]
    said = Counter((test.group, lack.reason) for test in skipped if (lack := excuse[test.id]))
    return wrong, [f"{group}: {count} not run, {reason}" for (group, reason), count in said.items()]


class Known(msgspec.Struct, frozen=True):
    """How many tests each group has: those of a push, and those of a night, which are the nightly ones and the
    properties.
    """

    push: dict[str, int]
    night: dict[str, int]


def known() -> Known:
    """The known numbers."""
    return msgspec.json.decode(KNOWN.read_bytes(), type=Known)


class Counting:
    """The plugin that counts what pytest collects."""

    def __init__(self) -> None:
        self.push: Counter[str] = Counter()
        self.night: Counter[str] = Counter()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """The number of tests of each group that a push runs, and a night."""
        for item in session.items:
            group, names = str(dict(item.user_properties)["group"]), groups.marker_names(item)
            self.push[group] += groups.NIGHTLY not in names
            self.night[group] += not names.isdisjoint({groups.NIGHTLY, "hypothesis"})


def collected() -> Known:
    """The number of tests of each group as they are collected now. Raises ``RuntimeError`` when they cannot be."""
    counting = Counting()
    if status := pytest.main(["--collect-only", "--nightly", "-qq", str(ROOT / "tests")], plugins=[counting]):
        raise RuntimeError(f"the tests cannot be collected ({status!r})")
    return Known(*({group: numbers[group] for group in groups.ALL} for numbers in (counting.push, counting.night)))


if __name__ == "__main__":
    if sys.argv[1:] != ["--renew"]:
        sys.exit("usage: python -m tests.session.gate --renew")
    KNOWN.write_bytes(msgspec.json.format(msgspec.json.encode(collected())) + b"\n")
