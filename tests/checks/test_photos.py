"""Photos against walks: what agrees, and each planted violation found."""

from __future__ import annotations

import pytest

from harness.base.ticks import NS
from harness.checks.photos import explained, photos
from harness.checks.reconciled import STORAGE, outages
from harness.load.population import thumbnail
from harness.model.message import english
from tests.checks.test_stack_checkers import event

BUCKET = "demo-tekutoko.appspot.com"
ONE, TWO = "0b3a6c9e-1111-4222-8333-444455556666", "0c3a6c9e-1111-4222-8333-444455556666"
NAMED = {ONE: ("u1", thumbnail.url(BUCKET, "u1", ONE)), TWO: ("u2", thumbnail.url(BUCKET, "u2", TWO))}
OBJECTS = [thumbnail.object_name("u1", ONE), thumbnail.object_name("u2", TWO)]


def test_every_thumbnail_there_and_none_left() -> None:
    seen = photos(OBJECTS, NAMED, {("u1", "0d3a6c9e-1111-4222-8333-444455556666")})
    assert seen.good
    assert (seen.objects, seen.with_thumbnail, seen.unnamed) == (2, 2, 0)


def test_a_thumbnail_that_is_not_there_is_lost() -> None:
    seen = photos(OBJECTS[:1], NAMED, set())
    assert not seen.good
    assert seen.lost == (TWO,)
    assert TWO in english(seen.told)


def test_an_object_of_a_deleted_walk_is_left() -> None:
    seen = photos(OBJECTS, {ONE: NAMED[ONE]}, {("u2", TWO)})
    assert not seen.good
    assert seen.left == (OBJECTS[1],)
    assert seen.unnamed == 0


@pytest.mark.parametrize(
    ("deleted_s", "fault", "good"),
    [
        (30.0, "part hang storage", True),
        (80.0, "part hang storage", False),  # long after the outage
        (None, "part hang storage", False),  # nobody knows when
        (30.0, "part hang firestore", False),  # Storage was well
    ],
)
def test_only_an_outage_of_storage_explains_what_is_left(deleted_s: float | None, fault: str, good: bool) -> None:
    seen = photos(OBJECTS, {ONE: NAMED[ONE]}, {("u2", TWO)})
    events = [
        event(20, "fault", "part_hang", f"injected: {fault}"),
        event(50, "fault", "part_hang", f"undone: {fault}"),
    ]
    written_ns = {} if deleted_s is None else {TWO: round(deleted_s * NS)}
    found = explained(seen, written_ns, outages(events, 100 * NS, STORAGE))
    assert found.good is good
    assert len(found.left) + len(found.explained) == 1
    assert ("1 explained by an injected outage (part hang storage)" in english(found.told)) is good
    assert "1 of deleted walks" in english(found.told)


def test_any_photo_of_a_deleted_walk_is_left() -> None:
    photo = thumbnail.folder("u2", TWO) + "photo-1.jpg"
    assert photos([photo], {}, {("u2", TWO)}).left == (photo,)


def test_a_thumbnail_of_another_walk_or_from_elsewhere_is_foreign() -> None:
    swapped = {ONE: ("u1", NAMED[TWO][1]), TWO: ("u2", "https://example.com/thumbnail.png")}
    seen = photos(OBJECTS, swapped, set())
    assert not seen.good
    assert seen.foreign == (ONE, TWO)


def test_an_object_that_no_walk_names_is_counted_and_is_no_violation() -> None:
    seen = photos(OBJECTS, {ONE: NAMED[ONE]}, set())
    assert seen.good
    assert seen.unnamed == 1
