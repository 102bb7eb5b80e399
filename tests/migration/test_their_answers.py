"""Answers of their program in which no walk can be read: judged against it, and no error of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import h11
import pytest

from harness.base.virtual import VirtualClock
from harness.checks.walk_tables import StoredWalks
from harness.load.http1 import ConnectionRefused, PhoneAnswer
from harness.load.population.schedule import accounts
from harness.load.rest import answered
from harness.model.scenario import AudiencePlan, PopulationPlan
from harness.model.stack import Address, Endpoints
from harness.rehearsals.migration_drill import rehearsal
from harness.rehearsals.migration_drill.rehearsal import _asked
from harness.rehearsals.migration_drill.types import Race, WeekSeen
from harness.stack.firebase.rest import SignedUpUser
from tests.base.test_theirs import NO_JSON
from tests.nowhere import all_at

AT = all_at()


def raced(monkeypatch: pytest.MonkeyPatch, looked_at: Sequence[PhoneAnswer | Exception], moved_after: int = 99) -> Race:
    """One walk, written once more than it is looked at; PostgreSQL holds what was written last. All has been moved after
    so many of the writes."""
    looks = [*looked_at]
    written: list[bytes] = []

    async def exchange(_to: Address, method: str, _path: str, _token: str, body: bytes) -> PhoneAnswer:
        if method == "PUT":
            racer.moved = len(written) >= moved_after
            written.append(body)
            return PhoneAnswer(status=200, body=b"{}", pod="")
        racer.over = len(looks) == 1
        answer = looks.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def read_stored(_at: Endpoints, *, only: list[str]) -> StoredWalks:
        title = written[-1].decode().split('"')[3]
        return StoredWalks(walks=[cast("Any", SimpleNamespace(id=each, columns={"title": title})) for each in only])

    monkeypatch.setattr(rehearsal, "exchange", exchange)
    monkeypatch.setattr(rehearsal, "read_stored", read_stored)
    time = VirtualClock()
    racer = rehearsal.Racing(AT, time, SignedUpUser(uid="u", token="t"), ["w1"], 0.2)

    async def run() -> Race:
        await racer.begin()
        return await racer.found()

    return time.run(run())


def test_what_is_written_once_nothing_moves_is_no_write_of_the_race(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = PhoneAnswer(status=200, body=b'{"title":"raced 0"}', pod="")
    assert raced(monkeypatch, [shown], moved_after=1) == Race(walks=1, written=1)
    assert raced(monkeypatch, [shown], moved_after=0) == Race(walks=0, written=0)
    lost = raced(monkeypatch, [PhoneAnswer(status=404, body=b"", pod="")], moved_after=0)
    assert (lost.written, len(lost.lost)) == (0, 1), "what is lost later is lost all the same"


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("body", [*NO_JSON.values(), b'{"title":null}', b"[]"], ids=[*NO_JSON, "no title", "a list"])
def test_a_write_that_is_not_shown_is_lost(monkeypatch: pytest.MonkeyPatch, status: int, body: bytes) -> None:
    found = raced(monkeypatch, [PhoneAnswer(status=status, body=body, pod="")])
    assert (found.written, len(found.lost)) == (2, 1)
    assert [*map(str, found.lost)] == [f"w1 is {status} {body[:120]!r}, must be raced 0"]


def test_a_walk_that_is_shown_as_missing_is_lost_even_with_its_title(monkeypatch: pytest.MonkeyPatch) -> None:
    assert raced(monkeypatch, [PhoneAnswer(status=404, body=b'{"title":"raced 0"}', pod="")]).lost


@pytest.mark.parametrize(
    "answer",
    [PhoneAnswer(status=200, body=b'{"title":"raced 0"}', pod=""), PhoneAnswer(status=503, body=b"busy", pod=""), ConnectionRefused("gone"),
     ConnectionResetError(), EOFError(), h11.RemoteProtocolError("no HTTP")],
    ids=str,
)  # fmt: skip
def test_a_write_that_is_shown_and_an_outage_are_no_loss(
    monkeypatch: pytest.MonkeyPatch, answer: PhoneAnswer | Exception
) -> None:
    assert raced(monkeypatch, [answer]) == Race(walks=1, written=2)


def test_an_answer_that_never_comes_is_awaited_to_its_limit() -> None:
    assert VirtualClock().run(answered(asyncio.sleep(60, PhoneAnswer(status=200, body=b"", pod="")), 10.0)).status == 0


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        *((PhoneAnswer(status=200, body=body, pod=""), "answered with no walk of the contract") for body in NO_JSON.values()),
        (PhoneAnswer(status=200, body=b'{"id":"w","locations":null}', pod=""), "answered with no walk of the contract"),
        (PhoneAnswer(status=200, body=b'{"id":"w","locations":[]}', pod=""), "0 of 1 locations"),
        (PhoneAnswer(status=404, body=b"404 page not found", pod=""), "answered with 404"),
        (PhoneAnswer(status=500, body=b"{}", pod=""), "answered with 500"),  # its content may be what breaks the API
        (PhoneAnswer(status=200, body=b'{"id":"w","locations":[{"sequence_number":0}]}', pod=""), ""),
    ],
)  # fmt: skip
async def test_a_moved_walk_that_week_1_is_not_shown_is_wrong(answer: PhoneAnswer, told: str) -> None:
    user, found = await asked_for(answer)
    assert (found.asked, found.wrong, found.unread) == (1, int(bool(told)), 0)
    assert [str(each) for each in found.examples] == ([f"walk w of {user}: {told}"] if told else [])


@pytest.mark.parametrize("status", [0, 429, 502, 503, 504])
async def test_of_a_moved_walk_of_which_no_answer_says_a_word_nothing_is_known(status: int) -> None:
    """As the load of week 1 beside it may have it: its own criteria say whether too many failed."""
    _, found = await asked_for(PhoneAnswer(status=status, body=b"", pod=""))
    assert (found.asked, found.wrong, found.unread, found.examples) == (1, 0, 1, ())


async def asked_for(answer: PhoneAnswer) -> tuple[str, WeekSeen]:
    """The owner of the one walk, and what is seen of it."""
    owners = accounts(PopulationPlan(audiences=(AudiencePlan(name="general", users=1, flag_on=1),), pace_s=5.0), 1)

    async def sign_in(_account: object) -> str:
        return "t"

    async def exchange(*_words: object) -> PhoneAnswer:
        return answer

    on = cast("Any", SimpleNamespace(stores=SimpleNamespace(sign_in=sign_in, exchange=exchange)))
    return owners[0].user, await _asked(owners, on, {owners[0].user: [("w", 1)]})
