"""mutmut's mutants of the functions that are unmeasured, run for a budget of time (``forks.py``), and what was found."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

import msgspec

from tests.mutants.forks import KILLED, SURVIVED, Plan
from tests.mutants.kept import BY_NONE, NO_TESTS, NOTICED, ROOT, TESTS, Function, Kept

FOLDER = ROOT / "mutants"  # mutmut's own, never committed
LOG = FOLDER / "pytest.log"
STOPS_WITHIN_S = 60.0
PYTEST = [
    "-q", "-s", "--rootdir=.", "--groups", "fast", "-p", "no:cacheprovider", "-p", "no:randomly",
    "--ignore=tests/rules/test_calibration.py", *(f"tests/{each}" for each in TESTS),
]  # fmt: skip
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
    """``harness.rules.ledger.Ledger.add`` for mutmut's ``harness.rules.ledger.xǁLedgerǁadd``."""
    module, _, name = mangled.rpartition(".")
    return f"{module}.{name[2:].replace('ǁ', '.')}"


def generate() -> None:
    """The mutants of the code as it is. Raises ``CalledProcessError``."""
    subprocess.run([sys.executable, "-c", GENERATE], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def results(folder: Path = FOLDER) -> Mutants:
    """What mutmut's files say of each mutant: the exit status of its tests, ``None`` where they have not run."""
    found: Mutants = {}
    for file in sorted((folder / "harness").rglob("*.meta")):
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


def take_over(left: Mapping[str, Function], excluded: Collection[str], folder: Path = FOLDER) -> None:
    """Into mutmut's files, of functions that were measured, perhaps on another machine: which of their mutants were
    ``left`` by the tests and are to be run again, but those ``excluded``, and that the others were noticed.
    """
    for file in folder.rglob("*.meta"):
        content = json.loads(file.read_text())
        for name in content["exit_code_by_key"]:
            key = readable(name.partition("__mutmut_")[0])
            if (before := left.get(key)) is not None:
                number = name.rpartition("_")[2]
                again = None if f"{key}:{number}" not in excluded else SURVIVED
                content["exit_code_by_key"][name] = again if number in before.left else KILLED
        file.write_text(json.dumps(content, indent=4))


def function(mutants: Mapping[str, int | None], digest: str) -> Function | None:
    """What is to be kept of a function; ``None`` while a mutant of it has not run to its end."""
    ends = {name.rpartition("_")[2]: _how(status) for name, status in mutants.items()}
    if "not checked" in ends.values():
        return None
    left = {number: BY_NONE if how == NO_TESTS else how for number, how in ends.items() if how not in NOTICED}
    return Function(digest=digest, mutants=len(ends), left=left)


def _how(status: int | None) -> str:
    from mutmut.stats import status_by_exit_code

    how = str(status_by_exit_code[status])
    return "not checked" if how == "check was interrupted by user" else how


def to_run(found: Mutants, wanted: Iterable[str]) -> list[str]:
    """The mutants of the ``wanted`` functions, in their order, that have not run here."""
    return [name for key in wanted for name, status in found.get(key, {}).items() if _how(status) == "not checked"]


def run(mutants: list[str], seconds: float, *, again: bool = False, thorough: bool = False) -> None:
    """Runs them, in this order and one at a time, until the time is up; mutmut's files have each result soon after.

    ``again`` learns anew which tests reach which function; ``thorough`` asks more of them. Raises ``RuntimeError`` when the tests cannot be collected.
    """
    if not mutants or seconds <= 0:
        return
    hears, tells = os.pipe()
    plan = Plan(mutants=mutants, arguments=PYTEST, told=tells, again=again, thorough=thorough)
    command = [sys.executable, "-m", "tests.mutants.forks"]
    process = subprocess.Popen(
        command, cwd=FOLDER, env={**os.environ, "PYTHONPATH": str(FOLDER)}, stdin=subprocess.PIPE,
        stdout=LOG.open("wb"), pass_fds=(tells,), start_new_session=True,
    )  # fmt: skip
    os.close(tells)
    try:
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(plan))
        process.stdin.close()
        for ended in told(hears, time.monotonic() + seconds):
            record(ended)
        if select.select([hears], [], [], 0)[0] and process.wait(STOPS_WITHIN_S):
            raise RuntimeError(f"the mutants' tests ended in {process.returncode}: {LOG}")
    finally:
        os.close(hears)
        _stop(process)


def told(hears: int, ends_s: float) -> Iterator[dict[str, int]]:
    """Results as they come, some at a time; until there are no more, or until ``ends_s`` of the monotonic clock."""
    rest = b""
    while (left_s := ends_s - time.monotonic()) > 0:
        if not select.select([hears], [], [], left_s)[0]:
            return
        if not (heard := os.read(hears, 1 << 16)):
            return
        *lines, rest = (rest + heard).split(b"\n")
        yield {name: int(status) for name, status in (line.decode().split() for line in lines)}


def record(ended: Mapping[str, int], folder: Path = FOLDER) -> None:
    """Writes the exit statuses into mutmut's files, where its own ``results`` and ``show`` find them too."""
    for module in {name.rpartition(".")[0] for name in ended}:
        file = folder / f"{module.replace('.', '/')}.py.meta"
        content = json.loads(file.read_text())
        content["exit_code_by_key"] |= {n: s for n, s in ended.items() if n.rpartition(".")[0] == module}
        file.write_text(json.dumps(content, indent=4))


def _stop(process: subprocess.Popen[bytes]) -> None:
    """By force, with the fork that runs: what it would say is asked anew the next time."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(STOPS_WITHIN_S)


def keep(kept: Kept, found: Mutants, now: Mapping[str, str], ran: Collection[str]) -> None:
    """Takes over what was found of the functions that ``ran`` and whose code is known, and lets go of those that are
    no more. One that mutmut finds nothing to change in has no mutants.
    """
    kept.mutmut = version("mutmut")
    for name in ran:
        if name in now and (result := function(found.get(name, {}), now[name])) is not None:
            kept.functions[name] = result
    kept.functions = {name: each for name, each in kept.functions.items() if name in now}
