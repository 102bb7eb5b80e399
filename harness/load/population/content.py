"""What an app's writes leave in a walk, whichever side tells it, and the fingerprint by which evidence names it. Pure.

The server's own fields (``created_at``, ``updated_at``, ``paused_at``) are not in it, so that the content of a write is
known from the schedule alone, and an answer's fingerprint says which write it shows.
"""

from __future__ import annotations

import hashlib
import math
import struct
from datetime import datetime
from typing import Annotated

import msgspec

from harness.load.population.walk import NewWalk, Status, WalkUpdate

#: Hex digits of a fingerprint: of one user's few walks, two are alike by chance once in 10^13 pairs.
FINGERPRINT_DIGITS = 12

#: A whole number of JSON, which may be written with its point (6789.0): the same number.
Whole = int | Annotated[float, msgspec.Meta(multiple_of=1)]


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """Metres; what is null, absent or nil is ``None``, and a description that is not there is empty."""

    title: str
    description: str | None = None
    status: str
    start_time: datetime | None = None
    end_time: datetime | None = None
    total_distance: float = 0.0
    total_steps: Whole = 0
    polyline_data: str | None = None
    thumbnail_image_url: str | None = None


_encoder = msgspec.json.Encoder()


def fingerprint(content: Content) -> str:
    """Hex digits, the same on every side. Times have a zone and count in milliseconds, which every side keeps.

    A distance that went through a float of 32 bits (PostgreSQL's ``real``) counts as the one that was sent.
    """
    said = (
        content.title,
        content.description or "",
        content.status,
        _milliseconds(content.start_time),
        _milliseconds(content.end_time),
        as_sent(float(content.total_distance)),
        int(content.total_steps),
        content.polyline_data,
        content.thumbnail_image_url,
    )
    return hashlib.sha256(_encoder.encode(said)).hexdigest()[:FINGERPRINT_DIGITS]


def created(body: NewWalk) -> Content:
    """What a CREATE leaves."""
    return Content(title=body.title, description=body.description, status=str(Status.NOT_STARTED))


def updated(body: WalkUpdate, ended: WalkUpdate | None = None) -> Content:
    """What a PUT leaves; a PUT without an end or a thumbnail leaves those that ``ended`` brought before it."""
    before_end = ended.end_time if ended is not None else None
    before_url = ended.thumbnail_image_url if ended is not None else None
    return Content(
        title=body.title,
        status=str(body.status),
        start_time=body.start_time,
        end_time=body.end_time if body.end_time is not None else before_end,
        total_distance=body.total_distance,
        total_steps=body.total_steps,
        polyline_data=body.polyline_data,
        thumbnail_image_url=body.thumbnail_image_url if body.thumbnail_image_url is not None else before_url,
    )


def _milliseconds(at: datetime | None) -> int | None:
    return None if at is None else round(at.timestamp() * 1000)


def as_sent(value: float) -> float:
    """The shortest decimal of a value that is exactly a float of 32 bits, and any other as it is."""
    if not math.isfinite(value) or single(value) != value:
        return value
    shortest = (float(f"{value:.{digits}g}") for digits in range(6, 10))
    return next((each for each in shortest if single(each) == value), value)


def single(value: float) -> float:
    """The nearest float of 32 bits."""
    try:
        found: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return math.inf
    return found
