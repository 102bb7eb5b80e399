"""A stored run of somebody else misleads, reads and holds up nobody: its words, its database, its rows."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base.clock import Anchor
from harness.base.errors import BadInput, Exit
from harness.cli.main import main
from harness.cli.stored.compare import rejudge
from harness.cli.stored.folder import read_stored
from harness.evidence.store import EVIDENCE, EvidenceStore, connect, read_meta, read_rows, summed
from harness.model.evidence import EventRow
from harness.model.judgement import Verdict
from harness.model.message import Message, enumerated, joined, message
from harness.model.variables import url
from harness.report.latest import results
from harness.report.signoff.gather import gather
from harness.rules.judged import MEASUREMENT
from tests.corpus import today

# -- words -----------------------------------------------------------------------------------------------------------


def nested(text: str, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {"text": "x" * 10}
    for _ in range(depth):
        found = {"text": text, "values": {"m": found}}
    return found


WORDS = {
    "an attribute": {"text": "{m.__init__.__globals__}", "values": {"m": {"text": "x"}, "m.__init__.__globals__": "x"}},
    "an item": {"text": "{m[0]}", "values": {"m": "x", "m[0]": "x"}},
    "a conversion": nested("{m!r}", 1),
    "a width": {"text": "{m:>2000000000}", "values": {"m": "x"}},
    "a width of a place": {"text": "{m:{m}}", "values": {"m": "9"}},
    "a number": {"text": "{0}", "values": {"0": "x"}},
    "no name": {"text": "{}", "values": {"": "x"}},
    "doublings": nested("{m}{m}", 40),
    "nesting": nested("{m}", 400),
    "nobody's place": {"text": "{n}", "values": {"m": "x"}},
    "an open brace": {"text": "{m", "values": {"m": "x"}},
}


@pytest.mark.parametrize("written", WORDS.values(), ids=WORDS)
def test_a_stored_message_is_names_alone_and_bounded(written: dict[str, Any], tmp_path: Path, capfd: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(written, Message)
    folder = tmp_path / "cost"
    shutil.copytree(today.folder("cost"), folder)
    document = json.loads((folder / "result.json").read_text())
    document["judgements"][0]["told"] = [written]
    (folder / "result.json").write_text(json.dumps(document))
    assert main(["judge", str(folder), "--no-defaults"]) == Exit.USAGE
    assert len("".join(capfd.readouterr())) < 10_000


def test_what_we_say_ourselves_is_as_it_was() -> None:
    assert str(message("{a} of {{b}} and {a}", a="1")) == "1 of {b} and 1"
    assert str(Message(text="{a} {b.c}")) == "{a} {b.c}", "without values it is somebody's own words"
    many = [message("{n}", n=str(number)) for number in range(500)]
    assert str(joined(many)) == "; ".join(map(str, range(500)))
    assert str(enumerated(many)) == ", ".join(map(str, range(500)))
    with pytest.raises(ValueError, match="a place is a name"):
        url({}, "postgresql://{user.__class__}")


# -- the database ----------------------------------------------------------------------------------------------------

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / EVIDENCE
    with EvidenceStore(path, "run", Anchor(monotonic_ns=0, unix_ns=0)) as store:
        store.append(EventRow(at_ns=at_ns, kind="phase", subject="s", message="m" * 200) for at_ns in range(200))
    return path


def remade(columns: str) -> str:
    """The table of flags anew, with other columns."""
    return f"DROP TABLE flags; CREATE TABLE flags ({columns})"


OTHERS = {
    "a view for a table": f"DROP TABLE flags; CREATE VIEW flags AS {ENDLESS} AS seq, 1 AS at_ns FROM n",
    "a view beside": f"CREATE VIEW beside AS {ENDLESS} FROM n",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON meta BEGIN DELETE FROM events; END",
    "an index": "CREATE INDEX i ON events (at_ns)",
    "another table": "CREATE TABLE beside (x)",
    "statistics": "ANALYZE",
    "a computed column": remade(
        "seq INTEGER PRIMARY KEY, at_ns INTEGER AS (length(hex(zeroblob(99999999)))), user TEXT, value INTEGER, "
        "template_version INTEGER, fetched INTEGER"
    ),
    "no number": remade(
        "seq INTEGER, at_ns INTEGER, user TEXT, value INTEGER, template_version INTEGER, fetched INTEGER"
    ),
    "other columns": remade("seq INTEGER PRIMARY KEY, a, b, c, d, e"),
    "a module's table": "DROP TABLE flags; CREATE VIRTUAL TABLE flags USING fts5(seq, at_ns)",
    "a module's table, disguised": (
        "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = 'CREATE /**/ VIRTUAL TABLE flags USING fts5(seq)', "
        "rootpage = 0 WHERE name = 'flags'"
    ),
}
READS: tuple[Callable[[Path], object], ...] = (read_meta, summed, lambda path: [*read_rows(path)])


@pytest.mark.parametrize("made", OTHERS.values(), ids=OTHERS)
def test_only_our_plain_tables_are_read(made: str, file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as foreign:
        foreign.executescript(made)
    for read in READS:
        with pytest.raises(BadInput):
            read(file)


@pytest.mark.timeout(20)
def test_a_pipe_beside_it_is_refused_and_not_waited_for(file: Path) -> None:
    file.with_name(f"{file.name}-wal").write_bytes(b"")
    os.mkfifo(file.with_name(f"{file.name}-shm"))
    for read in READS:
        with pytest.raises(BadInput):
            read(file)


def test_pages_that_lead_to_one_another_end(file: Path) -> None:
    """Every pointer of the table's first page leads to one leaf, as often as they are."""
    content = bytearray(file.read_bytes())
    (size,) = struct.unpack(">H", content[16:18])
    interior = next(at for at in range(size, len(content), size) if content[at] == 5)
    (cells,) = struct.unpack(">H", content[interior + 3 : interior + 5])
    pointers = struct.unpack(f">{cells}H", content[interior + 12 : interior + 12 + 2 * cells])
    first = content[interior + pointers[0] : interior + pointers[0] + 4]
    for each in pointers:
        content[interior + each : interior + each + 4] = first
    file.write_bytes(content)
    for read in READS[1:]:
        with pytest.raises(BadInput, match="not in order"):
            read(file)


def test_texts_in_one_anothers_bytes_are_not_read(tmp_path: Path) -> None:
    """One row's cell stands in its page as often as it has room, and each has the same overflow pages."""
    path = tmp_path / EVIDENCE
    with EvidenceStore(path, "run", Anchor(monotonic_ns=0, unix_ns=0)) as store:
        store.append([EventRow(at_ns=0, kind="phase", subject="s", message="m" * 41_390)])
    assert all(read(path) for read in READS)
    with contextlib.closing(sqlite3.connect(path)) as foreign:
        (root,) = foreign.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'").fetchone()
        (size,) = foreign.execute("PRAGMA page_size").fetchone()
    content = bytearray(path.read_bytes())
    page = content[(root - 1) * size : root * size]
    cell = page[struct.unpack(">H", page[8:10])[0] :]
    numbers = range(1, (size - 8) // (len(cell) + 2) + 1)
    starts = [size - number * len(cell) for number in numbers]
    for number, start in zip(numbers, starts, strict=True):
        page[start : start + len(cell)] = cell[:3] + bytes([number]) + cell[4:]
    page[3 : 8 + 2 * len(starts)] = struct.pack(f">HHB{len(starts)}H", len(starts), starts[-1], 0, *starts)
    content[(root - 1) * size : root * size] = page
    path.write_bytes(content)
    with contextlib.closing(sqlite3.connect(path)) as foreign:
        assert foreign.execute("SELECT SUM(LENGTH(message)) FROM events").fetchone() == (41_390 * len(starts),)
    for read in READS[1:]:
        with pytest.raises(BadInput, match="more bytes than the file"):
            read(path)


def test_what_makes_tables_is_short_and_seldom(file: Path) -> None:
    """SQLite reads and keeps every table of a file, many times its bytes, before it answers anything."""
    one = file.with_name("one")
    shutil.copyfile(file, one)
    for path, tables, columns, match in ((one, 1, 1_500, "too big"), (file, 3_000, 1, "interrupted")):
        with contextlib.closing(sqlite3.connect(path)) as foreign:
            foreign.execute("PRAGMA writable_schema = ON")
            rows = (
                (f"a{n}", f"CREATE TABLE a{n} ({','.join(f'b{m}' for m in range(columns))})") for n in range(tables)
            )
            foreign.executemany("INSERT INTO sqlite_master SELECT 'table', ?1, ?1, 3, ?2", rows)
            foreign.commit()
        for read in READS:
            with pytest.raises(BadInput, match=match):
                read(path)


def test_a_signal_ends_what_sqlite_does_and_so_does_its_length(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt), connect(file) as connection:
            connection.execute(f"{ENDLESS} FROM n WHERE x < 0").fetchone()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    monkeypatch.setattr("harness.evidence.store._MOST_TIMES", 1_000)
    with pytest.raises(BadInput, match="interrupted"), connect(file) as connection:
        connection.execute(f"{ENDLESS} FROM n WHERE x < 0").fetchone()


@pytest.mark.parametrize("beside", [(), ("-shm",)], ids=["journal alone", "journal and index"])
def test_reading_writes_nothing_and_fills_no_disk(beside: tuple[str, ...], file: Path) -> None:
    """Of a file in the journal's mode, alone; then with a journal beside it that takes gigabytes."""
    with contextlib.closing(sqlite3.connect(file)) as foreign:
        foreign.execute("PRAGMA journal_mode = WAL")
    for name in beside:
        file.with_name(file.name + name).write_bytes(b"\0" * 32_768)
    left = {path.name: path.read_bytes() for path in file.parent.iterdir()}
    for read in READS:
        read(file)
    assert {path.name: path.read_bytes() for path in file.parent.iterdir()} == left
    if not beside:
        journal = file.with_name(f"{file.name}-wal")
        journal.touch()
        os.truncate(journal, 3_000_000_000)
        with pytest.raises(BadInput, match="cannot be copied"):
            read_meta(file)


# -- its rows --------------------------------------------------------------------------------------------------------

CHANGES = {
    "another word": "UPDATE events SET subject = subject || '.' WHERE seq = (SELECT MAX(seq) FROM events)",
    "another order": "UPDATE events SET seq = -seq WHERE seq <= 2; UPDATE events SET seq = 3 + seq WHERE seq < 0",
    "a row for a row": "UPDATE samples SET value = value + 1 WHERE seq = (SELECT MIN(seq) FROM samples)",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_row_that_was_edited_with_the_count_unchanged_is_told_and_founds_nothing(
    change: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "deploy"
    shutil.copytree(today.folder("deploy"), folder)
    path, document = folder / EVIDENCE, json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps({**document, "evidence_digest": summed(path)[-1]}))
    assert [str(each.lost) for each in gather(tmp_path)[0]] == ["None"]
    before = rejudge(read_stored(str(folder), tmp_path))
    assert all(pair.id != MEASUREMENT for pair in before.judgements)
    rows = summed(path)[:2]
    with contextlib.closing(sqlite3.connect(path)) as foreign:
        foreign.executescript(change)
    assert summed(path)[:2] == rows
    judged = {pair.id: pair.now for pair in rejudge(read_stored(str(folder), tmp_path)).judgements}
    found = judged[MEASUREMENT]
    assert found is not None and found.verdict is Verdict.INCONCLUSIVE and found.gates
    assert main(["judge", str(folder), "--no-defaults"]) == Exit.HOLD
    assert "digest" in capsys.readouterr().out
    assert main(["report", str(folder), "--no-defaults"]) == Exit.OK
    assert "What broke" in (folder / "summary.md").read_text()
    assert all(each.lost is not None for each in gather(tmp_path)[0])


def test_a_run_of_before_is_judged_as_before_and_founds_nothing(tmp_path: Path) -> None:
    shutil.copytree(today.folder("deploy"), tmp_path / "deploy")
    assert rejudge(read_stored(str(tmp_path / "deploy"), tmp_path)).same
    assert len([*results(tmp_path)]) == 1 and all(each.lost is not None for each in gather(tmp_path)[0])
