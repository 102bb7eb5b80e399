"""Writes ``deploy/kubernetes/rendered`` by the locked kubectl: ``python -m harness.stack.manifests``. Tests hold it
current."""

from __future__ import annotations

from harness.base import bootstrap
from harness.stack.manifests import kustomize

if __name__ == "__main__":
    for folder, file in kustomize.bundled().items():
        file.write_text(kustomize.sealed(folder, str(bootstrap.program("kubectl"))), encoding="utf-8")
