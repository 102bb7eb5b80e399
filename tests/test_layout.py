"""The folder tree is the architecture: import directions, clocks and dice in their own modules, sizes."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("harness", "api", "chaos", "bench")

#: Modules that own the clock or the dice, and the load processes' own.
OWNERS = {
    "harness/base/clock.py",
    "harness/base/ticks.py",
    "harness/base/virtual.py",
    "harness/base/seed.py",
    "harness/load/rest.py",
    "harness/evidence/spool.py",
    "harness/stack/database/sidecar.py",  # a process of its own, run as a file: it delays chunks
    "harness/stack/faults/fault_proxy_process.py",  # a process of its own, run as a file: it delays requests
    "harness/stack/kubernetes/compose.py",  # makes a password: a secret, no die of the run
    "harness/stack/local/postgres_template.py",  # makes a password: a secret, no die of the run
    "harness/stack/state/lease.py",  # makes the mark of a folder of state: no die of a run
    "api/clock.py",
    "bench/clock.py",
    "api/ids.py",
}
HOLDING = (ast.stmt, ast.excepthandler, ast.match_case)
HIDDEN = re.compile(
    r"\b(time\.(time|monotonic|perf_counter|sleep)(_ns)?|datetime\.(now|utcnow)|asyncio\.sleep"
    r"|random\.(random|choice|randint|shuffle|uniform)|uuid\.?uuid[14]|uuid4|os\.urandom|secrets\.token\w+)\("
)


@pytest.mark.process
def test_import_directions() -> None:
    script = Path(sys.executable).parent / "lint-imports"
    result = subprocess.run([script], check=False, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_judge_of_a_rehearsal_is_held_to_be_pure() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (pure,) = [each for each in contracts if each["name"].startswith("what judges and computes is pure")]
    folder = ROOT / "harness" / "rehearsals"
    judges = {path.stem for name in ("judge*", "facts*") for path in folder.glob(f"*/{name}.py")}
    held = {name.rpartition(".")[2] for name in pure["source_modules"] if name.startswith("harness.rehearsals.*.")}
    assert judges == held


@pytest.mark.parametrize("folder", FOLDERS)
def test_modules_keep_the_habits(folder: str) -> None:
    """One test for all of a folder: to begin one for each of some 700 modules takes longer than to look at it."""
    paths = sorted((ROOT / folder).rglob("*.py"))
    assert paths
    for path in paths:
        keeps_the_habits(path)


def keeps_the_habits(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    text = path.read_text()
    tree = ast.parse(text)
    assert text.count("\n") <= 600, f"{name} does not fit a sitting"
    if path.stat().st_size > 1:
        assert ast.get_docstring(tree), f"{name} says nothing of its purpose"
    if name not in OWNERS and HIDDEN.search(text):
        hits = [line for line in text.splitlines() if HIDDEN.search(line.split("#")[0])]
        assert hits == [], f"{name} reads the clock or the dice directly"
    for node in statements(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 70, f"{name}:{node.lineno} {node.name} does not fit a screen"


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """All of a module, at any depth, and what holds some: no expression has a function within."""
    left = [tree]
    while left:
        node = left.pop()
        yield node
        left += [each for each in ast.iter_child_nodes(node) if isinstance(each, HOLDING)]


@pytest.mark.process
def test_no_machine_path_no_registry_address_in_the_repository() -> None:
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    forbidden = re.compile(
        r"https?://(registry\.npmjs|pypi|files\.pythonhosted|proxy\.golang|static\.crates)\S*|/work/" + "main"
    )
    for name in filter(None, files):
        path = ROOT / name
        if path.suffix in {".png", ".sqlite"} or not path.is_file():
            continue
        hit = forbidden.search(path.read_text(errors="replace"))
        assert hit is None, f"{name}: {hit[0] if hit else ''}"
