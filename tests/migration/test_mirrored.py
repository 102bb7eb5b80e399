"""The drill's last pass waits for the mirror as long as it lags, no longer than its time, and knows which it was."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from harness.base.clock import NS
from harness.base.virtual import START_S, VirtualClock
from harness.checks.dual_write import StoredWalk, document_id
from harness.checks.walk_tables import StoredWalks
from harness.evidence.store import Gathered
from harness.load.http1 import PhoneAnswer
from harness.model.evidence import Operation, RequestRow
from harness.rehearsals.migration_drill import compare, rehearsal
from harness.rehearsals.migration_drill.plants import PlantedDocument
from harness.rehearsals.migration_drill.types import DrillDetails, DrillPlan, MigratorAttempt
from harness.stack.firebase.documents import Fields
from harness.stack.firebase.rest import SignedUpUser
from tests.checks.stored import NOON, WALK, documents, walk
from tests.nowhere import all_at
from tests.rules.evidence import request

LAST = walk(title="夜")
BEFORE = walk(title="朝", updated_at=walk().columns["created_at"])


class Lagging:
    """Firestore, in which a mirror's write arrives ``lag_s`` after the load has ended."""

    def __init__(self, clock: VirtualClock, lag_s: float, before: dict[str, Fields], after: dict[str, Fields]) -> None:
        self._clock, self._lag_s, self._before, self._after = clock, lag_s, before, after

    async def get_many(self, names: list[str]) -> dict[str, Fields]:
        found = self._after if self._clock.now_ns() >= self._lag_s * NS else self._before
        return {name: found[name] for name in names if name in found}


def waited(
    monkeypatch: pytest.MonkeyPatch, lag_s: float, stored: list[StoredWalk], before: dict[str, Fields],
    rows: list[RequestRow], raced: tuple[str, ...] = (), *, settled: bool = True,
) -> tuple[bool, float]:  # fmt: skip
    """Whether the mirror's writes are there, which leave the documents of what is ``stored``; seconds waited for it."""

    async def read_stored(_at: object, _most: int, *, only: frozenset[str]) -> StoredWalks:
        return StoredWalks(walks=[each for each in stored if each.id in only])

    monkeypatch.setattr(compare, "read_stored", read_stored)
    clock, evidence = VirtualClock(), Gathered()
    evidence.see(rows)
    there = Lagging(clock, clock.now_ns() / NS + lag_s, before, documents(*stored))
    began_ns = clock.now_ns()
    looked = compare.mirrored(cast(Any, None), cast(Any, there), cast(Any, evidence), clock, raced, settled=settled)
    all_there = clock.run(looked)
    return all_there, (clock.now_ns() - began_ns) / NS


def written(operation: Operation = Operation.PUT_WALK, *, acknowledged: bool = True) -> RequestRow:
    return msgspec.structs.replace(request(1.0, operation=operation), walk_id=WALK, acknowledged=acknowledged)


LAGS = pytest.mark.parametrize(("lag_s", "found"), [(0.0, (True, 0.0)), (3.2, (True, 3.5)), (60.0, (False, 10.0))])


@LAGS
def test_until_the_last_write_is_there_or_the_mirror_had_its_time(
    monkeypatch: pytest.MonkeyPatch, lag_s: float, found: tuple[bool, float]
) -> None:
    assert waited(monkeypatch, lag_s, [LAST], documents(BEFORE), [written()]) == found
    assert waited(monkeypatch, lag_s, [LAST], documents(BEFORE), [], (WALK,)) == found, "raced, by no user"


@LAGS
def test_a_deletion_is_waited_for_too(monkeypatch: pytest.MonkeyPatch, lag_s: float, found: tuple[bool, float]) -> None:
    assert waited(monkeypatch, lag_s, [], documents(LAST), [written(Operation.DELETE_WALK)]) == found


def test_what_has_no_answer_or_nobody_wrote_has_the_whole_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert waited(monkeypatch, 0.0, [LAST], {}, [written(acknowledged=False)]) == (False, 10.0)
    assert waited(monkeypatch, 0.0, [LAST], {}, []) == (False, 10.0)
    assert waited(monkeypatch, 0.0, [LAST], {}, [], (WALK,), settled=False) == (False, 10.0)


@pytest.mark.parametrize("where", ["in the document", "in PostgreSQL"])
def test_a_write_on_its_way_to_a_document_whose_moment_is_not_known_has_the_whole_time(
    monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Nobody can tell such a document from one that the mirror has written otherwise."""
    last, before = LAST, documents(BEFORE)
    if where == "in the document":
        del before[document_id(WALK)]["updated_at"]
    else:
        last = msgspec.structs.replace(LAST, layout=LAST.layout.without("walks.updated_at", "no column"))
    assert waited(monkeypatch, 3.2, [last], before, [written()]) == (False, 10.0)
    assert waited(monkeypatch, 0.0, [last], before, [written()]) == (True, 0.0)


class Target:
    """An API whose first PUT is committed after ``first_s``, each other at once; the mirror's write is there 3 s later,
    and an answer comes with the commit."""

    def __init__(self, clock: VirtualClock, first_s: float) -> None:
        self._clock, self._first_s = clock, first_s
        self._committed: list[tuple[int, StoredWalk]] = [(0, BEFORE)]
        self._writes: list[asyncio.Task[None]] = []

    def held(self, lag_s: float = 0.0) -> StoredWalk:
        """The walk as PostgreSQL holds it, or held it so long ago."""
        return [each for at_ns, each in self._committed if at_ns <= self._clock.now_ns() - lag_s * NS][-1]

    async def get_many(self, names: list[str]) -> dict[str, Fields]:
        return documents(self.held(lag_s=3.0))

    async def read_stored(self, _at: object, _most: int, *, only: frozenset[str]) -> StoredWalks:
        return StoredWalks(walks=[self.held()])

    async def exchange(self, _to: object, method: str, _path: str, _token: str, body: bytes) -> PhoneAnswer:
        if method == "PUT":
            self._writes.append(asyncio.ensure_future(self._commit(msgspec.json.decode(body)["title"])))
            await asyncio.shield(self._writes[-1])
        return PhoneAnswer(status=200, body=msgspec.json.encode({"title": self.held().columns["title"]}), pod="")

    async def _commit(self, title: str) -> None:
        number = len(self._writes)
        await self._clock.sleep(self._first_s if number == 1 else 0.0)
        self._committed.append((self._clock.now_ns(), walk(title=title, updated_at=NOON + timedelta(hours=number))))


@pytest.mark.parametrize(
    ("first_s", "found"),
    [
        (0.0, (True, 8.2, "raced 25")),  # written five times a second, until 5.1 s
        (8.0, (True, 11.2, "raced 0")),  # answered after the load has ended
        (15.0, (False, 20.2, "raced 0")),  # never answered, and committed all the same
    ],
)
def test_the_last_pass_begins_once_the_racer_s_last_write_is_there(
    monkeypatch: pytest.MonkeyPatch, first_s: float, found: tuple[bool, float, str]
) -> None:
    clock = VirtualClock()
    target, passes = Target(clock, first_s), []

    class Users:
        def __init__(self, *_: object) -> None:
            self.begin = self.end = self._now

        async def _now(self) -> int:
            return clock.now_ns()

    class Migrator:
        def __init__(self, *_: object) -> None: ...

        async def run(self, *_: object, quiet: bool) -> MigratorAttempt:
            [document] = (await target.get_many([])).values()
            passes.append((quiet, round(clock.now_ns() / NS - START_S, 3), document["title"].value))
            return MigratorAttempt(seconds=1, walks=1, killed=False, status=0)

    class Drill(rehearsal._Drill):
        async def _plant(self) -> list[PlantedDocument]:
            self._raced.append(WALK)
            return []

        async def _moved(self, migrator: object) -> None: ...

        async def _look(self, *_: object) -> None: ...

    async def seen_enough(*_: object) -> None:
        await clock.sleep(5.1)

    async def sign_up(*_: object) -> SignedUpUser:
        return SignedUpUser(uid="racer", token="t")

    for module, name, stand_in in (
        (rehearsal, "Users", Users), (rehearsal, "Migrator", Migrator), (rehearsal, "sign_up", sign_up),
        (rehearsal, "seen_enough", seen_enough), (rehearsal, "exchange", target.exchange),
        (compare, "read_stored", target.read_stored),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, stand_in)

    async def drilled() -> None:
        beside: list[asyncio.Task[None]] = []
        on = SimpleNamespace(
            stack=SimpleNamespace(endpoints=all_at), options=SimpleNamespace(seed=1), clock=clock, run_id="r",
            details=DrillDetails(), folder=Path(), evidence=Gathered(), mark=print, phase=print,
            run_in_background=lambda work: beside.append(asyncio.ensure_future(work)),
        )  # fmt: skip
        await Drill(DrillPlan(), cast(Any, on), cast(Any, target), cast(Any, None)).run()
        await asyncio.gather(*beside)

    clock.run(drilled())
    assert passes == [found]
