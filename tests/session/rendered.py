"""This repository's own manifests, rendered once a process: a tenth of a second each, and hundreds of tests ask."""

from __future__ import annotations

import copy
import functools
from pathlib import Path

import msgspec

from harness.base.data import KUBERNETES
from harness.stack.manifests import kustomize

_render = kustomize.render
_once = functools.cache(_render)


def render(folder: Path, kubectl: str | None = None) -> kustomize.Rendered:
    """As ``kustomize.render``: of a folder below the repository's own, which no test changes, what was rendered before,
    its documents the caller's own."""
    if kubectl is not None or not folder.resolve().is_relative_to(KUBERNETES):
        return _render(folder, kubectl)
    found = _once(folder.resolve())
    return msgspec.structs.replace(found, documents=copy.deepcopy(found.documents))
