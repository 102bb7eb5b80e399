"""A spool: one process' append-only file of evidence rows, one JSON array a line, read while it grows.

The writer buffers and flushes at least every ``FLUSH_S`` or ``FLUSH_ROWS``; a half-written last line is left for the
next read. A process that dies loses at most what it had not flushed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

import msgspec

from harness.model.evidence import Row

FLUSH_ROWS = 200
FLUSH_NS = 250_000_000

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Row)


class SpoolWriter:
    """Appends rows to ``path``; not thread-safe: one writer a process. Raises ``OSError`` when the disk refuses."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("ab", buffering=0)
        self._lines: list[bytes] = []
        self._flushed_ns = time.monotonic_ns()

    def write(self, row: Row) -> None:
        """Queues ``row``; flushed with the next batch."""
        self._lines.append(_encoder.encode(row))
        if len(self._lines) >= FLUSH_ROWS or time.monotonic_ns() - self._flushed_ns > FLUSH_NS:
            self.flush()

    def flush(self) -> None:
        """Hands everything queued to the operating system."""
        if self._lines:
            block = b"\n".join(self._lines) + b"\n"
            self._lines.clear()
            view = memoryview(block)
            while view:  # an unbuffered write may be short
                view = view[self._file.write(view) :]
        self._flushed_ns = time.monotonic_ns()

    def close(self) -> None:
        """Flushes and closes; idempotent."""
        if not self._file.closed:
            self.flush()
            self._file.close()

    def __enter__(self) -> SpoolWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class SpoolReader:
    """Reads what a spool has gained since the last call. The file may not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._rest = b""

    def read(self) -> list[Row]:
        """The whole rows that were appended since the last read. Raises ``msgspec.DecodeError`` on a broken line."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(self._offset)
            block = file.read()
        self._offset += len(block)
        *lines, self._rest = (self._rest + block).split(b"\n")
        return decode_lines(lines)


def decode_lines(lines: Iterable[bytes]) -> list[Row]:
    """Rows of the non-empty ``lines``."""
    return [_decoder.decode(line) for line in lines if line]
