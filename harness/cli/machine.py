"""What ``doctor`` looks at: what this machine has and lacks for the rungs, each lack with what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
import socket
from collections.abc import Callable
from importlib import util
from pathlib import Path

import msgspec
import psutil

from harness.base import bootstrap
from harness.base.errors import RehearsalError
from harness.base.home import home
from harness.stack import state
from harness.stack.firebase import install
from harness.stack.kind import at_hand
from harness.stack.local import debian, postgres_programs
from harness.stack.state import npm

MEMORY_NEEDED = 2 * 1024**3  # the whole stack at 2 replicas
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_NEEDED = 1024  # four nodes, Envoy and what else the machine runs
DISK_NEEDED = 1024**3  # a run's evidence, logs and PostgreSQL folder, with room; what is not installed yet comes on top
_TREES = (install.TREE, postgres_programs.TREE)


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


def examine() -> list[Check]:
    """Every check, in the order a person would mend them. Starts nothing and changes nothing."""
    return [check() for check in CHECKS]


def _python() -> Check:
    return Check(name="Python", ok=True, found=f"{platform.python_version()} ({platform.machine()})")


def _home() -> Check:
    folder = home()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    writable = os.access(existing, os.W_OK)
    needed = DISK_NEEDED + _to_install_mib() * 1024**2
    return Check(
        name="machine-wide folder",
        ok=writable and free >= needed,
        found=f"{folder}, {free / 1024**3:.1f} GiB free{'' if writable else ', not writable'}",
        remedy=f"free at least {needed / 1024**3:.1f} GiB there, or name another folder in TEKUTOKO_REHEARSAL_HOME",
    )


def _level() -> str:
    """What of the locked packages this Python has, the least where it is not an environment of ours."""
    return bootstrap.installed(bootstrap.environment_folder()) or next(iter(bootstrap.LEVELS))


def _to_install_mib() -> int:
    """What a run on this machine's processes would still install, in MiB."""
    return sum(tree.mib for tree in _TREES if not npm.folder(tree).is_dir())


def _packages() -> Check:
    """What is installed and what would come, in MiB on disk."""
    level, coming = _level(), _to_install_mib()
    has, kind = bootstrap.LEVELS[level].mib, bootstrap.LEVELS["kind"].mib
    npm_mib = sum(tree.mib for tree in _TREES)
    more = f"; the first --on kind or kube installs {kind - has} MiB more" if has < kind else ""
    found = f"{level}: {has} MiB, and {npm_mib} MiB of npm" + (f", {coming} of them not yet" if coming else "") + more
    return Check(name="locked packages", ok=True, found=found)


def _memory() -> Check:
    available = psutil.virtual_memory().available
    return Check(
        name="memory",
        ok=available >= MEMORY_NEEDED,
        found=f"{available / 1024**3:.1f} GiB available, 2 GiB needed",
        remedy="close other programs; a run on too little memory measures the swap",
    )


def _wheel(name: str, module: str, inside: str) -> Callable[[], Check]:
    def check() -> Check:
        spec = util.find_spec(module)
        folder = Path(spec.origin).parent if spec and spec.origin else None
        found = next(iter(sorted(folder.glob(inside))), None) if folder else None
        return Check(
            name=name,
            ok=found is not None and os.access(found, os.X_OK),
            found=str(found) if found else f"no {inside} in the package {module}",
            remedy="install the locked packages again: python3 noxfile.py -s doctor",
        )

    return check


def _node() -> Check:
    try:
        node = npm.node()
    except RehearsalError as error:
        return Check(name="Node", ok=False, found=error.what, remedy=error.remedy)
    return Check(name="Node", ok=True, found=str(node))


def _postgres() -> Check:
    try:
        server = postgres_programs.server()
    except RehearsalError as error:
        return Check(name="PostgreSQL", ok=False, found=error.what, remedy=error.remedy)
    there = server.folder.is_dir()
    return Check(name="PostgreSQL", ok=True, found=server.named + ("" if there else "; the first run installs it"))


def _postgres_programs() -> Check:
    """Never a failure: without Debian's packages failover and recovery run on another version, and say so."""
    try:
        found = postgres_programs.whole().named
    except RehearsalError as error:
        return Check(name="PostgreSQL for failover and recovery", ok=True, found=f"not at hand: {error.what}")
    more = "" if debian.at_hand() else "; Debian's packages of version 15 are fetched where apt finds them"
    return Check(name="PostgreSQL for failover and recovery", ok=True, found=found + more)


def _emulators() -> Check:
    folder = install.folder()
    return Check(
        name="Firebase emulators",
        ok=True,
        found=str(folder)
        if folder.exists()
        else f"not installed yet; the first run installs them ({install.TREE.mib} MiB, about 20 s)",
    )


def _loopback() -> Check:
    try:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
    except OSError as error:
        return Check(name="loopback", ok=False, found=str(error), remedy="127.0.0.1 must be up")
    return Check(name="loopback", ok=True, found="127.0.0.1 can be listened on")


def _killed_runs() -> Check:
    dead = state.dead_runs()
    return Check(
        name="killed runs",
        ok=not dead,
        found=f"left behind: {', '.join(dead)}" if dead else "none left anything behind",
        remedy="the next run removes them by itself",
    )


def _kind() -> Check:
    """Never a failure: a machine without Docker has the rung ``local``."""
    missing = at_hand.lacking()
    return Check(name="kind", ok=True, found=f"not at hand: {missing}" if missing else str(at_hand.node_image()))


def _inotify() -> Check:
    """Each node of a cluster and each Envoy holds some: below the limit kubelets fail with "too many open files"."""
    missing = at_hand.lacking()
    try:
        instances = int(INOTIFY.read_text())
    except (OSError, ValueError) as error:
        return Check(name="inotify instances", ok=True, found=f"cannot be read: {error}")
    enough = instances >= INOTIFY_NEEDED or bool(missing)  # only the environment kind needs so many
    return Check(
        name="inotify instances",
        ok=enough,
        found=f"{instances} for each user" + ("" if missing else f", {INOTIFY_NEEDED} wanted for a cluster"),
        remedy=f"as root: sysctl fs.inotify.max_user_instances={INOTIFY_NEEDED} (.ci/dockerd does it)",
    )


CHECKS: tuple[Callable[[], Check], ...] = (
    _python,
    _home,
    _packages,
    _memory,
    _loopback,
    _postgres,
    _postgres_programs,
    _wheel("Envoy", "envoy", "_bin/envoy*"),
    _node,
    _emulators,
    _kind,
    _inotify,
    _killed_runs,
)
