"""Which machine this is, and which folder of state, for what several could reach: a Docker engine, a cluster.

A lock on a file, held by a process for its life: how everybody who sees the file sees that the process lives.

The kernel gives it up when the process ends, however that ends; it holds between users, containers and spaces of
process ids that share the folder. A process id does not: in another container it is another process, or none.
"""

from __future__ import annotations

import contextlib
import fcntl
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


class HeldLock:
    """The lock, until ``release`` or the end of this process and of all that it handed ``descriptor`` to."""

    def __init__(self, path: Path) -> None:
        """Takes it, waiting for whoever only looks whether it is held. Raises ``OSError``."""
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX)
        except OSError:
            os.close(self.descriptor)
            raise

    def release(self) -> None:
        """Gives this process' share of it up; idempotent. A process that was handed it holds it on."""
        if self.descriptor >= 0:
            os.close(self.descriptor)  # not LOCK_UN, which would take it from the others too
            self.descriptor = -1


def is_held(path: Path) -> bool | None:
    """Whether a process holds the lock ``path``; ``None`` when there is no such file. Raises ``OSError``."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


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
