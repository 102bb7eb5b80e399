"""What a database's column holds, as a value that compares: equal instants and numbers whatever their type. Pure.

The same instant may lie in a column as a timestamp with or without a zone, as ISO text with any offset and any number
of digits, or as a count since 1970; the same number as an integer, a decimal, a float or text. Each has one form here:
an aware ``datetime`` in UTC, cut to the microseconds that PostgreSQL and Firestore keep, and an ``int`` or ``float``.
Two that differ by what a column can keep never become equal.
"""

from __future__ import annotations

import math
import re
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

import msgspec

from harness.load.population.content import single
from harness.model.message import Message, message

#: A walk's status as the contract spells it; databases also have it in capitals or in one word.
STATUSES = ("not_started", "in_progress", "paused", "completed")
_WORDS = {each.replace("_", ""): each for each in STATUSES}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Counts since 1970 are read where the unit is beyond doubt: each range is 2001-09-09 to 2286-11-20 in its own unit,
#: and no two ranges meet. Unit: how many a second.
_UNITS = ((10**9, 1), (10**12, 10**3), (10**15, 10**6), (10**18, 10**9))
_COUNT = re.compile(r"[+-]?\d+(\.\d*)?")
#: The end of what Go's ``time.Time.String`` writes: "2025-10-20 12:00:00 +0900 JST m=+0.1".
_GO_ZONE = re.compile(r" ([+-]\d{4})( \S+)?( m=\S+)?$")
_MICROSECOND = timedelta(microseconds=1)
_ROUNDINGS = (ROUND_HALF_UP, ROUND_HALF_EVEN, ROUND_DOWN, ROUND_FLOOR)


class Unreadable(ValueError):  # noqa: N818 - an outcome, not an error
    """``told`` says what a value is that cannot be read as what its column must hold."""

    def __init__(self, told: Message) -> None:
        super().__init__(str(told))
        self.told = told


class ColumnKind(StrEnum):
    """What the contract's column holds, whatever its type."""

    INSTANT = "instant"
    NUMBER = "number"
    TEXT = "text"
    STATUS = "status"
    ID = "id"


def comparable(kind: ColumnKind, raw: Any) -> Any:
    """``raw`` as asyncpg or JSON gives it, in the one form of its kind; ``None`` stays. Raises ``Unreadable``."""
    return None if raw is None else _READ[kind](raw)


def instant(raw: Any) -> datetime:
    """In UTC, to the microsecond below. What has no zone is taken for UTC. Raises ``Unreadable``."""
    if isinstance(raw, datetime):
        try:
            return raw.replace(tzinfo=UTC) if raw.tzinfo is None else raw.astimezone(UTC)
        except OverflowError:
            raise beyond(raw) from None
    if isinstance(raw, date):
        return datetime(raw.year, raw.month, raw.day, tzinfo=UTC)
    if isinstance(raw, str):
        return _since_1970(raw) if _COUNT.fullmatch(raw.strip()) else _of_text(raw)
    return _since_1970(raw)


def beyond(raw: Any) -> Unreadable:
    """Of an instant that no ``datetime`` is."""
    return Unreadable(message("{value}, which is before the year 1 or after 9999 in UTC", value=_shown(raw)))


def counted(raw: str) -> bool:
    """Whether ``instant`` takes the text for a count since 1970: milliseconds may look like a date without hyphens."""
    return bool(_COUNT.fullmatch(raw.strip())) and _unit(_decimal(raw)) is not None


def number(raw: Any) -> int | float:
    """An ``int`` where it is whole. Seconds of an interval. Raises ``Unreadable``."""
    if isinstance(raw, timedelta):
        raw = raw.total_seconds()
    exact = _decimal(raw)
    if exact == exact.to_integral_value():
        return int(exact)
    return float(exact)


def status(raw: Any) -> str:
    """The contract's spelling. Raises ``Unreadable`` for a word that is none of the four."""
    word = text(raw)
    known = _WORDS.get(re.sub(r"[\s_-]", "", word).lower())
    if known is None:
        raise Unreadable(message("{value}, which is none of {known}", value=_shown(word), known=", ".join(STATUSES)))
    return known


def identity(raw: Any) -> str:
    """A UUID in lower case with its hyphens. Raises ``Unreadable``."""
    try:
        return str(raw) if isinstance(raw, uuid.UUID) else str(uuid.UUID(text(raw).strip()))
    except ValueError:
        raise Unreadable(message("{value}, which is no UUID", value=_shown(raw))) from None


def text(raw: Any) -> str:
    """Raises ``Unreadable`` for what is no text."""
    if not isinstance(raw, str):
        raise Unreadable(message("{value}, which is no text", value=_shown(raw)))
    return raw


_READ = {
    ColumnKind.INSTANT: instant,
    ColumnKind.NUMBER: number,
    ColumnKind.TEXT: text,
    ColumnKind.STATUS: status,
    ColumnKind.ID: identity,
}


def _of_text(raw: str) -> datetime:
    try:
        found = datetime.fromisoformat(_GO_ZONE.sub(r"\1", raw.strip()))
    except ValueError:
        raise Unreadable(message("{value}, which is no ISO 8601 time", value=_shown(raw))) from None
    return instant(found)


def _since_1970(raw: Any) -> datetime:
    count = _decimal(raw)
    if (a_second := _unit(count)) is not None:
        return _EPOCH + timedelta(microseconds=math.floor(count * 1_000_000 / a_second))
    value = str(raw)[:40]
    raise Unreadable(message("{value}, which is no count since 1970 whose unit is beyond doubt", value=value))


def _unit(count: Decimal) -> int | None:
    """How many a second; ``None`` where it is not beyond doubt."""
    return next((a_second for least, a_second in _UNITS if least <= count < least * 10), None)


def _decimal(raw: Any) -> Decimal:
    if isinstance(raw, bool) or not isinstance(raw, int | float | Decimal | str):
        raise Unreadable(message("{value}, which is no number", value=_shown(raw)))
    try:
        found = Decimal(repr(raw)) if isinstance(raw, float) else Decimal(raw)
    except InvalidOperation:
        raise Unreadable(message("{value}, which is no number", value=_shown(raw))) from None
    if not found.is_finite():
        raise Unreadable(message("{value}, which is no number", value=str(raw)))
    return found


def _shown(raw: Any) -> str:
    return repr(str(raw)[:40])


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """How a column keeps what it is given: ``declared`` as PostgreSQL says it.

    ``grain``: values keep whole multiples of it, in seconds for instants; 0 is as fine as what is compared. ``single``:
    a float of 32 bits, about seven digits. ``zoneless``: without a time zone.
    """

    kind: ColumnKind
    declared: str = ""
    grain: Decimal = Decimal(0)
    single: bool = False
    zoneless: bool = False

    def holds(self, sent: Any, held: Any) -> bool:
        """Whether the column would hold ``held`` after ``sent`` was written, rounded or cut to what it keeps."""
        if sent is None or held is None:
            return (sent or None) == (held or None) if self.kind is ColumnKind.TEXT else sent is held
        if sent == held:
            return True
        if self.kind is ColumnKind.INSTANT:
            return bool(self.grain) and held in _kept_instants(sent, self.grain)
        return self.kind is ColumnKind.NUMBER and self._same_number(sent, held)

    def agrees(self, held: Any, elsewhere: Any) -> bool:
        """Whether ``elsewhere``, in another store, and ``held`` may come of one value. Each store rounds or cuts it to
        what it keeps, microseconds at least, so that they may be one step apart.
        """
        if self.holds(elsewhere, held):
            return True
        if self.kind is not ColumnKind.INSTANT or held is None or elsewhere is None:
            return False
        return bool(_apart(held, elsewhere) <= max(self.grain, Decimal("0.000001")))

    def shift(self, sent: Any, held: Any) -> timedelta | None:
        """How far local time instead of UTC shifted an instant in a column without zone; ``None`` where it did not."""
        if not self.zoneless or not isinstance(sent, datetime) or not isinstance(held, datetime):
            return None
        by = timedelta(minutes=15 * round((held - sent) / timedelta(minutes=15)))
        return by if by and abs(by) <= timedelta(hours=14) and self.holds(sent + by, held) else None

    def _same_number(self, sent: float, held: float) -> bool:
        if self.single and single(sent) == single(held):
            return True
        return bool(self.grain) and _decimal(held) in _kept_numbers(sent, self.grain)


def _kept_instants(sent: datetime, grain: Decimal) -> set[datetime]:
    """``sent`` cut and rounded to ``grain`` seconds."""
    count, step = (sent - _EPOCH) // _MICROSECOND, int(grain * 1_000_000)
    return {_EPOCH + each // step * step * _MICROSECOND for each in (count, count + step // 2)}


def _kept_numbers(sent: float, grain: Decimal) -> set[Decimal]:
    """``sent`` cut and rounded to ``grain``, a power of ten, as the decimal that it shows and as the binary it is."""
    exact = {_decimal(sent), Decimal(sent)}
    return {each.quantize(grain, rounding=way) for each in exact for way in _ROUNDINGS}


def _apart(one: datetime, other: datetime) -> Decimal:
    """In seconds."""
    return Decimal(abs(one - other) // _MICROSECOND) / 1_000_000
