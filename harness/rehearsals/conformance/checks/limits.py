"""The contract's limits, on both sides of each."""

from __future__ import annotations

from typing import Any

from harness.contract.bench import WALKS, Bench
from harness.contract.check import Checks, must, must_be, needs
from harness.contract.grade import Finding, walk_api
from harness.contract.samples import FULL_LOCATION, location
from harness.model.message import message

CHECKS = Checks(walk_api("limits"), Finding.STATUS)

LOCATIONS_MAX = 20_000  # ours, as RATE_LIMITED is: the contract names no end
_AT_ONCE = 5_000  # below any bearable limit of a body


def _text(length: int) -> str:
    return "x" * length


def _post(id_: str, sentence: str, field: str) -> None:
    rule = f"create.{field}.maxLength"

    async def taken(bench: Bench) -> None:
        me = await bench.user()
        await me.new_walk()
        exchange = await me.post({"title": "散歩", field: _text(bench.rule(rule))})
        if not 200 <= exchange.status < 300:
            must(exchange, 201)

    async def refused(bench: Bench) -> None:
        me = await bench.user()
        needs(await me.post({"title": "散歩", field: _text(bench.rule(rule))}))
        must(await me.post({"title": "散歩", field: _text(bench.rule(rule) + 1)}), 400)

    CHECKS.add(f"{id_}.largest", f"{sentence}: the largest is taken", taken)
    CHECKS.add(f"{id_}.beyond", f"{sentence}: one more gets 400", refused)


_post("limits.title.post", "title has 1..255 characters in POST", "title")
_post("limits.description.post", "description has at most 1000 characters in POST", "description")


@CHECKS("limits.title.characters", "title's 255 are characters, not bytes")
async def title_characters(bench: Bench) -> None:
    """255 of three bytes each, kept whole."""
    me = await bench.user()
    longest = bench.rule("create.title.maxLength")
    await me.new_walk("x" * longest)
    title = "歩" * longest
    exchange = await me.post({"title": title})
    if not 200 <= exchange.status < 300:
        must(exchange, 201)
    body = exchange.json()
    must_be("title", title, body.get("title") if isinstance(body, dict) else None, exchange, Finding.BODY)


@CHECKS("limits.title.required", "title is required in POST, and not empty")
async def title_required(bench: Bench) -> None:
    """Absent, null, empty."""
    me = await bench.user()
    await me.new_walk()
    for body in ({}, {"title": None}, {"title": ""}, {"description": "題なし"}):
        must(await me.post(body), 400)


def _put_refused(id_: str, sentence: str, *bodies: dict[str, Any]) -> None:
    async def refused(bench: Bench) -> None:
        me = await bench.user()
        walk_id = await me.new_walk()
        await me.put_walk(walk_id, {"total_steps": 1, "locations": [location(0)]})
        for body in bodies:
            must(await me.put(walk_id, body), 400)

    CHECKS.add(id_, sentence, refused)


def _put_beyond(id_: str, sentence: str, field: str, *bodies: dict[str, Any]) -> None:
    """A text one character longer than its field takes, and ``bodies``, get 400."""

    async def refused(bench: Bench) -> None:
        me = await bench.user()
        walk_id = await me.new_walk()
        await me.put_walk(walk_id, {"total_steps": 1})
        begin = "https://images.invalid/" if field.endswith("_url") else ""
        longer = begin + _text(bench.rule(f"put.{field}.maxLength") + 1 - len(begin))
        for body in (*bodies, {field: longer}):
            must(await me.put(walk_id, body), 400)

    CHECKS.add(id_, sentence, refused)


def _put_taken(id_: str, sentence: str, *bodies: dict[str, Any]) -> None:
    async def taken(bench: Bench) -> None:
        me = await bench.user()
        walk_id = await me.new_walk()
        await me.put_walk(walk_id, {"total_steps": 1, "locations": [location(0)]})
        for body in bodies:
            must(await me.put(walk_id, body), bench.rule("put.status"))

    CHECKS.add(id_, sentence, taken)


def _at(**changes: Any) -> dict[str, Any]:
    return {"locations": [location(1, **changes)]}


_START, _EARLIER = "2025-10-20T09:00:00Z", "2025-10-20T08:59:59Z"

_put_beyond("limits.title.put", "title has 1..255 characters in PUT", "title", {"title": ""})
_put_beyond("limits.description.put", "description has at most 1000 characters in PUT", "description")
_put_refused(
    "limits.latitude.beyond",
    "latitude is within -90..90",
    _at(latitude=90.0001),
    _at(latitude=-90.0001),
    _at(latitude=1e10),
)
_put_refused(
    "limits.longitude.beyond",
    "longitude is within -180..180",
    _at(longitude=180.0001),
    _at(longitude=-180.0001),
)
_put_taken(
    "limits.position.ends",
    "latitude -90 and 90, longitude -180 and 180 are valid",
    _at(latitude=-90, longitude=-180),
    _at(latitude=90.0, longitude=180.0),
)
_put_refused(
    "limits.location.required", "a location has a latitude and a longitude", _at(latitude=...), _at(longitude=...)
)
_put_refused("limits.location.number", "a location has a sequence_number", _at(sequence_number=...))
_put_refused(
    "limits.status", "status is one of the four", {"status": "flying"}, {"status": ""}, {"status": "COMPLETED"}
)
_put_taken(
    "limits.statuses",
    "each of the four statuses is taken",
    *({"status": word} for word in ("not_started", "in_progress", "paused", "completed")),
)
_put_refused("limits.end_before_start", "an end is not before its start", {"start_time": _START, "end_time": _EARLIER})
_put_refused("limits.end_without_start", "an end needs a start", {"end_time": _START})
_put_refused(
    "limits.negative",
    "no distance, steps or paused duration is negative",
    {"total_distance": -0.5},
    {"total_steps": -1},
    {"total_paused_duration": -0.5},
)
_put_beyond("limits.thumbnail", "thumbnail_image_url has at most 500 characters", "thumbnail_image_url")


@CHECKS("limits.latitude.zero", "0.0 is a valid latitude")
async def zero_latitude(bench: Bench) -> None:
    """A target that takes zero for absent loses the equator."""
    me, walk_id = await bench.user(), bench.walk_id()
    await me.put_walk(walk_id, {"locations": [location(0)]})
    exchange = must(await me.put(walk_id, {"locations": [location(1, latitude=0.0)]}), bench.rule("put.status"))
    held = [each.get("latitude") for each in await me.locations(walk_id) if each.get("sequence_number") == 1]
    must_be("latitude", [0.0], held, exchange, Finding.EFFECT)


@CHECKS("limits.longitude.zero", "0.0 is a valid longitude")
async def zero_longitude(bench: Bench) -> None:
    """Greenwich likewise."""
    me, walk_id = await bench.user(), bench.walk_id()
    await me.put_walk(walk_id, {"locations": [location(0)]})
    exchange = must(await me.put(walk_id, {"locations": [location(1, longitude=0.0)]}), bench.rule("put.status"))
    held = [each.get("longitude") for each in await me.locations(walk_id) if each.get("sequence_number") == 1]
    must_be("longitude", [0.0], held, exchange, Finding.EFFECT)


@CHECKS(
    "limits.locations.in_all",
    f"a walk has at most {LOCATIONS_MAX:,} locations in all: one more gets 400, unstored",
    walk_api("most-locations"),
    advice=True,
)
async def locations_in_all(bench: Bench) -> None:
    """A limit for each body alone is none: the whole walk is read by every GET, and by the mirror after every PUT."""
    me, walk_id = await bench.user(), bench.walk_id()
    few = {name: ... for name in FULL_LOCATION if name not in ("latitude", "longitude", "timestamp")}
    for first in range(0, LOCATIONS_MAX, _AT_ONCE):
        await me.put_walk(walk_id, {"locations": [location(n, **few) for n in range(first, first + _AT_ONCE)]})
    must(await me.put(walk_id, {"title": "長い散歩", "locations": [location(LOCATIONS_MAX, **few)]}), 400)
    exchange = needs(await me.get(f"{WALKS}/{walk_id}"))
    must_be(message("locations"), LOCATIONS_MAX, len(await me.locations(walk_id)), exchange, Finding.EFFECT)


def _query(id_: str, sentence: str, name: str, bad: tuple[int, ...]) -> None:
    rule, other = f"list.{name}.maximum", "limit=20" if name == "page" else "page=1"

    async def taken(bench: Bench) -> None:
        me = await bench.user()
        needs(await me.get(f"{WALKS}?page=1&limit=20"))
        for value in (1, bench.rule(rule)):
            must(await me.get(f"{WALKS}?{other}&{name}={value}"), 200)

    async def refused(bench: Bench) -> None:
        me = await bench.user()
        needs(await me.get(f"{WALKS}?page=1&limit=20"))
        for value in (*bad, bench.rule(rule) + 1):
            must(await me.get(f"{WALKS}?{name}={value}"), 400)

    CHECKS.add(f"{id_}.ends", f"{sentence}: both ends are taken", taken, walk_api("list"))
    CHECKS.add(f"{id_}.beyond", f"{sentence}: all else gets 400", refused, walk_api("list"))


_query("limits.page", "page is 1..1000", "page", (0, -1))
_query("limits.limit", "limit is 1..100", "limit", (0, -5))
