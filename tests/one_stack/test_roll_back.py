"""What a roll back asks of the stores while users go on in Firestore, and what is brought over behind one that a limit
asked for: the course itself, with the engine's own calls noted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from types import SimpleNamespace
from typing import Any

import pytest

from harness.base.clock import NS
from harness.base.virtual import VirtualClock
from harness.judge.window import Window
from harness.judge.writes import Writes
from harness.migration.healing import Healing
from harness.model.direction import Direction
from harness.model.evidence import Operation, Side
from harness.model.stack import Capability
from harness.rehearsals.one_stack import flow
from harness.rehearsals.one_stack.types import LegSeen, OneStackDetails, legs_of
from tests.checks.test_writes import row
from tests.one_stack.small import plan


class World:
    """A stack in whose evidence a DELETE turns up by the next gathering once it was answered or given up."""

    def __init__(self) -> None:
        self.clock, self.writes, self.said = VirtualClock(), Writes(), [""]
        self.rows: list[object] = []
        self.details = OneStackDetails(legs=[LegSeen(part="week1", moving=5)])
        self.begun_ns = self.clock.now_ns()
        self.writes.add(row(Side.API, Operation.PUT_WALK, "w"))

    def gather(self) -> None:
        """The DELETE's row is there 10 s after it was sent."""
        if self.clock.now_ns() - self.begun_ns >= 10_000_000_000:
            self.writes.add(row(Side.FIRESTORE, Operation.DELETE_WALK, "w"))

    @property
    def running(self) -> Any:
        evidence = SimpleNamespace(writes=self.writes, rows=self.rows, gather=self.gather)
        stack = SimpleNamespace(capabilities=(Capability.REAL_POSTGRESQL,), endpoints=lambda: None)
        return SimpleNamespace(
            clock=self.clock, details=self.details, evidence=evidence, stack=stack, progress=None,
            options=SimpleNamespace(seed=1, target=SimpleNamespace(bundled=True)), manifests=None,
            phase=lambda *_, **__: None, mark=self.said.append, say=self.said.append,
        )  # fmt: skip


class Asked:
    """As the users of a run, of whom everybody is back at once, and whose DELETE is the last that was due."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def answered(self, window: Window) -> None:
        """Once its row is there."""
        world = self._world
        assert (window.start_ns, window.end_ns) == (0, world.clock.now_ns())
        while not world.writes.gone:
            await world.clock.sleep(0.1)
            world.gather()

    async def set_flag(self, **_: object) -> int:
        return 1

    async def all_back(self, *_: object) -> None:
        """At once."""


def test_a_roll_back_decides_by_what_was_sent_until_the_stores_were_read(monkeypatch: pytest.MonkeyPatch) -> None:
    world, found = World(), dict[str, Any]()
    monkeypatch.setattr(flow, "of_endpoints", lambda _: None)

    async def heal(
        _: object, direction: Direction, *, apply: bool, deleted: Collection[str], own: Collection[str],
        settled: Callable[[], Awaitable[None]],
    ) -> Healing:  # fmt: skip
        assert apply and not own
        await settled()
        found["own"] = set(own)
        return Healing(direction=direction)

    class Migration:
        def __init__(self, *_: object) -> None:
            """Of those stores."""

        async def agreed(self, gone: Collection[str], settled: Callable[[], Awaitable[None]]) -> int:
            await settled()
            found["gone"] = set(gone)
            return 0

    monkeypatch.setattr(flow, "heal", heal)
    monkeypatch.setattr(flow, "Migration", Migration)
    course = flow.Course(plan(), world.running)
    course._users = Asked(world)  # type: ignore[assignment]
    world.clock.run(course._roll_back(next(legs_of(plan()))))
    assert found == {"own": {"w"}, "gone": {"w"}}
    assert (world.clock.now_ns() - world.begun_ns) / NS == pytest.approx(10.0, abs=0.2), "and is not waited for twice"


@pytest.mark.parametrize("fired", [True, False])
def test_what_firestore_was_told_since_a_limit_fired_is_brought_over_before_all_is_checked(
    monkeypatch: pytest.MonkeyPatch, fired: bool
) -> None:
    world, did = World(), list[str]()
    course = flow.Course(plan(weeks=plan().weeks[:1]), world.running)

    def noted(name: str, **sets: Any) -> Any:
        async def step(*_: object, **__: object) -> None:
            did.append(name)
            for attribute, value in sets.items():
                setattr(world.details, attribute, value)

        return step

    users = {"set_flag": noted("flag"), "admit": noted("admit"), "go": noted("go"), "end": noted("stop")}
    course._users = SimpleNamespace(**users)  # type: ignore[assignment]
    running = course._on
    monkeypatch.setattr(running, "up", noted("up"), raising=False)
    monkeypatch.setattr(course, "_leg", noted("leg", fired=fired))
    monkeypatch.setattr(course, "_bring_over", noted("brought"))
    monkeypatch.setattr(course, "_stop_the_mirror", noted("mirror"))
    monkeypatch.setattr(flow, "check_whole_run", noted("checked"))
    monkeypatch.setattr(flow, "accounts", lambda *_: ())
    monkeypatch.setattr(flow, "end", noted("account"))
    world.clock.run(course.run())
    since = ["stop", "brought", "checked"] if fired else ["mirror", "stop", "checked"]
    assert did[did.index("leg") + 1 : did.index("checked") + 1] == since
