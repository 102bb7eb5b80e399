"""Fields of manifests as kustomize names them: ``spec/template/spec/containers[]/image`` of this kind and group."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from harness.stack.manifests.kustomize.resource import Resource
from harness.stack.manifests.kustomize.tree import Map, Place, Seq

#: Told the mapping or list that holds the field, and its key or index in it.
Act = Callable[[Any, Any], None]
_SLASH = re.compile(r"(?<!\\)/")


class FieldSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A field of the resources that match; an empty kind, group or version matches any."""

    path: str
    kind: str = ""
    group: str = ""
    version: str = ""
    create: bool = False

    def is_for(self, resource: Resource) -> bool:
        """Whether ``resource`` has such a field at all."""
        if self.kind and self.kind != resource.kind:  # most are of another kind
            return False
        each = resource.id
        return self.group in ("", each.group) and self.version in ("", each.version)


def specs(kinds: str, *paths: str, group: str = "", create: bool = False) -> tuple[FieldSpec, ...]:
    """A field spec for each kind and path; the kinds are one text with spaces, "" for any."""
    return tuple(
        FieldSpec(path=path, kind=kind, group=group, create=create) for kind in kinds.split() or [""] for path in paths
    )


def visit(resource: Resource, spec: FieldSpec, act: Act, place: Place, create: Callable[[], Any] | None = None) -> None:
    """Calls ``act`` for every such field of ``resource``.

    With ``create``, where the spec allows it, an absent field is made first, as ``place`` says it.
    """
    if spec.is_for(resource):
        parts = [each.replace(r"\/", "/") for each in _SLASH.split(spec.path.lstrip("/"))]
        _visit(resource.body, parts, act, place, create if spec.create else None)


def _visit(node: Any, parts: list[str], act: Act, place: Place, create: Callable[[], Any] | None) -> None:
    if isinstance(node, Seq):
        for each in node:
            _visit(each, parts, act, place, create)
        return
    if not isinstance(node, Map):
        return
    name, last = parts[0].removesuffix("[]"), len(parts) == 1
    if name not in node:
        if create is None or name != parts[0]:
            return
        node.put(name, create() if last else Map(place), place)
    if last:
        act(node, name)
    else:
        _visit(node[name], parts[1:], act, place, create)
