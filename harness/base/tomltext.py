"""TOML as people write it: its keys, with the line of each for the errors, which tomllib does not tell."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from harness.base.errors import BadInput
from harness.base.message import message
from harness.base.owned import own


class Key(NamedTuple):
    """A key with its value: ``table`` are the names of the table that it stands in, ``line`` is where it is written
    and ``headed`` where its table's head is; 1 where that is written otherwise than as people do."""

    table: tuple[str, ...]
    name: str
    value: Any
    headed: int
    line: int

    @property
    def is_tables(self) -> bool:
        """Whether it is a list of tables: ``[[name]]``."""
        return isinstance(self.value, list) and any(isinstance(each, dict) for each in self.value)


def keys(path: Path, remedy: str) -> Iterator[Key]:
    """Every key of the file in its order, those of tables too. Raises ``BadInput`` where it cannot be read."""
    try:
        own(path)
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        told = message("it cannot be read: {error}", error=str(error))
        raise BadInput(told, where=str(path), remedy=remedy) from error
    for table, name, value in _flat(document):
        yield Key(table, name, value, *_lines(text, table, name))


def _flat(document: dict[str, Any], names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str, Any]]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, (*names, key))
        else:
            yield names, key, value


def _lines(text: str, names: tuple[str, ...], key: str) -> tuple[int, int]:
    table: tuple[str, ...] = ()
    headed = 1
    wanted = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*=""")
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*(\[?)\[([^\[\]]+)\]", line):
            table = tuple(part.strip().strip("\"'") for part in header[2].split("."))
            headed = number if table == names else headed
            if header[1] and table == (*names, key):
                return number, number
        elif table == names and wanted.match(line):
            return headed, number
    return headed, 1
