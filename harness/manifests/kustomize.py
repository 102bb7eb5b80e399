"""The part of kustomize that the layers use: ``resources``, ``components``, and ``patches`` that are JSON 6902 or
``$patch: delete``. No more is read.

``kubectl apply -k`` reads the same folders; a test compares its rendering with this one.
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
from harness.model.errors import BadInput
from harness.model.manifests import PatchNote

FILE = "kustomization.yaml"
KINDS = {"kustomize.config.k8s.io/v1beta1": "Kustomization", "kustomize.config.k8s.io/v1alpha1": "Component"}
RENDER = (
    "this reader knows resources and JSON 6902 patches; render the rest once with "
    "`kubectl kustomize DIR > rendered/all.yaml` and put a kustomization.yaml with `resources: [all.yaml]` beside it"
)
MAX_FOLDERS = 20

Documents = dict[str, dict[str, Any]]


class Target(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which resource a patch is for. An empty field matches any."""

    kind: str = ""
    name: str = ""
    group: str = ""
    version: str = ""


class Patch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of ``patches``: a file, or the operations inline."""

    target: Target
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
    _folder(folder, documents, notes, ())
    return documents, tuple(notes)


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
        raise BadInput(f"{file.name}: {message}", where=at, remedy=RENDER) from error
    if KINDS.get(kustomization.api_version, kustomization.kind) != kustomization.kind:
        raise BadInput(f"kind {kustomization.kind!r} is not read", where=str(file), remedy=RENDER)
    return kustomization


def _resource(path: Path, where: str, documents: Documents) -> None:
    if "://" in str(path) or not path.is_file():
        raise BadInput(f"resource {path} does not exist", where=where, remedy="name a file or folder beside it")
    for data, _lines in yamltext.documents(yamltext.read(path), str(path)):
        if data is None:  # an empty document between two "---"
            continue
        kind = data.get("kind") if isinstance(data, dict) else None
        metadata = data.get("metadata") if isinstance(data, dict) else None
        name = metadata.get("name") if isinstance(metadata, dict) else None
        if not isinstance(kind, str) or not isinstance(name, str):
            raise BadInput("a manifest needs kind and metadata.name", where=str(path), remedy="add them")
        key = f"{kind}/{name}"
        if key in documents:
            raise BadInput(f"{key} is defined twice", where=str(path), remedy="keep one")
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
    found = yamltext.documents(text, source)
    content = found[0][0] if len(found) == 1 else None
    keys = [key for key, document in documents.items() if _matches(patch.target, document)]
    if not keys:
        wanted = f"{patch.target.kind or '*'}/{patch.target.name or '*'}"
        here = ", ".join(documents)
        raise BadInput(f"patch target {wanted} is not among the resources", where=where, remedy=f"there are: {here}")
    if isinstance(content, dict) and content.get("$patch") == "delete":
        for key in keys:
            del documents[key]
    else:
        operations = _operations(content, source)
        for key in keys:
            documents[key] = _patched(documents[key], operations, key, source)
    reason, erratum = notes(text)
    return PatchNote(
        name=Path(patch.path).stem if patch.path else f"{keys[0]} (inline)",
        layer=_layer(folder),
        reason=reason or "no reason given",
        erratum=erratum,
    )


def _operations(content: Any, source: str) -> list[dict[str, Any]]:
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise BadInput(
            "a patch must be a list of JSON 6902 operations (of strategic merge patches only `$patch: delete` is read)",
            where=source,
            remedy="e.g. `- {op: replace, path: /spec/replicas, value: 3}`",
        )
    return content


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
    """``base``, ``overlays/local`` or ``components/graceful``: the layer's name as design.md has it."""
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
