"""Did a walk survive the change of sides? What the phone recorded against what a side holds. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from harness.load.population.walk import Location
from harness.model.message import Message, Told, english, gettext_noop, message

_SHOWN = 5


class TrackPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A location as any side tells it: degrees, metres, metres per second; ``None`` is unknown."""

    latitude: float
    longitude: float
    timestamp: datetime
    altitude: float | None
    horizontal_accuracy: float | None
    vertical_accuracy: float | None
    speed: float | None
    course: float | None


#: A walk's points by sequence number.
Points = Mapping[int, TrackPoint]


class WalkContinuity(msgspec.Struct, frozen=True, kw_only=True):
    """``walks`` and ``locations`` recorded; what of them is missing or differs where it was looked for."""

    walks: int
    locations: int
    walks_missing: tuple[str, ...]
    locations_missing: tuple[str, ...]
    locations_changed: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Something was recorded, and nothing of it is missing or different."""
        return self.walks > 0 and not (self.walks_missing or self.locations_missing or self.locations_changed)

    @property
    def told(self) -> Told:
        """All counts, for people, with examples."""
        counts = {"walks": str(self.walks), "locations": str(self.locations)}
        if self.whole:
            return (message("{walks} walks with {locations} locations recorded, all there", **counts),)
        told = [message("{walks} walks with {locations} locations recorded", **counts)]
        for text, found in (
            (gettext_noop("{count} walks missing: {examples}"), self.walks_missing),
            (gettext_noop("{count} locations missing: {examples}"), self.locations_missing),
            (gettext_noop("{count} locations changed: {examples}"), self.locations_changed),
        ):
            if found:
                values: dict[str, str | Message] = {"count": str(len(found)), "examples": ", ".join(found[:_SHOWN])}
                told.append(Message(text=text, values=values))
        return tuple(told)

    def __str__(self) -> str:
        return english(self.told)


def continuity(recorded: Mapping[str, Points], held: Mapping[str, Points]) -> WalkContinuity:
    """``recorded`` and ``held`` are walks by lower-case id."""
    missing = [walk_id for walk_id in recorded if walk_id not in held]
    locations_missing, changed = [], []
    for walk_id, points in recorded.items():
        there = held.get(walk_id)
        if there is None:
            continue
        for number, point in points.items():
            name = f"{walk_id[:8]}#{number}"
            if number not in there:
                locations_missing.append(name)
            elif there[number] != point:
                changed.append(f"{name} ({', '.join(_differing(point, there[number]))})")
    return WalkContinuity(
        walks=len(recorded),
        locations=sum(map(len, recorded.values())),
        walks_missing=tuple(missing),
        locations_missing=tuple(locations_missing),
        locations_changed=tuple(changed),
    )


def together(*sides: Mapping[str, Points]) -> dict[str, Points]:
    """What several sides hold between them; the first that has a location says what it is."""
    found: dict[str, dict[int, TrackPoint]] = {}
    for side in reversed(sides):
        for walk_id, points in side.items():
            found.setdefault(walk_id, {}).update(points)
    return dict(found)


def recorded_points(locations: Sequence[Location]) -> Points:
    """What the phone recorded."""
    return {
        each.sequence_number: TrackPoint(**{name: getattr(each, name) for name in TrackPoint.__struct_fields__})
        for each in locations
    }


def contract_points(locations: Sequence[Mapping[str, Any]]) -> Points:
    """The ``locations`` of the API's answer, or rows of PostgreSQL: snake case, null for unknown."""
    return {each["sequence_number"]: _point(each) for each in locations}


def document_points(location_data: Sequence[Mapping[str, Any]]) -> Points:
    """``location_data`` of a Firestore document: camelCase, -1 for an unknown speed or course."""
    names = {"horizontal_accuracy": "horizontalAccuracy", "vertical_accuracy": "verticalAccuracy"}
    return {
        number: _point(
            {name: entry.get(names.get(name, name)) for name in TrackPoint.__struct_fields__}
            | {name: None for name in ("speed", "course") if entry.get(name) == -1}
        )
        for number, entry in enumerate(location_data)
    }


def _point(fields: Mapping[str, Any]) -> TrackPoint:
    at = fields["timestamp"]
    if isinstance(at, str):
        at = datetime.fromisoformat(at)
    plain = datetime.fromtimestamp(round(at.timestamp(), 3), tz=at.tzinfo)  # Firestore's own class of datetime
    return TrackPoint(
        **{name: fields[name] for name in TrackPoint.__struct_fields__ if name != "timestamp"}, timestamp=plain
    )


def _differing(one: TrackPoint, other: TrackPoint) -> list[str]:
    return [name for name in TrackPoint.__struct_fields__ if getattr(one, name) != getattr(other, name)]
