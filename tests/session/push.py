"""What CI runs for each push, in one command (``nox -s tests``): lint beside the tests, the in-process tests first, then
the rest side by side, those that measure time last, with nothing else beside them; at the end the gate and one closing
line.

It builds what can be built (Kubernetes' controllers for the oracle, Docker's compose plugin, promtool) while the first tests run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.session import again, files, gate, groups, record
from tests.session.lint import LINT

ROOT = gate.ROOT
FOLDER = ROOT / "reports" / "tests"  # generated, never committed
FILES = FOLDER / "files.json"  # what the first run of pytest collected
WORKERS = 2  # with three, pods beside a cluster had too little of two cores: the mirror's writes timed out
RUN_LIMIT_S = 3600.0
SOME_FAILED = 1  # pytest's status when all tests were run and some failed
NOTHING_CHOSEN = 5  # pytest's status when a run has no tests; the gate counts what there must be
ALL = frozenset(groups.ALL)
#: What each job of CI runs; together all groups.
PARTS = {
    "fast": groups.IN_PROCESS,
    "local": frozenset({"process", "browser", "stack"}),
    "kind": frozenset({"kind", "compose"}),
    "oracle": frozenset({"oracle"}),
}
#: Of the tests that measure time, those of these groups may be by two.
LIGHT = frozenset({"process"})
NICE = "10"  # whatever is beside the tests gives way to them


class Beside:
    """Commands, one after the other, beside the tests; what they say is read at the end."""

    def __init__(self, name: str, *commands: tuple[str, ...]) -> None:
        self.name = name
        self._log = FOLDER / f"{name}.log"
        script = " && ".join(" ".join(f"'{word}'" for word in command) for command in commands)
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                ["nice", "-n", NICE, "/bin/sh", "-c", script], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
            )

    def failed(self) -> bool:
        """Waits for the end, prints what was said; whether a command failed."""
        status = self._process.wait(RUN_LIMIT_S)
        print(
            f"\n== {self.name}: {'done' if status == 0 else f'failed ({status})'} ==\n{self._log.read_text().strip()}"
        )
        return status != 0


def pytest(name: str, chosen: frozenset[str], *words: str, alone: bool | None = None) -> tuple[int, record.Record]:
    """One run of pytest on these groups, its output as it comes; its exit status and its record.

    ``alone``: only, or without, the tests that measure time. The first run collects all tests; one behind it for which
    no file has a test is none.
    """
    if (holding := files.holding(FILES, chosen, alone)) == []:
        return NOTHING_CHOSEN, record.Record(wall_s=0.0, tests=[])
    if alone is not None:
        words = ("--alone", "only" if alone else "without", *words)
    return _run(name, "--groups", ",".join(sorted(chosen)), *words, *(holding or []))


def _run(name: str, *words: str) -> tuple[int, record.Record]:
    """One run of pytest with these words; its exit status and its record."""
    file, junit = FOLDER / f"{name}.json", FOLDER / f"{name}.xml"
    file.unlink(missing_ok=True)
    print(f"\n== {name}: {' '.join(word for word in words if not word.endswith('.py'))} ==", flush=True)
    command = [
        sys.executable,
        "-m",
        "pytest",
        f"--record={file}",
        f"--junitxml={junit}",
        f"--files={FILES}",
    ]  # =: no test files
    status = subprocess.run([*command, *words], cwd=ROOT, check=False).returncode
    return status, record.read(file) if file.exists() else record.Record(wall_s=0.0, tests=[])


def tried_again(name: str, status: int, first: record.Record) -> tuple[int, record.Record]:
    """The run as it is after a second try, with nothing beside it, of each test that failed beside others."""
    if status != SOME_FAILED or not (failed := again.worth(first)):
        return status, first
    status, second = _run(f"{name}_again", *failed)
    return status, again.settled(first, second)


def in_process() -> tuple[int, record.Record]:
    """The tests in process, on both cores."""
    return pytest("fast", groups.IN_PROCESS, "-n", "2", "--dist", "worksteal")


def on_the_machine(chosen: frozenset[str]) -> list[tuple[int, record.Record]]:
    """All others: those that share a stack or the cluster one after the other, all else beside them; then those that
    measure time, the light ones by two, for they mostly wait, and those with a whole stack one after the other.
    """
    workers = os.environ.get("TEKUTOKO_TEST_WORKERS", str(WORKERS))
    spread = ("-n", workers, "--dist", "loadgroup", "--no-loadscope-reorder")
    runs = [tried_again("rest", *pytest("rest", chosen, *spread, alone=False))]
    if light := chosen & LIGHT:
        by_two = pytest("alone", light, "-n", str(WORKERS), "--dist", "worksteal", alone=True)
        runs.append(tried_again("alone", *by_two))
    if heavy := chosen - LIGHT:
        runs.append(pytest("alone_stack", heavy, alone=True))
    return runs


def closing(whole: record.Record) -> str:
    """One line for whoever reads the end alone; an error of a fixture is a failure."""
    found = whole.outcomes()
    line = f"{found['passed']} passed, {found['failed'] + found['error']} failed"
    line += f", {found['skipped']} skipped" if found["skipped"] else ""
    second = sum(test.second_try and test.outcome == "passed" for test in whole.tests)
    return f"{line}; {second} of the passed failed beside others and passed alone" if second else line


def tested(chosen: frozenset[str]) -> tuple[list[tuple[int, record.Record]], list[str]]:
    """The runs of pytest for these groups, and what else went wrong."""
    scripts, wrong = Path(sys.executable).parent, []
    lint = Beside("lint", *((str(scripts / command[0]), *command[1:]) for command in LINT)) if chosen == ALL else None
    built = sorted(chosen & {"compose", "oracle", "process"})
    builds = Beside("builds", (sys.executable, "-m", "tests.session.builds", *built))
    runs = [in_process()] if chosen & groups.IN_PROCESS else []
    if builds.failed():
        wrong.append(f"what the tests need could not be built: {FOLDER.name}/{builds.name}.log")
    if others := chosen - groups.IN_PROCESS:
        runs += on_the_machine(others)
    if lint is not None and lint.failed():
        wrong.append("lint found something")
    return runs, wrong


def main(arguments: list[str]) -> int:
    """Runs everything, or one part; 0 only when every test passed, none vanished, and lint found nothing."""
    parser = argparse.ArgumentParser(prog="nox -s tests --")
    parser.add_argument("--part", choices=PARTS, help="the groups of one of CI's jobs alone, without lint")
    part = parser.parse_args(arguments).part
    chosen = PARTS[part] if part else ALL
    began = time.monotonic()
    FOLDER.mkdir(parents=True, exist_ok=True)
    FILES.unlink(missing_ok=True)
    runs, wrong = tested(chosen)
    whole = record.joined(found for _, found in runs)
    (FOLDER / "whole.json").write_bytes(record.encoded(whole))
    known = {group: number for group, number in gate.known().items() if group in chosen}
    missing, forgiven = gate.findings(whole, known, gate.lacks_here(os.environ))
    print("\n== time by group ==", *record.minutes(whole), sep="\n")
    print(
        "\n== gate ==",
        *(f"lack: {line}" for line in forgiven),
        *(f"second try, alone: {test.outcome}: {test.id}" for test in whole.tests if test.second_try),
        *(f"WRONG: {line}" for line in [*wrong, *missing]),
        sep="\n",
    )
    print(f"\nin {time.monotonic() - began:.0f} s")
    line = closing(whole)
    (FOLDER / "closing.txt").write_text(line + "\n")
    print(line, flush=True)
    return 1 if wrong or missing or any(status not in {0, NOTHING_CHOSEN} for status, _ in runs) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
