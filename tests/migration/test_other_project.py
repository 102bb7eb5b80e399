"""A database that was filled from one Firebase project, and a migration that is told of another."""

from __future__ import annotations

import msgspec
import pytest

from harness.base.clock import MachineClock
from harness.base.errors import BadInput, PartDied
from harness.migration.engine import Migration
from harness.migration.load import Loader
from harness.stack.firebase.documents import Documents
from tests.migration.stores import Quiet, Stores, killed, walk
from tests.migration.test_engine import rows

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("empty")]

OTHER = "demo-other"


async def of_other(stores: Stores, *, dry: bool = False, deletions: bool = False) -> None:
    places = msgspec.structs.replace(stores.places, project_id=OTHER)
    await Migration(places, MachineClock(), Quiet(), dry=dry, deletions=deletions, settle_s=0.0).run()


@pytest.fixture
async def both(stores: Stores, empty: None) -> None:
    _ = empty  # before
    await stores.put(walk("one", "u1") | walk("two", "u1"))
    documents = Documents(stores.firestore, OTHER)
    await documents.put_all(walk("of the other", "u9"))
    await documents.close()


@pytest.mark.usefixtures("both")
async def test_what_came_of_one_project_is_not_taken_out_for_another_s(stores: Stores) -> None:
    """A mistyped FIREBASE_PROJECT_ID: every walk of the right one has no document there."""
    await stores.migrate()
    for dry, deletions in ((False, True), (True, False), (False, False)):
        with pytest.raises(BadInput, match=f"demo-tekutoko, and this is {OTHER}"):
            await of_other(stores, dry=dry, deletions=deletions)
    found = await rows(stores, "SELECT user_id FROM walks")
    assert [each["user_id"] for each in found] == ["u1", "u1"]
    assert (await stores.migrate(deletions=True)).walks.fates == {"same": 2}


@pytest.mark.usefixtures("both")
async def test_nor_is_what_an_ended_run_had_moved(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a word of deletions: of the pass that is gone on with, a walk without a document is taken out."""
    monkeypatch.setattr("harness.migration.source.BATCH_DOCUMENTS", 1)
    load = Loader.walks
    with monkeypatch.context() as patch:
        loaded: list[int] = []

        async def second(loader: Loader, *given: object) -> object:
            loaded.append(1)
            return await (load(loader, *given) if len(loaded) == 1 else killed())  # type: ignore[arg-type]

        patch.setattr(Loader, "walks", second)
        with pytest.raises(PartDied):
            await stores.migrate()
    with pytest.raises(BadInput, match="and this is demo-other"):
        await of_other(stores)
    assert len(await rows(stores, "SELECT 1 FROM walks")) == 1


@pytest.mark.usefixtures("both")
async def test_a_mistyped_project_of_which_nothing_came_is_forgotten(stores: Stores) -> None:
    """One without a walk, as most mistyped ones: the database is not filled from it, and is the right one's."""
    places = msgspec.structs.replace(stores.places, project_id="demo-mistyped")
    await Migration(places, MachineClock(), Quiet(), settle_s=0.0).run()
    assert (await stores.migrate(dry=True)).walks.fates == {"new": 2}
    assert (await stores.migrate()).walks.fates == {"new": 2}
    with pytest.raises(BadInput, match="demo-tekutoko, and this is demo-mistyped"):
        await Migration(places, MachineClock(), Quiet(), settle_s=0.0).run()


async def test_one_of_which_all_was_refused_is_not(stores: Stores) -> None:
    """A pass of it may go on behind what was read: of another project that would be left out."""
    await stores.put({"walks/no-uuid": {"title": "x"}})
    assert (await stores.migrate()).walks.refused == 1
    with pytest.raises(BadInput, match="demo-tekutoko, and this is demo-other"):
        await of_other(stores)


async def test_a_dry_run_before_any_names_no_project(stores: Stores) -> None:
    await stores.migrate(dry=True)
    [journal] = await rows(stores, "SELECT to_regclass('tekutoko_migration.source') AS source")
    assert journal["source"] is None
    await of_other(stores)
    await of_other(stores)
    assert [each["project"] for each in await rows(stores, "SELECT project FROM tekutoko_migration.source")] == [OTHER]
