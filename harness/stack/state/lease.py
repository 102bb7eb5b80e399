"""A run's lease: what it owns on this machine, written before it is used, so that the next run can clean up."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import re
import secrets
import shutil
import threading
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

import msgspec

from harness.base.errors import NOT_JSON, StackNotStarted
from harness.base.home import home, runs_folder
from harness.model.message import message
from harness.stack.state.ports import PortSlot
from harness.stack.state.processes import ProcessIdentity, identify, marked, sees_itself, this_boot, this_space

# Which machine this is, and which folder of state, for what several could reach: a Docker engine, a cluster.
# A lock on a file, held by a process for its life: how everybody who sees the file sees that the process lives.
# The kernel gives it up when the process ends, however that ends; it holds between users, containers and spaces of
# process ids that share the folder. A process id does not: in another container it is another process, or none.


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


MARKER = "TEKUTOKO_RUN_ID"  # in the environment of every process of a run, the load's too
PART_MARKER = "TEKUTOKO_PART"  # beside it, in those that the stack started
OWNER_LOCK = "owner.lock"  # held by the harness for its life
PARTS_LOCK = "parts.lock"  # held by the harness and by every part that it started
_GONE_LIMIT_S, _POLL_S = 3.0, 0.05  # PostgreSQL's children end by themselves moments after their parent
_LAST = frozenset({"lease.json", OWNER_LOCK, PARTS_LOCK})
_RUN_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")


class PartRecord(msgspec.Struct, frozen=True):
    """A process of the stack: ``part`` is ``postgres``, ``auth``, a pod's container, ..."""

    part: str
    identity: ProcessIdentity


class Lease(msgspec.Struct, kw_only=True):
    """What a live run owns. ``ports`` are those it listens on, or did.

    ``home``: the mark of the folder of state in which the run was begun.
    """

    run_id: str
    owner: ProcessIdentity
    parts: list[PartRecord] = []
    ports: list[int] = []
    home: str = ""


def run_folder(run_id: str) -> Path:
    """Where the state of a run lies while it is under way."""
    return runs_folder() / run_id


def remove_run_folder(run_id: str) -> None:
    """Removes what is left of a run's folder after its stack went down, such as late spools; idempotent."""
    if _RUN_ID.match(run_id):
        shutil.rmtree(run_folder(run_id), ignore_errors=True)


class LeaseCondition(Enum):
    """Whose a run's folder is."""

    LIVES = "its harness lives"
    ELSEWHERE = "its harness is gone, and parts of it run on in another container"
    UNKNOWN = "whether its harness lives cannot be told"
    ABANDONED = "its harness is gone"


def read_lease(folder: Path) -> Lease | None:
    """The lease in a run's folder; ``None`` when it is missing, copied, or does not read as one."""
    try:
        return _lease(folder)
    except (OSError, *NOT_JSON):
        return None


def condition(folder: Path) -> LeaseCondition:
    """Whose the folder of a run is. Nothing is taken for abandoned because it could not be looked at.

    The locks decide. A lease without them is of an older version, and its owner's process id does; one that does not
    read then is somebody's whose rules are not known here.
    """
    try:
        owner_held, parts_held = is_held(folder / OWNER_LOCK), is_held(folder / PARTS_LOCK)
        lease = _lease(folder)
    except NOT_JSON:
        lease = None
        if owner_held is None:
            return LeaseCondition.UNKNOWN
    except OSError:
        return LeaseCondition.UNKNOWN
    if owner_held or (lease is not None and lease.owner.alive()):
        return LeaseCondition.LIVES
    elsewhere = lease is None or lease.owner.elsewhere
    return LeaseCondition.ELSEWHERE if parts_held and elsewhere else LeaseCondition.ABANDONED


def lives(run_id: str) -> bool:
    """Whether the run's harness lives, in whatever container that shares ``home()``."""
    return bool(_RUN_ID.match(run_id)) and condition(run_folder(run_id)) is LeaseCondition.LIVES


def may_live(run_id: str) -> bool:
    """Whether the run's harness lives, or that cannot be told: only what it is not true of may be taken away."""
    if not _RUN_ID.match(run_id):
        return True  # no run's name: not ours to judge
    return condition(run_folder(run_id)) in (LeaseCondition.LIVES, LeaseCondition.UNKNOWN)


def _lease(folder: Path) -> Lease | None:
    """``None`` when there is none: killed at birth. Raises ``OSError``, what is in ``NOT_JSON``.

    A lease that was copied here with its folder of state, or whose folder is not known, is another's to read.
    """
    try:
        found = msgspec.json.decode((folder / "lease.json").read_bytes(), type=Lease)
    except FileNotFoundError:
        return None
    if not found.home or found.home != home_mark():
        raise PermissionError(f"{folder} belongs to another folder of state")
    return found


@contextlib.contextmanager
def runs_locked() -> Iterator[Path]:
    """The folder of runs, locked against other harnesses that begin, end or sweep a run. Raises ``StackNotStarted``
    where it cannot be made or locked."""
    runs = runs_folder()
    with contextlib.ExitStack() as held:
        try:
            runs.mkdir(parents=True, exist_ok=True)
            fcntl.flock(held.enter_context((home() / "runs.lock").open("w")), fcntl.LOCK_EX)
        except OSError as error:
            raise _not_written(error) from error
        yield runs


def _not_written(error: OSError) -> StackNotStarted:
    return StackNotStarted(
        message("the machine-wide folder cannot be written: {error}", error=str(error)),
        where=str(home()),
        remedy="make it writable, or name another in TEKUTOKO_REHEARSAL_HOME",
    )


class RunState:
    """This run's folder and lease. Made by ``begin``, ended by ``end``; one a process and run id."""

    def __init__(self, folder: Path, lease: Lease, slot: PortSlot) -> None:
        """Takes both locks of the new ``folder``. Raises ``OSError``."""
        self.folder = folder
        self.lease = lease
        self._slot = slot
        self._owner = HeldLock(folder / OWNER_LOCK)
        self._parts = HeldLock(folder / PARTS_LOCK)

    @property
    def handed_to_parts(self) -> tuple[int, ...]:
        """File descriptors that a part keeps open, so that it is seen to run wherever the folder is seen."""
        return (self._parts.descriptor,) if self._parts.descriptor >= 0 else ()

    @classmethod
    def begin(cls, run_id: str) -> RunState:
        """Takes the run id and a slot of ports. Raises ``StackNotStarted`` when the id is taken or no file name."""
        owner = identify(os.getpid())
        if owner is None or not sees_itself():
            raise StackNotStarted(
                "/proc shows the processes of another container, not this one's",
                where="/proc",
                remedy="mount /proc anew in this space of process ids (unshare --mount-proc does it)",
            )
        if not _RUN_ID.match(run_id):
            raise StackNotStarted(
                message("the run id {run_id} cannot name a folder", run_id=repr(run_id)),
                remedy="use letters, digits, . _ -",
            )
        try:
            with contextlib.ExitStack() as undo:
                slot = PortSlot()
                undo.callback(slot.release)
                with runs_locked() as runs:
                    folder = runs / run_id
                    folder.mkdir(mode=0o755)
                    state = cls(folder, Lease(run_id=run_id, owner=owner, home=home_mark()), slot)
                    undo.callback(state._give_up)
                    state._write()
                undo.pop_all()
        except FileExistsError:
            raise StackNotStarted(
                message("a run named {run_id} is under way, or was killed and not swept yet", run_id=run_id),
                where=str(run_folder(run_id)),
                remedy="choose another run id, or sweep first",
            ) from None
        except OSError as error:
            raise _not_written(error) from error
        return state

    def environment(self, part: str) -> dict[str, str]:
        """What marks a process as this run's."""
        return {MARKER: self.lease.run_id, PART_MARKER: part}

    def record(self, part: str, pid: int) -> None:
        """Writes a started process into the lease. One that died at once is recorded as far as it can be."""
        identity = identify(pid) or ProcessIdentity(pid, "gone")
        self.lease.parts = [known for known in self.lease.parts if known.identity.pid != pid]
        self.lease.parts.append(PartRecord(part, identity))
        self._write()

    def take_port(self) -> int:
        """A free port of this run's range, written into the lease."""
        return self.note_port(self._slot.take())

    def note_port(self, port: int) -> int:
        """Writes a port that was chosen elsewhere (a fixed service port) into the lease."""
        if port not in self.lease.ports:
            self.lease.ports.append(port)
            self._write()
        return port

    def give_back_port(self, port: int) -> None:
        """The port's process is gone; another may have it. It stays in the lease, to be checked at the end."""
        self._slot.give_back(port)

    def _give_up(self) -> None:
        self._slot.release()
        self._owner.release()
        self._parts.release()

    def end(self) -> None:
        """Removes the folder and releases the ports; idempotent. Raises ``OSError``, or ``StackNotStarted``, when the
        folder cannot go.

        While a process of the run lives the folder stays, for by its lease the next command ends what lives; the leak
        check names both.
        """
        if self.folder.exists() and not self._living():
            with runs_locked():
                # The lease and its locks go last: if removal fails half-way, the next sweep finishes it.
                for entry in self.folder.iterdir():
                    if entry.name not in _LAST:
                        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
                shutil.rmtree(self.folder)
        self._give_up()

    def _living(self) -> list[ProcessIdentity]:
        """The processes of the run, by lease and by marker, that do not end within ``_GONE_LIMIT_S``."""
        found = {part.identity for part in self.lease.parts}
        found |= {each for process, _ in marked(MARKER, [self.lease.run_id]) if (each := identify(process.pid))}
        for _ in range(round(_GONE_LIMIT_S / _POLL_S)):
            if not any(each.alive() for each in found):
                return []
            threading.Event().wait(_POLL_S)
        return [each for each in found if each.alive()]

    def _write(self) -> None:
        temporary = self.folder / "lease.json.new"
        temporary.write_bytes(msgspec.json.encode(self.lease))
        temporary.replace(self.folder / "lease.json")
