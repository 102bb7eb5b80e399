"""The languages of the reports. English is the language of the messages; others are gettext catalogues.

A ``Language`` is called with a message id and what stands in its places: ``say("{count} requests", count=3)``. The
catalogues are the ``.po`` files under ``locale``, read when a language is first used; a message that a
catalogue does not have is said in English.
"""

from __future__ import annotations

import errno
import gettext
import json
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import pairwise
from pathlib import Path

from harness.base.errors import BadInput, EvidenceNotWritten, RehearsalError
from harness.base.phase import filled
from harness.base.units import Unit
from harness.model.message import Message, Told, message, quantity

# Writing a report's files: whole or not at all, and a full or read-only folder is told as what it is.

REPORT_HTML = "report.html"


def not_written(path: Path, error: OSError) -> EvidenceNotWritten:
    """The error for a person when ``path`` could not be written."""
    return EvidenceNotWritten(
        message("the report could not be written: {strerror}", strerror=str(error.strerror or error)),
        where=str(path),
        remedy="free space or make the reports folder writable; the evidence so far is kept and can be judged again",
    )


def no_folder(folder: Path, error: OSError) -> RehearsalError:
    """The error for a person when a run's folder cannot be made: bad input, but for a disk that has become full."""
    kind = EvidenceNotWritten if error.errno in (errno.ENOSPC, errno.EDQUOT) else BadInput
    return kind(
        message("the reports folder cannot be written: {strerror}", strerror=str(error.strerror)),
        where=str(folder),
        remedy="make it writable, free some space, or name another one with --reports",
    )


def write_atomically(path: Path, content: bytes) -> Path:
    """Writes ``content`` so that ``path`` is never half a file, also where two processes write it at once, of two
    containers and so of one number: the address differs there. Raises ``EvidenceNotWritten``."""
    part = path.with_name(f".{path.name}.{os.getpid():x}-{id(content):x}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise not_written(path, error) from error
    return path


LOCALE = Path(__file__).with_name("locale")
LANGUAGES = ("en", "ja")

#: The catalogues of a language: the reports' own words, and the register of claims.
DOMAINS = ("report", "claims")

_ENTRY = re.compile(r'^msgid (".*"(?:\n".*")*)\nmsgstr (".*"(?:\n".*")*)', re.MULTILINE)
_JOINED = {"en": "; ", "ja": "。"}
_STOPS = (".", "。")
_AFTER_A_STOP = {"en": " ", "ja": ""}
_LISTED = {"en": ", ", "ja": "、"}


class Language:
    """One language. ``code`` is also the page's ``lang``."""

    def __init__(self, code: str, catalogue: gettext.NullTranslations) -> None:
        self.code = code
        self._catalogue = catalogue

    def __call__(self, text: str, /, **values: str | int | Message) -> str:
        """``text`` in this language, its places filled; whole numbers get their thousands marked."""
        found = self._catalogue.gettext(text) if text else ""
        return filled(found, {name: self.shown(value) for name, value in values.items()})

    def shown(self, value: str | int | Message) -> str:
        """What stands in a place."""
        if isinstance(value, Message):
            return self.message(value)
        return f"{value:,}" if isinstance(value, int) else value

    def message(self, message: Message) -> str:
        """A message of the judge."""
        return self(message.text, **message.values)

    def told(self, told: Told, english: str) -> str:
        """Messages as one sentence; ``english`` where they were not kept."""
        return self.join(self.message(part) for part in told) if told else english

    def join(self, parts: Iterable[str]) -> str:
        """Parts as one sentence or list; behind a part that is a whole sentence comes no other stop."""
        first, *others = [*parts] or [""]
        for each in others:
            first += (_AFTER_A_STOP if first.endswith(_STOPS) else _JOINED)[self.code] + each
        return first

    def listed(self, parts: Iterable[str]) -> str:
        """Parts as one list within a sentence."""
        return _LISTED[self.code].join(parts)

    def amount(self, value: float | None, unit: Unit) -> str:
        """``value`` with its unit, or a dash where there was nothing to measure."""
        return "–" if value is None else self.shown(quantity(value, unit))

    def moment(self, utc: str) -> str:
        """A UTC time of the evidence (ISO 8601) to the second; as it is where it is none."""
        try:
            at = datetime.fromisoformat(utc)
        except ValueError:
            return utc
        if self.code == "en":
            return f"{at:%Y-%m-%d %H:%M:%S} UTC"
        return f"{at.year}年{at.month}月{at.day}日 {at.hour}:{at:%M:%S} UTC"


def padded(text: str, width: int) -> str:
    """``text`` filled up to ``width`` columns of a terminal, where a Japanese character takes two."""
    return text + " " * (width - columns(text))


def cut(text: str, width: int) -> str:
    """``text``, or as much of it as takes ``width`` columns with a sign that it goes on."""
    if columns(text) <= width:
        return text
    while text and columns(text) >= width:
        text = text[:-1]
    return f"{text.rstrip()}…"


def columns(text: str) -> int:
    """How many columns of a terminal ``text`` takes."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


ENGLISH = Language("en", gettext.NullTranslations())


@cache
def language(code: str) -> Language:
    """The language ``en`` or ``ja``. Raises ``BadInput`` for any other."""
    if code not in LANGUAGES:
        raise BadInput(
            message("the reports do not speak {code}", code=repr(code)),
            where="--lang",
            remedy=message("one of: {names}", names=", ".join(LANGUAGES)),
        )
    if code == ENGLISH.code:
        return ENGLISH
    catalogue: gettext.NullTranslations = gettext.NullTranslations()
    for domain in DOMAINS:
        compiled = _compiled(catalogue_file(code, domain))
        compiled.add_fallback(catalogue)
        catalogue = compiled
    return Language(code, catalogue)


def asked_for(words: Sequence[str], environ: Mapping[str, str]) -> str:
    """The language that a command's words ask for, or the variable of its default; English where none does that there
    is: for what is said before the options are read."""
    named = [environ.get("TEKUTOKO_OPTION_LANG", ENGLISH.code)]
    named += [word.partition("=")[2] for word in words if word.startswith("--lang=")]
    named += [given for word, given in pairwise(words) if word == "--lang"]
    return named[-1] if named[-1] in LANGUAGES else ENGLISH.code


def catalogue_file(code: str, domain: str) -> Path:
    """Where a catalogue is committed."""
    return LOCALE / code / "LC_MESSAGES" / f"{domain}.po"


class _Catalogue(gettext.NullTranslations):
    """The texts of a ``.po`` file; what is not translated is asked of the next catalogue."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        super().__init__()
        self._texts = texts

    def gettext(self, message: str) -> str:
        """Return the translation of ``message``, or ``message`` where no catalogue has one."""
        return self._texts.get(message) or super().gettext(message)


def texts_of(catalogue: str) -> dict[str, str]:
    """Return the messages of a ``.po`` file as Babel writes it, each with its translation, but for the fuzzy ones.

    Their escapes are JSON's. No message has a plural or a context.
    """
    found = {}
    for entry in catalogue.split("\n\n"):
        if (match := _ENTRY.search(entry)) and "\n#, fuzzy" not in f"\n{entry}":
            message, translated = ("".join(map(json.loads, text.split("\n"))) for text in match.groups())
            found[message] = translated
    return found


def _compiled(path: Path) -> gettext.NullTranslations:
    return _Catalogue(texts_of(path.read_text(encoding="utf-8")))
