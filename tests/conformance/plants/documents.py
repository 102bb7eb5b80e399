"""What is wrong outside PostgreSQL: the documents in Firestore, the photos, the log."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Callable
from typing import Any

import msgspec

from api.model import NewWalk, User, Walk, WalkChange, WalkDetail
from harness.stack.firebase.documents import Fields, Value
from tests.conformance.front import Answer, Call
from tests.conformance.in_process import POD, Target
from tests.conformance.plants.planting import Plants

PLANTS = Plants()

# -- Firestore -------------------------------------------------------------------------------------------------------


def _document(name: str, change: Callable[[WalkDetail, Fields], None], *finds: str) -> None:
    def plant(target: Target) -> None:
        real = target.firestore.content

        def content(walk: WalkDetail) -> Fields:
            held = real(walk)
            change(walk, held)
            return held

        target.firestore.content = content  # type: ignore[method-assign]

    PLANTS.add(name, plant, *finds)


def _located(held: Fields) -> list[Value]:
    return held["location_data"].value if "location_data" in held else []


def _in_locations(name: str, change: Callable[[Fields], None], *finds: str) -> None:
    def each(_walk: WalkDetail, held: Fields) -> None:
        for location in _located(held):
            change(location.value)

    _document(name, each, *finds)


def _lower_id(walk: WalkDetail, held: Fields) -> None:
    held["id"] = Value("string", walk.id.lower())


def _steps_double(_walk: WalkDetail, held: Fields) -> None:
    held["total_steps"] = Value("double", float(held["total_steps"].value))


def _whole_as_integers(_walk: WalkDetail, held: Fields) -> None:
    for name in ("total_distance", "total_paused_duration"):
        if held[name].value == int(held[name].value):
            held[name] = Value("integer", int(held[name].value))


def _no_description(_walk: WalkDetail, held: Fields) -> None:
    held["description"] = Value("string", "")


def _null_end(_walk: WalkDetail, held: Fields) -> None:
    held.setdefault("end_time", Value("null", 0))


def _no_empty_list(_walk: WalkDetail, held: Fields) -> None:
    if not _located(held):
        del held["location_data"]


def _turned(_walk: WalkDetail, held: Fields) -> None:
    if "location_data" in held:
        held["location_data"] = Value("array", _located(held)[::-1])


def _snake_case(held: Fields) -> None:
    if "horizontalAccuracy" in held:
        held["horizontal_accuracy"] = held.pop("horizontalAccuracy")


def _single_precision(held: Fields) -> None:
    (cut,) = struct.unpack("f", struct.pack("f", held["longitude"].value))
    held["longitude"] = Value("double", cut)


def _speed_0(held: Fields) -> None:
    if held["speed"].value == -1:
        held["speed"] = Value("double", 0.0)


_document("document_id_lower_case_inside", _lower_id, "dual_write.id")
_document("whole_doubles_as_integers", _whole_as_integers, "dual_write.types")
_document("steps_as_double", _steps_double, "dual_write.types")
_document("no_description_mirrored", _no_description, "dual_write.values")
_document("nil_as_null", _null_end, "dual_write.absent")
_document("empty_location_data_left_out", _no_empty_list, "dual_write.location_data")
_document("newest_location_first", _turned, "dual_write.location_order")
_in_locations("snake_case_locations", _snake_case, "dual_write.location_keys")
_in_locations("single_precision", _single_precision, "dual_write.location_values")
_in_locations("unknown_speed_0", _speed_0, "dual_write.unknown_speed")


@PLANTS("dual_write.document_id")
def lower_case_document(target: Target) -> None:
    """Named as PostgreSQL has it."""
    target.firestore.name = str.lower  # type: ignore[method-assign,assignment]


def _writes(name: str, skips: Callable[[Target, WalkDetail], object], *finds: str) -> None:
    """The mirror leaves a write out."""

    def plant(target: Target) -> None:
        real = target.firestore.write

        async def write(walk: WalkDetail, seen: object) -> None:
            if not skips(target, walk):
                await real(walk, seen)

        target.firestore.write = write  # type: ignore[method-assign]

    PLANTS.add(name, plant, *finds)


_writes("written_once", lambda target, walk: target.firestore.name(walk.id) in target.firestore.written,
        "dual_write.updated")  # fmt: skip


@PLANTS("dual_write.deleted")
def document_stays(target: Target) -> None:
    """Nobody deletes it."""

    async def delete(walk_id: str, seen: object, user_id: str) -> None:
        del walk_id, seen, user_id

    target.firestore.delete = delete  # type: ignore[method-assign]


@PLANTS("dual_write.written")
def creations_not_mirrored(target: Target) -> None:
    """What POST makes is mirrored with its first PUT."""
    made: set[str] = set()
    create, write = target.database.create_walk, target.firestore.write

    async def create_walk(user: User, walk_id: str, new: NewWalk) -> Walk:
        made.add(walk_id)
        return await create(user, walk_id, new)

    async def written(walk: WalkDetail, seen: object) -> None:
        if walk.id not in made or walk.updated_at != walk.created_at:
            await write(walk, seen)

    target.database.create_walk = create_walk  # type: ignore[method-assign]
    target.firestore.write = written  # type: ignore[method-assign]


@PLANTS("dual_write.foreign")
def refused_title_mirrored(target: Target) -> None:
    """The mirror takes what was sent, also from a PUT that was refused."""
    titles: dict[str, str] = {}
    put, real = target.database.put_walk, target.firestore.content

    async def put_walk(user: User, walk_id: str, change: WalkChange) -> Walk | None:
        walk = await put(user, walk_id, change)
        if walk is None:
            titles[walk_id] = str(change.title)
        return walk

    def content(walk: WalkDetail) -> Fields:
        held = real(walk)
        return held | {"title": Value("string", titles[walk.id])} if walk.id in titles else held

    target.database.put_walk = put_walk  # type: ignore[method-assign]
    target.firestore.content = content  # type: ignore[method-assign]


@PLANTS("dual_write.foreign")
def refused_write_mirrored_later(target: Target) -> None:
    """Firestore is written whoever asks, a second later; the owner's next write mends it."""

    def ask(call: Call) -> Answer | None:
        name = target.firestore.name(call.walk_id.lower())
        held = target.firestore.written.get(name)
        if call.method == "PUT" and held is not None and held.user_id != call.uid:
            changed = msgspec.structs.replace(held, title="?", user_id=call.uid)
            asyncio.get_running_loop().call_later(1.0, target.firestore.written.__setitem__, name, changed)
        return None

    target.front.before.append(ask)


# -- photos ----------------------------------------------------------------------------------------------------------


@PLANTS("photos.removed")
def photo_removed_by_put(target: Target) -> None:
    """A PUT of a walk that is there removes its photos."""

    def change(call: Call, answer: Answer) -> None:
        row = target.database.walk_row(call.walk_id)
        if call.method == "PUT" and answer.status == 200 and row["created_at"] != row["updated_at"]:
            _remove_later(target, f"/{call.walk_id.upper()}/")

    target.front.after.append(change)


@PLANTS("photos.others_stay")
def photos_of_all_walks_removed(target: Target) -> None:
    """All that the user has, the deleted walk's first."""
    real = target.parts.remove_walk

    async def remove_walk(user_id: str, walk_id: str) -> None:
        await real(user_id, walk_id)
        _remove_later(target, f"users/{user_id}/")

    target.parts.remove_walk = remove_walk  # type: ignore[method-assign]


@PLANTS("photos.foreign")
def photo_removed_by_refused_delete(target: Target) -> None:
    """A DELETE removes the photos, whosever the walk is."""

    def change(call: Call, answer: Answer) -> None:
        if call.method == "DELETE" and answer.status >= 400:
            _remove_later(target, f"/{call.walk_id.upper()}/")

    target.front.after.append(change)


def _remove_later(target: Target, part: str) -> None:
    """Beside whatever else the target does; those that are there now."""
    for name in [each for each in target.parts.photos if part in each]:
        asyncio.get_running_loop().call_later(0.5, target.parts.photos.pop, name, None)


# -- the log ---------------------------------------------------------------------------------------------------------


def _line(name: str, change: Callable[[dict[str, Any]], None], *finds: str) -> None:
    """Every line of the log is another."""

    def plant(target: Target) -> None:
        real = target.log_line

        def log_line(line: bytes) -> bytes:
            written = real(line)
            fields = json.loads(written)
            change(fields)
            return json.dumps(fields, ensure_ascii=False).encode() + b"\n"

        target.log_line = log_line

    PLANTS.add(name, plant, *finds)


def _renamed(was: str, becomes: str) -> Callable[[dict[str, Any]], None]:
    def change(fields: dict[str, Any]) -> None:
        if was in fields:
            fields[becomes] = fields.pop(was)

    return change


def _lower_severity(fields: dict[str, Any]) -> None:
    fields["severity"] = fields["severity"].lower()


def _since_1970(fields: dict[str, Any]) -> None:
    fields["timestamp"] = 1_760_918_400


_line("severity_in_lower_case", _lower_severity, "log.severity")
_line("message_as_msg", _renamed("message", "msg"), "log.message")
_line("pod_name_as_host", _renamed("pod_name", "host"), "log.pod_name")
_line("time_since_1970", _since_1970, "log.timestamp")
_line("walk_id_as_id", _renamed("walk_id", "id"), "log.walk_id")
_line("user_id_as_uid", _renamed("user_id", "uid"), "log.user_id")


@PLANTS("log.json")
def access_log_beside(target: Target) -> None:
    """The web server writes lines of its own."""

    def change(call: Call, answer: Answer) -> None:
        if call.uid:
            _write_later(target, f'127.0.0.1 - "{call.method} {call.path}" {answer.status}\n'.encode())

    target.front.after.append(change)


def _write_later(target: Target, line: bytes) -> None:
    """Once the answer is out: the line of the request itself is there before."""
    asyncio.get_running_loop().call_later(0.1, target.write, line)


def _headers(call: Call) -> bytes:
    line = {
        "severity": "DEBUG",
        "message": f"headers {call.headers}",
        "pod_name": POD,
        "timestamp": "2025-10-20T00:00:00Z",
    }
    return json.dumps(line).encode() + b"\n"


@PLANTS("log.no_token")
def headers_logged(target: Target) -> None:
    """For finding defects."""

    def change(call: Call, _answer: Answer) -> None:
        if call.uid:
            _write_later(target, _headers(call))

    target.front.after.append(change)


@PLANTS("log.no_token")
def refused_headers_logged(target: Target) -> None:
    """For finding out why."""

    def change(call: Call, answer: Answer) -> None:
        if answer.status == 401 and "authorization" in call.headers:
            target.write(_headers(call))

    target.front.after.append(change)
