"""What the tests in process run of the code, lines and branches, and a floor for what decides (``nox -s coverage``).

Other processes that a test starts are measured too. Tests that measure time are left out: tracing slows them down. The
readers of both stores are among what decides, so that their own tests, which need a real PostgreSQL, run as well.
Arguments go to pytest, after the groups: ``-- --groups fast,document,process`` measures more of the rest.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".coverage"  # never committed; the data lie there too (pyproject.toml)
FLOOR_PERCENT = 95.0
#: What a verdict rests on: folders, and the judges that stand in their rehearsals' folders.
FACTS = "harness/rehearsals/*/facts*.py"
HELD = ("harness/rules", "harness/control", "harness/checks", "harness/load/population", FACTS)
TESTS = ("--groups", "fast,document,sim", "--alone", "without", "-n", "2", "--dist", "worksteal", "-q")
#: Besides: those of the readers of stores, which are of the checkers and need a real PostgreSQL.
READERS = ("--groups", "process,stack", "-q", "tests/reconcile", "tests/checks")
UNCOVERED = 15  # files to name, those with the most that no test ran


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Lines and branches of a file or package: how many there are, and how many ran."""

    num_statements: int
    covered_lines: int
    num_branches: int = 0
    covered_branches: int = 0

    @property
    def percent(self) -> float:
        """Of lines and branches together; 100 where there are none."""
        all_ = self.num_statements + self.num_branches
        return 100.0 * (self.covered_lines + self.covered_branches) / all_ if all_ else 100.0

    @property
    def missing(self) -> int:
        """Lines and branches that did not run."""
        return self.num_statements + self.num_branches - self.covered_lines - self.covered_branches


class File(msgspec.Struct, frozen=True):
    """Of ``coverage json``: a file's summary."""

    summary: Counts


class Report(msgspec.Struct, frozen=True):
    """Of ``coverage json``: each file by its path in the repository."""

    files: dict[str, File]


def total(counts: Iterable[Counts]) -> Counts:
    """Their sum."""
    names = Counts.__struct_fields__
    sums = dict.fromkeys(names, 0)
    for each in counts:
        for name in names:
            sums[name] += getattr(each, name)
    return Counts(**sums)


def by_package(report: Report) -> dict[str, Counts]:
    """The sums of each folder of the first two levels (``harness/rules``); what is held below one by itself."""
    found: dict[str, list[Counts]] = {}
    for path, file in report.files.items():
        parts = Path(path).parts
        held = next((each for each in HELD if path.startswith(f"{each}/") or fnmatchcase(path, each)), "")
        name = held or ("/".join(parts[:2]) if parts[0] == "harness" else parts[0])
        found.setdefault(name, []).append(file.summary)
    return {name: total(counts) for name, counts in sorted(found.items())}


def below(packages: Mapping[str, Counts]) -> list[str]:
    """What is held and below the floor, or was not measured at all, as sentences."""
    wrong = [f"{name} was not measured" for name in HELD if name not in packages]
    return wrong + [
        f"{name}: {packages[name].percent:.1f} %, held to {FLOOR_PERCENT:g} %"
        for name in HELD
        if name in packages and packages[name].percent < FLOOR_PERCENT
    ]


def lines(report: Report) -> list[str]:
    """The table of packages, and the files with the most that did not run."""
    packages = by_package(report)
    table = [
        f"{counts.percent:6.1f} %  {name}{'  (held)' if name in HELD else ''}" for name, counts in packages.items()
    ]
    whole = total(packages.values())
    worst = sorted(report.files.items(), key=lambda entry: -entry[1].summary.missing)[:UNCOVERED]
    names = [f"{file.summary.missing:6} of {path} did not run" for path, file in worst if file.summary.missing]
    return [*table, f"{whole.percent:6.1f} %  in all", "", *names]


def _coverage(*words: str) -> int:
    return subprocess.run([sys.executable, "-m", "coverage", *words], cwd=ROOT, check=False).returncode


def main(arguments: list[str]) -> int:
    """1 when a test failed or what is held is below its floor, or could not be measured."""
    FOLDER.mkdir(exist_ok=True)
    _coverage("erase")
    failed = [_coverage("run", "-m", "pytest", *words) for words in ((*TESTS, *arguments), READERS)]
    file = FOLDER / "report.json"
    if _coverage("combine", "--quiet") or _coverage("json", "--quiet", "-o", str(file)):
        print("nothing was measured")
        return 1
    report = msgspec.json.decode(file.read_bytes(), type=Report)
    print("", *lines(report), sep="\n")
    wrong = below(by_package(report))
    print("", *(f"WRONG: {line}" for line in wrong), sep="\n")
    return 1 if wrong or any(failed) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
