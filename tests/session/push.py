"""What CI runs for each push, in one command (``nox -s tests``): lint beside the tests, the in-process tests first, then
the rest side by side, those that measure time last and alone; at the end the gate and one closing line.

It builds what can be built (Kubernetes' controllers for the oracle, Docker's compose plugin) while the first tests run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.session import gate, record

ROOT = gate.ROOT
FOLDER = ROOT / "reports" / "tests"  # generated, never committed
WORKERS = 3  # on two cores: a test on a real stack waits more than it works
RUN_LIMIT_S = 3600.0
LINT = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("mypy",),
    ("lint-imports",),
)
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


def pytest(name: str, *words: str) -> tuple[int, record.Record]:
    """One run of pytest, its output as it comes; its exit status and its record."""
    file, junit = FOLDER / f"{name}.json", FOLDER / f"{name}.xml"
    file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "--record", str(file), f"--junitxml={junit}", *words]
    print(f"\n== {name}: {' '.join(words)} ==", flush=True)
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    return status, record.read(file) if file.exists() else record.Record(wall_s=0.0, tests=[])


def fast(*words: str) -> tuple[int, record.Record]:
    """The tests in process, on both cores."""
    return pytest("fast", "--groups", "fast,document", "-n", "2", "--dist", "worksteal", *words)


def rest() -> tuple[int, record.Record]:
    """All others: those that share a stack or the cluster one after the other, all else beside them."""
    others = ",".join(group for group in gate.groups.ALL if group not in gate.groups.IN_PROCESS)
    workers = os.environ.get("TEKUTOKO_TEST_WORKERS", str(WORKERS))
    spread = ("-n", workers, "--dist", "loadgroup", "--no-loadscope-reorder")
    return pytest("rest", "--groups", others, "--alone", "without", *spread)


def alone() -> tuple[int, record.Record]:
    """Those that measure what the machine does, with nothing beside them."""
    return pytest("alone", "--alone", "only")


def closing(whole: record.Record, began: float) -> str:
    """One line as pytest closes with."""
    found = whole.outcomes()
    words = [f"{found['passed']} passed", f"{found['failed']} failed"]
    words += [f"{found[name]} {word}" for name, word in (("error", "errors"), ("skipped", "skipped")) if found[name]]
    return f"{', '.join(words)} in {time.monotonic() - began:.0f} s"


def main() -> int:
    """Runs everything; 0 only when every test passed, none vanished, and lint found nothing."""
    began = time.monotonic()
    FOLDER.mkdir(parents=True, exist_ok=True)
    scripts = Path(sys.executable).parent
    beside = Beside("lint", *((str(scripts / command[0]), *command[1:]) for command in LINT))
    builds = Beside("builds", (sys.executable, "-m", "tests.session.builds"))
    runs = [fast()]
    wrong = [f"what the tests need could not be built: {builds.name}.log"] if builds.failed() else []
    runs += [rest(), alone()]
    if beside.failed():
        wrong.append("lint found something")
    whole = record.joined(found for _, found in runs)
    (FOLDER / "whole.json").write_bytes(record.encoded(whole))
    missing, forgiven = gate.findings(whole, gate.known(), gate.lacks_here(os.environ))
    print("\n== time by group ==", *record.minutes(whole), sep="\n")
    print(
        "\n== gate ==",
        *(f"lack: {line}" for line in forgiven),
        *(f"WRONG: {line}" for line in [*wrong, *missing]),
        sep="\n",
    )
    line = closing(whole, began)
    (FOLDER / "closing.txt").write_text(line + "\n")
    print(f"\n{line}", flush=True)
    return 1 if wrong or missing or any(status != 0 for status, _ in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
