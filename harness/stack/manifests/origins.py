"""Where the values of rendered manifests stand: in the resource's file, in a patch, or in what a generator reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from harness.base import yamltext
from harness.base.errors import BadInput
from harness.stack.manifests.folder import Documents, at
from harness.stack.manifests.layers import Layer, Patch
from harness.stack.manifests.places import Path_

Place = tuple[str, int]
Known = dict[Path_, Place]


class Source(NamedTuple):
    """What a file says at the path ``below``, and the lines of that file."""

    says: Any
    below: Path_
    file: str
    lines: yamltext.Lines


def places(
    documents: Documents, files: dict[str, Path], layers: Sequence[Layer], patches: Iterable[Patch]
) -> dict[str, Known]:
    """Return the file and line of each value that is found, by ``Kind/name`` and path.

    ``files`` are where the resources come from. What a step of kustomize changed (``images``, ``replicas``) is not
    found; its place is then that of what holds it.
    """
    patches = list(patches)
    generated = {layer.file.resolve() for layer in layers}
    found: dict[str, Known] = {}
    for key, document in documents.items():
        known: Known = {(): (str(files[key]), 0)}
        if files[key].resolve() in generated:
            _generated(key, document, layers, known)
        else:
            _read(key, document, files[key], known)
        for patch in patches:
            if patch.fits(key):
                _patched(document, patch, known)
        found[key] = known
    return found


def _read(key: str, document: dict[str, Any], file: Path, known: Known) -> None:
    """Add the places of the resource's own file: those of the document whose name is most of the rendered one."""
    kind, _, name = key.partition("/")
    with suppress(BadInput):  # kubectl takes more YAML than the reader with lines
        best = max(
            (each for each in _resources(file) if at(each[0], "kind") == kind),
            key=lambda each: (own := str(at(each[0], "metadata", "name"))) in name and len(own),
            default=None,
        )
        if best is not None:
            source, lines, below = best
            known[()] = (str(file), lines[below])
            _same(document, (), Source(source, below, str(file), lines), known)


def _resources(file: Path) -> Iterator[tuple[Any, yamltext.Lines, Path_]]:
    """Yield each document of the file, its lines and the path it has among them; a List's items one by one."""
    for data, lines in yamltext.documents(yamltext.read(file), str(file), merge_keys=True):
        items = at(data, "items")
        if str(at(data, "kind")).endswith("List") and isinstance(items, list):
            yield from ((each, lines, ("items", index)) for index, each in enumerate(items))
        elif data is not None:
            yield data, lines, ()


def _same(value: Any, path: Path_, source: Source, known: Known) -> None:
    """Add the place of each value at and below ``path`` that the source says alike; elements meet by their name."""
    said, lines = source.says, source.lines
    here = (source.file, lines[source.below]) if source.below in lines else None
    if isinstance(value, dict) and isinstance(said, dict):
        pairs = [(key, key) for key in value if key in said]
    elif isinstance(value, list) and isinstance(said, list):
        names = [at(each, "name") for each in said]
        own = [at(each, "name") for each in value]
        pairs = [
            (index, names.index(name) if name is not None and name in names else index)
            for index, name in enumerate(own)
        ]
        pairs = [each for each in pairs if each[1] < len(said)]
    else:
        if value == said and here is not None:
            known[path] = here
        return
    if here is not None:
        known.setdefault(path, here)
    for step, its in pairs:
        inner = source._replace(says=said[its], below=(*source.below, its))
        _same(value[step], (*path, step), inner, known)


def _patched(document: dict[str, Any], patch: Patch, known: Known) -> None:
    """Add the places of the values that a patch, strategic or of operations, put in."""
    for data, lines in patch.documents:
        if isinstance(data, dict):
            _same(document, (), Source(data, (), str(patch.file), lines), known)
        for index, operation in enumerate(data if isinstance(data, list) else ()):
            path = _pointed(document, str(at(operation, "path")))
            if at(operation, "op") in ("add", "replace"):
                said = Source(at(operation, "value"), (index, "value"), str(patch.file), lines)
                _same(at(document, *path), path, said, known)


def _pointed(document: dict[str, Any], pointer: str) -> Path_:
    """Return a JSON pointer as a path in ``document``, in which "-" is a list's last element."""
    path: Path_ = ()
    for part in pointer.split("/")[1:]:
        holder = at(document, *path)
        step: str | int = part.replace("~1", "/").replace("~0", "~")
        if isinstance(holder, list):
            step = int(part) if part.isdecimal() else len(holder) - 1
        path = (*path, step)
    return path


def _generated(key: str, document: dict[str, Any], layers: Sequence[Layer], known: Known) -> None:
    """Add the places of a generator's keys: its literal's line, that of its file of variables, or its file."""
    kind, _, name = key.partition("/")
    for layer in layers:
        for of_kind, named, entry, path in layer.generators():
            if (of_kind, named in name) != (kind, True):
                continue
            known[()] = (str(layer.file), layer.lines.get(path, 0))
            for holder in ("data", "binaryData"):
                for each in at(document, holder) or ():
                    if (place := _said(layer, entry, path, str(each))) is not None:
                        known[(holder, each)] = place


def _said(layer: Layer, entry: dict[str, Any], path: Path_, key: str) -> Place | None:
    for index, text in enumerate(_texts(entry, "literals")):
        if text.partition("=")[0] == key:
            return str(layer.file), layer.lines.get((*path, "literals", index), 0)
    for text in _texts(entry, "files"):
        given, _, file = text.rpartition("=")
        if key == (given or Path(file).name):
            return str(layer.folder / file), 1
    for text in (*_texts(entry, "envs"), *([entry["env"]] if isinstance(entry.get("env"), str) else ())):
        file = layer.folder / text
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if line.lstrip("\ufeff \t").partition("=")[0] == key:
                return str(file), number
    return None


def _texts(entry: dict[str, Any], key: str) -> list[str]:
    found = entry.get(key)
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
