"""Healing a real PostgreSQL and the emulator while the app goes on in Firestore, and the migration behind a roll back."""

from __future__ import annotations

import pytest

from harness.migration.heal import heal
from harness.model.direction import Direction
from tests.migration.stores import Stores, later, walk
from tests.migration.test_engine import name, rows

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("empty")]


async def deleted(stores: Stores, *names: str) -> None:
    writer = stores.documents()
    for each in names:
        await writer.delete(each)
    await writer.close()


async def titles(stores: Stores) -> dict[str, str]:
    """Of the documents, by id."""
    reader = stores.documents()
    found = {each: str(fields["title"].value) async for each, fields in reader.each()}
    await reader.close()
    return found


async def test_a_document_that_the_app_writes_after_it_was_read_is_not_overwritten(stores: Stores) -> None:
    """Each of the four that the plan wants to write or to delete is written by the app between reading and writing."""
    made = {each: walk(each, "u1", title="before") for each in ("stale", "again", "lacking", "extra", "untouched")}
    for each in made.values():
        await stores.put(each)
    await stores.migrate()
    await rows(stores, "UPDATE walks SET title = 'of the API'")  # later than their documents, all but two of which
    await rows(stores, "DELETE FROM walks WHERE id = $1::text::uuid", name(made["extra"]))
    await deleted(stores, name(made["lacking"]))  # the mirror has not written, or has not deleted

    async def settled() -> None:
        """The app's writes are on their way meanwhile."""
        for each in ("stale", "lacking", "extra"):
            await stores.put(walk(each, "u1", title="of the app", updated=later(9_999_999)))
        await deleted(stores, name(made["again"]))

    api = [name(made["extra"]).lower()]
    done = await heal(stores.endpoints, Direction.TO_FIRESTORE, apply=True, deleted=api, settled=settled)
    assert done.write == (name(made["untouched"]),) and done.delete == ()
    left = {each.split(":")[0] for each in map(str, done.named) if each.endswith("written to Firestore meanwhile")}
    assert left == {name(made[each]).lower() for each in ("stale", "again", "lacking", "extra")}
    assert await titles(stores) == {
        name(made["untouched"]): "of the API",
        **{name(made[each]): "of the app" for each in ("stale", "lacking", "extra")},
    }


async def test_a_walk_that_its_user_deletes_while_the_stores_are_read_does_not_come_back(stores: Stores) -> None:
    """One through the API, whose document the mirror has not deleted yet; of another the document is gone by then."""
    for each in ("replaced", "copied", "stays"):
        await stores.put(walk(each, "u1", title="before"))
    await stores.migrate()
    await rows(stores, "DELETE FROM walks WHERE id = $1::text::uuid", name(walk("copied", "u1")))
    for each in ("replaced", "stays"):
        await stores.put(walk(each, "u1", title="of the app", updated=later(9_999_999)))

    async def settled() -> None:
        await rows(stores, "DELETE FROM walks WHERE id = $1::text::uuid", name(walk("replaced", "u1")))
        await deleted(stores, name(walk("copied", "u1")))

    done = await heal(stores.endpoints, Direction.TO_POSTGRESQL, apply=True, settled=settled)
    assert (done.replace, done.copy) == ((name(walk("stays", "u1")),), ())
    said = [str(each) for each in done.named]
    assert sorted(said) == sorted(
        f"{name(walk(each, 'u1')).lower()}: deleted meanwhile" for each in ("replaced", "copied")
    )
    [(there,)] = await rows(stores, "SELECT count(*) FROM walks")
    assert there == 1


async def test_what_was_deleted_while_the_stores_were_read_is_known_before_anything_is_decided(stores: Stores) -> None:
    """The DELETE was carried out before the documents were read, and is in evidence only after."""
    await stores.put(walk("kept", "u1") | walk("goes", "u1"))
    await stores.migrate()
    await deleted(stores, name(walk("goes", "u1")))
    own: set[str] = set()

    async def settled() -> None:
        own.add(name(walk("goes", "u1")).lower())

    done = await heal(stores.endpoints, Direction.TO_FIRESTORE, apply=True, own=own, settled=settled)
    assert (done.changes, done.own) == (0, 1) and name(walk("goes", "u1")) not in await titles(stores)


async def test_a_walk_of_the_api_that_its_user_deletes_in_firestore_first_does_not_come_back(stores: Stores) -> None:
    """A roll back: PUT through the API, DELETE in Firestore, healed, agreed, and the users enter again."""
    await stores.put({k: v for each in ("moved", "early", "late", "kept") for k, v in walk(each, "u1").items()})
    await stores.migrate()
    await rows(stores, "UPDATE walks SET title = 'of the API'")
    await heal(stores.endpoints, Direction.TO_FIRESTORE, apply=True)  # as the mirror does
    await rows(stores, "DELETE FROM tekutoko_migration.moved WHERE document <> $1", name(walk("moved", "u1")))
    gone = {name(walk(each, "u1")).lower() for each in ("moved", "early")}
    await deleted(stores, *(each.upper() for each in gone))
    assert (await heal(stores.endpoints, Direction.TO_FIRESTORE, apply=True, own=gone)).changes == 0

    async def settled() -> None:
        """One more was deleted before the documents' keys were read, and is heard of after."""
        gone.add(name(walk("late", "u1")).lower())

    await deleted(stores, name(walk("late", "u1")))
    assert await stores.agreed(gone, settled) == 4
    found = (await stores.migrate(changed=True, deletions=True)).verified
    assert found is not None and (found.taken_back, found.walks, found.alone) == (3, 1, 0)


async def test_what_is_said_to_be_gone_and_is_there_stays(stores: Stores) -> None:
    """A document in either case."""
    [(path, fields)] = walk("one", "u1").items()
    lower = name({path: fields}).lower()
    await stores.put({f"walks/{lower}": {**fields, "id": lower}})
    await stores.migrate()
    await stores.agreed({lower})
    found = (await stores.migrate(changed=True, deletions=True)).verified
    assert found is not None and (found.taken_back, found.walks) == (0, 1)
