"""The stored results of a reports folder, of runs and of the runs of sequences; and the page of last time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from harness.base.errors import BadInput
from harness.report.files import not_written, write_atomically
from harness.report.latest import LATEST
from harness.report.published import RESULT, RESULT_JSON
from harness.signoff.types import SCHEMA_VERSION, Signoff, Stored

#: The folder of the page below the reports folder, and its files.
FOLDER = "signoff"
DOCUMENT, PREVIOUS = "signoff.json", "previous.json"


def gather(reports: Path) -> tuple[tuple[Stored, ...], tuple[str, ...]]:
    """Every result below ``reports``, and the folders whose result cannot be read."""
    found, unreadable = list[Stored](), list[str]()
    for path in sorted(_documents(reports)):
        folder = path.parent.relative_to(reports).as_posix()
        try:
            found.append(Stored(folder=folder, result=RESULT.read(path)))
        except BadInput:
            unreadable.append(folder)
    return tuple(found), tuple(unreadable)


def _documents(reports: Path) -> Iterator[Path]:
    """A run's own result, and those of the runs of a sequence; ``latest`` is one of them under another name."""
    for pattern in (f"*/{RESULT_JSON}", f"*/*/{RESULT_JSON}"):
        yield from (path for path in reports.glob(pattern) if path.relative_to(reports).parts[0] != LATEST)


def previous(reports: Path) -> Signoff | None:
    """The page of last time; ``None`` where there is none that can be read: then nothing is said of changes."""
    try:
        found = msgspec.json.decode((reports / FOLDER / DOCUMENT).read_bytes(), type=Signoff)
    except (OSError, ValueError):
        return None
    return found if found.schema_version == SCHEMA_VERSION else None


def encode(document: Signoff) -> bytes:
    """``document`` as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def keep(reports: Path, document: Signoff) -> Path:
    """Writes ``document``; that of last time stays beside it. Raises ``EvidenceNotWritten``."""
    folder = reports / FOLDER
    path = folder / DOCUMENT
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            path.replace(folder / PREVIOUS)
    except OSError as error:
        raise not_written(path, error) from error
    return write_atomically(path, encode(document))
