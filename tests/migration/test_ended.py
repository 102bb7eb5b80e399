"""Ended between any two commits, a migration says no less when it goes on: what was refused stays refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from harness.base.errors import PartDied
from harness.migration.engine import Verifier
from harness.migration.load import Loader
from harness.migration.source import refusal
from harness.model.message import message
from tests.migration.stores import Stores, consent, killed, walk

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("empty")]


async def test_a_walk_that_differs_is_named_behind_a_pass_that_was_ended_before_its_comparison(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not written since, and only what the journal has of it says that it is to be compared again."""
    monkeypatch.setattr("harness.migration.load.MARGIN", timedelta(0))
    document = await stores.moved_then_other_content()
    assert len((await stores.migrate()).refused) == 1
    with monkeypatch.context() as patch:
        patch.setattr(Verifier, "compare", killed)
        with pytest.raises(PartDied):
            await stores.migrate(changed=True)
    found = await stores.migrate(changed=True)
    assert [each.document for each in found.refused] == [document]
    await stores.put(walk("one", "u1"))  # as PostgreSQL has it
    assert (await stores.migrate(changed=True)).refused == []


async def test_what_a_pass_from_the_first_document_has_forgotten_it_looks_for_again(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was ended before its first batch, and an earlier one had been ended amid the consents: nothing reads them a
    second time but a pass."""
    monkeypatch.setattr("harness.migration.source.BATCH_DOCUMENTS", 1)
    await stores.put(walk("one", "u1") | consent("u1", 1, consent_type="maybe") | consent("u1", 2) | consent("u1", 3))
    load, loaded = Loader.consents, list[int]()

    async def second_ended(loader: Loader, *given: Any) -> Any:
        loaded.append(1)
        if len(loaded) == 2:
            await killed()
        return await load(loader, *given)

    with monkeypatch.context() as patch:
        patch.setattr(Loader, "consents", second_ended)
        with pytest.raises(PartDied):
            await stores.migrate()
        patch.setattr(Loader, "consents", killed)
        with pytest.raises(PartDied):
            await stores.migrate(anew=True)
    found = await stores.migrate()
    assert [each.document for each in found.refused] == [next(iter(consent("u1", 1)))]
    assert (found.consents.documents, found.consents.resumed) == (3, False)


async def test_what_was_refused_is_forgotten_only_together_with_what_is_noted_instead(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await stores.connect()
    try:
        loader = Loader(connection)
        await loader.open()
        held = refusal("walks/X", message("is absent"), "title")
        await loader.refuse("walks", (), [held])
        with monkeypatch.context() as patch:
            patch.setattr("harness.migration.statements.REFUSE", "no statement")
            with pytest.raises(asyncpg.PostgresError):
                await loader.refuse("walks", ["X"], [held])
        assert await loader.refused() == [held]
    finally:
        await connection.close()
