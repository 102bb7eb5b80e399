"""``reports/latest``: a symbolic link to the newest run's folder."""

from __future__ import annotations

import os
from pathlib import Path

from harness.base.errors import EvidenceNotWritten
from harness.report.files import not_written

LATEST = "latest"


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
    part = reports / f".{LATEST}.{run_folder.name}"
    try:
        part.unlink(missing_ok=True)
        part.symlink_to(os.path.relpath(run_folder, reports), target_is_directory=True)
        part.replace(link)
    except OSError as error:
        raise not_written(link, error) from error
    return link
