"""The one machine-wide folder of the harness: caches, and the state of runs under way.

Standard library only: ``noxfile.py`` reads it before anything is installed.

Layout below ``home()``::

    venv/<key>/     the locked Python environment
    programs/<key>/ a program that few runs need (kubectl), of its own lock
    npm/<key>/      the Firebase emulators' locked node_modules
    template/<key>/ an initialised PostgreSQL data folder, copied for each run
    bytecode/       of the tests' sessions, on a machine that keeps none beside the sources
    mypy/, hypothesis/  what the tests' sessions know of sources, by their digest
    runs/<run id>/  the state of a run under way: lease, sockets, data folders; gone when the run ends
    */<key>.used    when ``<key>`` was last used, and who has it (``use``)
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import unicodedata
from pathlib import Path

from harness.base.errors import BadInput

ENVIRONMENT_VARIABLE = "TEKUTOKO_REHEARSAL_HOME"
#: PostgreSQL takes paths of up to 1,023 bytes; below the folder lie some 300 of its files' names.
LONGEST_BYTES = 600
#: The descriptors by which ``use`` holds, for processes that outlive this one too: those of a killed run.
IN_USE: dict[Path, int] = {}
NAME_ANOTHER = f"name another folder in {ENVIRONMENT_VARIABLE}"


def home() -> Path:
    """The machine-wide folder, not created here. Raises ``BadInput`` for one that cannot do.

    As root it lies outside root's own home, because PostgreSQL refuses to run as root and another
    user must be able to reach its binaries and data.
    """
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    try:
        if named:
            found = _resolved(Path(named).expanduser())
        elif os.geteuid() == 0:
            found = Path("/var/cache/tekutoko-rehearsal")
        else:
            cache = os.environ.get("XDG_CACHE_HOME")
            found = (Path(cache).absolute() if cache else Path.home() / ".cache") / "tekutoko-rehearsal"
    except RuntimeError as error:  # Path.home, expanduser
        user = f"HOME is not set and user {os.geteuid()} has no entry in passwd"
        what = f"there is no folder for what is kept on this machine: {user}"
        raise BadInput(what, remedy=NAME_ANOTHER.replace("another", "a")) from error
    if why := _unfit(found):
        raise BadInput(f"the machine-wide folder cannot be used: {why}", where=repr(str(found)), remedy=NAME_ANOTHER)
    return found


def _resolved(folder: Path) -> Path:
    try:
        return folder.resolve()
    except RuntimeError:  # links in a circle, which ``_unfit`` tells
        return folder.absolute()


def expanded(name: str) -> Path:
    """``name`` with its ``~`` followed. Raises ``BadInput`` where this user has no home folder."""
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise BadInput(
            f"the home folder of {name!r} is not known", remedy="set HOME, or name the whole path"
        ) from error


def _unfit(folder: Path) -> str:
    """Why programs of a stack could not take the folder; "" when they can. Spaces, "%" and any letters do."""
    try:
        length = len(str(folder).encode())
    except UnicodeEncodeError:
        return "its path is no UTF-8"
    if length > LONGEST_BYTES:
        return f"its path has {length} bytes, {LONGEST_BYTES} are the most"
    if any(unicodedata.category(character) == "Cc" for character in str(folder)):
        return "its path has a control character"
    if ":" in str(folder):
        return "its path has a colon, which parts folders in lists and in Docker's arguments"
    try:
        folder.stat()
    except OSError as error:
        if error.errno in (errno.EACCES, errno.ELOOP):  # what is not there is made, or told by who cannot make it
            return f"it cannot be looked at: {error.strerror}"
    there = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    return "" if there.is_dir() else f"{there} is no folder"


def runs_folder() -> Path:
    """Where the state of runs under way lies: one folder a run."""
    return home() / "runs"


def used_mark(folder: Path) -> Path:
    """The file whose time is that of the last use of ``folder``, and on which all who have the folder share a lock."""
    return folder.with_name(f"{folder.name}.used")


def use(folder: Path) -> Path:
    """Returns ``folder``, marked as used now and as held until this process ends: ``clean`` leaves it alone."""
    mark = used_mark(folder)
    with contextlib.suppress(OSError):  # who may not write there may not clean there either
        mark.parent.mkdir(parents=True, exist_ok=True)
        if mark not in IN_USE:
            IN_USE[mark] = os.open(mark, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(IN_USE[mark], fcntl.LOCK_SH)
        os.utime(IN_USE[mark])
    return folder
