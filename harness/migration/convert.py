"""A Firestore document as the rows of the contract's tables, or why it is none. Pure.

Source: docs/contract/firestore.md and walk-api.md#postgresql; docs/rehearsals/migration.md says what is taken for what.
A document is given as Google's client gives it: texts, numbers, aware times, lists and maps. Nothing is guessed: what
would have to be is refused, with its field and the reason, and stays in Firestore for a person to decide.
"""

from __future__ import annotations

import hashlib
import math
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import msgspec

from harness.checks.tables import camel
from harness.checks.values import Unreadable, beyond, counted, instant, status
from harness.model.message import Message, message

#: Columns of ``walks`` in the order of ``WalkRows.walk``; a row's own id comes first.
WALK_COLUMNS = (
    *("id", "user_id", "title", "description", "start_time", "end_time", "total_distance", "total_steps"),
    *("polyline_data", "thumbnail_image_url", "status", "paused_at", "total_paused_duration", "created_at"),
    "updated_at",
)
LOCATION_COLUMNS = (
    *("walk_id", "sequence_number", "latitude", "longitude", "timestamp", "altitude", "horizontal_accuracy"),
    *("vertical_accuracy", "speed", "course"),
)
CONSENT_COLUMNS = (
    *("id", "user_id", "policy_version", "consent_type", "consented_at", "platform", "os_version", "app_version"),
)
MOST_LOCATIONS = 20_000
_LOCATION_KEYS = len(LOCATION_COLUMNS) - 2  # but for its walk and its number
#: Maps in a location that hold its place: a point of Firestore's own type comes as such a map, too.
_PLACES = ("coordinate", "coordinates", "location", "geopoint", "point")
_INT4_MAX = 2**31 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Unconvertible(ValueError):  # noqa: N818 - an outcome, not an error
    """The document cannot be moved: ``field`` and ``why``; ``told`` says both."""

    def __init__(self, field: str, why: Message) -> None:
        self.field, self.why = field, why
        self.told = message("{field}: {why}", field=field, why=why) if field else why
        super().__init__(str(self.told))


class WalkRows(msgspec.Struct, frozen=True):
    """One walk as rows: ``walk`` by ``WALK_COLUMNS``, each location by ``LOCATION_COLUMNS``.

    ``repaired`` names what was absent and could be filled in, ``unknown`` the fields that PostgreSQL has no place for.
    ``written`` is Firestore's own time of the document's last write, which no phone sets.
    """

    walk: tuple[Any, ...]
    locations: Sequence[tuple[Any, ...]]
    repaired: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    written: datetime | None = None

    @property
    def id(self) -> uuid.UUID:
        """The walk's."""
        found: uuid.UUID = self.walk[0]
        return found

    @property
    def user(self) -> str | None:
        """Whose it is."""
        found: str | None = self.walk[1]
        return found

    @property
    def version(self) -> datetime:
        """When it was last written, as the document says."""
        found: datetime = self.walk[-1]
        return found


def digest(walk: Sequence[Any], locations: Sequence[Sequence[Any]]) -> bytes:
    """SHA-256 of a walk's content, the same for a document's rows and for PostgreSQL's: times in microseconds.

    ``updated_at`` is not content but version, and compared as such: a trigger may have replaced it.
    """
    plain = [_microseconds(each) for each in walk[:-1]]
    points = [[_microseconds(each) for each in point[1:]] for point in locations]
    return hashlib.sha256(msgspec.msgpack.encode([plain, points])).digest()


def _microseconds(value: Any) -> Any:
    if isinstance(value, datetime):
        return (value - _EPOCH) // timedelta(microseconds=1)
    return str(value) if isinstance(value, uuid.UUID) else value


class _Reader:
    """The fields of one map, by the contract's names or in camelCase; null is absent."""

    def __init__(self, fields: Mapping[str, Any], zone: tzinfo | None, place: str = "") -> None:
        self._fields, self._zone, self._place = fields, zone, place
        self.read: set[str] = set()

    def get(self, name: str) -> Any:
        other = camel(name)
        self.read |= {name, other}
        found = self._fields.get(name)
        return self._fields.get(other) if found is None else found

    def text(self, name: str, most: int = 0) -> str | None:
        found = self.get(name)
        if found is None:
            return None
        if not isinstance(found, str):
            raise self.refused(name, message("is {value}, and no text", value=_shown(found)))
        if "\0" in found:
            raise self.refused(name, message("holds the character U+0000, which PostgreSQL has not"))
        if most and len(found) > most:
            why = message("has {count} characters, and {most} is the limit", count=str(len(found)), most=str(most))
            raise self.refused(name, why)
        return found

    def number(self, name: str) -> float | None:
        return _number(self, name, self.get(name))

    def not_negative(self, name: str) -> float | None:
        found = self.number(name)
        if found is not None and found < 0:
            raise self.refused(name, message("is {value}, and cannot be negative", value=f"{found:g}"))
        return found if found is None else found or 0.0  # and no -0.0

    def time(self, name: str) -> datetime | None:
        return _time(self, name, self.get(name), self._zone)

    def refused(self, name: str, why: Message) -> Unconvertible:
        return Unconvertible(f"{self._place}{name}", why)


def version_of(fields: Mapping[str, Any]) -> datetime | None:
    """When the app wrote the document, as a migration reads it; ``None`` where it does not say, or not readably."""
    try:
        return _Reader(fields, None).time("updated_at")
    except Unconvertible:
        return None


def walk_rows(
    name: str,
    fields: Mapping[str, Any],
    *,
    created: datetime | None = None,
    updated: datetime | None = None,
    zone: tzinfo | None = None,
) -> WalkRows:
    """The rows of ``walks/{name}``. ``created`` and ``updated`` are Firestore's own times of the document, taken where
    the document lacks its own; ``zone`` is that of times without one. Raises ``Unconvertible``.
    """
    given = _Reader(fields, zone)
    walk_id = _identity(name, given.text("id"))
    repaired: list[str] = []

    def or_else(column: str, found: Any, otherwise: Any) -> Any:
        if found is None:
            if otherwise is None:
                raise Unconvertible(column, message("is absent"))
            repaired.append(column)
        return otherwise if found is None else found

    started, ended = given.time("start_time"), given.time("end_time")
    if ended is not None and (started is None or ended < started):
        why = message("has no start_time") if started is None else message("is before start_time")
        raise Unconvertible("end_time", why)
    walk = (
        walk_id,
        given.text("user_id", 255) or None,
        or_else("title", given.text("title", 255), ""),
        or_else("description", given.text("description"), ""),
        started,
        ended,
        or_else("total_distance", given.not_negative("total_distance"), 0.0),
        or_else("total_steps", _steps(given), 0),
        given.text("polyline_data"),
        given.text("thumbnail_image_url", 500),
        or_else("status", _status(given), "not_started"),
        given.time("paused_at"),
        or_else("total_paused_duration", given.not_negative("total_paused_duration"), 0.0),
        or_else("created_at", given.time("created_at"), created),
        or_else("updated_at", given.time("updated_at"), updated),
    )
    unknown: set[str] = set()
    locations = _locations(walk_id, or_else("location_data", given.get("location_data"), []), zone, unknown)
    return WalkRows(walk, locations, tuple(repaired), tuple(sorted(unknown | fields.keys() - given.read)), updated)


def consent_row(name: str, user: str, fields: Mapping[str, Any], *, zone: tzinfo | None = None) -> tuple[Any, ...]:
    """The row of ``users/{user}/consents/{name}`` by ``CONSENT_COLUMNS``. Raises ``Unconvertible``."""
    given = _Reader(fields, zone)
    kind = given.text("consent_type", 10)
    if kind not in ("initial", "update"):
        raise Unconvertible("consent_type", message("is {value}, neither initial nor update", value=repr(kind)))
    needed = {"policy_version": given.text("policy_version", 50), "consented_at": given.time("consented_at")}
    for column, found in needed.items():
        if found is None:
            raise Unconvertible(column, message("is absent"))
    optional = (given.text(column, 50) for column in ("platform", "os_version", "app_version"))
    owner = _Reader({"user_id": user}, zone).text("user_id", 255)
    return (_identity(name, given.text("id")), owner, needed["policy_version"], kind, needed["consented_at"], *optional)


def consent_unknown(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields of a consent that PostgreSQL has no place for."""
    return tuple(sorted({*fields} - {*CONSENT_COLUMNS, *map(camel, CONSENT_COLUMNS)}))


def _identity(name: str, held: str | None) -> uuid.UUID:
    try:
        found: uuid.UUID | None = uuid.UUID(name)
    except ValueError:
        found = None
    if found is None or str(found) != name.lower():
        raise Unconvertible("", message("the document's id {id} is no UUID", id=repr(name[:60])))
    if held is not None and held.lower() != name.lower():
        raise Unconvertible(
            "id", message("is {value}, and the document's is {id}", value=repr(held[:60]), id=repr(name))
        )
    return found


def _status(given: _Reader) -> str | None:
    found = given.text("status")
    try:
        return None if found is None else status(found)
    except Unreadable as error:
        raise Unconvertible("status", message("is {what}", what=error.told)) from None


def _steps(given: _Reader) -> int | None:
    found = given.not_negative("total_steps")
    if found is None:
        return None
    if found != int(found) or found > _INT4_MAX:
        why = message("is {value}, and no whole number up to {most}", value=f"{found:g}", most=str(_INT4_MAX))
        raise Unconvertible("total_steps", why)
    return int(found)


def _locations(walk_id: uuid.UUID, points: Any, zone: tzinfo | None, unknown: set[str]) -> list[tuple[Any, ...]]:
    """Keys without a column go to ``unknown``."""
    if not isinstance(points, list) or not all(isinstance(each, dict) for each in points):
        raise Unconvertible("location_data", message("is no array of maps"))
    if len(points) > MOST_LOCATIONS:
        count, most = str(len(points)), str(MOST_LOCATIONS)
        raise Unconvertible(
            "location_data", message("has {count} locations, and {most} is the limit", count=count, most=most)
        )
    return [_location(walk_id, number, each, zone, unknown) for number, each in enumerate(points)]


def _location(
    walk_id: uuid.UUID, number: int, entry: Mapping[str, Any], zone: tzinfo | None, unknown: set[str]
) -> tuple[Any, ...]:
    """In the app's own format without a detour: a walk has a hundred of them."""
    get = entry.get
    latitude, longitude, at = get("latitude"), get("longitude"), get("timestamp")
    values: list[Any] = [
        get("altitude"),
        get("horizontalAccuracy"),
        get("verticalAccuracy"),
        get("speed"),
        get("course"),
    ]
    if (
        len(entry) == _LOCATION_KEYS
        and isinstance(latitude, float)
        and isinstance(longitude, float)
        and -90 <= latitude <= 90
        and -180 <= longitude <= 180
        and isinstance(at, datetime)
        and all(isinstance(each, float) and -math.inf < each < math.inf for each in values)
    ):
        speed, course = values[3], values[4]
        return (
            *(walk_id, number, latitude, longitude, at, *values[:3]),
            *(speed if speed >= 0 else None, course if course >= 0 else None),
        )
    return _odd_location(walk_id, number, entry, zone, unknown)


def _odd_location(
    walk_id: uuid.UUID, number: int, entry: Mapping[str, Any], zone: tzinfo | None, unknown: set[str]
) -> tuple[Any, ...]:
    for key in _PLACES:
        if isinstance(nested := entry.get(key), dict):
            entry = {**nested, **{name: each for name, each in entry.items() if name != key}}
    given = _Reader(entry, zone, f"location_data[{number}].")
    where = (_degrees(given, "latitude", 90), _degrees(given, "longitude", 180))
    at = given.time("timestamp")
    if at is None:
        raise given.refused("timestamp", message("is absent"))
    known = [given.number(name) for name in ("altitude", "horizontal_accuracy", "vertical_accuracy")]
    moving = [given.number(name) for name in ("speed", "course")]
    unknown |= {f"location_data[].{key}" for key in entry.keys() - given.read}
    return (walk_id, number, *where, at, *known, *(None if each is None or each < 0 else each for each in moving))


def _degrees(given: _Reader, name: str, most: int) -> float:
    found = given.number(name)
    if found is None:
        raise given.refused(name, message("is absent"))
    if not -most <= found <= most:
        raise given.refused(name, message("is {value}, beyond {most} degrees", value=f"{found:g}", most=str(most)))
    return found


def _number(given: _Reader, name: str, found: Any) -> float | None:
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise given.refused(name, message("is {value}, and no number", value=_shown(found)))
    if not math.isfinite(found):
        raise given.refused(name, message("is {value}, and no finite number", value=str(found)))
    return float(found)


def _time(given: _Reader, name: str, found: Any, zone: tzinfo | None) -> datetime | None:
    if found is None or (isinstance(found, datetime) and found.tzinfo is not None):
        return found
    try:
        if isinstance(found, dict):  # a time that went through JSON: {"seconds": ..., "nanoseconds": ...}
            return _of_map(given, name, found)
        local = found if isinstance(found, datetime) else _without_zone(found)
        if local is not None and zone is None:
            value = repr(str(found)[:40])
            raise given.refused(
                name, message("is {value}, a local time without its zone: say --time-zone", value=value)
            )
        return instant(found if local is None else local.replace(tzinfo=zone))
    except Unreadable as error:
        raise given.refused(name, message("is {what}", what=error.told)) from None


def _of_map(given: _Reader, name: str, found: Mapping[str, Any]) -> datetime:
    plain = {key.lstrip("_"): each for key, each in found.items()}
    seconds, nanoseconds = plain.get("seconds"), plain.get("nanoseconds", plain.get("nanos", 0))
    if not isinstance(seconds, int) or not isinstance(nanoseconds, int):
        raise given.refused(name, message("is a map, and no time"))
    try:
        return _EPOCH + timedelta(seconds=seconds, microseconds=nanoseconds // 1000)
    except OverflowError:
        raise beyond(found) from None


def _without_zone(found: Any) -> datetime | None:
    """The time of a text that says no zone; ``None`` for anything else."""
    if not isinstance(found, str) or counted(found):
        return None
    try:
        read = datetime.fromisoformat(found.strip())
    except ValueError:
        return None
    return read if read.tzinfo is None else None


def _shown(found: Any) -> str:
    return f"{type(found).__name__} {str(found)[:40]!r}"
