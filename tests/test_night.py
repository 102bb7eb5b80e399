"""``NIGHT.md`` lists what the night runs, and nothing else: every test with the marker, and what stays at every push."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parent
LIST = TESTS / "NIGHT.md"
#: Its tests say at which rungs they run per push, in one word each; the list has one line for all of them.
CONTRACT = "stack/test_contract.py"


def marked(node: ast.AST, names: frozenset[str] = frozenset()) -> bool:
    """Whether the marker ``nightly``, or one of ``names`` that stand for it, is written anywhere in it."""
    return any(
        (isinstance(each, ast.Attribute) and each.attr == "nightly")
        or (isinstance(each, ast.Name) and each.id in names)
        for each in ast.walk(node)
    )


def nightly_tests(path: Path) -> Iterator[str]:
    """The tests of a module that have the marker: by their decorators, or by the module's ``pytestmark``."""
    text = path.read_text()
    if "nightly" not in text:
        return
    module = ast.parse(text)
    names = frozenset(
        ast.unparse(node.targets[0]) for node in module.body if isinstance(node, ast.Assign) and marked(node.value)
    )
    whole = "pytestmark" in names
    for node in module.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not node.name.startswith("test_"):
            continue
        if whole or any(marked(decorator, names) for decorator in node.decorator_list):
            yield f"{path.relative_to(TESTS)}::{node.name}"


def listed() -> list[tuple[str, str, str]]:
    """Test, minutes and what stays, of each line of the table."""
    rows = re.findall(r"^\| `([^`]+)`[^|]*\| ([^|]+) \| ([^|]+) \|$", LIST.read_text(), re.MULTILINE)
    return [(test, minutes.strip(), stays.strip()) for test, minutes, stays in rows]


def test_the_list_is_that_of_the_markers() -> None:
    found = [test for path in sorted(TESTS.rglob("test_*.py")) for test in nightly_tests(path)]
    assert len(found) > 20
    named = [test for test, _, _ in listed() if not test.startswith(CONTRACT)]
    assert sorted(named) == sorted(found), "write the test, its minutes and what stays per push into tests/NIGHT.md"
    assert sum(test.startswith(CONTRACT) for test, _, _ in listed()) == 1


def test_each_line_says_its_minutes_and_what_stays() -> None:
    for test, minutes, stays in listed():
        assert re.fullmatch(r"~?\d+(\.\d)?", minutes), test
        assert len(stays) > 10, test


def test_a_marker_is_found_wherever_it_is_written() -> None:
    path = TESTS / "recovery" / "test_command.py"
    assert list(nightly_tests(path)) == [
        "recovery/test_command.py::test_the_documents_procedure_fails_as_written_and_works_as_corrected",
        "recovery/test_command.py::test_interrupted_amid_the_restart_it_leaves_nothing_and_reports",
    ]
    assert len(list(nightly_tests(TESTS / "mirror_stop" / "test_run.py"))) == 1  # the whole module
    assert any("part_that_dies" in test for test in nightly_tests(TESTS / "test_main_job.py"))  # a parameter's
    assert any("calibration" in test for test in nightly_tests(TESTS / "rules" / "test_calibration.py"))  # a constant's
