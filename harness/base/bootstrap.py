"""Makes the locked Python environment, from nothing but Python 3.11+ and a package index.

Standard library only. The environment lies in ``home()/venv/<key>/``, outside the checkout; the key changes with the
lock file, the interpreter and the machine's architecture, so a changed lock never meets an old environment.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from importlib import util
from pathlib import Path

from harness.base.data import ROOT
from harness.base.errors import BadInput
from harness.base.home import home

LOCK = ROOT / "requirements.lock"
OLDEST = (3, 11)
INSTALL_LIMIT_S = 900
_COMPLETE = ".complete"

Progress = Callable[[str], None]


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def environment_folder() -> Path:
    """Where the environment of this lock file and interpreter lies, made or not."""
    facts = f"{platform.python_implementation()} {platform.python_version()} {platform.machine()} {sys.base_prefix}"
    key = hashlib.sha256(LOCK.read_bytes() + facts.encode()).hexdigest()[:16]
    return home() / "venv" / key


def _run(command: list[str], what: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"{what} failed ({result.returncode}):\n{result.stderr.strip()[-2000:]}")


def _only(package: str) -> str:
    """The lock file's entry of one package, with its hashes."""
    match = re.search(rf"^{package}==.*?(?=^\S|\Z)", LOCK.read_text(), re.MULTILINE | re.DOTALL)
    if match is None:
        raise RuntimeError(f"{LOCK.name} pins no {package}")
    return match[0]


def _pip(folder: Path) -> list[str]:
    """Makes the bare environment. The pip to fill it with: its own, or (Debian without python3-venv) the outer one."""
    try:
        venv.create(folder, with_pip=True)
    except (subprocess.CalledProcessError, ImportError):
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=False)
        if util.find_spec("pip") is None:
            raise RuntimeError(
                "this Python has neither ensurepip nor pip; on Debian: apt install python3-venv"
            ) from None
        return [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    return [str(folder / "bin" / "python"), "-m", "pip"]


def _install(folder: Path, progress: Progress) -> None:
    """Fills the empty environment: uv where the index serves it and can be reached by it, else pip itself."""
    python = str(folder / "bin" / "python")
    pip = [*_pip(folder), "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r"]
    first = folder / "uv.lock.txt"
    first.write_text(_only("uv"))
    try:
        _run([*pip, str(first)], "installing uv")
        sync = [str(folder / "bin" / "uv"), "pip", "install", "--quiet", "--require-hashes", "--python", python]
        _run([*sync, "-r", str(LOCK)], "installing the locked packages with uv")
    except RuntimeError as error:
        progress(f"uv did not do ({str(error).splitlines()[-1][:200]}); installing with pip, which takes longer")
        _run([*pip, str(LOCK)], "installing the locked packages with pip")
    finally:
        first.unlink(missing_ok=True)


def ensure(progress: Progress = _say) -> Path:
    """The environment's Python; made first where it is missing or half-made.

    Raises ``RuntimeError`` with what to do when packages cannot be installed, ``OSError`` when the folder cannot be
    written. Two runs at once make it once: the second waits for the first.
    """
    folder = environment_folder()
    if (folder / _COMPLETE).exists():
        return folder / "bin" / "python"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / _COMPLETE).exists():
            progress(f"first run: installing the locked packages into {folder}")
            shutil.rmtree(folder, ignore_errors=True)
            _install(folder, progress)
            (folder / _COMPLETE).touch()
    return folder / "bin" / "python"


def enter(module: str) -> None:
    """``python -m module`` goes on in the locked environment when this Python has none of its packages."""
    if util.find_spec("msgspec") is None:
        sys.exit(_go_on(["-m", module, *sys.argv[1:]]))


def main(arguments: list[str]) -> int:
    """``python3 noxfile.py ...``: runs nox of the locked environment with ``arguments``; never returns on success."""
    return _go_on(["-m", "nox", "-f", str(ROOT / "noxfile.py"), *arguments])


def _go_on(arguments: list[str]) -> int:  # noqa: RET503 - os.execv never returns
    if sys.version_info < OLDEST:
        _say(f"Python {'.'.join(map(str, OLDEST))} or newer is needed; this is {platform.python_version()}")
        return 2
    try:
        home()
        python = ensure()
    except BadInput as error:
        _say(f"error: {error}")
        return int(error.exit)
    except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
        _say(f"the locked packages could not be installed: {error}")
        _say(f"  to do: check the package index (pip's own settings are used) and the space below {home()}")
        return 2
    os.execv(python, [str(python), *arguments])  # noqa: S606 - no shell
