"""The contract's bodies, field by field: what is wrong with one, in words.

Bodies that are right: what the checks send, and vary.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from harness.model.message import Message, message

TIMES = ("start_time", "end_time", "paused_at")

#: Every changeable field of a walk, with values that a mix-up of fields or units would show.
FULL_WALK: dict[str, Any] = {
    "title": "夕方の散歩",
    "description": "公園まで",
    "start_time": "2025-10-20T08:00:00.125Z",
    "end_time": "2025-10-20T09:30:00.5Z",
    "paused_at": "2025-10-20T08:45:00Z",
    "total_distance": 4321.5,
    "total_steps": 6789,
    "polyline_data": "_p~iF~ps|U_ulLnnqC",
    "thumbnail_image_url": "https://images.invalid/walk.jpg",
    "status": "completed",
    "total_paused_duration": 61.25,
}

#: Every field of a location, all known.
FULL_LOCATION: dict[str, Any] = {
    "latitude": 35.681236,
    "longitude": 139.767125,
    "altitude": 12.5,
    "timestamp": "2025-10-20T08:00:01.250Z",
    "horizontal_accuracy": 4.75,
    "vertical_accuracy": 3.25,
    "speed": 1.375,
    "course": 271.5,
}


def location(number: int, **changes: Any) -> dict[str, Any]:
    """A location with that sequence number; a field changed to ``...`` is left out."""
    body = FULL_LOCATION | {"sequence_number": number} | changes
    return {name: value for name, value in body.items() if value is not ...}


CODES = ("INVALID_REQUEST", "UNAUTHORIZED", "FORBIDDEN", "NOT_FOUND", "CONFLICT", "INTERNAL_ERROR", "RATE_LIMITED")
STATUSES = ("not_started", "in_progress", "paused", "completed")

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.IGNORECASE)

Test = Callable[[Any], bool]


def is_time(value: object) -> bool:
    """RFC 3339, with its offset."""
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value.upper())
    except ValueError:
        return False
    return True


def is_uuid(value: object) -> bool:
    """A UUID text."""
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def is_text(value: object) -> bool:
    """A JSON string."""
    return isinstance(value, str)


def is_number(value: object) -> bool:
    """A JSON number; a whole one may be written without its point."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_whole(value: object) -> bool:
    """A JSON number without a fraction."""
    return is_number(value) and float(value) == int(value)  # type: ignore[arg-type,call-overload]  # a number


def _or_null(test: Test) -> Test:
    return lambda value: value is None or test(value)


#: Field, what it must be, in words.
WALK: dict[str, tuple[Test, str | Message]] = {
    "id": (is_uuid, message("a UUID")),
    "user_id": (is_text, message("the Firebase uid")),
    "title": (is_text, message("a string")),
    "description": (is_text, message("a string")),
    "start_time": (_or_null(is_time), message("RFC 3339 or null")),
    "end_time": (_or_null(is_time), message("RFC 3339 or null")),
    "paused_at": (_or_null(is_time), message("RFC 3339 or null")),
    "total_distance": (is_number, message("a number")),
    "total_steps": (is_whole, message("a whole number")),
    "polyline_data": (_or_null(is_text), message("a string or null")),
    "thumbnail_image_url": (_or_null(is_text), message("a string or null")),
    "status": (lambda value: value in STATUSES, message("one of {values}", values=", ".join(STATUSES))),
    "total_paused_duration": (is_number, message("a number")),
    "created_at": (is_time, "RFC 3339"),
    "updated_at": (is_time, "RFC 3339"),
}
LOCATION: dict[str, tuple[Test, str | Message]] = {
    "latitude": (is_number, message("a number")),
    "longitude": (is_number, message("a number")),
    "timestamp": (is_time, "RFC 3339"),
    "sequence_number": (is_whole, message("a whole number")),
}
LOCATION_OPTIONAL = ("altitude", "horizontal_accuracy", "vertical_accuracy", "speed", "course")


def problems(
    body: object,
    form: Mapping[str, tuple[Test, str | Message]],
    optional: Collection[str] = (),
    nullable: Collection[str] = (),
) -> list[Message]:
    """What is wrong with ``body``. Fields beyond ``form`` are nobody's harm; some may be absent, or null."""
    if not isinstance(body, dict):
        return [message("{body} is no object", body=f"{body!r:.100}")]
    found = []
    for name, (test, words) in form.items():
        if name not in body:
            if name not in optional:
                found.append(message("{name} is missing ({what})", name=name, what=words))
        elif not (test(body[name]) or (body[name] is None and name in nullable)):
            found.append(_is_not(name, body[name], words))
    return found


def _is_not(name: str, value: object, wanted: str | Message) -> Message:
    return message("{name} is {value}, not {wanted}", name=name, value=f"{value!r:.100}", wanted=wanted)


def location_problems(body: object) -> list[Message]:
    """What is wrong with one location; its optional fields may be null or absent."""
    found = problems(body, LOCATION)
    if isinstance(body, dict):
        for name in LOCATION_OPTIONAL:
            if not (body.get(name) is None or is_number(body[name])):
                found.append(_is_not(name, body[name], message("a number, null or absent")))
    return found


def error_problems(body: object, code: str) -> list[Message]:
    """What is wrong with an error body that must carry ``code``."""
    if not isinstance(body, dict) or not isinstance(body.get("error"), dict):
        return [message("it is no {form}", form='{"error": {...}}')]
    error = body["error"]
    found = []
    if error.get("code") not in CODES:
        found.append(_is_not("error.code", error.get("code", "missing"), message("one of the contract's")))
    elif error["code"] != code:
        found.append(_is_not("error.code", error["code"], repr(code)))
    if not is_text(error.get("message")) or not error["message"]:
        found.append(message("{name} is no text", name="error.message"))
    return found


def same_time(one: object, other: object) -> bool:
    """Whether two RFC 3339 texts name the same millisecond; the first, which is answered, may have whole seconds."""
    if not (is_time(one) and is_time(other)):
        return False
    a, b = (datetime.fromisoformat(str(text).upper()).timestamp() for text in (one, other))
    return abs(a - b) < 0.001 or a == b // 1


def of_contract(walk: object) -> object:
    """A walk without the fields that are the target's own: those beyond the contract's are nobody's harm."""
    if not isinstance(walk, dict):
        return walk
    known = {name: value for name, value in walk.items() if name in WALK}
    if isinstance(locations := walk.get("locations"), list):
        fields = {*LOCATION, *LOCATION_OPTIONAL}
        known["locations"] = [
            {name: value for name, value in each.items() if name in fields} if isinstance(each, dict) else each
            for each in locations
        ]
    return known
