"""Folders rendered within a test's process: this repository's own once a process, and those that only list files.

``kubectl kustomize`` is a process, which an in-process test may not start; of what kustomize does to a folder that only
lists files nothing is left to it (``tests/deploy/test_kubectl.py`` holds both alike).
"""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.base import yamltext
from harness.base.data import KUBERNETES
from harness.stack.manifests import kustomize
from harness.stack.manifests.layers import Layer

_render, _printed = kustomize.render, kustomize.rendered
_once = functools.cache(_render)


def render(folder: Path) -> kustomize.Rendered:
    """As ``kustomize.render``: of a folder below the repository's own, which no test changes, what was rendered before,
    its documents the caller's own."""
    if not folder.resolve().is_relative_to(KUBERNETES):
        return _render(folder)
    found = _once(folder.resolve())
    return msgspec.structs.replace(found, documents=copy.deepcopy(found.documents))


def printed(folder: Path, layers: Sequence[Layer], program: str = "") -> tuple[str, Path]:
    """As ``kustomize.rendered``: of a folder that only lists files what they hold; of any other kubectl is asked."""
    [only] = layers if len(layers) == 1 else [None]
    if only is None or not only.says.keys() <= {"apiVersion", "kind", "resources"}:
        return _printed(folder, layers, program)
    documents = [
        _from(data, path)
        for _key, path in only.named()
        for data, _lines in yamltext.documents(yamltext.read(path), str(path), merge_keys=True)
    ]
    return "\n---\n".join(json.dumps(each, ensure_ascii=False) for each in documents), folder


def _from(document: dict[str, Any], path: Path) -> dict[str, Any]:
    metadata = document["metadata"]
    annotations = {**(metadata.get("annotations") or {}), "config.kubernetes.io/origin": f"path: {path.resolve()}\n"}
    return {**document, "metadata": {**metadata, "annotations": annotations}}
