"""Bodies of list and PUT as the contract names them (docs/contract/walk-api.md), in the order of the answers."""

from __future__ import annotations

import datetime as dt
from typing import Annotated as Is
from typing import Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Moment = Is[dt.datetime, Meta(tz=True)]
Whole = Is[int, Meta(ge=0, le=2_147_483_647)]
Amount = Is[float, Meta(ge=0)]
State = Literal["not_started", "in_progress", "paused", "completed"]


class Point(Struct):
    """A location of a PUT."""

    latitude: Is[float, Meta(ge=-90, le=90)]
    longitude: Is[float, Meta(ge=-180, le=180)]
    timestamp: Moment
    sequence_number: Whole
    altitude: float | None = None
    horizontal_accuracy: float | None = None
    vertical_accuracy: float | None = None
    speed: float | None = None
    course: float | None = None


class Put(Struct):
    """The body of PUT: absent stays, null clears."""

    title: Is[str, Meta(min_length=1, max_length=255)] | UnsetType = UNSET
    description: Is[str, Meta(max_length=1000)] | UnsetType | None = UNSET
    start_time: Moment | UnsetType | None = UNSET
    end_time: Moment | UnsetType | None = UNSET
    paused_at: Moment | UnsetType | None = UNSET
    total_distance: Amount | UnsetType = UNSET
    total_steps: Whole | UnsetType = UNSET
    polyline_data: str | UnsetType | None = UNSET
    thumbnail_image_url: Is[str, Meta(max_length=500)] | UnsetType | None = UNSET
    status: State | UnsetType = UNSET
    total_paused_duration: Amount | UnsetType = UNSET
    locations: Is[list[Point], Meta(max_length=20_000)] | UnsetType | None = UNSET


class Row(Struct):
    """A walk as answered."""

    id: str
    user_id: str | None
    title: str
    description: str
    start_time: dt.datetime | None
    end_time: dt.datetime | None
    paused_at: dt.datetime | None
    total_distance: float
    total_steps: int
    polyline_data: str | None
    thumbnail_image_url: str | None
    status: str
    total_paused_duration: float
    created_at: dt.datetime
    updated_at: dt.datetime


class Page(Struct):
    """A page of walks."""

    walks: list[Row]
    total_count: int
    page: int
    limit: int


class Claims(Struct):
    """Of a token, those that are read."""

    iss: str
    aud: str
    sub: str
    iat: float
    exp: float
    name: str | None = None
    firebase: dict[str, object] = {}


class Head(Struct):
    """A token's first part."""

    alg: str
