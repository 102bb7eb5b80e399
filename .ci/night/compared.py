"""One rehearsal on two rungs, side by side: the newest run on each, set against each other by ``compare``.

It takes no seed: what it compares is what the steps before it made, and none of its own would be worth a replay.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from night import files
from night.errors import Trouble
from night.preconditions import ROOT

RESULT = "result.json"


def compare(rehearsal: str, rungs: list[str], reports: Path) -> int:
    """The status of ``compare``: 0 when nothing that is judged is worse on the second rung.

    Raises ``Trouble`` where a rung has no run of ``rehearsal``, or the newest two are not of one seed.
    """
    (a, seed), (b, other) = (newest(rehearsal, rung, reports) for rung in rungs)
    if seed != other:
        raise _not_made(f"the newest runs of {rehearsal} are of two seeds, {seed} and {other}", reports)
    command = [sys.executable, "-m", "harness", "compare", str(a), str(b), "--across"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def newest(rehearsal: str, rung: str, reports: Path) -> tuple[Path, int]:
    """The folder of the last run of ``rehearsal`` on ``rung``, whose id begins with when it began; and its seed."""
    folders = [path.parent for path in sorted(reports.glob(f"*/{RESULT}")) if not path.parent.is_symlink()]
    for folder in reversed(folders):
        result = files.read(folder / RESULT, dict)
        facts: dict[str, Any] = result.get("facts", {})
        if (result.get("rehearsal"), facts.get("rung")) == (rehearsal, rung):
            return folder, int(facts["seed"])
    raise _not_made(f"there is no run of {rehearsal} on {rung}", reports)


def _not_made(what: str, reports: Path) -> Trouble:
    return Trouble(what, where=str(reports), remedy="the steps before this one make both; read why they did not")
