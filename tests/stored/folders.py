"""Run folders as runs leave them, from synthetic weeks."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from harness.evidence.store import EvidenceStore
from harness.model.evidence import Row
from harness.model.run import Run
from harness.model.scenario import Scenario
from harness.report.published import RUN
from tests.report.synthetic import ALL_CRITERIA, Week, write

MACHINE = b'{"cpu_count": 2, "memory_available_bytes": 1, "packages": {"locust": "2.47.0"}}'
MANIFESTS = b'{"folder": "deploy", "deployment": {"name": "tekutoko-api", "replicas": 2}}'


def plan() -> Scenario:
    return Week(criteria=ALL_CRITERIA).scenario


def stored(folder: Path, run: Run, rows: list[Row], scenario: Scenario | None = None) -> Path:
    """A finished run's folder."""
    write(folder, run, rows)
    _plan(folder, scenario or plan())
    (folder / "run.json").write_bytes(RUN.encode(run))
    return folder


def killed(folder: Path, run: Run, rows: list[Row]) -> Path:
    """What ``kill -9`` leaves: the evidence with its journal beside it, and no report."""
    folder.mkdir()
    alive = folder.with_name(f"{folder.name}-alive")
    alive.mkdir()
    with EvidenceStore(alive / "evidence.sqlite", run.run_id, run.anchor) as store:
        store.append(rows)
        for name in ("evidence.sqlite", "evidence.sqlite-wal"):
            shutil.copyfile(alive / name, folder / name)
    assert (folder / "evidence.sqlite-wal").stat().st_size > 0
    _plan(folder, plan())
    return folder


def _plan(folder: Path, scenario: Scenario) -> None:
    (folder / "scenario.json").write_bytes(msgspec.json.encode(scenario))
    (folder / "machine.json").write_bytes(MACHINE)
    (folder / "manifests.json").write_bytes(MANIFESTS)
