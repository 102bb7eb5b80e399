"""The Firestore document of a walk, as the app reads it: written after PostgreSQL, within a bounded wait.

Each check looks at one property alone and takes the rest as it comes (an id in lower case, keys in snake case), so
that one mistake is one deviation.
"""

from __future__ import annotations

from typing import Any

from harness.base.clock import polling
from harness.checks.contract.check import (
    MIRROR_LIMIT_S,
    ContractCaller,
    ContractClient,
    Deviates,
    decided,
    must_be,
    needs,
)
from harness.checks.contract.http import HttpExchange
from harness.checks.contract.reach import NotExercised
from harness.checks.contract.rows import checks, locations_of, updated_at
from harness.checks.contract.run import DeviationKind, document, firestore
from harness.checks.contract.shape import FULL_LOCATION, FULL_WALK, TIMES, location
from harness.model.message import Message, message
from harness.stack.firebase.documents import Fields, Value, instant

DUAL_WRITE = document("データ同期戦略")
CHECKS = checks("dual_write", firestore("fields"), DeviationKind.EFFECT)

_KINDS = {
    "id": "string",
    "user_id": "string",
    "title": "string",
    "description": "string",
    "start_time": "timestamp",
    "end_time": "timestamp",
    "paused_at": "timestamp",
    "total_distance": "double",
    "total_steps": "integer",
    "polyline_data": "string",
    "thumbnail_image_url": "string",
    "status": "string",
    "total_paused_duration": "double",
    "created_at": "timestamp",
    "updated_at": "timestamp",
}
_ABSENT_WHEN_NIL = ("start_time", "end_time", "paused_at", "polyline_data", "thumbnail_image_url")
_MIRRORED_S = 2.0  # a mirror that follows at once has written by then
_CAMEL = {"horizontal_accuracy": "horizontalAccuracy", "vertical_accuracy": "verticalAccuracy"}


async def _put(bench: ContractClient, body: dict[str, Any]) -> tuple[ContractCaller, str, HttpExchange, Fields]:
    """A walk by PUT, and its document."""
    me, walk_id = await bench.user(), bench.walk_id()
    exchange = await me.put_walk(walk_id, body)
    return me, walk_id, exchange, await _document(bench, walk_id, exchange)


async def _put_later(
    bench: ContractClient, before: HttpExchange, me: ContractCaller, walk_id: str, body: dict[str, Any]
) -> HttpExchange:
    """A PUT after another of the same walk; again a second later when ``updated_at`` does not tell the two apart.

    Whole seconds may be answered, and the document of the first PUT would be taken for that of the second.
    """
    exchange = await me.put_walk(walk_id, body)
    if updated_at(exchange) == updated_at(before):
        await bench.clock.sleep(1.0)
        exchange = await me.put_walk(walk_id, body)
    return exchange


async def _document(bench: ContractClient, walk_id: str, exchange: HttpExchange) -> Fields:
    return await bench.document(walk_id, updated_at(exchange))


@CHECKS("dual_write.written", f"a created walk's document is in Firestore within {MIRROR_LIMIT_S:g} s", DUAL_WRITE)
async def written(bench: ContractClient) -> None:
    """By POST and by PUT."""
    me = await bench.user()
    for walk_id in (await me.new_walk(), bench.walk_id()):
        exchange = bench.exchanges[-1] if bench.exchanges[-1].method == "POST" else None
        if exchange is None or walk_id not in exchange.body.decode(errors="replace"):
            exchange = await me.put_walk(walk_id, FULL_WALK)
        try:
            await bench.document(walk_id)
        except NotExercised as lacking:
            why = bench.ground.absences.mirror.reason or message("none")
            raise Deviates(_named(walk_id), why, exchange) from lacking


def _named(walk_id: str) -> Message:
    return message("a document {document}", document=f"walks/{walk_id.upper()}")


@CHECKS("dual_write.document_id", "the document's id is the walk's UUID in UPPER CASE", firestore("document"))
async def document_id(bench: ContractClient) -> None:
    """Swift's ``uuidString``."""
    _me, walk_id, exchange, _fields = await _put(bench, {"title": "散歩"})
    if await bench.ground.documents.get(walk_id.upper()) is None:
        raise Deviates(_named(walk_id), f"walks/{walk_id.lower()}", exchange)


@CHECKS("dual_write.types", "fields have the app's types: times timestamps, distances doubles, steps an integer")
async def types(bench: ContractClient) -> None:
    """Every field of a full walk, and of a bare one: 0 is a double too, whatever a client makes of whole numbers."""
    for body in (FULL_WALK, {"title": "散歩"}):
        _me, _walk_id, exchange, fields = await _put(bench, body)
        held = {name: fields[name].kind for name in _KINDS if name in fields}
        wanted = {name: _KINDS[name] for name in held}
        if body is not FULL_WALK:  # null for absent is another check's
            wanted |= {name: held[name] for name in _ABSENT_WHEN_NIL if name in held}
        must_be(message("types"), wanted, held, exchange)


@CHECKS("dual_write.values", "fields hold the walk's values, in snake case")
async def values(bench: ContractClient) -> None:
    """Every changeable field of a full walk, and whose it is."""
    me, _walk_id, exchange, fields = await _put(bench, FULL_WALK)
    for name, value in (FULL_WALK | {"user_id": me.uid}).items():
        held = fields.get(name)
        if held is None:
            none = message("no {name} among {fields}", name=name, fields=str(sorted(fields)))
            raise Deviates(f"{name} {value!r}", none, exchange)
        expected = instant(value) if name in TIMES else value
        if held.value != expected:
            raise Deviates(f"{name} {expected!r}", str(held), exchange)


@CHECKS(
    "dual_write.location_keys",
    "the keys of a location are in camelCase: horizontalAccuracy, verticalAccuracy",
    firestore("locations"),
)
async def location_keys(bench: ContractClient) -> None:
    """The app ignores a key it does not know, so snake case loses the accuracies silently."""
    _me, _walk_id, exchange, fields = await _put(bench, {"locations": [location(0)]})
    expected = sorted(_CAMEL.get(name, name) for name in FULL_LOCATION)
    for each in locations_of(fields):
        held = sorted(name for name in each if name != "sequenceNumber")
        must_be(message("keys"), expected, held, exchange)


@CHECKS("dual_write.location_values", "a location holds doubles, and its time as a timestamp", firestore("locations"))
async def location_values(bench: ContractClient) -> None:
    """Every field, whichever way its key is written."""
    _me, _walk_id, exchange, fields = await _put(bench, {"locations": [location(0)]})
    found = locations_of(fields)
    must_be(message("locations"), 1, len(found), exchange)
    for name, value in FULL_LOCATION.items():
        held = found[0].get(_CAMEL.get(name, name), found[0].get(name))
        expected = Value("timestamp", instant(value)) if name == "timestamp" else Value("double", value)
        if held != expected:
            raise Deviates(f"{name}: {expected}", f"{held}", exchange)


@CHECKS(
    "dual_write.location_order",
    "location_data is in walking order, however the locations were sent",
    firestore("locations"),
)
async def location_order(bench: ContractClient) -> None:
    """Two batches sent, the second from before the first."""
    me, walk_id = await bench.user(), bench.walk_id()
    before = await me.put_walk(walk_id, {"locations": [location(number, altitude=number + 0.5) for number in (3, 2)]})
    earlier = {"locations": [location(number, altitude=number + 0.5) for number in (1, 0)]}
    exchange = await _put_later(bench, before, me, walk_id, earlier)
    found = locations_of(await _document(bench, walk_id, exchange))
    held = [each["altitude"].value for each in found if "altitude" in each]
    if len(held) < 2:
        raise NotExercised(message("it needs two locations in the document; there are {count}", count=str(len(held))))
    must_be(message("altitudes"), sorted(held), held, exchange)


@CHECKS("dual_write.updated", "a changed walk's document follows", DUAL_WRITE)
async def updated(bench: ContractClient) -> None:
    """The title, and what a later PUT left alone."""
    me, walk_id, before, _fields = await _put(bench, FULL_WALK)
    exchange = await _put_later(bench, before, me, walk_id, {"title": "夜の散歩"})
    fields = await _document(bench, walk_id, exchange)
    held = {name: fields[name].value for name in ("title", "total_distance") if name in fields}
    must_be(message("fields"), {"title": "夜の散歩", "total_distance": FULL_WALK["total_distance"]}, held, exchange)


@CHECKS("dual_write.deleted", f"a deleted walk's document is removed within {MIRROR_LIMIT_S:g} s", DUAL_WRITE)
async def deleted(bench: ContractClient) -> None:
    """Once it was there."""
    me, walk_id, _exchange, _fields = await _put(bench, {"title": "散歩"})
    exchange = needs(await me.delete(walk_id))
    if not await bench.document_gone(walk_id):
        still = message("{what} is still there", what=f"walks/{walk_id.upper()}")
        raise Deviates(message("no document"), still, exchange)


@CHECKS("dual_write.foreign", "a refused write leaves no document", DUAL_WRITE)
async def foreign(bench: ContractClient) -> None:
    """A stranger's PUT of another's walk."""
    owner, walk_id, _exchange, _fields = await _put(bench, {"title": "本人の散歩"})
    stranger = await bench.user()
    exchange = await stranger.put(walk_id, {"title": "乗っ取り"})
    if 200 <= exchange.status < 300:
        raise NotExercised(message("the write was not refused"))
    again = polling(bench.clock, limit_s=_MIRRORED_S, every_s=0.1)
    while await again():  # before the owner's next write mends it
        _of_owner(await bench.document_now(walk_id) or {}, owner, exchange)
    later = await owner.put_walk(walk_id, {"description": "その後"})
    _of_owner(await _document(bench, walk_id, later), owner, exchange)
    decided(exchange)


def _of_owner(fields: Fields, owner: ContractCaller, exchange: HttpExchange) -> None:
    held = {name: fields[name].value for name in ("title", "user_id") if name in fields}
    must_be(message("fields"), {"title": "本人の散歩", "user_id": owner.uid}, held, exchange)
