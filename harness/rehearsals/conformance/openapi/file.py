"""An OpenAPI file, 3.0 or 3.1, YAML or JSON: read with the line of every value, refused with file, line and remedy."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from harness import yamltext
from harness.model.errors import BadInput

_MOST_REFERENCES = 30  # a chain of $ref longer than this leads round


class OpenApiFile:
    """``data`` is the document; ``name`` is the file as people typed it."""

    def __init__(self, name: str, data: dict[str, Any], lines: yamltext.Lines) -> None:
        self.name = name
        self.data = data
        self._lines = lines

    def place(self, path: yamltext.Path_) -> str:
        """``file:line`` of a value, or of the nearest value above it that has a line."""
        return yamltext.place(self.name, self._lines, path).partition(",")[0]

    def at(self, path: yamltext.Path_) -> tuple[Any, yamltext.Path_]:
        """The value at ``path`` and where it stands, references followed. ``None`` where there is none."""
        value: Any = self.data
        here: yamltext.Path_ = ()
        for part in path:
            value, here = self.followed(value, here)
            if not isinstance(value, dict | list) or (isinstance(value, dict) and part not in value):
                return None, (*here, part)
            value, here = cast(Any, value)[part], (*here, part)
        return self.followed(value, here)

    def followed(self, value: Any, here: yamltext.Path_) -> tuple[Any, yamltext.Path_]:
        """What a ``$ref`` names, and where that stands; the value itself when it is none."""
        for _ in range(_MOST_REFERENCES):
            if not isinstance(value, dict) or not isinstance(value.get("$ref"), str):
                return value, here
            here = tuple(part.replace("~1", "/").replace("~0", "~") for part in value["$ref"][2:].split("/"))
            value = self.data
            for part in here:
                value = value.get(part) if isinstance(value, dict) else None
        raise BadInput("$ref leads round", where=self.place(here), remedy="let one of them be the schema itself")

    def parts(self, schema: Any, here: yamltext.Path_, depth: int = 0) -> list[tuple[dict[str, Any], yamltext.Path_]]:
        """A schema and all that its ``allOf`` joins to it, the nearest first, references followed."""
        schema, here = self.followed(schema, here)
        if not isinstance(schema, dict) or depth > _MOST_REFERENCES:
            return []
        found = [(schema, here)]
        for number, each in enumerate(schema.get("allOf") or ()):
            found += self.parts(each, (*here, "allOf", number), depth + 1)
        if "allOf" not in schema:  # "one of: this, or null" is how 3.1 writes what may be null
            others = [(key, n, each) for key in ("anyOf", "oneOf") for n, each in enumerate(schema.get(key) or ())]
            real = [(key, n, each) for key, n, each in others if each != {"type": "null"}]
            if len(real) == 1:
                key, number, each = real[0]
                found += self.parts(each, (*here, key, number), depth + 1)
        return found


def read(path: Path) -> OpenApiFile:
    """The file at ``path``. Raises ``BadInput`` with its line when it is no OpenAPI 3.0 or 3.1 in one file."""
    text, where = yamltext.read(path), str(path)
    # JSON is YAML but for tabs, and no text of JSON holds one.
    found = yamltext.documents(text.expandtabs(2) if text.lstrip().startswith("{") else text, where)
    if len(found) != 1 or not isinstance(found[0][0], dict):
        raise BadInput("an OpenAPI file is one mapping of keys", where=where, remedy="begin with `openapi: 3.1.0`")
    data, lines = found[0]
    file = OpenApiFile(where, cast(dict[str, Any], _plain(data)), lines)
    version = str(file.data.get("openapi", ""))
    if not version.startswith(("3.0.", "3.1.")):
        raise BadInput(
            f"openapi is {version or 'missing'}",
            where=file.place(("openapi",)),
            remedy="write it in OpenAPI 3.0 or 3.1",
        )
    _references(file, file.data, ())
    _validated(file, version)
    return file


def _plain(value: Any) -> Any:
    """Dates as texts: YAML makes them of examples."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, datetime.date) else value


def _references(file: OpenApiFile, value: Any, here: yamltext.Path_) -> None:
    """Raises ``BadInput`` for a ``$ref`` that leads out of the file, or nowhere."""
    if isinstance(value, list):
        for number, each in enumerate(value):
            _references(file, each, (*here, number))
    if not isinstance(value, dict):
        return
    target = value.get("$ref")
    if isinstance(target, str):
        where = file.place((*here, "$ref"))
        if not target.startswith("#/"):
            raise BadInput(
                f"$ref {target} leads out of the file",
                where=where,
                remedy="bundle the files into one, for example: npx @redocly/cli bundle openapi.yaml -o bundled.yaml",
            )
        if file.followed(value, here)[0] is None:
            raise BadInput(f"$ref {target} leads nowhere", where=where, remedy="name a component that is there")
    for key, each in value.items():
        _references(file, each, (*here, key))


def _validated(file: OpenApiFile, version: str) -> None:
    from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator  # 0.3 s to import

    validator = OpenAPIV30SpecValidator if version.startswith("3.0.") else OpenAPIV31SpecValidator
    for error in validator(cast(Any, file.data)).iter_errors():
        raise BadInput(
            f"no OpenAPI {version}: {error.message.splitlines()[0][:300]}",
            where=file.place(_path(file, error.absolute_path)),
            remedy="correct the line named; python -m openapi_spec_validator FILE lists every mistake",
        )


def _path(file: OpenApiFile, parts: Iterable[str | int]) -> yamltext.Path_:
    """``parts`` as the file has its keys: the validator takes a status for a number."""
    value: Any = file.data
    found: list[str | int] = []
    for part in parts:
        if isinstance(value, list) and isinstance(part, int):
            value = value[part]
            found.append(part)
        else:
            value = value.get(str(part)) if isinstance(value, dict) else None
            found.append(str(part))
    return tuple(found)
