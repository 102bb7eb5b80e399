"""A worker's own machine-wide folder: links to what is installed, runs of its own, taken by one worker at a time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.base.home import ENVIRONMENT_VARIABLE, home
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
