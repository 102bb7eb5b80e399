"""Reading ``evidence.sqlite`` again: a finished run's, one under way, or what a killed run left.

A killed run leaves its journal (``evidence.sqlite-wal``) beside the file; SQLite replays every committed transaction
of it on opening. Where the folder is read-only, and SQLite cannot, a temporary copy is read.
"""

from __future__ import annotations

import heapq
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from harness.base.errors import NOT_JSON, BadInput
from harness.evidence.schema import ROWS, STORE_VERSION, TABLES, Table
from harness.model.evidence import Row


def _bad(path: Path, what: str, remedy: str = "name the folder of a run that wrote evidence") -> BadInput:
    return BadInput(what, where=str(path), remedy=remedy)


@contextmanager
def connect(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection with its version checked. Raises ``BadInput`` when it is no evidence or is broken."""
    if not path.is_file():
        raise _bad(path, "there is no evidence file")
    with ExitStack() as spare:
        connection = _open(path, spare)
        try:
            _check_version(path, connection)
            yield connection
        except (sqlite3.DatabaseError, *NOT_JSON) as error:  # a ``ValueError`` of a garbled number, too
            raise _bad(path, f"the evidence cannot be read: {error}") from error
        finally:
            connection.close()


def _open(path: Path, spare: ExitStack) -> sqlite3.Connection:
    if path.with_name(f"{path.name}-wal").exists() and not path.with_name(f"{path.name}-shm").exists():
        return _copied(path, spare)  # SQLite would write the missing index beside it, and leave it there
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    except sqlite3.OperationalError:  # told by the copy, in the system's words
        return _copied(path, spare)
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:  # a journal that cannot be opened where it lies
        connection.close()
        return _copied(path, spare)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _bad(path, f"this is no evidence file: {error}") from error
    return connection


def _copied(path: Path, spare: ExitStack) -> sqlite3.Connection:
    try:
        folder = Path(spare.enter_context(tempfile.TemporaryDirectory(prefix="tekutoko-evidence-")))
        for name in (path.name, f"{path.name}-wal"):
            if path.with_name(name).exists():
                shutil.copyfile(path.with_name(name), folder / name)
    except OSError as error:
        what = f"the evidence cannot be copied to be read: {error.strerror or error}"
        raise _bad(path, what, "make it readable, or make room in the folder of temporary files (TMPDIR)") from error
    return sqlite3.connect(folder / path.name)


def _check_version(path: Path, connection: sqlite3.Connection) -> None:
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone() is None:
        raise _bad(path, "the file holds no evidence: its run ended before the first row, or it is another database")
    version = int(_meta(connection).get("store_version", "0"))
    if version > STORE_VERSION:
        raise _bad(
            path,
            f"the evidence is of version {version}; this harness reads up to {STORE_VERSION}",
            "use the harness that wrote it, or a newer one",
        )


def _meta(connection: sqlite3.Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT key, value FROM meta"))


def read_meta(path: Path) -> dict[str, str]:
    """What the file says about itself: ``run_id``, ``store_version`` and the anchor. Raises ``BadInput``."""
    with connect(path) as connection:
        return _meta(connection)


def count_rows(path: Path) -> tuple[int, int]:
    """How many rows the run wrote, and how many of them the file holds: two numbers where rows were lost since.

    What was written is known by the number that each row has, and by what the store said when it was closed; of one
    that never was (a killed run) rows that were lost at its end are not missed. Raises ``BadInput``.
    """
    with connect(path) as connection:
        connection.execute("BEGIN")  # all of one moment: the run may be under way
        counted = [connection.execute(f"SELECT COUNT(*), MAX(seq) FROM {table.name}").fetchone() for table in TABLES]  # noqa: S608 - our own names
        held, last = sum(count for count, _ in counted), max(seq or 0 for _, seq in counted)
        said = int(_meta(connection).get(ROWS, last))
    return (last if said == held else said), held


def read_rows(path: Path, *, appended: bool = False) -> Iterator[Row]:
    """Every row in the order in which it was known: a request's and a probe's ``done_ns``, any other row's ``at_ns``.

    Ties keep the order in which they were appended. With ``appended`` that order is the only one: what stands before
    an event is what the run had gathered when it wrote the event. Memory stays flat: each table is read by a cursor of
    its own. Raises ``BadInput``.
    """
    with connect(path) as connection:
        streams = [_stream(connection, table, "seq" if appended else table.known_ns) for table in TABLES]
        for _, _, row in heapq.merge(*streams, key=lambda entry: entry[:2]):
            yield row


def _stream(connection: sqlite3.Connection, table: Table, order: str) -> Iterator[tuple[int, int, Row]]:
    present = {str(column[1]) for column in connection.execute(f"PRAGMA table_xinfo({table.name})")}
    # A column added since the file was written is the last, and has a default: its value is left out here.
    names = [field.encode_name for field in table.fields if field.encode_name in present]
    sql = f"SELECT {order}, seq, {', '.join(names)} FROM {table.name} ORDER BY 1, 2"  # noqa: S608 - our own names
    for first, seq, *values in connection.execute(sql):
        yield first, seq, _row(table, values)


def _row(table: Table, values: list[object]) -> Row:
    if table.name == "events":
        values[-1] = msgspec.json.decode(str(values[-1]))
    if table.name == "samples" and values[-1] is None:
        values[-1] = float("nan")  # SQLite has no NaN and stores NULL
    # strict=False: SQLite has no booleans.
    row: Row = msgspec.convert([table.tag, *values], table.row, strict=False)
    return row
