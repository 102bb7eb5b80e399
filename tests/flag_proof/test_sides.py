"""What a target answers or mirrors that is not the contract's: a case that failed, never an error of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from harness.base.clock import NS, Anchor
from harness.base.http1 import Answer
from harness.model.judgement import Verdict
from harness.model.stack import Address
from harness.rehearsals.flag_proof import real
from harness.rehearsals.flag_proof.real import Api, FlagDocuments, NotAsPromised, Stories
from harness.rehearsals.flag_proof.types import AGAIN, NEW_ONLY, Story
from harness.stack.firebase import rest
from tests.flag_proof.test_virtual import told
from tests.nowhere import NOWHERE, all_at

WALK = "7b0e0d6e-0000-4000-8000-000000000001"
LISTED = b'{"walks":[{"id":"%s"}],"total_count":1,"page":1,"limit":100}' % WALK.upper().encode()
LOCATION = (
    b'{"sequence_number":0,"latitude":35.7,"longitude":139.7,"timestamp":"2026-10-01T00:00:00.123Z","altitude":3.5,'
    b'"horizontal_accuracy":5.0,"vertical_accuracy":null,"speed":null}'
)
CASES = [
    "continuity.moved_without_a_copy",
    "continuity.moved_after_a_copy",
    "continuity.rolled_back",
    "continuity.flipped_on_in_mid_walk.new_locations_only",
    "continuity.flipped_on_in_mid_walk.unconfirmed_locations_again",
]


def answering(monkeypatch: pytest.MonkeyPatch, answers: Mapping[str, tuple[int, bytes] | OSError]) -> None:
    """The service answers by method and the path's first words."""

    async def request(_address: Address, method: str, path: str, **_: object) -> Answer:
        found = answers["list" if "?" in path else method]
        if isinstance(found, OSError):
            raise found
        return Answer(status=found[0], headers={}, body=found[1])

    monkeypatch.setattr(rest, "request", request)


def test_what_the_contract_has_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, {"list": (200, LISTED), "GET": (200, b'{"locations":[' + LOCATION + b"]}")})
    found = asyncio.run(Api(NOWHERE, "t").walks())
    assert (found[WALK][0].altitude, found[WALK][0].course) == (3.5, None)
    assert found[WALK][0].timestamp.microsecond == 123000


@pytest.mark.parametrize(
    ("listed", "opened"),
    [
        ((200, b"<html>"), (200, b"")),
        ((200, b"\xff\xfe"), (200, b"")),
        ((200, b"[" * 200_000), (200, b"")),
        ((200, b"{}"), (200, b"")),
        ((200, b'{"walks":[{"id":7}]}'), (200, b"")),
        ((503, b"{}"), (200, b"")),
        (ConnectionResetError("gone"), (200, b"")),
        (TimeoutError(), (200, b"")),
        ((200, LISTED), (200, b'{"locations":null}')),
        ((200, LISTED), (200, b'{"locations":[{"sequence_number":0}]}')),
        ((200, LISTED), (200, b'{"locations":[' + LOCATION.replace(b"2026-10-01T00:00:00.123Z", b"today") + b"]}")),
        ((200, LISTED), (404, b"{}")),
    ],
)
def test_what_it_does_not_have_is_said_of_the_target(
    monkeypatch: pytest.MonkeyPatch, listed: tuple[int, bytes] | OSError, opened: tuple[int, bytes]
) -> None:
    answering(monkeypatch, {"list": listed, "GET": opened})
    with pytest.raises(NotAsPromised, match=r"the answer to GET http://127\.0\.0\.1:1/v1/walks"):
        asyncio.run(Api(NOWHERE, "t").walks())


class Held:
    """Firestore, in memory; what the target mirrored there is ``mirrored`` of every walk."""

    mirrored: dict[str, Any] | None = None

    def __init__(self, *_: object) -> None:
        self.content: dict[str, dict[str, Any]] = {}

    async def set(self, walk_id: str, content: Mapping[str, object]) -> None:
        self.content[walk_id] = dict(content)

    async def get(self, walk_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        return {each: self.mirrored if self.mirrored is not None else self.content.get(each, {}) for each in walk_ids}

    points = FlagDocuments.points


class Passing:
    """A clock on which every sleep is over at once."""

    anchor = Anchor(monotonic_ns=0, unix_ns=1_790_000_000 * NS)

    def __init__(self) -> None:
        self.at_ns = 0

    def now_ns(self) -> int:
        return self.at_ns

    async def sleep(self, seconds: float) -> None:
        self.at_ns += round(seconds * NS)


@pytest.mark.parametrize(
    ("answers", "mirrored"),
    [
        ({"list": (200, b"<html>"), "PUT": (200, b"")}, {"location_data": None}),
        ({"list": (200, b"<html>"), "PUT": (200, b"")}, {"location_data": [{"timestamp": "today"}]}),
        ({"list": (200, b"<html>"), "PUT": (200, b"")}, {}),
        ({"list": (500, b""), "PUT": (500, b"")}, None),
    ],
)
def test_a_story_that_the_target_ends_has_failed_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, answers: Mapping[str, tuple[int, bytes]], mirrored: dict[str, Any] | None
) -> None:
    async def signed_up(*_: object) -> object:
        return SimpleNamespace(uid="u", token="t")

    answering(monkeypatch, answers)
    monkeypatch.setattr(real, "sign_up", signed_up)
    monkeypatch.setattr(real, "FlagDocuments", Held)
    monkeypatch.setattr(Held, "mirrored", mirrored)
    found = asyncio.run(Stories(all_at(), Passing(), 1).all())  # type: ignore[arg-type]
    judged = [told(story) for story in found]
    assert [each.id for each in judged] == CASES
    assert {each.verdict for each in judged} == {Verdict.FAIL}
    assert all("is not as" in each.reason and not each.erratum for each in judged)


def flipped_to_nothing(monkeypatch: pytest.MonkeyPatch, name: str) -> Story:
    """Of an API that acknowledges each PUT and lists no walk."""

    async def signed_up(*_: object) -> object:
        return SimpleNamespace(uid="u", token="t")

    answering(monkeypatch, {"list": (200, b'{"walks":[]}'), "PUT": (200, b"{}")})
    monkeypatch.setattr(real, "sign_up", signed_up)
    monkeypatch.setattr(real, "FlagDocuments", Held)
    [story] = asyncio.run(Stories(all_at(), Passing(), 1).flipped(name))  # type: ignore[arg-type]
    return story


def test_a_walk_that_the_list_leaves_out_is_missed_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(flipped_to_nothing(monkeypatch, AGAIN)).verdict is Verdict.FAIL


def test_a_walk_that_the_api_acknowledged_and_does_not_have_is_no_side_that_replaced_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the old app wrote is all there, what the API took is nowhere: the erratum says it the other way round."""
    story = flipped_to_nothing(monkeypatch, NEW_ONLY)
    assert story.found is not None
    assert not story.found.walks_missing
    assert story.found.locations_missing
    assert (told(story).verdict, told(story).erratum) == (Verdict.FAIL, "")
