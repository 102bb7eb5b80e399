"""The bodies of docs/contract/walk-api.md as types. Decoding is strict; what does not fit is the caller's mistake."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

#: The title of a walk that a PUT creates without one. The app's users read Japanese ("a walk").
DEFAULT_TITLE = "散歩"
#: A walk has at most this many locations in all, so their numbers end below it: four hours at one a second, with room.
#: The mirror's document holds fewer (``api.firestore_document.size_bytes``); this bounds what a GET loads, and the
#: mirror after each PUT.
MAX_LOCATIONS = 20_000
#: The encoded polyline of as many locations takes less: five characters for a step of some metres.
MAX_POLYLINE = 200_000
INT4_MAX = 2**31 - 1

Status = Literal["not_started", "in_progress", "paused", "completed"]
Title = Annotated[str, Meta(min_length=1, max_length=255)]
Description = Annotated[str, Meta(max_length=1000)]
Polyline = Annotated[str, Meta(max_length=MAX_POLYLINE)]
ImageUrl = Annotated[str, Meta(max_length=500)]
Time = Annotated[datetime, Meta(tz=True)]
NotNegative = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0, le=INT4_MAX)]


class Location(Struct, frozen=True):
    """A point of a walk. Metres, m/s, degrees. 0.0 is a valid latitude; unknown optional values are null or absent."""

    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]
    timestamp: Time
    sequence_number: Annotated[int, Meta(ge=0, lt=MAX_LOCATIONS)]
    altitude: float | None = None
    horizontal_accuracy: float | None = None
    vertical_accuracy: float | None = None
    speed: float | None = None
    course: float | None = None


class Walk(Struct, frozen=True):
    """A walk as answered. Metres and seconds. The field order is the column order of every query that returns one."""

    id: str
    user_id: str | None
    title: str
    description: str
    start_time: datetime | None
    end_time: datetime | None
    paused_at: datetime | None
    total_distance: float
    total_steps: int
    polyline_data: str | None
    thumbnail_image_url: str | None
    status: Status
    total_paused_duration: float
    created_at: datetime
    updated_at: datetime


class WalkDetail(Walk, frozen=True):
    """A walk with its locations in walking order."""

    locations: list[Location]


class WalkPage(Struct, frozen=True):
    """A page of one's own walks, newest first."""

    walks: list[Walk]
    total_count: int
    page: int
    limit: int


class NewWalk(Struct, frozen=True):
    """Body of POST. Unknown fields are ignored."""

    title: Title
    description: Description | None = None


class WalkChange(Struct, frozen=True):
    """Body of PUT: an absent field stays as it is, null clears one that can be empty. Unknown fields are ignored.

    The first eleven fields are columns, in the order of ``CHANGEABLE``. ``locations`` are upserted by
    ``sequence_number`` (of two with the same number the last wins); those not sent stay.
    """

    title: Title | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    start_time: Time | UnsetType | None = UNSET
    end_time: Time | UnsetType | None = UNSET
    paused_at: Time | UnsetType | None = UNSET
    total_distance: NotNegative | UnsetType = UNSET
    total_steps: Count | UnsetType = UNSET
    polyline_data: Polyline | UnsetType | None = UNSET
    thumbnail_image_url: ImageUrl | UnsetType | None = UNSET
    status: Status | UnsetType = UNSET
    total_paused_duration: NotNegative | UnsetType = UNSET
    locations: Annotated[list[Location], Meta(max_length=MAX_LOCATIONS)] | UnsetType | None = UNSET


CHANGEABLE = WalkChange.__struct_fields__[:-1]


class User(Struct, frozen=True):
    """Who calls: the Firebase uid, and what the token says of them. ``expires_unix_s`` is the token's ``exp``."""

    uid: str
    display_name: str | None = None
    auth_provider: str | None = None
    expires_unix_s: float = 0.0


class ErrorDetail(Struct, frozen=True):
    """What went wrong, for a program (``code``) and for a person (``message``)."""

    code: Literal[
        "INVALID_REQUEST", "UNAUTHORIZED", "FORBIDDEN", "NOT_FOUND", "CONFLICT", "RATE_LIMITED", "INTERNAL_ERROR"
    ]
    message: str


class ErrorBody(Struct, frozen=True):
    """Every error answer's body."""

    error: ErrorDetail


class State(Struct, frozen=True):
    """Body of ``/health`` and ``/ready``."""

    status: str
