"""The one writer of ``evidence.sqlite``, and its readers.

While a run is under way the file is in WAL mode and each ``append`` is one committed transaction: a ``kill -9`` loses
nothing that was appended. ``close`` folds the journal into the one file, which then opens anywhere, read-only too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

import msgspec

from harness.base.clock import Anchor
from harness.base.errors import NOT_JSON, EvidenceNeverWritten, EvidenceNotWritten
from harness.evidence.schema import BY_ROW, ROWS, STORE_VERSION, RowTable, create_statements, insert_statement
from harness.model.evidence import Row
from harness.model.message import gettext_noop, message

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
