"""``result.json``: the published, versioned document of every run, and its JSON Schema.

``python -m harness.report.published`` writes the schema anew after a change of the types; a test holds it current. It
is the promise to those who read results: of a section it tells the kind alone, for what stands in it is the page's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import msgspec

from harness.base.errors import NOT_JSON, BadInput
from harness.model.message import Told, message
from harness.model.result import SCHEMA_VERSION, Result
from harness.model.section import Section
from harness.report.language import write_atomically

RESULT_JSON = "result.json"
#: What fields have in common that are of no type of their own, each once in the schema.
_NAMED = {"Told": Told, "Strings": tuple[str, ...], "Measured": float | None}
_LEFT_OUT = "A field that is left out and has no default here is empty: 0, false, null, or nothing in it."


class _Version(msgspec.Struct):
    """The part of every version that is read first."""

    schema_version: int


class ResultDocument:
    """The document: written whole, read strictly. ``schema_file`` is where the schema is committed."""

    schema_file = Path(__file__).with_name("result.schema.json")

    def encode(self, result: Result) -> bytes:
        """``result`` as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n"

    def write(self, folder: Path, result: Result) -> Path:
        """Writes the document into ``folder``. Raises ``EvidenceNotWritten``."""
        return write_atomically(folder / RESULT_JSON, self.encode(result))

    def read(self, path: Path) -> Result:
        """The result that ``path`` holds. Raises ``BadInput`` when it is missing, broken, or of a newer version."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise BadInput(
                message("the result cannot be read: {error}", error=error.strerror or str(error)),
                where=str(path),
                remedy="name the folder of a finished run, for example reports/latest",
            ) from error
        try:
            version = msgspec.json.decode(content, type=_Version).schema_version
            if version > SCHEMA_VERSION:
                read = {"version": str(version), "most": str(SCHEMA_VERSION)}
                what = message("the result is of schema version {version}; this harness reads up to {most}", **read)
                raise BadInput(what, where=str(path), remedy="use the harness that wrote it, or a newer one")
            return msgspec.json.decode(content, type=Result)
        except NOT_JSON as error:  # of which ValidationError, with the field's path, is one
            raise BadInput(
                message("the result does not say what it must: {error}", error=str(error)),
                where=str(path),
                remedy="an older version made the file, or it was changed or cut; run the rehearsal again",
            ) from error

    def encode_schema(self) -> bytes:
        """The JSON Schema as it is committed, from the type."""
        schema = msgspec.json.schema(Result)
        types: dict[str, Any] = schema["$defs"]
        of_result = types[Result.__name__]["properties"]
        of_result["schema_version"] = {"const": SCHEMA_VERSION}
        kinds = sorted(kind.__struct_config__.tag for kind in get_args(Section))
        of_section = {"type": "object", "properties": {"type": {"enum": kinds}}, "required": ["type"]}
        of_result["sections"] = {"type": "array", "items": of_section}
        while unnamed := [name for name in types if f'"#/$defs/{name}"'.encode() not in msgspec.json.encode(schema)]:
            for name in unnamed:
                del types[name]
        named = {name: _repeated(msgspec.json.schema_components((of,))[0][0], {}) for name, of in _NAMED.items()}
        schema["$defs"] = _repeated(types, named) | named
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        schema["title"] = "A run of the TekuToko rehearsal"
        schema["description"] = _LEFT_OUT
        return msgspec.json.format(msgspec.json.encode(schema, order="deterministic"), indent=2) + b"\n"


def _repeated(node: Any, named: dict[str, Any]) -> Any:
    """``node`` without what stands elsewhere: the title of a type, which is its name; an empty default, which
    ``_LEFT_OUT`` says; and a form that has a name."""
    if not isinstance(node, dict):
        return node
    found = {key: _repeated(each, named) for key, each in node.items() if not _said(key, each)}
    return next(({"$ref": f"#/$defs/{name}"} for name, form in named.items() if form == found), found)


def _said(key: str, value: Any) -> bool:
    return (key == "title" and isinstance(value, str)) or (key == "default" and not value)


RESULT = ResultDocument()


def folder_of(text: str, reports: Path) -> Path:
    """The folder of the stored run that ``text`` names: a folder, or a run's id below ``reports``, or ``latest``.
    Raises ``BadInput`` when there is none."""
    for folder in (Path(text), reports / text):
        if (folder / RESULT_JSON).is_file():
            return folder.resolve()
    remedy = message("name a folder with a {file}", file=RESULT_JSON)
    raise BadInput(message("there is no stored run {name}", name=repr(text)), where="--of", remedy=remedy)


if __name__ == "__main__":
    RESULT.schema_file.write_bytes(RESULT.encode_schema())
