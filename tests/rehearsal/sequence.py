"""Runs that a sequence went on by, laid into its folder as its own are."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from pathlib import Path

from harness.evidence.store import EVIDENCE


def adopt(parent: Path, run_id: str, run: Path) -> Path:
    """Moves the folder of ``run`` into ``parent``, as that of the run of this id; where it is now."""
    folder = Path(shutil.move(run, parent / run_id))
    document = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps({**document, "run_id": run_id}))
    with contextlib.closing(sqlite3.connect(folder / EVIDENCE)) as evidence:
        evidence.execute("UPDATE meta SET value = ? WHERE key = 'run_id'", (run_id,))
        evidence.commit()
    return folder
