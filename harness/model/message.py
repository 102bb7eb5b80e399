"""A sentence as its parts: a message id (English, with named places) and what stands in the places.

The judge speaks in messages and knows no language; the reports look the id up in a catalogue. In English the id is
the sentence. Babel finds the ids by the names ``message`` and ``marked`` (``harness/cli/messages.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce

import msgspec

from harness.base.errors import RehearsalError
from harness.base.units import Unit, show


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``text`` is the id, for example ``"{failed} of {total} probes failed"``; ``values`` fill its places."""

    text: str
    values: dict[str, str | Message] = {}

    def __str__(self) -> str:
        return self.text.format(**self.values) if self.values else self.text


Told = tuple[Message, ...]
#: Who is told what is under way.
Tell = Callable[[Message], None]


def message(text: str, **values: str | Message) -> Message:
    """A message; ``text`` must be a literal, so that it can be found and translated."""
    return Message(text=text, values=values)


def marked(text: str) -> str:
    """``text`` itself: marks a message id that is put to use elsewhere."""
    return text


def verbatim(text: str) -> Message:
    """Text that is nobody's to translate: what a part of the system said."""
    return message("{words}", words=text)


def of_error(error: RehearsalError) -> Message:
    """What happened, for a page; where nobody made a message of it, the error's own words."""
    return error.told if isinstance(error.told, Message) else verbatim(error.what)


def english(told: Iterable[Message]) -> str:
    """The parts as one English sentence."""
    return "; ".join(str(part) for part in told)


def joined(told: Sequence[Message]) -> Message:
    """The sentences as one message, to stand in another's place; ``told`` has one at least."""
    return reduce(lambda first, rest: message("{first}; {rest}", first=first, rest=rest), told)


def enumerated(words: Sequence[Message]) -> Message:
    """The words of a list as one message, to stand in another's place; there is one at least."""
    return reduce(lambda first, rest: message("{first}, {rest}", first=first, rest=rest), words)


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
