"""A kustomize folder as plain manifests, rendered by ``kubectl kustomize``: the one door to what a folder says.

The folders of ``deploy/kubernetes`` are rendered beforehand, into ``rendered/``, by
``python3 -m harness.stack.manifests``; each file begins with a digest of what it was rendered of. A folder that was
changed since is rendered anew, as anybody's is.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from harness.base import yamltext
from harness.base.data import KUBERNETES
from harness.base.errors import BadInput
from harness.model.manifests import PatchNote
from harness.model.message import message
from harness.stack.manifests import kubectl, layers, origins
from harness.stack.manifests.folder import Documents
from harness.stack.manifests.layers import Layer
from harness.stack.manifests.places import Places

RENDERED = KUBERNETES / "rendered"
_ORIGIN = "config.kubernetes.io/origin"
_MADE = "# Made by `python3 -m harness.stack.manifests`, of sources whose digest is"


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """The manifests by ``Kind/name``, a note for each patch, and where each value stands.

    ``layers`` are the kustomizations that were read, the folder's own last.
    """

    documents: Documents
    notes: tuple[PatchNote, ...]
    places: Places
    layers: tuple[Layer, ...]


class _Loader(yamltext.SAFE):  # type: ignore[misc]  # one of the two classes
    """The safe constructors with the plain scalars that kubectl writes: JSON's, and any other is text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as PyYAML has it


for _tag, _form, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null", "n"),
    ("int", r"-?[0-9]+", "-0123456789"),
    ("float", r"-?[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?", "-0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_form})$"), list(_first))


def render(folder: Path) -> Rendered:
    """Return the resources of ``folder``.

    Raises ``BadInput`` for what kubectl refuses, with file and line where they are known, and for a chart or an
    address, which a run does not fetch; ``NotOwn`` for files that another user may have written.
    """
    found = layers.read(folder)
    text, root = _stored(folder, found) or kubectl.rendered(folder, found)
    documents, from_ = documents_of(text, str(folder))
    patches = [(layer, patch) for layer in found for patch in layer.patches()]
    as_named = {path.resolve(): path for layer in found for path in layer.files()}
    origin = {key: (root / each).resolve() for key, each in from_.items()}
    files = {key: as_named.get(path, path) for key, path in origin.items()}
    return Rendered(
        documents=documents,
        notes=tuple(layers.patch_notes(patches, documents)),
        places=Places(origins.places(documents, files, found, [patch for _layer, patch in patches])),
        layers=tuple(found),
    )


def documents_of(text: str, source: str) -> tuple[Documents, dict[str, str]]:
    """Return the documents, and the file that each came from; the annotations that tell it are taken off."""
    found: Documents = {}
    origin: dict[str, str] = {}
    for document, _lines in yamltext.documents(text, source, loader=_Loader):
        key = f"{document['kind']}/{document['metadata']['name']}"
        if key in found:
            what = message("{resource} is defined twice, in two groups or namespaces", resource=key)
            raise BadInput(what, where=source, remedy="a run has one namespace: leave one of the two out")
        annotations = document["metadata"].pop("annotations")
        said = yaml.safe_load(annotations.pop(_ORIGIN))
        origin[key] = str(said.get("path") or said["configuredIn"])
        if annotations:
            document["metadata"]["annotations"] = annotations
        found[key] = _without_nulls(document)
    return found, origin


def _without_nulls(value: Any) -> Any:
    """Return the value without the keys that have none: for the API server they are absent."""
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value


def _stored(folder: Path, found: Sequence[Layer]) -> tuple[str, Path] | None:
    """Return what is stored of a bundled folder, as ``kubectl.rendered`` would; ``None`` when its sources changed."""
    file = _file_of(folder)
    if file is None or not file.is_file():
        return None
    seal, _, text = yamltext.read(file).partition("\n")
    return (text, RENDERED) if seal == _seal(found) else None


def _file_of(folder: Path) -> Path | None:
    """Return where a bundled folder's rendering is stored; ``None`` for any other folder."""
    resolved = folder.resolve()
    if not resolved.is_relative_to(KUBERNETES):
        return None
    return RENDERED / f"{'-'.join(resolved.relative_to(KUBERNETES).parts)}.yaml"


def _seal(found: Sequence[Layer]) -> str:
    files = {path.resolve() for layer in found for path in layer.files()}
    texts = [file.read_bytes() for file in sorted(files)]
    digest = hashlib.sha256(b"".join(hashlib.sha256(text).digest() for text in texts)).hexdigest()[:16]
    return f"{_MADE} {digest}"


def sealed(folder: Path, kubectl_: str) -> str:
    """Return what ``rendered/`` holds of a bundled folder, as the program renders it. Raises ``BadInput``."""
    found = layers.read(folder)
    text, root = kubectl.rendered(folder, found, kubectl_)
    return f"{_seal(found)}\n{text.replace(os.path.relpath(KUBERNETES, root), '..')}"


def is_current(folder: Path) -> bool:
    """Return whether what is stored of a bundled folder is of its sources as they now are."""
    return _stored(folder, layers.read(folder)) is not None


def bundled() -> dict[Path, Path]:
    """Return the file of each bundled folder's rendering."""
    folders = (KUBERNETES / "document", KUBERNETES / "base", *sorted((KUBERNETES / "overlays").iterdir()))
    return {each: file for each in folders if (file := _file_of(each)) is not None}
