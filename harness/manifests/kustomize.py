"""The part of kustomize that is read here: ``resources``, ``components``, ``patches`` (JSON 6902, strategic merge).

``kubectl apply -k`` reads the same folders; a test compares its rendering with this one. Where a folder uses more of
kustomize, ``kubectl kustomize`` renders it; without a kubectl it is refused.
"""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import jsonpatch
import jsonpointer
import msgspec

from harness import yamltext
from harness.manifests import by_kubectl, strategic
from harness.model.errors import BadInput
from harness.model.manifests import PatchNote

FILE = "kustomization.yaml"
KINDS = {"kustomize.config.k8s.io/v1beta1": "Kustomization", "kustomize.config.k8s.io/v1alpha1": "Component"}
RENDER = (
    "put a kubectl on the PATH, which renders all of kustomize; or render the folder once where there is one, with "
    "`kubectl kustomize DIR > rendered/all.yaml`, and put a kustomization.yaml with `resources: [all.yaml]` beside it"
)
MAX_FOLDERS = 20

Documents = dict[str, dict[str, Any]]


class Target(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which resource a patch is for. An empty field matches any."""

    kind: str = ""
    name: str = ""
    group: str = ""
    version: str = ""


class Unread(BadInput):
    """A folder that uses more of kustomize than is read here."""


class Patch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of ``patches``: a file, or its text inline. A strategic merge patch may name its target itself."""

    target: Target | None = None
    path: str = ""
    patch: str = ""


class Kustomization(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The keys that are read."""

    resources: list[str] = []
    components: list[str] = []
    api_version: str = ""
    kind: str = "Kustomization"
    patches: list[Patch] = []


def render(folder: Path) -> tuple[Documents, tuple[PatchNote, ...]]:
    """The resources of ``folder`` with its patches applied, by ``Kind/name``, and a note for each patch.

    Raises ``BadInput`` naming file and key for whatever is missing, unknown or does not fit.
    """
    documents: Documents = {}
    notes: list[PatchNote] = []
    try:
        _folder(folder, documents, notes, ())
    except Unread as unread:
        kubectl = by_kubectl.program()
        if kubectl is None:
            raise
        return _by_kubectl(folder, kubectl, unread)
    return documents, tuple(notes)


def with_layer(
    documents: Documents, notes: tuple[PatchNote, ...], layer: Path
) -> tuple[Documents, tuple[PatchNote, ...]]:
    """Rendered ``documents`` with the patches of the folder ``layer`` on top, as if it had them for its resources.

    An overlay beside it that it builds on, as ``kube`` does on ``kind``, goes below. Raises ``BadInput`` naming the
    patch that does not fit.
    """
    kustomization = _kustomization(layer / FILE)
    for each in kustomization.resources:
        if (below := (layer / each).resolve()).parent == layer.resolve().parent:
            documents, notes = with_layer(documents, notes, below)
    changed, told = dict(documents), list(notes)
    for index, patch in enumerate(kustomization.patches):
        told.append(_apply(patch, layer, f"{layer / FILE}, patches[{index}]", changed))
    return changed, tuple(told)


def _by_kubectl(folder: Path, kubectl: str, unread: Unread) -> tuple[Documents, tuple[PatchNote, ...]]:
    documents: Documents = {}
    _read(by_kubectl.rendered(folder, kubectl), f"kubectl kustomize {folder}", documents)
    below: list[PatchNote] = []
    _notes_below(folder, below, ())
    reason = f"rendered by kubectl kustomize ({unread.what})"
    return documents, (*below, PatchNote(name=FILE, layer=_layer(folder), reason=reason))


def _notes_below(folder: Path, notes: list[PatchNote], above: tuple[Path, ...]) -> None:
    """The notes of the folders that ``folder`` builds on, as far as they are read here."""
    data = yamltext.documents(yamltext.read(folder / FILE), str(folder / FILE))[0][0]
    for name in data.get("resources", []):
        path = folder / str(name)
        if path.is_dir() and path.resolve() not in above and len(above) < MAX_FOLDERS:
            try:
                _folder(path, {}, notes, ())
            except Unread:
                _notes_below(path, notes, (*above, path.resolve()))


def _folder(folder: Path, documents: Documents, notes: list[PatchNote], above: tuple[Path, ...]) -> None:
    resolved = folder.resolve()
    if resolved in above or len(above) > MAX_FOLDERS:
        raise BadInput(f"{folder} includes itself", where=str(above[-1] / FILE), remedy="remove one of the resources")
    file = folder / FILE
    if not file.is_file():
        raise BadInput(
            f"no {FILE} in {folder}",
            where=str(folder),
            remedy=f"add one that lists the manifests, e.g. `resources: [deployment.yaml, service.yaml]`; {RENDER}",
        )
    kustomization = _kustomization(file)
    own: Documents = {}
    for index, resource in enumerate(kustomization.resources):
        path = folder / resource
        if path.is_dir():
            _folder(path, own, notes, (*above, resolved))
        else:
            _resource(path, f"{file}, resources[{index}]", own)
    for component in kustomization.components:
        _component(folder / component, own, notes)
    for index, patch in enumerate(kustomization.patches):
        notes.append(_apply(patch, folder, f"{file}, patches[{index}]", own))
    for key, document in own.items():
        if key in documents:
            raise BadInput(f"{key} is defined twice", where=str(file), remedy="list it once")
        documents[key] = document


def _component(folder: Path, documents: Documents, notes: list[PatchNote]) -> None:
    """Changes ``documents``, those of the folder that names the component, before that folder's own patches."""
    file = folder / FILE
    component = _kustomization(file)
    if component.kind != "Component" or component.components:
        raise BadInput(f"{folder} is no plain component", where=str(file), remedy="write `kind: Component`")
    for index, resource in enumerate(component.resources):
        _resource(folder / resource, f"{file}, resources[{index}]", documents)
    for index, patch in enumerate(component.patches):
        notes.append(_apply(patch, folder, f"{file}, patches[{index}]", documents))


def _kustomization(file: Path) -> Kustomization:
    found = yamltext.documents(yamltext.read(file), str(file))
    if len(found) != 1 or not isinstance(found[0][0], dict):
        raise BadInput(f"{file} is not one mapping", where=str(file), remedy="write `resources: [deployment.yaml]`")
    data, lines = found[0]
    try:
        kustomization = msgspec.convert(data, Kustomization)
    except msgspec.ValidationError as error:
        message = str(error)
        key = re.search(r"unknown field `(\w+)`", message)
        at = yamltext.place(str(file), lines, (key[1],) if key else ())
        refused = Unread if key else BadInput
        raise refused(f"{file.name}: {message}", where=at, remedy=RENDER) from error
    if KINDS.get(kustomization.api_version, kustomization.kind) != kustomization.kind:
        raise BadInput(f"kind {kustomization.kind!r} is not read", where=str(file), remedy=RENDER)
    return kustomization


def _resource(path: Path, where: str, documents: Documents) -> None:
    if "://" in str(path) or not path.is_file():
        raise BadInput(f"resource {path} does not exist", where=where, remedy="name a file or folder beside it")
    _read(yamltext.read(path), str(path), documents)


def _read(text: str, source: str, documents: Documents) -> None:
    """Adds the manifests of ``text`` to ``documents``."""
    for data, _lines in yamltext.documents(text, source):
        if data is None:  # an empty document between two "---"
            continue
        kind = data.get("kind") if isinstance(data, dict) else None
        metadata = data.get("metadata") if isinstance(data, dict) else None
        name = metadata.get("name") if isinstance(metadata, dict) else None
        if not isinstance(kind, str) or not isinstance(name, str):
            raise BadInput("a manifest needs kind and metadata.name", where=source, remedy="add them")
        key = f"{kind}/{name}"
        if key in documents:
            raise BadInput(f"{key} is defined twice", where=source, remedy="keep one")
        documents[key] = _without_nulls(data)


def _without_nulls(data: Any) -> Any:
    """``key:`` with nothing behind it is an absent key, as for the API server."""
    if isinstance(data, dict):
        return {key: _without_nulls(value) for key, value in data.items() if value is not None}
    return [_without_nulls(value) for value in data] if isinstance(data, list) else data


def _apply(patch: Patch, folder: Path, where: str, documents: Documents) -> PatchNote:
    if bool(patch.path) == bool(patch.patch):
        raise BadInput("a patch has either path or patch", where=where, remedy="give one of the two")
    file = folder / patch.path
    text = yamltext.read(file) if patch.path else patch.patch
    source = str(file) if patch.path else f"{where}.patch"
    change = _change(text, source)
    target = patch.target or _own_target(change, where)
    keys = [key for key, document in documents.items() if _matches(target, document)]
    if not keys:
        wanted = f"{target.kind or '*'}/{target.name or '*'}"
        here = ", ".join(documents)
        raise BadInput(f"patch target {wanted} is not among the resources", where=where, remedy=f"there are: {here}")
    for key in keys:
        if isinstance(change, list):
            documents[key] = _patched(documents[key], change, key, source)
        else:
            _lay_over(documents, key, change, source)
    reason, erratum = notes(text)
    return PatchNote(
        name=Path(patch.path).stem if patch.path else f"{keys[0]} (inline)",
        layer=_layer(folder),
        reason=reason or "no reason given",
        erratum=erratum,
    )


def _change(text: str, source: str) -> list[dict[str, Any]] | dict[str, Any]:
    """JSON 6902 operations, or a strategic merge patch."""
    found = yamltext.documents(text, source)
    change = found[0][0] if len(found) == 1 else None
    if isinstance(change, dict) and "kind" in change and isinstance(change.get("metadata"), dict):
        return change
    if not isinstance(change, list) or not all(isinstance(item, dict) for item in change):
        raise BadInput(
            "a patch must be a list of JSON 6902 operations, or one manifest's kind, metadata and what changes",
            where=source,
            remedy="e.g. `- {op: replace, path: /spec/replicas, value: 3}`",
        )
    return change


def _own_target(change: list[dict[str, Any]] | dict[str, Any], where: str) -> Target:
    """What a strategic merge patch names itself."""
    name = change["metadata"].get("name", "") if isinstance(change, dict) else ""
    if not name or not isinstance(change, dict):
        remedy = "add target: {kind: ..., name: ...}; a strategic merge patch may name its own"
        raise BadInput("a patch without a target", where=where, remedy=remedy)
    group, _, version = str(change.get("apiVersion", "")).rpartition("/")
    return Target(kind=str(change["kind"]), name=str(name), group=group, version=version)


def _lay_over(documents: Documents, key: str, change: dict[str, Any], source: str) -> None:
    """A strategic merge patch; what it names itself stays the document's."""
    if change.get("$patch") == "delete":
        del documents[key]
        return
    document = documents[key]
    try:
        result: dict[str, Any] = strategic.merge(document, change)
    except ValueError as error:
        raise BadInput(f"patch does not fit {key}: {error}", where=source, remedy="check its directives") from error
    result |= {name: document[name] for name in ("apiVersion", "kind") if name in document}
    documents[key] = {**result, "metadata": {**result["metadata"], "name": document["metadata"]["name"]}}


def _patched(document: dict[str, Any], operations: list[dict[str, Any]], key: str, source: str) -> dict[str, Any]:
    try:
        # A copy for each use: two resources must not share the inserted values.
        result = jsonpatch.JsonPatch(copy.deepcopy(operations)).apply(document)
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, KeyError, ValueError) as error:
        raise BadInput(f"patch does not fit {key}: {error}", where=source, remedy="check its paths") from error
    if not isinstance(result, dict):
        raise BadInput(f"patch leaves no mapping of {key}", where=source, remedy="check its paths")
    return result


def _matches(target: Target, document: dict[str, Any]) -> bool:
    group, _, version = str(document.get("apiVersion", "")).rpartition("/")
    return all(
        not wanted or wanted == actual
        for wanted, actual in (
            (target.kind, document["kind"]),
            (target.name, document["metadata"]["name"]),
            (target.group, group),
            (target.version, version),
        )
    )


def _layer(folder: Path) -> str:
    """``base``, ``overlays/local`` or ``components/graceful``: the layer's name."""
    folder = folder.resolve()
    above = folder.parent.name
    return f"{above}/{folder.name}" if above in {"overlays", "components"} else folder.name


def notes(text: str) -> tuple[str, str]:
    """``reason`` and ``erratum`` of a patch's leading comment; "" where it has none.

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
