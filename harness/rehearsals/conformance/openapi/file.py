"""An OpenAPI description, 3.0 or 3.1, YAML or JSON: each value with its file and line, and a refusal names them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from harness.base import yamltext
from harness.base.errors import BadInput
from harness.model.message import message
from harness.rehearsals.conformance.openapi.joined import Joined, below, joined, loaded, pointed

_MOST_REFERENCES = 30  # a chain of $ref longer than this leads round


class OpenApiFile:
    """``data`` is the document, joined of all its files; ``name`` is the first of them as people typed it."""

    def __init__(self, name: str, whole: Joined) -> None:
        self.name = name
        self.data = whole.data
        self._whole = whole

    @property
    def alone(self) -> bool:
        """Whether it is one file."""
        return len(self._whole.origins) == 1

    def place(self, path: yamltext.Path_) -> str:
        """``file:line`` of a value, or of the nearest value above it that has a line, in the file that has it."""
        return self._whole.place(path)

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
            value, here = below(self.data, pointed(value["$ref"][1:]))
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
    """The file at ``path`` and those it names. Raises ``BadInput`` with the line of what is no OpenAPI 3.0 or 3.1."""
    first = loaded(path, str(path))
    version = str(first.data.get("openapi", ""))
    if not version.startswith(("3.0.", "3.1.")):
        raise BadInput(
            message("openapi is {version}", version=version or message("missing")),
            where=first.place(("openapi",)),
            remedy="write it in OpenAPI 3.0 or 3.1",
        )
    whole = joined(first)
    file = OpenApiFile(first.name, whole)
    for each in whole.references:
        if below(file.data, pointed(each.target[1:]))[0] is None:
            what = message("$ref {target} leads nowhere", target=each.written)
            raise BadInput(what, where=each.where, remedy="name a component that is there")
    for each in whole.references:
        file.followed({"$ref": each.target}, ())
    _validated(file, version)
    return file


def _validated(file: OpenApiFile, version: str) -> None:
    from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator  # 0.3 s to import

    validator = OpenAPIV30SpecValidator if version.startswith("3.0.") else OpenAPIV31SpecValidator
    for error in validator(cast(Any, file.data)).iter_errors():
        raise BadInput(
            message("no OpenAPI {version}: {error}", version=version, error=error.message.splitlines()[0][:300]),
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
