"""What lies in Firestore before a migration: ordinary walks of the users, and documents out of the ordinary. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from harness.base.seed import stream
from harness.load.population.firestore_document import document, document_id, location
from harness.load.population.walk import Location, Walking, WalkUpdate, moment
from harness.model.message import gettext_noop

_NS = 1_000_000_000
_DAY_NS = 86_400 * _NS
#: 1 MiB is some 5,700 locations with every value; this one is just below.
_LARGE = 5_600

NEAR_1_MIB = gettext_noop("near 1 MiB")

Fields = Mapping[str, Any]


class PlantedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document out of the ordinary: its id, its fields, and what must become of it: refused, or a walk as a document
    of the fields that it ``means`` would be one, but with these ``columns``, and with so many ``locations``.
    """

    what: str
    name: str
    fields: dict[str, Any]
    means: dict[str, Any]
    refused: bool = False
    columns: dict[str, Any] = {}
    locations: int = 3

    @property
    def path(self) -> str:
        """Below the database."""
        return f"walks/{self.name}"


def walks(count: int, mean: int, users: Sequence[str], seed: int, unix_ns: int) -> Iterator[tuple[str, Fields]]:
    """``count`` walks of the days before, ``mean`` locations each on average, as path and document."""
    chance = stream(seed, "migration_drill:walks")
    for number in range(count):
        points = 1 + int(chance.random() * (2 * mean - 1))
        name, fields = _walk(
            f"m{number}", users[number % len(users)], points, seed, unix_ns - _DAY_NS - number * 60 * _NS
        )
        yield f"walks/{name}", fields


def odd(user: str, seed: int, unix_ns: int) -> list[PlantedDocument]:
    """Every kind that the contract leaves open, or forbids."""
    made = []
    for number, (what, change, more) in enumerate(_ODD):
        name, fields = _walk(f"odd{number}", user, _LARGE if what == NEAR_1_MIB else 3, seed, unix_ns - _DAY_NS)
        plant = PlantedDocument(what=what, name=name, fields=fields, means=fields, **more)
        made.append(change(plant))
    return made


def _walk(name: str, user: str, points: int, seed: int, began_ns: int) -> tuple[str, dict[str, Any]]:
    walking = Walking(seed, f"migration:{name}", started_unix_ns=began_ns)
    now_ns = began_ns + points * _NS
    located: tuple[Location, ...] = walking.batch(now_ns, points * _NS, points)
    body: WalkUpdate = walking.update(now_ns, _NS, completed=True)
    fields = document(
        walking.id, user, body, [location(each) for each in located],
        created_at=moment(began_ns), updated_at=moment(now_ns),
    )  # fmt: skip
    return document_id(walking.id), fields


def _with(**fields: Any) -> Callable[[PlantedDocument], PlantedDocument]:
    return lambda plant: msgspec.structs.replace(plant, fields={**plant.fields, **fields})


def _without(*names: str) -> Callable[[PlantedDocument], PlantedDocument]:
    def change(plant: PlantedDocument) -> PlantedDocument:
        left = {name: value for name, value in plant.fields.items() if name not in names}
        return msgspec.structs.replace(plant, fields=left, means=left)

    return change


def _points(**changes: Any) -> Callable[[PlantedDocument], PlantedDocument]:
    """The first location changed; ``...`` takes a key out."""

    def change(plant: PlantedDocument) -> PlantedDocument:
        first, *others = plant.fields["location_data"]
        made = {k: v for k, v in {**first, **changes}.items() if v is not ...}
        changed = {**plant.fields, "location_data": [made, *others]}
        return msgspec.structs.replace(plant, fields=changed, means=changed)

    return change


def _camel(plant: PlantedDocument) -> PlantedDocument:
    def renamed(name: str) -> str:
        first, *others = name.split("_")
        return first + "".join(each.capitalize() for each in others)

    return msgspec.structs.replace(plant, fields={renamed(name): each for name, each in plant.fields.items()})


def _nested(plant: PlantedDocument) -> PlantedDocument:
    first, *others = plant.fields["location_data"]
    place = {name: first[name] for name in ("latitude", "longitude")}
    made = {"coordinate": place} | {name: each for name, each in first.items() if name not in place}
    return msgspec.structs.replace(plant, fields={**plant.fields, "location_data": [made, *others]})


def _lower(plant: PlantedDocument) -> PlantedDocument:
    lower = plant.name.lower()
    return msgspec.structs.replace(plant, name=lower, fields={**plant.fields, "id": lower})


def _no_uuid(plant: PlantedDocument) -> PlantedDocument:
    return msgspec.structs.replace(plant, name=f"walk-{plant.name[:8]}", fields={**plant.fields, "id": "walk-1"})


def _ahead(plant: PlantedDocument) -> PlantedDocument:
    """Every time that the phone wrote, the document's own too, by a clock that is 9 hours ahead."""

    def ahead(value: Any) -> Any:
        return value + timedelta(hours=9) if isinstance(value, datetime) else value

    fields = {name: ahead(value) for name, value in plant.fields.items()}
    fields["location_data"] = [{name: ahead(each) for name, each in point.items()} for point in fields["location_data"]]
    return msgspec.structs.replace(plant, fields=fields, means=fields)


def _offset(plant: PlantedDocument) -> PlantedDocument:
    text = (plant.fields["created_at"] + timedelta(hours=9)).replace(tzinfo=None).isoformat() + "+09:00"
    columns = {"created_at": plant.fields["created_at"]}
    return msgspec.structs.replace(plant, fields={**plant.fields, "created_at": text}, columns=columns)


_REFUSED: dict[str, Any] = {"refused": True}
_ODD: tuple[tuple[str, Callable[[PlantedDocument], PlantedDocument], dict[str, Any]], ...] = (
    (gettext_noop("keys in camelCase"), _camel, {"columns": {"status": "completed"}}),
    (gettext_noop("an id in lower case"), _lower, {}),
    (gettext_noop("an id that is no UUID"), _no_uuid, _REFUSED),
    (gettext_noop("an id of another walk"), _with(id="0B3A6C9E-AAAA-4222-8333-444455556666"), _REFUSED),
    (gettext_noop("no description, steps, locations"), _without("description", "total_steps", "location_data"),
     {"columns": {"description": "", "total_steps": 0}, "locations": 0}),
    (gettext_noop("no user"), _without("user_id"), {"columns": {"user_id": None}}),
    (gettext_noop("a user whom Auth does not know"), _with(user_id="gone-user"), {"columns": {"user_id": "gone-user"}}),
    (gettext_noop("a map that has no column"), _with(weather={"sky": {"cover": 0.5}}), {}),
    (gettext_noop("a place in a nested map"), _nested, {}),
    (gettext_noop("the point 0.0, 0.0"), _points(latitude=0.0, longitude=0.0), {}),
    (gettext_noop("no created_at and no updated_at"), _without("created_at", "updated_at"), {}),
    (gettext_noop("a location without its time"), _points(timestamp=...), _REFUSED),
    (gettext_noop("a local time without its zone"), _with(created_at="2025-10-20 18:00:00"), _REFUSED),
    (gettext_noop("a time as text with its offset"), _offset, {}),
    (gettext_noop("a status in another spelling"), _with(status="inProgress"), {"columns": {"status": "in_progress"}}),
    (gettext_noop("a status that nobody knows"), _with(status="flying"), _REFUSED),
    (gettext_noop("a latitude of 91 degrees"), _points(latitude=91.0), _REFUSED),
    (gettext_noop("a distance that is text"), _with(total_distance="4321.5"), _REFUSED),
    (NEAR_1_MIB, lambda plant: plant, {"locations": _LARGE}),
    (gettext_noop("times of a clock 9 hours ahead"), _ahead, {}),
)  # fmt: skip
#: How many documents out of the ordinary are planted.
KINDS = len(_ODD)
