"""A run in one file: what a judge needs of its folder, packed here and judged elsewhere.

Logs and pages stay behind, and of manifests what is secret. The file may be anybody's: no other names are unpacked than
are packed, within bounds, into a folder of its own. What its evidence must be, ``result.json`` says.
"""

from __future__ import annotations

import re
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from harness.base.errors import BadInput
from harness.cli.stored.folder import decoded, read_result
from harness.model.manifests import keys_alone
from harness.model.message import Message, message
from harness.report.language import not_written
from harness.report.published import RESULT_JSON
from harness.run.runner import MANIFESTS_JSON

#: So many files are unpacked at most, and so many bytes of all; so many of a JSON file, which is read whole.
_MOST_FILES, _MOST_BYTES, _MOST_JSON = 1_000, 2_000_000_000, 200_000_000
_FILE = re.compile(r"(\w[\w.+-]*/){0,2}((result|plan|manifests|machine)\.json|evidence(-\d+)?\.sqlite(-wal)?)")
_SECRET = re.compile(r"(?:passwor[dt]|passwd|secret|token|api_?key|private_?key|credentials?)$", re.IGNORECASE)
_PASSWORD = re.compile(r"(://[^/\s:@]*):[^/\s@]+@")


def pack(folder: Path, to: Path) -> Path:
    """Writes the run of ``folder`` and the runs of a sequence into the file ``to``: of one folder always the same.
    Raises ``BadInput`` for a folder that is no run's, ``EvidenceNotWritten``."""
    part, files = to.with_name(f".{to.name}.part"), sorted(_files(folder))
    try:
        with zipfile.ZipFile(part, "w") as archive:
            for path in files:
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix())  # without a time
                entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                scrubbed = without_secrets(decoded(path, dict)) if path.name == MANIFESTS_JSON else None
                with (
                    path.open("rb") if scrubbed is None else BytesIO(msgspec.json.encode(scrubbed)) as source,
                    archive.open(entry, "w", force_zip64=True) as packed,
                ):
                    shutil.copyfileobj(source, packed)
        part.replace(to)
    except OSError as error:
        raise not_written(to, error) from error
    finally:
        part.unlink(missing_ok=True)
    return to


def _files(folder: Path) -> Iterator[Path]:
    yield from (path for path in folder.iterdir() if _FILE.fullmatch(path.name) and path.is_file())
    for child in (folder / each.folder for each in read_result(folder).children if each.folder):
        if (child / RESULT_JSON).is_file() and not child.is_symlink():
            yield from _files(child)


def without_secrets(node: Any, name: str = "") -> Any:
    """``node`` of manifests without the values of Secrets, of what its name says to be a secret, and without passwords
    in addresses. Pure."""
    if isinstance(node, str):
        return "" if _SECRET.search(name) else _PASSWORD.sub(r"\1:@", node)
    if isinstance(node, list):
        return [without_secrets(each, name) for each in node]
    if not isinstance(node, dict):
        return node
    found = keys_alone(node) if node.get("kind") == "Secret" else node
    if name == "secrets":  # what a container's variables are
        return dict.fromkeys(found, "")
    named = {"value": str(found.get("name"))}  # of a container's variable
    return {key: without_secrets(each, named.get(key, key)) for key, each in found.items()}


@contextmanager
def unpacked(text: str) -> Iterator[str]:
    """The folder of a run that ``export`` packed into the file ``text``, there within the block; anything else that
    names a run as it is. Raises ``BadInput`` for a file that it did not pack."""
    path = Path(text)
    if not (path.is_file() and (path.suffix == ".zip" or zipfile.is_zipfile(path))):
        yield text
        return
    with TemporaryDirectory(prefix="tekutoko-export-") as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                for entry in _bounded(path, archive.infolist()):
                    (to := Path(folder, entry.filename)).parent.mkdir(parents=True, exist_ok=True)
                    with archive.open(entry) as source, to.open("xb") as file:
                        shutil.copyfileobj(source, file)
        except (zipfile.BadZipFile, zlib.error, RuntimeError, OSError, EOFError) as error:
            raise _bad(path, message("it cannot be unpacked: {error}", error=str(error))) from error
        yield folder


def _bounded(path: Path, entries: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    """The entries, all of them such as ``pack`` writes. Raises ``BadInput`` for another, for too many or too large."""
    if strange := [each.filename for each in entries if not _FILE.fullmatch(each.filename)]:
        raise _bad(path, message("it holds what export does not write: {what}", what=repr(strange[0])))
    json = any(each.file_size > _MOST_JSON for each in entries if each.filename.endswith(".json"))
    if json or len(entries) > _MOST_FILES or sum(each.file_size for each in entries) > _MOST_BYTES:
        raise _bad(path, message("it holds more than a run has"))
    return entries


def _bad(path: Path, what: Message) -> BadInput:
    return BadInput(what, where=str(path), remedy="name a file that export wrote, or write it anew")
