"""``result.json``: the published, versioned document of every run, and its JSON Schema.

``python -m harness.report.published`` writes the schema anew after a change of the types; a test holds it current.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from harness.base.errors import BadInput
from harness.model.result import SCHEMA_VERSION, Result
from harness.report.files import write_atomically

RESULT_JSON = "result.json"

_T = TypeVar("_T", bound=msgspec.Struct)


class _Version(msgspec.Struct):
    """The part of every version that is read first."""

    schema_version: int


@dataclass(frozen=True)
class Published(Generic[_T]):
    """A document of one type: written whole, read strictly, with a schema from its type.

    ``noun`` names it for people; the remedies are what to do where it is missing, and where it is broken.
    """

    type: type[_T]
    version: int
    file_name: str
    noun: str
    title: str
    if_missing: str
    if_broken: str

    @property
    def schema_file(self) -> Path:
        """Where the schema is committed."""
        return Path(__file__).with_name(f"{Path(self.file_name).stem}.schema.json")

    def encode(self, document: _T) -> bytes:
        """``document`` as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"

    def write(self, folder: Path, document: _T) -> Path:
        """Writes the document into ``folder``. Raises ``EvidenceNotWritten``."""
        return write_atomically(folder / self.file_name, self.encode(document))

    def read(self, path: Path) -> _T:
        """The document that ``path`` holds. Raises ``BadInput`` when it is missing, broken, or of a newer version."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise BadInput(
                f"the {self.noun} cannot be read: {error.strerror or error}", where=str(path), remedy=self.if_missing
            ) from error
        try:
            version = msgspec.json.decode(content, type=_Version).schema_version
            if version > self.version:
                raise BadInput(
                    f"the {self.noun} is of schema version {version}; this harness reads up to {self.version}",
                    where=str(path),
                    remedy="use the harness that wrote it, or a newer one",
                )
            return msgspec.json.decode(content, type=self.type)
        except msgspec.DecodeError as error:  # of which ValidationError, with the field's path, is one
            raise BadInput(
                f"the {self.noun} does not say what it must: {error}", where=str(path), remedy=self.if_broken
            ) from error

    def schema(self) -> dict[str, Any]:
        """The JSON Schema, from the type."""
        schema = msgspec.json.schema(self.type)
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        schema["title"] = self.title
        schema["$defs"][self.type.__name__]["properties"]["schema_version"] = {"const": self.version}
        return schema

    def encode_schema(self) -> bytes:
        """The schema as it is committed."""
        return msgspec.json.format(msgspec.json.encode(self.schema(), order="deterministic"), indent=2) + b"\n"


RESULT = Published(
    type=Result,
    version=SCHEMA_VERSION,
    file_name=RESULT_JSON,
    noun="result",
    title="A run of the TekuToko rehearsal",
    if_missing="name the folder of a finished run, for example reports/latest",
    if_broken="the file is no result.json, or was changed or cut; run the rehearsal again",
)


if __name__ == "__main__":
    RESULT.schema_file.write_bytes(RESULT.encode_schema())
