"""A machine-wide folder for each worker of pytest-xdist, so that no worker sweeps, counts or takes over another's runs.

Installed programs and templates are links to the machine's own folder; what runs is not. A folder is a number below
``home()/workers``, held by a file lock while its worker lives: what a killed worker left in it, the next worker that has
the number sweeps, as any run does. The worker that has the cluster uses the machine's own folder: clusters, their images
and a kept one belong to that.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
from collections.abc import MutableMapping
from pathlib import Path
from typing import IO

from harness.base.home import ENVIRONMENT_VARIABLE, home
from harness.stack.state import sweep

MEMORY = Path("/dev/shm")
ROOM_BYTES = 1 << 30  # some containers have 64 MiB
SHARED = ("venv", "npm", "template", "wheels", "programs", "kind/binaries")


class WorkerHome:
    """The folder of this worker; ``TEKUTOKO_REHEARSAL_HOME`` names it until ``leave``."""

    def __init__(self) -> None:
        self._machine = home()
        self._before = os.environ.get(ENVIRONMENT_VARIABLE)
        self._lock, self.folder = _free(self._machine / "workers")
        for name in SHARED:
            _link(self.folder / name, self._machine / name)
        os.environ[ENVIRONMENT_VARIABLE] = str(self.folder)
        sweep(lambda line: None)  # of a worker that was killed

    def leave(self) -> list[str]:
        """Goes back to the machine's own folder; the runs that tests left in this one. Idempotent."""
        if self._lock.closed:
            return []
        _restore(self._before)
        runs = self.folder / "runs"
        left = sorted(path.name for path in runs.iterdir()) if runs.is_dir() else []
        self._lock.close()
        return left


def sweep_all() -> None:
    """Sweeps the machine's own folder and that of each worker that lives no more."""
    workers, before = home() / "workers", os.environ.get(ENVIRONMENT_VARIABLE)
    sweep(lambda line: None)
    for file in workers.glob("*.lock"):
        if (lock := _locked(file)) is None:
            continue
        with lock:
            os.environ[ENVIRONMENT_VARIABLE] = str(file.with_suffix(""))
            sweep(lambda line: None)
            _restore(before)


def _restore(before: str | None) -> None:
    if before is None:
        os.environ.pop(ENVIRONMENT_VARIABLE, None)
    else:
        os.environ[ENVIRONMENT_VARIABLE] = before


def in_memory(environment: MutableMapping[str, str], memory: Path = MEMORY) -> None:
    """Has pytest make the tests' folders in ``memory`` where there is room, so that they wait for no disk: for tests in
    process, none of which asks what a power cut leaves. Whoever named another place is heard.
    """
    if memory.is_dir() and shutil.disk_usage(memory).free > ROOM_BYTES:
        environment.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))


def _free(workers: Path) -> tuple[IO[str], Path]:
    """The first number that no living worker holds, with its lock."""
    workers.mkdir(parents=True, exist_ok=True)
    for number in itertools.count():
        if (lock := _locked(workers / f"{number}.lock")) is not None:
            folder = workers / str(number)
            folder.mkdir(mode=0o755, exist_ok=True)
            return lock, folder
    raise AssertionError("unreachable: numbers do not end")


def _locked(file: Path) -> IO[str] | None:
    """The lock of a worker's folder; ``None`` while a living worker holds it."""
    lock = file.open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _link(link: Path, to: Path) -> None:
    to.mkdir(parents=True, exist_ok=True)
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(to)
