"""An OpenAPI description, 3.0 or 3.1, YAML or JSON: each value with its file and line, and a refusal names them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import msgspec

from harness.base import yamltext
from harness.base.errors import BadInput
from harness.base.yamltext import Path_
from harness.model.message import message

# A description in several files as one: what each ``$ref`` to another file names is read and joined in.
# Only files below the first one's folder are read, links followed before that is asked; nothing is fetched. What
# OpenAPI knows as a component becomes one, so that the validator sees it as it sees the others; anything else, a path
# or a whole map of schemas, takes the place of its ``$ref``. Every joined part remembers its file, and where it stands
# there. Source: OpenAPI 3.0.4 and 3.1.1, "Reference Object" and "Relative References in URIs"; RFC 6901 for what
# follows "#".

MOST_FILES = 300
MOST_VALUES = 300_000  # joined: files that name each other twice grow by powers of two
_MOST_INSIDE = 30  # files that take each other's place, one inside the other
_BUNDLE = message("bundle the files into one, for example: npx @redocly/cli bundle openapi.yaml -o bundled.yaml")
#: What stands below a key that holds several of a kind, outside a schema.
_EACH = {
    name: name
    for name in (
        *("schemas", "responses", "parameters", "requestBodies", "headers", "examples", "links", "callbacks"),
        "securitySchemes",
    )
}
_EACH |= {"paths": "pathItems", "webhooks": "pathItems", "pathItems": "pathItems"}
_COMPONENTS = frozenset(_EACH.values()) - {"pathItems"}
_SCHEMAS_IN = frozenset(
    {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "allOf", "anyOf", "oneOf"}
) | {"prefixItems"}
_DATA_IN = frozenset({"example", "examples", "default", "enum", "const"})
_DATA = "data"


class JoinedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file: its name as people would type it, where it lies, what it holds and the line of each value."""

    name: str
    file: Path
    data: Any
    lines: yamltext.Lines

    def place(self, path: Path_) -> str:
        """``file:line`` of a value, or of the nearest value above it that has a line."""
        return yamltext.place(self.name, self.lines, path).partition(",")[0]


class OpenApiReference(msgspec.Struct, frozen=True):
    """A ``$ref`` of the joined document to a place in it, and the line where somebody wrote it."""

    target: str
    written: str
    where: str


class _Written(msgspec.Struct, frozen=True):
    """A ``$ref`` as it is written, at ``at`` of its file."""

    target: str
    part: JoinedFile
    at: Path_

    @property
    def where(self) -> str:
        """``file:line``, which errors and components tell alone."""
        return self.part.place((*self.at, "$ref"))


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """The document that several files make. ``origins`` says of each joined part which file it is of, and where it
    stands there; what no origin is above is of the first file.
    """

    data: dict[str, Any]
    origins: dict[Path_, tuple[JoinedFile, Path_]]
    references: list[OpenApiReference]

    def place(self, path: Path_) -> str:
        """``file:line`` of a value, in the file where it was written."""
        length = next(length for length in range(len(path), -1, -1) if path[:length] in self.origins)
        part, start = self.origins[path[:length]]
        return part.place((*start, *path[length:]))


def loaded(file: Path, name: str) -> JoinedFile:
    """The one YAML or JSON document of ``file``. Raises ``BadInput`` with its line."""
    text = yamltext.read(file)
    # JSON is YAML but for tabs, and no text of JSON holds one.
    found = yamltext.documents(text.expandtabs(2) if text.lstrip().startswith("{") else text, name)
    if len(found) != 1 or not isinstance(found[0][0], dict):
        raise BadInput("no OpenAPI: it is not one mapping of keys", where=name, remedy="begin with `openapi: 3.1.0`")
    data, lines = found[0]
    return JoinedFile(name=name, file=file.resolve(), data=_plain(data), lines=lines)


def joined(first: JoinedFile) -> Joined:
    """``first`` with all that it names of other files. Raises ``BadInput`` at the line of what cannot be joined."""
    return _Joiner(first).whole()


def pointed(fragment: str) -> Path_:
    """The keys that ``/components/schemas/Walk`` names, one after the other."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in unquote(fragment).split("/")[1:])


def below(value: Any, path: Path_) -> tuple[Any, Path_]:
    """What stands at ``path`` below ``value``, ``None`` where nothing does, and ``path`` with the numbers of lists."""
    here: Path_ = ()
    for key in path:
        at: str | int = int(key) if isinstance(value, list) and str(key).isdecimal() else key
        here = (*here, at)
        if isinstance(value, list):
            value = value[at] if isinstance(at, int) and at < len(value) else None
        else:
            value = value.get(at) if isinstance(value, dict) else None
    return value, here


def _plain(value: Any) -> Any:
    """Dates as texts: YAML makes them of examples."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, datetime.date) else value


def _inside(kind: str, key: str) -> str:
    """What stands below ``key`` of something of ``kind``: a kind of component, "each" and one, data, or "" for else."""
    if kind.startswith("each "):
        return kind.removeprefix("each ")
    if kind == _DATA or (kind == "examples" and key == "value"):
        return _DATA
    if kind == "schemas":
        return "each schemas" if key in _SCHEMAS_IN else _DATA if key in _DATA_IN else "schemas"
    if kind == "callbacks":
        return "pathItems"
    if key in ("schema", "requestBody"):
        return {"schema": "schemas", "requestBody": "requestBodies"}[key]
    return _DATA if key == "example" else f"each {_EACH[key]}" if key in _EACH else ""


class _Joiner:
    """Walks the first file, then each component that another file brings, until no file brings another."""

    def __init__(self, first: JoinedFile) -> None:
        self._first = first
        self._folder = first.file.parent
        self._parts: dict[Path, JoinedFile] = {first.file: first}
        self._meant: dict[tuple[Path, str], JoinedFile] = {}
        self._origins: dict[Path_, tuple[JoinedFile, Path_]] = {(): (first, ())}
        self._references: list[OpenApiReference] = []
        self._named: dict[tuple[str, Path_, str], str] = {}
        self._to_join: list[tuple[Any, JoinedFile, Path_, str, str]] = []
        self._in_place: list[tuple[str, Path_]] = []
        self._values = 0

    def whole(self) -> Joined:
        """The first file with the components of the others beside its own."""
        data = self._join(self._first.data, self._first, (), (), "")
        brought: dict[str, dict[str, Any]] = {}
        while self._to_join:
            value, part, at, kind, name = self._to_join.pop()
            here = ("components", kind, name)
            self._origins[here] = (part, at)
            brought.setdefault(kind, {})[name] = self._join(value, part, at, here, kind)
        components = data.get("components") or {}
        if brought and isinstance(components, dict):
            merged = {kind: {**_map(components.get(kind)), **each} for kind, each in brought.items()}
            data = {**data, "components": {**components, **merged}}
        return Joined(data=data, origins=self._origins, references=self._references)

    def _join(self, value: Any, part: JoinedFile, at: Path_, here: Path_, kind: str) -> Any:
        """``value``, which stands at ``at`` in ``part`` and at ``here`` in the whole, with what its references name."""
        self._values += 1
        if self._values > MOST_VALUES:
            raise BadInput("the files name each other too often", where=part.place(at), remedy=_BUNDLE)
        if kind == _DATA or not isinstance(value, dict | list):
            return value
        if isinstance(value, list):
            return [
                self._join(each, part, (*at, number), (*here, number), _inside(kind, ""))
                for number, each in enumerate(value)
            ]
        if isinstance(value.get("$ref"), str):
            return self._referred(value, part, at, here, kind)
        return {
            key: self._join(each, part, (*at, key), (*here, key), _inside(kind, key)) for key, each in value.items()
        }

    def _referred(self, value: dict[str, Any], part: JoinedFile, at: Path_, here: Path_, kind: str) -> Any:
        """A ``$ref`` to the first file or to a component, or what stands where it leads."""
        by = _Written(str(value["$ref"]), part, at)
        file, _, fragment = by.target.partition("#")
        other = self._other(file, by) if file else part
        if fragment and not fragment.startswith("/"):
            what = message("$ref {target} names no path", target=by.target)
            raise BadInput(what, where=by.where, remedy="for example #/components/schemas/Walk")
        if other is self._first:
            self._references.append(OpenApiReference(f"#{fragment}", by.target, by.where))
            return {**value, "$ref": f"#{fragment}"}
        found, start = below(other.data, pointed(fragment))
        if found is None:
            what = message("$ref {target} leads nowhere", target=by.target)
            remedy = message("name what is there in {file}", file=other.name)
            raise BadInput(what, where=by.where, remedy=remedy)
        if kind in _COMPONENTS:
            return {**value, "$ref": self._component(found, other, start, kind, by)}
        if (other.name, start) in self._in_place or len(self._in_place) >= _MOST_INSIDE:
            what = message("$ref {target} leads round", target=by.target)
            raise BadInput(what, where=by.where, remedy="let one of them be the thing itself")
        self._in_place.append((other.name, start))
        self._origins[here] = (other, start)
        joined_in = self._join(found, other, start, here, kind)
        self._in_place.pop()
        return joined_in

    def _component(self, found: Any, other: JoinedFile, start: Path_, kind: str, by: _Written) -> str:
        """The ``$ref`` of the component that ``found`` becomes, the same each time it is named."""
        key = (other.name, start, kind)
        if key not in self._named:
            last = str(start[-1]) if start else other.file.stem
            self._named[key] = f"joined-{len(self._named) + 1}-{re.sub(r'[^A-Za-z0-9._-]', '_', last)}"
            self._to_join.append((found, other, start, kind, self._named[key]))
        target = f"#/components/{kind}/{self._named[key]}"
        self._references.append(OpenApiReference(target, by.target, by.where))
        return target

    def _other(self, file: str, by: _Written) -> JoinedFile:
        """The file that ``by`` names, looked for once. Raises ``BadInput`` as ``_sought``."""
        key = (by.part.file, file)
        if key not in self._meant:
            self._meant[key] = self._sought(file, by)
        return self._meant[key]

    def _sought(self, file: str, by: _Written) -> JoinedFile:
        """The file that ``by`` names. Raises ``BadInput`` for what leads out of the first file's folder."""
        part, target, where = by.part, by.target, by.where
        out = BadInput(
            message(
                "$ref {target} leads out of the folder of {file}, and nothing is fetched",
                target=target,
                file=self._first.name,
            ),
            where=where,
            remedy=_BUNDLE,
        )
        address, path = urlsplit(file), unquote(file)
        if address.scheme or address.netloc or "\0" in path:
            raise out
        try:
            found = (part.file.parent / path).resolve()
        except (OSError, RuntimeError):  # links that lead round
            raise out from None
        if not found.is_relative_to(self._folder):
            raise out
        if found not in self._parts:
            if not found.is_file():
                what = message("$ref {target} leads to no file", target=target)
                raise BadInput(what, where=where, remedy="name a file that is there")
            if len(self._parts) >= MOST_FILES:
                raise BadInput(message("more than {most} files", most=str(MOST_FILES)), where=where, remedy=_BUNDLE)
            name = str(Path(self._first.name).parent / found.relative_to(self._folder))
            self._parts[found] = loaded(found, name)
        return self._parts[found]


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


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
