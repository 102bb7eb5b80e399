"""Runs that a sequence went on by, laid into its folder as its own are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path


def adopt(parent: Path, runs: Iterable[tuple[str, Path]]) -> list[Path]:
    """Moves the folders of ``runs``, each of a part, into ``parent``, whose result lists them and no others; where they
    are now."""
    children, folders = [], []
    for number, (part, run) in enumerate(runs):
        folder = Path(shutil.move(run, parent / f"run{number}"))
        result = json.loads((folder / "result.json").read_text())
        kept = {key: result[key] for key in ("run_id", "decision", "exit_status")}
        children.append({"part": part, "folder": folder.name, **kept})
        folders.append(folder)
    document = json.loads((parent / "result.json").read_text())
    (parent / "result.json").write_text(json.dumps({**document, "children": children}))
    return folders
