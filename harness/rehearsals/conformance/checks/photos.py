"""Photos of walks in Storage: gone with their walk. A target that removes none does not handle Storage, and may."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from harness.base.clock import polling
from harness.checks.contract.check import Checks, ContractCaller, ContractClient, Deviates, decided, needs
from harness.checks.contract.http import HttpExchange
from harness.checks.contract.reach import NotExercised
from harness.checks.contract.run import DeviationKind, walk_api
from harness.load.population import thumbnail
from harness.model.message import message

CHECKS = Checks(walk_api("photos"), DeviationKind.EFFECT)
REMOVAL_LIMIT_S = 10.0  # from the answer; no document names a time
_POLL_S = 0.1
_LOOKED_AT_S = 1.0


async def _walk_with_thumbnail(bench: ContractClient, me: ContractCaller) -> tuple[str, str]:
    """A walk that names a thumbnail which is in Storage; its id and the object's name."""
    to, walk_id = bench.endpoints, bench.walk_id()
    if to.storage is None:
        raise NotExercised(message("it needs a stack with Storage"))
    name = thumbnail.object_name(me.uid, walk_id)
    content = thumbnail.image(bench.ground.seed, walk_id)
    await bench.ground.reach.put_photo(name, content, thumbnail.CONTENT_TYPE)
    url = thumbnail.url(to.storage_bucket, me.uid, walk_id)
    await me.put_walk(walk_id, {"title": "散歩", "thumbnail_image_url": url})
    return walk_id, name


async def _delete(bench: ContractClient, me: ContractCaller, walk_id: str, name: str) -> HttpExchange:
    """The DELETE, once the walk's thumbnail is gone. Raises ``NotExercised`` when it stays."""
    removals = bench.ground.absences.photos
    if removals.reason:
        raise NotExercised(removals.reason, allowed=True)
    exchange = needs(await me.delete(walk_id))
    again = polling(bench.clock, limit_s=REMOVAL_LIMIT_S, every_s=_POLL_S)
    while await bench.ground.reach.has_photo(name):
        if not await again():
            _stayed(bench, name, exchange)
    removals.came()
    return exchange


def _stayed(bench: ContractClient, name: str, exchange: HttpExchange) -> NoReturn:
    """A target that removed others leaves this one: a deviation. One that removed none may leave all to the app."""
    removals = bench.ground.absences.photos
    if removals.seen:
        raise Deviates(
            message("{name} gone within {seconds} s", name=name, seconds=f"{REMOVAL_LIMIT_S:g}"),
            message("still there"),
            exchange,
        )
    why = message(
        "the target does not handle Storage, and may leave it to the app: a deleted walk's thumbnail was still there "
        "after {limit} s",
        limit=f"{REMOVAL_LIMIT_S:g}",
    )
    removals.never_came(why)
    raise NotExercised(why, allowed=True)


async def _going(bench: ContractClient, names: Sequence[str]) -> list[str]:
    """Which of these thumbnails go within ``_LOOKED_AT_S``: a removal follows its request at some time."""
    again = polling(bench.clock, limit_s=_LOOKED_AT_S, every_s=_POLL_S)
    while not (gone := await _missing(bench, names)) and await again():
        pass
    return gone


async def _missing(bench: ContractClient, names: Sequence[str]) -> list[str]:
    return [each for each in names if not await bench.ground.reach.has_photo(each)]


async def _going_in_turn(bench: ContractClient, me: ContractCaller, names: Sequence[str]) -> list[str]:
    """The same, and where removals wait for each other until that of a walk deleted only now is done."""
    if gone := await _going(bench, names):
        return gone
    walk_id, name = await _walk_with_thumbnail(bench, me)
    await _delete(bench, me, walk_id, name)
    return await _missing(bench, names)


@CHECKS("photos.removed", f"a deleted walk's thumbnail is removed from Storage within {REMOVAL_LIMIT_S:g} s")
async def removed(bench: ContractClient) -> None:
    """And not before: the walk's own writes leave it alone."""
    me = await bench.user()
    walk_id, name = await _walk_with_thumbnail(bench, me)
    exchange = await me.put_walk(walk_id, {"title": "続き"})
    if await _going(bench, [name]):
        raise Deviates(message("{name} in Storage", name=name), message("gone after a PUT"), exchange)
    await _delete(bench, me, walk_id, name)


@CHECKS("photos.others_stay", "the thumbnails of other walks stay")
async def others_stay(bench: ContractClient) -> None:
    """Another walk of the same user, and one of somebody else's."""
    me, other = await bench.user(), await bench.user()
    walk_id, name = await _walk_with_thumbnail(bench, me)
    kept = [(await _walk_with_thumbnail(bench, who))[1] for who in (me, other)]
    exchange = await _delete(bench, me, walk_id, name)
    if gone := await _going_in_turn(bench, me, kept):
        wanted = message("the other walks' thumbnails in Storage")
        raise Deviates(wanted, message("gone: {names}", names=", ".join(gone)), exchange)


@CHECKS("photos.foreign", "a refused DELETE removes no thumbnail")
async def foreign(bench: ContractClient) -> None:
    """Of another's walk; looked at once the stranger's own DELETE has removed a thumbnail."""
    me, stranger = await bench.user(), await bench.user()
    kept_id, kept = await _walk_with_thumbnail(bench, me)
    exchange = await stranger.delete(kept_id)
    if 200 <= exchange.status < 300:
        raise NotExercised(message("the DELETE was not refused"))
    if await _going_in_turn(bench, stranger, [kept]):
        raise Deviates(message("{name} in Storage", name=kept), message("gone after a stranger's DELETE"), exchange)
    decided(exchange)
