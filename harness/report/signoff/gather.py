"""The stored results of a reports folder, of runs and of the runs of sequences; the last page of each target; and what
lies beside the claims of a register."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import msgspec

from harness.base.errors import BadInput
from harness.evidence.store import not_whole
from harness.model.message import Message, message, of_error
from harness.model.result import Result
from harness.report.language import not_written, write_atomically
from harness.report.latest import results
from harness.report.published import RESULT, RESULT_JSON
from harness.report.signoff.document import KnownErrata
from harness.report.signoff.types import SCHEMA_VERSION, Signoff, StoredResult

#: The folder of the page below the reports folder, its document, and the folder of the last ones before it.
FOLDER = "signoff"
DOCUMENT, PREVIOUS = "signoff.json", "previous"
#: Beside the claims: patches written by hand, and what ``nox -s manual`` makes of the rehearsals' code.
CORRECTIONS, SHOWN_BY = "corrections.patch", "shown_by.json"
_HEAD = re.compile(r"^erratum: (\S+)$", re.MULTILINE)


def known(register: Path) -> KnownErrata:
    """What lies beside the claims in that folder; nothing where no file does."""
    corrections, shown_by = register / CORRECTIONS, register / SHOWN_BY
    return KnownErrata(
        patches=patches(corrections.read_text(encoding="utf-8")) if corrections.is_file() else {},
        shown_by=msgspec.json.decode(shown_by.read_bytes(), type=dict[str, tuple[str, ...]])
        if shown_by.is_file()
        else {},
    )


def patches(text: str) -> dict[str, str]:
    """The patch of each erratum of ``text``, by its id. Pure."""
    _, *parts = _HEAD.split(text)
    return dict(zip(parts[::2], (patch.strip("\n") for patch in parts[1::2]), strict=True))


def gather(reports: Path) -> tuple[tuple[StoredResult, ...], tuple[str, ...]]:
    """Every result below ``reports``, and the folders whose result cannot be read."""
    found, unreadable = list[StoredResult](), list[str]()
    for path in sorted(results(reports)):
        folder = path.parent.relative_to(reports).as_posix()
        try:
            result = RESULT.read(path)
            found.append(StoredResult(folder=folder, result=result, lost=_lost(path.parent, result.run_id, result)))
        except BadInput:
            unreadable.append(folder)
    return tuple(found), tuple(unreadable)


def _lost(folder: Path, run_id: str, result: Result, *, broke: bool = False) -> Message | None:
    """Why the run, or one of a sequence, is not what it wrote; ``None`` where all are. One that ``broke`` may have no
    digest: nothing rests on it."""
    lost = not_whole(folder, run_id, result.evidence_digest)
    if lost is None and not (result.evidence_digest or broke):
        return message("the result.json of the run {run} has no digest of its evidence", run=run_id)
    try:
        for each in result.children:
            if each.folder and lost is None:
                of_run = RESULT.read(folder / each.folder / RESULT_JSON)
                lost = _lost(folder / each.folder, each.run_id, of_run, broke=each.decision is None)
    except BadInput as error:
        return of_error(error)
    return lost


def previous(reports: Path, target: str) -> Signoff | None:
    """The last page of ``target``; ``None`` where there is none that can be read: then nothing is said of changes."""
    folder = reports / FOLDER
    found = (_read(path) for path in (folder / DOCUMENT, _last(folder, target)))
    return next((each for each in found if each is not None and each.asked.target == target), None)


def _read(path: Path) -> Signoff | None:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Signoff)
    except (OSError, ValueError):
        return None
    return found if found.schema_version == SCHEMA_VERSION else None


def _last(folder: Path, target: str) -> Path:
    """Where the page of a target goes when another takes its place."""
    return folder / PREVIOUS / f"{hashlib.sha256(target.encode()).hexdigest()[:16]}.json"


def encode(document: Signoff) -> bytes:
    """``document`` as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def keep(reports: Path, document: Signoff) -> Path:
    """Writes ``document``, once the one that stands there is kept as the last of its target; whatever ends it between,
    one of the two can be read. Raises ``EvidenceNotWritten``."""
    folder = reports / FOLDER
    path = folder / DOCUMENT
    try:
        (folder / PREVIOUS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_written(path, error) from error
    if (before := _read(path)) is not None:
        write_atomically(_last(folder, before.asked.target), encode(before))
    return write_atomically(path, encode(document))
