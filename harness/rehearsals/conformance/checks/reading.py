"""How the app will read it: what Swift's decoder refuses, or reads as something else. Advice, each of it.

Each check looks at every answer that holds walks: to POST, PUT, GET of one and of the list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from harness.checks.contract.check import WALKS, Checks, ContractClient, Deviates
from harness.checks.contract.http import HttpExchange
from harness.checks.contract.reach import NotExercised
from harness.checks.contract.run import DeviationKind, walk_api
from harness.checks.contract.shape import FULL_WALK, STATUSES, location
from harness.model.message import Message, message

CHECKS = Checks(walk_api("reading-in-the-app"), DeviationKind.BODY, advice=True)

_FRACTION = re.compile(r"T\d\d:\d\d:\d\d\.\d+")
_TIMES = ("start_time", "end_time", "paused_at", "created_at", "updated_at", "timestamp")
_NUMBERS = ("total_distance", "total_steps", "total_paused_duration", "latitude", "longitude", "sequence_number")
#: Not optional in the app's type: it has a default, which a missing key or null does not give it.
_NEVER_NULL = ("title", "description", "total_distance", "total_steps", "total_paused_duration", "status", "locations")

_LIST = message("the list")


class _Answer(msgspec.Struct, frozen=True):
    """One object of an answer: a walk or one of its locations, and where it stood."""

    where: str | Message
    fields: dict[str, Any]
    exchange: HttpExchange


def _in(answer: _Answer, what: str) -> Message:
    return message("{what} in {answer}", what=what, answer=answer.where)


async def _answers(bench: ContractClient) -> list[_Answer]:
    """Every walk and location of the four answers. Raises ``NotExercised`` when none holds any."""
    me, walk_id = await bench.user(), bench.walk_id()
    bodies: list[tuple[str | Message, HttpExchange]] = [
        ("POST", await me.post({"title": "朝の散歩"})),
        ("PUT", await me.put(walk_id, FULL_WALK | {"locations": [location(0)]})),
        ("GET", await me.get(f"{WALKS}/{walk_id}")),
        (_LIST, await me.get(f"{WALKS}?page=1&limit=20")),
    ]
    found = [answer for where, exchange in bodies if exchange.status < 300 for answer in _objects(where, exchange)]
    if not found:
        raise NotExercised(message("it needs an answer with a walk: {answer}", answer=bodies[0][1].shown))
    return found


def _objects(where: str | Message, exchange: HttpExchange) -> Iterator[_Answer]:
    body = exchange.json()
    if not isinstance(body, dict):
        return
    walks = body.get("walks") if where == _LIST else [body]
    for walk in walks if isinstance(walks, list) else ():
        if isinstance(walk, dict):
            yield _Answer(message("a walk of {answer}", answer=where), walk, exchange)
            points = walk.get("locations")
            for point in points if isinstance(points, list) else ():
                if isinstance(point, dict):
                    yield _Answer(message("a location of {answer}", answer=where), point, exchange)


@CHECKS("app.times", "times have no fractional seconds, which Swift's .iso8601 does not read")
async def times(bench: ContractClient) -> None:
    """The whole body fails to decode for one of them."""
    for answer in await _answers(bench):
        for name in _TIMES:
            value = answer.fields.get(name)
            if isinstance(value, str) and _FRACTION.search(value):
                wanted = message("whole seconds, or a decoder in the app that reads fractions (.withFractionalSeconds)")
                raise Deviates(wanted, _in(answer, f"{name} {value!r}"), answer.exchange)


@CHECKS("app.statuses", "a status is one that the app's enum knows")
async def statuses(bench: ContractClient) -> None:
    """One that is not fails the walk, and the list that holds it."""
    for answer in await _answers(bench):
        value = answer.fields.get("status", STATUSES[0])
        if isinstance(value, str) and value not in STATUSES:
            wanted = message("one of {values}", values=", ".join(STATUSES))
            raise Deviates(wanted, _in(answer, f"{value!r}"), answer.exchange)


@CHECKS("app.nulls", "what has a default in the app is not null")
async def nulls(bench: ContractClient) -> None:
    """A description that nobody gave is an empty text there."""
    for answer in await _answers(bench):
        for name in _NEVER_NULL:
            if name in answer.fields and answer.fields[name] is None:
                raise Deviates(message("{name} with its default", name=name), _in(answer, "null"), answer.exchange)


@CHECKS("app.numbers", "numbers are JSON numbers, which Swift does not read from texts")
async def numbers(bench: ContractClient) -> None:
    """A decimal of a database driver is a text in some languages."""
    for answer in await _answers(bench):
        for name in _NUMBERS:
            if isinstance(answer.fields.get(name), str):
                wanted, held = message("{name} as a number", name=name), f"{answer.fields[name]!r}"
                raise Deviates(wanted, _in(answer, held), answer.exchange)
