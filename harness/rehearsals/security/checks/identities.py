"""Who asks, what, and of whose walk: three identities on every call, for their own walk, another's, and none.

The identities are nobody (no token), a user, and that user with a token that has expired.
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from harness.base.clock import NS, unix_ns
from harness.checks.contract.check import (
    WALKS,
    Checks,
    ContractCaller,
    ContractClient,
    Deviates,
    must,
    must_be,
    must_carry,
    must_not_fail,
    needs,
)
from harness.checks.contract.http import HttpExchange
from harness.checks.contract.people import changed
from harness.checks.contract.run import DeviationKind, walk_api
from harness.checks.contract.shape import location
from harness.model.message import message
from harness.rehearsals.security.checks.tokens import Victim

CHECKS = Checks(walk_api("ownership"), DeviationKind.STATUS)


class Who(StrEnum):
    """Who asks."""

    NOBODY = "nobody"
    USER = "user"
    EXPIRED = "expired"


class Whose(StrEnum):
    """Whose walk is named."""

    OWN = "own"
    OTHERS = "others"
    ABSENT = "absent"


_WORDS = {
    Who.NOBODY: "nobody",
    Who.USER: "a user",
    Who.EXPIRED: "a user whose token has expired",
    Whose.OWN: "its own walk",
    Whose.OTHERS: "another's walk",
    Whose.ABSENT: "a walk that is not there",
}
#: What a user gets; whoever is no user gets 401.
_EXPECTED = {
    ("GET", Whose.OWN): 200,
    ("GET", Whose.OTHERS): 404,
    ("GET", Whose.ABSENT): 404,
    ("PUT", Whose.OWN): 200,
    ("PUT", Whose.OTHERS): 404,
    ("PUT", Whose.ABSENT): 200,  # it is made, as its sender's
    ("DELETE", Whose.OWN): 204,
    ("DELETE", Whose.OTHERS): 404,
    ("DELETE", Whose.ABSENT): 404,
}
_WORD = re.compile(r'[^\s"{}\[\],:]+|[{}\[\]]')
_CODES = {401: "UNAUTHORIZED", 404: "NOT_FOUND"}


class _Two(msgspec.Struct, frozen=True):
    """Two users with a walk each; ``asking`` is how the first asks."""

    mine: Victim
    theirs: Victim
    asking: ContractCaller

    def named(self, whose: Whose) -> str:
        """The walk's id."""
        return {Whose.OWN: self.mine.walk_id, Whose.OTHERS: self.theirs.walk_id, Whose.ABSENT: self.mine.absent}[whose]


async def _two(bench: ContractClient, who: Who) -> _Two:
    me, other = await bench.user(), await bench.user()
    mine, theirs = await Victim(bench, me).settle(), await Victim(bench, other).settle()
    if who is Who.USER:
        return _Two(mine, theirs, me)
    if who is Who.NOBODY:
        return _Two(mine, theirs, bench.nobody)
    assert me.token is not None
    begun = unix_ns(bench.clock.anchor, bench.clock.now_ns()) // NS - 7200
    old = changed(me.token, iat=begun, auth_time=begun, exp=begun + 3600)
    return _Two(mine, theirs, bench.with_token(old))


def _answered(two: _Two, who: Who, expected: int, exchange: HttpExchange, *, shows: Victim | None = None) -> None:
    """Deviates for a leak first, then for the status, then for the body."""
    for victim in (two.mine, two.theirs):
        if victim is not shows and victim.told_in(exchange):
            raise Deviates(
                message("nothing of a walk that is not the caller's"),
                message("its description"),
                exchange,
                DeviationKind.LEAK,
            )
    status = expected if who is Who.USER else 401
    must(exchange, status)
    if status in _CODES:
        must_carry(exchange, status, _CODES[status])


def _of_walk(who: Who, method: str, whose: Whose) -> None:
    status = _EXPECTED[method, whose] if who is Who.USER else 401
    sentence = f"{_WORDS[who]} asks {method} of {_WORDS[whose]}: {status}"

    @CHECKS(f"identity.{who}.{method.lower()}.{whose}", sentence)
    async def asked(bench: ContractClient) -> None:
        two = await _two(bench, who)
        walk_id = two.named(whose)
        body = {"title": "乗っ取り"} if method == "PUT" else None
        exchange = await two.asking.send(method, f"{WALKS}/{walk_id}", body)
        shows = two.mine if whose is Whose.OWN and who is Who.USER else None
        _answered(two, who, _EXPECTED[method, whose], exchange, shows=shows)
        await two.theirs.untouched(exchange)
        if who is not Who.USER:
            await two.mine.untouched(exchange)
        elif method == "DELETE" and whose is Whose.OWN:
            must_be(
                message("status of a deleted walk"), 404, (await two.mine.me.get(f"{WALKS}/{walk_id}")).status, exchange
            )


def _of_walks(who: Who) -> None:
    status, made = (200, "its own") if who is Who.USER else (401, "401")

    @CHECKS(f"identity.{who}.list", f"{_WORDS[who]} asks for the list of walks: {status}")
    async def listed(bench: ContractClient) -> None:
        two = await _two(bench, who)
        exchange = await two.asking.get(WALKS)
        _answered(two, who, 200, exchange, shows=two.mine)
        if who is Who.USER:
            body = exchange.json()
            found = body.get("walks") if isinstance(body, dict) else None
            ids = [str(each.get("id")).lower() for each in found or () if isinstance(each, dict)]
            must_be(
                message("ids in the list"),
                [two.mine.walk_id],
                ids,
                exchange,
                DeviationKind.LEAK if len(ids) > 1 else DeviationKind.BODY,
            )

    @CHECKS(f"identity.{who}.create", f"{_WORDS[who]} makes a walk in another's name: {made}")
    async def created(bench: ContractClient) -> None:
        two = await _two(bench, who)
        exchange = await two.asking.post({"title": "散歩", "user_id": two.theirs.me.uid, "id": two.theirs.walk_id})
        refused = who is Who.USER and exchange.status == 400  # for fields that no request has
        _answered(two, who, 400 if refused else 201, exchange)
        if refused:
            must(await two.asking.post({"title": "散歩"}), 201)
        await two.theirs.untouched(exchange)
        if who is not Who.USER:
            await two.mine.untouched(exchange)


for _who in Who:
    _of_walks(_who)
    for _method, _whose in _EXPECTED:
        if (_who, _whose) != (Who.NOBODY, Whose.OWN):  # nobody has none
            _of_walk(_who, _method, _whose)


@CHECKS("identity.alike", "another's walk and none answer alike", finding=DeviationKind.LEAK)
async def alike(bench: ContractClient) -> None:
    """Whoever can tell the two apart learns which ids are walks: status, body and headers, but for the ids."""
    two = await _two(bench, Who.USER)

    async def answer(method: str, walk_id: str) -> tuple[HttpExchange, list[str]]:
        exchange = must_not_fail(await two.asking.send(method, f"{WALKS}/{walk_id}"))
        body = exchange.body.decode(errors="replace").lower().replace(walk_id, "{id}")
        return exchange, [str(exchange.status), *sorted(exchange.headers), *_WORD.findall(body)]

    for method in ("GET", "DELETE"):
        _, none = await answer(method, two.mine.absent)
        exchange, others = await answer(method, two.theirs.walk_id)  # between: a time that both have, it has too
        _, again = await answer(method, bench.walk_id())
        if len(none) == len(again) == len(others):  # what every answer has of its own: a request's id, a time
            others = [each if none[n] == again[n] else none[n] for n, each in enumerate(others)]
        must_be(
            message("{method} of another's walk, as of none:", method=method),
            " ".join(none),
            " ".join(others),
            exchange,
        )


@CHECKS(
    "identity.mass_assignment",
    "a PUT cannot change whose a walk is, nor when it was made",
    finding=DeviationKind.EFFECT,
)
async def mass_assignment(bench: ContractClient) -> None:
    """Fields of the answer that no request may set, and the column that a location's walk stands in."""
    two = await _two(bench, Who.USER)
    before = await two.mine.me.walk(two.mine.walk_id)
    body = {"user_id": two.theirs.me.uid, "id": two.theirs.walk_id, "created_at": "2001-01-01T00:00:00Z"}
    exchange = await two.mine.me.put(two.mine.walk_id, body)
    if exchange.status != 400:
        needs(exchange)
    read = await two.mine.me.get(f"{WALKS}/{two.mine.walk_id}")
    after = read.json() if read.status == 200 else {}
    for name in ("id", "user_id", "created_at"):
        must_be(name, before.get(name), after.get(name) if isinstance(after, dict) else None, exchange)
    await two.theirs.untouched(exchange)
    exchange = await two.mine.me.put(two.mine.walk_id, {"locations": [location(0, walk_id=two.theirs.walk_id)]})
    if exchange.status != 400:
        needs(exchange)
    await two.theirs.untouched(exchange)
