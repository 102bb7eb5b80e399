"""Which machine this is, and which folder of state, for what several could reach: a Docker engine, a cluster."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import secrets
from pathlib import Path

from harness.base.errors import StackNotStarted
from harness.base.home import home
from harness.model.message import message
from harness.stack.state.processes import this_boot, this_space

_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"), Path("/proc/sys/kernel/random/boot_id"))
_MOUNTS = Path("/proc/self/mountinfo")


@functools.cache
def identity() -> str:
    """A mark of this machine, its name, its space of process ids and ``home()``: only where all agree does a process
    id mean the same process. A digest, because machine-id(5) asks not to publish the id itself.
    """
    found = next((path.read_text().strip() for path in _IDS if path.exists()), "")
    text = "\0".join((found, os.uname().nodename, this_space(), str(home())))
    return hashlib.sha256(f"tekutoko-rehearsal {text}".encode()).hexdigest()[:16]


def home_mark() -> str:
    """Return a mark of ``home()`` itself: 16 hexadecimal digits.

    It is a digest of what the file ``mark`` holds, of the folder's filesystem and of its inode. All containers of one
    kernel that share the folder share the mark: a bind mount has the filesystem and inode of what it binds. A copy of
    the folder has another mark. Raises ``StackNotStarted`` when the file cannot be written.
    """
    path = home() / "mark"
    try:
        if not path.exists():
            _write_once(path, secrets.token_hex(8))
        place = f"{_filesystem(home())} {home().stat().st_ino}"
        return hashlib.sha256(f"{path.read_text().strip()} {place}".encode()).hexdigest()[:16]
    except OSError as error:
        raise StackNotStarted(
            message("the machine-wide folder cannot be written: {error}", error=str(error)),
            where=str(path),
            remedy="make it writable, or name another in TEKUTOKO_REHEARSAL_HOME",
        ) from error


def _filesystem(folder: Path) -> str:
    """Return what tells the filesystem of ``folder`` from others, also after a remount.

    Of an overlay, a container's usual root, it is the upper folder: two containers of one image may share all else.
    Of others it is their id. NFS and FUSE have none: it is the device number, which a remount may change.
    """
    device = folder.stat().st_dev
    overlay = rf"^\d+ \d+ {os.major(device)}:{os.minor(device)} .* - overlay \S+ \S*\bupperdir=([^,\s]+)"
    mounts = _MOUNTS.read_text(errors="replace") if _MOUNTS.exists() else ""
    upper = re.search(overlay, mounts, re.MULTILINE)
    return upper[1] if upper else str(os.statvfs(folder).f_fsid or device)


def boots() -> set[str]:
    """Return the boots of machines on which ``home()`` was used, and add this one to its file ``boots``.

    A template of a machine copies a folder with its filesystem, but the boots that follow are each copy's own.
    """
    path, now = home() / "boots", this_boot()
    known = set(path.read_text().split()) if path.exists() else set()
    if now not in known:
        with path.open("a") as file:
            file.write(f"{now}\n")
    return known | {now}


def _write_once(path: Path, text: str) -> None:
    """Whole or not at all; of several that write at once the first is heard."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    half.write_text(text)
    try:
        with contextlib.suppress(FileExistsError):
            os.link(half, path)
    finally:
        half.unlink()
