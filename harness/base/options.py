"""What is wrong with the options of a command, as messages: argparse says it in English alone."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from harness.base.errors import BadInput
from harness.base.message import Message, as_message, gettext_noop, message, nearest, said_by

_REQUIRED = "the following arguments are required: "
_CHOICES = re.compile(r"invalid choice: (?P<value>.*) \(choose from (?P<names>.*)\)")
#: What argparse says of an option's value; anything else that it says stays as it is.
_SAYS = (gettext_noop("expected one argument"), gettext_noop("expected at least one argument"))


def of_option(name: str, why: Message | str) -> Message:
    """What is wrong with the option as it is typed."""
    return message("argument {option}: {why}", option=name, why=as_message(why))


def one_of(choices: Iterable[object]) -> Message:
    """What there is to choose from."""
    return message("choose from {names}", names=", ".join(map(str, choices)))


def of_argparse(said: str) -> Message | str:
    """The sentence that argparse's ``error`` is given; of a value, what its reader said is the error's cause."""
    error = sys.exception()
    if isinstance(error, argparse.ArgumentError):
        cause = error.__context__
        why = said_by(cause) if isinstance(cause, argparse.ArgumentTypeError) else error.message
        if chosen := _CHOICES.fullmatch(error.message):
            value, names = (each.replace("'", "") for each in chosen.groups())
            told = {"value": repr(value), "names": names, "near": nearest(value, names.split(", "))}
            why = message("invalid choice: {value} (choose from {names}){near}", **told)
        return of_option(error.argument_name or "", why)
    if said.startswith(_REQUIRED):
        return message("the following arguments are required: {names}", names=said.removeprefix(_REQUIRED))
    return said


def unseen(path: Path) -> Message | None:
    """Why it cannot be looked at whether ``path`` is there; ``None`` where it can."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:  # no right to, too long a name, links in a circle, a NUL
        why = getattr(error, "strerror", None) or str(error)
        return message("{path} cannot be looked at: {why}", path=repr(str(path)[:200]), why=why)
    return None


def looked_at(text: str) -> str:
    """What names a path, be it there or not. Raises ``ValueError`` where that cannot be looked at."""
    if (why := unseen(Path(utf8(text)))) is not None:
        raise ValueError(why)
    return text


def utf8(text: str) -> str:
    """Raises ``ValueError`` for other bytes, which no JSON of ours, and no line that runs the same again, can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(message("{value} is no UTF-8 text", value=repr(text))) from None
    return text


def working_folder() -> Path:
    """Where the command was typed. Raises ``BadInput`` where that is gone."""
    try:
        return Path.cwd()
    except OSError as error:
        what = message("the working folder cannot be looked at: {why}", why=str(error.strerror))
        raise BadInput(what, where=os.environ.get("PWD", ""), remedy="change to a folder that is there") from error
