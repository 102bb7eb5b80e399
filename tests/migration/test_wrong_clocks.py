"""Phones whose clocks are wrong: ``updated_at`` says one order of two writes, Firestore's own time another."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from harness.migration.engine import Verifier
from harness.migration.heal import heal
from harness.model.direction import Direction
from tests.migration.stores import Stores, later, walk
from tests.migration.test_engine import rows

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("empty")]

PATH = next(iter(walk("one", "u1")))
FUTURE = 9_999_999  # minutes
#: PostgreSQL's row, written by the API: the trigger makes it of today.
API = "UPDATE walks SET title = 'of the API'"


async def title(stores: Stores) -> str:
    [row] = await rows(stores, "SELECT title FROM walks")
    return str(row["title"])


def refused(found: Any) -> list[str]:
    return [each.document for each in found.refused]


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("written_by_the_api", [False, True])
async def test_an_edit_of_a_clock_that_is_behind_is_named_and_holds(
    stores: Stores, changed: bool, written_by_the_api: bool
) -> None:
    await stores.put(walk("one", "u1", title="first"))
    await stores.migrate()
    if written_by_the_api:
        await rows(stores, API)
    await stores.put(walk("one", "u1", updated=later(-60), title="last, of a phone an hour behind"))
    dry = await stores.migrate(changed=changed, dry=True)
    found = await stores.migrate(changed=changed)
    assert dry.walks.fates == found.walks.fates == {"older": 1}
    assert refused(dry) == refused(found) == [PATH]
    assert found.verified is not None and found.verified.later == 1
    assert await title(stores) == ("of the API" if written_by_the_api else "first")
    assert refused(await stores.migrate(changed=changed)) == [PATH], "as long as nobody decides"


async def test_an_edit_of_a_clock_that_is_ahead_replaces_nothing_that_was_written_since(stores: Stores) -> None:
    await stores.put(walk("one", "u1", title="first"))
    await stores.migrate()
    await stores.put(walk("one", "u1", updated=later(FUTURE), title="of a phone years ahead"))
    await rows(stores, API)
    found = await stores.migrate()
    assert (found.walks.fates, refused(found)) == ({"older": 1}, [PATH])
    assert await title(stores) == "of the API"


async def test_an_edit_behind_one_of_a_clock_that_was_ahead_is_named(stores: Stores) -> None:
    """The database's time of the row only grows, and so is years ahead, too."""
    await stores.put(walk("one", "u1", updated=later(FUTURE), title="of a phone years ahead"))
    await stores.migrate()
    await rows(stores, API)
    now = datetime.now(UTC).replace(microsecond=0)
    await stores.put(walk("one", "u1", updated=now, title="last, of a clock that is right"))
    found = await stores.migrate()
    assert (found.walks.fates, refused(found)) == ({"older": 1}, [PATH])


async def test_a_walk_that_the_api_wrote_later_by_both_times_is_no_dispute(stores: Stores) -> None:
    await stores.put(walk("one", "u1", title="first"))
    await stores.migrate()
    await rows(stores, API)  # and nothing mirrors it
    found = await stores.migrate()
    assert (found.walks.fates, refused(found)) == ({"older": 1}, [])
    assert found.verified is not None and found.verified.later == 1


async def test_a_mirror_that_is_late_is_no_dispute_once_it_has_settled(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its write of an earlier version came after the API's next one; that one's document comes while it is waited."""
    await stores.put(walk("one", "u1", title="first"))
    await stores.migrate()
    await rows(stores, API)
    await stores.put(walk("one", "u1", updated=later(1), title="an earlier version, mirrored late"))
    others = Verifier.others

    async def mirrored(verifier: Verifier, *given: Any, **named: Any) -> None:
        [row] = await rows(stores, "SELECT updated_at FROM walks")
        await stores.put(walk("one", "u1", updated=row["updated_at"], title="of the API"))
        await others(verifier, *given, **named)

    monkeypatch.setattr(Verifier, "others", mirrored)
    found = await stores.migrate()
    assert (found.walks.fates, refused(found)) == ({"older": 1}, [])
    assert found.verified is not None and (found.verified.documents, found.verified.equal) == (1, 1)


@pytest.mark.parametrize("direction", Direction)
async def test_a_healing_names_what_a_wrong_clock_would_lose(stores: Stores, direction: Direction) -> None:
    """Of one the phone is behind, of the other ahead; each was written last by the other side than it says."""
    await stores.put(walk("one", "u1", title="first") | walk("two", "u1", title="first"))
    await stores.migrate()
    await stores.put(walk("two", "u1", updated=later(FUTURE), title="of a phone ahead"))
    await rows(stores, API)
    await stores.put(walk("one", "u1", updated=later(-60), title="of a phone behind"))
    done = await heal(stores.endpoints, direction, apply=True)
    assert done.changes == 0 and len(done.named) == 2
    assert {row["title"] for row in await rows(stores, "SELECT title FROM walks")} == {"of the API"}
    reader = stores.documents()
    assert {str(fields["title"].value) async for _, fields in reader.each()} == {
        "of a phone ahead",
        "of a phone behind",
    }
    await reader.close()


async def migrated_then_mostly_gone(stores: Stores, moved: int, left: int) -> None:
    await stores.put({k: v for number in range(moved) for k, v in walk(f"w{number}", "u1", points=0).items()})
    await stores.migrate()
    for number in range(left, moved):
        await stores.delete(next(iter(walk(f"w{number}", "u1"))))


@pytest.mark.parametrize("most", [2, 0])
async def test_more_deletions_than_are_allowed_are_listed_and_none_is_made(stores: Stores, most: int) -> None:
    await migrated_then_mostly_gone(stores, 4, 1)
    gone = {next(iter(walk(f"w{number}", "u1"))) for number in (1, 2, 3)}
    found = await stores.migrate(deletions=True, most_deletions=lambda _: most)
    assert found.verified is not None and (found.verified.taken_back, found.verified.walks) == (0, 4)
    assert {*refused(found)} == gone and not found.verified.whole
    found = await stores.migrate(deletions=True, most_deletions=lambda _: 3)
    assert found.verified is not None and (found.verified.taken_back, found.verified.walks) == (3, 1)
    assert refused(found) == [] and found.verified.whole
