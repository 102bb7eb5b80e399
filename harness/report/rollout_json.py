"""``rollout.json``: a rollout as a published, versioned document, and its JSON Schema.

``python -m harness.report.rollout_json`` writes the schema anew after a change of the types; a test holds it current.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from harness.model.errors import BadInput
from harness.model.rollout_run import ROLLOUT_SCHEMA_VERSION, Rollout
from harness.report.files import write_atomically

ROLLOUT_JSON = "rollout.json"
SCHEMA_FILE = Path(__file__).with_name("rollout.schema.json")


class _Version(msgspec.Struct):
    """The part of every version's ``rollout.json`` that is read first."""

    schema_version: int


def encode_rollout(rollout: Rollout) -> bytes:
    """``rollout`` as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(rollout), indent=2) + b"\n"


def write_rollout_json(folder: Path, rollout: Rollout) -> Path:
    """Writes ``rollout.json`` into ``folder``. Raises ``EvidenceNotWritten``."""
    return write_atomically(folder / ROLLOUT_JSON, encode_rollout(rollout))


def read_rollout(folder: Path) -> Rollout:
    """The rollout whose folder this is. Raises ``BadInput`` when it is missing, broken, or of a newer version."""
    path = folder / ROLLOUT_JSON
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(
            f"the rollout cannot be read: {error.strerror or error}",
            where=str(path),
            remedy="name the folder of a rollout, for example reports/latest",
        ) from error
    try:
        version = msgspec.json.decode(content, type=_Version).schema_version
        if version > ROLLOUT_SCHEMA_VERSION:
            raise BadInput(
                f"the rollout is of schema version {version}; this harness reads up to {ROLLOUT_SCHEMA_VERSION}",
                where=str(path),
                remedy="use the harness that wrote it, or a newer one",
            )
        return msgspec.json.decode(content, type=Rollout)
    except msgspec.DecodeError as error:
        raise BadInput(
            f"the rollout does not say what it must: {error}",
            where=str(path),
            remedy="the file is no rollout.json, or was changed or cut; begin a new rollout, with --weeks if need be",
        ) from error


def rollout_schema() -> dict[str, Any]:
    """The JSON Schema of ``rollout.json``, from the types."""
    schema = msgspec.json.schema(Rollout)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "A rollout of the TekuToko rehearsal"
    schema["$defs"]["Rollout"]["properties"]["schema_version"] = {"const": ROLLOUT_SCHEMA_VERSION}
    return schema


def encode_schema() -> bytes:
    """The schema as it is committed."""
    return msgspec.json.format(msgspec.json.encode(rollout_schema(), order="deterministic"), indent=2) + b"\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_bytes(encode_schema())
