"""Which tests run: one group a test, the night only when it is asked for, and the same names at each collection."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


def collected(*words: str) -> list[str]:
    """The ids that pytest would run, asked of a process of its own."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in {0, 5}, done.stdout + done.stderr
    return sorted(line for line in done.stdout.splitlines() if "::" in line)


def ran(folder: Path, *words: str) -> dict[str, str]:
    """The outcome of each test of ``A_MODULE``, run with the conftest of all tests."""
    (folder / "test_it.py").write_text(A_MODULE)
    (folder / "conftest.py").write_text(OUR_HOOKS)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-v",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(folder),
        "-c",
        "/dev/null",
    ]
    done = subprocess.run(
        [*command, str(folder), *words], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    lines = [line.split() for line in done.stdout.splitlines() if "::" in line and "%]" in line]
    assert lines, done.stdout + done.stderr
    return {line[0].rpartition("::")[2]: line[1] for line in lines}


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
def test_an_unmarked_test_that_starts_a_process_fails_though_it_hides_it(tmp_path: Path) -> None:
    assert ran(tmp_path) == {"test_in_process": "PASSED", "test_unmarked": "FAILED", "test_marked": "PASSED"}


@pytest.mark.process
@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("-m", "not stack"), {"test_in_process", "test_unmarked", "test_marked"}),
        (("--groups", "process"), {"test_marked"}),
        (("--nightly", "-m", "nightly"), {"test_by_night", "test_process_by_night"}),
        (("--nightly", "--groups", "process"), {"test_marked", "test_process_by_night"}),
    ],
)
def test_the_night_is_asked_for_by_its_own_option_alone(
    tmp_path: Path, words: tuple[str, ...], names: set[str]
) -> None:
    assert set(ran(tmp_path, *words)) == names


@pytest.mark.process
def test_no_m_of_ones_own_switches_the_night_on_in_the_real_tests() -> None:
    file = "tests/scaling/test_nightly.py"
    assert collected(file, "-m", "not stack") == collected(file, "-m", "nightly") == []
    assert collected(file, "--nightly") != []


@pytest.mark.process
def test_names_are_the_same_at_each_collection() -> None:
    """Workers of pytest-xdist refuse to start when they are not; ids once came from ``new_id()``."""
    assert collected("tests/api", "tests/load", "tests/judge") == collected("tests/api", "tests/load", "tests/judge")
