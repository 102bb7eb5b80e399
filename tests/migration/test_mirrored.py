"""The drill's last pass waits for the mirror as long as it lags, no longer than its time, and knows which it was."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest

from harness.base.clock import NS
from harness.base.virtual import VirtualClock
from harness.checks.dual_write import StoredWalk, document_id
from harness.checks.walk_tables import Stored
from harness.evidence.gathered import Gathered
from harness.model.evidence import Operation, RequestRow
from harness.rehearsals.migration_drill import compare
from harness.stack.firebase.documents import Fields
from tests.checks.stored import WALK, documents, walk
from tests.judge.evidence import request

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
    rows: list[RequestRow], raced: tuple[str, ...] = (),
) -> tuple[bool, float]:  # fmt: skip
    """Whether the mirror's writes are there, which leave the documents of what is ``stored``; seconds waited for it."""

    async def read_stored(_at: object, _most: int, *, only: frozenset[str]) -> Stored:
        return Stored(walks=[each for each in stored if each.id in only])

    monkeypatch.setattr(compare, "read_stored", read_stored)
    clock, evidence = VirtualClock(), Gathered()
    evidence.see(rows)
    there = Lagging(clock, clock.now_ns() / NS + lag_s, before, documents(*stored))
    began_ns = clock.now_ns()
    all_there = clock.run(compare.mirrored(cast(Any, None), cast(Any, there), cast(Any, evidence), clock, raced))
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
