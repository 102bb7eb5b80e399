"""Documents as batches: what is a walk or a consent by where it lies, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from harness.migration.batch import Batch
from harness.migration.source import Document
from tests.migration.stores import NOON, consent, walk


def document(path: str, fields: Mapping[str, Any]) -> Document:
    return Document(path=path, fields=dict(fields), created=NOON, updated=NOON)


def batch(documents: Mapping[str, Mapping[str, Any]]) -> Batch:
    made = Batch()
    for path, fields in documents.items():
        made.add(document(path, fields), None)
    return made


def test_walks_and_consents_of_users_are_taken() -> None:
    made = batch(walk("one", "u1") | consent("u1", 1))
    assert (len(made.walks), [row[1] for row in made.consents.values()], made.refused) == (1, ["u1"], [])


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
