"""Messages (``harness.base.message``) of errors, of quantities, and of several as one. The judge speaks in messages and
knows no language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import reduce

from harness.base.errors import RehearsalError
from harness.base.message import Message, as_message, gettext_noop, message
from harness.base.units import Unit, show

__all__ = [
    "Message",
    "ProgressCallback",
    "Told",
    "english",
    "enumerated",
    "first_line",
    "gettext_noop",
    "joined",
    "message",
    "of_error",
    "quantity",
    "raw_text",
    "whole",
    "worded",
]  # fmt: skip

_FIRST = re.compile(r"\{(?P<place>\w+)\}\n")
Told = tuple[Message, ...]
#: Who is told what is under way.
ProgressCallback = Callable[[Message], None]


def raw_text(text: str) -> Message:
    """Text that is nobody's to translate: what a part of the system said."""
    return message("{words}", words=text)


def of_error(error: RehearsalError) -> Message:
    """What happened, for a page; where nobody made a message of it, the error's own words, or their translation."""
    return as_message(error.told)


def whole(error: RehearsalError) -> Message:
    """All that an error says, in any language: in English its own text."""
    what, where, remedy = map(as_message, error.given)
    if error.where:
        what = message("{error}\n  where: {where}", error=what, where=where)
    return message("{error}\n  to do: {remedy}", error=what, remedy=remedy) if error.remedy else what


def first_line(told: Message | str) -> Message | str:
    """What happened, of all that ``whole`` says and without the log below it: in English where more lines are one."""
    while isinstance(told, Message) and (first := _FIRST.match(told.text)):
        told = told.values[first["place"]]
    return str(told).partition("\n")[0] if "\n" in str(told) else told


def english(told: Iterable[Message]) -> str:
    """The parts as one English sentence."""
    return "; ".join(str(part) for part in told)


def joined(told: Sequence[Message]) -> Message:
    """The sentences as one message, to stand in another's place; ``told`` has one at least."""
    return _paired(told, lambda first, rest: message("{first}; {rest}", first=first, rest=rest))


def enumerated(words: Sequence[Message]) -> Message:
    """The words of a list as one message, to stand in another's place; there is one at least."""
    return _paired(words, lambda first, rest: message("{first}, {rest}", first=first, rest=rest))


def _paired(told: Sequence[Message], pair: Callable[[Message, Message], Message]) -> Message:
    """Pair the messages from the first on, in batches: a message nests only so deep."""
    while len(told) > 1:
        told = [reduce(pair, told[at : at + 30]) for at in range(0, len(told), 30)]
    return told[0]


def quantity(value: float, unit: Unit) -> str | Message:
    """``value`` with its unit; a message where the unit is a word."""
    return worded(show(value, unit), unit)


def worded(shown: str, unit: Unit) -> str | Message:
    """A shown quantity as a message where its unit is a word that a translation changes."""
    number, _, _ = shown.partition("/" if unit is Unit.PER_SECOND else " ")
    if unit is Unit.USERS:
        return message("{number} users", number=number)
    if unit is Unit.PER_SECOND:
        return message("{number}/s", number=number)
    if unit is Unit.WALKS:
        return message("{number} walks", number=number)
    return shown
