"""How many documents there are to read: told by Firestore, and no reason to end where it does not say so."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.base.errors import PartDied
from harness.migration.source import DocumentSource
from harness.model.stack import COLLECTION
from harness.stack.firebase.documents import Documents
from tests.nowhere import NOWHERE


def answer(count: int | None) -> Any:
    """``None``: of its progress alone, which has no result (google.firestore.v1.RunAggregationQueryResponse)."""
    from google.cloud.firestore_v1.types import RunAggregationQueryResponse

    told = RunAggregationQueryResponse.pb()()
    if count is not None:
        told.result.aggregate_fields["documents"].integer_value = count
    return told


@pytest.mark.parametrize(("told", "count"), [([12], 12), ([0], 0), ([None, 12, None], 12), ([None], None), ([], None)])
async def test_a_count_is_what_firestore_says_of_it(
    monkeypatch: pytest.MonkeyPatch, told: list[int | None], count: int | None
) -> None:
    async def said(*_: object) -> list[Any]:
        return [*map(answer, told)]

    monkeypatch.setattr(Documents, "_all", said)
    monkeypatch.setattr(Documents, "_open", lambda _: SimpleNamespace(run_aggregation_query=None))
    assert await DocumentSource(Documents(NOWHERE, "demo-x")).count(COLLECTION) == count


async def test_a_firestore_that_does_not_answer_says_of_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(*_: object) -> list[Any]:
        raise PartDied("Firestore is down", where="here")

    monkeypatch.setattr(Documents, "_all", silent)
    monkeypatch.setattr(Documents, "_open", lambda _: SimpleNamespace(run_aggregation_query=None))
    assert await DocumentSource(Documents(NOWHERE, "demo-x")).count(COLLECTION) is None
