"""``reports/latest``: a symbolic link to the newest run's folder; and the results of runs, each under one name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from harness.base.errors import EvidenceNotWritten
from harness.report.language import not_written
from harness.report.published import RESULT_JSON

LATEST = "latest"
_ABOUT_TO_BE = f".{LATEST}."  # before the run's name: the link that becomes LATEST


def point_latest(reports: Path, run_folder: Path) -> Path:
    """Points ``reports/latest`` at ``run_folder``, atomically: a reader finds the old run or the new one.

    The link is relative, so that the reports folder can be moved. Raises ``EvidenceNotWritten``, also when a real
    folder or file of that name is in the way (it is somebody's, and is left alone).
    """
    link = reports / LATEST
    if link.exists() and not link.is_symlink():
        raise EvidenceNotWritten(
            "a file or folder is where the link to the newest run belongs",
            where=str(link),
            remedy="move it away; the run's own folder is complete",
        )
    # Two runs that end at once must not share the temporary name: it carries the run's.
    part = reports / f"{_ABOUT_TO_BE}{run_folder.name}"
    try:
        part.unlink(missing_ok=True)
        part.symlink_to(os.path.relpath(run_folder, reports), target_is_directory=True)
        part.replace(link)
    except OSError as error:
        raise not_written(link, error) from error
    return link


def results(reports: Path) -> Iterator[Path]:
    """The result of each run below ``reports``, and of those of sequences: by their own folders, not by the links to
    the newest ones, of which a sequence has its own, nor by one that is about to be (``point_latest``)."""
    for pattern in (f"*/{RESULT_JSON}", f"*/*/{RESULT_JSON}"):
        for path in reports.glob(pattern):
            folders = path.relative_to(reports).parts[:-1]
            if not any(name == LATEST or name.startswith(_ABOUT_TO_BE) for name in folders):
                yield path
