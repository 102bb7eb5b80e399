"""mutmut, for a budget of time: its mutants of the functions that are unmeasured, and what it found."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from tests.mutants.kept import NOTICED, PACKAGES, ROOT, Function, Kept

FOLDER = ROOT / "mutants"  # mutmut's own, never committed
AT_ONCE = 400  # mutants a call: it compares each with each name that it is given
STOPS_WITHIN_S = 60.0
#: What ``mutmut run`` does before it runs anything. Without it there are no names to ask for.
GENERATE = """
import pathlib
from mutmut import __main__ as mutmut
mutmut.set_mutant_under_test("mutant_generation")
pathlib.Path("mutants").mkdir(exist_ok=True)
mutmut.copy_src_dir(); mutmut.copy_also_copy_files(); mutmut.setup_source_paths()
mutmut.store_lines_covered_by_tests(); mutmut.create_mutants(2)
"""

Mutants = dict[str, dict[str, int | None]]  # of each function, by mutmut's names, its exit statuses


def readable(mangled: str) -> str:
    """``harness.judge.ledger.Ledger.add`` for mutmut's ``harness.judge.ledger.xǁLedgerǁadd``."""
    module, _, name = mangled.rpartition(".")
    return f"{module}.{name[2:].replace('ǁ', '.')}"


def generate() -> None:
    """The mutants of the code as it is. Raises ``CalledProcessError``."""
    subprocess.run([sys.executable, "-c", GENERATE], cwd=ROOT, check=True)


def results(folder: Path = FOLDER) -> Mutants:
    """What mutmut's files say of each mutant: the exit status of its tests, ``None`` where they have not run."""
    found: Mutants = {}
    for package in PACKAGES:
        for file in sorted((folder / package.replace(".", "/")).rglob("*.meta")):
            for name, status in json.loads(file.read_text())["exit_code_by_key"].items():
                found.setdefault(readable(name.partition("__mutmut_")[0]), {})[name] = status
    return found


def forget(wanted: Collection[str], folder: Path = FOLDER) -> None:
    """The results of these functions in mutmut's files: they are to be run again."""
    for file in folder.rglob("*.meta"):
        content = json.loads(file.read_text())
        ends = content["exit_code_by_key"]
        content["exit_code_by_key"] = {
            name: None if readable(name.partition("__mutmut_")[0]) in wanted else status
            for name, status in ends.items()
        }
        if content["exit_code_by_key"] != ends:
            file.write_text(json.dumps(content, indent=4))


def function(mutants: Mapping[str, int | None], digest: str) -> Function | None:
    """What is to be kept of a function; ``None`` while a mutant of it has not run to its end."""
    ends = {name.rpartition("_")[2]: _how(status) for name, status in mutants.items()}
    if "not checked" in ends.values():
        return None
    left = {number: how for number, how in ends.items() if how not in NOTICED}
    return Function(digest=digest, mutants=len(ends), left=left)


def _how(status: int | None) -> str:
    from mutmut.stats import status_by_exit_code

    how = str(status_by_exit_code[status])
    return "not checked" if how == "check was interrupted by user" else how


def to_run(found: Mutants, wanted: Collection[str]) -> list[str]:
    """The mutants of the ``wanted`` functions that have not run here."""
    return [
        name
        for key, mutants in found.items()
        if key in wanted
        for name, status in mutants.items()
        if _how(status) == "not checked"
    ]


def run(mutants: list[str], seconds: float) -> None:
    """Runs them, a part at a time, until the time is up: mutmut writes each result when it has it.

    Raises ``RuntimeError`` when mutmut itself fails.
    """
    ends = time.monotonic() + seconds
    for part in _parts(mutants):
        left_s = ends - time.monotonic()
        if left_s <= 0:
            return
        command = [sys.executable, "-m", "mutmut", "run", "--max-children", "2", *part]
        process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, preexec_fn=_hears_ctrl_c)  # noqa: PLW1509 - no threads here
        try:
            status = process.wait(left_s)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            _stop(process)
            return
        if status:
            raise RuntimeError(f"mutmut ended in {status}")


def _hears_ctrl_c() -> None:
    """Also where this program was started in the background, by a shell that has its children ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C, and by force when that is not enough; with the tests that it runs."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOPS_WITHIN_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOPS_WITHIN_S)


def _parts(mutants: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(mutants), AT_ONCE):
        yield mutants[start : start + AT_ONCE]


def keep(kept: Kept, found: Mutants, now: Mapping[str, str], ran: Collection[str]) -> None:
    """Takes over what was found of the functions that ``ran`` and whose code is known, and lets go of those that are
    no more. One that mutmut finds nothing to change in has no mutants.
    """
    kept.mutmut = version("mutmut")
    for name in ran:
        if name in now and (result := function(found.get(name, {}), now[name])) is not None:
            kept.functions[name] = result
    kept.functions = {name: each for name, each in kept.functions.items() if name in now}
