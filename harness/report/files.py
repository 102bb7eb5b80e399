"""Writing a report's files: whole or not at all, and a full or read-only folder is told as what it is."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from harness.base.errors import BadInput, EvidenceNotWritten, RehearsalError
from harness.model.message import message

REPORT_HTML = "report.html"


def not_written(path: Path, error: OSError) -> EvidenceNotWritten:
    """The error for a person when ``path`` could not be written."""
    return EvidenceNotWritten(
        message("the report could not be written: {strerror}", strerror=str(error.strerror or error)),
        where=str(path),
        remedy="free space or make the reports folder writable; the evidence so far is kept and can be judged again",
    )


def no_folder(folder: Path, error: OSError) -> RehearsalError:
    """The error for a person when a run's folder cannot be made: bad input, but for a disk that has become full."""
    kind = EvidenceNotWritten if error.errno in (errno.ENOSPC, errno.EDQUOT) else BadInput
    return kind(
        message("the reports folder cannot be written: {strerror}", strerror=str(error.strerror)),
        where=str(folder),
        remedy="make it writable, free some space, or name another one with --reports",
    )


def write_atomically(path: Path, content: bytes) -> Path:
    """Writes ``content`` so that ``path`` is never half a file, also where two processes write it at once, of two
    containers and so of one number: the address differs there. Raises ``EvidenceNotWritten``."""
    part = path.with_name(f".{path.name}.{os.getpid():x}-{id(content):x}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise not_written(path, error) from error
    return path
