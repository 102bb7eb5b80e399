"""What a cell of Firestore is read as, in bulk and one by one: as Google's client gives it, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.migration.convert import Unconvertible, walk_rows
from harness.migration.source import _plain
from harness.stack.firebase.documents import _fields, fill, plain_fields
from tests.migration.stores import NOON, walk

#: In bulk, as ``migrate`` reads; and as ``reconcile`` does.
READERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "bulk": _plain,
    "typed": lambda held: plain_fields(_fields(held)),
}


def held(fields: dict[str, Any]) -> Any:
    from google.cloud.firestore_v1.types import Document

    made = Document.pb()()
    fill(made.fields, fields)
    return made.fields


@pytest.fixture(params=tuple(READERS.values()), ids=tuple(READERS))
def read(request: pytest.FixtureRequest) -> Callable[[Any], dict[str, Any]]:
    found: Callable[[Any], dict[str, Any]] = request.param
    return found


def test_what_the_app_writes_is_read_as_it_was_given(read: Callable[[Any], dict[str, Any]]) -> None:
    given = {
        "text": "a", "int": 7, "zero": 0, "float": 0.5, "nothing": 0.0, "yes": True, "no": False, "null": None,
        "time": NOON, "list": [1.5, None, {"null": None}], "map": {"null": None},
    }  # fmt: skip
    assert read(held(given)) == given


def test_a_point_is_a_map_of_its_place(read: Callable[[Any], dict[str, Any]]) -> None:
    fields = held({})
    fields["point"].geo_point_value.latitude = 35.5
    assert read(fields) == {"point": {"latitude": 35.5, "longitude": 0.0}}


def test_a_reference_is_no_text(read: Callable[[Any], dict[str, Any]]) -> None:
    """An owner by reference: the walk was moved as one of a user whose id is a path."""
    [(path, given)] = walk("one", "u1", user_id=...).items()
    fields = held(given)
    fields["user_id"].reference_value = "projects/p/databases/(default)/documents/users/u1"
    with pytest.raises(Unconvertible, match=r"user_id: is DocumentReference 'projects/p.*, and no text"):
        walk_rows(path.split("/")[1], read(fields))


def test_null_is_absent_in_a_walk_and_its_locations(read: Callable[[Any], dict[str, Any]]) -> None:
    """An altitude of nobody knows what is none of 0 m."""
    [(path, given)] = walk("one", "u1", paused_at=None, description=None).items()
    given["location_data"][0]["altitude"] = None
    found = walk_rows(path.split("/")[1], read(held(given)))
    assert (found.locations[0][5], found.repaired) == (None, ("description",))
