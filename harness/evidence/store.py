"""The one writer of ``evidence.sqlite``, and its readers.

While a run is under way the file is in WAL mode and each ``append`` is one committed transaction: a ``kill -9`` loses
nothing that was appended. ``close`` folds the journal into the one file, which then opens anywhere, read-only too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from harness.base.clock import NS, Anchor, Clock, ClockSteps
from harness.base.errors import NOT_JSON, EvidenceNeverWritten, EvidenceNotRead, EvidenceNotWritten, MeasurementFailed
from harness.evidence.gathered import Gathered
from harness.evidence.schema import BY_ROW, ROWS, STORE_VERSION, RowTable, create_statements, insert_statement
from harness.evidence.spool import SpoolReader
from harness.model.evidence import MEASUREMENT_ERROR, Due, Row, happened
from harness.model.message import Message, Told, gettext_noop, joined, message, of_error
from harness.rules.finding import error_words

#: How long a writer waits for another program's lock; it holds up the event loop, so it is short.
BUSY_S = 1.0

#: What makes rows of no value of SQLite's or JSON's, today and on any disk.
_NEVER = (
    *NOT_JSON, OverflowError, TypeError,
    sqlite3.DataError, sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError,
)  # fmt: skip
_INSERT = {row: insert_statement(table) for row, table in BY_ROW.items()}


def _not_written(path: Path, error: Exception) -> EvidenceNotWritten:
    if isinstance(error, _NEVER):
        return EvidenceNeverWritten(
            message("evidence could not be written, and is lost: {why}", why=str(error)),
            where=str(path),
            remedy="report it with the run's folder: what was to be stored is a mistake of the harness",
        )
    remedy = gettext_noop(
        "free space or make the reports folder writable, then run again; what was written before is kept"
    )
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:  # in each of its kinds
        remedy = gettext_noop(
            "close the program that has the file open, then run again; what was written before is kept"
        )
    return EvidenceNotWritten(
        message("evidence could not be written: {why}", why=str(error)), where=str(path), remedy=remedy
    )


class EvidenceStore:
    """Appends rows to a new ``path``; use it from the thread that made it.

    Raises ``EvidenceNotWritten`` from every method when the disk is full, the folder is read-only or missing, or the
    file is there already (a run never writes into another's evidence).
    """

    def __init__(self, path: Path, run_id: str, anchor: Anchor) -> None:
        self.path = path
        self._seq = 0
        if path.exists():
            raise EvidenceNotWritten(
                "the evidence file is there already", where=str(path), remedy="give the run a folder of its own"
            )
        try:
            self._connection: sqlite3.Connection | None = sqlite3.connect(path, isolation_level=None, timeout=BUSY_S)
        except sqlite3.Error as error:
            raise _not_written(path, error) from error
        try:
            self._prepare(self._connection, anchor, run_id)
        except sqlite3.Error as error:
            self._connection.close()
            raise _not_written(path, error) from error

    def _prepare(self, connection: sqlite3.Connection, anchor: Anchor, run_id: str) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        # NORMAL: a commit reaches the operating system, not the platter. A killed process loses nothing; a power cut
        # may lose the last commits but never corrupts, and no fsync delays the event loop.
        connection.execute("PRAGMA synchronous = NORMAL")
        meta = {
            "store_version": str(STORE_VERSION),
            "run_id": run_id,
            "anchor_monotonic_ns": str(anchor.monotonic_ns),
            "anchor_unix_ns": str(anchor.unix_ns),
        }
        connection.execute("BEGIN")  # tables and anchor at once: a file has both or is empty
        for statement in create_statements(anchor):
            connection.execute(statement)
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        connection.execute("COMMIT")

    def append(self, rows: Iterable[Row]) -> None:
        """Stores ``rows`` in one transaction: all of them or, when it raises ``EvidenceNotWritten``, none; a value that
        SQLite never takes is ``EvidenceNeverWritten``."""
        batches: dict[type[Row], list[tuple[object, ...]]] = {}
        seq = self._seq
        try:
            for row in rows:
                seq += 1
                batches.setdefault(type(row), []).append(_values(seq, BY_ROW[type(row)], row))
        except _NEVER as error:
            raise _not_written(self.path, error) from error
        connection = self._connection
        if connection is None:
            raise EvidenceNotWritten("the evidence file is closed", where=str(self.path))
        if not batches:
            return
        try:
            connection.execute("BEGIN")
            for kind, values in batches.items():
                connection.executemany(_INSERT[kind], values)
            connection.execute("COMMIT")
        except (sqlite3.Error, *_NEVER) as error:
            self._roll_back(connection)
            raise _not_written(self.path, error) from error
        self._seq = seq

    def close(self) -> None:
        """Says in the file how many rows there are, folds the journal into it and closes it; idempotent. On a full disk
        the journal stays beside it."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.execute("INSERT INTO meta VALUES (?, ?)", (ROWS, str(self._seq)))
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as error:
            # Somebody has the file open: everything is stored, and the last reader to close folds the journal in.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise _not_written(self.path, error) from error
        finally:
            connection.close()

    @staticmethod
    def _roll_back(connection: sqlite3.Connection) -> None:
        # On some errors (a full disk) SQLite has rolled back by itself already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")

    def __enter__(self) -> EvidenceStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _values(seq: int, table: RowTable, row: Row) -> tuple[object, ...]:
    """The row as SQLite takes it: enums are text already, the data of an event becomes JSON text."""
    values = msgspec.structs.astuple(row)
    if table.name == "events":
        values = (*values[:-1], msgspec.json.encode(values[-1]).decode())
    return (seq, *values)


# Gathers the growing evidence of a run: spools and the stack's own rows, into the store and the judge's ledger.

LOOK_EVERY_S = 0.1  # for the last answers of a window


class Collector(Gathered):
    """The one writer of a run's evidence. ``gather`` reads every spool once; cheap enough to call twice a second."""

    def __init__(self, store: EvidenceStore, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._steps = ClockSteps(clock)
        self.store = store
        self._readers: list[SpoolReader] = []
        self._told: list[SpoolReader] = []
        self._refused: list[Sequence[Row]] = []

    def follow(self, spools: Iterable[Path]) -> None:
        """Reads these spools from now on."""
        self._readers += [SpoolReader(path) for path in spools]

    def add(self, rows: Iterable[Row]) -> None:
        """Appends ``rows`` to the evidence, behind whatever was refused before. Raises ``EvidenceNotWritten`` while
        the disk refuses, and keeps all that waits for the next call: there may be room again. Rows that no disk takes
        are dropped, and ``EvidenceNeverWritten`` is raised for them once."""
        self._refused.append([*rows])
        while self._refused:
            try:
                self.store.append(self._refused[0])
            except EvidenceNeverWritten:
                del self._refused[0]
                raise
            self.see(self._refused.pop(0))

    def event(self, at_ns: int, kind: str, subject: str, said: str | Message | Told, **data: Any) -> None:
        """Appends an event of the run itself."""
        self.add([happened(at_ns, kind, subject, said, data)])

    def gather(self, *, last: bool = False) -> None:
        """Reads what the spools have gained, each whatever became of the others, and looks at the clocks. ``last``:
        their writers have ended, and a last line that was cut is lost, too. Raises ``EvidenceNotWritten`` where the
        disk refuses, else ``EvidenceNotRead`` for rows that are lost, naming every spool that lost some; each is told.
        """
        failed: list[EvidenceNotWritten | EvidenceNotRead] = []
        reads: list[Callable[[], None]] = [partial(self._read, each, last=last) for each in self._readers]
        for read in (self._look_at_clocks, *reads):
            try:
                read()
            except (EvidenceNotWritten, EvidenceNotRead) as error:
                failed.append(error)
        if refused := [error for error in failed if isinstance(error, EvidenceNotWritten)]:
            raise refused[0]
        if failed:
            where = ", ".join(error.where for error in failed)
            raise EvidenceNotRead(joined([*map(of_error, failed)]), where=where, remedy=failed[0].given[2])

    def _read(self, reader: SpoolReader, *, last: bool) -> None:
        """What is lost is an error of the measurement in the evidence itself: a stored run is judged with it."""
        rows: list[Row] = []
        try:
            rows = reader.read()
            if last:
                reader.end()
        except EvidenceNotRead as error:
            if reader not in self._told:
                self._told.append(reader)
                said = message("{spool}: {what}", spool=reader.path.name, what=of_error(error))
                self.event(self._clock.now_ns(), MEASUREMENT_ERROR, reader.path.stem, said)
            raise
        finally:
            self.add(rows)

    def _look_at_clocks(self) -> None:
        if (step_ns := self._steps.step_ns()) is not None:
            by = f"{step_ns / NS:+.1f}"
            said = message("the wall clock stepped by {seconds} s: it was set, or the machine slept", seconds=by)
            self.event(self._clock.now_ns(), MEASUREMENT_ERROR, "clock", said, step_ns=step_ns)

    async def last_answers(self, due: Iterable[Due], end_ns: int, patience_s: float) -> None:
        """Gathers until every call of ``due`` is in, or since ``end_ns`` none has come for ``patience_s``.

        Each ends within its timeout once it is sent, so that nothing is in flight any more then.
        """
        self.gather()
        last_ns, left = end_ns, [each.id for each in due if each.id not in self.ledger.calls]
        while left and self._clock.now_ns() < last_ns + round(patience_s * NS):
            await self._clock.sleep(LOOK_EVERY_S)
            self.gather()
            before, left = left, [each for each in left if each not in self.ledger.calls]
            if len(left) < len(before):
                last_ns = max(end_ns, self._clock.now_ns())

    def failures(self) -> list[MeasurementFailed]:
        """The errors of the measurement so far, for evidence kept apart, which no judge reads as a week's does."""
        errors = self.ledger.measurement_errors
        return [MeasurementFailed(error_words([each]), where="evidence.sqlite") for each in errors]
