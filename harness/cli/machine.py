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
from harness.base.message import Message, as_message, gettext_noop, message
from harness.base.typed import PROGRAM
from harness.cli import unused
from harness.model.message import joined, of_error
from harness.stack import state
from harness.stack.firebase import commands
from harness.stack.kind import at_hand
from harness.stack.local import debian, postgres_programs
from harness.stack.state import npm

MEMORY_NEEDED = 2 * 1024**3  # the whole stack at 2 replicas
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_NEEDED = 1024  # four nodes, Envoy and what else the machine runs
DISK_NEEDED = 1024**3  # a run's evidence, logs and PostgreSQL folder, with room; what is not installed yet comes on top
_TREES = (commands.TREE, postgres_programs.TREE)


class MachineCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at. ``name``, and words that are no message, are message ids themselves, or a name."""

    name: str
    ok: bool
    found: str | Message
    remedy: str | Message = ""


def examine() -> list[MachineCheck]:
    """Every check, in the order a person would mend them. Starts nothing and changes nothing."""
    return [check() for check in CHECKS]


def _python() -> MachineCheck:
    return MachineCheck(name="Python", ok=True, found=f"{platform.python_version()} ({platform.machine()})")


def _home() -> MachineCheck:
    folder = home()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    writable = os.access(existing, os.W_OK)
    needed = DISK_NEEDED + _to_install_mib() * 1024**2
    found = message("{folder}, {gib} GiB free", folder=str(folder), gib=f"{free / 1024**3:.1f}")
    return MachineCheck(
        name=gettext_noop("machine-wide folder"),
        ok=writable and free >= needed,
        found=found if writable else message("{found}, not writable", found=found),
        remedy=message(
            "free at least {gib} GiB there, or name another folder in TEKUTOKO_REHEARSAL_HOME",
            gib=f"{needed / 1024**3:.1f}",
        ),
    )


def _level() -> str:
    """What of the locked packages this Python has, the least where it is not an environment of ours."""
    return bootstrap.installed(bootstrap.environment_folder()) or next(iter(bootstrap.LEVELS))


def _to_install_mib() -> int:
    """What a run on this machine's processes would still install, in MiB."""
    return sum(tree.mib for tree in _TREES if not npm.folder(tree).is_dir())


def _packages() -> MachineCheck:
    """What is installed and what would come, in MiB on disk."""
    level, coming = _level(), _to_install_mib()
    has, kind = bootstrap.LEVELS[level].mib, bootstrap.LEVELS["kind"].mib
    npm_mib = sum(tree.mib for tree in _TREES)
    found = [message("{level}: {mib} MiB, and {npm} MiB of npm", level=level, mib=str(has), npm=str(npm_mib))]
    found += [message("{mib} MiB of npm are not installed yet", mib=str(coming))] if coming else []
    more = message("the first --on kind or kube installs {mib} MiB more", mib=str(kind - has))
    return MachineCheck(
        name=gettext_noop("locked packages"), ok=True, found=joined([*found, more] if has < kind else found)
    )


def _memory() -> MachineCheck:
    available = psutil.virtual_memory().available
    return MachineCheck(
        name=gettext_noop("memory"),
        ok=available >= MEMORY_NEEDED,
        found=message("{gib} GiB available, 2 GiB needed", gib=f"{available / 1024**3:.1f}"),
        remedy=gettext_noop("close other programs; a run on too little memory measures the swap"),
    )


def _wheel(name: str, module: str, inside: str) -> Callable[[], MachineCheck]:
    def check() -> MachineCheck:
        spec = util.find_spec(module)
        folder = Path(spec.origin).parent if spec and spec.origin else None
        found = next(iter(sorted(folder.glob(inside))), None) if folder else None
        return MachineCheck(
            name=name,
            ok=found is not None and os.access(found, os.X_OK),
            found=str(found) if found else message("no {file} in the package {name}", file=inside, name=module),
            remedy=message("install the locked packages again: {command}", command="python3 noxfile.py -s doctor"),
        )

    return check


def _node() -> MachineCheck:
    try:
        node = npm.node()
    except RehearsalError as error:
        return _of_error("Node.js", error)
    return MachineCheck(name="Node.js", ok=True, found=str(node))


def _postgres() -> MachineCheck:
    try:
        server = postgres_programs.server()
    except RehearsalError as error:
        return _of_error("PostgreSQL", error)
    found = server.named if server.folder.is_dir() else message("{what}; the first run installs it", what=server.named)
    return MachineCheck(name="PostgreSQL", ok=True, found=found)


def _of_error(name: str, error: RehearsalError) -> MachineCheck:
    what, _, remedy = map(as_message, error.given)
    return MachineCheck(name=name, ok=False, found=what, remedy=remedy)


def _postgres_programs() -> MachineCheck:
    """Never a failure: without Debian's packages failover and recovery run on another version, and say so."""
    name = gettext_noop("PostgreSQL for failover and recovery")
    try:
        found = postgres_programs.whole().named
    except RehearsalError as error:
        return MachineCheck(name=name, ok=True, found=message("not at hand: {what}", what=of_error(error)))
    if debian.at_hand():
        return MachineCheck(name=name, ok=True, found=found)
    more = message("{what}; Debian's packages of version 15 are fetched where apt finds them", what=found)
    return MachineCheck(name=name, ok=True, found=more)


def _emulators() -> MachineCheck:
    folder, mib = commands.folder(), str(commands.TREE.mib)
    coming = message("not installed yet; the first run installs them ({mib} MiB, about 20 s)", mib=mib)
    return MachineCheck(
        name=gettext_noop("Firebase emulators"), ok=True, found=str(folder) if folder.exists() else coming
    )


def _loopback() -> MachineCheck:
    try:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
    except OSError as error:
        return MachineCheck(
            name=gettext_noop("loopback"), ok=False, found=str(error), remedy=gettext_noop("127.0.0.1 must be up")
        )
    return MachineCheck(name="loopback", ok=True, found=gettext_noop("127.0.0.1 can be listened on"))


def _killed_runs() -> MachineCheck:
    dead = state.dead_runs()
    return MachineCheck(
        name=gettext_noop("killed runs"),
        ok=not dead,
        found=message("left behind: {names}", names=", ".join(dead))
        if dead
        else gettext_noop("none left anything behind"),
        remedy=gettext_noop("the next run removes them by itself"),
    )


def _unused() -> MachineCheck:
    gib = f"{sum(each.mib for each in unused.found()) / 1024:.1f}"
    found = message("{gib} GiB; {command} lists it", gib=gib, command=f"{PROGRAM} clean")
    return MachineCheck(name=gettext_noop("unused for 30 days"), ok=True, found=found)


def _kind() -> MachineCheck:
    """Never a failure: a machine without Docker has the rung ``local``."""
    missing = at_hand.lacking()
    found = message("not at hand: {what}", what=as_message(missing)) if missing else str(at_hand.node_image())
    return MachineCheck(name=gettext_noop("environment kind"), ok=True, found=found)


def _inotify() -> MachineCheck:
    """Each node of a cluster and each Envoy holds some: below the limit kubelets fail with "too many open files"."""
    name, missing = gettext_noop("inotify instances"), at_hand.lacking()
    try:
        instances = int(INOTIFY.read_text())
    except (OSError, ValueError) as error:
        return MachineCheck(name=name, ok=True, found=message("cannot be read: {error}", error=str(error)))
    enough = instances >= INOTIFY_NEEDED or bool(missing)  # only the environment kind needs so many
    found = message("{count} for each user", count=str(instances))
    if not missing:
        found = message("{found}, {count} wanted for a cluster", found=found, count=str(INOTIFY_NEEDED))
    command = f"sysctl fs.inotify.max_user_instances={INOTIFY_NEEDED}"
    remedy = message("as root: {command} (.ci/dockerd does it)", command=command)
    return MachineCheck(name=name, ok=enough, found=found, remedy=remedy)


CHECKS: tuple[Callable[[], MachineCheck], ...] = (
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
    _unused,
    _killed_runs,
)
