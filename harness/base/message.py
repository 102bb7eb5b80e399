"""A sentence as its parts: a message id (English, with named places) and what stands in the places.

The reports look the id up in a catalogue. In English the id is the sentence. Babel finds the ids by the names
``message`` and ``gettext_noop`` (``harness/cli/messages.py``).
A stored one may be anybody's: a place is a name alone, and one beyond the bounds is refused when it is made or decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from harness.base.phase import filled, places_of


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``text`` is the id, for example ``"{failed} of {total} probes failed"``; ``values`` fill its places."""

    text: str
    values: dict[str, str | Message] = {}

    def __post_init__(self) -> None:
        """Raises ``ValueError`` where nothing stands for a place, for a place that is no name, and beyond the bounds,
        as in a ``result.json`` that was changed."""
        shown, written = _lengths(self, MOST_DEPTH)
        if shown > written + MOST_REPEATED:
            raise ValueError(f"places that are repeated make a message of {shown:,} characters")

    def __str__(self) -> str:
        return filled(self.text, self.values)


#: So many messages may be one inside the other, and repeated places may add so many characters to what is written.
MOST_DEPTH, MOST_REPEATED = 100, 10_000


def _lengths(of: str | Message, depth: int) -> tuple[int, int]:
    """Return how many characters a value shows, and how many it is written in."""
    if isinstance(of, str) or not of.values:
        return (len(of if isinstance(of, str) else of.text),) * 2
    if depth == 0:
        raise ValueError(f"messages are nested more than {MOST_DEPTH} deep")
    parts, inner = places_of(of.text), {name: _lengths(value, depth - 1) for name, value in of.values.items()}
    if lacking := {name for _, name in parts if name is not None} - inner.keys():
        raise ValueError(f"nothing stands for {', '.join(sorted(lacking))} in {of.text!r}")
    shown = sum(len(before) + (0 if name is None else inner[name][0]) for before, name in parts)
    return shown, len(of.text) + sum(written for _, written in inner.values())


def message(text: str, **values: str | Message) -> Message:
    """A message; ``text`` must be a literal, so that it can be found and translated. A value that is neither words
    nor a message, as types of ``Any`` let through, is taken as its words: else what is stored could not be read again.
    """
    given: dict[str, Any] = values
    for name, value in given.items():
        if type(value) is not str and not isinstance(value, (str, Message)):
            given[name] = str(value)
    return Message(text=text, values=given)


def gettext_noop(text: str) -> str:
    """``text`` itself: marks a message id that is put to use elsewhere."""
    return text


def as_message(said: object) -> Message:
    """What is said, as a message: words may be a message id themselves."""
    return said if isinstance(said, Message) else Message(text=str(said))


def said_by(error: Exception) -> Message:
    """What an error says: the message where it was given one, else its words."""
    first = error.args[0] if error.args else ""
    return as_message(first if isinstance(first, Message) else error)


def closest(word: str, known: Sequence[str]) -> str:
    """The known word that is near, or "" when none is."""
    import difflib

    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.6)), "")


def nearest(word: str, known: Sequence[str]) -> Message | str:
    """``"; did you mean X?"``, or "" when nothing is near."""
    found = closest(word, known)
    return message("; did you mean {word}?", word=repr(found)) if found else ""
