"""``--only``: the one meaning that it has for every command. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from harness.base.errors import BadInput
from harness.base.message import Message, message, nearest
from harness.run.command import Command, flag, given_unread, option

_MANY = 30


def only(what: str, metavar: str = "NAME,...", own: Callable[[Any], bool] | None = None) -> Any:
    """The option's field; ``what`` are the things of which it chooses, for the help, ``own`` as of any option."""
    told = f"only these {what}: by name, with commas or repeated; * and ? stand for what they do in a shell"
    return option(told, default=(), metavar=metavar, own=own)


def words(asked: Iterable[str]) -> list[str]:
    """What the option says, each name by itself."""
    return [word for each in asked for word in map(str.strip, each.split(",")) if word]


def chosen(asked: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Those of ``names`` that are asked for, in their own order; all where nothing is. Raises ``BadInput``."""
    patterns = words(asked)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            what = message("{value} is none{near}", value=repr(pattern), near=nearest(pattern, names))
            raise BadInput(what, where="--only", remedy=_there(names))
    return tuple(name for name in names if not patterns or any(fnmatchcase(name, each) for each in patterns))


def left_out(parts: Mapping[str, Collection[str]], names: Collection[str]) -> list[str]:
    """The options of which no part that reads them, by ``parts``, is among ``names``, those that are made."""
    return [name for name, readers in parts.items() if not {*readers} & {*names}]


def belong(typed: Command, parts: Mapping[str, Collection[str]]) -> None:
    """``parts`` read an option, each by its name. Raises ``BadInput`` for one that is given and that, by
    ``typed.unread``, none of them will read."""
    for name in given_unread(typed):
        if name in parts:
            of = {"option": flag(name), "parts": ", ".join(parts[name])}
            what = message("{option} is for {parts} alone, which --only leaves out", **of)
            raise BadInput(what, where=flag(name), remedy="leave one of the two out")


def _there(names: Sequence[str]) -> Message:
    heads = dict.fromkeys(name.partition(".")[0] for name in names)
    shown = names if len(names) <= _MANY else [f"{head}.*" for head in heads]
    return message("there are: {names}", names=", ".join(shown))
