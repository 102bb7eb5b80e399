"""What a sound target may do otherwise than the bundled one is no finding, and hides none."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.model import User
from harness.base.clock import NS
from harness.checks.contract import http
from harness.checks.contract.http import HttpExchange
from harness.checks.contract.people import opened, unsigned
from tests.conformance.front import Answer, Call, refusal
from tests.conformance.in_process import Plant, Target
from tests.conformance.outcomes import Outcome, ended
from tests.conformance.wire import connected
from tests.security.in_process import checked, of


def forgiving(seconds: int, *, remembers: bool = False) -> Plant:
    """Tokens are let in for so long past their end, as Firebase's libraries do; for ever, once seen, where it
    ``remembers``."""

    def plant(target: Target) -> None:
        real = target.tokens.verify

        async def verify(token: str) -> User:
            head, claims = opened(token)
            late = {name: claims[name] + seconds for name in ("exp",) if isinstance(claims.get(name), int)}
            user: User = await real(unsigned(head, claims | late))
            return msgspec.structs.replace(user, expires_unix_s=user.expires_unix_s + 3600 * remembers)

        target.tokens.verify = verify

    return plant


@pytest.mark.parametrize(
    ("plant", "outcome"),
    [
        (forgiving(10), Outcome.PASSED),
        (forgiving(300), Outcome.PASSED),
        (forgiving(30), Outcome.PASSED),
        (forgiving(360), Outcome.DEVIATION),
        (forgiving(300, remembers=True), Outcome.DEVIATION),
        (forgiving(30, remembers=True), Outcome.DEVIATION),
    ],
)
def test_what_clocks_may_differ_in_is_forgiven_and_no_memory(plant: Plant, outcome: Outcome, tmp_path: Path) -> None:
    found = checked(of("token.expires_in_use"), [plant], tmp_path)
    assert ended(found, outcome) == {"token.expires_in_use"}, found


@pytest.mark.parametrize("ms", [30_000, 30_100, 30_500, 30_900])
def test_a_target_whose_clock_is_not_ours_to_the_second_forgives_as_much(ms: int, tmp_path: Path) -> None:
    """And looks at its clock some time after the token was made."""

    def plant(target: Target) -> None:
        real = target.tokens.verify

        async def verify(token: str) -> User:
            await target.clock.sleep(0.31)
            head, claims = opened(token)
            end_s = claims["exp"] + ms / 1000
            good = end_s > target.clock.unix_s()
            user: User = await real(unsigned(head, claims | {"exp": claims["exp"] + 600} if good else claims))
            return msgspec.structs.replace(user, expires_unix_s=end_s)

        target.tokens.verify = verify

    found = checked(of("token.expires_in_use"), [plant], tmp_path)
    assert ended(found, Outcome.PASSED) == {"token.expires_in_use"}, found


def by_uvicorn(target: Target) -> None:
    """Served by h11, which goes on behind a request with a length and chunks, as Go's own server does."""

    def other(config: Any, *more: Any) -> Any:
        config.http_protocol_class = H11Protocol
        return connected(config, *more)

    target.patch("tests.conformance.in_process.connected", other)


def answering(what: bytes, *answers: bytes) -> Plant:
    """A server that answers so what holds ``what``, and ends the connection where it answers."""

    class Writer:
        def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._reader, self._writer = reader, writer

        def write(self, data: bytes) -> None:
            if what not in data:
                return self._writer.write(data)
            for answer in answers:
                self._reader.feed_data(b"HTTP/1.1 " + answer + b"\r\nContent-Length: 2\r\n\r\n{}")
            return self._reader.feed_eof() if answers else None

        def close(self) -> None:
            self._writer.close()

    def plant(target: Target) -> None:
        def other(*all_: Any) -> Any:
            reader, writer = connected(*all_)
            return reader, Writer(reader, writer)

        target.patch("tests.conformance.in_process.connected", other)

    return plant


UNKNOWN = b"501 Not Implemented"
TWO_LENGTHS = b"Content-Length: 0\r\nContent-Length: "


@pytest.mark.parametrize(
    ("plant", "wrong"),
    [
        (answering(b"Transfer-Encoding: identity", UNKNOWN), set()),
        (answering(b"PROPFIND ", UNKNOWN), set()),
        (answering(b"PROPFIND ", b"500 Internal Server Error"), {"injection.method"}),
        (answering(TWO_LENGTHS, b"401 Unauthorized"), set()),
        (answering(TWO_LENGTHS, b"401 Unauthorized", b"200 OK"), {"injection.smuggled"}),
        (by_uvicorn, set()),
    ],
)
def test_a_method_or_a_framing_refused_is_none_answered_twice(plant: Plant, wrong: set[str], tmp_path: Path) -> None:
    """Go refuses an unknown coding by 501, as RFC 9112 asks."""
    found = checked(of("injection.smuggled", "injection.method"), [plant], tmp_path)
    assert ended(found, Outcome.DEVIATION) == wrong, found


def errors_with(foreign: str = "", more: str = "") -> Plant:
    """Each error has an id of its own; ``foreign`` is what it says of another's walk, and ``more`` stands there too."""

    def plant(target: Target) -> None:
        numbers = itertools.count(10**9)

        def after(call: Call, answer: Answer) -> None:
            if answer.status == 404:
                there = foreign and call.walk_id in target.database._walks
                error = {
                    "code": "NOT_FOUND",
                    "message": foreign if there else "No such walk",
                    "trace": f"z{next(numbers):x}",
                }
                answer.says({"error": error | ({more: "x"} if more and call.walk_id in target.database._walks else {})})
                answer.headers |= {"x-request-id": f"{next(numbers)}", "date-of-it": f"{next(numbers)}"}

        target.front.after.append(after)

    return plant


@pytest.mark.parametrize(
    ("plant", "outcome"),
    [
        (errors_with(), Outcome.PASSED),
        (errors_with(foreign="No such thing"), Outcome.DEVIATION),
        (errors_with(foreign="Another's walk"), Outcome.DEVIATION),
        (errors_with(more="owner"), Outcome.DEVIATION),
    ],
)
def test_errors_with_an_id_of_their_own_tell_nothing(plant: Plant, outcome: Outcome, tmp_path: Path) -> None:
    assert ended(checked(of("identity.alike"), [plant], tmp_path), outcome) == {"identity.alike"}


@pytest.mark.parametrize("begun", range(4))
def test_a_clock_that_goes_on_between_two_answers_tells_nothing(begun: int, tmp_path: Path) -> None:
    def plant(target: Target) -> None:
        numbers = itertools.count(begun)

        def after(_: Call, answer: Answer) -> None:
            if answer.status == 404:  # two of them a second
                answer.says({"error": {"code": "NOT_FOUND", "message": "No such walk", "at": next(numbers) // 2}})

        target.front.after.append(after)

    assert ended(checked(of("identity.alike"), [plant], tmp_path), Outcome.PASSED) == {"identity.alike"}


def read_as_it_comes(target: Target) -> None:
    """A decoder without a limit on what it reads, which refuses what is no JSON at its first byte, as Go's does."""
    answering(b'chunked\r\n\r\n16\r\n{"title":"x"')(target)


def unpacked(target: Target) -> None:
    """A packed body is unpacked, however large, and then held to the contract."""

    def before(call: Call) -> Answer | None:
        if call.headers.get("content-encoding") != "gzip":
            return None
        body = json.loads(gzip.decompress(call.body))
        return refusal(400) if len(body["title"]) > 255 else Answer(201, {"content-type": "application/json"}, b"{}")

    target.front.before.append(before)


@pytest.mark.parametrize(("plant", "finds"), [(read_as_it_comes, "heavy.endless"), (unpacked, "heavy.inflated")])
def test_what_is_refused_for_another_reason_is_not_refused_for_its_size(
    plant: Plant, finds: str, tmp_path: Path
) -> None:
    assert ended(checked(of("heavy.endless", "heavy.inflated"), [plant], tmp_path), Outcome.DEVIATION) == {finds}


def origins(*, told: str = "", credentials: str = "true") -> Plant:
    """Every answer tells that origin, or the request's where it is null."""

    def plant(target: Target) -> None:
        def after(call: Call, answer: Answer) -> None:
            if told or call.headers.get("origin") == "null":
                headers = {"access-control-allow-origin": told or "null"}
                answer.headers |= headers | {"access-control-allow-credentials": credentials}

        target.front.after.append(after)

    return plant


@pytest.mark.parametrize(
    ("plant", "outcome"),
    [
        (origins(told="https://admin.walks.example"), Outcome.PASSED),
        (origins(told="*"), Outcome.DEVIATION),
        (origins(), Outcome.DEVIATION),
    ],
)
def test_an_origin_of_its_own_is_not_everybody_s(plant: Plant, outcome: Outcome, tmp_path: Path) -> None:
    assert ended(checked(of("injection.cors"), [plant], tmp_path), outcome) == {"injection.cors"}


def strict(target: Target) -> None:
    """A field that no request has is refused, and a polyline that is none."""

    def before(call: Call) -> Answer | None:
        body = call.json if isinstance(call.json, dict) else {}
        line = body.get("polyline_data") or ""
        return refusal(400) if {"user_id", "id"} & set(body) or any(not "?" <= each <= "~" for each in line) else None

    target.front.before.append(before)


def half_strict(target: Target) -> None:
    """It is refused when all else was done."""

    def after(call: Call, answer: Answer) -> None:
        if answer.status == 201 and "user_id" in call.json:
            walk = target.database._walks[answer.json["id"]]
            target.database._walks[walk.id] = msgspec.structs.replace(walk, user_id=call.json["user_id"])
            answer.status = 400

    target.front.after.append(after)


def makes_nothing(target: Target) -> None:
    """Each POST is refused."""
    target.front.before.append(lambda call: refusal(400) if call.asks("POST") else None)


def lines_bent(target: Target) -> None:
    """A polyline loses its quotation marks."""

    def before(call: Call) -> Answer | None:
        if isinstance(call.json, dict) and "polyline_data" in call.json:
            call.body = json.dumps(call.json | {"polyline_data": call.json["polyline_data"].replace("'", "")}).encode()
        return None

    target.front.before.append(before)


@pytest.mark.parametrize(
    ("plant", "wrong"),
    [
        (strict, set()),
        (half_strict, {"identity.user.create"}),
        (makes_nothing, {"identity.user.create"}),
        (lines_bent, {"injection.sql.texts"}),
    ],
)
def test_what_no_contract_has_may_be_refused(plant: Plant, wrong: set[str], tmp_path: Path) -> None:
    asked = of("identity.user.create", "identity.mass_assignment", "injection.sql.texts")
    assert ended(checked(asked, [plant], tmp_path), Outcome.DEVIATION) == wrong


def buckets(pods: int, every_s: float, free: int = 0) -> Plant:
    """So many pods, asked by turns, each with a bucket for the user that refills, but for those that are ``free``; a
    request takes ``every_s``."""

    def plant(target: Target) -> None:
        real, turns, left = http.send_raw, itertools.count(), [100.0] * (pods - free)
        filled = [target.clock.now_ns()] * len(left)
        target.settings = msgspec.structs.replace(target.settings, rate_limit_per_minute=100_000)

        async def send_raw(*words: Any, **more: Any) -> HttpExchange:
            await target.clock.sleep(every_s)
            return await real(*words, **more)

        def before(call: Call) -> Answer | None:
            if not call.asks("GET") or (pod := next(turns) % pods) >= len(left):
                return None
            now_ns = target.clock.now_ns()
            left[pod] = min(100.0, left[pod] + (now_ns - filled[pod]) / NS * 100 / 60)
            filled[pod] = now_ns
            if left[pod] < 1:
                return refusal(429, "RATE_LIMITED")
            left[pod] -= 1
            return None

        target.patch("harness.checks.contract.http.send_raw", send_raw)
        target.front.before.append(before)

    return plant


@pytest.mark.parametrize(
    ("pods", "every_s", "free", "outcome"),
    [
        (2, 0.002, 0, Outcome.PASSED),
        (2, 0.02, 0, Outcome.PASSED),
        (3, 0.05, 0, Outcome.PASSED),
        (2, 0.1, 0, Outcome.PASSED),
        (2, 0.1, 1, Outcome.DEVIATION),
        (2, 0.02, 1, Outcome.DEVIATION),
        (3, 0.01, 1, Outcome.DEVIATION),
    ],
)
def test_a_bucket_that_refills_is_a_limit(
    pods: int, every_s: float, free: int, outcome: Outcome, tmp_path: Path
) -> None:
    """As of Go's own package for it, where answers are slow or pods many."""
    found = checked(of("heavy.rate"), [buckets(pods, every_s, free)], tmp_path, pods=pods)
    assert ended(found, outcome) == {"heavy.rate"}, found
