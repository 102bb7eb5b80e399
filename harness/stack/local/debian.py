"""PostgreSQL 15 of Debian's packages: installed on this machine, or unpacked below ``home()`` without root.

Unpacked, the programs find their own files by where they lie; libpq comes with them, every other library is the
system's, so that a copy is used only where each program really starts.
"""

from __future__ import annotations

import fcntl
import functools
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from harness.base.home import home
from harness.model.message import Message, ProgressCallback, message

PROGRAMS = (
    *("postgres", "initdb", "pg_ctl", "pg_basebackup", "pg_verifybackup", "pg_receivewal"),
    *("pg_waldump", "pg_resetwal", "pg_archivecleanup"),
)
_PACKAGES = ("postgresql-15", "postgresql-client-15", "libpq5")
_FOLDER = Path("usr/lib/postgresql/15/bin")
_LIMIT_S = 120


def unpacked() -> Path:
    """Where ``unpack`` puts the packages' files."""
    return home() / "postgresql-15"


def places() -> Iterator[tuple[Path, Path | None, str]]:
    """Where a whole version 15 may be: the programs' folder, their libraries, whose they are."""
    yield Path("/") / _FOLDER, None, "Debian's postgresql-15, installed"
    root = unpacked()
    yield (
        root / _FOLDER,
        next(iter(sorted(root.glob("usr/lib/*-linux-gnu*"))), None),
        "Debian's postgresql-15, unpacked",
    )


@functools.cache
def works(folder: Path, libraries: Path | None) -> str:
    """The version that every program of ``PROGRAMS`` says it is; "" when one is missing or does not start."""
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
    if libraries is not None:
        environment["LD_LIBRARY_PATH"] = str(libraries)
    versions = set()
    for name in PROGRAMS:
        if not (folder / name).is_file():
            return ""
        try:
            done = subprocess.run(
                [folder / name, "--version"], capture_output=True, text=True, timeout=20, check=False, env=environment
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        words = done.stdout.split()
        if done.returncode != 0 or len(words) < 3:  # "postgres (PostgreSQL) 15.18 ..."
            return ""
        versions.add(words[2])
    return versions.pop() if len(versions) == 1 else ""


def at_hand() -> bool:
    """Whether a whole version 15 is here."""
    return any(works(folder, libraries) for folder, libraries, _origin in places())


def unpack(progress: ProgressCallback) -> None:
    """Fetches and unpacks the packages where no whole version 15 is at hand; tells ``progress`` why there is none yet.

    Blocks; about 5 s. apt's own sources and keys are used and its state is not touched, so no root is needed.
    """
    trouble = None if at_hand() else _unpacked()
    if trouble is not None:
        progress(trouble)


def _unpacked() -> Message | None:
    """Why it did not become one; ``None`` when it did."""
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            return message("this machine has no {program}", program=program)
    root = unpacked()
    root.parent.mkdir(parents=True, exist_ok=True)
    with root.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            trouble = _made(root)
            if trouble is not None:
                return trouble
    works.cache_clear()
    if at_hand():
        return None
    shutil.rmtree(root, ignore_errors=True)
    return message("Debian's programs do not start here: a library of the system is missing")


def _made(root: Path) -> Message | None:
    """Makes ``root`` whole, or not at all; then why not."""
    half = root.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    apt, debs, tree = half / "apt", half / "debs", half / "tree"
    for folder in (apt / "lists" / "partial", apt / "cache" / "archives" / "partial", debs, tree):
        folder.mkdir(parents=True)
    settings = (f"Dir::State::lists={apt / 'lists'}", f"Dir::Cache={apt / 'cache'}", "Debug::NoLocking=1")
    options = [word for setting in (*settings, "APT::Sandbox::User=") for word in ("-o", setting)]
    try:
        for command in (("update",), ("download", *_PACKAGES)):
            _run(["apt-get", "-q", *options, *command], debs)
        for package in sorted(debs.glob("*.deb")):
            _run(["dpkg-deb", "-x", str(package), str(tree)], debs)
        tree.chmod(0o755)
        tree.rename(root)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        why = said[-1][:200] if said else str(error)
        return message("Debian's packages of PostgreSQL 15 could not be had: {why}", why=why)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return None


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_LIMIT_S, check=True)
