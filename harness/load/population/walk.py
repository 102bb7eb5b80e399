"""What a phone says about a walk: the bodies of the contract's writes (docs/contract/walk-api.md), made from the seed.

Field order is the canonical order: the digest of a body is the SHA-256 of its JSON.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timezone
from enum import StrEnum
from functools import lru_cache

import msgspec

from harness.base.seed import stream
from harness.base.ticks import NS
from harness.load.population.ids import uuid4_text

MOST_LOCATIONS = 60  # of one PUT
PAGE_WALKS = 20  # of a list: the phone asks for the first page only
_encoder = msgspec.json.Encoder()


class Status(StrEnum):
    """A walk's status as the contract names it."""

    NOT_STARTED = "not_started"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"


class Location(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One point of a walk. Degrees, metres, metres per second; unknown ``speed`` and ``course`` are null.

    Nothing in it can be part of a cycle, so that the collector of those need not look at so many.
    """

    latitude: float
    longitude: float
    altitude: float
    timestamp: datetime
    horizontal_accuracy: float
    vertical_accuracy: float
    speed: float | None
    course: float | None
    sequence_number: int


class NewWalk(msgspec.Struct, frozen=True, kw_only=True):
    """The body of POST."""

    title: str
    description: str


class WalkUpdate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of PUT: the walk as the phone has it now, and the locations since the last PUT."""

    title: str
    status: Status
    start_time: datetime
    end_time: datetime | None = None
    total_distance: float
    total_steps: int
    polyline_data: str
    thumbnail_image_url: str | None = None  # set by the phone once the image is in Storage
    locations: tuple[Location, ...]


def encode(body: NewWalk | WalkUpdate | None) -> bytes:
    """The body as sent; empty where a call has none."""
    return b"" if body is None else _encoder.encode(body)


def digest(body: NewWalk | WalkUpdate | None) -> str:
    """SHA-256 of the content written, in hex; empty for reads."""
    return "" if body is None else hashlib.sha256(_encoder.encode(body)).hexdigest()


def moment(unix_ns: int, zone: timezone = UTC) -> datetime:
    """In ``zone``, cut to milliseconds: what survives JSON, PostgreSQL and Firestore alike.

    A float of seconds holds every millisecond below 2**33 s, which is until March 2242; later ones are some µs off.
    """
    return datetime.fromtimestamp(unix_ns // 1_000_000 / 1000, zone)


class Walking:
    """A walk under way on one phone: each batch continues the sequence, the distance and the polyline. ``title`` is
    its own where nothing else is given."""

    def __init__(
        self,
        seed: int,
        name: str,
        *,
        started_unix_ns: int,
        walked_s: float = 0.0,
        mark: str = "",
        title: str = "",
        zone: timezone = UTC,
    ) -> None:
        self._chance = stream(seed, f"walk:{name}")
        self.id = uuid4_text(self._chance)
        self.title = f"{title or f'Walk {name}'} {mark}".rstrip()
        self._zone = zone
        self.started_unix_ns = started_unix_ns
        self._latitude_e6 = 35_000_000 + self._draw(700_000)
        self._longitude_e6 = 139_000_000 + self._draw(800_000)
        self._sequence = 0
        self._distance_dm = int(walked_s * 13)  # 1.3 m/s: a walk joined mid-way has been walked already
        self._polyline = Polyline()

    def _draw(self, below: int) -> int:
        # Not randrange: only random() is promised to stay the same between Python versions.
        return int(self._chance.random() * below)

    def batch(self, now_unix_ns: int, interval_ns: int, count: int) -> tuple[Location, ...]:
        """The ``count`` locations of the ``interval_ns`` before ``now_unix_ns``.

        One loop over names of its own: a run makes more of these than of anything else, and its judge makes them again.
        """
        seconds = interval_ns / count / NS
        walked_dm = [int(seconds * (10 + faster)) for faster in range(6)]
        chance, add = self._chance.random, self._polyline.add  # ``chance`` as in ``_draw``
        zone, latitude_e6, longitude_e6, distance_dm = (
            self._zone,
            self._latitude_e6,
            self._longitude_e6,
            self._distance_dm,
        )
        found, last = [], count - 1
        for number in range(count):
            latitude_e6 += int(chance() * 41) - 20
            longitude_e6 += int(chance() * 41) - 18
            distance_dm += walked_dm[int(chance() * 6)]
            add(latitude_e6 // 10, longitude_e6 // 10)
            moving = chance() * 8 >= 1  # standing still, a phone knows neither speed nor course
            location = Location(
                latitude=latitude_e6 / 1e6,
                longitude=longitude_e6 / 1e6,
                altitude=int(chance() * 400) / 10,
                timestamp=moment(now_unix_ns - interval_ns * (last - number) // count, zone),
                horizontal_accuracy=3 + int(chance() * 120) / 10,
                vertical_accuracy=2 + int(chance() * 80) / 10,
                speed=(10 + int(chance() * 6)) / 10 if moving else None,
                course=int(chance() * 3600) / 10 if moving else None,
                sequence_number=self._sequence + number,
            )
            found.append(location)
        self._latitude_e6, self._longitude_e6, self._distance_dm = latitude_e6, longitude_e6, distance_dm
        self._sequence += count
        return tuple(found)

    def update(
        self, now_unix_ns: int, interval_ns: int, *, completed: bool = False, count: int | None = None
    ) -> WalkUpdate:
        """The next PUT, with ``count`` locations of the last ``interval_ns``, or 1..60."""
        locations = self.batch(now_unix_ns, interval_ns, count or 1 + self._draw(MOST_LOCATIONS))
        return WalkUpdate(
            title=self.title,
            status=Status.COMPLETED if completed else Status.IN_PROGRESS,
            start_time=moment(self.started_unix_ns, self._zone),
            end_time=moment(now_unix_ns, self._zone) if completed else None,
            total_distance=self._distance_dm / 10,
            total_steps=self._distance_dm // 7,
            polyline_data=self._polyline.text(),
            locations=locations,
        )


class Polyline:
    """Google's encoded polyline, appended to as the walk goes on; coordinates in 1e-5 degrees."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._latitude_e5 = self._longitude_e5 = 0  # of the last point

    def add(self, latitude_e5: int, longitude_e5: int) -> None:
        """Appends a point."""
        self._parts.append(_step(latitude_e5 - self._latitude_e5, longitude_e5 - self._longitude_e5))
        self._latitude_e5, self._longitude_e5 = latitude_e5, longitude_e5

    def text(self) -> str:
        """The polyline so far."""
        self._parts = ["".join(self._parts)]
        return self._parts[0]


@lru_cache(maxsize=256)  # of a few 1e-5 degrees: nearly always one of some twenty
def _step(latitude_e5: int, longitude_e5: int) -> str:
    return _signed(latitude_e5) + _signed(longitude_e5)


def _signed(value: int) -> str:
    value = ~(value << 1) if value < 0 else value << 1
    text = ""
    while value >= 0x20:
        text += chr((0x20 | (value & 0x1F)) + 63)
        value >>= 5
    return text + chr(value + 63)
