"""One job: yesterday's failing seeds first, then its steps, each within its time; what came of them, as a folder.

``FOLDER/JOB/result.json`` has the statuses, the seeds to keep and what is kept of each run, and beside it lie the JUnit
files of each command: the gathering job needs nothing else.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from night import files, runs, seeds
from night.errors import RED
from night.jobs import Job, Step
from night.seeds import Failing

RESULT = "result.json"
TOO_LONG = 124  # as timeout(1) has it
NO_PROGRAM = 127  # as a shell has it
TEAR_DOWN_S = 260.0  # a run takes its stack down before it ends (noxfile.py)


@dataclass(frozen=True)
class Ended:
    """A command that ended: status, seconds, the JUnit files that it left by name, and what is kept of its runs."""

    command: str
    status: int
    good: bool
    judged: bool
    seconds: float
    junit: tuple[str, ...] = ()
    runs: tuple[dict[str, Any], ...] = ()


@dataclass
class Result:
    """What a job came to; ``failing`` are the seeds to keep, ``unreplayed`` how many of them time did not allow."""

    job: str
    seed: int
    began_utc: str
    image: str = ""
    image_digests: list[str] = field(default_factory=list)
    replays: list[Ended] = field(default_factory=list)
    steps: list[Ended] = field(default_factory=list)
    unreplayed: int = 0
    failing: list[dict[str, object]] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether every replay and every step was."""
        return all(each.good for each in [*self.replays, *self.steps]) and not self.unreplayed


class Runner:
    """Runs a job's commands in ``cwd``, whose reports lie in ``reports``."""

    def __init__(self, job: Job, seed: int, *, cwd: Path, reports: Path, into: Path) -> None:
        self._job, self._seed, self._cwd, self._reports = job, seed, cwd, reports
        self.folder = into / job.name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.result = Result(job.name, seed, datetime.now(UTC).isoformat(timespec="seconds"), job.image)

    def run(self, kept: Sequence[Failing]) -> Result:
        """Everything in order; a failing command keeps none of the next from running. The result is on disk as soon as
        anything has ended, so that a job that GitHub ends leaves what it had seen."""
        self.result.image_digests = image_digests(self._job.image) if self._job.image else []
        left = [each for each in kept if each.job == self._job.name]
        self.result.failing = seeds.encoded(left)
        self._write()
        self._replay(left)
        give_up = time.monotonic() + self._job.minutes * 60
        for step in self._job.steps:
            self._step(step, give_up)
        return self.result

    def _replay(self, left: list[Failing]) -> None:
        give_up = time.monotonic() + self._job.minutes * 60
        still: list[Failing] = []
        for number, each in enumerate(left):
            if time.monotonic() >= give_up:
                self.result.unreplayed = len(left) - number
                still += left[number:]
                break
            say(f"replay of seed {each.seed}, failing since {each.since}: {each.line}")
            good = next((s.good for s in self._job.steps if tuple(s.words(each.seed)) == each.command), (0,))
            ended = self._ran(each.command, Step(each.line, good, False), give_up, f"replay-{number + 1}")
            self.result.replays.append(ended)
            if not ended.good:
                still.append(each.again(ended.status))
            self.result.failing = seeds.encoded([*still, *left[number + 1 :]])
            self._write()

    def _step(self, step: Step, give_up: float) -> None:
        before = self._chaos_seeds()
        ended = self._ran(step.words(self._seed), step, give_up, f"step-{len(self.result.steps) + 1}")
        self.result.steps.append(ended)
        if not ended.good and step.seeded and ended.status not in seeds.NO_SEEDS_MATTER:
            finer = [each for each in self._chaos_seeds() if each not in before]
            day = self.result.began_utc[:10]
            whole = Failing(self._job.name, self._seed, tuple(step.words(self._seed)), day, 1, ended.status)
            kept = [seeds.decoded(entry, self.folder) for entry in self.result.failing]
            self.result.failing = seeds.encoded(seeds.merged([*kept, *(finer or [whole])]))
        self._write()

    def _chaos_seeds(self) -> list[Failing]:
        path = self._reports / seeds.CHAOS_FILE
        return seeds.of_chaos(path, self._job.name, self.result.began_utc[:10], RED)

    def _ran(self, words: Sequence[str], step: Step, give_up: float, name: str) -> Ended:
        before, known = self._reported(), runs.lines(self._reports)
        began = time.monotonic()
        status = command(words, self._cwd, give_up - began)
        good, spent_s = status in step.good, time.monotonic() - began
        say(f"{'good' if good else 'FAILED'}: status {status} after {spent_s:.0f} s: {shlex.join(words)}")
        kept: list[str] = []
        for path, _ in sorted(self._reported() - before):
            if path.suffix == ".xml":
                kept.append(f"{name}-{path.name}" if f"{name}-{path.name}" not in kept else f"{name}-{len(kept)}.xml")
                shutil.copyfile(path, self.folder / kept[-1])
            else:
                _show(path)
        made = tuple(runs.left(self._reports, known))
        return Ended(shlex.join(words), status, good, step.judged, round(spent_s, 1), tuple(kept), made)

    def _reported(self) -> set[tuple[Path, int]]:
        """JUnit files and summaries of all reports, each with when it was written. ``latest`` is a link to one of them,
        and not every command sets it."""
        folders = [path for path in self._reports.glob("*/") if not path.is_symlink()]
        found = [path for folder in folders for name in ("*.xml", "summary.md") for path in folder.glob(name)]
        return {(path, path.stat().st_mtime_ns) for path in found}

    def _write(self) -> None:
        files.write(self.folder / RESULT, asdict(self.result))


def _show(summary: Path) -> None:
    """Adds a report's summary to the job's page on GitHub."""
    if page := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(page).open("a", encoding="utf-8") as file:
            file.write(summary.read_text(encoding="utf-8") + "\n")


def say(line: str) -> None:
    """A line of our own among those of the commands."""
    print(f"night: {line}", flush=True)


def command(words: Sequence[str], cwd: Path, limit_s: float) -> int:
    """The command's exit status; ``TOO_LONG`` when it was interrupted after ``limit_s``, ``NO_PROGRAM`` without one.

    It is interrupted as by Ctrl-C, so that it takes its stack down, and killed only when that takes too long.
    """
    program = sys.executable if words[0] in {"python", "python3"} else words[0]
    try:
        process = subprocess.Popen([program, *words[1:]], cwd=cwd, start_new_session=True)
    except OSError as error:
        say(f"{program} cannot be started: {error}")
        return NO_PROGRAM
    try:
        return process.wait(max(limit_s, 0.0))
    except subprocess.TimeoutExpired:
        say(f"still running after {limit_s:.0f} s: interrupted")
    except BaseException:  # Ctrl-C reaches this process alone: the command is in a session of its own
        _end(process)
        raise
    _end(process)
    return TOO_LONG


def _end(process: subprocess.Popen[bytes]) -> None:
    """As by Ctrl-C, and killed when that takes too long."""
    for sign, wait_s in ((signal.SIGINT, TEAR_DOWN_S), (signal.SIGKILL, 10.0)):
        with contextlib.suppress(ProcessLookupError):  # it has ended, and was waited for
            os.killpg(process.pid, sign)
        try:
            process.wait(wait_s)
            break
        except subprocess.TimeoutExpired:
            continue


def repository_digests(image: str) -> list[str]:
    """``NAME@sha256:...`` of each registry's name of that image; [] when Docker lacks it, or built it itself."""
    asked = ["docker", "image", "inspect", "--format", '{{join .RepoDigests "\\n"}}', image]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return sorted(done.stdout.split()) if done.returncode == 0 else []


def image_digests(image: str) -> list[str]:
    """The digests alone."""
    return sorted({each.rpartition("@")[2] for each in repository_digests(image)})
