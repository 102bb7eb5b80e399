"""Which runs are smaller or faster than a whole one, by the options in the line that runs them again, and by what a
run says of the file that it was given. Pure.

A line names an option where it is not as it is by default (``harness/rehearsal/command.py``); ``--only``, and options
that ask for another plan, are among a run's own facts.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from functools import cache
from itertools import pairwise
from typing import Any

from harness.base import units
from harness.model.message import Message, message
from harness.model.result import Facts

#: Whether a run by a value is less than a whole one.
Less = Callable[[str], bool]


def _below(whole: str, read: Callable[[str], Any] = float) -> Less:
    return lambda typed: bool(read(typed) < read(whole))


def _largest(sizes: str) -> int:
    return max(map(units.size_bytes, sizes.split(",")))


def _lacks(whole: str) -> Less:
    return lambda typed: not {*map(int, whole.split(","))} <= {*map(int, typed.split(","))}


def _typed(_: str) -> bool:
    return True


#: By command. The bundled plan's amounts are whole; of the drill of the alerts, which by default divides the document's
#: minutes, the minutes themselves are. A window is compared with the longest of the weeks'.
LESS: Mapping[str, Mapping[str, Less]] = {
    "alert_drill": {"--scale": lambda typed: float(typed) > 1},
    "dr_restore": {
        "--points": _below("3"),
        "--sizes": _below("128MiB", _largest),
        "--stall": _below("50min", units.seconds),
    },
    "load_stages": {"--pods": _lacks("2,4,6,8,10")},
    "migration_drill": {
        "--walks": _below("10000"),
        "--locations": _below("100"),
        "--kills": _below("3"),
        "--week": _below("330s", units.seconds),
    },
    "mirror_stop": {"--step": _below("30s", units.seconds)},
    "rolling_update": {"--times": _below("2")},
    "rollout": {"--window": _below("330s", units.seconds)},
    "rollout_one_stack": {"--window": _below("330s", units.seconds), "--before": _below("60s", units.seconds)},
    "run": {"--window": _below("330s", units.seconds)},
}
#: Of whatever command takes them: the bundled pace is the document's, and another one is not.
PACES: Mapping[str, Less] = {"--pace": _typed, "--fetch-interval": _typed}
#: What a line leaves out though it is less.
UNSAID: Mapping[str, str] = {"alert_drill": "--scale 15"}
#: What a team has in the place of what is bundled, of which the target's digest says nothing; and what is said of a run
#: without it, where that is more than the run's own judgements say.
IN_PLACE: Mapping[str, tuple[str, Message | None]] = {
    "cost": ("--prices", None),
    "migration_drill": ("--migrator", message("of the bundled migrator: a run with --migrator is of your own")),
}
#: The same of whatever command takes them: a team's own manifests take the place of the bundled ones, from which one
#: begins, and not the other way round.
MANIFESTS = "--manifests"
#: Chooses parts of a plan, each of which is run whole, as ``--only`` does.
CHOOSES: Mapping[str, str] = {"rollout": "--weeks"}


def smaller(facts: Facts) -> tuple[str, ...]:
    """By what a run is smaller or faster than a whole one, each with its value: options, and keys of its file."""
    return (*by_options(facts.replay), *facts.smaller)


@cache
def by_options(replay: str) -> tuple[str, ...]:
    """The options by which the run of a line is smaller or faster than a whole one, each with its value; the line
    itself where it cannot be read."""
    try:
        command, options = _read(replay)
        found = {**_pairs(UNSAID.get(command, "").split()), **options}
        less = {**PACES, **LESS.get(command, {})}
        return tuple(f"{name} {value}" for name, value in found.items() if name in less and less[name](value))
    except ValueError:
        return (replay,)


@cache
def chosen(replay: str) -> tuple[str, ...]:
    """The option, with its value, by which the run of a line made some parts of its plan alone."""
    try:
        command, options = _read(replay)
    except ValueError:
        return ()
    return tuple(f"{name} {value}" for name, value in options.items() if name == CHOOSES.get(command))


@cache
def in_place(replay: str) -> tuple[dict[str, str], Message | None]:
    """The options, with their values, by which the run of a line judged something else than what is bundled. And what
    is said of a run without the one that its command has, if anything is."""
    try:
        command, options = _read(replay)
    except ValueError:
        return {}, None
    name, without = IN_PLACE.get(command, ("", None))
    found = {each: options[each] for each in (name, MANIFESTS) if each in options}
    return found, None if name in found else without


def _read(replay: str) -> tuple[str, dict[str, str]]:
    """The command, "" where there is none, and its options with their values. Raises ``ValueError``."""
    words = shlex.split(replay)
    behind = words[words.index("harness") + 1 :] if "harness" in words else []
    return next(iter(behind), ""), _pairs(behind)


def _pairs(words: list[str]) -> dict[str, str]:
    """What stands behind a switch is no value of it, and nobody asks for it."""
    found = dict[str, str]()
    for word, behind in pairwise((*words, "")):
        if word.startswith("--"):
            name, joined, value = word.partition("=")
            found[name] = value if joined else behind
    return found
