"""The pods that are tried: the manifests as the base has them, with the document's volume put back in three ways."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import msgspec

from harness.model.manifests import Manifests
from harness.model.stack import Rung
from harness.rehearsals.secret_rotation.types import ALONE, CLASSLESS, EXISTING
from harness.stack.manifests import kustomize, load

_SECRET = "Secret/app-secret"  # noqa: S105 - its key among the documents


def manifests_of(corrected: Path, rung: Rung) -> dict[str, Manifests]:
    """By trial. ``corrected`` is the overlay of ``rung`` with the component ``secret-manager``; the document and the
    rung's own overlay lie beside it.

    ``ALONE`` has the volume as printed and nothing else of it; ``CLASSLESS`` the mount besides; ``EXISTING`` is the
    component as it is, with the document's ``secret.yaml`` applied too.
    """
    plain = load(corrected.with_name(corrected.name.removesuffix("-secret-manager")), rung)
    full = load(corrected, rung)
    document = kustomize.render(corrected.parents[1] / "document").documents
    printed = _pod(document, full.deployment.name)["volumes"]
    mounts = _pod(full.documents, full.deployment.name)["containers"][0]["volumeMounts"]
    existing = full.documents | {_SECRET: _with_user(plain.documents[_SECRET])}
    return {
        ALONE: _with(plain, volumes=printed),
        CLASSLESS: _with(plain, volumes=printed, mounts=mounts),
        EXISTING: msgspec.structs.replace(full, documents=existing),
    }


def _with(manifests: Manifests, *, volumes: list[Any], mounts: list[Any] | None = None) -> Manifests:
    documents = copy.deepcopy(manifests.documents)
    pod = _pod(documents, manifests.deployment.name)
    pod["volumes"] = copy.deepcopy(volumes)
    if mounts is not None:
        pod["containers"][0]["volumeMounts"] = copy.deepcopy(mounts)
    return msgspec.structs.replace(manifests, documents=documents)


def _with_user(secret: dict[str, Any]) -> dict[str, Any]:
    """The template and the user's name, which the component reads from the same Secret: "tekutoko"."""
    return secret | {"data": secret["data"] | {"db_user": "dGVrdXRva28="}}


def _pod(documents: dict[str, Any], name: str) -> dict[str, Any]:
    pod: dict[str, Any] = documents[f"Deployment/{name}"]["spec"]["template"]["spec"]
    return pod
