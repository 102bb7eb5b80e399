"""YAML documents as trees that know where each of their values stands: a file of theirs, and its line.

The values are those that kustomize reads (YAML 1.2 with Go's additions): ``yes`` is text, ``0644`` an octal number,
``12:30`` text; merge keys are followed.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from harness.base import yamltext

#: A file, as it was named, and a line in it from 1; 0 when only the file is known.
Place = tuple[str, int]
NOWHERE: Place = ("", 0)


class Map(dict[str, Any]):
    """A mapping. ``at`` is where it begins, ``places`` where its keys stand that have a place of their own."""

    __slots__ = ("at", "places")

    def __init__(self, at: Place = NOWHERE, values: Iterable[tuple[str, Any]] = ()) -> None:
        super().__init__(values)
        self.at = at
        self.places: dict[str, Place] = {}

    def put(self, key: str, value: Any, place: Place) -> None:
        """Sets ``key``, as ``place`` says it."""
        self[key] = value
        self.places[key] = place

    def place(self, key: str) -> Place:
        """Where ``key`` stands, or where the mapping begins."""
        return self.places.get(key, self.at)

    def under(self, key: str, place: Place) -> Map:
        """The mapping at ``key``, made when it is absent."""
        if not isinstance(self.get(key), Map):
            self.put(key, Map(place), place)
        found: Map = self[key]
        return found


class Seq(list[Any]):
    """A list; ``at`` is where it begins."""

    __slots__ = ("at",)

    def __init__(self, at: Place = NOWHERE, values: Iterable[Any] = ()) -> None:
        super().__init__(values)
        self.at = at


class _Loader(yamltext.SAFE):  # type: ignore[misc]  # one of the two classes
    """The safe constructors with the plain scalars that Go's YAML knows."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as PyYAML has it


_CORE = "tag:yaml.org,2002:"
for _tag, _form, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("int", r"^[-+]?(?:0b[01_]+|0o?[0-7_]*|0x[0-9a-fA-F_]+|[1-9][0-9_]*)$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+0123456789."),
    ("float", r"^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$", "-+."),
    ("merge", r"^(?:<<)$", "<"),
):
    _Loader.add_implicit_resolver(_CORE + _tag, re.compile(_form), list(_first))


def _integer(loader: Any, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node)).replace("_", "")
    sign, digits = (-1, text[1:]) if text[:1] == "-" else (1, text.lstrip("+"))
    if digits[:1] == "0" and digits[1:].isdigit():
        return sign * int(digits, 8)
    return sign * int(digits, 0)


def _number(loader: Any, node: yaml.ScalarNode) -> float:
    text = str(loader.construct_scalar(node)).lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


_Loader.add_constructor(f"{_CORE}int", _integer)
_Loader.add_constructor(f"{_CORE}float", _number)


def read(text: str, source: str) -> list[Any]:
    """The documents of ``text`` as trees, empty ones left out. Raises ``BadInput`` naming the line.

    A key without a value is an absent key, as for the API server.
    """
    return [without_nulls(each) for each in read_patch(text, source, 1)]


def read_patch(text: str, source: str, first_line: int) -> list[Any]:
    """As ``read``, of a text that begins on a line of ``source``; a null is kept: in a patch it removes."""
    found = yamltext.documents(text, source, loader=_Loader, merge_keys=True, first_line=first_line)
    return [_tree(data, lines, (), source) for data, lines in found if data is not None]


def read_file(path: Path) -> list[Any]:
    """The documents of the file. Raises ``BadInput``."""
    return read(yamltext.read(path), str(path))


def without_nulls(value: Any) -> Any:
    """The tree without the keys that have no value."""
    if isinstance(value, Map):
        for key in [key for key, each in value.items() if each is None]:
            del value[key]
        for each in value.values():
            without_nulls(each)
    elif isinstance(value, Seq):
        for each in value:
            without_nulls(each)
    return value


def _tree(data: Any, lines: yamltext.Lines, path: yamltext.Path_, source: str) -> Any:
    at = (source, lines.get(path, 0))
    if isinstance(data, dict):
        result = Map(at)
        for key, value in data.items():
            inner = (*path, key)
            result.put(key, _tree(value, lines, inner, source), (source, lines.get(inner, at[1])))
        return result
    if isinstance(data, list):
        return Seq(at, (_tree(value, lines, (*path, index), source) for index, value in enumerate(data)))
    return data


def copied(value: Any) -> Any:
    """A tree of its own, with the same places."""
    if isinstance(value, Map):
        result = Map(value.at, ((key, copied(each)) for key, each in value.items()))
        result.places = dict(value.places)
        return result
    if isinstance(value, Seq):
        return Seq(value.at, (copied(each) for each in value))
    return copy.copy(value)


def plain(value: Any) -> Any:
    """The tree as plain data."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


def planted(value: Any, at: Place = NOWHERE) -> Any:
    """Plain data as a tree whose values all stand at ``at``; what is a tree already keeps its places."""
    if isinstance(value, (Map, Seq)):
        return value
    if isinstance(value, dict):
        return Map(at, ((key, planted(each, at)) for key, each in value.items()))
    return Seq(at, (planted(each, at) for each in value)) if isinstance(value, list) else value


def places(value: Any, path: yamltext.Path_ = ()) -> dict[yamltext.Path_, Place]:
    """Where each value of the tree stands, by its path."""
    found: dict[yamltext.Path_, Place] = {}
    if isinstance(value, Map):
        found[path] = value.at
        for key, each in value.items():
            found |= places(each, (*path, key))
            found[(*path, key)] = value.place(key)
    elif isinstance(value, Seq):
        found[path] = value.at
        for index, each in enumerate(value):
            found |= places(each, (*path, index))
    return found
