"""YAML as people write it, read strictly: plain data, with the line of every value kept for the errors; and written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from harness.base.errors import BadInput
from harness.base.message import message
from harness.base.owned import own

Path_ = tuple[str | int, ...]
Lines = dict[Path_, int]

#: In C where PyYAML was built with it: plans and manifests are read many times in a run, and ten times as fast by it.
SAFE: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_MERGE = "tag:yaml.org,2002:merge"
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_OTHER_BASE = re.compile(r"[-+]?0[0-9_]+|.*:.*")  # octal and sexagesimal, as YAML 1.1 alone reads them
MAX_BYTES = 1_000_000
MAX_DEPTH = 60
MAX_DIGITS = 100  # of a number
MAX_VALUES = 50_000  # an alias bomb grows past this before it costs memory

# PyYAML lets these escape from ill-tagged scalars ("!!int ''" is an IndexError, "!!bool x" a KeyError).
_LEAKS = (ValueError, LookupError, AttributeError, TypeError, OverflowError, RecursionError)


def read(path: Path) -> str:
    """The text of ``path``; ``BadInput`` when it is missing, no file, too long, not UTF-8, or may be another user's."""
    try:
        own(path)
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)  # what has no end is too long, too
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadInput(
            message("cannot read {path}: {reason}", path=str(path), reason=reason),
            where=str(path),
            remedy="check the path",
        ) from error
    if len(raw) > MAX_BYTES:
        raise BadInput(
            message("{path} is larger than {max_bytes} bytes", path=str(path), max_bytes=str(MAX_BYTES)),
            where=str(path),
            remedy="is it the right file?",
        )
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise BadInput(
            message("{path} is not UTF-8 text", path=str(path)), where=str(path), remedy="save it as UTF-8"
        ) from error


def documents(
    text: str,
    where: str,
    *,
    loader: type[Any] = SAFE,
    merge_keys: bool = False,
    plain_numbers: bool = False,
    first_line: int = 1,
) -> list[tuple[Any, Lines]]:
    """Every YAML document of ``text`` as plain data and the line of each value by its path.

    ``where`` names the file in errors, ``first_line`` the line of it that ``text`` begins on. Raises ``BadInput`` for
    ill-formed YAML, a key given twice (YAML would keep the last silently), a key that is no text, and merge keys
    unless ``merge_keys``; with ``plain_numbers`` also for ``0250`` and ``2:50``, which YAML 1.1 takes for 168 and 170.
    """
    try:
        opened = loader(text)
        try:
            found = []
            while opened.check_node():
                lines: Lines = {}
                reader = _Reader(opened, where, lines, merge_keys, plain_numbers, first_line)
                found.append((reader.plain(opened.get_node(), ()), lines))
            return found
        finally:
            opened.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{where}:{mark.line + first_line}" if mark is not None else where
        raise BadInput(
            message("not YAML: {problem}", problem=str(error.problem or error.context)),
            where=place,
            remedy="correct the line named",
        ) from error
    except yaml.YAMLError as error:
        raise BadInput(
            message("not YAML: {error}", error=str(error)), where=where, remedy="save it as plain UTF-8 YAML"
        ) from error
    except _LEAKS as error:
        raise BadInput(
            message("not YAML that can be read: {error}", error=str(error)), where=where, remedy="write plain values"
        ) from error


def place(where: str, lines: Lines, path: Path_) -> str:
    """``file:line, key path`` of ``path``, or of the nearest value above it that has a line."""
    known = path
    while known and known not in lines:
        known = known[:-1]
    line = lines.get(known)
    return (f"{where}:{line}" if line else where) + (f", {dotted(path)}" if path else "")


def dotted(path: Path_) -> str:
    """``("a", 0, "b")`` as ``a[0].b``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


class _Dumper(yaml.SafeDumper):
    """Texts of several lines stand as such."""

    def represent_str(self, text: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _Dumper.represent_str)


def written(data: Any) -> str:
    """Plain data as YAML for people: keys in their order, lines of at most 120 characters."""
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120))


class _Reader:
    """Turns the nodes of one document into plain data."""

    def __init__(  # noqa: PLR0917 - those of ``documents``
        self, loader: Any, where: str, lines: Lines, merge_keys: bool, plain_numbers: bool, first_line: int
    ) -> None:
        self.loader = loader
        self.where = where
        self.lines = lines
        self.merge_keys = merge_keys
        self.plain_numbers = plain_numbers
        self.first_line = first_line
        self.values = 0

    def plain(self, node: yaml.Node | None, path: Path_) -> Any:
        """``node`` as plain data. Aliases are followed; one that contains itself runs into the depth limit."""
        assert node is not None  # check_node() promised one
        self.values += 1
        line = node.start_mark.line + self.first_line
        self.lines.setdefault(path, line)
        if len(path) > MAX_DEPTH:
            raise BadInput(
                message("nested deeper than {max_depth}", max_depth=str(MAX_DEPTH)),
                where=f"{self.where}:{line}",
                remedy="simplify it",
            )
        if self.values > MAX_VALUES:
            raise BadInput(
                message("more than {max_values} values", max_values=str(MAX_VALUES)),
                where=f"{self.where}:{line}",
                remedy="simplify it",
            )
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(child, (*path, index)) for index, child in enumerate(node.value)]
        if node.tag in _NUMBERS and len(node.value) > MAX_DIGITS:  # 1:2:3 costs the square of its length
            raise ValueError(f"line {line}: a number of more than {MAX_DIGITS} characters")
        value = self.loader.construct_object(node)
        if self.plain_numbers and node.tag in _NUMBERS and _OTHER_BASE.fullmatch(node.value):
            raise BadInput(
                message("{written} would be read as {number}", written=node.value, number=str(value)),
                where=place(self.where, self.lines, path),
                remedy="write the number in plain digits, or the text in quotes",
            )
        return value

    def _mapping(self, node: yaml.MappingNode, path: Path_) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            at = f"{self.where}:{key_node.start_mark.line + self.first_line}"
            if key_node.tag == _MERGE and self.merge_keys:
                merged = self._merged(value_node, path, at) | merged
                continue
            # The text as written: YAML 1.1 would make True of the key "on".
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == _MERGE:
                raise BadInput("a key that is no plain text", where=at, remedy="write the keys out")
            key = key_node.value
            if key in result:
                raise BadInput(
                    message("key {key} is given twice", key=repr(key)),
                    where=f"{at}, {dotted((*path, key))}",
                    remedy="keep one",
                )
            result[key] = self.plain(value_node, (*path, key))
            self.lines[(*path, key)] = key_node.start_mark.line + self.first_line
        return merged | result

    def _merged(self, node: yaml.Node, path: Path_, at: str) -> dict[str, Any]:
        """What ``<<`` brings: one mapping, or several of which the first that has a key counts."""
        found: dict[str, Any] = {}
        for each in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            data = self.plain(each, path) if isinstance(each, yaml.MappingNode) else None
            if data is None:
                raise BadInput("a merge key of what is no mapping", where=at, remedy="write `<<: *name` of a mapping")
            found = data | found
        return found
