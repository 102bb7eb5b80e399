"""The evidence of a run, gathered: what a judge reads, the same while the run is under way and from its folder."""

from __future__ import annotations

import errno
import hashlib
import heapq
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count, takewhile
from operator import ne
from pathlib import Path
from typing import Any

import msgspec

from harness.base.errors import NOT_JSON, BadInput
from harness.evidence.schema import ROWS, STORE_VERSION, TABLES, RowTable
from harness.model.evidence import MEASUREMENT_ERROR, EventRow, ProbeRow, RequestRow, Row, SampleRow, happened
from harness.model.message import Message, message, of_error
from harness.rules.flag_log import FlagLog
from harness.rules.ledger import Ledger
from harness.rules.writes import Writes

# Reading ``evidence.sqlite`` again: a finished run's, one under way, or what a killed run left.
# The file may be anybody's. Exactly the tables of ``schema`` are read, and nothing that SQLite would compute. Reading
# writes nothing beside the file, keeps nothing on disk, takes so many steps at most and no more bytes than the file
# has, and ends at a signal. A killed run leaves its journal (``evidence.sqlite-wal``) beside the file; SQLite replays
# every committed transaction of it on opening. Where that needs an index that is not there, a temporary copy is read.

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


EVIDENCE = "evidence.sqlite"


class Gathered:
    """Rows in the order in which they arrived, and the views on them that the judges use.

    ``rows`` are all of them; of a request or a probe that comes again the views have the first, as the ledger has.
    """

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.writes = Writes()
        self.flag = FlagLog()
        self.rows: list[Row] = []
        self.events: list[EventRow] = []
        self.requests: list[RequestRow] = []
        self.probes: list[ProbeRow] = []
        self.samples: list[SampleRow] = []

    def see(self, rows: Iterable[Row]) -> None:
        """Takes ``rows`` into every view."""
        for row in rows:
            self.rows.append(row)
            if not self.ledger.add(row):
                continue
            self.flag.add(row)
            self.writes.add(row)
            if isinstance(row, EventRow):
                self.events.append(row)
            elif isinstance(row, ProbeRow):
                self.probes.append(row)
            elif isinstance(row, RequestRow):
                self.requests.append(row)
            elif isinstance(row, SampleRow):
                self.samples.append(row)

    def lacks(self, said: Message) -> None:
        """Something that the run had left is lost, and nobody knows what it said: an error of the measurement, of no
        moment, behind all that is there."""
        self.see([happened(0, MEASUREMENT_ERROR, "evidence", said, {})])


def files(folder: Path) -> Iterator[Path]:
    """Where a run's evidence may lie: a file for each time that a sequence is resumed, whose own evidence is then anew,
    for what it rests on are its runs and details. Endless."""
    return (folder / (EVIDENCE if number == 1 else f"evidence-{number}.sqlite") for number in count(1))


def last_file(folder: Path) -> Path:
    """The one by which the run was judged at its end, which need not be there."""
    return [folder / EVIDENCE, *takewhile(Path.is_file, files(folder))][-1]


def stored(folder: Path, digest: str = "") -> Gathered:
    """The evidence that lies in a run's folder; ``digest`` is that of its result, "" of one that has none. Rows that
    are not those that the run wrote are an error of the measurement: nobody knows what they said. Raises ``BadInput``
    when it is broken.
    """
    gathered, path = Gathered(), last_file(folder)
    if not path.is_file():
        gathered.lacks(message("the run's {file} is not there", file=path.name))
        return gathered
    gathered.see(read_rows(path))
    if (lost := lost_rows(path, digest)) is not None:
        gathered.lacks(lost)
    return gathered


def lost_rows(path: Path, digest: str = "") -> Message | None:
    """That the run wrote rows which the evidence file has not any more, or not by that ``digest``; ``None`` where it
    has all. Raises ``BadInput`` when it is broken."""
    wrote, held, found = summed(path)
    if wrote != held:
        counts = {"wrote": f"{wrote:,}", "held": f"{held:,}"}
        return message("the run wrote {wrote} rows of evidence, and {held} are there", **counts)
    if digest in ("", found):
        return None
    return message("the rows of evidence are not those that the run wrote: their digest is another than in result.json")


def not_whole(folder: Path, run_id: str, digest: str = "") -> Message | None:
    """Why the run of that id in ``folder`` cannot be judged again by all that it wrote: its evidence is gone, broken,
    another run's, has lost rows, or has others than those of the result's ``digest``. ``None`` where it can. What its
    rows say is not looked at."""
    path = last_file(folder)
    if not path.is_file():
        return message("the run's {file} is not there", file=path.name)
    try:
        other = read_meta(path).get("run_id", "")
        whole = other == run_id
        return lost_rows(path, digest) if whole else message("the evidence is of the run {other}", other=other)
    except BadInput as error:
        return of_error(error)
