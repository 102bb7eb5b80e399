"""Heal, then compare: after any history of two stores, a healing in either direction leaves no difference but those it
names, and a second one nothing to do.

``heal`` itself over stores in memory. What is copied goes through the migration's converter as it does for real; its
statements are tried on a real PostgreSQL (``tests/migration``).
"""

from __future__ import annotations

import asyncio
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from msgspec import structs

from harness.checks.dual_write import StoredWalk, compare, document_id, expected
from harness.migration.convert import LOCATION_COLUMNS, WALK_COLUMNS, WalkRows
from harness.migration.heal import Healing
from harness.migration.statements import Fate
from harness.model.direction import Direction
from harness.model.stack import Endpoints
from harness.stack.firebase.documents import Fields, Value
from tests.checks.stored import NOON, point, walk
from tests.migration.memory import Firestore, heal
from tests.session.examples import examples

WALKS = [f"0b3a6c9e-aaaa-4222-8333-44445555666{n}" for n in range(3)]
walks = st.sampled_from(WALKS)


class Postgres:
    """Walks by id, and the version rule as ``harness.migration.statements`` has it in SQL."""

    def __init__(self) -> None:
        self.walks: dict[str, StoredWalk] = {}

    async def move(self, _: Endpoints, rows: dict[str, WalkRows], *, dry: bool) -> dict[str, Fate]:
        fates = {name: self._fate(each) for name, each in rows.items()}
        for name, each in rows.items():
            if fates[name].written and not dry:
                columns = dict(zip(WALK_COLUMNS, each.walk, strict=True))
                locations = [dict(zip(LOCATION_COLUMNS, row, strict=True)) for row in each.locations]
                walk_id = str(columns.pop("id"))
                self.walks[walk_id] = StoredWalk(id=walk_id, columns=columns, locations=locations)
        return fates

    def _fate(self, rows: WalkRows) -> Fate:
        stored = self.walks.get(str(rows.id))
        if stored is None or stored.updated_at is None:
            return Fate.NEW
        if rows.version <= stored.updated_at:
            return Fate.SAME if rows.version == stored.updated_at else Fate.OLDER
        return Fate.FEWER if len(rows.locations) < len(stored.locations) else Fate.NEWER


class Stores(RuleBasedStateMachine):
    """Three walks that the API and the app write, each minute one; mirrored or not, as intended or garbled."""

    def __init__(self) -> None:
        super().__init__()
        self.postgres, self.firestore = Postgres(), Firestore()
        self.deleted: set[str] = set()
        self.own: set[str] = set()
        self.at = NOON

    @rule(walk_id=walks, points=st.integers(0, 3), mirrored=st.booleans())
    def the_api_writes(self, walk_id: str, points: int, mirrored: bool) -> None:
        self.postgres.walks[walk_id] = self._walk(walk_id, points)
        self.deleted.discard(walk_id)
        if mirrored:
            self._mirror(walk_id)

    @rule(walk_id=walks, mirrored=st.booleans())
    def the_api_deletes(self, walk_id: str, mirrored: bool) -> None:
        if self.postgres.walks.pop(walk_id, None) is not None:
            self.deleted.add(walk_id)
            if mirrored:
                self.firestore.documents.pop(document_id(walk_id), None)

    @rule(walk_id=walks, points=st.integers(0, 3))
    def the_app_writes(self, walk_id: str, points: int) -> None:
        """Itself, with the flag off."""
        self.firestore.documents[document_id(walk_id)] = expected(self._walk(walk_id, points))
        self.own.add(walk_id)

    @rule(walk_id=walks)
    def the_app_deletes(self, walk_id: str) -> None:
        if self.firestore.documents.pop(document_id(walk_id), None) is not None:
            self.own.add(walk_id)

    @rule(walk_id=walks, field=st.sampled_from(["title", "total_steps", "location_data", "user_id"]))
    def a_document_is_garbled(self, walk_id: str, field: str) -> None:
        """And says that it is of the same write."""
        if (document := self.firestore.documents.get(document_id(walk_id))) is not None:
            document[field] = Value("array", []) if field == "location_data" else Value("string", "garbled")

    @rule(direction=st.sampled_from(Direction), knows_own=st.booleans())
    def heals(self, direction: Direction, knows_own: bool) -> None:
        walks, documents = dict(self.postgres.walks), deepcopy(self.firestore.documents)
        own = self.own if knows_own else set()
        first = self._heal(direction, own, apply=True)
        note(str(first.told))
        second = self._heal(direction, own, apply=False)
        assert (second.changes, second.named, second.own) == (0, first.named, first.own)
        left = {str(each).replace(":", " ").split()[0] for each in first.named}
        if direction is Direction.TO_FIRESTORE:
            left |= own
            self._nothing_newer_overwritten(walks, documents)
            assert self.postgres.walks == walks
        else:
            assert self.firestore.documents == documents
            assert not self.deleted & set(self.postgres.walks), "brought back"
            for walk_id, stored in walks.items():
                document = documents.get(document_id(walk_id))
                if walk_id in left or document is None or document["updated_at"].value <= stored.updated_at:
                    assert self.postgres.walks[walk_id] == stored
        self._agree_but_for(left)

    def _agree_but_for(self, left: set[str]) -> None:
        """By the comparison of the rehearsals, and by what lies in one store alone."""
        compared = compare(self.postgres.walks.values(), self.firestore.documents, dict.fromkeys(self.deleted, "u1"))
        assert {finding.walk_id for finding in compared.findings} <= left
        alone = {document_id(walk_id) for walk_id in self.postgres.walks} ^ set(self.firestore.documents)
        assert {name.lower() for name in alone} <= left

    def _nothing_newer_overwritten(self, walks: dict[str, StoredWalk], before: dict[str, Fields]) -> None:
        for walk_id, stored in walks.items():
            document = before.get(document_id(walk_id))
            if document is not None and document["updated_at"].value > stored.updated_at:
                assert self.firestore.documents[document_id(walk_id)] == document

    def _heal(self, direction: Direction, own: set[str], *, apply: bool) -> Healing:
        work = heal(
            self.firestore, list(self.postgres.walks.values()), direction, apply=apply,
            deleted=frozenset(self.deleted), own=frozenset(own), move=self.postgres.move,
        )  # fmt: skip
        with asyncio.Runner() as runner:
            return runner.run(work)

    def _walk(self, walk_id: str, points: int) -> StoredWalk:
        self.at += timedelta(minutes=1)
        at: datetime = self.at
        made = walk(walk_id, points=0, title=f"{at:%H:%M}", updated_at=at)
        unknown: dict[str, Any] = {"speed": None, "course": None, "altitude": None} if points == 2 else {}
        return structs.replace(made, locations=[point(n, sequence_number=n, **unknown) for n in range(points)])

    def _mirror(self, walk_id: str) -> None:
        self.firestore.documents[document_id(walk_id)] = expected(self.postgres.walks[walk_id])


TestStores = Stores.TestCase
TestStores.settings = settings(max_examples=examples(400), stateful_step_count=20, deadline=None)
