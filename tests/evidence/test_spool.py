"""Spools: what one process writes, another reads while it grows."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.errors import EvidenceNotRead
from harness.evidence.spool import FLUSH_NS, SpoolReader, SpoolWriter
from harness.model.evidence import EventRow, Row, SampleRow

rows = st.lists(
    st.builds(SampleRow, at_ns=st.integers(0, 2**62), metric=st.text(), subject=st.text(), value=st.floats(0, 1e9))
    | st.builds(EventRow, at_ns=st.integers(0, 2**62), kind=st.text(), subject=st.text(), message=st.text())
)


@given(rows)
def test_every_row_comes_back_as_it_was(tmp_path_factory, written: list[Row]) -> None:  # type: ignore[no-untyped-def]
    path: Path = tmp_path_factory.mktemp("spool") / "a.jsonl"
    with SpoolWriter(path) as writer:
        for row in written:
            writer.write(row)
    assert SpoolReader(path).read() == written


def test_a_half_written_line_waits_for_its_rest(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    row = SampleRow(at_ns=1, metric="m", subject="s", value=2.0)
    with SpoolWriter(path) as writer:
        writer.write(row)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:10])
    reader = SpoolReader(path)
    assert reader.read() == [row]
    with path.open("ab") as file:
        file.write(whole[10:])
    assert reader.read() == [row]
    assert reader.read() == []


def test_when_rows_are_handed_over_is_said_by_the_runs_time_and_not_by_the_machines(tmp_path: Path) -> None:
    """A simulated run on a busy machine has the evidence of one on an idle machine, to the byte."""
    now_ns = 0
    writer, reader = SpoolWriter(tmp_path / "a.jsonl", lambda: now_ns), SpoolReader(tmp_path / "a.jsonl")
    writer.write(row_of(1))
    time.sleep(FLUSH_NS / 1e9 + 0.01)
    writer.write(row_of(2))
    assert reader.read() == []
    now_ns = FLUSH_NS + 1
    writer.write(row_of(3))
    assert reader.read() == [row_of(1), row_of(2), row_of(3)]
    writer.close()


def row_of(at_ns: int) -> SampleRow:
    return SampleRow(at_ns=at_ns, metric="m", subject="s", value=2.0)


def test_a_spool_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    assert SpoolReader(tmp_path / "later.jsonl").read() == []


class Grudging:
    """A file that takes a part of the first block and then refuses once."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.closed = False
        self.asked = 0

    def write(self, block: bytes) -> int:
        self.asked += 1
        if self.asked == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return int(self.file.write(block[:7] if self.asked == 1 else block))

    def close(self) -> None:
        self.closed = True
        self.file.close()


def test_what_the_disk_refused_is_written_by_the_next_flush_where_it_was_cut(tmp_path: Path) -> None:
    row = SampleRow(at_ns=1, metric="m", subject="s", value=2.0)
    writer = SpoolWriter(tmp_path / "a.jsonl")
    writer._file = Grudging(writer._file)  # type: ignore[assignment]
    writer.write(row)
    with pytest.raises(OSError, match="No space left"):
        writer.flush()
    writer.write(row)
    writer.close()
    assert SpoolReader(tmp_path / "a.jsonl").read() == [row, row]


LINE = b'["sample",1,"m","s",2.0]'


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"Traceback (most recent call last):",
        LINE[:-1],
        LINE + LINE,
        LINE.replace(b'"m"', b'"\xe6\x95"'),
        LINE.replace(b"1", b"1" * 40),
        LINE.replace(b"1", b"1" * 4_000),
        LINE.replace(b"sample", b"sample2"),
        b"[" * 200_000,
        b"\x00" * 30,
        b'["probe",1,"c","GET",1,1,1,-1,"ok",""]',
    ],
)
def test_a_line_that_is_no_row_is_told_after_the_rows_before_it(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINE + b"\n" + line + b"\n" + LINE + b"\n")
    reader = SpoolReader(path)
    assert len(reader.read()) == 1
    for _ in range(2):
        with pytest.raises(EvidenceNotRead, match="line 2 is no row") as caught:
            reader.read()
        assert caught.value.where == str(path)
    with pytest.raises(EvidenceNotRead):
        reader.end()


def test_a_last_line_that_was_cut_is_told_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINE + b"\n" + LINE[:5])
    reader = SpoolReader(path)
    assert len(reader.read()) == 1
    with pytest.raises(EvidenceNotRead, match="the last line was cut"):
        reader.end()
    with path.open("ab") as file:
        file.write(LINE[5:] + b"\n")
    assert len(reader.read()) == 1
    reader.end()


def test_a_spool_that_shrinks_goes_or_is_another_is_told(tmp_path: Path) -> None:
    path, other = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    path.write_bytes(LINE + b"\n")
    shrunk, replaced, gone = SpoolReader(path), SpoolReader(path), SpoolReader(path)
    assert len(shrunk.read()) == len(replaced.read()) == len(gone.read()) == 1
    os.truncate(path, 3)
    with pytest.raises(EvidenceNotRead, match="replaced or cut"):
        shrunk.read()
    other.write_bytes(LINE + b"\n" + LINE + b"\n")
    other.replace(path)
    with pytest.raises(EvidenceNotRead, match="replaced or cut"):
        replaced.read()
    path.unlink()
    with pytest.raises(EvidenceNotRead, match="it has gone"):
        gone.read()
