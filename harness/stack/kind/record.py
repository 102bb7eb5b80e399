"""What is written of each cluster before it is made: whose it is, its ports, where its kubeconfig lies.

A cluster lies in ``home()/kind/clusters/<name>/``: ``cluster.json`` and ``kubeconfig``, readable by their owner only.
The name starts with the mark of ``home()``, which no other folder of state has, nor a copy of it: a cluster so named
that has no record is one of ours whose record was lost, and a record of another name was copied here. While its maker
lives it holds ``maker.lock``, which is seen from every container that shares the folder.

A lock between harnesses: what is made once a machine is made by one of them while the others wait.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import IO

import msgspec

from harness.base.clock import Clock, polling
from harness.base.errors import NOT_JSON, BadInput, StackNotStarted
from harness.base.home import home
from harness.model.message import Message, ProgressCallback, message
from harness.stack.state import lives
from harness.stack.state.lease import HeldLock, home_mark, is_held
from harness.stack.state.processes import ProcessIdentity, identify

_POLL_S = 0.5


@contextlib.asynccontextmanager
async def locked(path: Path, clock: Clock, progress: ProgressCallback, *, limit_s: float) -> AsyncIterator[int]:
    """Holds the lock file ``path``; gives its file descriptor, which a program may keep open and so hold too.

    Raises ``StackNotStarted`` when another holds it for ``limit_s``, or when it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except OSError as error:
        raise StackNotStarted(
            message("the machine-wide folder cannot be written: {error}", error=str(error)),
            where=str(path),
            remedy="make it writable, or name another in TEKUTOKO_REHEARSAL_HOME",
        ) from error
    with file:
        again = polling(clock, limit_s=limit_s, every_s=_POLL_S)
        told = False
        while not _taken(file.fileno()):
            if not told:
                progress(message("another harness is at work on {what}; waiting for it", what=path.stem))
                told = True
            if not await again():
                raise StackNotStarted(
                    message(
                        "another harness holds {stem} for more than {limit_s} s", stem=path.stem, limit_s=f"{limit_s:g}"
                    ),
                    where=str(path),
                    remedy="end it, then run this again",
                )
        yield file.fileno()


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


_MAKER = "maker.lock"
_held: dict[str, HeldLock] = {}  # of the clusters that this process is making, or made for itself
_MARKED = re.compile(r"^tekutoko-[0-9a-f]{8}-")
_NAME = re.compile(r"^[a-z0-9](?:[a-z0-9-]{0,21}[a-z0-9])?$")


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster of ours. ``ports`` are those of 127.0.0.1 by the NodePort they lead to.

    ``complete`` once its nodes are ready and its parts installed: one that is not, and whose maker is gone, is
    half-created. ``by_hand`` is kind's name of a cluster that a person made and had taken, "" of one of our making;
    nobody but that person deletes it, and its ``docker_network`` has a name of its own.
    """

    name: str
    maker: ProcessIdentity
    kept: bool
    complete: bool
    own_images: bool
    images: list[str]
    config_digest: str
    api_port: int
    ports: dict[int, int]
    nodes: list[str]
    by_hand: str = ""
    docker_network: str = ""

    @property
    def kubeconfig(self) -> Path:
        """The private kubeconfig."""
        return folder(self.name) / "kubeconfig"

    @property
    def context(self) -> str:
        """The kubeconfig's context."""
        return f"kind-{self.by_hand or self.name}"

    @property
    def control_plane(self) -> str:
        """The container of the control plane."""
        return self.nodes[0]

    @property
    def network(self) -> str:
        """The Docker network of its nodes, its own."""
        return self.docker_network or self.name

    def abandoned(self) -> bool:
        """Whether nobody will use or finish it, as far as its maker's process id tells: see ``left_behind``."""
        return not self.maker.alive() and not (self.kept and self.complete)


def mark() -> str:
    """How the names of our clusters start: other folders of state have other marks. Raises ``StackNotStarted``."""
    return f"tekutoko-{home_mark()[:8]}-"


def of_others(name: str) -> bool:
    """Whether a cluster of this name is one of ours with another folder of state. Raises ``StackNotStarted``."""
    return bool(_MARKED.match(name)) and not name.startswith(mark())


def run_label(run_id: str) -> str:
    """The label of a run's own cluster. A folder of state has a run id but once."""
    return f"run-{hashlib.sha256(run_id.encode()).hexdigest()[:12]}"


def name_of(label: str, where: str | Message = "") -> str:
    """The cluster's name for ``label``, such as ``kept`` or a run's, written at ``where``. Raises ``BadInput`` when it
    fits no host name."""
    if not _NAME.match(label):
        raise BadInput(
            message("{label} cannot name a cluster", label=repr(label)),
            where=where,
            remedy="use at most 23 of a-z, 0-9 and - within",
        )
    return mark() + label


def clusters_folder() -> Path:
    """Where the records lie."""
    return home() / "kind" / "clusters"


def folder(name: str) -> Path:
    """Where the cluster's files lie."""
    return clusters_folder() / name


def read(name: str) -> Cluster | None:
    """The record; ``None`` when there is none that reads."""
    try:
        return msgspec.json.decode((folder(name) / "cluster.json").read_bytes(), type=Cluster)
    except (OSError, *NOT_JSON):
        return None


def left_behind(name: str) -> bool | None:
    """Whether nobody will use or finish the cluster: its maker is gone, and it is half-created or was not to be kept.

    ``None`` when it cannot be told: the record cannot be looked at, or is of a version that is not known here.
    """
    try:
        held = is_held(folder(name) / _MAKER)
        found = msgspec.json.decode((folder(name) / "cluster.json").read_bytes(), type=Cluster)
    except FileNotFoundError:
        return not held
    except NOT_JSON:
        return None if held is None else not held
    except OSError:
        return None
    return not held and found.abandoned()


def maker_lives(cluster: Cluster) -> bool:
    """Whether the process that made it lives, in whatever container; also when that cannot be looked at."""
    try:
        return cluster.maker.alive() or bool(is_held(folder(cluster.name) / _MAKER))
    except OSError:
        return True


def write(cluster: Cluster) -> None:
    """Writes the record whole. From the first time on this process holds it, until it is removed."""
    where = folder(cluster.name)
    where.mkdir(parents=True, exist_ok=True, mode=0o700)
    if cluster.name not in _held and not cluster.complete:
        _held[cluster.name] = HeldLock(where / _MAKER)
    half = where / "cluster.json.half"
    half.write_bytes(msgspec.json.format(msgspec.json.encode(cluster), indent=1))
    half.rename(where / "cluster.json")


def remove(name: str) -> None:
    """Removes the cluster's files; idempotent."""
    shutil.rmtree(folder(name), ignore_errors=True)
    if (lock := _held.pop(name, None)) is not None:
        lock.release()


def recorded() -> list[str]:
    """The names of our clusters that have files. Raises ``StackNotStarted`` as ``home_mark``."""
    found = [path.name for path in clusters_folder().glob("*/")]
    return sorted(name for name in found if name.startswith(mark()))


# Who uses a cluster that outlives runs: a lock that users share and whoever removes the cluster must have alone.
# It is the system's, and goes with the process that holds it. It lies beside the cluster's folder, ``<name>.uses``, and
# names its users.


class ClusterUser(msgspec.Struct, frozen=True):
    """A run, the process that owns it, and whether it has come or gone."""

    run_id: str
    owner: ProcessIdentity
    gone: bool = False


class ClusterUse:
    """One user's share, until ``end``."""

    def __init__(self, lock: IO[bytes], user: ClusterUser) -> None:
        self._lock = lock
        self._user = user
        self._write()

    def end(self) -> None:
        """Idempotent."""
        if not self._lock.closed:
            self._user = msgspec.structs.replace(self._user, gone=True)
            self._write()
            self._lock.close()

    def _write(self) -> None:
        self._lock.write(msgspec.json.encode(self._user) + b"\n")
        self._lock.flush()


def share(name: str, run_id: str) -> ClusterUse | None:
    """Holds the cluster ``name`` for ``run_id``; ``None`` when it is being removed."""
    owner = identify(os.getpid())
    assert owner is not None
    clusters_folder().mkdir(parents=True, exist_ok=True)
    lock = _path(name).open("ab")
    if not _in_use(lock, name, fcntl.LOCK_SH):
        lock.close()
        return None
    return ClusterUse(lock, ClusterUser(run_id, owner))


@contextlib.contextmanager
def alone(name: str) -> Iterator[bool]:
    """Keeps users away meanwhile; false when there are some, and then nothing is kept."""
    if not _path(name).parent.exists():
        yield True
        return
    with _path(name).open("ab") as lock:
        free = _in_use(lock, name, fcntl.LOCK_EX)
        try:
            yield free
        finally:
            if free:
                _path(name).unlink(missing_ok=True)


def users(name: str) -> list[str]:
    """The ids of the live runs that use it."""
    try:
        said = [msgspec.json.decode(line, type=ClusterUser) for line in _path(name).read_bytes().splitlines()]
    except (OSError, *NOT_JSON):
        return []
    gone = {user.run_id for user in said if user.gone}
    return [user.run_id for user in said if user.run_id not in gone and (user.owner.alive() or lives(user.run_id))]


def ask_down(name: str) -> None:
    """Has the last user delete it."""
    _request(name).touch()


def down_asked(name: str) -> bool:
    """Whether ``stack down`` was called while it was in use."""
    return _request(name).exists()


def _path(name: str) -> Path:
    return clusters_folder() / f"{name}.uses"


def _request(name: str) -> Path:
    return folder(name) / "down-after-use"  # goes with the cluster's files


def _in_use(lock: IO[bytes], name: str, how: int) -> bool:
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
        return os.fstat(lock.fileno()).st_ino == _path(name).stat().st_ino  # else it was removed meanwhile
    except OSError:
        return False
