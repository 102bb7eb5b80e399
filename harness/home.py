"""The one machine-wide folder of the harness: caches, and the state of runs under way.

Standard library only: ``noxfile.py`` reads it before anything is installed.

Layout below ``home()``::

    venv/<key>/     the locked Python environment
    npm/<key>/      the Firebase emulators' locked node_modules
    template/<key>/ an initialised PostgreSQL data folder, copied for each run
    runs/<run id>/  the state of a run under way: lease, sockets, data folders; gone when the run ends
"""

from __future__ import annotations

import os
from pathlib import Path

ENVIRONMENT_VARIABLE = "TEKUTOKO_REHEARSAL_HOME"


def home() -> Path:
    """The machine-wide folder, not created here.

    As root it lies outside root's own home, because PostgreSQL refuses to run as root and another
    user must be able to reach its binaries and data.
    """
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    if named:
        return Path(named).expanduser().resolve()
    if os.geteuid() == 0:
        return Path("/var/cache/tekutoko-rehearsal")
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "tekutoko-rehearsal"


def runs_folder() -> Path:
    """Where the state of runs under way lies: one folder a run."""
    return home() / "runs"
