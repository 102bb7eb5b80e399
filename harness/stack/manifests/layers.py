"""The kustomizations of a folder, read for what kubectl does not tell: each patch's reason, each value's line, and what
would be fetched from elsewhere. What they render to, kubectl says alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from harness.base import yamltext
from harness.base.errors import BadInput
from harness.base.owned import own
from harness.model.manifests import PatchNote
from harness.model.message import Message, gettext_noop, message
from harness.stack.manifests.folder import at

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
#: Of a patch that says none, as those of a person's own folder do; every one of the rehearsal's says its own.
NO_REASON = "no reason given"
#: The kinds that kustomize generates, by the key that asks for them.
GENERATED = {"configMapGenerator": "ConfigMap", "secretGenerator": "Secret"}
_PATCHES = ("patchesStrategicMerge", "patches", "patchesJson6902")
_FOLDERS = ("resources", "bases", "components")
#: What else may name a file, or an address.
_FILES = ("configurations", "crds", "generators", "openapi", "replacements", "transformers", "validators")
_BY_HELM = ("helmChartInflationGenerator", "helmCharts", "helmGlobals")
_REMOTE = re.compile(
    r"[a-z+]+://|git@|git::|(?:www\.)?(?:github|gitlab|bitbucket)\.\w+[/:]|.*[?&]ref=|[^./]+\.[a-z]+/.*//"
)
_HELM = message(
    "kubectl renders no Helm chart and a run fetches nothing: render it once, `helm template NAME CHART > walk.yaml`, "
    "and list walk.yaml under resources"
)
_FETCH = message(
    "a run fetches nothing: keep a copy in the repository (`kubectl kustomize ADDRESS > base/all.yaml`, with a "
    "kustomization.yaml beside it) and list that folder"
)
_LISTS = gettext_noop("add one that lists the manifests, e.g. `resources: [deployment.yaml, service.yaml]`")


class Patch(NamedTuple):
    """A patch's text and file, and its documents with their lines: none where kubectl takes more YAML than this reader.

    ``name`` is the file's stem, "" for a patch that stands in the kustomization. ``target`` is its selector, {} when
    the patch names its resource itself.
    """

    text: str
    file: Path
    documents: list[tuple[Any, yamltext.Lines]]
    name: str
    target: dict[str, Any]

    def wanted(self) -> Iterator[tuple[str, str]]:
        """Yield a pattern of the kind and one of the name for each selector of a resource."""
        named = [{"kind": at(each, "kind"), "name": at(each, "metadata", "name")} for each, _lines in self.documents]
        for each in [self.target] if self.target else named or [self.target]:
            yield str(each.get("kind") or ""), str(each.get("name") or "")

    def fits(self, key: str) -> bool:
        """Return whether the patch may be for the resource ``key``, whose name may have gained a prefix or suffix."""
        kind, _, name = key.partition("/")
        try:
            return any(
                (not of_kind or re.fullmatch(of_kind, kind)) and re.search(pattern, name)
                for of_kind, pattern in self.wanted()
            )
        except re.error:
            return True


class Layer:
    """One folder's kustomization, with the lines of its keys. Raises ``BadInput`` for one that is no mapping."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = _file_of(folder)
        found = yamltext.documents(yamltext.read(self.file), str(self.file), merge_keys=True)
        if len(found) != 1 or not isinstance(found[0][0], dict):
            what = message("{file} is not one mapping", file=str(self.file))
            raise BadInput(what, where=str(self.file), remedy="write `resources: [deployment.yaml]`")
        self.says, self.lines = found[0]
        for key in _BY_HELM:
            if key in self.says:
                what = message("{key}: a Helm chart is not rendered", key=key)
                raise BadInput(what, where=self._where(key), remedy=_HELM)

    def of(self, key: str) -> list[Any]:
        """Return the list at ``key``; [] for anything else, which kubectl refuses."""
        found = self.says.get(key)
        return found if isinstance(found, list) else []

    def named(self) -> Iterator[tuple[str, Path]]:
        """Yield each key and file or folder that the kustomization names there. Raises ``BadInput`` for an address."""
        for key in (*_FOLDERS, *_PATCHES, *_FILES):
            for index, entry in enumerate(self.of(key) or [self.says.get(key)]):
                name = entry.get("path") if isinstance(entry, dict) else entry
                if not isinstance(name, str) or "\n" in name or "\0" in name or len(name) > 500:
                    continue
                path = self.folder / name
                if not path.exists() and _REMOTE.match(name):
                    what = message("{name} lies elsewhere", name=name)
                    raise BadInput(what, where=self._where(key, index), remedy=_FETCH)
                shorter = Path(os.path.normpath(path))  # overlays/production/../../base reads badly in an error
                yield key, shorter if path.exists() and shorter.exists() and shorter.samefile(path) else path

    def files(self) -> Iterator[Path]:
        """Yield the kustomization and the files that it names."""
        yield self.file
        yield from (path for _key, path in self.named() if path.is_file())

    def patches(self) -> Iterator[Patch]:
        """Yield the patches in the order in which kustomize applies them. Raises ``BadInput``."""
        for key in _PATCHES:
            for index, entry in enumerate(self.of(key)):
                says = entry if isinstance(entry, dict) else {"path": entry}
                target = says.get("target") if isinstance(says.get("target"), dict) else {}
                path, text = says.get("path"), says.get("patch")
                if isinstance(path, str) and ("\n" in path.strip() or ": " in path):
                    path, text = None, path
                if isinstance(path, str):
                    file = self.folder / path
                    yield self._patch(yamltext.read(file), file, 1, target or {})
                elif isinstance(text, str):
                    line = self.lines.get((key, index, "patch"), self.lines.get((key, index), 1))
                    yield self._patch(text, self.file, self._first_line(line, text), target or {})

    def generators(self) -> Iterator[tuple[str, str, dict[str, Any], yamltext.Path_]]:
        """Yield kind, name, entry and path of each generator."""
        for key, kind in GENERATED.items():
            for index, entry in enumerate(self.of(key)):
                if isinstance(entry, dict):
                    yield kind, str(entry.get("name", "")), entry, (key, index)

    def _patch(self, text: str, file: Path, first_line: int, target: dict[str, Any]) -> Patch:
        documents = []
        with suppress(BadInput):
            documents = yamltext.documents(text, str(file), merge_keys=True, first_line=first_line)
        return Patch(text, file, documents, "" if file == self.file else file.stem, target)

    def _first_line(self, line: int, text: str) -> int:
        """Return the line on which a block (``patch: |-``) begins that the key in ``line`` holds."""
        first = next(iter(text.splitlines()), "").strip()
        lines = yamltext.read(self.file).splitlines()
        for number in range(line, min(line + 3, len(lines)) + 1):
            if lines[number - 1].strip() == first:
                return number
        return line

    def _where(self, *path: str | int) -> str:
        return yamltext.place(str(self.file), self.lines, path)


def read(folder: Path) -> list[Layer]:
    """Return the kustomizations that make up ``folder``, each before those that build on it; its own is the last.

    Raises ``BadInput`` for a chart or an address, ``NotOwn`` for a file that another user may have written.
    """
    return list(_layers(folder, set()))


def _layers(folder: Path, known: set[Path]) -> Iterator[Layer]:
    known.add(folder.resolve())
    layer = Layer(folder)
    for key, path in layer.named():
        if path.is_file():
            own(path)
        elif key in _FOLDERS and path.is_dir() and path.resolve() not in known:
            yield from _layers(path, known)
    yield layer


def _file_of(folder: Path) -> Path:
    """Return the kustomization of ``folder``. Raises ``BadInput`` without one, or with two."""
    found = [folder / name for name in NAMES if (folder / name).is_file()]
    if len(found) > 1:
        names: str | Message = found[0].name
        for each in found[1:]:
            names = message("{first} and {second}", first=names, second=each.name)
        what = message("{folder} has {names}", folder=str(folder), names=names)
        raise BadInput(what, where=str(folder), remedy="keep one")
    if not found:
        what = message("no {file} in {folder}", file=NAMES[0], folder=str(folder))
        raise BadInput(what, where=str(folder), remedy=_LISTS)
    return found[0]


def patch_notes(patches: Sequence[tuple[Layer, Patch]], keys: Iterable[str]) -> Iterator[PatchNote]:
    """Yield a note for each patch. ``keys`` are the rendered resources: a patch that fits none of them, and none that a
    patch deleted, selects none.
    """
    gone = [
        f"{kind}/{name}"
        for _layer, patch in patches
        if any(at(each, "$patch") == "delete" for each, _lines in patch.documents)
        for kind, name in patch.wanted()
    ]
    there = [*keys, *gone]
    for layer, patch in patches:
        reason, erratum = notes(patch.text)
        chosen = next(filter(patch.fits, there), "")
        yield PatchNote(
            name=patch.name or f"{chosen or '/'.join(next(patch.wanted()))} (inline)",
            layer=_name_of(layer.folder),
            reason=reason or NO_REASON,
            erratum=erratum,
            nothing_changed=not chosen,
        )


def _name_of(folder: Path) -> str:
    """Return ``base``, ``overlays/local`` or ``components/graceful``: the layer's name."""
    folder = folder.resolve()
    above = folder.parent.name
    return f"{above}/{folder.name}" if above in {"overlays", "components"} else folder.name


def notes(text: str) -> tuple[str, str]:
    """Return ``reason`` and ``erratum`` of a patch's leading comment; "" where it has none.

    The form is ``# reason: ...`` and ``# erratum: ...``; a comment line that begins with no such word continues the
    one above.
    """
    found = {"reason": "", "erratum": ""}
    current = ""
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        body = line.lstrip("#").strip()
        head = re.match(r"(reason|erratum):\s*(.*)", body)
        if head:
            current, body = head[1], head[2]
        if current and body:
            found[current] = f"{found[current]} {body}".strip()
    return found["reason"], found["erratum"]
