"""Named ways to lose, delay, double or garble evidence, from a generator's process to the decision.

Week 3 of the document, written by the load's own recorder, harmed, read by the run's own collector, judged beside the
seeded schedule's due list. Evidence that must hold or roll back never advances; healthy evidence advances or names an
error of the measurement, and never fails.
"""

from __future__ import annotations

import errno
import random
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import msgspec
import pytest

from harness.base.clock import NS, Anchor, ClockSteps, MachineClock
from harness.base.errors import EvidenceNotRead, Exit, RehearsalError
from harness.evidence.store import EVIDENCE, Collector, EvidenceStore, Gathered, stored
from harness.load import errors
from harness.load.child import run
from harness.load.greenlets import tell_of_every_greenlet
from harness.load.plan import LoadPlan, write
from harness.load.population.schedule import due_list
from harness.load.process import LoadProcess
from harness.load.recorder import Recorder
from harness.model.evidence import EventRow, Operation, Outcome, ProbeRow, RequestRow, Row, SessionRow, Side, Window
from harness.model.judgement import Decision, Judgement, Verdict
from harness.model.scenario import Scenario
from harness.model.stack import Address
from harness.rules.criteria import judge
from harness.rules.judged import combine
from harness.run.result import measurement
from harness.run.scenarios.load import load
from tests.load.conftest import plan_for

SEED = 3
START_NS = 1_000 * NS
WEEK3: Scenario = load("rollout_week3")
WINDOW = Window(start_ns=START_NS, end_ns=START_NS + round(WEEK3.window_s * NS))
DUE = due_list(WEEK3, SEED, WINDOW.start_ns, WINDOW.end_ns)


class SteppedClock:
    """Stands ``later_ns`` behind the window's end; its wall clock is where it is put."""

    anchor = Anchor(monotonic_ns=0, unix_ns=1_800_000_000 * NS)

    def __init__(self) -> None:
        self.stepped_ns = self.later_ns = 0

    def now_ns(self) -> int:
        return WINDOW.end_ns + self.later_ns

    def wall_ns(self) -> int:
        return self.anchor.unix_ns + WINDOW.end_ns + self.later_ns + self.stepped_ns

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")


def evidence(failed_probes: int = 0) -> dict[str, list[Row]]:
    """What the two generators record of the schedule; of the probes every so many-th failed."""
    users: list[Row] = [SessionRow(at_ns=START_NS - NS, user=u, audience="a", live=True) for u in users_of()]
    users += [
        RequestRow(
            operation_id=due.id, user=due.user, audience="a", side=Side.API,
            operation=due.operation or Operation.LIST_WALKS,
            due_ns=due.due_ns, sent_ns=due.due_ns, done_ns=due.due_ns + NS // 50, status=200, outcome=Outcome.OK,
            acknowledged=False, payload_digest="", flag=True,
        )
        for due in DUE.requests
    ]  # fmt: skip
    every = len(DUE.probes) // failed_probes if failed_probes else len(DUE.probes) + 1
    probes: list[Row] = [
        ProbeRow(
            probe_id=number, user=due.user, method="GET", due_ns=due.due_ns, sent_ns=due.due_ns,
            done_ns=due.due_ns + NS // 100, status=503 if number % every == every - 1 else 200,
            outcome=Outcome.SERVER_ERROR if number % every == every - 1 else Outcome.OK,
        )
        for number, due in enumerate(DUE.probes)
    ]  # fmt: skip
    return {"load": users, "probes": probes}


def users_of() -> list[str]:
    return sorted({due.user for due in DUE.requests})


def of_week(gathered: Gathered) -> tuple[Judgement, ...]:
    """Week 3's criteria."""
    return judge(WEEK3, gathered.ledger, WINDOW, WINDOW.end_ns, due=DUE)


class World:
    """One run's evidence on its way, and what is ``judged`` of it. A way overrides what it harms, and says in what a
    command ends by it."""

    ends = Exit.RUN_BROKEN

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.judged: Callable[[Gathered], tuple[Judgement, ...]] = of_week
        self.clock = SteppedClock()
        self.collector = Collector(EvidenceStore(folder / "evidence.sqlite", "run", self.clock.anchor), self.clock)

    def spool(self, name: str) -> Path:
        return self.folder / f"{name}.jsonl"

    def rows(self, name: str, rows: list[Row]) -> list[Row]:
        """What the generator comes to record."""
        return rows

    def record(self, name: str, rows: list[Row], recorder: Recorder) -> None:
        """The generator's work."""
        for row in rows:
            recorder.write(row)

    def lie(self, name: str, written: bytes) -> bytes:
        """What lies in the spool."""
        return written

    def while_read(self) -> None:
        """Happens when half was read."""

    def go(self, rows: dict[str, list[Row]]) -> tuple[Judgement, ...]:
        """From the generators to the verdicts. Raises the named error that ends the run."""
        for name, each in rows.items():
            self._generate(name, self.rows(name, each))
        later = {}
        for name in rows:
            written = self.lie(name, self.spool(name).read_bytes())
            half = written.find(b"\n", len(written) // 2) + 1
            self.spool(name).write_bytes(written[:half])
            later[name] = written[half:]
        self.collector.follow(self.spool(name) for name in rows)
        self.collector.gather()
        self.while_read()
        for name, rest in later.items():
            if self.spool(name).is_file():
                with self.spool(name).open("ab") as file:
                    file.write(rest)
        self.collector.gather(last=True)
        self.collector.store.close()
        self.afterwards(self.folder / EVIDENCE)
        gathered = stored(self.folder)
        return (*self.judged(gathered), *measurement(gathered))

    def afterwards(self, file: Path) -> None:
        """Happens to the store of the run, once it is over."""

    def _generate(self, name: str, rows: list[Row]) -> None:
        plan = self.spool(name).with_suffix(".json")
        write(plan_for(Address(host="127.0.0.1", port=1), spool=str(self.spool(name))), plan)
        status = run(name, [str(plan)], LoadPlan, lambda _, recorder: self.record(name, rows, recorder))
        if status == errors.EVIDENCE:  # of a child that fails otherwise the spool says it too
            self.spool(name).with_suffix(".log").write_text("the disk is full")
            log = self.spool(name).with_suffix(".log")
            raise LoadProcess(name=name, module="", spool=self.spool(name), log=log).died(status)


WAYS: dict[str, type[World]] = {}


def way(kind: type[World]) -> type[World]:
    WAYS[kind.__name__] = kind
    return kind


def lines(written: bytes) -> list[bytes]:
    return written.splitlines(keepends=True)


def failing(row: Row) -> bool:
    return isinstance(row, RequestRow | ProbeRow) and row.outcome is not Outcome.OK


# -- what lies in the spool ----------------------------------------------------------------------------------------


@way
class TornLastLine(World):
    def lie(self, name: str, written: bytes) -> bytes:
        return written[:-20]


@way
class TornInTheMiddle(World):
    def lie(self, name: str, written: bytes) -> bytes:
        return written[: len(written) // 3] + written[len(written) // 3 + 500 :]


@way
class BrokenUtf8(World):
    def lie(self, name: str, written: bytes) -> bytes:
        return b"".join(
            line.replace(b"canary", b"\xe6\x95ary") if n == 40 else line for n, line in enumerate(lines(written))
        )


@way
class BytesOfZero(World):
    """A file system that grew the file and lost the data."""

    def lie(self, name: str, written: bytes) -> bytes:
        return written[:4_000] + bytes(4_096) + written[8_096:]


@way
class AbsurdDepth(World):
    def lie(self, name: str, written: bytes) -> bytes:
        return b"[" * 200_000 + b"\n" + written


@way
class LinesOfAnotherProgram(World):
    def lie(self, name: str, written: bytes) -> bytes:
        return written + b"Traceback (most recent call last):\n"


@way
class RowsOfAnotherVersion(World):
    def lie(self, name: str, written: bytes) -> bytes:
        return written.replace(b'["probe",', b'["probe2",').replace(b'["request",', b'["request2",')


@way
class BlankLines(World):
    def lie(self, name: str, written: bytes) -> bytes:
        return written.replace(b"\n", b"\n\n", 5)


@way
class FailuresFilteredOut(World):
    def rows(self, name: str, rows: list[Row]) -> list[Row]:
        return [row for row in rows if not failing(row)]


@way
class EverySixthRowLost(World):
    def rows(self, name: str, rows: list[Row]) -> list[Row]:
        return [row for number, row in enumerate(rows) if number % 6]


@way
class SessionsLost(World):
    def rows(self, name: str, rows: list[Row]) -> list[Row]:
        return [row for row in rows if not isinstance(row, SessionRow)]


@way
class ASpoolNeverWritten(World):
    def lie(self, name: str, written: bytes) -> bytes:
        return b"" if name == "probes" else written


@way
class GoodRowsDoubled(World):
    def rows(self, name: str, rows: list[Row]) -> list[Row]:
        return [*rows, *(row for row in rows if not failing(row)), *rows]


@way
class DoubledAndContradicting(World):
    def rows(self, name: str, rows: list[Row]) -> list[Row]:
        good = [msgspec.structs.replace(r, outcome=Outcome.OK) for r in rows if failing(r)]
        again = [msgspec.structs.replace(r, status=201) for r in rows[-9:] if not isinstance(r, SessionRow)]
        return [*rows, *good, *again]


@way
class RowsOfAnotherRun(World):
    """Good calls of a schedule with another seed, instead of what failed, and a thousand beside."""

    def rows(self, name: str, rows: list[Row]) -> list[Row]:
        kept = [row for row in rows if not failing(row)]
        return kept + [_strange(row) for row in kept[:1_000]]


def _strange(row: Row) -> Row:
    if isinstance(row, ProbeRow):
        return msgspec.structs.replace(row, probe_id=row.probe_id + 10**6)
    if isinstance(row, RequestRow):
        return msgspec.structs.replace(row, operation_id=f"{row.operation_id}-x")
    return row


@way
class UsersGarbled(World):
    def rows(self, name: str, rows: list[Row]) -> list[Row]:
        first = next(row for row in rows if isinstance(row, RequestRow | ProbeRow))
        return [_of(row, first.user) if failing(row) or number % 50 == 0 else row for number, row in enumerate(rows)]


def _of(row: Row, user: str) -> Row:
    return row if not isinstance(row, RequestRow | ProbeRow) else msgspec.structs.replace(row, user=user)


@way
class TimesGarbled(World):
    """What failed was, by its row, due before the window."""

    def rows(self, name: str, rows: list[Row]) -> list[Row]:
        return [
            msgspec.structs.replace(row, due_ns=row.due_ns - 500 * NS)
            if isinstance(row, RequestRow | ProbeRow) and (failing(row) or number % 100 == 0)
            else row
            for number, row in enumerate(rows)
        ]


@way
class AnyOrder(World):
    def rows(self, name: str, rows: list[Row]) -> list[Row]:
        return random.Random(5).sample(rows, len(rows))


@way
class AfterTheJudgement(World):
    """The last sixth, and all that failed, come when it is too late."""

    def rows(self, name: str, rows: list[Row]) -> list[Row]:
        return [row for row in rows[: len(rows) * 5 // 6] if not failing(row)]


# -- readers -------------------------------------------------------------------------------------------------------


@way
class CutWhileRead(World):
    def while_read(self) -> None:
        for name in ("load", "probes"):
            with self.spool(name).open("r+b") as file:
                file.truncate(100)


@way
class RemovedWhileRead(World):
    def while_read(self) -> None:
        self.spool("probes").unlink()


@way
class ReplacedWhileRead(World):
    def while_read(self) -> None:
        other = self.folder / "other"
        other.write_bytes(self.spool("load").read_bytes())
        other.replace(self.spool("load"))


@way
class UnreadableWhileRead(World):
    def while_read(self) -> None:
        self.spool("load").unlink()
        self.spool("load").mkdir()


@way
class TheStoreIsFull(World):
    def while_read(self) -> None:
        assert self.collector.store._connection is not None
        pages = self.collector.store._connection.execute("PRAGMA page_count").fetchone()[0]
        self.collector.store._connection.execute(f"PRAGMA max_page_count = {pages}")


@way
class TheClockWasSet(World):
    def while_read(self) -> None:
        self.clock.stepped_ns = -30 * NS


@way
class TheMachineSlept(World):
    def while_read(self) -> None:
        self.clock.stepped_ns = 3_600 * NS


# -- the store, once the run is over --------------------------------------------------------------------------------


def changed(file: Path, *statements: str) -> None:
    with sqlite3.connect(file, isolation_level=None) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


@way
class FailuresDeletedFromTheStore(World):
    def afterwards(self, file: Path) -> None:
        changed(file, *(f"DELETE FROM {table} WHERE outcome <> 'ok'" for table in ("requests", "probes")))
        changed(file, "DELETE FROM probes WHERE probe_id = 7")  # of healthy evidence, too


@way
class TheEndOfTheStoreLost(World):
    def afterwards(self, file: Path) -> None:
        changed(file, "DELETE FROM probes WHERE seq > (SELECT MAX(seq) - 30 FROM probes)")


@way
class SessionsDeletedFromTheStore(World):
    """Of which no schedule knows how many there are."""

    def afterwards(self, file: Path) -> None:
        changed(file, "DELETE FROM sessions WHERE seq = (SELECT MAX(seq) FROM sessions)")


@way
class RowsOfTheStoreDoubled(World):
    def afterwards(self, file: Path) -> None:
        connection = sqlite3.connect(file)
        names = [column[1] for column in connection.execute("PRAGMA table_info(probes)") if column[1] != "seq"]
        connection.close()
        of = ", ".join(names)
        changed(file, f"INSERT INTO probes (seq, {of}) SELECT seq + 1000000, {of} FROM probes WHERE outcome = 'ok'")


@way
class TheStoreIsGone(World):
    def afterwards(self, file: Path) -> None:
        file.unlink()


@way
class TheStoreCannotBeRead(World):
    ends = Exit.USAGE  # whoever reads it

    def afterwards(self, file: Path) -> None:
        changed(file, "UPDATE probes SET outcome = 'fine' WHERE probe_id = 9")


# -- generators ----------------------------------------------------------------------------------------------------


@way
class AnExceptionOfATask(World):
    """A generator's own fault, at the first call that the target fails or half-way."""

    def record(self, name: str, rows: list[Row], recorder: Recorder) -> None:
        super().record(name, [row for row in rows if not failing(row)], recorder)
        raise UnicodeDecodeError("utf-8", b"\xe6", 0, 1, "unexpected end of data")


@way
class AnExceptionOfAGreenlet(World):
    """A flag's fetch, an upload, a flush: nobody joins them."""

    def record(self, name: str, rows: list[Row], recorder: Recorder) -> None:
        told: list[Exception] = []
        hub = gevent.get_hub()
        before = hub.handle_error
        tell_of_every_greenlet(told.append)
        try:
            gevent.joinall([gevent.spawn(_breaks)])
        finally:
            hub.handle_error = before
        super().record(name, [row for row in rows if not failing(row)], recorder)
        raise told[0]


def _breaks() -> None:
    raise RecursionError("too deep")


@way
class TheDiskIsFullForAWhile(World):
    def record(self, name: str, rows: list[Row], recorder: Recorder) -> None:
        recorder._writer._file = Full(recorder._writer._file, refuses=3)  # type: ignore[assignment]
        for row in rows:
            try:
                recorder.write(row)
            except RehearsalError:
                continue  # as a phone that is asked to end, and whose last rows are flushed at the end


@way
class TheDiskIsFull(World):
    def record(self, name: str, rows: list[Row], recorder: Recorder) -> None:
        recorder._writer._file = Full(recorder._writer._file, refuses=10**9)  # type: ignore[assignment]
        super().record(name, rows, recorder)


class Full:
    """A file on a disk that takes half a block, then refuses so many times."""

    def __init__(self, file: Any, *, refuses: int) -> None:
        self._file = file
        self._left = refuses
        self._took = False

    @property
    def closed(self) -> bool:
        return bool(self._file.closed)

    def write(self, block: bytes) -> int:
        if not self._took:
            self._took = True
            return int(self._file.write(block[: len(block) // 2]))
        if self._left:
            self._left -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        return int(self._file.write(block))

    def close(self) -> None:
        self._file.close()


@way
class TheProbesStopHalfWay(World):
    def rows(self, name: str, rows: list[Row]) -> list[Row]:
        return [row for row in rows if not failing(row)][: len(rows) // 2] if name == "probes" else rows


@way
class TheProbesFallSilent(World):
    def rows(self, name: str, rows: list[Row]) -> list[Row]:
        if name != "probes":
            return rows
        silent = range(600, 660)
        return [row for row in rows if not failing(row) and not (isinstance(row, ProbeRow) and row.probe_id in silent)]


@way
class TheGeneratorLags(World):
    """Everything is sent 900 ms late."""

    def rows(self, name: str, rows: list[Row]) -> list[Row]:
        late = 9 * NS // 10
        return [
            msgspec.structs.replace(row, sent_ns=row.sent_ns + late, done_ns=row.done_ns + late)
            if isinstance(row, RequestRow | ProbeRow)
            else row
            for row in rows
        ]


# -- the table -----------------------------------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Callable[[str], World]]:
    made: list[World] = []

    def make(name: str) -> World:
        made.append((WAYS | {"nothing": World})[name](tmp_path))
        return made[-1]

    yield make
    for each in made:
        each.collector.store.close()


def test_there_are_at_least_twenty_ways() -> None:
    assert len(WAYS) >= 20


@pytest.mark.parametrize(("failed", "decision"), [(0, Decision.ADVANCE), (2, Decision.HOLD), (40, Decision.ROLL_BACK)])
def test_unharmed(world: Callable[[str], World], failed: int, decision: Decision) -> None:
    assert combine(world("nothing").go(evidence(failed))) is decision


@pytest.mark.parametrize("failed", [2, 40])
@pytest.mark.parametrize("name", WAYS)
def test_evidence_that_must_hold_never_advances(world: Callable[[str], World], name: str, failed: int) -> None:
    made = world(name)
    try:
        results = made.go(evidence(failed))
    except RehearsalError as error:
        assert error.exit is made.ends
        return
    assert combine(results) is not Decision.ADVANCE


@pytest.mark.parametrize("name", WAYS)
def test_healthy_evidence_advances_or_names_an_error_of_the_measurement(
    world: Callable[[str], World], name: str
) -> None:
    made = world(name)
    try:
        results = made.go(evidence())
    except RehearsalError as error:
        assert error.exit is made.ends
        assert error.where
        if isinstance(error, EvidenceNotRead):  # in the evidence too, for whoever judges it again
            assert made.collector.ledger.measurement_errors
        return
    assert Verdict.FAIL not in {result.verdict for result in results}
    if combine(results) is not Decision.ADVANCE:
        named = (
            "the measurement failed", "planned are not in evidence", "the load offered only", "no live session",
            "no probes in evidence", "no requests in evidence", "were sent late by the generator",
        )  # fmt: skip
        for result in results:
            assert result.verdict is Verdict.PASS or any(words in result.reason for words in named), result.reason


# -- the clocks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stepped_s", "told"), [(0, False), (0.9, False), (-0.9, False), (1.6, True), (-1.6, True), (3_600, True)]
)
def test_a_step_is_told_once_and_by_how_much(stepped_s: float, told: bool) -> None:
    """A thousand seconds may have been slewed by half a second; a step is more than a second over that."""
    clock = SteppedClock()
    steps = ClockSteps(clock)
    assert steps.step_ns() is None
    clock.stepped_ns = round(stepped_s * NS)
    assert steps.step_ns() == (clock.stepped_ns if told else None)
    assert steps.step_ns() is None


@pytest.mark.parametrize(("each_s", "told_s"), [(2.0, 2.0), (-2.0, -2.0), (0.1, 5.1), (0.0001, None)])
def test_a_step_is_told_late_in_a_long_run_too_and_slewing_is_none(each_s: float, told_s: float | None) -> None:
    """After two hours 3.6 s may have been slewed: a step of two seconds passed for that."""
    clock, told = SteppedClock(), list[int]()
    steps, clock.later_ns = ClockSteps(clock), 7_200 * NS
    assert steps.step_ns() is None
    for number in range(1, 101):
        clock.later_ns += NS // 4
        clock.stepped_ns = round(number * each_s * NS)
        told += filter(None, [steps.step_ns()])
    assert [each / NS for each in told[:1]] == ([] if told_s is None else [pytest.approx(told_s, abs=1.0)])


def test_the_machines_own_clocks_are_in_step() -> None:
    steps = ClockSteps(MachineClock())
    assert [steps.step_ns() for _ in range(50)] == [None] * 50


def test_readings_that_were_held_up_tell_nothing() -> None:
    clock = SteppedClock()
    at = iter([WINDOW.end_ns, WINDOW.end_ns + NS])
    clock.now_ns = lambda: next(at)  # type: ignore[method-assign]
    clock.stepped_ns = 99 * NS
    assert ClockSteps(clock).step_ns() is None


def test_a_clock_that_steps_is_an_event_of_the_run(world: Callable[[str], World]) -> None:
    made = world("TheClockWasSet")
    made.go(evidence())
    (event,) = [row for row in made.collector.events if isinstance(row, EventRow) and row.kind == "measurement_error"]
    assert (event.subject, event.data["step_ns"]) == ("clock", -30 * NS)
    assert event.message == "the wall clock stepped by -30.0 s: it was set, or the machine slept"
