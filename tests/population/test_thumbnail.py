"""Thumbnails: where they lie, what their URL says, what they are made of."""

from __future__ import annotations

import zlib

from harness.load.population import thumbnail

WALK = "0b3a6c9e-1111-4222-8333-444455556666"


def test_the_url_names_the_object() -> None:
    url = thumbnail.url("demo-tekutoko.appspot.com", "u0001", WALK)
    assert url.startswith("https://firebasestorage.googleapis.com/v0/b/demo-tekutoko.appspot.com/o/users%2Fu0001%2F")
    assert thumbnail.object_of(url) == thumbnail.object_name("u0001", WALK)
    assert len(url) <= 500  # the column's limit


def test_the_object_lies_in_the_walks_folder_with_the_id_in_upper_case() -> None:
    assert thumbnail.object_name("u0001", WALK).startswith(thumbnail.folder("u0001", WALK))
    assert WALK.upper() in thumbnail.folder("u0001", WALK)


def test_any_other_url_names_none() -> None:
    assert thumbnail.object_of("https://example.com/v0/b/x/o/y") is None
    assert thumbnail.object_of("https://firebasestorage.googleapis.com/elsewhere") is None


def test_an_image_is_a_small_png_of_its_walk_and_seed() -> None:
    image = thumbnail.image(1, WALK)
    assert image == thumbnail.image(1, WALK)
    assert image not in (thumbnail.image(2, WALK), thumbnail.image(1, WALK.replace("0b", "0c")))
    assert image.startswith(b"\x89PNG") and len(image) < 2_000
    data = image[image.index(b"IDAT") + 4 : image.index(b"IEND") - 8]
    assert len(zlib.decompress(data)) == 32 * 33
