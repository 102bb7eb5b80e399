"""The storage adapter against the real emulator, and against none."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator

import pytest

from api.cloud_storage import CloudStorage
from harness.load.population import thumbnail
from harness.model.stack import Address
from harness.stack.firebase import commands, storage
from tests.api import world
from tests.api.world import ROOT
from tests.ports import free_port

pytestmark = pytest.mark.process

PROJECT = "demo-photos"
BUCKET = f"{PROJECT}.appspot.com"
WALK, OTHER = "0b3a6c9e-aaaa-4222-8333-444455556666", "0c3a6c9e-aaaa-4222-8333-444455556666"


@pytest.fixture
def emulator() -> Iterator[Address]:
    address = Address(host="127.0.0.1", port=free_port())
    process = subprocess.Popen(commands.storage_command(BUCKET, address), cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 20
        while not asyncio.run(commands.storage_ready(address)):
            assert time.monotonic() < until and process.poll() is None
            time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait(10)


async def put(emulator: Address, name: str) -> None:
    await storage.put(emulator, BUCKET, name, thumbnail.image(1, name), thumbnail.CONTENT_TYPE)


async def names(emulator: Address) -> list[str]:
    return [each.name for each in await storage.objects(emulator, BUCKET)]


async def test_a_walks_photos_go_and_all_others_stay(emulator: Address) -> None:
    kept = [thumbnail.object_name("u1", OTHER), thumbnail.object_name("u2", WALK)]
    for name in [thumbnail.object_name("u1", WALK), thumbnail.folder("u1", WALK) + "photo 1.jpg", *kept]:
        await put(emulator, name)
    adapter = CloudStorage(f"http://{emulator}", PROJECT)
    await adapter.remove_walk("u1", WALK)
    assert await names(emulator) == sorted(kept)
    await adapter.remove_walk("u1", WALK)  # nothing there is fine


async def test_one_silent_connection_does_not_hold_up_the_emulator(emulator: Address) -> None:
    _reader, writer = await asyncio.open_connection(emulator.host, emulator.port)
    async with asyncio.timeout(10):
        await put(emulator, "one")
    writer.close()


async def test_where_nobody_listens_a_delete_is_answered_and_the_failure_counted() -> None:
    nobody = CloudStorage(f"127.0.0.1:{free_port()}", PROJECT)
    with pytest.raises(OSError):
        await nobody.remove_walk("u1", WALK)
    async with world.running(storage=nobody) as api, api.as_user("u1") as client:
        await client.put(f"/v1/walks/{WALK}", json={"title": "x"})
        assert (await client.delete(f"/v1/walks/{WALK}")).status_code == 204
        async with asyncio.timeout(60):
            while api.service.removals.stats.failed == 0:  # noqa: ASYNC110 - nothing tells a test when
                await asyncio.sleep(0.01)
