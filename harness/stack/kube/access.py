"""A context of a kubeconfig, looked at without asking its cluster anything."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from harness.base import yamltext
from harness.base.errors import BadInput
from harness.base.home import expanded
from harness.model.message import message
from harness.model.stack import OwnCluster

CONFIRM = "--yes-use-this-cluster"
_VIEW = "kubectl config view shows what it says"


class _Of(msgspec.Struct):
    """Of what a name stands for, what is looked at: of a context its cluster, of a cluster its server."""

    cluster: str = ""
    server: str = ""


class _Named(msgspec.Struct):
    name: str
    context: _Of | None = None
    cluster: _Of | None = None


class _File(msgspec.Struct):
    contexts: tuple[_Named, ...] | None = None
    clusters: tuple[_Named, ...] | None = None


def look(context: str, kubeconfig: str, *, registry: str = "") -> OwnCluster:
    """The cluster that ``context`` names; ``kubeconfig`` "" is ``KUBECONFIG`` or ``~/.kube/config``, as for kubectl.

    Raises ``BadInput``: no such file, a file that does not read, an unknown context (with those there are).
    """
    files = kubeconfig or os.environ.get("KUBECONFIG") or str(expanded("~/.kube/config"))
    if not _existing(files):
        raise BadInput("there is no kubeconfig", where=files, remedy="name it with --kubeconfig, or set KUBECONFIG")
    contexts, servers = _read(files)
    if context not in contexts:
        there = ", ".join(sorted(contexts)) or message("none")
        raise BadInput(
            message("the kubeconfig has no context {context}", context=repr(context)),
            where=files,
            remedy=message("its contexts are: {there}", there=there),
        )
    server = servers.get(contexts[context], "")
    if not server:
        told = message("the context {context} names no cluster with a server", context=repr(context))
        raise BadInput(told, where=files, remedy=_VIEW)
    return OwnCluster(context=context, kubeconfig=files, server=server, registry=registry.rstrip("/"))


def _existing(files: str) -> list[Path]:
    named = (expanded(name) for name in files.split(os.pathsep) if name)
    return [path for path in named if path.exists()]


def _read(files: str) -> tuple[dict[str, str], dict[str, str]]:
    """The cluster of each context and the server of each cluster; of a name that two files have, the first's. Raises
    ``BadInput`` for a file that is none; an empty one names nothing, as for kubectl.
    """
    contexts: dict[str, str] = {}
    servers: dict[str, str] = {}
    for path in _existing(files):
        for data, _ in yamltext.documents(yamltext.read(path), str(path), merge_keys=True):
            if not isinstance(data, dict):
                raise BadInput("the kubeconfig is no mapping with contexts", where=str(path), remedy=_VIEW)
            try:
                found = msgspec.convert(data, _File)
            except msgspec.ValidationError as error:
                told = message("the kubeconfig does not read: {error}", error=str(error))
                raise BadInput(told, where=str(path), remedy=_VIEW) from error
            for each in found.contexts or ():
                contexts.setdefault(each.name, (each.context or _Of()).cluster)
            for each in found.clusters or ():
                servers.setdefault(each.name, (each.cluster or _Of()).server)
    return contexts, servers


def unconfirmed(cluster: OwnCluster) -> BadInput:
    """What is said where nobody has confirmed: which cluster, and what would be made on it."""
    return BadInput(
        message(
            "nothing was done: the cluster of context {context} is not this run's own until you say so",
            context=cluster.context,
        ),
        where=cluster.server,
        remedy=message("{made}. If that is wanted: {confirm}", made=made(cluster), confirm=CONFIRM),
    )


def made(cluster: OwnCluster) -> str:
    """What a run makes on the cluster, in words."""
    images = f"images of {cluster.registry}" if cluster.registry else "images that its nodes have already"
    return (
        f"a run makes one namespace tekutoko-<run id> on {cluster.server}, in it the manifests' objects, PostgreSQL, "
        f"four Firebase emulators and a gateway pod, of {images}; it deletes the namespace at its end and touches "
        "nothing else"
    )
