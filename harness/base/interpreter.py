"""Which Python the locked environment is made of: the one that was started, or a clearly faster build beside it.

A CPython compiled without profile-guided optimisation, as pyenv makes it unless told otherwise, takes up to twice as
long for the same loop as a distribution's build: the harness' own load, the bundled API and the tests all pay for it.
How a build was compiled stands in it only if a flag of ``configure`` did it (Debian's was not). So the builds of the
minor version that was started are tried on one loop, once for each folder ``home()`` and each Python that is started;
what was found is kept in ``home()/python.json``. Standard library only.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from harness.base.home import home

KEPT = "python.json"
#: Tells the locked environment's Python how the one was typed that went on in it.
TYPED = "TEKUTOKO_PYTHON"
#: How the files begin that say what an environment of ours has whole.
COMPLETE = ".complete-"
#: How many times as fast another build must be: closer builds may change places from try to try.
CLEARLY = 1.25
ROUNDS = 3
TRY_LIMIT_S = 20

#: What a build is asked: who it is, whether it has the modules that a build may lack, and the CPU seconds of one
#: loop over attributes, dictionaries and calls, the shortest of three.
ASKED = """
import ctypes, ensurepip, json, platform, sqlite3, ssl, sys, time, venv, zlib

class Row:
    def __init__(self, number):
        self.number = number

def loop():
    begun, seen = time.process_time(), {}
    for number in range(200_000):
        row = Row(number)
        seen[number % 1000] = row.number + 1
    return time.process_time() - begun

facts = [platform.python_implementation(), platform.python_version(), platform.machine(), sys.base_prefix]
program = getattr(sys, "_base_executable", sys.executable)
print(json.dumps({"python": program, "facts": facts, "loop_s": min(loop() for _ in range(3))}))
"""


class Python(NamedTuple):
    """A build: its program, and what an environment made of it depends on (kind, version, machine, prefix)."""

    program: str
    facts: tuple[str, ...]

    @property
    def version(self) -> list[str]:
        """Kind and minor version: what another build must have to take its place."""
        return [self.facts[0], *self.facts[1].split(".")[:2]]


class _Tried(NamedTuple):
    python: Python
    loop_s: float


def started() -> Python:
    """The Python that runs this; below a virtual environment, what that was made of."""
    facts = (platform.python_implementation(), platform.python_version(), platform.machine(), sys.base_prefix)
    return Python(str(getattr(sys, "_base_executable", sys.executable)), facts)


def typed() -> str:
    """How whoever reads this starts a Python, for the lines that are to be typed again: the name that was typed
    (``python``, ``python3.12``); else ``python3``, which is there where no ``python`` is (Debian).
    """
    name = os.environ.get(TYPED) or sys.orig_argv[0]
    return name if re.fullmatch(r"python(3(\.\d+)?)?", name) else "python3"


#: How a line begins that is to be typed again.
PROGRAM = f"{typed()} -m harness"


def kept() -> Python | None:
    """What was chosen before for the Python that runs this, while that is as it was; of an environment of ours, that
    itself. Nothing is tried.
    """
    of = started()
    if any(Path(sys.prefix).glob(f"{COMPLETE}*")):
        return of
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        found = _file()["/".join(of.facts)]
        if found["stamp"] == _stamp(found["python"]):
            return Python(found["python"], tuple(found["facts"]))
    return None


def chosen(say: Callable[[str], None]) -> Python:
    """``started()``, or the build of its minor version that is clearly faster here; tried where none is kept.

    ``say`` hears of another build that is taken. Two at once try one after the other, and choose the same.
    """
    of = started()
    if (before := kept()) is not None:
        return before
    with _alone():
        if (before := kept()) is not None:
            return before
        others = [path for path in _on_path() if Path(path).resolve() != Path(of.program).resolve()]
        best, times = _fastest(of, others) if others else (of, 1.0)
        _keep(of, best, times)
    if best != of:
        say(f"{best.program} does a loop {times:.1f} times as fast as {of.program}: it is used from now on")
    return best


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One trial at a time. A folder that cannot be written is told by who makes the environment there."""
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):
            home().mkdir(parents=True, exist_ok=True)
            file = held.enter_context((home() / KEPT).with_suffix(".lock").open("w"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _on_path() -> list[str]:
    """Programs by the names that a Python of this minor version has: of PATH, ``/usr/bin`` and ``/usr/local/bin``."""
    names = (f"python{sys.version_info.major}.{sys.version_info.minor}", "python3")
    on_path = [folder for folder in os.get_exec_path() if Path(folder).is_absolute()]
    folders = dict.fromkeys((*on_path, "/usr/bin", "/usr/local/bin"))
    found = [shutil.which(name, path=folder) for folder in folders for name in names]
    there = {str(Path(each).resolve()): each for each in reversed(found) if each is not None}
    return [program for resolved, program in there.items() if _trusted(Path(resolved))]


def _trusted(program: Path) -> bool:
    """Whether root may run it: nobody else can change it, or put another in its place. Others run what PATH names."""
    if os.geteuid() != 0:
        return True
    with contextlib.suppress(OSError):
        looked_at = [each.stat() for each in (program, program.parent)]
        return all(each.st_uid == 0 and not each.st_mode & (stat.S_IWGRP | stat.S_IWOTH) for each in looked_at)
    return False


def _fastest(of: Python, others: list[str]) -> tuple[Python, float]:
    """The build to take, and how many times as fast as ``of`` it is. Builds take turns: a machine's speed changes."""
    first = [tried for tried in map(_try, (of.program, *others)) if tried and tried.python.version == of.version]
    builds = {tried.python.facts: tried for tried in reversed(first)}  # PATH may name one several times
    if of.facts not in builds or len(builds) == 1:
        return of, 1.0
    for _ in range(ROUNDS - 1):
        for facts, before in builds.items():
            if (again := _try(before.python.program)) is not None:
                builds[facts] = min(before, again, key=lambda tried: tried.loop_s)
    own_s, best = builds[of.facts].loop_s, min(builds.values(), key=lambda tried: tried.loop_s)
    return (best.python, own_s / best.loop_s) if own_s >= CLEARLY * best.loop_s else (of, 1.0)


def _try(program: str) -> _Tried | None:
    """``None`` for what is no Python, lacks a module, or does not answer."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, subprocess.TimeoutExpired):
        found = json.loads(_answer([program, "-I", "-c", ASKED]))
        python = Python(str(Path(found["python"]).resolve()), tuple(found["facts"]))
        return _Tried(python, float(found["loop_s"]))
    return None


def _answer(command: list[str]) -> str:
    """What it writes before it ends, "" where it fails. It and what it started are gone then, in time or not."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        command, stdin=quiet, stdout=subprocess.PIPE, stderr=quiet, text=True, start_new_session=True
    ) as process:
        try:
            said, _ = process.communicate(timeout=TRY_LIMIT_S)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return said if process.returncode == 0 else ""


def _file() -> dict[str, dict[str, Any]]:
    """What was found before, by the Python that was started; nothing where it cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((home() / KEPT).read_text("utf-8"))
        if isinstance(found, dict):
            return found
    return {}


def _stamp(program: str) -> list[int]:
    """Another build in the same place has another. Raises ``OSError`` when it is gone."""
    there = Path(program).stat()
    return [there.st_mtime_ns, there.st_size]


def _keep(of: Python, best: Python, times: float) -> None:
    """Beside what was found for other Pythons. That a folder cannot be written says who makes the environment there."""
    file = home() / KEPT
    with contextlib.suppress(OSError):
        stamp = _stamp(best.program)
        found = {"python": best.program, "facts": best.facts, "stamp": stamp, "times_as_fast": round(times, 2)}
        beside = file.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps(_file() | {"/".join(of.facts): found}, indent=2) + "\n", "utf-8")
        beside.replace(file)
