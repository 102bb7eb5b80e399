"""Where the values of rendered manifests stand in the folder they came from: for errors that name file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harness.base.errors import BadInput

Path_ = tuple[str | int, ...]
_STEP = re.compile(r"\.(?P<key>[^.\[\] ()]+)|\[(?P<index>[0-9]+)\]|\[\.\.\.\]| \((?P<name>[^()]*)\)")


class Places:
    """By ``Kind/name``, the file and line of each value; empty for a folder that only kubectl could render."""

    def __init__(self, known: dict[str, dict[Path_, tuple[str, int]]]) -> None:
        self._known = known

    def of(self, key: str, *path: str | int) -> tuple[str, int]:
        """File and line of the value, or of the nearest one above it; ``("", 0)`` when nothing is known."""
        known = self._known.get(key, {})
        while path and not known.get(path, ("", 0))[0]:
            path = path[:-1]
        return known.get(path, ("", 0))

    def text(self, key: str, *path: str | int) -> str:
        """``file:line``, or "" when it is not known."""
        file, line = self.of(key, *path)
        return f"{file}:{line}" if line else file

    @contextmanager
    def said(self, documents: dict[str, dict[str, Any]]) -> Iterator[None]:
        """An error about one of ``documents`` says the file and the line besides."""
        try:
            yield
        except BadInput as error:
            found = self.located(error, documents)
            if found is error:
                raise
            raise found from error

    def located(self, error: BadInput, documents: dict[str, dict[str, Any]]) -> BadInput:
        """``error``, whose place is ``FOLDER: Kind/name.spec.replicas``, with file and line of that key before it.

        The same error when its place is none of a manifest's.
        """
        for key in sorted(documents, key=len, reverse=True):
            _folder, found, trail = error.where.partition(f": {key}")
            if found and (not trail or trail[0] in ". ["):
                place = self.text(key, *path_of(trail, documents[key]))
                where = f"{place}, {key}{trail}" if place else error.where
                return type(error)(error.told, where=where, remedy=error.given[2])
        return error


def path_of(trail: str, document: Any) -> Path_:
    """``.spec.containers[0] (api).env (PORT)`` as a path in ``document``: a name in brackets is that of an element."""
    path: list[str | int] = []
    holder = value = document
    for step in _STEP.finditer(trail):
        wanted: str | int | None = step["key"] if step["key"] is not None else None
        if step["index"] is not None:
            wanted = int(step["index"])
        elif step["name"] is not None:
            if path and isinstance(path[-1], int) and not isinstance(value, list):
                value, _ = holder, path.pop()  # the name counts: another order may have been read than is written
            names = [each.get("name") if isinstance(each, dict) else None for each in value] if value else []
            wanted = names.index(step["name"]) if isinstance(value, list) and step["name"] in names else None
        if wanted is None:
            continue
        try:
            holder, value = value, value[wanted]
        except (LookupError, TypeError):
            break
        path.append(wanted)
    return tuple(path)
