"""Strategic merge patches: a piece of a manifest laid over it, lists merged by the key that Kubernetes gives them.

As kustomize does it (kyaml ``merge2``): a null removes a key, ``$patch: delete`` a list's element or a mapping,
``$patch: replace`` puts the patch in the place of what is there; the patch's elements of a keyed list come first, in
its order; a list without a key is replaced, and so is every list of a custom resource. Keys: Kubernetes API reference,
"patch strategy: merge on key".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.model.message import message
from harness.stack.manifests.kustomize import tree
from harness.stack.manifests.kustomize.tree import Map, Seq

_DIRECTIVE = "$patch"
#: By the list's name; the first that all elements have counts.
KEYS: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "ports": ("containerPort", "port"),
    "imagePullSecrets": ("name",),
    "secrets": ("name",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey",),
}
#: Two elements of a keyed list are one only when these are the same too, where both have them.
_BESIDE = {"containerPort": "protocol", "port": "protocol", "topologyKey": "whenUnsatisfiable"}


def merge(document: Any, patch: Any, keyed: bool = True) -> Any:
    """``document`` with ``patch`` laid over it; both stay. ``keyed`` is false for a custom resource.

    Raises ``ValueError`` for a directive that is not known.
    """
    if not isinstance(patch, dict) or not isinstance(document, dict):
        return _bare(patch)
    directive = patch.get(_DIRECTIVE, "merge")
    if directive == "replace":
        return _bare(patch)
    if directive != "merge":
        raise ValueError(message("$patch: {directive} does not fit here", directive=str(directive)))
    merged = tree.copied(tree.planted(document))
    patch = tree.planted(patch)
    for key, value in patch.items():
        if key == _DIRECTIVE:
            continue
        if key.startswith("$"):
            raise ValueError(message("the directive {key} is not read", key=key))
        there = merged.get(key)
        if value is None or (isinstance(value, dict) and value.get(_DIRECTIVE) == "delete"):
            merged.pop(key, None)
        elif keyed and isinstance(value, list) and isinstance(there, list) and (by := _key(key, value, there)):
            merged.put(key, _merged_list(there, value, by), merged.place(key))
        elif isinstance(value, dict) and isinstance(there, dict):
            merged.put(key, merge(there, value, keyed), merged.place(key))
        else:
            merged.put(key, _bare(value), patch.place(key))
    return merged


def _key(name: str, patch: list[Any], there: list[Any]) -> str:
    """The key that the elements of both lists have; "" when the list is replaced as a whole."""
    elements = [each for each in (*patch, *there) if each != {_DIRECTIVE: "replace"}]
    for key in KEYS.get(name, ()):
        if all(isinstance(each, dict) and key in each for each in elements):
            return key
    return ""


def _merged_list(there: list[Any], patch: list[Any], key: str) -> Seq:
    at = there.at if isinstance(there, Seq) else tree.NOWHERE
    if any(each.get(_DIRECTIVE) == "replace" for each in patch):
        return Seq(at, (_bare(each) for each in patch if set(each) != {_DIRECTIVE}))
    rest = list(there)
    first = []
    for each in patch:
        known = [one for one in rest if _same(one, each, key)]
        known = [one for one in known if one.get(_BESIDE.get(key, "")) == each.get(_BESIDE.get(key, ""))] or known
        rest = [one for one in rest if not any(one is taken for taken in known)]
        if each.get(_DIRECTIVE) != "delete":
            first.append(merge(known[0], each) if known else _bare(each))
    return Seq(at, (*first, *rest))


def _same(one: dict[str, Any], other: dict[str, Any], key: str) -> bool:
    beside = _BESIDE.get(key, "")
    differs = beside in one and beside in other and one[beside] != other[beside]
    return bool(one[key] == other[key]) and not differs


def _bare(value: Any) -> Any:
    """A patch's value as it is put in: without directives, and without nulls, which remove."""
    value = tree.planted(value)
    if isinstance(value, Map):
        kept = _kept(value.items())
        bare = Map(value.at, ((key, _bare(each)) for key, each in kept))
        bare.places = {key: value.place(key) for key, _each in kept}
        return bare
    return Seq(value.at, (_bare(each) for each in value)) if isinstance(value, Seq) else value


def _kept(items: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return [(key, each) for key, each in items if key != _DIRECTIVE and each is not None]
