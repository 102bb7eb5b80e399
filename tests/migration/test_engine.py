"""The migration on a real PostgreSQL and the emulators: counts, rejects, the version rule, resumed, compared."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from harness.base.errors import PartDied
from harness.migration.convert import walk_rows
from harness.migration.engine import Verifier
from harness.migration.load import Loader, PassMark
from harness.migration.source import Batch, DocumentSource
from harness.migration.statements import Fate
from tests.migration.stores import Heard, Stores, consent, killed, later, walk

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("empty")]


async def rows(stores: Stores, statement: str, *values: Any) -> list[Any]:
    connection = await stores.connect()
    try:
        return list(await connection.fetch(statement, *values))
    finally:
        await connection.close()


async def test_all_is_moved_once_and_both_ways_agree(stores: Stores) -> None:
    documents: dict[str, Any] = {}
    for number in range(250):  # more than a page and a batch
        documents |= walk(f"w{number}", f"u{number % 3}", points=number % 5)
    await stores.put(documents)
    await stores.put(consent("u1", 1) | consent("nobody", 2))
    await stores.user("u0")
    first = await stores.migrate()
    assert (first.walks.documents, first.walks.fates, first.refused) == (250, {"new": 250}, [])
    assert (first.users_made, first.consents.fates) == (1, {"new": 2})
    assert first.verified is not None and first.verified.whole
    assert (first.verified.equal, first.verified.walks, first.verified.alone) == (250, 250, 0)
    assert (first.written, first.verified.there, first.verified.left) == (250, 250, 0)
    again = await stores.migrate()
    assert (again.walks.fates, again.consents.fates) == ({"same": 250}, {"same": 2})
    points = await rows(stores, "SELECT count(*) FROM walk_locations")
    assert points[0][0] == sum(number % 5 for number in range(250))
    people = await rows(stores, "SELECT id, auth_provider FROM users ORDER BY id")
    assert [tuple(each) for each in people] == [("nobody", None), ("u0", "password"), ("u1", None), ("u2", None)]


async def test_a_pass_says_of_how_many_documents_also_where_it_goes_on(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents: dict[str, Any] = consent("u1", 1)
    for number in range(250):
        documents |= walk(f"w{number}", "u1", points=0)
    await stores.put(documents)
    load, loaded = Loader.walks, list[int]()

    async def killed(loader: Loader, batch: Batch, mark: PassMark) -> Mapping[str, Fate]:
        if loaded:
            raise PartDied("killed", where="here")
        loaded.append(batch.documents)
        return await load(loader, batch, mark)

    first, second = Heard(), Heard()
    with monkeypatch.context() as patch:
        patch.setattr(Loader, "walks", killed)
        with pytest.raises(PartDied):
            await stores.migrate(first)
    await stores.migrate(second)
    [all_of_them], left = first.lines, 250 - loaded[0]
    assert all_of_them.startswith(f"walks: {loaded[0]} of about 250 read, ")
    assert second.lines[0].startswith(f"walks: {min(loaded[0], left)} of about {left} read, ")
    assert [line for line in second.lines if line.startswith("consents: 1 of about 1 read, ")]
    assert second.lines[-1] == "comparing: 250 of about 250 documents"


async def test_a_dry_run_counts_the_same_and_writes_nothing(stores: Stores) -> None:
    await stores.put(walk("good", "u1") | walk("odd", "u1", status="flying") | consent("u1", 1, consent_type="x"))
    dry = await stores.migrate(dry=True)
    assert (dry.walks.fates, dry.walks.refused, dry.consents.refused) == ({"new": 1}, 1, 1)
    assert len(dry.refused) == 2 and dry.verified is None
    assert await rows(stores, "SELECT 1 FROM walks UNION ALL SELECT 1 FROM users") == []
    assert (await rows(stores, "SELECT to_regclass('tekutoko_migration.moved')"))[0][0] is None
    real = await stores.migrate()
    assert real.walks.fates == dry.walks.fates
    assert sorted(real.refused, key=str) == sorted(dry.refused, key=str)


async def test_a_later_document_replaces_and_an_earlier_one_never_does(stores: Stores) -> None:
    await stores.put(walk("one", "u1", title="first") | walk("two", "u1", title="first"))
    await stores.migrate()
    await stores.put(
        walk("one", "u1", updated=later(), title="later") | walk("two", "u1", updated=later(-1), title="older")
    )
    found = await stores.migrate()
    assert found.walks.fates == {"newer": 1, "older": 1}
    titles = await rows(stores, "SELECT title, updated_at FROM walks ORDER BY title")
    assert [(each["title"], each["updated_at"]) for each in titles] == [("first", later(0)), ("later", later())]
    await rows(stores, "UPDATE walks SET title = 'of the API' WHERE title = 'later'")  # the trigger makes it of today
    await stores.put(walk("one", "u1", updated=later(2), title="in between"))
    found = await stores.migrate()
    assert found.walks.fates["older"] == 2
    assert found.verified is not None and found.verified.later == 2


async def test_what_was_deleted_since_is_not_brought_back_and_fewer_locations_take_nothing_away(stores: Stores) -> None:
    await stores.put(walk("gone", "u1") | walk("short", "u1", points=4))
    await stores.migrate()
    await rows(stores, "DELETE FROM walks WHERE id = $1::text::uuid", name(walk("gone", "u1")))
    await stores.put(walk("short", "u1", points=2, updated=later()))
    found = await stores.migrate()
    assert {each.why.split(":")[0] for each in found.refused} == {
        "was moved before, and its walk was deleted in PostgreSQL since",
        "was written later than the walk, and has fewer locations",
    }
    assert (await rows(stores, "SELECT count(*) FROM walk_locations"))[0][0] == 4


async def test_a_trigger_that_replaces_updated_at_at_insert_changes_no_decision(stores: Stores) -> None:
    connection = await stores.connect()
    await connection.execute(
        """
        CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN NEW.updated_at := clock_timestamp(); RETURN NEW; END $$;
        CREATE TRIGGER stamped BEFORE INSERT ON walks FOR EACH ROW EXECUTE FUNCTION stamp();"""
    )
    try:
        await stores.put(walk("one", "u1", title="first"))
        assert (await stores.migrate()).walks.fates == {"new": 1}
        await stores.put(walk("one", "u1", updated=later(), title="later"))  # long before the row's updated_at
        found = await stores.migrate()
        assert found.walks.fates == {"newer": 1}
        assert found.verified is not None and found.verified.equal == 1
    finally:
        await connection.execute("DROP TRIGGER stamped ON walks; DROP FUNCTION stamp()")
        await connection.close()


async def test_a_document_that_goes_while_it_is_moved_takes_its_walk_along(stores: Stores) -> None:
    await stores.put(walk("stays", "u1") | walk("goes", "u1"))
    await stores.migrate()
    writer = stores.documents()
    await writer.delete(name(walk("goes", "u1")))
    await writer.close()
    found = await stores.migrate()  # of an earlier pass: named, never deleted
    assert found.verified is not None
    assert (found.verified.orphans, found.verified.taken_back, found.verified.walks) == (1, 0, 2)


@pytest.mark.parametrize("changed", [False, True])
async def test_a_consent_that_is_withdrawn_stays_and_is_counted(stores: Stores, changed: bool) -> None:
    await stores.put(walk("one", "u1") | consent("u1", 1) | consent("u2", 2))
    first = await stores.migrate(changed=changed)
    assert first.verified is not None and first.verified.consents_alone == 0
    await stores.delete(next(iter(consent("u1", 1))))
    again = await stores.migrate(changed=changed, deletions=True)
    assert again.verified is not None and (again.verified.consents_alone, again.verified.whole) == (1, True)
    assert [each[0] for each in await rows(stores, "SELECT user_id FROM consents ORDER BY 1")] == ["u1", "u2"]


def name(made: dict[str, Any]) -> str:
    return next(iter(made)).split("/")[1]


async def test_the_emulator_replaces_a_document_that_is_written_whole(stores: Stores) -> None:
    """As Firestore does; the package by itself would keep what is not given again."""
    await stores.put(walk("one", "u1", paused_at=later()))
    await stores.put(walk("one", "u1"))
    reader = stores.documents()
    [held] = [document.fields async for document in DocumentSource(reader).whole()]
    await reader.close()
    assert "paused_at" not in held and len(held["location_data"]) == 3


async def test_a_pass_behind_another_reads_only_what_was_written_since(stores: Stores, monkeypatch: Any) -> None:
    monkeypatch.setattr("harness.migration.load.MARGIN", timedelta(0))
    documents: dict[str, Any] = {}
    for number in range(120):  # more than a batch get
        documents |= walk(f"w{number}", "u1", points=2)
    await stores.put(documents | walk("refused", "u1", status="flying") | walk("no row", "u1"))
    await stores.put(consent("u1", 1))
    first = await stores.migrate(changed=True)
    assert (first.walks.since, first.walks.fates, len(first.refused)) == (
        None,
        {"new": 121},
        1,
    )  # nothing to go on from
    await rows(stores, "DELETE FROM walks WHERE id = $1::text::uuid", name(walk("no row", "u1")))
    await stores.put(
        walk("w3", "u1", updated=later(), title="later")
        | walk("offline", "u1", updated=later(-9_999))  # written by a phone's clock long ago, arrived now
        | walk("refused again", "u1", status="flying")
    )
    await stores.put(consent("u2", 2))
    writer = stores.documents()
    await writer.delete(name(walk("w5", "u1")))
    await writer.close()
    second = await stores.migrate(changed=True)
    # Read: what was written, what was refused and what has no row; of 121 moved ones 118 are untouched.
    assert second.walks.since is not None
    assert (second.walks.documents, second.walks.unchanged) == (5, 118)
    assert second.walks.fates == {"deleted": 1, "new": 1, "newer": 1}
    assert (second.consents.fates, second.consents.unchanged) == ({"new": 1}, 1)
    found = second.verified
    assert found is not None
    assert (found.documents, found.unchanged, found.equal, found.refused, found.orphans) == (123, 118, 2, 3, 1)
    assert {each.document for each in second.refused} == {
        next(iter(walk(each, "u1"))) for each in ("refused", "refused again", "no row")
    }
    third = await stores.migrate(changed=True, deletions=True)
    assert (third.walks.fates, third.walks.unchanged) == ({"deleted": 1}, 120)
    assert third.verified is not None
    assert (third.verified.taken_back, third.verified.orphans, third.verified.walks) == (1, 0, 121 - 1)
    whole = await stores.migrate()
    assert whole.walks.documents == 123 and whole.verified is not None and whole.verified.equal == 120


async def test_a_pass_over_all_that_was_ended_is_gone_on_with_before_any_behind_it(stores: Stores) -> None:
    """What was refused before is forgotten by it, and would else never be named again."""
    await stores.put(walk("one", "u1", points=4) | walk("two", "u1"))
    await stores.migrate()
    await stores.put(walk("one", "u1", points=2, updated=later()))
    assert len((await stores.migrate()).refused) == 1
    connection = await stores.connect()
    loader = Loader(connection)
    await loader.open()
    await loader.begun("walks", later(), anew=True)  # and killed
    await connection.close()
    found = await stores.migrate(changed=True)
    assert found.walks.since is None and len(found.refused) == 1
    assert (await stores.migrate(changed=True)).walks.since is not None


async def test_a_comparison_that_was_killed_is_done_before_anything_is_taken_for_compared(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pass before it reads versions alone, and takes content of the same version for the same."""
    monkeypatch.setattr("harness.migration.load.MARGIN", timedelta(0))
    document = await stores.moved_then_other_content()
    with monkeypatch.context() as patch:
        patch.setattr(Verifier, "compare", killed)
        with pytest.raises(PartDied):
            await stores.migrate()
    found = await stores.migrate(changed=True)
    assert found.walks.since is None and found.verified is not None and found.verified.different == 1
    assert [each.document for each in found.refused] == [document]
    again = await stores.migrate(changed=True)
    assert again.walks.since is not None and again.verified is not None and again.verified.different == 1


async def test_a_document_that_lost_to_another_of_its_walk_is_named_behind_another_pass_too(
    stores: Stores, monkeypatch: Any
) -> None:
    monkeypatch.setattr("harness.migration.load.MARGIN", timedelta(0))
    [(path, fields)] = walk("one", "u1").items()
    lower = name({path: fields}).lower()
    await stores.put({path: fields, f"walks/{lower}": {**fields, "id": lower, "updated_at": later(-1)}})
    first, second = await stores.migrate(), await stores.migrate(changed=True)
    assert [each.document for each in first.refused] == [f"walks/{lower}"] == [each.document for each in second.refused]
    assert (second.walks.documents, second.walks.unchanged) == (2, 0)


async def test_a_walk_of_the_api_that_both_stores_hold_goes_with_its_document_once_they_agree(stores: Stores) -> None:
    """A roll back: whoever is on Firestore again deletes there what the API wrote before."""
    await stores.put(walk("moved", "u1") | walk("kept", "u1") | walk("api", "u1") | walk("not there yet", "u1"))
    await stores.migrate()
    await rows(stores, "UPDATE walks SET title = 'of the API'")  # the trigger makes each row later than its document
    await rows(stores, "DELETE FROM tekutoko_migration.moved WHERE document = $1", name(walk("api", "u1")))
    writer = stores.documents()
    await writer.delete(name(walk("not there yet", "u1")))  # the mirror wrote nothing of it
    agreed = [await stores.agreed() for _ in range(2)]
    await writer.delete(name(walk("moved", "u1")))
    await writer.delete(name(walk("api", "u1")))
    await writer.close()
    found = (await stores.migrate(changed=True, deletions=True)).verified
    assert agreed == [3, 0] and found is not None
    assert (found.taken_back, found.walks) == (2, 2)  # what had no document, and nobody deleted, stays


async def test_a_walk_that_was_moved_by_the_comparison_and_deleted_since_is_taken_back(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the comparison goes on: its document was there when it was read."""
    await stores.put(walk("stays", "u1"))
    compare = Verifier.compare

    async def later(verifier: Verifier, batch: Batch) -> None:
        made = walk("made meanwhile", "u1") | walk("kept", "u1")
        await stores.put(made)
        for path, fields in made.items():
            rows = walk_rows(path.split("/")[1], fields)
            batch.take(path.split("/")[1], rows)
        await compare(verifier, batch)
        writer = stores.documents()
        await writer.delete(name(walk("made meanwhile", "u1")))
        await writer.close()
        await asyncio.sleep(0.2)  # several times what a deletion may be on its way

    monkeypatch.setattr(Verifier, "compare", later)
    found = (await stores.migrate(settle_s=0.02)).verified
    assert found is not None and (found.caught_up, found.taken_back, found.walks) == (2, 1, 2)


async def test_a_walk_that_is_deleted_on_both_sides_between_reading_and_loading_is_never_made_again(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was made through the API, so that no journal knows of it; its document was read batches ago."""
    monkeypatch.setattr("harness.migration.load.MARGIN", timedelta(0))
    await stores.put(walk("stays", "u1") | walk("goes", "u1"))
    await stores.migrate()
    await rows(stores, "CREATE TABLE made (id uuid)")
    await rows(
        stores,
        "CREATE FUNCTION made() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO made VALUES (NEW.id); RETURN NEW; END $$",
    )
    await rows(stores, "CREATE TRIGGER made AFTER INSERT ON walks FOR EACH ROW EXECUTE FUNCTION made()")
    await rows(stores, "DELETE FROM tekutoko_migration.moved")
    begun, looked = Loader.absent, list[int]()

    async def deleted_meanwhile(loader: Loader, batch: Batch) -> list[str]:
        if not looked and batch.walks:
            await rows(stores, "DELETE FROM walks WHERE id = $1::text::uuid", name(walk("goes", "u1")))
            writer = stores.documents()
            await writer.delete(name(walk("goes", "u1")))
            await writer.close()
        looked.append(len(batch.walks))
        return await begun(loader, batch)

    monkeypatch.setattr(Loader, "absent", deleted_meanwhile)
    try:
        await stores.put(walk("goes", "u1", updated=later()))
        found = (await stores.migrate(changed=True)).verified
        assert found is not None and (found.taken_back, found.walks, found.left) == (0, 1, 0) and looked
        assert await rows(stores, "SELECT * FROM made") == []
        looked.clear()
        await stores.put(walk("goes", "u1", updated=later(2)))
        await rows(stores, "INSERT INTO walks (id, title) VALUES ($1::text::uuid, '')", name(walk("goes", "u1")))
        await rows(stores, "TRUNCATE made")
        found = (await stores.migrate()).verified  # all, and here it is the comparison that has read it before
        assert found is not None and (found.taken_back, found.walks, found.left) == (0, 1, 0)
        assert await rows(stores, "SELECT * FROM made WHERE id = $1::text::uuid", name(walk("goes", "u1"))) == []
    finally:
        await rows(stores, "DROP TRIGGER made ON walks")
        await rows(stores, "DROP FUNCTION made()")
        await rows(stores, "DROP TABLE made")


async def test_no_walk_is_taken_out_where_firestore_has_none_at_all(stores: Stores) -> None:
    await stores.put(walk("one", "u1"))
    await stores.migrate()
    writer = stores.documents()
    await writer.delete(name(walk("one", "u1")))
    await writer.close()
    found = await stores.migrate(changed=True, deletions=True)
    assert found.verified is not None and (found.verified.taken_back, found.verified.orphans) == (0, 1)


async def test_a_dry_run_behind_another_pass_reads_the_same_and_writes_nothing(stores: Stores) -> None:
    await stores.put(walk("one", "u1") | walk("odd", "u1", status="flying"))
    assert (await stores.migrate(dry=True, changed=True)).walks.since is None
    await stores.migrate()
    await stores.put(walk("two", "u1"))
    dry = await stores.migrate(dry=True, changed=True)
    assert dry.walks.since is not None and dry.walks.fates["new"] == 1 and len(dry.refused) == 1
    assert (await stores.migrate(changed=True)).walks.fates["new"] == 1
