"""The jobs of a night, as a file says them: ``jobs.json`` beside this module, or one of another repository.

A job is ``name``, ``needs`` (``local`` or ``kind``: which preconditions), ``minutes`` (the limit of its steps
together), ``steps``, and where a container image is rehearsed its name, ``image``. With ``shards`` it is that many
jobs, each on a machine of its own. A step is ``run`` (one command line, no shell; ``{seed}`` stands for the night's
seed, ``{shard}`` for the job's shard, such as 2/3), ``good`` (the exit statuses that are no failure, ``[0]``) and
``judged`` (whether it must leave a JUnit file, ``true``).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from night import files
from night.errors import Trouble

OURS = Path(__file__).with_name("jobs.json")
NEEDS = ("local", "kind")
SEED, SHARD = "{seed}", "{shard}"
MOST_SHARDS = 20  # jobs that GitHub runs at once
MOST_MINUTES = 170  # twice that and the rest stays below GitHub's six hours of a job


@dataclass(frozen=True)
class Step:
    """One command of a job."""

    run: str
    good: tuple[int, ...] = (0,)
    judged: bool = True

    @property
    def seeded(self) -> bool:
        """Whether it takes the night's seed."""
        return SEED in self.run

    def words(self, seed: int) -> list[str]:
        """The command line with the night's seed."""
        return shlex.split(self.run.replace(SEED, str(seed)))


@dataclass(frozen=True)
class Job:
    """A job of the night. ``of`` is what it is a shard of, "" for a whole one."""

    name: str
    needs: str
    minutes: int
    steps: tuple[Step, ...]
    image: str = ""
    of: str = ""

    @property
    def timeout_minutes(self) -> int:
        """What the workflow gives it: yesterday's failing seeds first, then its steps, then what is around them."""
        return 2 * self.minutes + 15


def read(path: Path) -> tuple[Job, ...]:
    """The jobs of a file. Raises ``Trouble`` with the job and the key that are wrong."""
    entries = enumerate(files.read(path, list), 1)
    jobs = tuple(job for number, entry in entries for job in _shards(entry, f"{path}, job {number}"))
    names = [job.name for job in jobs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Trouble(f"two jobs are named {', '.join(twice)}", where=str(path), remedy="name each once")
    if not jobs:
        raise Trouble("a night without a job says nothing", where=str(path), remedy="name at least one")
    return jobs


def named(jobs: tuple[Job, ...], name: str) -> Job:
    """The job of that name. Raises ``Trouble``."""
    for job in jobs:
        if job.name == name:
            return job
    raise Trouble(f"there is no job {name!r}", remedy=f"there are: {', '.join(job.name for job in jobs)}")


def matrix(jobs: tuple[Job, ...]) -> dict[str, list[dict[str, object]]]:
    """What a workflow's ``strategy.matrix`` takes."""
    return {"include": [{"job": job.name, "needs": job.needs, "minutes": job.timeout_minutes} for job in jobs]}


def _shards(entry: Any, where: str) -> Iterator[Job]:
    """The jobs of an entry: one for each of its shards."""
    if not isinstance(entry, dict):
        raise Trouble("a job is a mapping", where=where, remedy='such as {"name": "rollout", ...}')
    job, all_ = _job(entry, where), entry.get("shards", 1)
    _wanted(type(all_) is int and 1 <= all_ <= MOST_SHARDS, f"shards is 1 to {MOST_SHARDS}", where)
    if all_ == 1:
        _wanted(not any(SHARD in step.run for step in job.steps), f"{SHARD} is for a job of several shards", where)
        yield job
        return
    _wanted(all(SHARD in step.run for step in job.steps), f"every step of a job of shards has {SHARD}", where)
    for number in range(1, all_ + 1):
        steps = tuple(replace(step, run=step.run.replace(SHARD, f"{number}/{all_}")) for step in job.steps)
        yield replace(job, name=f"{job.name}_{number}of{all_}", steps=steps, of=job.name)


def _job(entry: dict[str, Any], where: str) -> Job:
    where = f"{where} ({entry.get('name', 'without a name')})"
    if unknown := entry.keys() - {"name", "needs", "minutes", "steps", "image", "shards"}:
        raise Trouble(f"unknown keys: {', '.join(sorted(unknown))}", where=where, remedy="leave them out")
    _wanted(isinstance(entry.get("name"), str) and bool(entry["name"]), "name is a word", where)
    _wanted(all(c.isalnum() or c in "-_" for c in entry["name"]), "name has letters, digits, - and _ alone", where)
    _wanted(entry.get("needs") in NEEDS, f"needs is one of {', '.join(NEEDS)}", where)
    minutes: Any = entry.get("minutes")
    _wanted(type(minutes) is int and 1 <= minutes <= MOST_MINUTES, f"minutes is 1 to {MOST_MINUTES}", where)
    _wanted(isinstance(entry.get("image", ""), str), "image is the name of an image", where)
    _wanted(isinstance(entry.get("steps"), list) and bool(entry["steps"]), "steps is a list of at least one", where)
    steps = tuple(_step(step, where) for step in entry["steps"])
    return Job(entry["name"], entry["needs"], minutes, steps, entry.get("image", ""))


def _step(entry: Any, where: str) -> Step:
    _wanted(isinstance(entry, dict) and isinstance(entry.get("run"), str), "a step has a command line, run", where)
    if unknown := entry.keys() - {"run", "good", "judged"}:
        raise Trouble(f"unknown keys of a step: {', '.join(sorted(unknown))}", where=where, remedy="leave them out")
    good = entry.get("good", [0])
    _wanted(isinstance(good, list) and all(type(status) is int for status in good), "good lists exit statuses", where)
    _wanted(type(entry.get("judged", True)) is bool, "judged is true or false", where)
    return Step(entry["run"], tuple(good), entry.get("judged", True))


def _wanted(holds: bool, what: str, where: str) -> None:
    if not holds:
        raise Trouble(what, where=where, remedy="mend the file of jobs; .ci/night/jobs.py says its keys")
