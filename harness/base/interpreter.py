"""Which Python the locked environment is made of: the one that was started, or a faster build of the same version.

A CPython compiled without profile-guided optimisation, as pyenv makes it unless told otherwise, takes up to twice as
long for the same work as a distribution's build of the same version: the harness' own load, the bundled API and the
tests all pay for it. No build says reliably how it was compiled, so the builds on this machine are tried on the same
loop, once; what was found is kept in ``home()/python.json``. Standard library only.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from harness.base.home import home

KEPT = "python.json"
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


def chosen(say: Callable[[str], None] | None = None) -> Python:
    """``started()``, or the build of its version that is clearly faster here. Tried once a machine: it takes a second.

    ``say`` hears of another build that is taken.
    """
    of = started()
    if (kept := _kept(of)) is not None:
        return kept
    others = [path for path in _on_path() if Path(path).resolve() != Path(of.program).resolve()]
    if not others:
        return of
    best, times = _fastest(of, others)
    _keep(of, best, times)
    if best != of and say is not None:
        say(f"{best.program} does the same work {times:.1f} times as fast as {of.program}: it is used from now on")
    return best


def _on_path() -> list[str]:
    """Programs of PATH by the names that a Python of this minor version has."""
    names = (f"python{sys.version_info.major}.{sys.version_info.minor}", "python3")
    folders = dict.fromkeys((*os.get_exec_path(), "/usr/bin", "/usr/local/bin"))
    found = [shutil.which(name, path=folder) for folder in folders for name in names]
    return list({str(Path(each).resolve()): each for each in reversed(found) if each is not None}.values())


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
    with contextlib.suppress(OSError, ValueError, KeyError, subprocess.TimeoutExpired):
        said = subprocess.run(
            [program, "-I", "-c", ASKED], capture_output=True, text=True, timeout=TRY_LIMIT_S, check=False
        )
        if said.returncode == 0:
            found = json.loads(said.stdout)
            return _Tried(Python(found["python"], tuple(found["facts"])), float(found["loop_s"]))
    return None


def _kept(of: Python) -> Python | None:
    """What was found for ``of`` before, while it is there; of an environment of ours, that itself."""
    if any(Path(sys.prefix).glob(f"{COMPLETE}*")):
        return of
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads((home() / KEPT).read_text("utf-8"))["/".join(of.facts)]
        kept = Python(found["python"], tuple(found["facts"]))
        if os.access(kept.program, os.X_OK):
            return kept
    return None


def _keep(of: Python, best: Python, times: float) -> None:
    """Beside what was found for other Pythons. That a folder cannot be written says who makes the environment there."""
    file = home() / KEPT
    before: dict[str, object] = {}
    with contextlib.suppress(OSError, ValueError):
        before = json.loads(file.read_text("utf-8"))
    found = {"python": best.program, "facts": best.facts, "times_as_fast": round(times, 2)}
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps(before | {"/".join(of.facts): found}, indent=2) + "\n", "utf-8")
        beside.replace(file)
