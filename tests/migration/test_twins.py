"""Two documents of one id: one is moved, the other named, in the first run as in each other."""

from __future__ import annotations

from typing import Any

import pytest

from tests.migration.stores import Stores, consent, later, walk
from tests.migration.test_engine import rows

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("empty")]

ONE = consent("u1", 0xABC)
[(PATH, FIELDS)] = ONE.items()
NAME = PATH.rpartition("/")[2]


@pytest.mark.parametrize("other", [f"users/u2/consents/{NAME}", f"users/u1/consents/{NAME.lower()}"])
async def test_of_two_consents_of_one_id_the_one_that_is_not_moved_is_named(stores: Stores, other: str) -> None:
    """Copied with an account, or written in the other case; the one was told as overtaken, or both as new."""
    await stores.put({PATH: FIELDS, other: {**FIELDS, "policy_version": "2.0"}})
    for fates in ({"different": 1, "new": 1}, {"different": 1, "same": 1}):
        found = await stores.migrate()
        assert (found.consents.fates, len(found.refused)) == (fates, 1)
        [held] = await rows(stores, "SELECT policy_version FROM consents")
        named = found.refused[0].document
        assert (held["policy_version"], named) in {("1.2", other), ("2.0", PATH)}


async def test_a_consent_in_two_cases_that_says_the_same_is_there_once_and_refused_never(stores: Stores) -> None:
    await stores.put(ONE | {PATH.replace(NAME, NAME.lower()): FIELDS})
    assert (await stores.migrate()).consents.fates == {"new": 1, "same": 1}
    assert (await stores.migrate()).refused == []


async def test_of_two_documents_of_one_walk_in_two_batches_the_older_is_named_by_each_run(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.migration.source.BATCH_DOCUMENTS", 1)
    [(upper, fields)] = walk("one", "u1", updated=later(-1), title="older").items()
    lower = f"walks/{upper.partition('/')[2].lower()}"
    await stores.put({upper: fields, lower: fields | {"id": lower[6:], "updated_at": later(), "title": "later"}})
    options: tuple[dict[str, Any], ...] = ({}, {"changed": True}, {"anew": True})
    for each in options:
        found = await stores.migrate(**each)
        assert [one.document for one in found.refused] == [upper]
        assert found.verified is not None
        assert (found.verified.documents, found.verified.there, found.verified.left) == (2, 1, 1)
        assert [one["title"] for one in await rows(stores, "SELECT title FROM walks")] == ["later"]
