"""The floor under what decides: who is below it is named, who was not measured too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.session import coverage
from tests.session.coverage import Counts, File, Report


def counts(there: int, ran: int, branches: int = 0, taken: int = 0) -> Counts:
    return Counts(num_statements=there, covered_lines=ran, num_branches=branches, covered_branches=taken)


def report(**changed: Counts) -> Report:
    names = [name.replace("*", "a") if name.endswith(".py") else f"{name}/a.py" for name in coverage.HELD]
    files = {name: File(counts(100, 95)) for name in names}
    return Report(files | {name.replace("__", "/") + ".py": File(each) for name, each in changed.items()})


def test_what_is_held_is_there() -> None:
    assert all([*coverage.ROOT.glob(name)] for name in coverage.HELD)


def test_the_facts_of_the_rehearsals_are_held_and_what_stands_beside_them_is_not() -> None:
    facts, beside = "harness/rehearsals/rollout/facts_new.py", "harness/rehearsals/rollout/week.py"
    measured = Report({facts: File(counts(100, 94)), beside: File(counts(100, 10))})
    assert coverage.by_package(measured)[coverage.FACTS] == counts(100, 94)
    assert f"{coverage.FACTS}: 94.0 %, held to 95 %" in coverage.below(coverage.by_package(measured))


def test_at_the_floor_nothing_is_wrong_and_just_below_it_the_package_is_named() -> None:
    assert coverage.below(coverage.by_package(report())) == []
    found = coverage.by_package(report(harness__rules__b=counts(100, 94)))
    assert coverage.below(found) == ["harness/rules: 94.5 %, held to 95 %"]


def test_a_branch_that_was_not_taken_counts_as_a_line() -> None:
    found = coverage.by_package(report(harness__checks__b=counts(100, 100, 100, 80)))
    assert coverage.below(found) == ["harness/checks: 91.7 %, held to 95 %"]


def test_the_rest_is_told_and_held_to_nothing() -> None:
    measured = report(harness__stack__local__pod=counts(100, 10), api__routes=counts(50, 50))
    assert coverage.below(coverage.by_package(measured)) == []
    told = coverage.lines(measured)
    assert "  10.0 %  harness/stack" in told and " 100.0 %  api" in told
    assert "    90 of harness/stack/local/pod.py did not run" in told


def test_what_was_not_measured_is_no_pass() -> None:
    assert coverage.below({}) == [f"{name} was not measured" for name in coverage.HELD]


@pytest.mark.process
def test_a_child_process_is_measured_with_its_branches(tmp_path: Path) -> None:
    """As pyproject.toml has it: of the module of this test's folder alone."""
    (tmp_path / "part.py").write_text("import sys\nif len(sys.argv) > 5:\n    print(1)\n")
    (tmp_path / "start.py").write_text(
        "import subprocess, sys\nsubprocess.run([sys.executable, 'part.py'], check=True)\n"
    )
    text = (coverage.ROOT / "pyproject.toml").read_text()
    (tmp_path / "pyproject.toml").write_text(text.replace('source = ["harness", "api", "chaos"]', ""))
    (tmp_path / ".coverage").mkdir()

    def run(*words: str) -> None:
        subprocess.run([sys.executable, "-m", "coverage", *words], cwd=tmp_path, check=True, timeout=60)

    run("run", "start.py")
    run("combine", "--quiet")
    run("json", "--quiet", "-o", "report.json")
    found = msgspec.json.decode((tmp_path / "report.json").read_bytes(), type=Report)
    assert found.files["part.py"].summary == counts(3, 2, 2, 1)
