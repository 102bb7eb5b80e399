"""A spool: one process' append-only file of evidence rows, one JSON array a line, read while it grows.

The writer buffers and flushes at least every ``FLUSH_S`` or ``FLUSH_ROWS``; a half-written last line is left for the
next read. A process that dies loses at most what it had not flushed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import msgspec

from harness.base.errors import NOT_JSON, EvidenceNotRead
from harness.model.evidence import ProbeRow, RequestRow, Row
from harness.model.message import message

FLUSH_ROWS = 200
FLUSH_NS = 250_000_000
_SHOWN = 80  # bytes of a line that is told
_MOST, _MOST_STATUS = 2**62, 999

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Row)


class SpoolWriter:
    """Appends rows to ``path``; not thread-safe: one writer a process. Raises ``OSError`` when the disk refuses.

    What the disk refused is kept and written by the next flush, from the byte on at which it was cut: a disk that has
    room again leaves no torn line behind.
    """

    def __init__(self, path: Path, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        """``now_ns`` is the run's time: in virtual time rows are there as soon whatever the machine does."""
        self.path = path
        self._now_ns = now_ns
        self._file = path.open("ab", buffering=0)
        self._lines: list[bytes] = []
        self._unwritten = b""
        self._flushed_ns = now_ns()

    def write(self, row: Row) -> None:
        """Queues ``row``; flushed with the next batch."""
        self._lines.append(_encoder.encode(row))
        if len(self._lines) >= FLUSH_ROWS or self._now_ns() - self._flushed_ns > FLUSH_NS:
            self.flush()

    def append(self, rows: bytes) -> None:
        """Hands on what another spool has gained, also half a line. Nothing may be queued meanwhile."""
        self._unwritten += rows
        self.flush()

    def flush(self) -> None:
        """Hands everything queued to the operating system."""
        if self._lines:
            self._unwritten += b"\n".join(self._lines) + b"\n"
            self._lines.clear()
        while self._unwritten:  # an unbuffered write may be short
            self._unwritten = self._unwritten[self._file.write(self._unwritten) :]
        self._flushed_ns = self._now_ns()

    def close(self) -> None:
        """Flushes and closes, also when the disk refuses; idempotent."""
        if not self._file.closed:
            try:
                self.flush()
            finally:
                self._file.close()

    def __enter__(self) -> SpoolWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class SpoolReader:
    """Reads what a spool has gained since the last call. The file may not exist yet.

    Raises ``EvidenceNotRead`` for whatever keeps a row from being read: a line that is none, a file that has become
    shorter, was replaced or has gone, a disk that refuses. Rows before that are handed over by the call before it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._rest = b""
        self._lines = 0
        self._inode: int | None = None
        self._broken: EvidenceNotRead | None = None

    def read(self) -> list[Row]:
        """The whole rows that were appended since the last read."""
        if self._broken is not None:
            raise self._broken
        *lines, self._rest = (self._rest + self._gained()).split(b"\n")
        rows: list[Row] = []
        for line in lines:
            self._lines += 1
            try:
                rows.append(_row(line))
            except NOT_JSON as error:
                self._broken = self._not_read(f"line {self._lines} is no row ({error}): {line[:_SHOWN]!r}")
                break
        if self._broken is not None and not rows:
            raise self._broken
        return rows

    def end(self) -> None:
        """To be called once the writer has ended and everything was read: raises for a last line that was cut."""
        if self._broken is not None:
            raise self._broken
        if self._rest:
            raise self._not_read(f"the last line was cut: {self._rest[:_SHOWN]!r}")

    def _gained(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                if self._inode not in (None, status.st_ino) or status.st_size < self._offset:
                    raise self._not_read("it was replaced or cut while it was read")
                self._inode = status.st_ino
                file.seek(self._offset)
                block = file.read()
        except FileNotFoundError:
            if self._inode is not None:
                raise self._not_read("it has gone") from None
            return b""
        except OSError as error:
            raise self._not_read(str(error.strerror or error)) from error
        self._offset += len(block)
        return block

    def _not_read(self, why: str) -> EvidenceNotRead:
        return EvidenceNotRead(
            message("evidence was lost, the spool cannot be read: {why}", why=why),
            where=str(self.path),
            remedy="run again; nothing else may write to or remove a run's files",
        )


def _row(line: bytes) -> Row:
    """Raises ``ValueError`` also for a number that no clock or counter shows: a line that was cut and joined with
    another may still read as one row.
    """
    row: Row = _decoder.decode(line)
    for value in msgspec.structs.astuple(row):
        if type(value) is int and not -_MOST <= value <= _MOST:
            raise ValueError("a number is out of range")
    if isinstance(row, RequestRow | ProbeRow) and not 0 <= row.status <= _MOST_STATUS:
        raise ValueError(f"{row.status} is no status")
    return row
