"""A load process' evidence: one spool, flushed in time even when nothing happens."""

from __future__ import annotations

from pathlib import Path

from harness.base.errors import EvidenceNotWritten
from harness.evidence.spool import SpoolWriter
from harness.load.rest import now_ns
from harness.model.evidence import Row, happened
from harness.model.message import Message, message

FLUSH_EVERY_S = 0.2


class Recorder:
    """Every method raises ``EvidenceNotWritten`` when the disk refuses."""

    def __init__(self, spool: Path) -> None:
        self._path = spool
        try:
            spool.parent.mkdir(parents=True, exist_ok=True)
            self._writer = SpoolWriter(spool, now_ns)
        except OSError as error:
            raise self._refused(error) from error

    def write(self, row: Row) -> None:
        """Queues a row."""
        try:
            self._writer.write(row)
        except OSError as error:
            raise self._refused(error) from error

    def event(self, kind: str, subject: str, message: str | Message, **data: object) -> None:
        """Queues an event of now."""
        self.write(happened(now_ns(), kind, subject, message, data))

    def append(self, rows: bytes) -> None:
        """Hands on what another spool has gained."""
        try:
            self._writer.append(rows)
        except OSError as error:
            raise self._refused(error) from error

    def flush(self) -> None:
        """Hands everything to the operating system."""
        try:
            self._writer.flush()
        except OSError as error:
            raise self._refused(error) from error

    def close(self) -> None:
        """Flushes and closes; idempotent."""
        try:
            self._writer.close()
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> EvidenceNotWritten:
        return EvidenceNotWritten(
            message("evidence could not be written: {why}", why=str(error.strerror or error)),
            where=str(self._path),
            remedy="make room on the disk, or allow writing to the folder",
        )
