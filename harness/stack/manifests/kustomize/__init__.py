"""A kustomize folder as plain manifests: the one door to what a folder says.

Our own reader builds it, with file and line of every value. ``kubectl kustomize`` is asked too where it is at hand,
and what it says counts: it is what the folder is deployed with. A folder that only one of the two can read, or that
the two read otherwise, is a defect of our reader and becomes a warning of the run, never an error about the folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from harness.base.errors import BadInput
from harness.base.owned import NotOwn
from harness.model.manifests import PatchNote
from harness.model.message import message
from harness.stack.manifests import by_kubectl
from harness.stack.manifests.kustomize import build, form, patches, tree
from harness.stack.manifests.kustomize.build import Layer
from harness.stack.manifests.kustomize.patches import notes
from harness.stack.manifests.kustomize.resource import Resource, from_documents
from harness.stack.manifests.places import Places

__all__ = ["Documents", "Rendered", "notes", "render"]

Documents = dict[str, dict[str, Any]]


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """The manifests by ``Kind/name``, a note for each patch, and where each value stands.

    ``layers`` are the folders that were read, the outermost first. ``otherwise`` is the first value that kubectl
    renders otherwise, "" when there is none or kubectl was not asked.
    """

    documents: Documents
    notes: tuple[PatchNote, ...]
    places: Places
    layers: tuple[Layer, ...] = ()
    otherwise: str = ""


def render(folder: Path, kubectl: str | None = None) -> Rendered:
    """The resources of ``folder``, built; by the program ``kubectl`` too, when it is given.

    Raises ``BadInput`` naming file, line and key for whatever is missing, unknown or does not fit.
    """
    try:
        ours = _rendered(build.built(folder))
    except (form.Refused, NotOwn):
        raise
    except form.Unread as unread:
        if kubectl is None:
            raise
        return _theirs(folder, kubectl, unread.what)
    except BadInput as error:
        if kubectl is None:
            raise
        try:
            return _theirs(folder, kubectl, f"{error.what} ({error.where})")
        except BadInput:
            raise error from None  # ours names the line
    if kubectl is None:
        return ours
    theirs = _documents(from_documents(_parsed(folder, kubectl)))
    return msgspec.structs.replace(ours, documents=theirs, otherwise=difference(ours.documents, theirs))


def _rendered(found: build.Rendered) -> Rendered:
    places = Places({each.key: tree.places(each.body) for each in found.resources})
    return Rendered(documents=_documents(found.resources), notes=found.notes, places=places, layers=found.layers)


def _theirs(folder: Path, kubectl: str, why: str) -> Rendered:
    """What kubectl alone can render; the values then stand in the folder and nowhere nearer."""
    documents = _documents(from_documents(_parsed(folder, kubectl)))
    note = PatchNote(
        name=form.file_of(folder).name, layer=patches.layer_of(folder), reason=f"rendered by kubectl kustomize ({why})"
    )
    return Rendered(documents=documents, notes=(note,), places=Places({}))


def _parsed(folder: Path, kubectl: str) -> list[Any]:
    return tree.read(by_kubectl.rendered(folder, kubectl), f"kubectl kustomize {folder}")


def _documents(resources: list[Resource]) -> Documents:
    found: Documents = {}
    for each in resources:
        if each.key in found:
            where = f"{each.at[0]}:{each.at[1]}" if each.at[0] else each.key
            what = message("{resource} is defined twice, in two groups or namespaces", resource=each.key)
            raise BadInput(what, where=where, remedy="a run has one namespace: leave one of the two out")
        found[each.key] = tree.plain(tree.without_nulls(each.body))
    return found


def difference(ours: Documents, theirs: Documents) -> str:
    """The first value in which the two differ, as ``Kind/name.spec.replicas``; "" for none."""
    for key in (*ours, *(key for key in theirs if key not in ours)):
        if key not in theirs or key not in ours:
            return key
        if (path := _differs(ours[key], theirs[key])) is not None:
            return f"{key}{path}"
    return ""


def _differs(one: Any, other: Any) -> str | None:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in (*one, *(key for key in other if key not in one)):
            if key not in one or key not in other:
                return f".{key}"
            if (path := _differs(one[key], other[key])) is not None:
                return f".{key}{path}"
        return None
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            if (path := _differs(mine, theirs)) is not None:
                return f"[{index}]{path}"
        return None
    return None if isinstance(one, bool) is isinstance(other, bool) and one == other else ""
