"""What a roll back asks of the stores while users go on in Firestore, and what is brought over behind one that a limit
asked for: the course itself, with the engine's own calls noted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from harness.base.clock import NS
from harness.base.errors import PartDied
from harness.base.virtual import VirtualClock
from harness.checks.stores import NotAsNamed
from harness.checks.whole_run import of_whole_run
from harness.load.population.schedule import canaries
from harness.migration import heal as healing
from harness.migration.heal import RECONCILE, Healing
from harness.model.direction import Direction
from harness.model.evidence import EventRow, Operation, RequestRow, Side, Window
from harness.model.judgement import Judgement, Verdict
from harness.model.message import message
from harness.model.stack import Capability
from harness.rehearsals.one_stack import rehearsal
from harness.rehearsals.one_stack.rehearsal import reconcile
from harness.rehearsals.one_stack.types import Leg, LegSeen, OneStackDetails, legs_of
from harness.rules.writes import Writes
from tests.checks.test_writes import row
from tests.one_stack.small import plan

TO_FIRESTORE = Direction.TO_FIRESTORE


class World:
    """A stack in whose evidence a DELETE turns up by the next gathering once it was answered or given up."""

    def __init__(self) -> None:
        self.clock, self.writes, self.said = VirtualClock(), Writes(), [""]
        self.rows: list[object] = []
        self.requests: list[RequestRow] = []
        self.events: list[EventRow] = []
        self.details = OneStackDetails(legs=[LegSeen(part="week1", moving=5)])
        self.begun_ns = self.clock.now_ns()
        self.writes.add(row(Side.API, Operation.PUT_WALK, "w"))

    def gather(self) -> None:
        """The DELETE's row is there 10 s after it was sent."""
        if self.clock.now_ns() - self.begun_ns >= 10_000_000_000:
            self.writes.add(row(Side.FIRESTORE, Operation.DELETE_WALK, "w"))

    @property
    def running(self) -> Any:
        evidence = SimpleNamespace(
            writes=self.writes, rows=self.rows, gather=self.gather, requests=self.requests, add=self.events.extend
        )
        stack = SimpleNamespace(capabilities=(Capability.REAL_POSTGRESQL,), endpoints=lambda: None)
        return SimpleNamespace(
            clock=self.clock, details=self.details, evidence=evidence, stack=stack, progress=None,
            options=SimpleNamespace(seed=1, target=SimpleNamespace(bundled=True)), manifests=None,
            phase=lambda *_, **__: None, mark=self.said.append, say=self.said.append, print_verdict=lambda *_: None,
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
    monkeypatch.setattr(rehearsal, "of_endpoints", lambda _: None)

    async def heal(
        _: object, direction: Direction, *, apply: bool, deleted: Collection[str], own: Collection[str],
        settled: Callable[[], Awaitable[None]],
    ) -> Healing:  # fmt: skip
        assert apply is ("own" not in found), "the second time it only looks"
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

    monkeypatch.setattr(healing, "heal", heal)
    monkeypatch.setattr(rehearsal, "Migration", Migration)
    course = rehearsal.LegsCourse(plan(), world.running)
    course._users = Asked(world)  # type: ignore[assignment]
    world.clock.run(course._roll_back(next(legs_of(plan()))))
    assert found == {"own": {"w"}, "gone": {"w"}}
    assert (world.clock.now_ns() - world.begun_ns) / NS == pytest.approx(10.0, abs=0.2), "and is not waited for twice"
    [found_so] = of_whole_run(world.events)
    assert (found_so.key, found_so.verdict, found_so.gates) == (("week1", RECONCILE), Verdict.PASS, True)


CANARY = canaries(plan().weeks[-1].probes, 1)[-1].walk_id


def healed_twice(
    monkeypatch: pytest.MonkeyPatch, left: Healing | Exception, *requests: RequestRow, live: bool = True
) -> Judgement:
    """What is said of a healing that had one document to write, by what a second one finds ``left``."""
    world, given = World(), [Healing(direction=TO_FIRESTORE, write=("FIRST",)), left]
    world.requests += requests
    applied = list[bool]()

    async def heal(*_: object, apply: bool, **__: object) -> Healing:
        applied.append(apply)
        found = given.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    async def settled() -> None:
        """At once."""

    monkeypatch.setattr(healing, "heal", heal)
    world.clock.run(reconcile(world.running, "week3", plan(), settled if live else None))
    assert applied == [True, not live]
    [found] = of_whole_run(world.events)
    assert found.key == ("week3", RECONCILE) and found.holds is not found.verdict.good
    assert "1 documents to write" in found.reason
    return found


def named(walk: str) -> Healing:
    return Healing(
        direction=TO_FIRESTORE, named=(message("{walk} of {user}: in Firestore alone", walk=walk, user="u"),)
    )


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize(
    ("left", "verdict"),
    [
        (Healing(direction=TO_FIRESTORE), Verdict.PASS),
        (Healing(direction=TO_FIRESTORE, own=7), Verdict.PASS),
        (Healing(direction=TO_FIRESTORE, write=("W",)), Verdict.FAIL),
        (Healing(direction=TO_FIRESTORE, delete=("W",)), Verdict.FAIL),
        (named("w"), Verdict.INCONCLUSIVE),
        (PartDied("Firestore failed"), Verdict.INCONCLUSIVE),
        (NotAsNamed(message("no table of that name")), Verdict.INCONCLUSIVE),
    ],
)
def test_a_healing_is_judged_by_what_a_second_one_finds(
    left: Healing | Exception, verdict: Verdict, live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = healed_twice(monkeypatch, left, live=live)
    assert found.verdict is verdict
    if isinstance(left, Exception):
        assert "Firestore failed" in found.reason or "no table" in found.reason


def test_walks_that_the_api_is_asked_to_write_meanwhile_are_not_held_against_a_live_healing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def asked(side: Side, at_s: float, operation: Operation = Operation.PUT_WALK) -> RequestRow:
        return msgspec.structs.replace(row(side, operation, "w"), done_ns=round(at_s * NS))

    now_s = World().begun_ns / NS
    for left in (named(CANARY), Healing(direction=TO_FIRESTORE, write=(CANARY.upper(),))):
        assert healed_twice(monkeypatch, left).verdict is Verdict.PASS
        assert healed_twice(monkeypatch, left, live=False).verdict is not Verdict.PASS
    late = Healing(direction=TO_FIRESTORE, write=("W",))
    assert healed_twice(monkeypatch, late, asked(Side.API, now_s)).verdict is Verdict.PASS
    assert healed_twice(monkeypatch, late, asked(Side.API, now_s - 11)).verdict is Verdict.FAIL  # mirrored long since
    assert healed_twice(monkeypatch, late, asked(Side.FIRESTORE, now_s)).verdict is Verdict.FAIL
    read = asked(Side.API, now_s, Operation.GET_WALK)
    assert healed_twice(monkeypatch, late, read).verdict is Verdict.FAIL
    assert healed_twice(monkeypatch, late, asked(Side.API, now_s), live=False).verdict is Verdict.FAIL


@pytest.mark.parametrize("fired", [True, False])
def test_what_firestore_was_told_since_a_limit_fired_is_brought_over_before_all_is_checked(
    monkeypatch: pytest.MonkeyPatch, fired: bool
) -> None:
    world, did = World(), list[str]()
    course = rehearsal.LegsCourse(plan(weeks=plan().weeks[:1]), world.running)

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
    monkeypatch.setattr(rehearsal, "check_whole_run", noted("checked"))
    monkeypatch.setattr(rehearsal, "accounts", lambda *_: ())
    monkeypatch.setattr(rehearsal, "consent", noted("consents"))
    monkeypatch.setattr(rehearsal, "end", noted("account"))
    world.clock.run(course.run())
    assert did[:3] == ["up", "consents", "flag"]
    since = ["stop", "brought", "checked"] if fired else ["mirror", "stop", "checked"]
    assert did[did.index("leg") + 1 : did.index("checked") + 1] == since


@pytest.mark.parametrize("late", [True, False])
def test_a_limit_that_the_last_answers_of_a_week_fire_rolls_it_back(
    late: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A target that hangs at a window's end is answered by time-outs behind it."""
    world, asked, back = World(), list[bool](), list[str]()
    leg = next(legs_of(plan()))

    class Last:
        over = False

        async def answered(self, window: Window) -> None:
            await world.clock.sleep(10)
            assert window.end_ns - window.start_ns == round(leg.scenario.window_s * NS)
            self.over = late

    users = Last()

    def judged(*_: object, **__: object) -> list[Any]:
        asked.append(users.over)
        return [SimpleNamespace(fired=users.over)]

    async def roll_back(of: Leg) -> None:
        back.append(of.part)

    monkeypatch.setattr(rehearsal, "judge", judged)
    course = rehearsal.LegsCourse(plan(), with_ledger(world))
    course._users = users  # type: ignore[assignment]
    monkeypatch.setattr(course, "_roll_back", roll_back)
    world.clock.run(course._measure(leg))
    assert asked[-1] is late and not any(asked[:-1]) and len(asked) > leg.scenario.window_s
    assert (back, world.details.fired) == (([leg.part], True) if late else ([], False))
    assert world.details.legs[-1].judged_ns == world.clock.now_ns()


def with_ledger(world: World) -> Any:
    """A run that has a ledger, and says how far it is."""
    running = world.running
    running.evidence.ledger = None
    return running
