"""A language that shows what was looked up in its catalogue, and so what is not translated; and what of an error is said
in English where another language is asked for.
"""

from __future__ import annotations

import gettext
import re
from collections.abc import Iterator

from harness.base.errors import RehearsalError
from harness.base.message import Message, as_message
from harness.report.language import Language, language


class _Marking(gettext.NullTranslations):
    def gettext(self, message: str) -> str:
        return f"<{message}>"


class Lacking(gettext.NullTranslations):
    """The Japanese catalogue without one of its messages."""

    def __init__(self, message: str) -> None:
        super().__init__()
        self._lacks = message

    def gettext(self, message: str) -> str:
        return message if message == self._lacks else language("ja")(message)


MARKING = Language("ja", _Marking())
#: What a library says of a value, and what holds no word, which stay as they are.
_THEIRS = re.compile(
    r"(?:\S+: )?(?:Expected `|Object contains unknown field `)|member '.*' not found in \{|can't remove a non-existent object "
    r"|0 < minReplicas|`[^`]*`$"
)


def english_of(error: RehearsalError, say: Language | None = None) -> list[str]:
    """What is left in English of what happened and of what to do, in Japanese or as ``say`` says it; what libraries say is
    not ours.
    """
    say = say or language("ja")
    said = (part for each in (error.told, error.given[2]) for part in _parts(as_message(each)))
    return [part.text for part in said if say(part.text) == part.text and not _THEIRS.match(part.text)]


def messages_of(error: RehearsalError) -> list[str]:
    """The ids that it is said by."""
    return [part.text for each in (error.told, error.given[2]) for part in _parts(as_message(each))]


def _parts(message: Message) -> Iterator[Message]:
    yield message
    for each in message.values.values():
        yield from _parts(each) if isinstance(each, Message) else ()
