"""Which tests run: one group a test, and the night only when it is asked for.

That names are the same at each collection needs no test: pytest-xdist refuses to run what two workers collect differently.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.session import groups

ROOT = Path(__file__).resolve().parents[2]

A_MODULE = """
import pytest, subprocess, sys

def test_in_process(): pass

def test_unmarked():
    try:
        subprocess.run([sys.executable, "-c", ""], check=True)
    except Exception:
        pass

@pytest.mark.process
def test_marked():
    subprocess.run([sys.executable, "-c", ""], check=True)

@pytest.mark.nightly
def test_by_night(): pass

@pytest.mark.nightly
@pytest.mark.process
def test_process_by_night(): pass
"""

OUR_HOOKS = """
import tests.conftest
globals().update({name: of for name, of in vars(tests.conftest).items() if name.startswith("pytest_")})
"""


#: Sessions of pytest, one after the other in one process: to import what the tests import takes longer than they do.
SESSIONS = """
import json, sys, pytest

class Seen:
    def __init__(self):
        self.collected, self.outcomes = [], {}
    def pytest_collection_finish(self, session):
        self.collected = [item.name for item in session.items]
    def pytest_runtest_logreport(self, report):
        name = report.nodeid.rpartition("::")[2]
        if report.when == "call" or not report.passed:
            self.outcomes[name] = report.outcome

for words in json.loads(sys.argv[1]):
    seen = Seen()
    status = int(pytest.main(words, plugins=[seen]))
    print("\\n=> " + json.dumps([status, sorted(seen.collected), seen.outcomes]))
"""

NOBODYS_M = (("-m", "not stack"), ("-m", "nightly"), ("--nightly",))
ASKED = {
    ("-m", "not stack"): {"test_in_process", "test_unmarked", "test_marked"},
    ("--groups", "process"): {"test_marked"},
    ("--nightly", "-m", "nightly"): {"test_by_night", "test_process_by_night"},
    ("--nightly", "--groups", "process"): {"test_marked", "test_process_by_night"},
}


class Session(NamedTuple):
    """One session: its exit status, the names it would run, and the outcome of each that ran."""

    status: int
    collected: list[str]
    outcomes: dict[str, str]


def sessions(*several: Sequence[str]) -> list[Session]:
    """What comes of pytest with each of these arguments, asked of a process of its own."""
    command = [sys.executable, "-c", SESSIONS, json.dumps(several)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    found = [Session(*json.loads(line[3:])) for line in done.stdout.splitlines() if line.startswith("=> ")]
    assert len(found) == len(several), done.stdout + done.stderr
    return found


@pytest.fixture(scope="module")
def of_a_module(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], Session]:
    """``A_MODULE`` run with the conftest of all tests: without more words, and with those of ``ASKED``."""
    folder = tmp_path_factory.mktemp("selection")
    (folder / "test_it.py").write_text(A_MODULE)
    (folder / "conftest.py").write_text(OUR_HOOKS)
    alone = ("-q", "-p", "no:cacheprovider", "--rootdir", str(folder), "-c", "/dev/null", str(folder))
    words: list[tuple[str, ...]] = [(), *ASKED]
    return dict(zip(words, sessions(*((*alone, *each) for each in words)), strict=True))


@pytest.mark.parametrize(
    ("markers", "group"),
    [
        (set(), "fast"),
        ({"slow", "nightly"}, "fast"),
        ({"process", "stack"}, "stack"),
        ({"stack", "kind"}, "kind"),
        ({"kind", "compose"}, "compose"),
        ({"document"}, "document"),
    ],
)
def test_a_test_is_in_the_most_demanding_of_its_groups(markers: set[str], group: str) -> None:
    assert groups.group_of(markers) == group


def test_unknown_groups_are_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no group quick; there are compose, kind, .*fast"):
        groups.chosen("fast, quick")
    assert groups.chosen("") == set(groups.ALL)
    assert groups.chosen("fast,document") == {"fast", "document"}


@pytest.mark.process
def test_an_unmarked_test_that_starts_a_process_fails_though_it_hides_it(
    of_a_module: dict[tuple[str, ...], Session],
) -> None:
    outcomes = {"test_in_process": "passed", "test_unmarked": "failed", "test_marked": "passed"}
    assert of_a_module[()].outcomes == outcomes


@pytest.mark.process
@pytest.mark.parametrize("words", ASKED)
def test_the_night_is_asked_for_by_its_own_option_alone(
    of_a_module: dict[tuple[str, ...], Session], words: tuple[str, ...]
) -> None:
    found = of_a_module[words]
    assert set(found.collected) == set(found.outcomes) == ASKED[words]


@pytest.mark.process
def test_no_m_of_ones_own_switches_the_night_on_in_the_real_tests() -> None:
    file = ("--collect-only", "-q", "tests/scaling/test_nightly.py")
    not_stack, nightly, asked = sessions(*((*file, *words) for words in NOBODYS_M))
    assert not_stack.collected == nightly.collected == []
    assert asked.collected != [] and asked.status == 0
