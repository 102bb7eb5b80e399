"""The locked Python packages of an image, as wheels: only what its program needs, each by its hash of the lock.

Fetched on the host with its own package settings, so that no index' address and no network reaches an image.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import sys
from pathlib import Path

from harness.base import bootstrap
from harness.base.clock import Clock
from harness.base.errors import StackNotStarted
from harness.base.home import home, use
from harness.model.message import ProgressCallback, message
from harness.stack.kind.commands import run
from harness.stack.kind.record import locked as locked_file

PYTHON = "3.11"  # Debian 12's, in the images
DOWNLOAD_LIMIT_S = 600.0
REQUIREMENTS = "requirements.txt"
_GLIBC = (36, 34, 31, 28, 27, 26, 24, 17, 12, 5)  # Debian 12 has 2.36 and runs wheels of every older one


def folder(requirements: str) -> Path:
    """Where the wheels of ``requirements`` lie, downloaded or not."""
    key = hashlib.sha256((requirements + PYTHON + platform.machine()).encode()).hexdigest()[:16]
    return home() / "wheels" / key


async def ensure(requirements: str, clock: Clock, progress: ProgressCallback) -> Path:
    """The wheels' folder with its ``requirements.txt``; downloaded first where missing. Raises ``StackNotStarted``."""
    wheels = use(folder(requirements))
    async with locked_file(wheels.with_suffix(".lock"), clock, progress, limit_s=DOWNLOAD_LIMIT_S):
        if not wheels.is_dir():
            progress(message("downloading {count} locked packages for an image", count=str(requirements.count("=="))))
            half = wheels.with_suffix(".half")
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir()
            (half / REQUIREMENTS).write_text(requirements)
            await _download(half)
            half.rename(wheels)
    return wheels


def uv() -> Path:
    """The locked uv, which unpacks the wheels inside the build. Raises ``StackNotStarted``."""
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if found is None:
        raise StackNotStarted("uv is not there", where=str(beside), remedy="install the locked packages again")
    return Path(found).resolve()


async def _download(into: Path) -> None:
    machine = platform.machine()
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in _GLIBC]
    platforms += [f"manylinux{year}_{machine}" for year in ("2014", "2010", "1")] + ["any"]
    command = [
        *(bootstrap.python_with_pip(), "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
        *("--require-hashes", "--only-binary", ":all:", "--python-version", PYTHON, "--implementation", "cp"),
        *(word for name in platforms for word in ("--platform", name)),
        *("--abi", "cp311", "--abi", "abi3", "--abi", "none"),
        *("--dest", str(into), "-r", str(into / REQUIREMENTS)),
    ]
    remedy = "check the package index (pip's own settings are used), and that python3 -m pip runs"
    await run(command, what="downloading the packages of an image", limit_s=DOWNLOAD_LIMIT_S, remedy=remedy)
