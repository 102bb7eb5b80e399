"""Strategic merge patches: a piece of a manifest laid over it, lists merged by the key that Kubernetes gives them.

As kustomize does it (kyaml ``merge2``): a null removes a key, ``$patch: delete`` a list's element or a mapping,
``$patch: replace`` puts the patch in the place of what is there; new elements of a keyed list come first; a list
without a key is replaced. Keys: Kubernetes API reference, "patch strategy: merge on key".
"""

from __future__ import annotations

import copy
from typing import Any

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
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey",),
}


def merge(document: Any, patch: Any) -> Any:
    """``document`` with ``patch`` laid over it; both stay. Raises ``ValueError`` for a directive that is not known."""
    if not isinstance(patch, dict) or not isinstance(document, dict):
        return _plain(patch)
    directive = patch.get(_DIRECTIVE, "merge")
    if directive == "replace":
        return _plain(patch)
    if directive != "merge":
        raise ValueError(f"$patch: {directive} does not fit here")
    merged = dict(document)
    for key, value in patch.items():
        if key == _DIRECTIVE:
            continue
        if key.startswith("$"):
            raise ValueError(f"the directive {key} is not read")
        if value is None or (isinstance(value, dict) and value.get(_DIRECTIVE) == "delete"):
            merged.pop(key, None)
        elif isinstance(value, list) and isinstance(merged.get(key), list) and (by := _key(key, value, merged[key])):
            merged[key] = _merged_list(merged[key], value, by)
        else:
            merged[key] = merge(merged[key], value) if key in merged else _plain(value)
    return merged


def _key(name: str, patch: list[Any], there: list[Any]) -> str:
    """The key that the elements of both lists have; "" when the list is replaced as a whole."""
    elements = [each for each in (*patch, *there) if each != {_DIRECTIVE: "replace"}]
    for key in KEYS.get(name, ()):
        if all(isinstance(each, dict) and key in each for each in elements):
            return key
    return ""


def _merged_list(there: list[Any], patch: list[Any], key: str) -> list[Any]:
    if any(each.get(_DIRECTIVE) == "replace" for each in patch):
        return [_plain(each) for each in patch if set(each) != {_DIRECTIVE}]
    merged = list(there)
    fresh = []
    for each in patch:
        places = [place for place, known in enumerate(merged) if known[key] == each[key]]
        if each.get(_DIRECTIVE) == "delete":
            merged = [known for known in merged if known[key] != each[key]]
        elif places:
            merged[places[0]] = merge(merged[places[0]], each)
        else:
            fresh.append(_plain(each))
    return [*fresh, *merged]


def _plain(value: Any) -> Any:
    """A patch's value as it is put in: without directives, and without nulls, which remove."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items() if key != _DIRECTIVE and each is not None}
    return [_plain(each) for each in value] if isinstance(value, list) else copy.deepcopy(value)
