"""What is looked at of an account before it is deleted and after: its consent, too, past the API."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from harness.base.virtual import VirtualClock
from harness.checks.stores import NotAsNamed
from harness.checks.walk_tables import StoredWalks
from harness.load.http1 import PhoneAnswer
from harness.load.population.schedule import Account
from harness.migration import source
from harness.model.message import message
from harness.rehearsals.one_stack import rehearsal
from harness.rehearsals.one_stack.types import EndedAccount
from harness.rules.writes import Writes
from harness.stack.firebase.documents import DocumentPage
from tests.checks.stored import NOON, walk
from tests.nowhere import all_at
from tests.one_stack.test_ended_account import ended


class Firestore:
    """Documents by path, of which walks are known by id."""

    def __init__(self) -> None:
        self.documents: dict[str, Mapping[str, Any]] = {}
        self.commits: list[int] = []
        self.open = 0

    def at(self, *_: object) -> Firestore:
        self.open += 1
        return self

    async def put_all(self, documents: Mapping[str, Mapping[str, Any]]) -> None:
        self.commits.append(len(documents))
        self.documents |= documents

    async def get_many(self, names: Sequence[str]) -> dict[str, Any]:
        return {name: {} for name in names}

    async def pages(self, kind: str, *, keys: bool) -> AsyncGenerator[DocumentPage]:
        assert kind == "consents" and keys
        raw = [SimpleNamespace(name=path, update_time=None) for path in self.documents]
        yield DocumentPage(raw, NOON)

    @staticmethod
    def path(raw: Any) -> str:
        return str(raw.name)

    async def close(self) -> None:
        self.open -= 1


USERS = [f"u{number}" for number in range(1, 251)]


def of(user: str) -> Account:
    return Account(user=user, audience="general", email="", password="", instance_id="", flag_expected=True)


class World:
    """A run whose first user has a walk; ``end_account`` ends nothing, as today."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, rows: int | NotAsNamed) -> None:
        self.firestore, self.rows = Firestore(), rows
        monkeypatch.setattr(rehearsal, "Documents", self.firestore.at)
        monkeypatch.setattr(source, "_time", lambda _: None)
        monkeypatch.setattr(rehearsal, "user_rows", self.user_rows)
        monkeypatch.setattr(rehearsal, "end_account", self.nothing)

    async def user_rows(self, _: object, uid: str, table: str = "users") -> int:
        assert uid == "u1"
        if table == "users":
            return 1
        if isinstance(self.rows, NotAsNamed):
            raise self.rows
        return self.rows

    async def nothing(self, *_: object) -> None:
        """Of it all stays."""

    async def walks(self) -> StoredWalks:
        return StoredWalks(walks=[walk()])

    async def sign_in(self, _: Account) -> str:
        return "token"

    async def exchange(self, *_: object) -> PhoneAnswer:
        return PhoneAnswer(status=200, body=b"", pod="")

    @property
    def running(self) -> Any:
        clock, endpoints = VirtualClock(), all_at()
        stores = SimpleNamespace(endpoints=endpoints, walks=self.walks, sign_in=self.sign_in, exchange=self.exchange)
        return SimpleNamespace(
            clock=clock, stores=stores, stack=SimpleNamespace(endpoints=lambda: endpoints),
            options=SimpleNamespace(seed=1), evidence=SimpleNamespace(writes=Writes()),
        )  # fmt: skip


@pytest.mark.parametrize(("rows", "told"), [(1, "1 of 1 consents"), (NotAsNamed(message("no")), "nobody could say")])
def test_the_consent_of_an_account_is_looked_for_in_both_stores(
    rows: int | NotAsNamed, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(monkeypatch, rows)
    on, users = world.running, [of(user) for user in USERS]

    async def course() -> EndedAccount | None:
        await rehearsal.consent(on, users)
        return await rehearsal.end(on, users)

    found = on.clock.run(course())
    assert [path.split("/")[1] for path in world.firestore.documents] == USERS
    assert world.firestore.commits == [100, 100, 50]
    assert found is not None and found.user == "u1" and found.before == found.after
    assert (found.before.given, found.before.walks, found.before.documents) == (1, 1, 1)
    assert told in ended(found).reason
    assert world.firestore.open == 0
