"""Recovery on a real PostgreSQL, one primary for the module. Checkers are shown failing on planted loss and damage."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from harness.base.errors import EvidenceNotWritten, StackNotStarted
from harness.model.message import english
from harness.rehearsals.dr_restore import archive, disasters
from harness.rehearsals.dr_restore.archive import check_archive
from harness.rehearsals.dr_restore.disasters import Transfer, damage, differences
from harness.rehearsals.dr_restore.restore import (
    SEGMENT_BYTES,
    BackupDamaged,
    RestorePoint,
    RestoreWorld,
    look,
    restore,
    world,
)
from harness.rehearsals.dr_restore.server import closing
from harness.stack.local.site import Site, remove
from tests.recovery.sites import begun

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with begun("dr", tmp_path_factory.mktemp("logs")) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(site: Site) -> AsyncIterator[RestoreWorld]:
    """A primary with a backup and a second of sentinels, archived and streamed."""
    async with world(site, "shared", 0.05) as made:
        made.sentinels.start()
        await site.clock.sleep(1.0)
        await made.archive.caught_up(made.primary)
        await site.clock.sleep(0.3)
        await made.sentinels.stop()
        yield made


async def test_a_restore_holds_everything_that_was_acknowledged(here: RestoreWorld, site: Site) -> None:
    restored = await restore(site, here.source(), RestorePoint(), "everything")
    try:
        found, checks = await look(restored.server)
        acknowledged = {each.n for each in here.sentinels.acknowledged}
        # What was sent and never answered, by a slow disk or at the end, may be there or not.
        assert acknowledged <= found <= here.sentinels.sent
        assert [str(check.told) for check in checks if not check.ok] == []
        # Planted: a row less, a row changed.
        await restored.server.sql("DELETE FROM walk_locations WHERE walk_id = 3 AND sequence_number = 2")
        await restored.server.sql("UPDATE walks SET title = 'other' WHERE id = 4")
        _found, checks = await look(restored.server)
        assert [check.ok for check in checks] == [False, False]
        # Planted: a sentinel less than was acknowledged.
        _found, checks = await look(restored.server, found | {10_000})
        assert not any(check.ok for check in checks)
    finally:
        await restored.server.kill()
        remove([restored.server.data])


async def test_the_archive_is_whole_and_a_missing_or_damaged_segment_is_named(here: RestoreWorld) -> None:
    state = await check_archive(here.archive, here.backups[0], SEGMENT_BYTES)
    assert state.whole
    last = state.safe
    assert last is not None
    first = here.archive.archived()[-1]
    stored = {folder: (folder / first).read_bytes() for folder in (here.archive.wal, here.archive.stream)}
    try:
        for folder in stored:
            (folder / first).unlink()
        gone = await check_archive(here.archive, here.backups[0], SEGMENT_BYTES)
        assert gone.continuity.missing == (first,)
        assert gone.safe is None or gone.safe.at < last.at
        content = bytearray(stored[here.archive.wal])
        content[2000:2100] = b"x" * 100
        (here.archive.wal / first).write_bytes(content)
        damaged = await check_archive(here.archive, here.backups[0], SEGMENT_BYTES)
        assert damaged.damaged == first
        assert not damaged.whole
    finally:
        for folder, content_ in stored.items():
            (folder / first).write_bytes(content_)


async def test_the_archive_takes_a_name_twice_only_with_the_same_content(here: RestoreWorld, tmp_path: Path) -> None:
    name = here.archive.archived()[0]
    script = here.archive.folder / "archive.sh"
    same, other = here.archive.wal / name, tmp_path / "other"
    other.write_bytes(b"other")

    def archived(path: Path) -> int:
        return subprocess.run(["/bin/sh", str(script), str(path), name], check=False, capture_output=True).returncode

    before = same.read_bytes()
    assert await asyncio.to_thread(archived, same) == 0
    assert await asyncio.to_thread(archived, other) != 0
    assert same.read_bytes() == before
    here.archive.stall()
    assert await asyncio.to_thread(archived, same) != 0
    here.archive.stall(stalled=False)


async def test_a_damaged_backup_is_refused(here: RestoreWorld, site: Site) -> None:
    taken = await here.back_up()
    assert (await archive.verify(site, taken.folder)).ok
    damage(taken, site.top)
    assert not (await archive.verify(site, taken.folder)).ok
    with pytest.raises(BackupDamaged, match="manifest"):
        await restore(site, here.source(), RestorePoint(), "refused")
    assert not (site.folder / "refused").exists()
    remove([here.backups.pop().folder])


async def test_random_points_are_exact_to_the_transaction(site: Site) -> None:
    checks = await disasters.random_points(site, 7, 4)
    assert [f"{check.name}: {check.told}" for check in checks if not check.ok] == []
    assert len(checks) == 5


async def test_the_books_checker_sees_a_lost_a_doubled_and_a_changed_transaction(here: RestoreWorld) -> None:
    await here.primary.sql(disasters._SCHEMA)
    moved = [Transfer(n=n, low=1, high=2, amount=10) for n in range(3)]
    connection = await here.primary.connect()
    try:
        for each in moved:
            await connection.execute(disasters._TRANSFER, each.n, each.low, each.high, each.amount)
        assert await differences(connection, moved) == ()
        told = await differences(connection, [*moved, Transfer(n=9, low=3, high=4, amount=5)])
        assert english(told) == "1 transactions missing; balances of accounts 3, 4 do not follow"
        assert str((await differences(connection, moved[:2]))[0]) == "1 too many"
        await connection.execute("UPDATE transfer SET amount = 11 WHERE n = 1")
        assert english(await differences(connection, moved)) == "transfer 1 with other content"
    finally:
        await closing(connection)


async def test_a_cancelled_tool_leaves_no_process(site: Site) -> None:
    with pytest.raises(StackNotStarted, match="did not end within"):
        await site.tool("/bin/sleep", "60", limit_s=0.2)
    done = await site.tool("/bin/sh", "-c", "exit 3", check=False)
    assert done.status == 3
    with pytest.raises(StackNotStarted, match="failed"):
        await site.tool("/bin/sh", "-c", "exit 3")


async def test_a_full_disk_is_told_as_one(site: Site) -> None:
    with pytest.raises(EvidenceNotWritten, match="disk is full"):
        await site.tool("/bin/sh", "-c", "echo 'cp: error writing x: No space left on device' >&2; exit 1")
