"""The one writer of ``evidence.sqlite``, and its readers.

While a run is under way the file is in WAL mode and each ``append`` is one committed transaction: a ``kill -9`` loses
nothing that was appended. ``close`` folds the journal into the one file, which then opens anywhere, read-only too.
"""

from __future__ import annotations

import errno
import hashlib
import heapq
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count, takewhile
from operator import ne
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from harness.base.clock import NS, Anchor, Clock, ClockSteps
from harness.base.errors import (
    NOT_JSON,
    BadInput,
    EvidenceNeverWritten,
    EvidenceNotRead,
    EvidenceNotWritten,
    MeasurementFailed,
)
from harness.evidence.schema import BY_ROW, ROWS, STORE_VERSION, TABLES, RowTable, create_statements, insert_statement
from harness.evidence.spool import SpoolReader
from harness.model.evidence import MEASUREMENT_ERROR, Due, EventRow, ProbeRow, RequestRow, Row, SampleRow, happened
from harness.model.message import Message, Told, gettext_noop, joined, message, of_error
from harness.rules.finding import error_words
from harness.rules.flag_log import FlagLog
from harness.rules.ledger import Ledger
from harness.rules.writes import Writes

# The evidence of a run, gathered: what a judge reads, the same while the run is under way and from its folder.

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
        for value in row:
            if isinstance(value, (str, bytes)):
                left -= len(value)
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
