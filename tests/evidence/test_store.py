"""The evidence file: lossless, in order, whole after a kill, and loud when it cannot be written."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.base.clock import Anchor, utc
from harness.base.errors import BadInput, EvidenceNotWritten, Exit
from harness.evidence.store import EvidenceStore, read_meta, read_rows, summed
from harness.model.evidence import (
    EventRow,
    FlagRow,
    Operation,
    Outcome,
    ProbeRow,
    RequestRow,
    Row,
    SampleRow,
    SessionRow,
    Side,
)
from tests.session.examples import examples
from tests.session.needs import needs_root
from tests.session.reasons import NO_ROOT

ANCHOR = Anchor(monotonic_ns=5_000_000_000, unix_ns=1_790_000_000_123_456_789)

#: SQLite has no negative zero: it reads back as zero, which Python holds for equal.
_real = st.floats(allow_nan=False).map(lambda value: value + 0.0)
_ns = st.integers(min_value=0, max_value=2**62)
_text = st.text(max_size=20)
_int = st.integers(min_value=-(2**31), max_value=2**31)
_json = st.recursive(
    st.none() | st.booleans() | _int | st.floats(allow_nan=False, allow_infinity=False) | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=6,
)

_rows: st.SearchStrategy[Row] = st.one_of(
    st.builds(
        RequestRow,
        operation_id=_text,
        user=_text,
        audience=_text,
        side=st.sampled_from(Side),
        operation=st.sampled_from(Operation),
        due_ns=_ns,
        sent_ns=_ns,
        done_ns=_ns,
        status=_int,
        outcome=st.sampled_from(Outcome),
        acknowledged=st.booleans(),
        payload_digest=_text,
        flag=st.booleans(),
        walk_id=_text,
        pod=_text,
    ),
    st.builds(
        ProbeRow,
        probe_id=_int,
        user=_text,
        method=st.sampled_from(["GET", "PUT"]),
        due_ns=_ns,
        sent_ns=_ns,
        done_ns=_ns,
        status=_int,
        outcome=st.sampled_from(Outcome),
        pod=_text,
    ),
    st.builds(FlagRow, at_ns=_ns, user=_text, value=st.booleans(), template_version=_int, fetched=st.booleans()),
    st.builds(SessionRow, at_ns=_ns, user=_text, audience=_text, live=st.booleans()),
    st.builds(SampleRow, at_ns=_ns, metric=_text, subject=_text, value=_real),
    st.builds(
        EventRow, at_ns=_ns, kind=_text, subject=_text, message=_text, data=st.dictionaries(_text, _json, max_size=3)
    ),
)


def times_ns(path: Path) -> list[int]:
    """When the events were that are there."""
    return [row.at_ns for row in read_rows(path) if isinstance(row, EventRow)]


def event(at_ns: int, message: str = "", **data: object) -> EventRow:
    return EventRow(at_ns=at_ns, kind="phase", subject="week3", message=message, data=data)


def store(path: Path) -> EvidenceStore:
    return EvidenceStore(path, "run-1", ANCHOR)


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(st.lists(_rows, max_size=8), max_size=4))
def test_every_row_comes_back_equal_and_in_the_order_it_was_appended(batches: list[list[Row]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "evidence.sqlite"
        with store(path) as writer:
            for batch in batches:
                writer.append(batch)
        expected = [row for batch in batches for row in batch]
        found = list(read_rows(path))
    assert found == expected
    # Equality does not see types (1 == True, "ok" == Outcome.OK): the JSON form and the classes do.
    assert [msgspec.json.encode(row) for row in found] == [msgspec.json.encode(row) for row in expected]
    for got, wanted in zip(found, expected, strict=True):
        assert [type(value) for value in msgspec.structs.astuple(got)] == [
            type(value) for value in msgspec.structs.astuple(wanted)
        ]


def test_a_sample_that_is_not_a_number_stays_one(tmp_path: Path) -> None:
    with store(tmp_path / "e.sqlite") as writer:
        writer.append([SampleRow(at_ns=1, metric="cpu_cores", subject="pod-1", value=math.nan)])
    [row] = read_rows(tmp_path / "e.sqlite")
    assert isinstance(row, SampleRow)
    assert math.isnan(row.value)


def test_one_file_is_left_and_says_whose_it_is(tmp_path: Path) -> None:
    path = tmp_path / "evidence.sqlite"
    with store(path) as writer:
        writer.append([event(1)])
    assert [entry.name for entry in tmp_path.iterdir()] == ["evidence.sqlite"]
    said = read_meta(path)
    assert said["run_id"] == "run-1"
    anchor = (said["anchor_monotonic_ns"], said["anchor_unix_ns"])
    assert anchor == (str(ANCHOR.monotonic_ns), str(ANCHOR.unix_ns))


@given(st.integers(min_value=0, max_value=2**50))
@settings(max_examples=examples(50), deadline=None)
def test_utc_column_is_the_exact_time_to_the_millisecond(at_ns: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "e.sqlite"
        with store(path) as writer:
            writer.append([event(at_ns)])
        with sqlite3.connect(path) as connection:
            [(shown,)] = connection.execute("SELECT utc FROM events")
        connection.close()
    unix_ms = (at_ns + ANCHOR.unix_ns - ANCHOR.monotonic_ns) // 1_000_000
    assert shown.endswith(f"{unix_ms % 1000:03d}Z")
    # harness.base.clock.utc divides as a float: it may be off by one millisecond, never by more.
    assert shown[:-4] in {utc(ANCHOR, at_ns + shift)[:-4] for shift in (-1_000_000, 0, 1_000_000)}


def test_derived_columns_answer_by_plain_sql(tmp_path: Path) -> None:
    path = tmp_path / "e.sqlite"
    probes = [
        ProbeRow(
            probe_id=number,
            user="canary",
            method="GET",
            due_ns=1_000_000,
            sent_ns=2_000_000,
            done_ns=8_500_000,
            status=200,
            outcome=outcome,
        )
        for number, outcome in enumerate([Outcome.OK, Outcome.TIMEOUT])
    ]
    with store(path) as writer:
        writer.append(probes)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT latency_ms, lag_ms, good FROM probes").fetchall() == [(7.5, 1, 1), (7.5, 1, 0)]
    connection.close()


def test_a_run_never_writes_into_anothers_evidence(tmp_path: Path) -> None:
    store(tmp_path / "e.sqlite").close()
    with pytest.raises(EvidenceNotWritten, match="there already"):
        store(tmp_path / "e.sqlite")


def test_an_open_reader_does_not_fail_the_close(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.evidence.store.BUSY_S", 0.1)  # the writer waits so long for a reader
    path = tmp_path / "e.sqlite"
    writer = store(path)
    writer.append([event(1)])
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM events").fetchall()
    writer.append([event(2)])
    writer.close()
    reader.execute("COMMIT")
    reader.close()
    assert times_ns(path) == [1, 2]


def test_evidence_is_read_while_it_grows(tmp_path: Path) -> None:
    with store(tmp_path / "e.sqlite") as writer:
        writer.append([event(1)])
        assert len(list(read_rows(tmp_path / "e.sqlite"))) == 1
        writer.append([event(2), event(3)])
        assert len(list(read_rows(tmp_path / "e.sqlite"))) == 3


_KILLED = """
    import os, signal, sys
    from pathlib import Path
    from harness.evidence.store import EvidenceStore
    from harness.base.clock import Anchor
    from harness.model.evidence import EventRow
    store = EvidenceStore(Path(sys.argv[1]), "killed", Anchor(monotonic_ns=0, unix_ns=0))
    for number in range(500):
        store.append([EventRow(at_ns=number, kind="phase", subject="", message="x" * 100)])
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    path = tmp_path / "evidence.sqlite"
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(_KILLED), str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    return path


@pytest.mark.process
def test_a_killed_run_loses_nothing_it_appended(killed: Path) -> None:
    assert killed.with_name("evidence.sqlite-wal").exists()
    assert times_ns(killed) == list(range(500))


@pytest.mark.process
def test_a_torn_journal_costs_only_its_torn_end(killed: Path) -> None:
    wal = killed.with_name("evidence.sqlite-wal")
    with wal.open("r+b") as file:
        file.truncate(wal.stat().st_size * 2 // 3)
    found = times_ns(killed)
    assert 250 < len(found) < 500
    assert found == list(range(len(found)))


@needs_root
@pytest.mark.process
def test_a_killed_run_in_a_read_only_folder_is_read_by_a_user_who_may_not_write(killed: Path) -> None:
    killed.with_name("evidence.sqlite-shm").unlink(missing_ok=True)
    for folder in (killed.parent, *killed.parent.parents):
        if str(folder).startswith(tempfile.gettempdir() + "/"):
            folder.chmod(0o755)
    code = f"from harness.evidence.store import read_rows\nfrom pathlib import Path\nprint(len(list(read_rows(Path({str(killed)!r})))))"
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-B", "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.strip(), done.stderr) == ("500", "")


@pytest.mark.parametrize("content", [b"", b"not a database at all, but a text file of some length" * 20])
def test_what_is_no_evidence_is_bad_input(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "evidence.sqlite"
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        list(read_rows(path))
    assert caught.value.exit is Exit.USAGE
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("data", ["[" * 200_000 + "]" * 200_000, '{"a": "\udcff"}'.encode("utf-8", "surrogateescape")])
def test_an_event_s_data_that_nobody_can_decode_is_bad_input(tmp_path: Path, data: str | bytes) -> None:
    path = tmp_path / "e.sqlite"
    with store(path) as kept:
        kept.append([EventRow(at_ns=1, kind="k", subject="s", message="m")])
    with contextlib.closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE events SET data = CAST(? AS TEXT)", (data,))
    with pytest.raises(BadInput, match="cannot be read"):
        list(read_rows(path))


def test_rows_that_come_while_they_are_counted_are_not_told_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a run under way: each table was counted at another moment."""
    path, connect = tmp_path / "e.sqlite", sqlite3.connect
    rows: list[Row] = [
        SampleRow(at_ns=1, metric="m", subject="s", value=1.0),
        EventRow(at_ns=1, kind="k", subject="s", message="m"),
    ]
    with store(path) as kept:

        def meanwhile(statement: str) -> None:
            if "COUNT" in statement:
                kept.append(rows)

        def traced(*arguments: Any, **more: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = connect(*arguments, **more)
            connection.set_trace_callback(meanwhile)
            return connection

        kept.append(rows)
        monkeypatch.setattr(sqlite3, "connect", traced)
        wrote, held = summed(path)[:2]
        assert wrote == held >= 2


def test_evidence_is_read_where_nothing_temporary_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk; only what has to be copied needs room, and says so."""
    path, row = tmp_path / "e.sqlite", SampleRow(at_ns=1, metric="m", subject="s", value=1.0)
    with store(path) as kept:
        kept.append([row])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    assert list(read_rows(path)) == [row]
    (tmp_path / "e.sqlite-wal").touch()
    with pytest.raises(BadInput, match="copied") as caught:
        list(read_rows(path))
    assert "TMPDIR" in caught.value.remedy


def test_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    for read in (read_meta, lambda path: list(read_rows(path))):
        with pytest.raises(BadInput, match="no evidence file"):
            read(tmp_path / "none.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_newer_evidence_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.sqlite"
    store(path).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE meta SET value = '99' WHERE key = 'store_version'")
    connection.commit()
    connection.close()
    with pytest.raises(BadInput, match="version 99"):
        list(read_rows(path))


def test_a_damaged_page_is_bad_input_not_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "e.sqlite"
    with store(path) as writer:
        writer.append([event(number, "x" * 200) for number in range(2000)])
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 40_000] = os.urandom(40_000)
    path.write_bytes(content)
    with pytest.raises(BadInput, match="cannot be read"):
        list(read_rows(path))


_LIMITED = """
    import resource, sys
    from pathlib import Path
    from harness.evidence.store import read_rows
    from harness.evidence.store import EvidenceStore
    from harness.base.errors import EvidenceNotWritten
    from harness.base.clock import Anchor
    from harness.model.evidence import EventRow
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
    path = Path(sys.argv[1])
    store = EvidenceStore(path, "full", Anchor(monotonic_ns=0, unix_ns=0))
    kept = 0
    try:
        for number in range(10_000):
            store.append([EventRow(at_ns=number, kind="phase", subject="", message="x" * 500)])
            kept += 1
    except EvidenceNotWritten as error:
        assert str(path) in str(error) and "to do:" in str(error), error
        assert error.exit == 31
    else:
        sys.exit("nothing was refused")
    try:
        store.close()
    except EvidenceNotWritten as error:
        assert str(path) in str(error)
    print(kept, len(list(read_rows(path))))
"""


@pytest.mark.process
def test_a_full_disk_is_named_and_what_was_written_is_kept(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_LIMITED), str(tmp_path / "e.sqlite")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kept, found = map(int, done.stdout.split())
    assert kept > 10
    assert found == kept


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 256 KiB; skipped where mounting is not allowed."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(NO_ROOT)
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.process
def test_a_full_file_system(tiny_disk: Path) -> None:
    path = tiny_disk / "e.sqlite"
    writer = store(path)
    kept = 0
    with pytest.raises(EvidenceNotWritten, match="could not be written") as caught:
        for number in range(10_000):
            writer.append([event(number, "x" * 500)])
            kept += 1
    assert str(path) in str(caught.value)
    with contextlib.suppress(EvidenceNotWritten):
        writer.close()
    assert times_ns(path) == list(range(kept))
    assert kept > 10


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    for path in (Path("/proc/evidence.sqlite"), tmp_path / "missing" / "e.sqlite"):
        with pytest.raises(EvidenceNotWritten, match="could not be written") as caught:
            store(path)
        assert str(path) in str(caught.value)
        assert caught.value.remedy


def test_a_file_from_before_a_column_was_added_is_read_with_its_default(tmp_path: Path) -> None:
    probe = ProbeRow(
        probe_id=1, user="c", method="GET", due_ns=1, sent_ns=2, done_ns=3, status=200, outcome=Outcome.OK, shown="[[]]"
    )
    request = RequestRow(
        operation_id="u1-0", user="u1", audience="general", side=Side.API, operation=Operation.LIST_WALKS, due_ns=1,
        sent_ns=2, done_ns=4, status=200, outcome=Outcome.OK, acknowledged=False, payload_digest="", flag=True,
        pod="p", retried=True, shown="[[]]",
    )  # fmt: skip
    path = tmp_path / "evidence.sqlite"
    with EvidenceStore(path, "run", ANCHOR) as store:
        store.append([probe, request])
    assert list(read_rows(path)) == [probe, request]
    with contextlib.closing(sqlite3.connect(path)) as file:
        for column in ("requests.retried", "requests.shown", "requests.wire", "probes.shown", "probes.wire"):
            table, name = column.split(".")
            file.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
    older = [msgspec.structs.replace(probe, shown=""), msgspec.structs.replace(request, retried=False, shown="")]
    assert list(read_rows(path)) == older


def test_a_value_that_sqlite_cannot_hold_is_told_and_leaves_the_store_usable(tmp_path: Path) -> None:
    with EvidenceStore(tmp_path / "e.sqlite", "run", ANCHOR) as store:
        with pytest.raises(EvidenceNotWritten, match="could not be written"):
            store.append([SampleRow(at_ns=2**70, metric="m", subject="s", value=1.0)])
        store.append([SampleRow(at_ns=1, metric="m", subject="s", value=1.0)])
    assert len(list(read_rows(tmp_path / "e.sqlite"))) == 1


def test_a_file_that_another_program_holds_is_told_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.evidence.store.BUSY_S", 0.05)
    path = tmp_path / "evidence.sqlite"
    with store(path) as held, contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(EvidenceNotWritten, match="database is locked") as raised:
            held.append([event(1)])
        assert "close the program that has the file open" in str(raised.value)
        other.execute("ROLLBACK")
