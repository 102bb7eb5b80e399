"""What CI runs for each push, in one command (``nox -s tests``): lint beside the tests, the in-process tests first, then
the rest side by side, those that measure time last, with nothing else beside them; at the end the gate and one closing
line. With ``--night`` what the night runs (``nox -s nightly``), in the same order, without lint. With ``--repeat N``
the tests so many times over, to see whether they are ever red. Where nothing waits for it, by night and of repeats, a
test that needed its second try is a failure.

It builds what can be built (Kubernetes' controllers for the oracle, Docker's compose plugin, promtool) while the first tests run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from tests.session import again, files, gate, groups, record
from tests.session.ending import waited_for
from tests.session.lint import LINT
from tests.session.workers import ON_THE_CLUSTER

ROOT = gate.ROOT
FOLDER = ROOT / "reports" / "tests"  # generated, never committed
WORKERS = 2  # with three, pods beside a cluster had too little of two cores: the mirror's writes timed out
RUN_LIMIT_S = 3600.0
SOME_FAILED = 1  # pytest's status when all tests were run and some failed
INTERRUPTED = 130  # as a shell says it
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


@dataclass(frozen=True)
class Hour:
    """When tests run: what each run of pytest is told for it, what the names of its records begin with, whether a test
    counts as it ended at its second try (``again``), and which groups run with no other beside them."""

    words: tuple[str, ...] = ()
    begins: str = ""
    forgives: bool = False
    apart: frozenset[str] = frozenset()

    @property
    def files(self) -> Path:
        """What the first run of pytest collected."""
        return FOLDER / f"{self.begins}files.json"

    def known(self, chosen: frozenset[str]) -> dict[str, int]:
        """How many tests of each of these groups must run."""
        numbers = gate.known().night if self.words else gate.known().push
        return {group: number for group, number in numbers.items() if group in chosen}


PUSH = Hour(forgives=True)
#: The night's own tests, and the properties on new examples. They judge whole runs for minutes, on a cluster and on
#: local processes; beside one another they had 20 runnable threads on two cores, and both held targets that are right.
NIGHT = Hour(
    ("--nightly", "-m", "nightly or hypothesis", "--hypothesis-profile", "search"), "night_", apart=ON_THE_CLUSTER
)


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


def pytest(
    hour: Hour, name: str, chosen: frozenset[str], *words: str, alone: bool | None = None
) -> tuple[int, record.Record]:
    """One run of pytest on these groups, its output as it comes; its exit status and its record.

    ``alone``: only, or without, the tests that measure time. The first run collects all tests; one behind it for which
    no file has a test is none. So is one of no group: to pytest, no groups are all of them.
    """
    if not chosen or (holding := files.holding(hour.files, chosen, alone)) == []:
        return NOTHING_CHOSEN, record.Record(wall_s=0.0, tests=[])
    if alone is not None:
        words = ("--alone", "only" if alone else "without", *words)
    return _run(hour, name, "--groups", ",".join(sorted(chosen)), *words, *(holding or []))


def _run(hour: Hour, name: str, *words: str) -> tuple[int, record.Record]:
    """One run of pytest with these words; its exit status and its record."""
    file, junit = (FOLDER / f"{hour.begins}{name}.{ends}" for ends in ("json", "xml"))
    file.unlink(missing_ok=True)
    words = (*hour.words, *words)
    print(f"\n== {name}: {' '.join(word for word in words if not word.endswith('.py'))} ==", flush=True)
    command = [
        sys.executable,
        "-m",
        "pytest",
        f"--record={file}",
        f"--junitxml={junit}",
        f"--files={hour.files}",
    ]  # =: no test files
    status = waited_for([*command, *words], cwd=ROOT)
    return status, record.read(file) if file.exists() else record.Record(wall_s=0.0, tests=[])


def tried_again(hour: Hour, name: str, ended: tuple[int, record.Record]) -> tuple[int, record.Record]:
    """The run as it is after a second try, with nothing beside it, of each test that failed beside others."""
    status, first = ended
    if status != SOME_FAILED or not (failed := again.worth(first)):
        return status, first
    status, second = _run(hour, f"{name}_again", *failed)
    return status, again.settled(first, second)


def in_process(hour: Hour) -> tuple[int, record.Record]:
    """The tests in process, on both cores."""
    return pytest(hour, "fast", groups.IN_PROCESS, "-n", "2", "--dist", "worksteal")


def on_the_machine(hour: Hour, chosen: frozenset[str]) -> list[tuple[int, record.Record]]:
    """All others: those that share a stack or the cluster one after the other, all else beside them (by night those of
    the cluster after them); then those that measure time, the light ones by two, for they mostly wait, and those with a
    whole stack one after the other.
    """
    workers = os.environ.get("TEKUTOKO_TEST_WORKERS", str(WORKERS))
    spread = ("-n", workers, "--dist", "loadgroup", "--no-loadscope-reorder")
    by_two = ("-n", str(WORKERS), "--dist", "worksteal")
    return [
        tried_again(hour, "rest", pytest(hour, "rest", chosen - hour.apart, *spread, alone=False)),
        pytest(hour, "apart", chosen & hour.apart, alone=False),
        tried_again(hour, "alone", pytest(hour, "alone", chosen & LIGHT, *by_two, alone=True)),
        pytest(hour, "alone_stack", chosen - LIGHT, alone=True),
    ]


def closing(whole: record.Record) -> str:
    """One line for whoever reads the end alone; an error of a fixture is a failure."""
    found = whole.outcomes()
    line = f"{found['passed']} passed, {found['failed'] + found['error']} failed"
    line += f", {found['skipped']} skipped" if found["skipped"] else ""
    second = sum(test.second_try and test.outcome == "passed" for test in whole.tests)
    return f"{line}; {second} of the passed failed beside others and passed alone" if second else line


def tested(hour: Hour, chosen: frozenset[str]) -> tuple[list[tuple[int, record.Record]], list[str]]:
    """The runs of pytest for these groups, and what else went wrong."""
    scripts, wrong = Path(sys.executable).parent, []
    commands = [(str(scripts / command[0]), *command[1:]) for command in LINT]
    lint = Beside("lint", *commands) if hour is PUSH and chosen == ALL else None
    built = sorted(chosen & {"compose", "oracle", "process"})
    builds = Beside("builds", (sys.executable, "-m", "tests.session.builds", *built))
    runs = [in_process(hour)] if chosen & groups.IN_PROCESS else []
    if builds.failed():
        wrong.append(f"what the tests need could not be built: {FOLDER.name}/{builds.name}.log")
    if others := chosen - groups.IN_PROCESS:
        runs += on_the_machine(hour, others)
    if lint is not None and lint.failed():
        wrong.append("lint found something")
    return runs, wrong


def once(hour: Hour, chosen: frozenset[str]) -> tuple[bool, str]:
    """Runs everything once; whether every test passed, none vanished and lint found nothing, and the closing line."""
    began = time.monotonic()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file in (hour.files, FOLDER / f"{hour.begins}closing.txt"):
        file.unlink(missing_ok=True)
    runs, wrong = tested(hour, chosen)
    whole = record.joined(found for _, found in runs)
    (FOLDER / f"{hour.begins}whole.json").write_bytes(record.encoded(whole))
    missing, forgiven = gate.findings(whole, hour.known(chosen), gate.lacks_here(os.environ))
    wrong += missing if hour.forgives else [*missing, *again.needed(whole)]
    print("\n== time by group ==", *record.minutes(whole), sep="\n")
    print(
        "\n== gate ==",
        *(f"lack: {line}" for line in forgiven),
        *(f"second try, alone: {test.outcome}: {test.id}" for test in whole.tests if test.second_try),
        *(f"WRONG: {line}" for line in wrong),
        sep="\n",
    )
    print(f"\nin {time.monotonic() - began:.0f} s")
    line = closing(whole)
    (FOLDER / f"{hour.begins}closing.txt").write_text(line + "\n")
    print(line, flush=True)
    return not wrong and all(status in {0, NOTHING_CHOSEN} for status, _ in runs), line


def repeated(hour: Hour, chosen: frozenset[str], times: int) -> bool:
    """Runs everything so many times, whatever came of it, with records for each; whether each was green."""
    ended = [once(replace(hour, begins=f"{hour.begins}{n}_", forgives=False), chosen) for n in range(1, times + 1)]
    lines = [f"{n}: {'green' if green else 'RED'}: {line}" for n, (green, line) in enumerate(ended, 1)]
    green = sum(green for green, _ in ended)
    print(f"\n== {times} times ==", *lines, f"{green} of {times} runs are green", sep="\n", flush=True)
    return green == times


def main(arguments: list[str]) -> int:
    """Runs everything, or one part, once or several times; 0 only when all of it was green."""
    parser = argparse.ArgumentParser(prog=f"nox -s {'nightly' if '--night' in arguments else 'tests'} --")
    parser.add_argument("--part", choices=PARTS, help="the groups of one of CI's jobs alone, without lint")
    parser.add_argument("--night", action="store_true", help="what the night runs, without lint")
    parser.add_argument("--repeat", type=int, metavar="N", help="so many times, without lint; no second try counts")
    given = parser.parse_args(arguments)
    hour, chosen = (NIGHT if given.night else PUSH), (PARTS[given.part] if given.part else ALL)
    if not any(hour.known(chosen).values()):
        parser.error(f"--part {given.part}: nothing would be run: the night has no test of it")
    if given.repeat is None:
        return 0 if once(hour, chosen)[0] else 1
    if given.repeat < 1:
        parser.error(f"--repeat {given.repeat}: nothing would be run")
    return 0 if repeated(hour, chosen, given.repeat) else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
