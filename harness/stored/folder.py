"""A run's folder, found and read: the plan as it was used, the report if there is one, the machine, the manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from harness.evidence.read import read_meta
from harness.model.errors import BadInput
from harness.model.run import Run
from harness.model.scenario import Scenario
from harness.report.latest import LATEST
from harness.report.published import RUN, RUN_JSON

EVIDENCE = "evidence.sqlite"
_T = TypeVar("_T")


class StoredRun(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in a run's folder. ``run`` is ``None`` when the run was killed before it could report."""

    folder: str
    run_id: str
    scenario: Scenario
    run: Run | None
    machine: dict[str, Any]
    manifests: dict[str, Any]

    @property
    def evidence(self) -> Path:
        """Its evidence file."""
        return Path(self.folder) / EVIDENCE


def locate(text: str, reports: Path) -> Path:
    """The folder of a run: a folder, its ``run.json``, ``latest``, or a run's id below ``reports``.

    Raises ``BadInput`` when there is none.
    """
    path = Path(text)
    if text == LATEST or (not path.exists() and (reports / text).is_dir()):
        path = reports / text
    if path.is_file() and path.name in {RUN_JSON, EVIDENCE}:
        path = path.parent
    if not path.is_dir():
        raise BadInput(
            f"there is no run {text!r}",
            where=str(path),
            remedy=f"name a run's folder, its run.json, a run's id below {reports}, or latest",
        )
    if not any((path / name).is_file() for name in (RUN_JSON, EVIDENCE, "scenario.json")):
        rollout = (path / "rollout.json").is_file()
        raise BadInput(
            "the folder holds a rollout of several runs" if rollout else "the folder holds no run",
            where=str(path),
            remedy="name the folder of one of its weeks"
            if rollout
            else "name the folder of a run, e.g. reports/latest",
        )
    return path.resolve()


def read_stored(text: str, reports: Path) -> StoredRun:
    """Reads the run that ``text`` names (see ``locate``). Raises ``BadInput`` for whatever is missing or broken."""
    folder = locate(text, reports)
    if not (folder / "scenario.json").is_file():
        raise BadInput(
            "the run's plan is not there: it ended before its preflight, and has nothing to judge",
            where=str(folder / "scenario.json"),
            remedy="name a run that began",
        )
    run = RUN.read(folder / RUN_JSON) if (folder / RUN_JSON).exists() else None
    run_id = read_meta(folder / EVIDENCE).get("run_id", "")
    if run is not None and run.run_id != run_id:
        raise BadInput(
            f"run.json is of the run {run.run_id}, the evidence beside it of {run_id}",
            where=str(folder),
            remedy="name the folder as the run left it",
        )
    return StoredRun(
        folder=str(folder),
        run_id=run_id,
        scenario=_decode(folder / "scenario.json", Scenario),
        run=run,
        machine=_optional(folder / "machine.json"),
        manifests=_optional(folder / "manifests.json"),
    )


def _optional(path: Path) -> dict[str, Any]:
    return _decode(path, dict[str, Any]) if path.exists() else {}


def _decode(path: Path, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError) as error:
        raise BadInput(
            f"{path.name} does not say what it must: {error}",
            where=str(path),
            remedy="it was changed, cut, or written by a newer harness: use that one, or run the scenario again",
        ) from error
