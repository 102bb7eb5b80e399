"""Reading ``evidence.sqlite`` again: a finished run's, one under way, or what a killed run left.

The file may be anybody's. Exactly the tables of ``schema`` are read, and nothing that SQLite would compute. Reading
writes nothing beside the file, keeps nothing on disk, takes so many steps at most and no more bytes than the file has,
and ends at a signal. A killed run leaves its journal (``evidence.sqlite-wal``) beside the file; SQLite replays every
committed transaction of it on opening. Where that needs an index that is not there, a temporary copy is read.
"""

from __future__ import annotations

import errno
import hashlib
import heapq
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from operator import ne
from pathlib import Path
from typing import Any

import msgspec

from harness.base.errors import NOT_JSON, BadInput
from harness.evidence.schema import ROWS, STORE_VERSION, TABLES, RowTable
from harness.model.evidence import Row

#: No text of a row is longer, no statement that makes a table (ours have 600 bytes), and no larger file is copied.
_MOST_BYTES, _MOST_SQL, _MOST_COPIED = 4_000_000, 4_000, 2_000_000_000
#: SQLite lets signals in after so many steps, and takes no more than so many times as many: ten million rows' worth.
_STEPS, _MOST_TIMES = 10_000, 50_000
_SETTINGS = "PRAGMA trusted_schema = OFF; PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; BEGIN"
_COLUMNS = {each.name: ("seq", *(field.encode_name for field in each.fields)) for each in TABLES}
_BEGINS = {name: f"CREATE TABLE {name} (seq INTEGER PRIMARY KEY, " for name in _COLUMNS}
_BEGINS["meta"], _COLUMNS["meta"] = "CREATE TABLE meta (key TEXT PRIMARY KEY, ", ("key", "value")


def _bad(path: Path, what: str, remedy: str = "name the folder of a run that wrote evidence") -> BadInput:
    return BadInput(what, where=str(path), remedy=remedy)


@contextmanager
def connect(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection to one moment of the file, with its tables and version checked.

    Raises ``BadInput`` when it is no evidence or is broken, ``KeyboardInterrupt`` at a signal.
    """
    if not path.is_file():
        raise _bad(path, "there is no evidence file")
    with ExitStack() as spare:
        connection = _open(path, spare)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_BYTES)
        connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, _MOST_SQL)
        left = iter(range(0))  # while it reads what tables there are: some hundred steps
        connection.set_progress_handler(lambda: next(left, None) is None, _STEPS)
        try:
            connection.executescript(_SETTINGS)
            _check_tables(path, connection)
            left = iter(range(_MOST_TIMES))
            _check_version(path, connection)
            yield connection
        except (sqlite3.DatabaseError, *NOT_JSON) as error:  # a ``ValueError`` of a garbled number, too
            if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT and next(left, None) is not None:
                raise KeyboardInterrupt from error  # by a signal, whose exception SQLite does not pass on
            raise _bad(path, f"the evidence cannot be read: {error}") from error


def _open(path: Path, spare: ExitStack) -> sqlite3.Connection:
    """Open the file so that SQLite makes and changes nothing beside it."""
    spares = [path.with_name(path.name + name) for name in ("-wal", "-shm")]
    if any(each.exists() and not each.is_file() for each in spares):  # a pipe is opened for ever
        raise _bad(path, "what lies beside the evidence is no file")
    beside = [each.exists() for each in spares]
    if beside == [True, False]:
        return _copied(path, spare)  # SQLite would write the missing index beside it, and leave it there
    how = "readonly_shm=1" if beside[0] else "immutable=1"
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&{how}", uri=True)
        spare.callback(connection.close)
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.OperationalError:  # a file or journal that cannot be opened where it lies, told by the copy
        return _copied(path, spare)
    except sqlite3.DatabaseError as error:
        raise _bad(path, f"this is no evidence file: {error}") from error
    return connection


def _copied(path: Path, spare: ExitStack) -> sqlite3.Connection:
    try:
        folder = Path(spare.enter_context(tempfile.TemporaryDirectory(prefix="tekutoko-evidence-")))
        files = [each for each in (path, path.with_name(f"{path.name}-wal")) if each.is_file()]
        if sum(each.stat().st_size for each in files) > min(_MOST_COPIED, shutil.disk_usage(folder).free // 2):
            raise OSError(os.strerror(errno.EFBIG))
        for each in files:
            shutil.copyfile(each, folder / each.name)
    except OSError as error:
        what = f"the evidence cannot be copied to be read: {error.strerror or error}"
        raise _bad(path, what, "make it readable, or make room in the folder of temporary files (TMPDIR)") from error
    connection = sqlite3.connect(folder / path.name)
    spare.callback(connection.close)
    return connection


def _check_tables(path: Path, connection: sqlite3.Connection) -> None:
    """Refuse whatever is none of our plain tables: a view, a trigger, an index, a module's table, other columns."""
    found = set()
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master"):
        ours = kind == "table" and name in _COLUMNS and str(sql).startswith(_BEGINS[name])
        if not ours or any(map(ne, _stored(connection, name), _COLUMNS[name])):  # an older file ends earlier
            raise _bad(path, f"the file holds what is no evidence: {kind} {str(name)[:100]!r}")
        found.add(name)
    if "meta" not in found:
        raise _bad(path, "the file holds no evidence: its run ended before the first row, or it is another database")


def _stored(connection: sqlite3.Connection, table: str) -> list[str]:
    """Return the columns of ``table`` that are stored and not computed, in their order."""
    return [str(name) for _, name, *_, computed in connection.execute(f"PRAGMA table_xinfo({table})") if not computed]


def _check_version(path: Path, connection: sqlite3.Connection) -> None:
    version = int(str(_meta(connection).get("store_version", "0")))
    if version > STORE_VERSION:
        raise _bad(
            path,
            f"the evidence is of version {version}; this harness reads up to {STORE_VERSION}",
            "use the harness that wrote it, or a newer one",
        )


def _meta(connection: sqlite3.Connection) -> dict[str, str]:
    return dict(_selected(connection, "SELECT key, value FROM meta LIMIT 100"))


def _selected(connection: sqlite3.Connection, query: str) -> Iterator[tuple[Any, ...]]:
    """The rows of ``query``, which reads each once. Texts in one another's bytes of the file are refused in time."""
    file = str(connection.execute("PRAGMA database_list").fetchone()[2])
    left = sum(each.stat().st_size for each in (Path(file), Path(f"{file}-wal")) if each.exists())
    for row in connection.execute(query):
        left -= sum(len(value) for value in row if isinstance(value, str | bytes))
        if left < 0:
            raise ValueError("its rows have more bytes than the file")
        yield row


def read_meta(path: Path) -> dict[str, str]:
    """What the file says about itself: ``run_id``, ``store_version`` and the anchor. Raises ``BadInput``."""
    with connect(path) as connection:
        return _meta(connection)


def summed(path: Path) -> tuple[int, int, str]:
    """How many rows the run wrote, how many of them the file holds, and the digest of these. The first two differ where
    rows were lost since.

    What was written is known by the number that each row has, and by what the store said when it was closed; of one
    that never was (a killed run) rows that were lost at its end are not missed. The digest is the SHA-256 of the rows,
    in the order in which they were appended. Each is the MessagePack array of its table's name and its stored columns.
    Raises ``BadInput``.
    """
    whole, held, last = hashlib.sha256(), 0, 0
    with connect(path) as connection:
        for table, last, values in _appended(connection):
            held += 1
            whole.update(msgspec.msgpack.encode((table.name, last, *values)))
        said = int(str(_meta(connection).get(ROWS, last)))
    return last if said == held else said, held, f"sha256:{whole.hexdigest()}"


def read_rows(path: Path) -> Iterator[Row]:
    """Every row in the order in which they were appended; memory stays flat.

    What stands before an event is what the run had gathered when it wrote it. Raises ``BadInput``.
    """
    with connect(path) as connection:
        for table, _, values in _appended(connection):
            yield _row(table, values)


def _appended(connection: sqlite3.Connection) -> Iterator[tuple[RowTable, int, list[object]]]:
    """Every row's table, number and values in the order in which they were appended, a cursor for each table."""
    return heapq.merge(*(_numbered(connection, table) for table in TABLES), key=lambda each: each[1])


def _numbered(connection: sqlite3.Connection, table: RowTable) -> Iterator[tuple[RowTable, int, list[object]]]:
    names, before = ", ".join(_stored(connection, table.name)), 0
    for seq, *values in _selected(connection, f"SELECT {names} FROM {table.name} ORDER BY seq"):  # noqa: S608 - our own names
        if not isinstance(seq, int) or seq <= before:  # pages that lead to one another never end
            raise ValueError(f"the rows of {table.name} are not in order")
        before = seq
        yield table, seq, values


def _row(table: RowTable, values: list[object]) -> Row:
    # A column added since the file was written has a default; one that a newer harness added is the last.
    values = values[: len(table.fields)]
    if table.name == "events":
        values[-1] = msgspec.json.decode(str(values[-1]))
    if table.name == "samples" and values[-1] is None:
        values[-1] = float("nan")  # SQLite has no NaN and stores NULL
    # strict=False: SQLite has no booleans.
    row: Row = msgspec.convert([table.tag, *values], table.row, strict=False)
    return row
