"""One real stack whose target lets anybody overwrite any walk: the checkers see it, and reconcile heals the stores."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from harness.base.errors import Exit
from harness.checks.acknowledged import acknowledged
from harness.checks.cross_user_access import OwnedWalk, ask_as_others
from harness.checks.dual_write import StoredWalk, document_id, expected
from harness.checks.stores import StoresAt, read_walks
from harness.cli.reconcile import Reconcile
from harness.load.auth import create_accounts, sign_in
from harness.load.population.schedule import PlannedRequest, Population
from harness.load.population.walk import WalkUpdate, encode
from harness.load.rest import JsonClient, exchange
from harness.migration.heal import heal
from harness.model.direction import Direction
from harness.model.stack import Endpoints
from harness.stack.firebase.documents import Documents, Value
from tests.checks.sending import SEED, USERS, as_sent, planned, row
from tests.conformance.targets import one_pod, wrong
from tests.stack.rungs import local

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(180)]


def first_puts() -> list[PlannedRequest]:
    """Of each user the first PUT."""
    return [next(each for each in planned(account.user) if isinstance(each.body, WalkUpdate)) for account in USERS]


def put_all(endpoints: Endpoints) -> list[int]:
    client = JsonClient("Auth", endpoints.auth, 20)
    create_accounts(client, endpoints.project_id, USERS)
    tokens = [sign_in(client, account).id_token for account in USERS]
    client.close()

    async def put() -> list[int]:
        return [
            (await exchange(endpoints.service, "PUT", f"/v1/walks/{each.walk_id}", token, encode(each.body))).status
            for each, token in zip(first_puts(), tokens, strict=True)
        ]

    return asyncio.run(put())


async def mirrored(endpoints: Endpoints, documents: Documents) -> None:
    for _ in range(100):
        if (await heal(endpoints, Direction.TO_FIRESTORE, apply=False)).changes == 0:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the mirror did not follow")


def told(endpoints: Endpoints, file: Path) -> Path:
    file.write_bytes(msgspec.json.encode({"endpoints": endpoints}))
    return file


def command(file: Path, direction: Direction, *, apply: bool) -> int:
    return Reconcile(endpoints=file, direction=direction, apply=apply).run()


async def test_a_planted_trespass_and_planted_differences(tmp_path: Path) -> None:
    stack = local(tmp_path, target=wrong("put_overwrites_foreign"), manifests_=one_pod())
    try:
        await stack.up()
        endpoints = stack.endpoints()
        documents = Documents(endpoints.firestore, endpoints.project_id)
        assert await asyncio.to_thread(put_all, endpoints) == [200, 200, 200]
        await mirrored(endpoints, documents)
        await overwritten(endpoints)
        await mirrored(endpoints, documents)
        await healed(endpoints, documents, told(endpoints, tmp_path / "endpoints.json"))
        await documents.close()
    finally:
        await stack.down()
    assert stack.leaks() == []


async def overwritten(endpoints: Endpoints) -> None:
    """Nothing is lost until somebody puts onto others' walks, which is seen both ways."""
    sent = as_sent([row(each) for each in first_puts()])
    before = await read_walks(endpoints)
    assert acknowledged(sent, {walk.id: walk for walk in before}).lost == ()
    asked = await ask_as_others(
        StoresAt(endpoints), USERS, [owned(walk) for walk in before], Population(SEED, len(USERS)), 100
    )
    assert [(each.get.status, each.put.status, each.changed) for each in asked] == [(404, 200, True)] * 3
    lost = acknowledged(sent, {walk.id: walk for walk in await read_walks(endpoints)}).lost
    assert {str(each.what).split(" is ")[0] for each in lost} == {"title"}


def owned(walk: StoredWalk) -> OwnedWalk:
    return OwnedWalk(walk_id=walk.id, owner=walk.user, title=walk.columns["title"], before=walk)


async def healed(endpoints: Endpoints, documents: Documents, file: Path) -> None:
    """A lost document, one of the app's own and a newer one: each direction heals its own, once."""
    one, two, three = sorted(await read_walks(endpoints), key=lambda walk: walk.id)
    await documents.delete(document_id(one.id))
    assert two.updated_at is not None
    newer = expected(two) | {
        "title": Value("string", "later"),
        "updated_at": Value("timestamp", two.updated_at + timedelta(minutes=5)),
    }
    await documents.put(document_id(two.id), newer)
    own = document_id("0b3a6c9e-aaaa-4222-8333-444455556666")
    await documents.put(own, expected(three) | {"id": Value("string", own)})
    assert await asyncio.to_thread(command, file, Direction.TO_FIRESTORE, apply=False) == Exit.HOLD
    there = await heal(endpoints, Direction.TO_FIRESTORE, apply=True)
    assert (there.write, len(there.named)) == ((document_id(one.id),), 2)
    assert (await heal(endpoints, Direction.TO_FIRESTORE, apply=True)).changes == 0
    back = await heal(endpoints, Direction.TO_POSTGRESQL, apply=True)
    assert (back.replace, back.copy, back.named) == ((document_id(two.id),), (own,), ())
    assert await asyncio.to_thread(command, file, Direction.TO_POSTGRESQL, apply=True) == Exit.OK
    assert await asyncio.to_thread(command, file, Direction.TO_FIRESTORE, apply=True) == Exit.OK
    walks = {walk.id: walk for walk in await read_walks(endpoints)}
    assert walks[two.id].columns["title"] == "later" and len(walks[two.id].locations) == len(two.locations)
    assert own.lower() in walks
    await left_alone(walks[one.id], documents, file)


async def left_alone(walk: StoredWalk, documents: Documents, file: Path) -> None:
    """A document of an earlier write, and one of the same write that says something else: PostgreSQL keeps its own."""
    assert walk.updated_at is not None
    for earlier_s in (60, 0):
        at = Value("timestamp", walk.updated_at - timedelta(seconds=earlier_s))
        await documents.put(document_id(walk.id), expected(walk) | {"title": Value("string", "x"), "updated_at": at})
        for apply in (False, True):
            assert await asyncio.to_thread(command, file, Direction.TO_POSTGRESQL, apply=apply) == Exit.HOLD
    assert await asyncio.to_thread(command, file, Direction.TO_FIRESTORE, apply=True) == Exit.OK
    assert await asyncio.to_thread(command, file, Direction.TO_POSTGRESQL, apply=True) == Exit.OK
