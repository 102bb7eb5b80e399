"""A sentence as its parts: a message id (English, with named places) and what stands in the places.

The reports look the id up in a catalogue. In English the id is the sentence. Babel finds the ids by the names
``message`` and ``marked`` (``harness/cli/messages.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from string import Formatter
from typing import Any

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``text`` is the id, for example ``"{failed} of {total} probes failed"``; ``values`` fill its places."""

    text: str
    values: dict[str, str | Message] = {}

    def __post_init__(self) -> None:
        """Raises ``ValueError`` where nothing stands for a place, as in a ``result.json`` that was changed."""
        if self.values and (lacking := _places(self.text) - self.values.keys()):
            raise ValueError(f"nothing stands for {', '.join(sorted(lacking))} in {self.text!r}")

    def __str__(self) -> str:
        return self.text.format(**self.values) if self.values else self.text


@lru_cache(maxsize=4096)
def _places(text: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in Formatter().parse(text) if name is not None)


def message(text: str, **values: str | Message) -> Message:
    """A message; ``text`` must be a literal, so that it can be found and translated. A value that is neither words
    nor a message, as types of ``Any`` let through, is taken as its words: else what is stored could not be read again.
    """
    given: dict[str, Any] = values
    for name, value in given.items():
        if type(value) is not str and not isinstance(value, (str, Message)):
            given[name] = str(value)
    return Message(text=text, values=given)


def marked(text: str) -> str:
    """``text`` itself: marks a message id that is put to use elsewhere."""
    return text


def as_message(said: object) -> Message:
    """What is said, as a message: words may be a message id themselves."""
    return said if isinstance(said, Message) else Message(text=str(said))


def said_by(error: Exception) -> Message:
    """What an error says: the message where it was given one, else its words."""
    first = error.args[0] if error.args else ""
    return as_message(first if isinstance(first, Message) else error)


def nearest(word: str, known: Sequence[str]) -> Message | str:
    """``"; did you mean X?"``, or "" when nothing is near."""
    import difflib

    found = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return message("; did you mean {word}?", word=repr(found[0])) if found else ""
