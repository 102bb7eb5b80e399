"""Patches as kustomize lays them on: strategic merge and JSON 6902, found by name, kind, label or pattern."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import jsonpatch
import jsonpointer

from harness.base import yamltext
from harness.base.errors import BadInput
from harness.base.message import said_by
from harness.model.manifests import PatchNote
from harness.model.message import Message, marked, message
from harness.stack.manifests.kustomize import form, strategic, tree
from harness.stack.manifests.kustomize.resource import Resource, Selector, id_of
from harness.stack.manifests.kustomize.tree import Map, Place, Seq

#: Of a patch that says none, as those of a person's own folder do; every one of the rehearsal's says its own.
NO_REASON = "no reason given"


class Text(NamedTuple):
    """A patch's text, the file it stands in and the line it begins on there."""

    text: str
    source: str
    first_line: int
    name: str  # of the patch; "" for one that is written into the kustomization


def text_of(path: str, inline: str, folder: Path, place: Place) -> Text:
    """The text of a patch that ``place`` names. Raises ``BadInput`` when neither or both are given."""
    where = f"{place[0]}:{place[1]}"
    if bool(path) == bool(inline):
        raise BadInput("a patch has either path or patch", where=where, remedy="give one of the two")
    if path:
        file = folder / path
        return Text(yamltext.read(file), str(file), 1, file.stem)
    return Text(inline, place[0], _first_line(place, inline), "")


def _first_line(place: Place, text: str) -> int:
    """Where the text of a block (``patch: |-``) begins, which ``place`` names: the next line that holds its first."""
    first = next(iter(text.splitlines()), "").strip()
    lines = yamltext.read(Path(place[0])).splitlines() if Path(place[0]).is_file() else []
    for number in range(place[1], min(place[1] + 3, len(lines)) + 1):
        if lines[number - 1].strip() == first:
            return number
    return place[1]


def apply(
    patch: form.Patch, folder: Path, place: Place, resources: list[Resource], *, key: str = "patches"
) -> PatchNote:
    """Lays one entry of ``patches`` on; its note. Raises ``BadInput`` for one that does not fit.

    A target that selects nothing is no error, as for kustomize; the note then says so.
    """
    given = text_of(patch.path, patch.patch, folder, place)
    changes = _changes(given)
    where = f"{place[0]}:{place[1]}, {key}"
    if isinstance(changes, Seq):
        if patch.target is None:
            remedy = marked("add target: {kind: ..., name: ...}; a strategic merge patch may name its own")
            raise BadInput("a patch without a target", where=where, remedy=remedy)
        chosen = _selected(patch.target, resources, where)
        for each in chosen:
            _operate(each, changes, given.source)
    elif patch.target is not None:
        if len(changes) != 1:
            raise BadInput("several patches with one target", where=where, remedy="give each an entry of its own")
        chosen = _selected(patch.target, resources, where)
        for each in chosen:
            _lay_over(each, changes[0], given.source, resources, patch.options)
    else:
        chosen = []
        for change in changes:
            target = _named(change, given, resources)
            chosen.append(target)
            _lay_over(target, change, given.source, resources, patch.options)
    return _note(given, chosen, folder, patch.target)


def apply_strategic(entry: str, folder: Path, place: Place, resources: list[Resource]) -> list[PatchNote]:
    """An entry of ``patchesStrategicMerge``: a file, or text. Raises ``BadInput``."""
    is_text = "\n" in entry.strip() or ":" in entry
    patch = form.Patch(patch=entry) if is_text else form.Patch(path=entry)
    return [apply(patch, folder, place, resources, key="patchesStrategicMerge")]


def apply_json(patch: form.Patch, folder: Path, place: Place, resources: list[Resource]) -> PatchNote:
    """An entry of ``patchesJson6902``: its target is one resource, by name. Raises ``BadInput``."""
    target = patch.target
    where = f"{place[0]}:{place[1]}, patchesJson6902"
    given = text_of(patch.path, patch.patch, folder, place)
    changes = _changes(given)
    if target is None or not isinstance(changes, Seq):
        raise BadInput("patchesJson6902 takes a target and operations", where=where, remedy="move it to patches")
    chosen = [each for each in resources if any(target.exactly(one) for one in each.ids)]
    if len(chosen) != 1:
        raise _no_target(str(target), where, resources)
    _operate(chosen[0], changes, given.source)
    return _note(given, chosen, folder, target)


def _note(given: Text, chosen: list[Resource], folder: Path, target: Selector | None) -> PatchNote:
    reason, erratum = notes(given.text)
    inline = f"{chosen[0].key if chosen else target} (inline)"
    return PatchNote(
        name=given.name or inline,
        layer=layer_of(folder),
        reason=reason or NO_REASON,
        erratum=erratum,
        nothing_changed=not chosen,
    )


def _changes(given: Text) -> list[Map] | Seq:
    """JSON 6902 operations, or strategic merge patches."""
    found = tree.read_patch(given.text, given.source, given.first_line)
    if found and all(_is_manifest(each) for each in found):
        return found
    if len(found) == 1 and isinstance(found[0], Seq) and all(isinstance(each, Map) for each in found[0]):
        operations: Seq = found[0]
        return operations
    raise BadInput(
        "a patch must be a list of JSON 6902 operations, or one manifest's kind, metadata and what changes",
        where=f"{given.source}:{given.first_line}",
        remedy=marked("e.g. `- {op: replace, path: /spec/replicas, value: 3}`"),
    )


def _is_manifest(change: Any) -> bool:
    return isinstance(change, Map) and isinstance(change.get("kind"), str) and isinstance(change.get("metadata"), Map)


def _selected(target: Selector, resources: list[Resource], where: str) -> list[Resource]:
    try:
        return [each for each in resources if target.by_pattern(each)]
    except ValueError as error:
        raise BadInput(said_by(error), where=where, remedy="correct the patch's target") from error


def _named(change: Map, given: Text, resources: list[Resource]) -> Resource:
    """The one resource that a strategic merge patch names itself."""
    place = f"{given.source}:{change.at[1]}"
    if not change["metadata"].get("name"):
        remedy = marked("add target: {kind: ..., name: ...}; a strategic merge patch may name its own")
        raise BadInput("a patch without a target", where=place, remedy=remedy)
    wanted = id_of(change)
    found = [each for each in resources if wanted in each.ids]
    if len(found) != 1:
        raise _no_target(f"{wanted.kind}/{wanted.name}", place, resources)
    return found[0]


def _no_target(wanted: str, where: str, resources: Iterable[Resource]) -> BadInput:
    here = ", ".join(dict.fromkeys(f"{each.kind}/{each.ids[0].name}" for each in resources)) or message("none")
    what = message("patch target {target} is not among the resources", target=wanted)
    remedy = message("there are: {names}; group, version and namespace count too", names=here)
    return BadInput(what, where=where, remedy=remedy)


def _lay_over(
    resource: Resource, change: Map, source: str, resources: list[Resource], options: dict[str, bool]
) -> None:
    """A strategic merge patch; what it names itself stays the resource's."""
    if change.get("$patch") == "delete":
        resources.remove(resource)
        return
    body = resource.body
    if options.get("allowNameChange") or options.get("allowKindChange"):
        resource.remember()
    try:
        result = strategic.merge(body, change, resource.is_built_in())
    except ValueError as error:
        where = f"{source}:{change.at[1]}"
        what = message("patch does not fit {resource}: {error}", resource=resource.key, error=said_by(error))
        raise BadInput(what, where=where, remedy="check its directives") from error
    kept: dict[str, Callable[[], bool]] = {
        "apiVersion": lambda: True,
        "kind": lambda: not options.get("allowKindChange"),
    }
    for key, stays in kept.items():
        if key in body and stays():
            result.put(key, body[key], body.place(key))
    metadata = result.get("metadata")
    if not isinstance(metadata, Map):
        what = message("patch leaves no metadata of {resource}", resource=resource.key)
        raise BadInput(what, where=source, remedy="leave metadata alone")
    names = ("namespace",) if options.get("allowNameChange") else ("name", "namespace")
    for key in names:
        if key in body["metadata"]:
            metadata.put(key, body["metadata"][key], body["metadata"].place(key))
        else:
            metadata.pop(key, None)
    resource.body = result


def _operate(resource: Resource, operations: Seq, source: str) -> None:
    """JSON 6902 operations, one by one, so that each value keeps its place."""
    resource.remember()
    body = tree.copied(resource.body)
    for operation in operations:
        where = f"{source}:{operation.at[1]}"
        try:
            # A copy for each use: two resources must not share the inserted values.
            [single] = tree.copied(Seq(values=[operation]))
            body = jsonpatch.JsonPatch([single]).apply(body, in_place=True)
            _place(body, single)
        except (
            jsonpatch.JsonPatchException,
            jsonpointer.JsonPointerException,
            TypeError,
            LookupError,
            ValueError,
            AttributeError,
        ) as error:
            what = message("patch does not fit {resource}: {error}", resource=resource.key, error=said_by(error))
            raise BadInput(what, where=where, remedy=_remedy(operation)) from error
        if not isinstance(body, Map) or not isinstance(body.get("metadata"), Map) or not body["metadata"].get("name"):
            what = message("patch leaves no mapping of {resource}", resource=resource.key)
            raise BadInput(what, where=where, remedy="check its paths")
    resource.body = body


def _remedy(operation: Map) -> Message | str:
    if "path" not in operation:
        return marked("an operation has op, path and mostly value")
    return message("its path is {path}: what it leads to must be there before", path=str(operation["path"]))


def _place(body: Any, operation: Map) -> None:
    """The value that the operation put in stands where the operation does."""
    if operation["op"] not in ("add", "replace", "move", "copy"):
        return
    *above, last = jsonpointer.JsonPointer(operation["path"]).parts or [""]
    holder = body
    for part in above:
        holder = holder[int(part)] if isinstance(holder, Seq) else holder[part]
    if isinstance(holder, Map) and last in holder:
        value = tree.planted(holder[last], operation.place("value"))
        holder.put(last, value, operation.place("value"))


def layer_of(folder: Path) -> str:
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
