"""A worker's own machine-wide folder: links to what is installed, runs of its own, taken by one worker at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.base.data import ROOT
from harness.base.home import ENVIRONMENT_VARIABLE, home
from tests.session import homes
from tests.session.homes import SHARED, WorkerHome


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "machine"))
    return home()


def test_two_workers_have_two_folders_that_share_what_is_installed(machine: Path) -> None:
    (machine / "npm").mkdir(parents=True)
    (machine / "npm" / "tree").touch()
    first = WorkerHome()
    assert home() == machine / "workers" / "0"
    assert {name: (home() / name).resolve() for name in SHARED} == {name: machine / name for name in SHARED}
    assert (home() / "npm" / "tree").exists()
    os.environ[ENVIRONMENT_VARIABLE] = str(machine)  # as the other process has it
    second = WorkerHome()
    assert home() == machine / "workers" / "1"
    assert second.leave() == first.leave() == []
    assert home() == machine


def test_a_folder_is_taken_again_when_its_worker_is_gone(machine: Path) -> None:
    WorkerHome().leave()
    again = WorkerHome()
    assert again.folder == machine / "workers" / "0"
    again.leave()


def test_a_run_that_a_test_left_is_told_once(machine: Path) -> None:
    worker = WorkerHome()
    (home() / "runs" / "forgotten").mkdir()
    assert worker.leave() == ["forgotten"]
    assert worker.leave() == []


@pytest.mark.parametrize(
    ("named", "room", "there", "found"),
    [
        ({}, 0, True, "memory"),
        ({}, 1 << 60, True, None),  # some containers have next to none
        ({}, 0, False, None),
        ({"PYTEST_DEBUG_TEMPROOT": "elsewhere"}, 0, True, "elsewhere"),
    ],
)
def test_files_lie_in_memory_where_there_is_room_and_nobody_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: dict[str, str], room: int, there: bool, found: str | None
) -> None:
    memory = tmp_path / "memory"
    if there:
        memory.mkdir()
    monkeypatch.setattr(homes, "ROOM_BYTES", room)
    homes.in_memory(named, memory)
    assert named.get("PYTEST_DEBUG_TEMPROOT") == (str(memory) if found == "memory" else found)


@pytest.mark.process
def test_a_worker_s_last_test_fails_where_a_run_was_left(tmp_path: Path) -> None:
    """By a worker of its own: what its session's end raises, no controller hears of."""
    (tmp_path / "test_leaves.py").write_text(
        "import os, pathlib, pytest\n"
        "@pytest.mark.process\n"
        "def test_leaves():\n"
        "    (pathlib.Path(os.environ['TEKUTOKO_REHEARSAL_HOME']) / 'runs' / 'left-behind').mkdir(parents=True)\n"
    )
    environment = {**os.environ, "TEKUTOKO_REHEARSAL_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-n", "1", "-q", "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [*command, "--groups", "process", str(tmp_path / "test_leaves.py")],
        cwd=ROOT, env=environment, check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    assert "1 passed, 1 error" in done.stdout and "tests left runs in" in done.stdout
