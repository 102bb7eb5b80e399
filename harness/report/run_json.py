"""``run.json``: a run as a published, versioned document, and its JSON Schema.

``python -m harness.report.run_json`` writes the schema anew after a change of the types; a test holds it current.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from harness.model.errors import BadInput
from harness.model.run import SCHEMA_VERSION, Run
from harness.report.files import write_atomically

RUN_JSON = "run.json"
SCHEMA_FILE = Path(__file__).with_name("run.schema.json")


class _Version(msgspec.Struct):
    """The part of every version's ``run.json`` that is read first."""

    schema_version: int


def encode_run(run: Run) -> bytes:
    """``run`` as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(run), indent=2) + b"\n"


def write_run(folder: Path, run: Run) -> Path:
    """Writes ``run.json`` into ``folder``. Raises ``EvidenceNotWritten``."""
    return write_atomically(folder / RUN_JSON, encode_run(run))


def read_run(path: Path) -> Run:
    """The run that ``path`` holds. Raises ``BadInput`` when it is missing, broken, or of a newer version."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(
            f"the run cannot be read: {error.strerror or error}",
            where=str(path),
            remedy="name the folder of a finished run, for example reports/latest",
        ) from error
    try:
        version = msgspec.json.decode(content, type=_Version).schema_version
        if version > SCHEMA_VERSION:
            raise BadInput(
                f"the run is of schema version {version}; this harness reads up to {SCHEMA_VERSION}",
                where=str(path),
                remedy="use the harness that wrote it, or a newer one",
            )
        return msgspec.json.decode(content, type=Run)
    except msgspec.DecodeError as error:  # of which ValidationError, with the field's path, is one
        raise BadInput(
            f"the run does not say what it must: {error}",
            where=str(path),
            remedy="the file is not a run.json, or was changed or cut; run the scenario again, or judge its evidence",
        ) from error


def run_schema() -> dict[str, Any]:
    """The JSON Schema of ``run.json``, from the types."""
    schema = msgspec.json.schema(Run)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "A run of the TekuToko rehearsal"
    schema["$defs"]["Run"]["properties"]["schema_version"] = {"const": SCHEMA_VERSION}
    return schema


def encode_schema() -> bytes:
    """The schema as it is committed."""
    return msgspec.json.format(msgspec.json.encode(run_schema(), order="deterministic"), indent=2) + b"\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_bytes(encode_schema())
