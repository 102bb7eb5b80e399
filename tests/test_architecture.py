"""ARCHITECTURE.md names what is there: each folder and file, those too that a row or a section names without a folder."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.base.data import ROOT

_SPAN = re.compile(r"`([\w./*-]+(?:/|\.(?:py|md|toml|yaml)))`")


def blocks(page: str) -> Iterator[str]:
    """Each row of a table, and what else each section has: what a name without a folder may be told by."""
    for section in re.split(r"^#+ ", re.sub(r"```.*?```", "", page, flags=re.S), flags=re.M):
        rows = [line for line in section.splitlines() if line.startswith("|")]
        yield from rows
        yield "\n".join(line for line in section.splitlines() if not line.startswith("|"))


def is_there(name: str, folders: list[Path]) -> bool:
    """In the checkout; one without a folder of its own, or of a folder's folder, in one of ``folders``."""
    if (ROOT / name).exists():
        return True
    return any(next(folder.rglob(name.rstrip("/")), None) is not None for folder in folders)


def absent(page: str) -> list[str]:
    """What is named and is not there."""
    found = []
    for block in blocks(page):
        names = [name.replace("/NAME/", "/") for name in _SPAN.findall(block)]
        paths = [ROOT / (name if name.endswith("/") else name.rpartition("/")[0]) for name in names if "/" in name]
        folders = [path for path in paths if path.is_dir() and path != ROOT]
        found += [name for name in names if not is_there(name, folders)]
    return found


def test_every_file_and_folder_that_it_names_is_there() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    assert len(_SPAN.findall(page)) > 100
    assert absent(page) == []


def test_the_folders_stand_in_the_order_in_which_they_may_import_each_other() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (layers,) = [each["layers"] for each in contracts if each["type"] == "layers"]
    rows = [line.split(" | ")[0] for line in page.splitlines() if line.startswith("| `harness/")]
    folders = [frozenset(re.findall(r"`harness/(\w+)/`", row)) for row in rows]
    allowed = [frozenset(layer.split(" | ")) for layer in layers if layer != "__main__"]
    assert [folder for folder in folders if folder] == allowed


@pytest.mark.parametrize(
    ("row", "missing"),
    [
        ("| `harness/run/` | `course/`, `cause.py` |", ["course/", "cause.py"]),  # they are elsewhere
        ("| `harness/checks/` | `cause.py` |\n| `harness/report/` | `cause.py`, `course.py` |", ["cause.py"]),
        ("| `harness/nowhere/` | |", ["harness/nowhere/"]),
        ("`harness/stack/kind/cluster.py` makes it, `addon.py` adds, `mux.py` does not", ["mux.py"]),
        ("A `rehearsal.py` and no folder", ["rehearsal.py"]),
    ],
)
def test_what_is_not_there_is_found(row: str, missing: list[str]) -> None:
    assert absent(row) == missing
