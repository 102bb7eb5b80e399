"""Where in a folder a resource and its key are written, so that an error points at a file and a line of theirs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness import yamltext
from harness.model.errors import BadInput

_FILES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_LISTS = ("resources", "bases", "components", "patchesStrategicMerge")
_MAX_FOLDERS = 40
_WHERE = re.compile(r"([A-Z]\w+)/([\w.-]+?)((?:\.(?:spec|data|stringData|metadata)\b.*)?)$", re.DOTALL)
_STEP = re.compile(r"\.?([A-Za-z_][\w-]*)|\[(\d+)\]|\(([\w.-]+)\)")


@contextmanager
def said(folder: Path) -> Iterator[None]:
    """An error that names a resource of ``folder`` says the file and the line besides, where they are found."""
    try:
        yield
    except BadInput as error:
        prefix = f"{folder}: "
        found = _WHERE.match(error.where.removeprefix(prefix)) if error.where.startswith(prefix) else None
        at = place(folder, found[1], found[2], _path(found[3])) if found is not None else ""
        if not at:
            raise
        where = f"{at} ({error.where.removeprefix(prefix)})"
        raise BadInput(error.what, where=where, remedy=error.remedy) from error


def place(folder: Path, kind: str, name: str, path: yamltext.Path_) -> str:
    """``file:line, key`` of the deepest key of ``path`` in what defines or patches ``kind/name``; "" when no file does.

    A generated or renamed resource is found by the longest name that begins or ends its own.
    """
    best: tuple[int, int, str] = (-1, -1, "")
    for file in _files(folder, set()):
        try:
            found = yamltext.documents(yamltext.read(file), str(file))
        except BadInput:
            continue
        for data, lines in found:
            if (score := _fits(data, kind, name)) and (score, _depth(path, lines)) > best[:2]:
                best = (score, _depth(path, lines), yamltext.place(str(file), lines, path[: _depth(path, lines)]))
    return best[2]


def _fits(data: Any, kind: str, name: str) -> int:
    """How much of ``name`` the document's own name is; 0 for another resource."""
    if not isinstance(data, dict) or data.get("kind") != kind or not isinstance(data.get("metadata"), dict):
        return 0
    own = str(data["metadata"].get("name", ""))
    return len(own) if own and own in name else 0


def _depth(path: yamltext.Path_, lines: yamltext.Lines) -> int:
    depth = len(path)
    while depth and path[:depth] not in lines:
        depth -= 1
    return depth


def _path(text: str) -> yamltext.Path_:
    """``.spec.ports[0]`` as its steps; a name in brackets after an index repeats it and is passed over."""
    steps: list[str | int] = []
    for found in _STEP.finditer(text):
        if found[1]:
            steps.append(found[1])
        elif found[2]:
            steps.append(int(found[2]))
    return tuple(steps)


def _files(folder: Path, known: set[Path]) -> Iterator[Path]:
    """The YAML files that the folder and those below it name."""
    resolved = folder.resolve()
    if resolved in known or len(known) > _MAX_FOLDERS:
        return
    known.add(resolved)
    file = next((folder / name for name in _FILES if (folder / name).is_file()), None)
    if file is None:
        return
    try:
        ((data, _),) = yamltext.documents(yamltext.read(file), str(file))
    except (BadInput, ValueError):
        return
    named = [each for key in _LISTS for each in (data.get(key) or [])] if isinstance(data, dict) else []
    named += [each.get("path") for each in (data.get("patches") or []) if isinstance(each, dict)]
    for each in named:
        path = folder / str(each) if isinstance(each, str) and "\n" not in each else None
        if path is not None and path.is_dir():
            yield from _files(path, known)
        elif path is not None and path.is_file():
            yield path
