"""Firestore in memory as a healing knows it, and a healing over it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from typing import Any

import pytest

from harness.checks.dual_write import StoredWalk
from harness.migration import heal as module
from harness.migration.heal import Healing
from harness.model.direction import Direction
from harness.model.stack import Endpoints
from harness.stack.firebase.documents import Fields, StoredDocument
from tests.nowhere import all_at


class Firestore:
    """Documents by id; each is as it was read when it is written or deleted."""

    def __init__(self, documents: Mapping[str, Fields] | None = None) -> None:
        self.documents: dict[str, Fields] = deepcopy(dict(documents or {}))

    async def held(self) -> dict[str, StoredDocument]:
        return {name: StoredDocument(fields, None) for name, fields in deepcopy(self.documents).items()}

    async def get_many(self, names: Sequence[str]) -> dict[str, Fields]:
        return {name: deepcopy(self.documents[name]) for name in names if name in self.documents}

    async def put_over(self, name: str, fields: Fields, seen: StoredDocument | None) -> bool:
        return await self.commit(name, seen, fields)

    async def delete_seen(self, name: str, seen: StoredDocument) -> bool:
        return await self.commit(name, seen, None)

    async def commit(self, name: str, seen: StoredDocument | None, fields: Fields | None) -> bool:
        """Writes the document, or without ``fields`` deletes it, while others are written."""
        assert self.documents.get(name) == (seen and seen.fields)
        await asyncio.sleep(0)
        if fields is None:
            del self.documents[name]
        else:
            self.documents[name] = deepcopy(fields)
        return True

    async def close(self) -> None:
        """Nothing to close."""


async def heal(
    firestore: Firestore, walks: Sequence[StoredWalk], direction: Direction, *, apply: bool = True,
    deleted: Collection[str] = (), own: Collection[str] = (), **parts: Any,
) -> Healing:  # fmt: skip
    """``harness.migration.heal.heal`` over it and these walks of PostgreSQL; ``parts`` are others of its module."""

    async def read_walks(_: Endpoints) -> Sequence[StoredWalk]:
        return walks

    async def read_ids(*_: object) -> frozenset[str]:
        return frozenset(walk.id for walk in walks)

    ours = {"Documents": lambda *_: firestore, "read_walks": read_walks, "read_ids": read_ids}
    with pytest.MonkeyPatch.context() as patch:
        for name, part in {**ours, **parts}.items():
            patch.setattr(module, name, part)
        return await module.heal(all_at(), direction, apply=apply, deleted=deleted, own=own)
