"""Failing seeds, carried from night to night: each is replayed first, and kept until it is green.

The file is a list of ``{job, seed, command, since, nights, status}``; ``command`` is a list of words, ``since`` the UTC
day of the first failure, ``nights`` how many it failed, ``status`` its last exit status.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from night import files
from night.errors import Trouble

#: Wrong usage is no matter of the seed, and an interrupted command says nothing of it.
NO_SEEDS_MATTER = (2, 130)
#: What ``chaos_nightly`` keeps: one entry a failing schedule, with the command that makes it alone.
CHAOS_FILE = "chaos-failing-seeds.json"


@dataclass(frozen=True)
class Failing:
    """A command that failed with a seed."""

    job: str
    seed: int
    command: tuple[str, ...]
    since: str
    nights: int = 1
    status: int = 1

    @property
    def line(self) -> str:
        """The command, to be typed."""
        return shlex.join(self.command)

    def again(self, status: int) -> Failing:
        """After one more night in which it failed."""
        return replace(self, nights=self.nights + 1, status=status)


def read(path: Path) -> list[Failing]:
    """What a file keeps; nothing where there is none, as in the first night. Raises ``Trouble`` for a broken one."""
    if not path.exists():
        return []
    return [decoded(entry, path) for entry in files.read(path, list)]


def decoded(entry: object, path: Path) -> Failing:
    """One entry of a file. Raises ``Trouble``."""
    try:
        assert isinstance(entry, dict)
        return Failing(**{**entry, "command": tuple(entry["command"])})
    except (AssertionError, KeyError, TypeError) as error:
        raise Trouble(f"{path} has an entry that is none: {entry!r}", remedy="remove that entry") from error


def encoded(kept: Iterable[Failing]) -> list[dict[str, object]]:
    """As the file has them."""
    return [asdict(each) for each in kept]


def merged(kept: Iterable[Failing]) -> list[Failing]:
    """Without those that are the same command of the same job; the longest failing first."""
    found: dict[tuple[str, tuple[str, ...]], Failing] = {}
    for each in sorted(kept, key=lambda failing: -failing.nights):
        found.setdefault((each.job, each.command), each)
    return list(found.values())


def of_chaos(path: Path, job: str, day: str, status: int) -> list[Failing]:
    """The schedules that ``chaos_nightly`` kept in ``path``; none where there is no file. Raises ``Trouble``."""
    if not path.exists():
        return []
    found = []
    for entry in files.read(path, list):
        words = shlex.split(entry["replay"])
        command = ("python3", *words[1:]) if words[0] == "python" else tuple(words)
        found.append(Failing(job, int(entry["seed"]), command, day, 1, status))
    return found
