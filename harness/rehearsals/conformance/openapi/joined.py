"""A description in several files as one: what each ``$ref`` to another file names is read and joined in.

Only files below the first one's folder are read, links followed before that is asked; nothing is fetched. What OpenAPI
knows as a component becomes one, so that the validator sees it as it sees the others; anything else, a path or a whole
map of schemas, takes the place of its ``$ref``. Every joined part remembers its file, and where it stands there.
Source: OpenAPI 3.0.4 and 3.1.1, "Reference Object" and "Relative References in URIs"; RFC 6901 for what follows "#".
"""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from harness.base import yamltext
from harness.base.errors import BadInput
from harness.base.yamltext import Path_
from harness.model.message import message

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
