"""Apache Bench: what it prints is read, one token that is never refused fails, and a stand-in is called one."""

from __future__ import annotations

import asyncio
from unittest.mock import Mock

import msgspec
import pytest

from harness.load.http1 import ConnectionRefused, PhoneAnswer
from harness.model.judgement import Expected, Judgement, Verdict
from harness.model.stack import Address
from harness.rehearsals.load_stages import rehearsal
from harness.rehearsals.load_stages.facts import ERRATUM, of_bench
from harness.rehearsals.load_stages.types import Benched, BenchPlan
from harness.rules.engine import judged
from tests.stages.made import PLAN, RULES

OPEN = Verdict.INCONCLUSIVE
BENCH = BenchPlan(requests=300, at_once=10)
SAID = """Concurrency Level:      10
Time taken for tests:   1.053 seconds
Complete requests:      300
Failed requests:        200
   (Connect: 0, Receive: 0, Length: 200, Exceptions: 0)
Non-2xx responses:      200
"""
READ = Benched(program="ab", requests=300, at_once=10, answered=300, not_2xx=200)
FOUND = msgspec.structs.replace(READ, limited=10)
STOOD_IN = msgspec.structs.replace(READ, program=rehearsal.STAND_IN, limited=200)


def test_what_it_prints_is_read() -> None:
    assert rehearsal.read(BENCH, SAID) == READ
    assert rehearsal.read(BENCH, SAID.rpartition("Non-2xx")[0]) == msgspec.structs.replace(READ, not_2xx=0)
    assert rehearsal.read(BENCH, "apr_socket_recv: Connection refused (111)") is None


def said(found: Benched | None) -> list[Judgement]:
    return [*judged([Expected("", ERRATUM, ERRATUM)], RULES, of_bench(PLAN, found), PLAN, ())]


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (FOUND, Verdict.ERRATUM_SHOWN),
        (msgspec.structs.replace(FOUND, not_2xx=0, limited=0), Verdict.FAIL),
        (msgspec.structs.replace(FOUND, answered=201, not_2xx=0, limited=0), Verdict.FAIL),
        (msgspec.structs.replace(FOUND, answered=200, not_2xx=0, limited=0), Verdict.INCONCLUSIVE),
        (msgspec.structs.replace(FOUND, not_2xx=1), Verdict.ERRATUM_SHOWN),
        (READ, Verdict.INCONCLUSIVE),  # of a run before anybody looked whose refusals they are
        (msgspec.structs.replace(FOUND, limited=0), Verdict.INCONCLUSIVE),  # some 503
        (msgspec.structs.replace(FOUND, not_2xx=300), Verdict.INCONCLUSIVE),  # nothing was let through
        (STOOD_IN, Verdict.ERRATUM_SHOWN),
        (msgspec.structs.replace(STOOD_IN, limited=1), Verdict.INCONCLUSIVE),  # 199 are an overload's 503
        (msgspec.structs.replace(STOOD_IN, not_2xx=0, limited=0), Verdict.FAIL),
    ],
)
def test_one_token_meets_the_limiter_or_the_erratum_is_wrong(found: Benched, verdict: Verdict) -> None:
    [judgement] = said(found)
    assert (judgement.verdict, judgement.value, judgement.samples) == (verdict, found.not_2xx, found.answered)
    assert judgement.reason.startswith("that the rate limiter refused") == (verdict is OPEN and found.not_2xx > 0)
    assert (
        f"{found.program}: {found.answered} of 300 requests with one token were answered, 10 at once; {found.not_2xx} not "
        "by 2xx, for each of 2 pods takes 100 a minute of a user"
    ) in judgement.reason


def test_without_an_answer_nothing_is_said() -> None:
    assert said(None) == said(msgspec.structs.replace(FOUND, answered=0)) == []


async def test_the_stand_in_sends_as_many_and_is_called_one(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    async def exchange(_to: Address, _method: str, path: str, token: str, _body: bytes) -> PhoneAnswer:
        sent.append(token)
        if len(sent) == 7:
            raise ConnectionRefused("gone")
        return PhoneAnswer(status=200 if len(sent) <= 5 else 429, body=b"", pod="")

    monkeypatch.setattr(rehearsal, "exchange", exchange)
    found = await rehearsal._stand_in(BenchPlan(requests=20, at_once=4), Address(host="127.0.0.1", port=1), "t")
    assert found == Benched(program="a stand-in for ab", requests=20, at_once=4, answered=19, not_2xx=14, limited=14)
    assert sent == ["t"] * 20


async def test_a_stand_in_that_takes_more_than_the_limiter_s_minute_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def exchange(*_: object) -> PhoneAnswer:
        await asyncio.sleep(0.02)
        return PhoneAnswer(status=200, body=b"", pod="")

    monkeypatch.setattr(rehearsal, "exchange", exchange)
    address = Address(host="127.0.0.1", port=1)
    assert await rehearsal._stand_in(BenchPlan(requests=4, at_once=4), address, "t") is not None
    monkeypatch.setattr(rehearsal, "_LIMIT_S", 0.05)
    assert await rehearsal._stand_in(BenchPlan(requests=40, at_once=4), address, "t") is None


async def test_beside_ab_as_many_as_at_once_are_asked_for_the_limiters_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """``ab`` counts what is not 2xx, and tells no status."""
    statuses = iter([429, 200, 503] * 4)
    at_once = asyncio.Barrier(BENCH.at_once)

    async def exchange(_to: Address, _method: str, _path: str, _token: str, _body: bytes) -> PhoneAnswer:
        async with asyncio.timeout(5):
            await at_once.wait()
        return PhoneAnswer(status=next(statuses), body=b"", pod="")

    async def made(*_: object) -> Benched:
        return READ

    async def signed_up(*_: object) -> Mock:
        return Mock(token="t")

    monkeypatch.setattr(rehearsal, "exchange", exchange)
    monkeypatch.setattr(rehearsal, "_ab", made)
    monkeypatch.setattr(rehearsal, "sign_up", signed_up)
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/ab")
    assert await rehearsal.bench(BENCH, Mock()) == msgspec.structs.replace(READ, limited=4)
