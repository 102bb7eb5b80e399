"""What somebody else's program may send in the place of JSON is none, and ends nothing."""

from __future__ import annotations

import msgspec
import pytest

from harness.base.theirs import read_json


class Line(msgspec.Struct):
    document: str


#: By what is wrong with them; each raises another error, or the same one elsewhere.
NO_JSON = {
    "text": b"404 page not found",
    "nothing": b"",
    "half": b'{"document":"a',
    "bad UTF-8": b'{"document":"a\xff"}',
    "depth": b"[" * 200_000,
    "a number beyond any": b'{"document":1e999}',
}


@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
@pytest.mark.parametrize("kind", [object, Line, dict[str, object]], ids=str)
def test_what_is_no_json_is_none(body: bytes, kind: type[object]) -> None:
    assert read_json(body, kind) is None


@pytest.mark.parametrize("body", [b"null", b"[]", b"{}", b'{"document":null}'])
def test_neither_is_json_of_another_form(body: bytes) -> None:
    assert read_json(body, Line) is None


def test_json_is_read_as_what_is_asked_for() -> None:
    assert read_json(b'{"document":"a","more":[1]}', Line) == Line("a")
    assert read_json('{"a":[1]}', object) == {"a": [1]}
