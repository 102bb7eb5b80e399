"""The locations of a walk in an answer, and the digests by which evidence names them, column by column. Pure.

Of one user's walk a location's number says everything else of it, so that what a phone wrote is known from the schedule
alone. Each column has a digest of its own: a target may keep coordinates otherwise than times.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Annotated

import msgspec

from harness.load.population.content import Whole
from harness.load.population.walk import Location
from harness.model.shown import Track

#: Of a location, in the order of their digests.
COLUMNS = ("timestamp", *(each for each in Location.__struct_fields__ if each not in {"timestamp", "sequence_number"}))
_DIGITS = 6  # of a digest, hex: one of 16 million answers looks right by chance
MOST_RUNS = 32  # each write without an acknowledgement may leave one gap; a track of more is in no order
_encoder = msgspec.json.Encoder()


class AnsweredPoint(msgspec.Struct, frozen=True, gc=False):
    """A location of an answer; what may be null or absent is ``None``."""

    sequence_number: Whole
    latitude: float
    longitude: float
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    altitude: float | None = None
    horizontal_accuracy: float | None = None
    vertical_accuracy: float | None = None
    speed: float | None = None
    course: float | None = None


def track(points: Sequence[AnsweredPoint]) -> Track:
    """What the row of an answer keeps of its locations."""
    numbers = [int(each.sequence_number) for each in points]
    ends = [0, *(n for n in range(1, len(numbers)) if numbers[n] != numbers[n - 1] + 1), len(numbers)]
    runs = tuple((numbers[begin], numbers[end - 1]) for begin, end in pairwise(ends[: MOST_RUNS + 2]) if begin < end)
    return Track(runs, tuple(map(digest, columns(points))))


def columns(points: Sequence[AnsweredPoint | Location]) -> list[list[float | None]]:
    """The values of each column; times in whole µs since 1970."""
    times: list[float | None] = [round(each.timestamp.timestamp() * 1e6) for each in points]
    return [times, *([getattr(each, name) for each in points] for name in COLUMNS[1:])]


def digest(values: Sequence[float | None]) -> str:
    """Hex digits of one column, in order."""
    return hashlib.sha256(_encoder.encode(values)).hexdigest()[:_DIGITS]
