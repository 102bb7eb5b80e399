"""Photos against walks: what agrees, and each planted violation found."""

from __future__ import annotations

from harness.checks.photos import photos
from harness.model.message import english
from harness.population import thumbnail

BUCKET = "demo-tekutoko.appspot.com"
ONE, TWO = "0b3a6c9e-1111-4222-8333-444455556666", "0c3a6c9e-1111-4222-8333-444455556666"
NAMED = {
    ONE: ("u1", thumbnail.url(BUCKET, "u1", ONE)),
    TWO: ("u2", thumbnail.url(BUCKET, "u2", TWO)),
}
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
