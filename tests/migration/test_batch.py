"""Documents as batches: what is a walk or a consent by where it lies, and what is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from harness.migration.engine import MovedKind
from harness.migration.source import Batch, SourceDocument, batches
from tests.migration.stores import NOON, consent, later, walk


def document(path: str, fields: Mapping[str, Any]) -> SourceDocument:
    return SourceDocument(path=path, fields=dict(fields), created=NOON, updated=NOON)


def batch(documents: Mapping[str, Mapping[str, Any]]) -> Batch:
    made = Batch()
    for path, fields in documents.items():
        made.add(document(path, fields), None)
    return made


def test_walks_and_consents_of_users_are_taken() -> None:
    made = batch(walk("one", "u1") | consent("u1", 1))
    assert (len(made.walks), [row[1] for row in made.consents.values()], made.refused) == (1, ["u1"], [])


def test_fields_of_a_consent_that_have_no_column_are_counted() -> None:
    moved = MovedKind()
    made = batch(consent("u1", 1, userId="u1", locale="ja") | consent("u1", 2, locale="en", consent_type="maybe"))
    moved.add(made, Counter())
    assert (moved.unknown, moved.refused) == ({"locale": 1}, 1)


@pytest.mark.parametrize(
    "path", ["consents/{id}", "policies/v2/consents/{id}", "walks/{id}/consents/{id}", "shops/7/users/u1/consents/{id}"]
)
def test_a_consent_that_lies_below_no_user_is_refused_and_no_user_is_made_of_another_name(path: str) -> None:
    """A group of collections has all of that name, wherever they are."""
    [(of_user, fields)] = consent("u1", 1).items()
    elsewhere = path.format(id=of_user.rpartition("/")[2])
    made = batch({elsewhere: fields})
    assert (made.walks, made.consents, [each.document for each in made.refused]) == ({}, {}, [elsewhere])
    assert "below no user" in made.refused[0].why


def test_a_consent_of_a_user_whose_id_no_column_holds_is_refused() -> None:
    made = batch(consent("u" * 256, 1))
    assert made.consents == {} and "255 is the limit" in made.refused[0].why


@pytest.mark.parametrize("most", [1, 200])
@pytest.mark.parametrize("lower_is_later", [False, True])
async def test_of_two_documents_of_one_walk_the_older_is_named_however_far_apart_they_are(
    most: int, lower_is_later: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids in capitals come before all others: in a project's data they are in no one batch."""
    monkeypatch.setattr("harness.migration.source.BATCH_DOCUMENTS", most)
    [(upper, fields)] = walk("one", "u1").items()
    lower = f"walks/{upper.partition('/')[2].lower()}"
    minutes = 1 if lower_is_later else -1
    two = {upper: fields, lower: {**fields, "id": lower.partition("/")[2], "updated_at": later(minutes)}}

    async def read() -> AsyncIterator[SourceDocument]:
        for path, held in (two | walk("two", "u1")).items():
            yield document(path, held)

    found = [each async for each, _ in batches(read())]
    named = [each.document for one in found for each in one.refused]
    assert named == [upper if lower_is_later else lower]
    assert [each for one in found for each in one.walks][-2:][0] == (lower if lower_is_later else upper).partition("/")[
        2
    ]
