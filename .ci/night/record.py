"""The record of a night, and the file of them that is kept between jobs: a line a night, the oldest first.

A row is a step of a job (all its shards together), a run within a sequence, or an experiment of chaos in one
environment. What was planned and did not run is a row too.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from harness.base.phase import filled
from night import files
from night.gather import Night
from night.jobs import Job, Step

FILE = "nights.jsonl"
MOST_NIGHTS = 60
REHEARSAL, EXPERIMENT = "rehearsal", "experiment"
_OWN = ("--on", "--seed", "--shard")  # what a row's name does without

#: A sentence as ``result.json`` has it: a text with places, and what stands in them.
Reason = dict[str, Any]
#: Name, figure, limit and unit.
Figure = tuple[str, float | None, float | None, str]


class Key(NamedTuple):
    """What tells a row from the others of a night, and is the same every night."""

    kind: str
    name: str
    environment: str  # of an experiment; a step has it in its name


@dataclass
class Entry:
    """A row of one night: how many of it passed, failed, and were planned but did not run.

    ``what`` is the command in short, ``replay`` the line that runs the same again, ``reason`` why it failed.
    """

    kind: str
    name: str
    environment: str
    what: str
    passed: int = 0
    failed: int = 0
    missing: int = 0
    reason: Reason | None = None
    replay: str = ""
    figures: list[Figure] = field(default_factory=list)

    @property
    def key(self) -> Key:
        """What tells it from the others."""
        return Key(self.kind, self.name, self.environment if self.kind == EXPERIMENT else "")

    def add(self, other: Entry) -> None:
        """The same row again, of another shard or run: what failed is told of rather than what passed."""
        if (other.failed and not self.failed) or not (self.replay or self.figures):
            self.reason, self.replay, self.figures = other.reason, other.replay, other.figures
        self.passed += other.passed
        self.failed += other.failed
        self.missing += other.missing


@dataclass(frozen=True)
class Record:
    """A night. ``date`` is the UTC day on which its first job began, ``run`` what tells it from other nights."""

    run: str
    date: str
    commit: str
    seed: int | None
    run_url: str
    verdict: str
    rows: tuple[Entry, ...]


def of(jobs: Sequence[Job], night: Night, run: str = "") -> Record:
    """The record of a night that was gathered. ``run`` is the workflow's: its second attempt replaces the first."""
    rows: dict[Key, Entry] = {}
    against = {each.job: each.reasons for each in night.jobs}
    for job in jobs:
        for entry in _of_job(job, night, against[job.name]):
            if entry.key in rows:
                rows[entry.key].add(entry)
            else:
                rows[entry.key] = entry
    for entry in rows.values():
        entry.replay = entry.replay if entry.failed else ""
    results = night.results.values()
    date = min((each["began_utc"] for each in results), default=night.ended_utc)[:10]
    seed = next((each["seed"] for each in results), None)
    return Record(run or f"{date}-{seed}", date, night.commit, seed, night.run_url, night.verdict, tuple(rows.values()))


def _of_job(job: Job, night: Night, reasons: Sequence[str]) -> Iterator[Entry]:
    result: dict[str, Any] = night.results.get(job.name) or {"steps": [], "replays": []}
    ran, replays = result["steps"], result["replays"]
    steps = [_of_step(job, number, ran[number : number + 1]) for number in range(len(job.steps))]
    for each in replays:
        if not each["good"]:
            again = steps[_step_of(job, each["command"])]
            again.failed += 1
            again.reason = _said(f"a seed that failed before fails again: {each['command']}")
            again.replay = each["command"]
    if ran and reasons and not any(step.failed or step.missing for step in steps):
        steps[0].failed, steps[0].reason = 1, _said(reasons[0])
    for number, step in enumerate(steps):
        kept = [each.line for each in night.failing if each.job == job.name and _step_of(job, each.line) == number]
        step.replay = kept[0] if kept else step.replay  # of a seed that is kept, which may be a part of the step alone
    yield from steps
    for number, each in enumerate([*ran, *replays]):
        of = steps[number if number < len(ran) else _step_of(job, each["command"])]
        yield from _within(of, each.get("runs", ()))


def _of_step(job: Job, number: int, ran: Sequence[dict[str, Any]]) -> Entry:
    step, base = job.steps[number], job.of or job.name
    name = base if len(job.steps) == 1 else f"{base} {number + 1}"
    words = shlex.split(step.run)
    where = words[words.index("--on") + 1] if "--on" in words[:-1] else job.needs
    entry = Entry(REHEARSAL, name, where, _in_short(job, step))
    if not ran:
        entry.missing = 1
        return entry
    [ended] = ran
    made = [each for each in ended.get("runs", ()) if not each["within"]]
    if made:
        entry.environment = made[-1]["environment"]
        entry.figures = [*map(_figure, made[-1]["figures"])]
    entry.figures = [*entry.figures, ("seconds", ended["seconds"], None, "s")]
    entry.replay = ended["command"]
    if ended["against"]:
        entry.failed = 1
        entry.reason = next((each["reason"] for each in made if each["reason"]), _said(ended["against"][0]))
    else:
        entry.passed = 1
    return entry


def _within(step: Entry, runs: Iterable[dict[str, Any]]) -> Iterator[Entry]:
    """Of the runs of a step: those of a sequence, and the experiments of all."""
    for run in runs:
        if run["within"] and run["rehearsal"] != "chaos":
            yield _entry(REHEARSAL, f"{step.name}: {run['plan']}", run["plan"], run, run)
        for each in run["experiments"]:
            yield _entry(EXPERIMENT, each["name"], each["name"], each, run)


def _entry(kind: str, name: str, what: str, outcome: dict[str, Any], run: dict[str, Any]) -> Entry:
    good, figures = outcome["good"], [*map(_figure, outcome["figures"])]
    reason = None if good else outcome["reason"]
    return Entry(kind, name, run["environment"], what, int(good), int(not good), 0, reason, run["replay"], figures)


def _figure(stored: Sequence[Any]) -> Figure:
    name, seen, limit, unit = stored
    return name, seen, limit, unit


def _step_of(job: Job, command: str) -> int:
    """Which step a command line replays: the first that runs the same program, else the first."""
    words = shlex.split(command)[:4]
    return next((number for number, step in enumerate(job.steps) if shlex.split(step.run)[:4] == words), 0)


def _in_short(job: Job, step: Step) -> str:
    """The command line without what differs from night to night, from shard to shard, or is the same in all."""
    words = shlex.split(step.run)
    if words[:2] == ["python3", "-m"] or words[:3] == ["python3", "noxfile.py", "-s"]:
        words = words[3:]
    elif words[:2] == ["python3", ".ci/nightly"]:
        words = words[2:]
    following, kept = iter(words), list[str]()
    for word in following:
        if word in _OWN:
            next(following, "")
        else:
            kept.append(word)
    return shlex.join(kept) or job.name


def _said(words: str) -> Reason:
    return {"text": "{words}", "values": {"words": words}}


def english(reason: Reason | str | None) -> str:
    """A reason in English, on one line; what cannot be read is shown as it is."""
    if not isinstance(reason, dict):
        return " ".join((reason or "").split())
    try:
        values = {name: english(value) for name, value in reason.get("values", {}).items()}
        return " ".join(filled(reason["text"], values).split())
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return json.dumps(reason)


def read(path: Path) -> tuple[list[Record], int]:
    """The nights that are kept, the oldest first, and how many lines of the file could not be read."""
    found, torn = list[Record](), 0
    texts = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    for text in texts:
        try:
            line = json.loads(text)
            rows = tuple(Entry(**{**row, "figures": [*map(_figure, row["figures"])]}) for row in line.pop("rows"))
            found.append(Record(**line, rows=rows))
        except (ValueError, KeyError, TypeError, AttributeError):
            torn += 1
    return found, torn


def kept(known: Sequence[Record], night: Record) -> list[Record]:
    """With ``night``, in the place of an earlier attempt of it where there is one; the newest ``MOST_NIGHTS``."""
    if any(each.run == night.run for each in known):
        return [night if each.run == night.run else each for each in known]
    return [*known, night][-MOST_NIGHTS:]


def write(path: Path, records: Iterable[Record]) -> None:
    """Writes the file, by a rename."""
    lines = (json.dumps(asdict(each), ensure_ascii=False, separators=(",", ":")) + "\n" for each in records)
    files.write_text(path, "".join(lines))
