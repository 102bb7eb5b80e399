"""Quantities as people write them ("120s", "99.5%", "3/s", "500ms"), parsed strictly into plain numbers.

Everything inside the harness is seconds, milliseconds, ratios 0..1, requests per second or counts, with the
unit in the name; these functions are the only door from text. Each raises ``ValueError`` naming the text, the
unit expected and an example.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Annotated

import msgspec

from harness.base.message import Message, gettext_noop, message, said_by

_NUMBER = re.compile(r"^\s*([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z%/µ]*)\s*$")
_MOST = 1e200  # in its largest unit a finite number still, and more than anybody means
_DOLLARS = r"\$[0-9]+(\.[0-9]+)?"
_COUNTED = {"1/s": ("/s",), "users": ("users", "user"), "walks": ("walks", "walk"), "flaws": ("flaws", "flaw")}
DAY_S = 86_400.0
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": DAY_S}


class Unit(StrEnum):
    """The unit of a metric and of every threshold on it."""

    RATIO = "ratio"
    MILLISECONDS = "ms"
    PER_SECOND = "1/s"
    USERS = "users"
    WALKS = "walks"
    FLAWS = "flaws"
    SECONDS = "s"
    DOLLARS = "$"  # of the United States
    NONE = ""


_FOR_EXAMPLE = gettext_noop("{what}; write for example {example}")


def without_example(error: ValueError) -> Message | str:
    """What one of these errors says, without the right form."""
    told = said_by(error)
    return told.values["what"] if told.text == _FOR_EXAMPLE else told


def _wrong(what: Message, example: str) -> ValueError:
    return ValueError(Message(text=_FOR_EXAMPLE, values={"what": what, "example": example}))


def _split(text: str, expected: Message, example: str) -> tuple[float, str]:
    match = _NUMBER.match(text)
    if match is None:
        raise _wrong(message("{value} is not {what}", value=repr(text), what=expected), repr(example))
    if not (number := float(match[1])) < _MOST:
        raise ValueError(message("{value} is out of range", value=repr(text[:20])))
    return number, match[2]


def seconds(text: str) -> float:
    """``"120s"``, ``"5min"``, ``"500ms"``, ``"12h"`` in seconds."""
    number, unit = _split(text, message("a duration"), "120s")
    if unit not in _SECONDS:
        told = message("{value} has no unit of time (ms, s, min, h, d)", value=repr(text))
        if unit:
            told = message("{value}: {unit} is no unit of time (ms, s, min, h, d)", value=repr(text), unit=repr(unit))
        raise _wrong(told, "'120s'")
    return number * _SECONDS[unit]


def ratio(text: str) -> float:
    """``"99.5%"`` as 0.995; nothing without a per cent sign, nothing above 100 %."""
    number, unit = _split(text, message("a percentage"), "99.5%")
    if unit != "%":
        raise _wrong(message("{value} is not a percentage", value=repr(text)), "'99.5%'")
    if number > 100:
        raise ValueError(message("{value} is above 100%", value=repr(text)))
    # Division of the decimal text, not of the float: 12% must be the double nearest 0.12.
    return round(number / 100, 12)


def dollars(text: str) -> float:
    """``"$225.50"`` as 225.5."""
    if re.fullmatch(_DOLLARS, text) is None:
        raise _wrong(message("{value} is no amount of dollars", value=repr(text)), "'$225.50'")
    return float(text[1:])


_SIZES = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def size_bytes(text: str) -> int:
    """``"64MiB"``, ``"1GiB"`` in bytes."""
    number, unit = _split(text, message("a size"), "64MiB")
    if unit not in _SIZES:
        raise _wrong(message("{value} is no size", value=repr(text)), "'64MiB', '1GiB'")
    return round(number * _SIZES[unit])


def quantity(text: str, unit: Unit) -> float:
    """A threshold in the unit of its metric, e.g. ``quantity("500ms", Unit.MILLISECONDS) == 500``."""
    if unit is Unit.RATIO:
        return ratio(text)
    if unit is Unit.SECONDS:
        return seconds(text)
    if unit is Unit.MILLISECONDS:
        return round(seconds(text) * 1000, 9)
    expected = message("a number of {unit}", unit=unit)
    number, suffix = _split(text, expected, "3/s" if unit is Unit.PER_SECOND else "250users")
    wanted = _COUNTED[unit]
    if suffix not in wanted:
        raise _wrong(message("{value} is not in {unit}", value=repr(text), unit=unit), repr(f"{number:g}{wanted[0]}"))
    return number


def show(value: float, unit: Unit) -> str:
    """``value`` as a person reads it, with its unit."""
    if unit is Unit.RATIO:
        shown = (f"{value * 100:.{digits}g}" for digits in range(4, 16))
        return f"{next(each for each in shown if not too_full(each, value, unit))} %"
    if unit is Unit.PER_SECOND:
        return f"{value:.3g}/s"
    if unit is Unit.USERS:
        return f"{value:.0f} users"
    if unit is Unit.FLAWS:
        return f"{value:.0f}"
    if unit is Unit.DOLLARS:
        return f"${value:,.2f}"
    return f"{plain(value)} {unit}".rstrip()


def too_full(shown: str, value: float, unit: Unit) -> bool:
    """Whether the digits say all of what is nearly all: 100 % of 99.996 %. One of more nines than a float tells apart
    is all."""
    return unit is Unit.RATIO and shown == "100" and value < 1 - 1e-12


def plain(value: float, digits: int = 4) -> str:
    """``value`` to so many significant digits, and never by a power of ten: 43156, not 4.316e+04."""
    shown = f"{value:.{digits}g}"
    return f"{value:.0f}" if "e+" in shown else shown


# -- how a plan file writes them: see ``harness.base.planfile`` -----------------------------------------------------


class Quantity(msgspec.Struct, frozen=True, kw_only=True):
    """How a number is written in a file: ``suffix`` ends the field's name, and not the key's."""

    what: str
    example: str
    pattern: str
    suffix: str
    read: Callable[[str], float]


class OneOf(msgspec.Struct, frozen=True, kw_only=True):
    """A word of a file that names one of what ``known`` gives; ``what`` they are, ``where`` they stand, for people."""

    what: str
    known: Callable[[], Iterable[str]]
    where: str


class ReadBy(msgspec.Struct, frozen=True):
    """The kinds whose mapping reads a key; any other ``kind`` that has the key is refused, as nothing would read it."""

    kinds: tuple[StrEnum, ...]


_WRITTEN = r"[0-9]+(\.[0-9]+)?"
_WRITTEN_AS_SECONDS = Quantity(
    what=gettext_noop("a duration"),
    example="120s",
    pattern=rf"^{_WRITTEN} ?(ms|s|min|m|h|d)$",
    suffix="_s",
    read=seconds,
)
_WRITTEN_AS_MILLISECONDS = Quantity(
    what=gettext_noop("a duration"), example="500ms", pattern=rf"^{_WRITTEN} ?(ms|s|min|m|h|d)$", suffix="_ms",
    read=lambda text: quantity(text, Unit.MILLISECONDS),
)  # fmt: skip
_WRITTEN_AS_RATIO = Quantity(
    what=gettext_noop("a percentage"), example="99.5%", pattern=rf"^{_WRITTEN} ?%$", suffix="", read=ratio
)
_WRITTEN_AS_RATE = Quantity(
    what=gettext_noop("a rate"), example="3/s", pattern=rf"^{_WRITTEN} ?/s$", suffix="_per_s",
    read=lambda text: quantity(text, Unit.PER_SECOND),
)  # fmt: skip
_WRITTEN_AS_SIZE = Quantity(
    what=gettext_noop("a size"),
    example="1GiB",
    pattern=rf"^{_WRITTEN} ?(KiB|MiB|GiB)$",
    suffix="_bytes",
    read=size_bytes,
)
_WRITTEN_AS_DOLLARS = Quantity(
    what=gettext_noop("an amount of dollars"), example="$0.05", pattern=f"^{_DOLLARS}$", suffix="_usd", read=dollars
)

Seconds = Annotated[float, _WRITTEN_AS_SECONDS]
Milliseconds = Annotated[float, _WRITTEN_AS_MILLISECONDS]
Ratio = Annotated[float, _WRITTEN_AS_RATIO]
PerSecond = Annotated[float, _WRITTEN_AS_RATE]
Bytes = Annotated[int, _WRITTEN_AS_SIZE]
Dollars = Annotated[float, _WRITTEN_AS_DOLLARS]
