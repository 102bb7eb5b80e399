"""An invalid id, body or query answers 400, never 500."""

from __future__ import annotations

from harness.contract.bench import WALKS, Bench
from harness.contract.check import Checks, Deviates, must, must_not_fail, needs
from harness.contract.grade import Finding, walk_api
from harness.contract.samples import location
from harness.model.message import message

CHECKS = Checks(walk_api("bad-requests"), Finding.STATUS)

_DEEP = 50_000
_TOO_LARGE = 6_000_000


@CHECKS("bad_input.id", "an id that is no UUID answers 400")
async def bad_id(bench: Bench) -> None:
    """To every call that takes one."""
    me = await bench.user()
    needs(await me.get(WALKS))
    for word in ("not-a-uuid", "123", "zzzzzzzz-zzzz-4zzz-8zzz-zzzzzzzzzzzz", "%00", "%F0%28", "%27%3B--", "a" * 400):
        for method, body in (("GET", None), ("PUT", {"title": "散歩"}), ("DELETE", None)):
            must(await me.send(method, f"{WALKS}/{word}", body), 400)


@CHECKS("bad_input.query", "a query that is no number answers 400")
async def bad_query(bench: Bench) -> None:
    """Words, fractions, numbers beyond any integer, NUL."""
    me = await bench.user()
    needs(await me.get(f"{WALKS}?page=1&limit=20"))
    for value in ("one", "1.5", "99999999999999999999", "%00", "0x1", "NaN"):
        must(await me.get(f"{WALKS}?page={value}"), 400)
        must(await me.get(f"{WALKS}?limit={value}"), 400)


def _refused(id_: str, sentence: str, *bodies: object, put: bool = True, post: bool = True) -> None:
    """Each body gets 400: to POST beside a good title where it has one, and to PUT."""

    async def refused(bench: Bench) -> None:
        me = await bench.user()
        walk_id = await me.new_walk()
        await me.put_walk(walk_id, {"total_steps": 1})
        for body in bodies:
            if post:
                must(await me.post(body), 400)
            if put:
                must(await me.put(walk_id, body), 400)

    CHECKS.add(id_, sentence, refused)


def _survived(id_: str, sentence: str, *bodies: object) -> None:
    """No body gets 5xx, or no answer; what a target makes of it is its own."""

    async def survived(bench: Bench) -> None:
        me = await bench.user()
        walk_id = await me.new_walk()
        await me.put_walk(walk_id, {"total_steps": 1})
        for body in bodies:
            must_not_fail(await me.post(body))
            must_not_fail(await me.put(walk_id, body))

    CHECKS.add(id_, sentence, survived)


_refused(
    "bad_input.json",
    "a body that is no JSON answers 400",
    b"{",
    b'{"title": ',
    b"title=walk",
    b"{'title': 'x'}",
    b'{"title": "a" "b"}',
)
_refused("bad_input.not_an_object", "a body that is no object answers 400", b"[]", b'"title"', b"5", b"true")
_refused("bad_input.empty_body", "a POST without a body answers 400", b"", put=False)
_refused(
    "bad_input.types",
    "a text of a wrong type answers 400",
    {"title": 5},
    {"title": ["x"]},
    {"title": {"a": 1}},
    {"title": True},
)
_refused(
    "bad_input.number_types",
    "a number of a wrong type answers 400",
    {"total_distance": "far"},
    {"total_steps": 1.5},
    {"total_steps": "many"},
    {"total_paused_duration": []},
    post=False,
)
_refused(
    "bad_input.location_types",
    "locations of a wrong type answer 400",
    {"locations": {}},
    {"locations": "here"},
    {"locations": [5]},
    {"locations": [location(0, latitude="35.1")]},
    {"locations": [location(0, sequence_number="zero")]},
    {"locations": [location(0, timestamp="yesterday")]},
    {"locations": [location(0), None]},
    post=False,
)
_refused(
    "bad_input.times",
    "a time that is not RFC 3339 answers 400",
    {"start_time": "yesterday"},
    {"start_time": "2025-13-45T99:00:00Z"},
    {"start_time": {}},
    post=False,
)
_refused(
    "bad_input.nan",
    "NaN and infinities, which JSON does not have, answer 400",
    b'{"total_distance": NaN}',
    b'{"total_distance": Infinity}',
    b'{"locations": [{"latitude": NaN, "longitude": 0.5, "sequence_number": 0, "timestamp": "2025-10-20T09:00:00Z"}]}',
    post=False,
)
_refused(
    "bad_input.huge_numbers",
    "numbers beyond every type answer 400",
    b'{"total_distance": 1e400}',
    b'{"total_steps": 99999999999999999999999999}',
    post=False,
)
_survived(
    "bad_input.nul", "U+0000 in a text, which PostgreSQL cannot hold, never answers 500", b'{"title": "a\\u0000b"}'
)
_survived("bad_input.raw_nul", "a NUL byte in the body never answers 500", b'{"title": "a\x00b"}')
_survived(
    "bad_input.surrogate", "a lone surrogate never answers 500", b'{"title": "\\ud800"}', b'{"title": "\\udc00x"}'
)
_survived("bad_input.utf8", "a body that is not UTF-8 never answers 500", b'{"title": "\xff\xfe"}', b"\xed\xa0\x80")
_survived(
    "bad_input.deep",
    "deep nesting never answers 500, nor ends the process",
    b"[" * _DEEP,
    b'{"title": "x", "extra": ' + b"[" * _DEEP + b"]" * _DEEP + b"}",
)


@CHECKS("bad_input.too_large", "a body of 6 MB never answers 500")
async def too_large(bench: Bench) -> None:
    """It may be refused (400, 413), or the connection closed before it was read."""
    me = await bench.user()
    walk_id = await me.new_walk()
    await me.put_walk(walk_id, {"total_steps": 1})
    exchange = await me.put(walk_id, b'{"description": "' + b"x" * _TOO_LARGE + b'"}')
    if exchange.status >= 500 or 200 <= exchange.status < 300:
        raise Deviates(message("a refusal (description has at most 1000 characters)"), exchange.shown, exchange)
    must_not_fail(await me.get(f"{WALKS}/{walk_id}"))


@CHECKS("bad_input.content_type", "a body of another content type never answers 500")
async def content_type(bench: Bench) -> None:
    """What it answers below that is its own."""
    me = await bench.user()
    await me.new_walk()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", "nonsense"):
        must_not_fail(await me.send("POST", WALKS, b'{"title": "x"}', {"Content-Type": kind}))


@CHECKS("bad_input.harmless", "bad input leaves the target serving", finding=Finding.EFFECT)
async def harmless(bench: Bench) -> None:
    """After a handful of it a good request still works."""
    me = await bench.user()
    walk_id = await me.new_walk()
    for body in (b"{", b"\x00", b"[" * 1000, b'{"title": "\\u0000"}'):
        await me.put(walk_id, body)
    must(await me.get(f"{WALKS}/{walk_id}"), 200)
